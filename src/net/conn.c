#include "net/conn.h"

#include "base/buf.h"
#include "base/err.h"
#include "net/tls_stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX (64u << 10)    /* bytes of one read */
#define ENCRYPT_MAX (64u << 10) /* plain bytes made into records before they are sent */
#define DIRECT_MIN (16u << 10)  /* so large a write tries the socket at once, without a copy */
#define FLUSH_AT (64u << 10)    /* so much queued is sent before the turn ends */
#define KEEP_CAP (16u << 10)    /* an empty queue larger than this gives its memory back */
#define LINGER_MS 10000         /* after our end: how long the peer may go on sending, */
#define LINGER_IDLE_MS 2000     /* and pause */
#define CLOSING_MS 30000 /* to flush the queue after conn_shutdown when no idle time is set */
#define SERVER_NAME_MAX 255

enum state {
    CONNECTING,
    HANDSHAKE,
    OPEN,
    CLOSING, /* conn_shutdown: flushing */
    LINGER,  /* the owner is told; dropping what the peer still sends */
    DEAD,    /* socket closed; the owner is told at the end of the turn */
};

struct conn {
    struct loop_owned owned;
    struct loop *loop;
    struct loop_fd *ready;
    int fd;
    enum state state;
    const struct conn_events *ev;
    void *ctx;
    struct tls *tls; /* until the stream is made */
    struct tls_stream *stream;
    struct net_addr peer;
    char *server_name;

    struct buf queue;        /* plain bytes to be sent, from queue_at on */
    size_t queue_at, out_at; /* out_at: sent part of the stream's records */
    struct buf stash;        /* TLS: records received before a pause */

    bool accepted, paused, eof, write_dead, over_mark, want_write, turn_queued, end_said, told;
    struct loop_timer *timer;
    int64_t timer_at, active_at, limit_at; /* limit_at: end of the present state; 0: none */
    int64_t idle_ms;
    struct diag why;
    void *verdict;
    void (*verdict_free)(void *);
};

static void turn(void *ctx);
static void timer_fired(void *ctx);
static void on_ready(void *ctx, bool readable, bool writable);

/* --- life --- */

