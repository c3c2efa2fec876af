#include "net/http_server.h"

#include "base/err.h"
#include "base/spare.h"
#include "base/tally.h"
#include "net/http_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (1u << 20)
#define SPARE_MAX 256
#define HEAD_PIECES_MAX 64    /* a head in more of them costs us time and is refused */
#define HEAD_STEP 2048        /* bytes copied at a time while a head is looked for */
#define REST_MAX (256u << 10) /* more than conn reads at once: reading stops when bytes wait */

/* --- exchanges --- */

static struct http_exchange *take_exchange(struct http_link *k)
{
    struct http_server *s = k->server;
    struct http_exchange *x = s->spare;
    struct arena *arena;
    if (x != NULL) {
        s->spare = x->next;
        s->n_spare--;
        arena = x->arena;
    } else {
        x = malloc(sizeof *x + s->limits.head_max);
        arena = arena_new(ARENA_MAX);
        if (x == NULL || arena == NULL) {
            free(x);
            arena_free(arena);
            return NULL;
        }
    }
    x->link = k;
    x->next = NULL;
    x->ctx = NULL;
    x->arena = arena;
    x->phase = HTTP_PHASE_HEAD;
    x->body_left = x->body_total = 0;
    x->began_at = loop_mono_ms(s->loop);
    x->paused = x->responded = x->ended = x->aborted = x->close = x->no_body = false;
    x->framing = HTTP_SEND_NONE;
    x->send_left = 0;
    x->raw_n = 0;
    x->pieces = 0;
    x->head.method = x->head.target = SLICE_NONE;
    return x;
}

static void give_exchange(struct http_server *s, struct http_exchange *x)
{
    if (s->n_spare == SPARE_MAX) {
        arena_free(x->arena);
        free(x);
        return;
    }
    arena_reset(x->arena);
    x->next = s->spare;
    s->spare = x;
    s->n_spare++;
}

static void end_exchange(struct http_link *k, bool aborted)
{
    struct http_exchange *x = k->x;
    struct http_server *s = k->server;
    k->x = NULL;
    if (x->phase != HTTP_PHASE_HEAD && s->h->on_done != NULL)
        s->h->on_done(x->ctx, x, aborted);
    give_exchange(s, x);
}

/* --- connections --- */

static void server_free(struct http_server *s)
{
    admission_free(s->admission);
    tls_free(s->tls);
    free(s);
}

static void tell_stopped(void *ctx)
{
    struct http_server *s = ctx;
    s->tell_queued = false;
    if (s->freed)
        server_free(s);
    else
        s->stopped(s->stopped_ctx);
}

static void queue_tell(struct http_server *s)
{
    if (!s->stopping || s->n_links > 0 || s->stopped == NULL || s->tell_queued)
        return;
    s->tell_queued = true;
    loop_defer(s->loop, tell_stopped, s);
}

static void unlink_it(struct http_link *k)
{
    struct http_server *s = k->server;
    http_door_out(k);
    *k->at = k->next;
    if (k->next != NULL)
        k->next->at = k->at;
    k->server = NULL;
    s->n_links--;
    if (s->listener != NULL && s->n_links == s->limits.connections_max - 1)
        listener_pause(s->listener, false);
    queue_tell(s);
}

static void link_free(struct http_link *k)
{
    buf_free(&k->rest);
    free(k);
}

static void link_close(struct http_link *k)
{
    k->closing = true;
    conn_shutdown(k->conn);
}

/* An answer of the server's own: the request is at fault, or came too slowly. */
static void refuse(struct http_link *k, int status, const struct diag *d)
{
    struct http_exchange *x = k->x;
    static const char step[] = ". Next step: mend the client, or the proxy before it, and send the "
                               "request again\n";
    char line[sizeof d->text + sizeof d->where + sizeof d->rule + 16 + sizeof step];
    if (x->responded) { /* too late for a word */
        http_abort(x);
        return;
    }
    diag_print(d, line, sizeof line - sizeof step);
    strcat(line, step);
    http_door_bad(k);
    http_close_after(x);
    http_reply(x, status, "text/plain; charset=utf-8", SLICE_NONE, slice_str(line));
    x->aborted = true; /* for the handler: the request never came whole */
}

/* --- reading requests --- */

