/*
 * Judgements about the peer of a connection, kept with it: good for one key (a client's id, with
 * the digest of the OCSP responses where the peer brings them), one generation of the
 * configuration, and until the earliest of the times that went into it. Capped; the oldest goes.
 */
#ifndef SILD_GATEWAY_VERDICT_H
#define SILD_GATEWAY_VERDICT_H

#include "crypto/digest.h"
#include "net/conn.h"
#include "xroad/globalconf.h"
#include "xroad/id.h"

/* SHA-256 over id and the extra bytes. */
void verdict_key(const struct id_client *id, const struct slice *extra, size_t n,
                 struct digest *key);
void verdict_remember(struct conn *c, uint64_t generation, const struct digest *key,
                      int64_t valid_until_ms);
bool verdict_good(const struct conn *c, uint64_t generation, const struct digest *key,
                  int64_t now_ms);

/*
 * trust_auth_chain, whose good verdicts are remembered for all connections: X-Road's servers open
 * one a message, and the signatures of a chain cost more than the handshake. Keyed by all that is
 * judged, and by the configuration's generation. Capped; the oldest of a set goes.
 */
struct verdict_chains;
struct verdict_chains *verdict_chains_new(void); /* NULL without memory */
void verdict_chains_free(struct verdict_chains *v);
int verdict_auth_chain(struct verdict_chains *v, uint64_t generation, const struct globalconf *g,
                       struct slice instance, struct cert *const *chain, size_t n,
                       const struct slice *ocsp, size_t n_ocsp, const struct id_client *member,
                       int64_t at_ms, int64_t *valid_until_ms, struct diag *d) MUST_USE;

#endif