static void free_now(struct conn *c)
{
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

static void queue_turn(struct conn *c)
{
    if (c->turn_queued)
        return;
    c->turn_queued = true;
    loop_defer(c->loop, turn, c);
}

/* The socket is closed at once; the owner is told at the end of the turn. */
static void die(struct conn *c, const struct diag *why)
{
    if (c->state == DEAD)
        return;
    c->state = DEAD;
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
    queue_turn(c);
}

static void die_errno(struct conn *c, const char *what, int e)
{
    char addr[NET_ADDR_TEXT];
    struct diag d;
    net_addr_print(&c->peer, addr, sizeof addr);
    int code = e == ECONNRESET || e == EPIPE ? ERR_CLOSED
               : e == ETIMEDOUT              ? ERR_TIMEOUT
                                             : ERR_NETWORK;
    diag_set(&d, code, "%s %s: %s", what, addr, strerror(e));
    die(c, &d);
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
    bool runs = c->idle_ms > 0 && (c->state == OPEN || c->state == CLOSING) &&
                (!c->paused || conn_queued(c) > 0);
    if (c->state == LINGER)
        due = c->active_at + LINGER_IDLE_MS < due ? c->active_at + LINGER_IDLE_MS : due;
    else if (runs && (due == 0 || c->active_at + c->idle_ms < due))
        due = c->active_at + c->idle_ms;
    return due;
}

static void arm(struct conn *c)
{
    int64_t due = due_at(c);
    if (due == 0 || c->state == DEAD || (c->timer != NULL && c->timer_at <= due))
        return;
    loop_timer_cancel(c->timer);
    c->timer_at = due;
    c->timer = loop_timer_start(c->loop, due - loop_mono_ms(c->loop), timer_fired, c);
}

static void timed_out(struct conn *c)
{
    char addr[NET_ADDR_TEXT];
    struct diag d = {0};
    if (c->state == LINGER) {
        die(c, &d);
        return;
    }
    if (c->state == OPEN && c->ev != NULL && c->ev->on_idle != NULL && c->ev->on_idle(c->ctx)) {
        c->active_at = loop_mono_ms(c->loop);
        arm(c);
        return;
    }
    net_addr_print(&c->peer, addr, sizeof addr);
    if (c->state == CONNECTING || c->state == HANDSHAKE)
        diag_set(&d, ERR_TIMEOUT, "%s did not answer in time", addr);
    else
        diag_set(&d, ERR_TIMEOUT, "the connection with %s was silent for too long", addr);
    die(c, &d);
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
    bool hold = c->paused && c->state == OPEN;
    bool read = c->state != CONNECTING && !c->eof && !hold && c->stash.n == 0;
    loop_fd_want(c->ready, read, c->want_write || c->state == CONNECTING);
}

/* --- sending --- */

static void trim(struct buf *b, size_t *at)
{
    if (*at < b->n) {
        if (*at > b->n / 2 && *at > KEEP_CAP) {
            buf_drop(b, *at);
            *at = 0;
        }
        return;
    }
    *at = 0;
    if (b->cap > KEEP_CAP)
        buf_free(b);
    else
        buf_reset(b);
}

/* The peer takes no more. What it has sent already may still be an answer: go on reading. */
static void write_failed(struct conn *c, int e)
{
    if (c->eof || c->state != OPEN) {
        die_errno(c, "cannot send to", e);
        return;
    }
    c->write_dead = true;
    buf_free(&c->queue);
    c->queue_at = c->out_at = 0;
    if (c->stream != NULL)
        buf_free(tls_stream_out(c->stream));
    c->want_write = false;
}

/* Bytes that the socket took. */
static size_t send_some(struct conn *c, struct slice data)
{
    for (;;) {
        ssize_t n = send(c->fd, data.p, data.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            c->active_at = loop_mono_ms(c->loop);
            c->want_write = (size_t)n < data.n;
            return (size_t)n;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            c->want_write = true;
        else
            write_failed(c, errno);
        return 0;
    }
}

/* True when all records are out. */
static bool send_records(struct conn *c)
{
    struct buf *out = tls_stream_out(c->stream);
    if (out->n > c->out_at) {
        c->out_at += send_some(c, slice_from(buf_view(out), c->out_at));
        if (c->write_dead || c->state == DEAD)
            return false;
    }
    bool all = c->out_at >= out->n;
    trim(out, &c->out_at);
    return all;
}

/* Sends or encrypts what the socket takes now; returns how many bytes of data are dealt with. */
static size_t push(struct conn *c, struct slice data)
{
    if (c->stream == NULL)
        return data.n > 0 ? send_some(c, data) : 0;
    size_t done = 0;
    while (send_records(c) && done < data.n) {
        struct diag d;
        struct slice piece = slice_sub(data, done, ENCRYPT_MAX);
        if (tls_stream_write(c->stream, piece, &d) != 0) {
            die(c, &d);
            return done;
        }
        done += piece.n;
    }
    return done;
}

static void flush(struct conn *c)
{
    if ((c->state != OPEN && c->state != CLOSING) || c->write_dead)
        return;
    c->queue_at += push(c, slice_from(buf_view(&c->queue), c->queue_at));
    if (c->state != DEAD && !c->write_dead)
        trim(&c->queue, &c->queue_at);
}

size_t conn_queued(const struct conn *c)
{
    size_t n = c->queue.n - c->queue_at;
    if (c->stream != NULL)
        n += tls_stream_out(c->stream)->n - c->out_at;
    return n;
}

void conn_write(struct conn *c, struct slice data)
{
    if (c->state >= CLOSING || c->write_dead || data.n == 0)
        return;
    if (c->state == OPEN && !c->want_write && data.n >= DIRECT_MIN && c->queue.n == 0) {
        data = slice_from(data, push(c, data));
        if (c->state == DEAD || c->write_dead)
            return;
    }
    buf_slice(&c->queue, data);
    if (c->queue.failed) {
        struct diag d;
        diag_set(&d, ERR_TOO_LARGE, "more than %u bytes wait to be sent", CONN_QUEUE_MAX);
        die(c, &d);
        return;
    }
    if (c->state == OPEN && !c->want_write && c->queue.n - c->queue_at >= FLUSH_AT)
        flush(c);
    if (conn_queued(c) >= CONN_QUEUE_MARK)
        c->over_mark = true;
    queue_turn(c);
    arm(c);
}

static void tell_drain(struct conn *c)
{
    if (!c->over_mark || conn_queued(c) >= CONN_QUEUE_MARK)
        return;
    c->over_mark = false;
    if (c->state == OPEN && c->ev != NULL && c->ev->on_drain != NULL)
        c->ev->on_drain(c->ctx);
}

/* --- receiving --- */

static void tell_data(struct conn *c, struct slice data)
{
    if (c->ev != NULL && c->ev->on_data != NULL)
        c->ev->on_data(c->ctx, data);
}

static void tell_eof(struct conn *c)
{
    c->eof = true;
    if (c->state == OPEN && c->ev != NULL && c->ev->on_eof != NULL)
        c->ev->on_eof(c->ctx);
}

static void opened(struct conn *c)
{
    c->state = OPEN;
    c->limit_at = 0;
    c->active_at = loop_mono_ms(c->loop);
    if (c->ev != NULL && c->ev->on_open != NULL)
        c->ev->on_open(c->ctx);
    queue_turn(c);
}

static void handshake(struct conn *c)
{
    struct diag d;
    int err = tls_stream_handshake(c->stream, &d);
    send_records(c); /* an alert, too, is worth sending */
    if (err == 0 && c->state == HANDSHAKE)
        opened(c);
    else if (err != 0 && err != ERR_AGAIN)
        die(c, &d);
}

/* Deciphers until all is used up or the owner pauses. */
static void decipher(struct conn *c, struct slice records)
{
    struct diag d;
    uint8_t *plain = loop_scratch(c->loop, 1);
    size_t n;
    int err = 0;
    tls_stream_feed(c->stream, records);
    if (c->state == HANDSHAKE)
        handshake(c);
    while (err == 0 && (c->state == OPEN || c->state == CLOSING) && !c->paused) {
        err = tls_stream_read(c->stream, plain, TLS_STREAM_RECORD, &n, &d);
        if (err == 0 && c->state == OPEN)
            tell_data(c, slice_of(plain, n));
    }
    if (err == ERR_EOF)
        tell_eof(c);
    else if (err != 0 && err != ERR_AGAIN)
        die(c, &d);
    if (c->state == OPEN && tls_stream_out(c->stream)->n > c->out_at)
        queue_turn(c); /* key updates and the like are answered */
}

/* Records left over by a pause wait in the stash; nothing is read from the socket until it is
 * empty. */
static void keep_left(struct conn *c)
{
    struct slice left = tls_stream_left(c->stream);
    if (c->state == OPEN && !c->eof && left.n > 0)
        buf_slice(&c->stash, left);
    tls_stream_feed(c->stream, SLICE_NONE);
}

static void read_stash(struct conn *c)
{
    struct buf mine = c->stash;
    buf_init(&c->stash, READ_MAX);
    decipher(c, buf_view(&mine));
    keep_left(c);
    buf_free(&mine);
}

static void ended(struct conn *c)
{
    struct diag d;
    bool clean = c->state >= CLOSING || (c->state == OPEN && c->stream == NULL);
    if (clean) {
        tell_eof(c);
        queue_turn(c); /* what is queued still goes out */
        return;
    }
    diag_set(&d, c->state == OPEN ? ERR_CLOSED : ERR_SSL_AUTH,
             "the other side closed the TLS connection without saying so");
    die(c, &d);
}

static void receive(struct conn *c)
{
    uint8_t *in = loop_scratch(c->loop, 0);
    ssize_t n = recv(c->fd, in, READ_MAX, MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            die_errno(c, "the connection broke with", errno);
        return;
    }
    if (n == 0) {
        ended(c);
        return;
    }
    c->active_at = loop_mono_ms(c->loop);
    if (c->state == LINGER)
        return;
    if (c->stream != NULL) {
        decipher(c, slice_of(in, (size_t)n));
        keep_left(c);
    } else if (c->state == OPEN) {
        tell_data(c, slice_of(in, (size_t)n));
    }
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
        die(c, &d);
        return;
    }
    c->state = HANDSHAKE;
    handshake(c);
}

static void connected(struct conn *c)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (c->fd >= 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0)
        e = errno;
    if (e != 0) {
        die_errno(c, "cannot connect to", e);
        return;
    }
    if (c->tls != NULL)
        start_stream(c);
    else
        opened(c);
}

