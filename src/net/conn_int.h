/* Inside of connections: what conn.c (life, opening, the owner's calls) and conn_io.c (sending and
 * receiving) share. Nobody else includes it. */
#ifndef SILD_NET_CONN_INT_H
#define SILD_NET_CONN_INT_H

#include "base/buf.h"
#include "net/conn.h"
#include "net/tls_stream.h"

#define CONN_READ_MAX (64u << 10) /* bytes of one read: at most, */
#define CONN_READ_MIN (16u << 10) /* and after a pause or a small one */

enum conn_state {
    CONN_CONNECTING,
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_CLOSING, /* conn_shutdown: flushing */
    CONN_LINGER,  /* the owner is told; dropping what the peer still sends */
    CONN_DEAD,    /* socket closed; the owner is told at the end of the turn */
};

struct conn {
    struct loop_owned owned;
    struct loop *loop;
    struct loop_fd *ready;
    int fd;
    enum conn_state state;
    const struct conn_events *ev;
    void *ctx;
    struct tls *tls; /* until the stream is made */
    struct tls_stream *stream;
    struct net_addr peer;
    char *server_name;

    struct buf queue;        /* plain bytes to be sent, from queue_at on */
    size_t queue_at, out_at; /* out_at: sent part of the stream's records */
    struct buf stash;        /* TLS: records received before a pause */
    size_t read_max;         /* of the next read; grows with what comes */

    bool accepted, paused, eof, write_dead, over_mark, want_write, turn_queued, end_said, told;
    struct loop_timer *timer;
    int64_t timer_at, active_at, limit_at; /* limit_at: end of the present state; 0: none */
    int64_t idle_ms;
    uint64_t dropped; /* bytes received after our end */
    struct diag why;
    void *verdict;
    void (*verdict_free)(void *);
};

/* --- conn.c --- */

/* The socket is closed at once; the owner is told at the end of the turn. */
void conn_die(struct conn *c, const struct diag *why);
void conn_die_errno(struct conn *c, const char *what, int e);
/* Flushing, what waits, and the end come at the end of this turn of the loop. */
void conn_queue_turn(struct conn *c);
void conn_opened(struct conn *c);

/* --- conn_io.c --- */

/* Sends or encrypts what the socket takes now; returns how many bytes of data are dealt with. */
size_t conn_io_push(struct conn *c, struct slice data);
void conn_io_flush(struct conn *c);
/* True when all records are out. */
bool conn_io_send_records(struct conn *c);
void conn_io_tell_drain(struct conn *c);
void conn_io_handshake(struct conn *c);
void conn_io_receive(struct conn *c);
/* Records that wait since a pause. */
void conn_io_read_stash(struct conn *c);

#endif
