/* Inside of the HTTP server: what http_server.c (reading requests) and http_exchange.c (writing
 * responses) share. Nobody else includes it. */
#ifndef SILD_NET_HTTP_LINK_H
#define SILD_NET_HTTP_LINK_H

#include "net/http_server.h"

#include "base/timeval.h"

#define HTTP_DROP_MAX (64u << 10) /* of a body that was answered before its end */

struct http_server {
    struct loop *loop;
    struct tls *tls;
    struct listener *listener;
    struct http_limits limits;
    const struct http_handler *h;
    void *ctx;
    struct http_link *links; /* all connections */
    size_t n_links;
    struct http_exchange *spare; /* ready for use, with their arenas */
    size_t n_spare;
    bool stopping, tell_queued, freed;
    loop_cb stopped;
    void *stopped_ctx;
    char date[TIMEVAL_TEXT];
    int64_t date_until; /* on the loop's monotonic clock */
};

/* A connection. */
struct http_link {
    struct http_server *server; /* NULL: the server is gone */
    struct conn *conn;          /* NULL: closed */
    struct http_link *next, **at;
    struct http_exchange *x; /* the request being read or answered */
    struct buf rest;         /* received bytes that wait: a paused body, the next request */
    bool eof, turn_queued, closing;
};

enum http_phase {
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY,
    HTTP_PHASE_WHOLE, /* the request was read to its end */
};

struct http_exchange {
    struct http_link *link;
    struct http_exchange *next; /* among the spare ones */
    void *ctx;
    struct arena *arena;
    enum http_phase phase;
    struct http_head head;
    struct http_chunked chunked;
    uint64_t body_left;  /* of a body with length */
    uint64_t body_total; /* of a chunked one so far */
    int64_t began_at;    /* first byte of the head */
    bool paused;
    /* the response */
    bool responded, ended, aborted, close, no_body;
    enum http_framing framing;
    uint64_t send_left;
    size_t raw_n;
    uint8_t raw[]; /* the head's bytes, limits.head_max of them */
};

/* What is due at the end of the turn: the end of an exchange, then what waits in rest. */
void http_link_turn(struct http_link *k);

#endif
