/*
 * A byte stream: TCP or UNIX socket, plain or TLS, never blocking. Writes are queued and flushed
 * once a turn with one send or one run of TLS records; a full queue is told by conn_queued so that
 * the caller stops reading elsewhere.
 */
#ifndef SILD_NET_CONN_H
#define SILD_NET_CONN_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/net.h"
#include "net/tls.h"

#define CONN_QUEUE_MARK (128u << 10) /* callers pause their source above this */
#define CONN_QUEUE_MAX (64u << 20)   /* a caller who does not is cut off here */

struct conn;

/* All called from the loop. After on_close the conn is gone once the callback returns. Any may be
 * NULL. */
struct conn_events {
    void (*on_open)(void *ctx);                    /* connected, handshake done */
    void (*on_data)(void *ctx, struct slice data); /* borrowed until return */
    void (*on_drain)(void *ctx); /* the queue fell below the mark after being over it */
    void (*on_eof)(void *ctx);   /* the peer sends no more (TLS: close_notify) */
    void (*on_close)(void *ctx, const struct diag *why); /* why->code 0: closed by us or cleanly */
    /* The idle time is over: true: go on (a new period begins); false or NULL: close. */
    bool (*on_idle)(void *ctx);
};

/* tls NULL: plain; the conn takes its own reference. timeout_ms covers connect and handshake.
 * Whatever ends a handshake is ERR_SSL_AUTH, a reset afterwards ERR_NETWORK. NULL only without
 * memory. */
struct conn *conn_connect(struct loop *l, const struct net_addr *to, struct tls *tls,
                          int64_t timeout_ms, const struct conn_events *ev, void *ctx);
/* Takes over an accepted descriptor, also when it fails. */
struct conn *conn_accept(struct loop *l, int fd, struct tls *tls, int64_t timeout_ms,
                         const struct conn_events *ev, void *ctx);
/* The name for SNI; right after conn_connect. Too long a name is not sent. */
void conn_server_name(struct conn *c, const char *name);

void conn_write(struct conn *c, struct slice data);
size_t conn_queued(const struct conn *c);
void conn_pause(struct conn *c); /* no more on_data until resume */
void conn_resume(struct conn *c);
/* No bytes in either direction for this long closes with ERR_TIMEOUT; 0: never. Starts anew with
 * each call, and does not run while we do not read and have nothing to write. */
void conn_idle_timeout(struct conn *c, int64_t ms);
/* Flushes, says end, then on_close; what the peer still sends is dropped for a while, so that it
 * can read the answer; who goes on for long, or sends more than 32 MiB, is cut off. */
void conn_shutdown(struct conn *c);
void conn_abort(struct conn *c); /* at once (TCP: reset); on_close comes in this or the next turn */
/* Replaces callbacks and context (a pooled connection changes hands); ev NULL: nobody listens. */
void conn_rebind(struct conn *c, const struct conn_events *ev, void *ctx);

/* The peer's certificates as DER, leaf first, also on resumed sessions; 0 for plain ones. Borrowed.
 */
size_t conn_peer_chain(const struct conn *c, struct slice *out, size_t max);
bool conn_is_tls(const struct conn *c);
/* Has nothing come that was not read yet, neither bytes nor the end? Asks the kernel. */
bool conn_is_quiet(const struct conn *c);
const SSL *conn_ssl(const struct conn *c); /* for its parameters; NULL for a plain one */
void conn_peer_addr(const struct conn *c, struct net_addr *out);
/* A place for the caller's verdict about the peer, freed with the connection by `free_fn`. */
void conn_set_verdict(struct conn *c, void *verdict, void (*free_fn)(void *));
void *conn_verdict(const struct conn *c);

#endif
