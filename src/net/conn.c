#include "net/conn_int.h"

#include "base/err.h"
#include "base/spare.h"
#include "base/tally.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECT_MIN (16u << 10) /* so large a write tries the socket at once, without a copy */
#define FLUSH_AT (64u << 10)   /* so much queued is sent before the turn ends */
#define LINGER_MS 10000        /* after our end: how long the peer may go on sending, */
#define LINGER_IDLE_MS 2000    /* and pause */
#define CLOSING_MS 30000       /* to flush the queue after conn_shutdown when no idle time is set */
#define SERVER_NAME_MAX 255

static void turn(void *ctx);
static void timer_fired(void *ctx);
static void on_ready(void *ctx, bool readable, bool writable);

/* --- life --- */

static void free_now(struct conn *c)
{
    tally_sub(TALLY_CONNS_NOW, 1);
    loop_disown(&c->owned);
    loop_timer_cancel(c->timer);
    if (c->ready != NULL)
        loop_fd_free(c->ready);
    if (c->fd >= 0)
        close(c->fd);
    if (c->verdict_free != NULL)
        c->verdict_free(c->verdict);
    tls_stream_free(c->stream);
    tls_free(c->tls);
    buf_free(&c->queue);
    buf_free(&c->stash);
    free(c->server_name);
    free(c);
}

static void free_owned(struct loop_owned *o)
{
    free_now((struct conn *)o); /* owned stands first */
}

void conn_queue_turn(struct conn *c)
{
    if (c->turn_queued)
        return;
    c->turn_queued = true;
    loop_defer(c->loop, turn, c);
}

void conn_die(struct conn *c, const struct diag *why)
{
    if (c->state == CONN_DEAD)
        return;
    c->state = CONN_DEAD;
    c->why = *why;
    loop_timer_cancel(c->timer);
    c->timer = NULL;
    if (c->ready != NULL)
        loop_fd_free(c->ready);
    c->ready = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_free(&c->stash);
    conn_queue_turn(c);
}

void conn_die_errno(struct conn *c, const char *what, int e)
{
    char addr[NET_ADDR_TEXT];
    struct diag d;
    net_addr_print(&c->peer, addr, sizeof addr);
    int code = c->state == CONN_HANDSHAKE ? ERR_SSL_AUTH
               : e == ETIMEDOUT           ? ERR_TIMEOUT
                                          : ERR_NETWORK;
    diag_set(&d, code, "%s %s: %s", what, addr, strerror(e));
    conn_die(c, &d);
}

static void tell_close(struct conn *c)
{
    if (c->told)
        return;
    c->told = true;
    if (c->ev != NULL && c->ev->on_close != NULL)
        c->ev->on_close(c->ctx, &c->why);
    c->ev = NULL;
}

/* --- timers: one, set anew only when it would fire too late --- */

static int64_t due_at(const struct conn *c)
{
    int64_t due = c->limit_at;
    bool runs = c->idle_ms > 0 && (c->state == CONN_OPEN || c->state == CONN_CLOSING) &&
                (!c->paused || conn_queued(c) > 0);
    if (c->state == CONN_LINGER)
        due = c->active_at + LINGER_IDLE_MS < due ? c->active_at + LINGER_IDLE_MS : due;
    else if (runs && (due == 0 || c->active_at + c->idle_ms < due))
        due = c->active_at + c->idle_ms;
    return due;
}

static void arm(struct conn *c)
{
    int64_t due = due_at(c);
    if (due == 0 || c->state == CONN_DEAD || (c->timer != NULL && c->timer_at <= due))
        return;
    loop_timer_cancel(c->timer);
    c->timer_at = due;
    c->timer = loop_timer_start(c->loop, due - loop_mono_ms(c->loop), timer_fired, c);
}

static void timed_out(struct conn *c)
{
    char addr[NET_ADDR_TEXT];
    struct diag d = {0};
    if (c->state == CONN_LINGER) {
        conn_die(c, &d);
        return;
    }
    if (c->state == CONN_OPEN && c->ev != NULL && c->ev->on_idle != NULL &&
        c->ev->on_idle(c->ctx)) {
        c->active_at = loop_mono_ms(c->loop);
        arm(c);
        return;
    }
    net_addr_print(&c->peer, addr, sizeof addr);
    if (c->state == CONN_HANDSHAKE)
        diag_set(&d, ERR_SSL_AUTH, "%s did not finish the TLS handshake in time", addr);
    else if (c->state == CONN_CONNECTING)
        diag_set(&d, ERR_TIMEOUT, "%s did not answer in time", addr);
    else
        diag_set(&d, ERR_TIMEOUT, "the connection with %s was silent for too long", addr);
    conn_die(c, &d);
}

static void timer_fired(void *ctx)
{
    struct conn *c = ctx;
    c->timer = NULL;
    int64_t due = due_at(c);
    if (due != 0 && due <= loop_mono_ms(c->loop))
        timed_out(c);
    else
        arm(c);
}

void conn_idle_timeout(struct conn *c, int64_t ms)
{
    c->idle_ms = ms;
    c->active_at = loop_mono_ms(c->loop);
    arm(c);
}

