/*
 * One request and its response on an HTTP server (net/http_server.h). An exchange lives until
 * on_done has returned; after http_end or http_abort its functions do nothing.
 */
#ifndef SILD_NET_HTTP_EXCHANGE_H
#define SILD_NET_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "net/conn.h"
#include "wire/http.h"

struct http_exchange;

/* Valid until on_done. The head's slices too. */
const struct http_head *http_exchange_head(const struct http_exchange *x);
struct conn *http_exchange_conn(struct http_exchange *x);
struct arena *http_exchange_arena(struct http_exchange *x); /* for the exchange's lifetime; 1 MiB */
void http_exchange_set(struct http_exchange *x, void *ctx);
/* For admission.h: the request is from somebody who belongs here; or it was refused as nobody's. A
 * head that is no HTTP counts as refused by itself. */
void http_exchange_good(struct http_exchange *x);
void http_exchange_bad(struct http_exchange *x);
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
 * written here. reason NULL: the standard one. A response that begins before the request's body has
 * ended closes the connection after it, unless less than 64 KiB are missing.
 */
void http_respond(struct http_exchange *x, int status, const char *reason, struct slice headers,
                  enum http_framing framing, uint64_t length);
/* More than the length promised cuts the connection. */
void http_write(struct http_exchange *x, struct slice piece);
size_t http_queued(const struct http_exchange *x);
/* Less than the length promised cuts the connection. on_done comes at the end of the turn. */
void http_end(struct http_exchange *x);
/* Head and whole body at once. content_type NULL: none. extra: further header lines or empty. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct slice extra,
                struct slice body);
/* Cuts the connection: the peer sees an incomplete message. */
void http_abort(struct http_exchange *x);
/* After this response the connection closes. */
void http_close_after(struct http_exchange *x);

#endif
