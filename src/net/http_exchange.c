#include "net/http_link.h"

#include <stdio.h>
#include <string.h>

const struct http_head *http_exchange_head(const struct http_exchange *x)
{
    return &x->head;
}

struct conn *http_exchange_conn(struct http_exchange *x)
{
    return x->link->conn;
}

struct arena *http_exchange_arena(struct http_exchange *x)
{
    return x->arena;
}

void http_exchange_set(struct http_exchange *x, void *ctx)
{
    x->ctx = ctx;
}

static bool over(const struct http_exchange *x)
{
    return x->ended || x->aborted || x->link->conn == NULL;
}

void http_exchange_pause(struct http_exchange *x)
{
    if (over(x))
        return;
    x->paused = true;
    conn_pause(x->link->conn);
}

void http_exchange_resume(struct http_exchange *x)
{
    if (over(x) || !x->paused)
        return;
    x->paused = false;
    http_link_turn(x->link);
}

static const char *date(struct http_server *s)
{
    int64_t now = loop_mono_ms(s->loop);
    if (now >= s->date_until) {
        int64_t wall = loop_wall_ms(s->loop);
        timeval_print_http(wall, s->date);
        s->date_until = now + 1000 - wall % 1000;
    }
    return s->date;
}

static void text(struct conn *c, const char *s)
{
    conn_write(c, slice_str(s));
}

/* Lengths and codings are of this connection only: a peer of HTTP/1.0 knows no chunks. */
static void put_framing(struct http_exchange *x, char *out, size_t cap)
{
    out[0] = 0;
    if (x->framing == HTTP_SEND_CHUNKED && x->head.minor == 0)
        x->framing = HTTP_SEND_CLOSE;
    if (x->framing == HTTP_SEND_LENGTH)
        snprintf(out, cap, "Content-Length: %llu\r\n", (unsigned long long)x->send_left);
    else if (x->framing == HTTP_SEND_CHUNKED)
        snprintf(out, cap, "Transfer-Encoding: chunked\r\n");
    else if (x->framing == HTTP_SEND_CLOSE)
        x->close = true;
}

/* So little is left of the request's body that it is read and dropped, to keep the connection. */
static bool short_rest(const struct http_exchange *x)
{
    return x->phase == HTTP_PHASE_BODY && x->head.body == HTTP_BODY_LENGTH &&
           x->body_left <= HTTP_DROP_MAX && !x->head.expect_continue;
}

/* Does the caller bring a Date, as who passes on another's answer does? */
static bool has_date(struct slice headers)
{
    struct slice line;
    while (slice_next(&headers, '\n', &line))
        if (slice_istarts(line, "date:"))
            return true;
    return false;
}

static void respond(struct http_exchange *x, int status, const char *reason,
                    const char *content_type, struct slice headers)
{
    struct http_server *s = x->link->server;
    struct conn *c = x->link->conn;
    char start[256], framing[64];
    bool dated = has_date(headers);
    x->responded = true;
    x->no_body = slice_eq_str(x->head.method, "HEAD") || x->framing == HTTP_SEND_NONE;
    put_framing(x, framing, sizeof framing);
    if (!x->head.keep_alive || s->stopping || (x->phase != HTTP_PHASE_WHOLE && !short_rest(x)))
        x->close = true;
    int n = snprintf(start, sizeof start, "HTTP/1.1 %03d %s\r\n%s%s%s%s%s", status,
                     reason != NULL ? reason : http_reason(status),
                     dated ? "" : "Date: ", dated ? "" : date(s), dated ? "" : "\r\n", framing,
                     x->close             ? "Connection: close\r\n"
                     : x->head.minor == 0 ? "Connection: keep-alive\r\n"
                                          : "");
    if (n < 0 || (size_t)n >= sizeof start) {
        http_abort(x); /* a reason that long is nobody's */
        return;
    }
    conn_write(c, slice_of(start, (size_t)n));
    if (content_type != NULL) {
        text(c, "Content-Type: ");
        text(c, content_type);
        text(c, "\r\n");
    }
    conn_write(c, headers);
    text(c, "\r\n");
    conn_idle_timeout(c, s->limits.body_pause_ms);
}

void http_respond(struct http_exchange *x, int status, const char *reason, struct slice headers,
                  enum http_framing framing, uint64_t length)
{
    if (over(x) || x->responded)
        return;
    x->framing = framing;
    x->send_left = length;
    respond(x, status, reason, NULL, headers);
}

void http_write(struct http_exchange *x, struct slice piece)
{
    struct conn *c = x->link->conn;
    if (over(x) || !x->responded || x->no_body || piece.n == 0)
        return;
    if (x->framing == HTTP_SEND_LENGTH) {
        if (piece.n > x->send_left) {
            http_abort(x);
            return;
        }
        x->send_left -= piece.n;
    }
    if (x->framing == HTTP_SEND_CHUNKED) {
        char size[24];
        int n = snprintf(size, sizeof size, "%zx\r\n", piece.n);
        conn_write(c, slice_of(size, (size_t)n));
    }
    conn_write(c, piece);
    if (x->framing == HTTP_SEND_CHUNKED)
        text(c, "\r\n");
}

size_t http_queued(const struct http_exchange *x)
{
    return x->link->conn != NULL ? conn_queued(x->link->conn) : 0;
}

void http_end(struct http_exchange *x)
{
    if (over(x))
        return;
    bool short_of = x->framing == HTTP_SEND_LENGTH && x->send_left > 0 && !x->no_body;
    if (!x->responded || short_of) {
        http_abort(x);
        return;
    }
    if (x->framing == HTTP_SEND_CHUNKED && !x->no_body)
        text(x->link->conn, "0\r\n\r\n");
    x->ended = true;
    x->paused = false;
    http_link_turn(x->link);
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct slice extra,
                struct slice body)
{
    if (over(x) || x->responded)
        return;
    bool none = status == 204 || status == 304;
    x->framing = none ? HTTP_SEND_NONE : HTTP_SEND_LENGTH;
    x->send_left = body.n;
    respond(x, status, NULL, content_type, extra);
    http_write(x, body);
    http_end(x);
}

void http_abort(struct http_exchange *x)
{
    if (over(x))
        return;
    x->aborted = true;
    http_link_turn(x->link);
}

void http_close_after(struct http_exchange *x)
{
    x->close = true;
}

void http_exchange_good(struct http_exchange *x)
{
    if (x->link->server != NULL)
        http_door_good(x->link);
}

void http_exchange_bad(struct http_exchange *x)
{
    if (x->link->server != NULL && http_door_bad(x->link))
        http_close_after(x);
}
