/*
 * HTTP/1.1 server over conn: strict heads (wire/http.h), keep-alive, bodies streamed both ways with
 * back-pressure. Malformed requests are answered (400, 408, 413, 431) and closed without reaching
 * the handler.
 */
#ifndef SILD_NET_HTTP_SERVER_H
#define SILD_NET_HTTP_SERVER_H

#include "net/conn.h"
#include "wire/http.h"

struct http_server;
struct http_exchange; /* one request and its response */

struct http_handler {
    /* The head is complete: look at it, set the context by http_exchange_set, begin. */
    void (*on_request)(void *server_ctx, struct http_exchange *x);
    /* Body bytes, in order; borrowed. */
    void (*on_body)(void *ctx, struct http_exchange *x, struct slice piece);
    void (*on_body_end)(void *ctx, struct http_exchange *x);
    /* The write queue is below the mark again. */
    void (*on_drain)(void *ctx, struct http_exchange *x);
    /* The exchange is over: response sent, or connection lost (aborted). x is gone after return. */
    void (*on_done)(void *ctx, struct http_exchange *x, bool aborted);
};

struct http_limits {
    size_t head_max;         /* 0: HTTP_HEAD_MAX */
    int64_t head_timeout_ms; /* 0: 30 s for a head to arrive */
    int64_t idle_timeout_ms; /* 0: 60 s between requests */
    int64_t body_pause_ms;   /* 0: 30 s without a byte of the body */
    uint64_t body_max;       /* 0: no limit */
    size_t connections_max;  /* 0: 10,000 */
};

struct http_server *http_server_new(struct loop *l, int listen_fd, struct tls *tls,
                                    const struct http_limits *limits, const struct http_handler *h,
                                    void *ctx);
/* Accepts no more, ends idle connections, calls done when the last exchange is over (NULL: abort
 * now). */
void http_server_stop(struct http_server *s, loop_cb done, void *ctx);
void http_server_free(struct http_server *s);

/* Valid until on_done. The head's slices too. */
const struct http_head *http_exchange_head(const struct http_exchange *x);
struct conn *http_exchange_conn(struct http_exchange *x);
struct arena *http_exchange_arena(struct http_exchange *x); /* for the exchange's lifetime; 1 MiB */
void http_exchange_set(struct http_exchange *x, void *ctx);
/* The request's body: stop and go on reading. */
void http_exchange_pause(struct http_exchange *x);
void http_exchange_resume(struct http_exchange *x);

enum http_framing {
    HTTP_SEND_LENGTH, /* `length` is known */
    HTTP_SEND_CHUNKED,
    HTTP_SEND_CLOSE, /* body ends with the connection */
    HTTP_SEND_NONE,  /* no body and no length (204, 304) */
};
/*
 * headers: complete lines "Name: value\r\n", without length, coding, Connection and Date, which are
 * written here. reason NULL: the standard one.
 */
void http_respond(struct http_exchange *x, int status, const char *reason, struct slice headers,
                  enum http_framing framing, uint64_t length);
void http_write(struct http_exchange *x, struct slice piece);
size_t http_queued(const struct http_exchange *x);
void http_end(struct http_exchange *x);
/* Head and whole body at once. content_type NULL: none. extra: further header lines or empty. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct slice extra,
                struct slice body);
/* Cuts the connection: the peer sees an incomplete message. */
void http_abort(struct http_exchange *x);
/* After this response the connection closes. */
void http_close_after(struct http_exchange *x);

#endif
