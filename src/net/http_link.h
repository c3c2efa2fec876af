/* Inside of the HTTP server: what http_server.c (reading requests) and http_exchange.c (writing
 * responses) share. Nobody else includes it. */
#ifndef SILD_NET_HTTP_LINK_H
#define SILD_NET_HTTP_LINK_H

#include "net/admission.h"
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
    struct admission *admission;       /* NULL: everybody is let in */
    struct http_link *oldest, *newest; /* strangers, in the order they came */
    unsigned turned_away;              /* in a row, about */
    struct http_exchange *spare;       /* ready for use, with their arenas */
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
    bool eof, turn_queued, closing, opened;
    struct admission_pass pass;
    struct http_link *earlier, *later; /* among strangers */
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
    unsigned pieces; /* in which the head has come so far */
    uint8_t raw[];   /* the head's bytes, limits.head_max of them */
};

/* What is due at the end of the turn: the end of an exchange, then what waits in rest. */
void http_link_turn(struct http_link *k);

/* --- http_door.c: who is let in; all let everybody in where there are no limits for strangers ---
 */

/* False: the descriptor is closed. */
bool http_door_open(struct http_server *s, int fd, struct admission_pass *pass);
/* A pass that is not used. */
void http_door_shut(struct http_server *s, struct admission_pass *pass);
/* A connection that was let in; and its end. */
void http_door_in(struct http_link *k, const struct admission_pass *pass);
void http_door_out(struct http_link *k);
/* See admission_good and admission_bad. A handshake that fails is bad, too. */
void http_door_good(struct http_link *k);
bool http_door_bad(struct http_link *k);

#endif
