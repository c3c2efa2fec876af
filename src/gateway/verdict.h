/*
 * Judgements about the peer of a connection, kept with it: good for one key (a client's id, with
 * the digest of the OCSP responses where the peer brings them), one generation of the
 * configuration, and until the earliest of the times that went into it. Capped; the oldest goes.
 */
#ifndef SILD_GATEWAY_VERDICT_H
#define SILD_GATEWAY_VERDICT_H

#include "crypto/digest.h"
#include "net/conn.h"
#include "xroad/id.h"

/* SHA-256 over id and the extra bytes. */
void verdict_key(const struct id_client *id, const struct slice *extra, size_t n,
                 struct digest *key);
void verdict_remember(struct conn *c, uint64_t generation, const struct digest *key,
                      int64_t valid_until_ms);
bool verdict_good(const struct conn *c, uint64_t generation, const struct digest *key,
                  int64_t now_ms);

#endif
