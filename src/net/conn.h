/*
 * A byte stream: TCP or UNIX socket, plain or TLS (memory BIOs), never blocking. Writes are queued
 * and flushed once a turn with one writev or one TLS record run; a full queue is told by
 * conn_queued so that the caller stops reading elsewhere.
 */
#ifndef SILD_NET_CONN_H
#define SILD_NET_CONN_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define CONN_QUEUE_MARK (256u << 10) /* callers pause their source above this */

struct conn;

/* All called from the loop. After on_close the conn is gone once the callback returns. */
struct conn_events {
    void (*on_open)(void *ctx);                    /* connected, handshake done */
    void (*on_data)(void *ctx, struct slice data); /* borrowed until return */
    void (*on_drain)(void *ctx); /* the queue fell below the mark after being over it */
    void (*on_eof)(void *ctx);   /* the peer sends no more (TLS: close_notify) */
    void (*on_close)(void *ctx, const struct diag *why); /* why->code 0: closed by us or cleanly */
};

struct net_addr {
    struct sockaddr_storage sa;
    socklen_t len;
};
/* Numeric IPv4 or IPv6 text and port. ERR_SYNTAX. */
int net_addr_parse(const char *host, uint16_t port, struct net_addr *out) MUST_USE;
/* Resolves a name, blocking: only where names may be resolved (parent, agent, tools).
 * ERR_UNKNOWN_HOST. */
int net_addr_resolve(const char *host, uint16_t port, struct net_addr *out, size_t max, size_t *n,
                     struct diag *d) MUST_USE;
void net_addr_print(const struct net_addr *a, char *out, size_t cap); /* "127.0.1.1:5500" */
int net_addr_unix(const char *path, struct net_addr *out) MUST_USE;

/* Binds and listens (SO_REUSEADDR, SO_REUSEPORT when shared). *fd is the caller's. */
int net_listen(const struct net_addr *a, bool shared, int *fd, struct diag *d) MUST_USE;

/* tls NULL: plain. timeout_ms covers connect and handshake. NULL only without memory. */
struct conn *conn_connect(struct loop *l, const struct net_addr *to, struct tls *tls,
                          int64_t timeout_ms, const struct conn_events *ev, void *ctx);
/* Takes over an accepted descriptor. */
struct conn *conn_accept(struct loop *l, int fd, struct tls *tls, int64_t timeout_ms,
                         const struct conn_events *ev, void *ctx);

void conn_write(struct conn *c, struct slice data);
size_t conn_queued(const struct conn *c);
void conn_pause(struct conn *c); /* no more on_data until resume */
void conn_resume(struct conn *c);
/* No bytes in either direction for this long closes with ERR_TIMEOUT; 0: never. */
void conn_idle_timeout(struct conn *c, int64_t ms);
void conn_shutdown(struct conn *c); /* flushes, says end, then on_close */
void conn_abort(struct conn *c);    /* at once; on_close comes in this or the next turn */
/* Replaces callbacks and context (a pooled connection changes hands). */
void conn_rebind(struct conn *c, const struct conn_events *ev, void *ctx);

/* The peer's certificates as DER, leaf first, also on resumed sessions; 0 for plain ones. Borrowed.
 */
size_t conn_peer_chain(const struct conn *c, struct slice *out, size_t max);
bool conn_is_tls(const struct conn *c);
void conn_peer_addr(const struct conn *c, struct net_addr *out);
/* A place for the caller's verdict about the peer, freed with the connection by `free_fn`. */
void conn_set_verdict(struct conn *c, void *verdict, void (*free_fn)(void *));
void *conn_verdict(const struct conn *c);

/* Accepts from a listening descriptor for ever; pauses when descriptors run out. */
struct listener;
typedef void (*listener_cb)(void *ctx, int fd);
struct listener *listener_new(struct loop *l, int fd, listener_cb cb, void *ctx);
void listener_free(struct listener *s); /* the descriptor stays the caller's */

#endif
