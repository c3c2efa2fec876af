/*
 * Other security servers as seen by a client proxy: which addresses serve a provider (transport.md
 * 8), and the judgement of a peer's TLS certificate with OCSP responses fetched from its port 5577
 * (transport.md 3.1, 3.2).
 */
#ifndef SILD_GATEWAY_PEER_H
#define SILD_GATEWAY_PEER_H

#include "gateway/worker.h"

#define PEER_ADDRS_MAX 16

struct peer_cache; /* OCSP responses of peers, by leaf and certificate; capped */
struct peer_cache *peer_cache_new(void);
void peer_cache_free(struct peer_cache *c);

/*
 * Addresses of the provider's servers, shuffled. ERR_UNKNOWN_MEMBER, ERR_MAINTENANCE_MODE,
 * ERR_INVALID_SECURITY_SERVER with X-Road's sentences.
 */
int peer_addresses(const struct worker *w, const struct snapshot *s,
                   const struct id_client *provider, const struct id_server *wanted,
                   struct net_addr out[PEER_ADDRS_MAX], size_t *n, struct diag *d) MUST_USE;

/* How long another server may take to let us connect, or to give an OCSP response, in ms. */
int64_t peer_patience(const struct snapshot *s);

/* Appends a name of the set of addresses, whatever their order: connections are pooled under it, so
 * that who asks for one server never gets a connection to another one. */
void peer_pool_key(const struct net_addr *a, size_t n, struct buf *out);

/* The judgement of one new connection; may take a fetch. done is called once, now or later. */
struct peer_judging;
typedef void (*peer_done)(void *ctx, const struct diag *why); /* NULL: trusted */
struct peer_judging *peer_judge(struct worker *w, struct snapshot *s, struct conn *c,
                                const struct id_client *provider, peer_done done, void *ctx);
void peer_judge_cancel(struct peer_judging *j); /* NULL is harmless */
/* Did we show the snapshot's authentication certificate when this connection was made? What goes
 * with a message, its OCSP response, must be of the certificate that the other side has seen. */
bool peer_was_shown(const struct worker *w, const struct snapshot *s, const struct conn *c);
/* Is this pooled connection good for the provider, under this snapshot and now? Judged anew when no
 * verdict says so, if that takes no fetch. One that was made with another certificate of ours is
 * not.
 */
bool peer_judge_again(struct worker *w, struct snapshot *s, struct conn *c,
                      const struct id_client *provider);

#endif
