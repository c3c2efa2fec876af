/*
 * RFC 6962 section 2: Merkle tree hashes over SHA-256, for journal and tlog alike.
 * leaf = H(0x00 || data), node = H(0x01 || left || right).
 */
#ifndef SILD_CRYPTO_MERKLE_H
#define SILD_CRYPTO_MERKLE_H

#include "base/attr.h"
#include "base/slice.h"

#define MERKLE_HASH 32
#define MERKLE_DEPTH 64

struct merkle_hash {
    uint8_t b[MERKLE_HASH];
};

void merkle_leaf(struct slice data, struct merkle_hash *out);
void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
                 struct merkle_hash *out);
/* The hash of the empty tree: SHA-256 of nothing. */
void merkle_empty(struct merkle_hash *out);

/* A growing tree that keeps only the roots of its perfect subtrees. */
struct merkle_frontier {
    uint64_t size;
    struct merkle_hash
        h[MERKLE_DEPTH]; /* h[k]: perfect subtree of 2^k leaves, where bit k of size is set */
};
void merkle_append(struct merkle_frontier *f, const struct merkle_hash *leaf);
void merkle_root(const struct merkle_frontier *f, struct merkle_hash *out);

/*
 * The hash of the perfect subtree of 2^level leaves that starts at leaf index << level; the caller
 * finds it in its tiles. Returns 0 or an error that is handed through.
 */
typedef int (*merkle_get)(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out);

/* Root of the first `size` leaves. */
int merkle_root_at(merkle_get get, void *ctx, uint64_t size, struct merkle_hash *out) MUST_USE;
/* PATH(m, D[n]) of RFC 6962 2.1.1; *count at most MERKLE_DEPTH. */
int merkle_inclusion(merkle_get get, void *ctx, uint64_t leaf, uint64_t size,
                     struct merkle_hash proof[MERKLE_DEPTH], size_t *count) MUST_USE;
/* PROOF(m, D[n]) of 2.1.2. */
int merkle_consistency(merkle_get get, void *ctx, uint64_t old_size, uint64_t size,
                       struct merkle_hash proof[MERKLE_DEPTH], size_t *count) MUST_USE;

/* ERR_INVALID_HASH_CHAIN when the proof does not lead from leaf to root / old to new. Nothing can be
 * proven from an old size of 0, so that is refused too: who allows it says so (tlog/witness.h). */
int merkle_verify_inclusion(const struct merkle_hash *leaf_hash, uint64_t leaf, uint64_t size,
                            const struct merkle_hash *proof, size_t count,
                            const struct merkle_hash *root) MUST_USE;
int merkle_verify_consistency(uint64_t old_size, const struct merkle_hash *old_root, uint64_t size,
                              const struct merkle_hash *root, const struct merkle_hash *proof,
                              size_t count) MUST_USE;

#endif