/* --- interest --- */

static void want(struct conn *c)
{
    if (c->ready == NULL)
        return;
    bool hold = c->paused && c->state == CONN_OPEN;
    bool read = c->state != CONN_CONNECTING && !c->eof && !hold && c->stash.n == 0;
    loop_fd_want(c->ready, read, c->want_write || c->state == CONN_CONNECTING);
}

/* --- writing --- */

size_t conn_queued(const struct conn *c)
{
    size_t n = c->queue.n - c->queue_at;
    if (c->stream != NULL)
        n += tls_stream_out(c->stream)->n - c->out_at;
    return n;
}

void conn_write(struct conn *c, struct slice data)
{
    if (c->state >= CONN_CLOSING || c->write_dead || data.n == 0)
        return;
    if (c->state == CONN_OPEN && !c->want_write && data.n >= DIRECT_MIN && c->queue.n == 0) {
        data = slice_from(data, conn_io_push(c, data));
        if (c->state == CONN_DEAD || c->write_dead)
            return;
    }
    spare_lend(loop_spare(c->loop), &c->queue);
    buf_slice(&c->queue, data);
    if (c->queue.failed) {
        struct diag d;
        diag_set(&d, ERR_TOO_LARGE, "more than %u bytes wait to be sent", CONN_QUEUE_MAX);
        conn_die(c, &d);
        return;
    }
    if (c->state == CONN_OPEN && !c->want_write && c->queue.n - c->queue_at >= FLUSH_AT)
        conn_io_flush(c);
    if (conn_queued(c) >= CONN_QUEUE_MARK)
        c->over_mark = true;
    conn_queue_turn(c);
    arm(c);
}

void conn_opened(struct conn *c)
{
    c->state = CONN_OPEN;
    c->limit_at = 0;
    c->active_at = loop_mono_ms(c->loop);
    if (c->ev != NULL && c->ev->on_open != NULL)
        c->ev->on_open(c->ctx);
    conn_queue_turn(c);
}

/* --- opening --- */

static void start_stream(struct conn *c)
{
    char peer[NET_ADDR_TEXT + SERVER_NAME_MAX + 2];
    net_addr_print(&c->peer, peer, NET_ADDR_TEXT);
    if (c->server_name != NULL) {
        size_t n = strlen(peer);
        snprintf(peer + n, sizeof peer - n, " %s", c->server_name);
    }
    c->stream = tls_stream_new(c->tls, peer, c->server_name);
    tls_free(c->tls);
    c->tls = NULL;
    if (c->stream == NULL) {
        struct diag d;
        diag_set(&d, ERR_NOMEM, "no memory for a TLS connection");
        conn_die(c, &d);
        return;
    }
    c->state = CONN_HANDSHAKE;
    conn_io_handshake(c);
}

static void connected(struct conn *c)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (c->fd >= 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0)
        e = errno;
    if (e != 0) {
        conn_die_errno(c, "cannot connect to", e);
        return;
    }
    if (c->tls != NULL)
        start_stream(c);
    else
        conn_opened(c);
}

static struct conn *conn_new(struct loop *l, struct tls *tls, int64_t timeout_ms,
                             const struct conn_events *ev, void *ctx)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = l;
    c->fd = -1;
    c->read_max = CONN_READ_MIN;
    c->ev = ev;
    c->ctx = ctx;
    c->tls = tls != NULL ? tls_hold(tls) : NULL;
    buf_init(&c->queue, CONN_QUEUE_MAX);
    buf_init(&c->stash, CONN_READ_MAX);
    c->active_at = loop_mono_ms(l);
    c->limit_at = timeout_ms > 0 ? c->active_at + timeout_ms : 0;
    loop_own(l, &c->owned, free_owned);
    tally_add(TALLY_CONNS_NOW, 1);
    return c;
}

static bool watch(struct conn *c)
{
    const int on = 1;
    if (c->peer.sa.ss_family != AF_UNIX)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->ready = loop_fd_new(c->loop, c->fd, on_ready, c);
    return c->ready != NULL;
}

struct conn *conn_connect(struct loop *l, const struct net_addr *to, struct tls *tls,
                          int64_t timeout_ms, const struct conn_events *ev, void *ctx)
{
    struct conn *c = conn_new(l, tls, timeout_ms, ev, ctx);
    if (c == NULL)
        return NULL;
    tally_add(TALLY_CONNS_OUT, 1);
    c->peer = *to;
    c->state = CONN_CONNECTING;
    c->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        conn_die_errno(c, "cannot make a socket for", errno);
        return c;
    }
    int r = connect(c->fd, (const struct sockaddr *)&to->sa, to->len);
    if (r < 0 && errno != EINPROGRESS) {
        conn_die_errno(c, "cannot connect to", errno);
        return c;
    }
    if (!watch(c)) {
        conn_die_errno(c, "cannot watch the connection to", ENOMEM);
        return c;
    }
    want(c); /* a connection that is there at once is writable at once */
    arm(c);
    return c;
}