static void body_ended(struct http_link *k)
{
    struct http_exchange *x = k->x;
    x->phase = HTTP_PHASE_WHOLE;
    conn_idle_timeout(k->conn, x->responded ? k->server->limits.body_pause_ms : 0);
    if (x->ended)
        http_link_turn(k);
    else if (!x->aborted && k->server->h->on_body_end != NULL)
        k->server->h->on_body_end(x->ctx, x);
}

static bool too_large(struct http_link *k, uint64_t n)
{
    struct diag d;
    uint64_t max = k->server->limits.body_max;
    if (max == 0 || n <= max)
        return false;
    diag_set(&d, ERR_TOO_LARGE, "the body is larger than the %llu bytes allowed",
             (unsigned long long)max);
    refuse(k, 413, &d);
    return true;
}

static void begin_request(struct http_link *k)
{
    struct http_exchange *x = k->x;
    struct http_server *s = k->server;
    bool has_body = x->head.body == HTTP_BODY_CHUNKED ||
                    (x->head.body == HTTP_BODY_LENGTH && x->head.length > 0);
    x->body_left = x->head.length;
    http_chunked_init(&x->chunked);
    if (x->head.body == HTTP_BODY_LENGTH && too_large(k, x->head.length))
        return;
    x->phase = has_body ? HTTP_PHASE_BODY : HTTP_PHASE_WHOLE;
    conn_idle_timeout(k->conn, has_body ? s->limits.body_pause_ms : 0);
    tally_add(TALLY_REQUESTS, 1);
    s->h->on_request(s->ctx, x);
    if (x->ended || x->aborted)
        return;
    if (has_body && x->head.expect_continue && !x->responded)
        conn_write(k->conn, SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!has_body)
        body_ended(k);
}

/* Returns the bytes of data that belong to the head; the whole is copied, so that the head's slices
 * last as long as the exchange. */
static size_t read_head(struct http_link *k, struct slice data)
{
    struct http_server *s = k->server;
    struct http_exchange *x = k->x;
    struct diag d;
    size_t before = x->raw_n, used = 0;
    size_t room = s->limits.head_max - before;
    size_t take = data.n < room ? data.n : room;
    if (take > HEAD_STEP)
        take = HEAD_STEP; /* most heads are shorter, and a body may follow */
    memcpy(x->raw + before, data.p, take);
    x->raw_n += take;
    x->pieces++;
    int err =
        http_parse_request(slice_of(x->raw, x->raw_n), s->limits.head_max, &x->head, &used, &d);
    if (err == 0 && used == 0 && x->raw_n == s->limits.head_max)
        err = diag_set(&d, ERR_TOO_LARGE, "the request's head is larger than %zu bytes",
                       s->limits.head_max);
    if (err == 0 && used == 0 &&
        (x->pieces == HEAD_PIECES_MAX ||
         loop_mono_ms(s->loop) - x->began_at > s->limits.head_timeout_ms))
        err = diag_set(&d, ERR_TIMEOUT, "the request's head took too long");
    if (err != 0) {
        x->head.method = SLICE_NONE; /* a head that is refused tells nothing */
        refuse(k, err == ERR_TOO_LARGE ? 431 : err == ERR_TIMEOUT ? 408 : 400, &d);
        return data.n;
    }
    if (used == 0)
        return take;
    x->raw_n = used;
    begin_request(k);
    return used - before;
}

static size_t read_body(struct http_link *k, struct slice data)
{
    struct http_exchange *x = k->x;
    struct diag d;
    struct slice piece;
    size_t used;
    bool last;
    if (x->head.body == HTTP_BODY_LENGTH) {
        used = data.n < x->body_left ? data.n : (size_t)x->body_left;
        piece = slice_of(data.p, used);
        x->body_left -= used;
        last = x->body_left == 0;
    } else {
        if (http_chunked_feed(&x->chunked, data, &used, &piece, &d) != 0) {
            refuse(k, 400, &d);
            return data.n;
        }
        x->body_total += piece.n;
        if (too_large(k, x->body_total))
            return data.n;
        last = x->chunked.done;
    }
    if (piece.n > 0 && !x->ended && k->server->h->on_body != NULL)
        k->server->h->on_body(x->ctx, x, piece);
    if (last && !x->aborted)
        body_ended(k);
    return used;
}

