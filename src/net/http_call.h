/*
 * One request of an HTTP client (net/http_client.h) and its response.
 */
#ifndef SILD_NET_HTTP_CALL_H
#define SILD_NET_HTTP_CALL_H

#include "net/conn.h"
#include "wire/http.h"

#define HTTP_CLIENT_ADDRS_MAX 8
#define HTTP_CLIENT_HEAD_MAX (32u << 10) /* of a response */

struct http_client;
struct http_call;

struct http_target {
    const struct net_addr *addrs; /* tried in this order; copied, at most HTTP_CLIENT_ADDRS_MAX */
    size_t n;
    struct tls *tls; /* NULL: plain */
    struct slice
        pool_key; /* connections are reused under the same key only; empty: never reused. Copied */
    int64_t connect_timeout_ms;  /* 0: 30 s, for each address */
    int64_t response_timeout_ms; /* from the request's end to the response's head, and the longest
                                    silence within its body; 0: none */
    bool repeatable;
    bool hold_head; /* the head goes out with the first piece of the body: one record, not two */
    const char *server_name; /* for TLS's SNI; NULL: none. Copied */
};

struct http_call_events {
    /*
     * A new TLS (or plain) connection is up, nothing sent. Call http_call_proceed or
     * http_call_refuse, now or later. NULL: proceed. Not called for reused connections, which were
     * judged before (conn_verdict): on_reuse may refuse them (return false: another is opened).
     * When the connection breaks before the answer to this, on_error comes: conn is gone then.
     */
    void (*on_connected)(void *ctx, struct http_call *c, struct conn *conn);
    bool (*on_reuse)(void *ctx, struct http_call *c, struct conn *conn);
    /* Send the body now (the head went out, or is held). Comes again, for the whole body, when a
     * repeatable call is repeated. */
    void (*on_ready)(void *ctx, struct http_call *c);
    void (*on_drain)(void *ctx, struct http_call *c);
    void (*on_head)(void *ctx, struct http_call *c, const struct http_head *h); /* not for 1xx */
    void (*on_body)(void *ctx, struct http_call *c, struct slice piece);
    /* Exactly one of these two ends the call; c is gone after return. on_end: the framing was
     * whole; it may come before the request is sent to its end. Neither comes from within
     * http_call_start. */
    void (*on_end)(void *ctx, struct http_call *c);
    void (*on_error)(void *ctx, struct http_call *c, const struct diag *why);
};

/*
 * head: request line and header lines without the empty line, e.g. "GET / HTTP/1.1\r\nHost: x\r\n";
 * copied. It must say Content-Length or Transfer-Encoding itself; with chunked, http_call_write
 * makes the chunks. NULL only without memory.
 */
struct http_call *http_call_start(struct http_client *c, const struct http_target *t,
                                  struct slice head, const struct http_call_events *ev, void *ctx);
void http_call_proceed(struct http_call *c);
void http_call_refuse(struct http_call *c,
                      const struct diag *why); /* tries the next address, else on_error */
void http_call_write(struct http_call *c, struct slice piece); /* after on_ready */
size_t http_call_queued(const struct http_call *c);
/* No more request body. Allowed at once after http_call_start for a request without body. */
void http_call_end(struct http_call *c);
void http_call_pause(struct http_call *c); /* the response's body */
void http_call_resume(struct http_call *c);
void http_call_cancel(struct http_call *c);       /* no callback follows; c is gone */
struct conn *http_call_conn(struct http_call *c); /* NULL while there is none */
/* The response's head as received, from on_head on. The head given to on_head and its slices, too,
 * live as long as the call. */
struct slice http_call_raw_head(const struct http_call *c);

#endif