struct conn *conn_accept(struct loop *l, int fd, struct tls *tls, int64_t timeout_ms,
                         const struct conn_events *ev, void *ctx)
{
    struct conn *c = conn_new(l, tls, timeout_ms, ev, ctx);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    tally_add(TALLY_CONNS_IN, 1);
    c->fd = fd;
    c->peer.len = sizeof c->peer.sa;
    if (getpeername(fd, (struct sockaddr *)&c->peer.sa, &c->peer.len) < 0)
        c->peer.len = 0;
    if (!watch(c)) {
        conn_die_errno(c, "cannot watch the connection from", ENOMEM);
        return c;
    }
    c->accepted = true; /* opened in turn, so that on_open never comes before we return */
    conn_queue_turn(c);
    arm(c);
    return c;
}

void conn_server_name(struct conn *c, const char *name)
{
    if (strlen(name) <= SERVER_NAME_MAX) {
        free(c->server_name);
        c->server_name = strdup(name);
    }
}

/* --- the loop calls --- */

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct conn *c = ctx;
    if (c->state == CONN_CONNECTING) {
        connected(c);
        want(c);
        return;
    }
    if (writable && c->want_write) {
        if (c->state == CONN_HANDSHAKE)
            conn_io_send_records(c);
        else
            conn_io_flush(c);
        conn_queue_turn(c);
    }
    if (readable && c->state != CONN_DEAD && !c->eof)
        conn_io_receive(c);
    if (c->state != CONN_DEAD)
        want(c);
}

/* After conn_shutdown: when all is flushed say end, tell the owner, and listen on for a while. */
static void finish(struct conn *c)
{
    if (conn_queued(c) == 0 && c->stream != NULL && !c->end_said) {
        c->end_said = true;
        tls_stream_close(c->stream);
        conn_io_flush(c);
    }
    if (c->state == CONN_DEAD || conn_queued(c) > 0)
        return;
    shutdown(c->fd, SHUT_WR);
    c->state = CONN_LINGER;
    c->active_at = loop_mono_ms(c->loop);
    c->limit_at = c->active_at + LINGER_MS;
    buf_free(&c->stash);
    arm(c);
}

static void turn(void *ctx)
{
    struct conn *c = ctx;
    c->turn_queued = false;
    if (c->state == CONN_CONNECTING && c->accepted)
        connected(c);
    if (!c->want_write)
        conn_io_flush(c);
    if (c->state == CONN_OPEN && c->stash.n > 0 && !c->paused)
        conn_io_read_stash(c);
    conn_io_tell_drain(c);
    if (c->state == CONN_CLOSING)
        finish(c);
    if (c->state >= CONN_LINGER)
        tell_close(c);
    if (c->turn_queued)
        return; /* a callback or a failed write asked for another one */
    if (c->state == CONN_DEAD || (c->state == CONN_LINGER && c->eof)) {
        free_now(c);
        return;
    }
    want(c);
}

/* --- the owner calls --- */

void conn_pause(struct conn *c)
{
    c->paused = true;
    c->read_max = CONN_READ_MIN;
    want(c);
}

void conn_resume(struct conn *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    c->active_at = loop_mono_ms(c->loop);
    if (c->stash.n > 0)
        conn_queue_turn(c);
    want(c);
    arm(c);
}

void conn_shutdown(struct conn *c)
{
    struct diag clean = {0};
    if (c->state >= CONN_CLOSING)
        return;
    if (c->state != CONN_OPEN || c->write_dead) {
        conn_die(c, &clean);
        return;
    }
    conn_io_flush(c);
    if (c->state == CONN_DEAD)
        return;
    c->state = CONN_CLOSING;
    if (c->idle_ms == 0)
        c->limit_at = loop_mono_ms(c->loop) + CLOSING_MS;
    conn_queue_turn(c);
    arm(c);
}

void conn_abort(struct conn *c)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct diag clean = {0};
    if (c->state == CONN_DEAD || c->state == CONN_LINGER)
        return;
    /* A reset, so that a message that ends with the connection does not look whole. */
    if (c->fd >= 0)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    conn_die(c, &clean);
}

void conn_rebind(struct conn *c, const struct conn_events *ev, void *ctx)
{
    c->ev = ev;
    c->ctx = ctx;
}

size_t conn_peer_chain(const struct conn *c, struct slice *out, size_t max)
{
    return c->stream != NULL ? tls_stream_peer_chain(c->stream, out, max) : 0;
}

bool conn_is_quiet(const struct conn *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool conn_is_tls(const struct conn *c)
{
    return c->stream != NULL || c->tls != NULL;
}

const SSL *conn_ssl(const struct conn *c)
{
    return c->stream != NULL ? tls_stream_ssl(c->stream) : NULL;
}

void conn_peer_addr(const struct conn *c, struct net_addr *out)
{
    *out = c->peer;
}

void conn_set_verdict(struct conn *c, void *verdict, void (*free_fn)(void *))
{
    if (c->verdict_free != NULL)
        c->verdict_free(c->verdict);
    c->verdict = verdict;
    c->verdict_free = free_fn;
}

void *conn_verdict(const struct conn *c)
{
    return c->verdict;
}