/* Returns how many bytes were used up. */
static size_t process(struct http_link *k, struct slice data)
{
    size_t at = 0;
    while (at < data.n && k->conn != NULL && !k->closing) {
        struct slice left = slice_from(data, at);
        if (k->x == NULL) {
            k->x = take_exchange(k);
            if (k->x == NULL) {
                conn_abort(k->conn);
                return data.n;
            }
            conn_idle_timeout(k->conn, k->server->limits.head_timeout_ms);
        }
        struct http_exchange *x = k->x;
        if (x->aborted || (x->ended && x->close && x->phase != HTTP_PHASE_WHOLE))
            return data.n; /* the answer did not wait for it */
        if (x->phase == HTTP_PHASE_HEAD)
            at += read_head(k, left);
        else if (x->phase == HTTP_PHASE_BODY && !x->paused)
            at += read_body(k, left);
        else
            break; /* the next request waits for the end of this one */
    }
    return k->closing ? data.n : at;
}

static void keep_rest(struct http_link *k, struct slice left)
{
    if (left.n == 0 || k->conn == NULL)
        return;
    spare_lend(loop_spare(k->server->loop), &k->rest);
    buf_slice(&k->rest, left);
    conn_pause(k->conn);
    if (k->rest.failed)
        conn_abort(k->conn);
}

static void on_data(void *ctx, struct slice data)
{
    struct http_link *k = ctx;
    size_t used = k->rest.n > 0 ? 0 : process(k, data);
    keep_rest(k, slice_from(data, used));
}

/* --- the end of the turn --- */

static void read_on(struct http_link *k)
{
    bool held = k->x != NULL && (k->x->paused || k->x->phase == HTTP_PHASE_WHOLE);
    if (k->rest.n > 0 && !held) {
        struct spare *spare = loop_spare(k->server->loop); /* k->server may go meanwhile */
        struct buf mine = k->rest;
        buf_init(&k->rest, REST_MAX);
        size_t used = process(k, buf_view(&mine));
        keep_rest(k, slice_from(buf_view(&mine), used));
        spare_take(spare, &mine);
    }
    if (k->conn != NULL && k->rest.n == 0 && (k->x == NULL || !k->x->paused))
        conn_resume(k->conn);
}

static void link_turn(void *ctx)
{
    struct http_link *k = ctx;
    k->turn_queued = false;
    if (k->conn == NULL) {
        link_free(k);
        return;
    }
    bool whole = k->x != NULL && (k->x->phase == HTTP_PHASE_WHOLE || k->x->close);
    if (k->x != NULL && (k->x->aborted || (k->x->ended && whole))) {
        bool sent = k->x->ended, close = k->x->close;
        end_exchange(k, k->x->aborted);
        if (!sent) {
            k->closing = true;
            conn_abort(k->conn);
            return;
        }
        if (close || (k->eof && k->rest.n == 0)) {
            link_close(k);
            return;
        }
        conn_idle_timeout(k->conn, k->server->limits.idle_timeout_ms);
    }
    if (!k->closing)
        read_on(k);
}

void http_link_turn(struct http_link *k)
{
    if (k->turn_queued)
        return;
    k->turn_queued = true;
    loop_defer(k->server->loop, link_turn, k);
}

/* --- events of the connection --- */

static void on_drain(void *ctx)
{
    struct http_link *k = ctx;
    struct http_exchange *x = k->x;
    if (x != NULL && x->responded && !x->ended && !x->aborted && k->server->h->on_drain != NULL)
        k->server->h->on_drain(x->ctx, x);
}

static void on_eof(void *ctx)
{
    struct http_link *k = ctx;
    k->eof = true;
    if (k->closing)
        return;
    if (k->x == NULL)
        link_close(k);
    else if (k->x->phase != HTTP_PHASE_WHOLE)
        http_abort(k->x);
}

static bool on_idle(void *ctx)
{
    struct http_link *k = ctx;
    struct http_exchange *x = k->x;
    struct diag d;
    if (x == NULL) {
        link_close(k);
        return true;
    }
    if (x->phase == HTTP_PHASE_WHOLE || x->paused)
        return conn_queued(k->conn) == 0; /* we are at work; or the peer does not read */
    if (x->responded)
        return false;
    diag_set(&d, ERR_TIMEOUT, "the request came too slowly");
    refuse(k, 408, &d);
    return true;
}