static struct conn *conn_new(struct loop *l, struct tls *tls, int64_t timeout_ms,
                             const struct conn_events *ev, void *ctx)
{
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = l;
    c->fd = -1;
    c->ev = ev;
    c->ctx = ctx;
    c->tls = tls != NULL ? tls_hold(tls) : NULL;
    buf_init(&c->queue, CONN_QUEUE_MAX);
    buf_init(&c->stash, READ_MAX);
    c->active_at = loop_mono_ms(l);
    c->limit_at = timeout_ms > 0 ? c->active_at + timeout_ms : 0;
    loop_own(l, &c->owned, free_owned);
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
    c->peer = *to;
    c->state = CONNECTING;
    c->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        die_errno(c, "cannot make a socket for", errno);
        return c;
    }
    int r = connect(c->fd, (const struct sockaddr *)&to->sa, to->len);
    if (r < 0 && errno != EINPROGRESS) {
        die_errno(c, "cannot connect to", errno);
        return c;
    }
    if (!watch(c)) {
        die_errno(c, "cannot watch the connection to", ENOMEM);
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
    c->fd = fd;
    c->peer.len = sizeof c->peer.sa;
    if (getpeername(fd, (struct sockaddr *)&c->peer.sa, &c->peer.len) < 0)
        c->peer.len = 0;
    if (!watch(c)) {
        die_errno(c, "cannot watch the connection from", ENOMEM);
        return c;
    }
    c->accepted = true; /* opened in turn, so that on_open never comes before we return */
    queue_turn(c);
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
    if (c->state == CONNECTING) {
        connected(c);
        want(c);
        return;
    }
    if (writable && c->want_write) {
        if (c->state == HANDSHAKE)
            send_records(c);
        else
            flush(c);
        queue_turn(c);
    }
    if (readable && c->state != DEAD && !c->eof)
        receive(c);
    if (c->state != DEAD)
        want(c);
}

