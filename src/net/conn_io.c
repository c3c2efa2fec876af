#include "net/conn_int.h"

#include "base/err.h"
#include "base/spare.h"
#include "base/tally.h"

#include <errno.h>

#define ENCRYPT_MAX (64u << 10) /* plain bytes made into records before they are sent */
#define DROPPED_MAX (32u << 20) /* bytes that a peer may send after our end */
#define MOVE_MIN (32u << 10)    /* so much at a queue's front is worth moving the rest for */

/* --- sending --- */

static void trim(struct conn *c, struct buf *b, size_t *at)
{
    if (*at < b->n) {
        if (*at > b->n / 2 && *at > MOVE_MIN) {
            buf_drop(b, *at);
            *at = 0;
        }
        return;
    }
    *at = 0;
    spare_take(loop_spare(c->loop), b);
}

/* The peer takes no more. What it has sent already may still be an answer: go on reading. */
static void write_failed(struct conn *c, int e)
{
    if (c->eof || c->state != CONN_OPEN) {
        conn_die_errno(c, "cannot send to", e);
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
            tally_add(TALLY_BYTES_OUT, (uint64_t)n);
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
bool conn_io_send_records(struct conn *c)
{
    struct buf *out = tls_stream_out(c->stream);
    if (out->n > c->out_at) {
        c->out_at += send_some(c, slice_from(buf_view(out), c->out_at));
        if (c->write_dead || c->state == CONN_DEAD)
            return false;
    }
    bool all = c->out_at >= out->n;
    trim(c, out, &c->out_at);
    return all;
}

/* Sends or encrypts what the socket takes now; returns how many bytes of data are dealt with. */
size_t conn_io_push(struct conn *c, struct slice data)
{
    if (c->stream == NULL)
        return data.n > 0 ? send_some(c, data) : 0;
    size_t done = 0;
    while (conn_io_send_records(c) && done < data.n) {
        struct diag d;
        struct slice piece = slice_sub(data, done, ENCRYPT_MAX);
        spare_lend(loop_spare(c->loop), tls_stream_out(c->stream));
        if (tls_stream_write(c->stream, piece, &d) != 0) {
            conn_die(c, &d);
            return done;
        }
        done += piece.n;
    }
    return done;
}

void conn_io_flush(struct conn *c)
{
    if ((c->state != CONN_OPEN && c->state != CONN_CLOSING) || c->write_dead)
        return;
    c->queue_at += conn_io_push(c, slice_from(buf_view(&c->queue), c->queue_at));
    if (c->state != CONN_DEAD && !c->write_dead)
        trim(c, &c->queue, &c->queue_at);
}

void conn_io_tell_drain(struct conn *c)
{
    if (!c->over_mark || conn_queued(c) >= CONN_QUEUE_MARK)
        return;
    c->over_mark = false;
    if (c->state == CONN_OPEN && c->ev != NULL && c->ev->on_drain != NULL)
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
    if (c->state == CONN_OPEN && c->ev != NULL && c->ev->on_eof != NULL)
        c->ev->on_eof(c->ctx);
}

void conn_io_handshake(struct conn *c)
{
    struct diag d;
    int err = tls_stream_handshake(c->stream, &d);
    conn_io_send_records(c); /* an alert, too, is worth sending */
    if (err == 0 && c->state == CONN_HANDSHAKE)
        conn_opened(c);
    else if (err != 0 && err != ERR_AGAIN)
        conn_die(c, &d);
}

/* Deciphers until all is used up or the owner pauses. */
static void decipher(struct conn *c, struct slice records)
{
    struct diag d;
    uint8_t *plain = loop_scratch(c->loop, 1);
    size_t n;
    int err = 0;
    tls_stream_feed(c->stream, records);
    if (c->state == CONN_HANDSHAKE)
        conn_io_handshake(c);
    while (err == 0 && (c->state == CONN_OPEN || c->state == CONN_CLOSING) && !c->paused) {
        err = tls_stream_read(c->stream, plain, TLS_STREAM_RECORD, &n, &d);
        if (err == 0 && c->state == CONN_OPEN)
            tell_data(c, slice_of(plain, n));
    }
    if (err == ERR_EOF)
        tell_eof(c);
    else if (err != 0 && err != ERR_AGAIN)
        conn_die(c, &d);
    if (c->state == CONN_OPEN && tls_stream_out(c->stream)->n > c->out_at)
        conn_queue_turn(c); /* key updates and the like are answered */
}

/* Records left over by a pause wait in the stash; nothing is read from the socket until it is
 * empty. */
static void keep_left(struct conn *c)
{
    struct slice left = tls_stream_left(c->stream);
    if (c->state == CONN_OPEN && !c->eof && left.n > 0) {
        spare_lend(loop_spare(c->loop), &c->stash);
        buf_slice(&c->stash, left);
    }
    tls_stream_feed(c->stream, SLICE_NONE);
}

void conn_io_read_stash(struct conn *c)
{
    struct buf mine = c->stash;
    buf_init(&c->stash, CONN_READ_MAX);
    decipher(c, buf_view(&mine));
    keep_left(c);
    spare_take(loop_spare(c->loop), &mine);
}

static void ended(struct conn *c)
{
    struct diag d;
    bool clean = c->state >= CONN_CLOSING || (c->state == CONN_OPEN && c->stream == NULL);
    if (clean) {
        tell_eof(c);
        conn_queue_turn(c); /* what is queued still goes out */
        return;
    }
    diag_set(&d, c->state == CONN_OPEN ? ERR_CLOSED : ERR_SSL_AUTH,
             "the other side closed the TLS connection without saying so");
    conn_die(c, &d);
}

void conn_io_receive(struct conn *c)
{
    uint8_t *in = loop_scratch(c->loop, 0);
    size_t max = c->read_max;
    ssize_t n = recv(c->fd, in, max, MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_die_errno(c, "the connection broke with", errno);
        return;
    }
    if (n == 0) {
        ended(c);
        return;
    }
    tally_add(TALLY_BYTES_IN, (uint64_t)n);
    /* A short read says that little comes: whoever pauses in the next one is left with little. */
    c->read_max = (size_t)n < max ? CONN_READ_MIN : max < CONN_READ_MAX ? 2 * max : CONN_READ_MAX;
    c->active_at = loop_mono_ms(c->loop);
    if (c->state >= CONN_CLOSING && (c->dropped += (uint64_t)n) > DROPPED_MAX) {
        conn_die(c, &(struct diag){0}); /* it does not listen, it floods */
        return;
    }
    if (c->state == CONN_LINGER)
        return;
    if (c->stream != NULL) {
        decipher(c, slice_of(in, (size_t)n));
        keep_left(c);
    } else if (c->state == CONN_OPEN) {
        tell_data(c, slice_of(in, (size_t)n));
    }
}
