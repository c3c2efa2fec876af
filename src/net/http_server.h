/*
 * HTTP/1.1 server over conn: strict heads (wire/http.h), keep-alive, bodies streamed both ways with
 * back-pressure. Malformed requests are answered (400, 408, 413, 431) and closed without reaching
 * the handler.
 */
#ifndef SILD_NET_HTTP_SERVER_H
#define SILD_NET_HTTP_SERVER_H

#include "net/admission.h"
#include "net/http_exchange.h"

struct http_server;

/* Any but on_request may be NULL. ctx is what http_exchange_set gave, NULL before. */
struct http_handler {
    /* The head is complete: look at it, set the context by http_exchange_set, begin. */
    void (*on_request)(void *server_ctx, struct http_exchange *x);
    /* Body bytes, in order; borrowed. No more after http_end. */
    void (*on_body)(void *ctx, struct http_exchange *x, struct slice piece);
    /* Also for a request without body, unless it is answered already. */
    void (*on_body_end)(void *ctx, struct http_exchange *x);
    /* The write queue is below the mark again. */
    void (*on_drain)(void *ctx, struct http_exchange *x);
    /* The exchange is over: response sent, or connection lost (aborted). x is gone after return.
     * Never called from within another function of this interface, but by http_server_free and by
     * http_server_stop without `done`. */
    void (*on_done)(void *ctx, struct http_exchange *x, bool aborted);
};

struct http_limits {
    size_t head_max;         /* 0: HTTP_HEAD_MAX */
    int64_t head_timeout_ms; /* 0: 30 s for a head to arrive */
    int64_t idle_timeout_ms; /* 0: 60 s between requests */
    int64_t body_pause_ms;   /* 0: 30 s without a byte of a body, in either direction */
    uint64_t body_max;       /* 0: no limit */
    size_t connections_max;  /* 0: 10,000; more wait in the kernel's queue */
    const struct admission_limits *admission; /* NULL: strangers are not limited */
};

/* limits NULL: the defaults. h is kept by address. tls NULL: plain; the server takes its own
 * reference. NULL without memory. */
struct http_server *http_server_new(struct loop *l, int listen_fd, struct tls *tls,
                                    const struct http_limits *limits, const struct http_handler *h,
                                    void *ctx);
/* Where addresses are named and those turned away counted; NULL without limits for strangers. */
struct admission *http_server_admission(const struct http_server *s);
/* Accepts no more, ends idle connections, calls done when the last exchange is over (NULL: abort
 * now; then not from within a handler). Once. */
void http_server_stop(struct http_server *s, loop_cb done, void *ctx);
/* Aborts what is left. Not from within a handler. */
void http_server_free(struct http_server *s);

#endif
