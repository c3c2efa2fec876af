/*
 * A round: the tree over its entries, its file, and its record, which is the ledger's leaf.
 * Record, 104 bytes, big-endian:
 *   0  "SRR1"     4  hash algorithm (1: SHA-256)     5  three zero bytes
 *   8  round (= its leaf index)     16  time ms     24  entries     32  heads
 *  40  root of the round's tree (the empty tree's when there are no entries)
 *  72  SHA-256 of the previous round's record (zeros for round 0)
 * File: the entries in bundle form (tile.h), strictly ascending as bytes, each key name once.
 */
#ifndef SILD_TLOG_ROUND_H
#define SILD_TLOG_ROUND_H

#include "tlog/entry.h"

#define ROUND_RECORD 104

struct round_record {
    uint64_t round;
    uint64_t time_ms;
    uint64_t entries;
    uint64_t heads;
    struct merkle_hash root;
    uint8_t previous[32];
};

void round_record_print(const struct round_record *r, uint8_t out[ROUND_RECORD]);
/* ERR_SYNTAX; ERR_UNSUPPORTED_ALGORITHM. */
int round_record_parse(struct slice bytes, struct round_record *out, struct diag *d) MUST_USE;
/* SHA-256 of the record's bytes: the next record's `previous`. */
void round_record_digest(const uint8_t record[ROUND_RECORD], uint8_t out[32]);
/* Is b the round after a: next number, later, naming a's digest? ERR_INVALID_HASH_CHAIN. */
int round_follows(const uint8_t a[ROUND_RECORD], const uint8_t b[ROUND_RECORD],
                  struct diag *d) MUST_USE;

/* Order of two entries in a round: as bytes. And: do they say the same name (only one may stay)? */
int round_order(struct slice a, struct slice b);
bool round_same_name(struct slice a, struct slice b);

/* The file of a round against its record: order, names, count, heads, root. `each` (may be NULL)
 * sees every entry, parsed; what it returns other than 0 ends the walk. Signatures are its matter
 * (entry_verify). ERR_CORRUPT, ERR_SYNTAX, ERR_INVALID_HASH_CHAIN. */
typedef int (*round_each)(void *ctx, uint64_t index, struct slice bytes, const struct entry *e);
int round_check(struct slice file, const struct round_record *r, round_each each, void *ctx,
                struct diag *d) MUST_USE;

/* All hashes of a round's tree, for root and proofs: 64 bytes a leaf in one piece of memory. */
struct round_tree {
    struct merkle_hash *h;
    uint64_t n;
};
/* Leaves are set with round_tree_leaf, then the nodes over them made. ERR_NOMEM. */
int round_tree_init(struct round_tree *t, uint64_t n) MUST_USE;
void round_tree_leaf(struct round_tree *t, uint64_t i, struct slice entry);
void round_tree_finish(struct round_tree *t);
void round_tree_free(struct round_tree *t);
/* A merkle_get. */
int round_tree_get(void *tree, unsigned level, uint64_t index, struct merkle_hash *out) MUST_USE;

#endif