/* After conn_shutdown: when all is flushed say end, tell the owner, and listen on for a while. */
static void finish(struct conn *c)
{
    if (conn_queued(c) == 0 && c->stream != NULL && !c->end_said) {
        c->end_said = true;
        tls_stream_close(c->stream);
        flush(c);
    }
    if (c->state == DEAD || conn_queued(c) > 0)
        return;
    shutdown(c->fd, SHUT_WR);
    c->state = LINGER;
    c->active_at = loop_mono_ms(c->loop);
    c->limit_at = c->active_at + LINGER_MS;
    buf_free(&c->stash);
    arm(c);
}

static void turn(void *ctx)
{
    struct conn *c = ctx;
    c->turn_queued = false;
    if (c->state == CONNECTING && c->accepted)
        connected(c);
    if (!c->want_write)
        flush(c);
    if (c->state == OPEN && c->stash.n > 0 && !c->paused)
        read_stash(c);
    tell_drain(c);
    if (c->state == CLOSING)
        finish(c);
    if (c->state >= LINGER)
        tell_close(c);
    if (c->turn_queued)
        return; /* a callback or a failed write asked for another one */
    if (c->state == DEAD || (c->state == LINGER && c->eof)) {
        free_now(c);
        return;
    }
    want(c);
}

/* --- the owner calls --- */

void conn_pause(struct conn *c)
{
    c->paused = true;
    want(c);
}

void conn_resume(struct conn *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    c->active_at = loop_mono_ms(c->loop);
    if (c->stash.n > 0)
        queue_turn(c);
    want(c);
    arm(c);
}

void conn_shutdown(struct conn *c)
{
    struct diag clean = {0};
    if (c->state >= CLOSING)
        return;
    if (c->state != OPEN || c->write_dead) {
        die(c, &clean);
        return;
    }
    flush(c);
    if (c->state == DEAD)
        return;
    c->state = CLOSING;
    if (c->idle_ms == 0)
        c->limit_at = loop_mono_ms(c->loop) + CLOSING_MS;
    queue_turn(c);
    arm(c);
}

void conn_abort(struct conn *c)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct diag clean = {0};
    if (c->state == DEAD || c->state == LINGER)
        return;
    /* A reset, so that a message that ends with the connection does not look whole. */
    if (c->fd >= 0)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    die(c, &clean);
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