static void on_close(void *ctx, const struct diag *why)
{
    struct http_link *k = ctx;
    struct http_server *s = k->server;
    (void)why;
    k->conn = NULL;
    if (s != NULL) {
        if (!k->opened)
            http_door_bad(k);
        if (k->x != NULL)
            end_exchange(k, true);
        unlink_it(k);
    }
    if (!k->turn_queued)
        link_free(k);
}

static void on_open(void *ctx)
{
    struct http_link *k = ctx;
    k->opened = true;
}

static const struct conn_events link_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_eof = on_eof,
    .on_idle = on_idle,
    .on_close = on_close,
};

/* --- the server --- */

static void on_accept(void *ctx, int fd)
{
    struct http_server *s = ctx;
    struct admission_pass pass;
    if (!http_door_open(s, fd, &pass))
        return;
    struct http_link *k = calloc(1, sizeof *k);
    if (k == NULL) {
        http_door_shut(s, &pass);
        close(fd);
        return;
    }
    buf_init(&k->rest, REST_MAX);
    k->conn = conn_accept(s->loop, fd, s->tls, s->limits.head_timeout_ms, &link_events, k);
    if (k->conn == NULL) {
        http_door_shut(s, &pass);
        free(k);
        return;
    }
    k->server = s;
    http_door_in(k, &pass);
    k->next = s->links;
    k->at = &s->links;
    if (k->next != NULL)
        k->next->at = &k->next;
    s->links = k;
    conn_idle_timeout(k->conn, s->limits.head_timeout_ms);
    if (++s->n_links == s->limits.connections_max)
        listener_pause(s->listener, true);
}

static struct http_limits with_defaults(const struct http_limits *given)
{
    struct http_limits l = given != NULL ? *given : (struct http_limits){0};
    if (l.head_max == 0)
        l.head_max = HTTP_HEAD_MAX;
    if (l.head_timeout_ms == 0)
        l.head_timeout_ms = 30000;
    if (l.idle_timeout_ms == 0)
        l.idle_timeout_ms = 60000;
    if (l.body_pause_ms == 0)
        l.body_pause_ms = 30000;
    if (l.connections_max == 0)
        l.connections_max = 10000;
    return l;
}

struct http_server *http_server_new(struct loop *l, int listen_fd, struct tls *tls,
                                    const struct http_limits *limits, const struct http_handler *h,
                                    void *ctx)
{
    struct http_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->loop = l;
    s->limits = with_defaults(limits);
    s->h = h;
    s->ctx = ctx;
    s->admission = s->limits.admission == NULL ? NULL : admission_new(s->limits.admission);
    if (s->limits.admission == NULL || s->admission != NULL)
        s->listener = listener_new(l, listen_fd, on_accept, s);
    if (s->listener == NULL) {
        admission_free(s->admission);
        free(s);
        return NULL;
    }
    s->tls = tls != NULL ? tls_hold(tls) : NULL;
    return s;
}

static void abort_all(struct http_server *s)
{
    while (s->links != NULL) {
        struct http_link *k = s->links;
        if (k->x != NULL)
            end_exchange(k, true);
        unlink_it(k);
        conn_rebind(k->conn, NULL, NULL);
        conn_abort(k->conn);
        k->conn = NULL;
        if (!k->turn_queued)
            link_free(k);
    }
}

struct admission *http_server_admission(const struct http_server *s)
{
    return s->admission;
}

void http_server_stop(struct http_server *s, loop_cb done, void *ctx)
{
    s->stopping = true;
    s->stopped = done;
    s->stopped_ctx = ctx;
    listener_free(s->listener);
    s->listener = NULL;
    if (done == NULL) {
        abort_all(s);
        return;
    }
    queue_tell(s);
    for (struct http_link *k = s->links, *next; k != NULL; k = next) {
        next = k->next;
        if (k->x == NULL && !k->closing)
            link_close(k);
        else if (k->x != NULL)
            http_close_after(k->x);
    }
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    s->stopped = NULL;
    s->freed = true;
    listener_free(s->listener);
    s->listener = NULL;
    abort_all(s);
    while (s->spare != NULL) {
        struct http_exchange *x = s->spare;
        s->spare = x->next;
        arena_free(x->arena);
        free(x);
    }
    if (!s->tell_queued)
        server_free(s);
}
