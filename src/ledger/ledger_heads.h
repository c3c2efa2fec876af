/*
 * The last accepted head of every journal (and the last note of every aggregator): what a new one
 * is judged by. The sequencer keeps it in memory; on disk it is a snapshot as of a round and the
 * round files after that.
 *
 * Snapshot, little-endian: "SLHEADS1", u64 round (heads of the rounds before it are in), u64 oldest
 * round whose file is kept, u32 names; for each u8 kind (enum entry_kind), u64 size (or time),
 * 32 bytes root, var entry, u8 n, n times u64 size and 32 bytes root accepted lately; SHA-256 of
 * all before.
 */
#ifndef SILD_LEDGER_LEDGER_HEADS_H
#define SILD_LEDGER_LEDGER_HEADS_H

#include "base/buf.h"
#include "base/diag.h"
#include "tlog/entry.h"
#include "tlog/witness.h"

#define LEDGER_HEADS_MAX 200000 /* names */
#define LEDGER_HEADS_LATELY 16  /* accepted heads that are known again */

/* A journal or an aggregator. */
struct ledger_known {
    enum entry_kind kind;
    struct witness_state last; /* of an aggregator: size is its time */
    size_t lately_n;           /* the newest first */
    struct witness_state lately[LEDGER_HEADS_LATELY];
    struct slice name;  /* in entry */
    struct slice entry; /* own memory */
    void *pending;      /* the caller's: its head in the round that is open */
};

struct ledger_heads;
struct ledger_heads *ledger_heads_new(uint64_t seed); /* NULL without memory */
void ledger_heads_free(struct ledger_heads *h);

/* NULL when nothing of that name was accepted yet. */
struct ledger_known *ledger_heads_find(const struct ledger_heads *h, struct slice name);
size_t ledger_heads_count(const struct ledger_heads *h);
/* Was this size and root accepted lately, before the last? */
bool ledger_heads_lately(const struct ledger_known *k, uint64_t size,
                         const struct merkle_hash *root);

/* Takes an entry as the last one of its name; its bytes are copied. ERR_TOO_LARGE: too many names.
 * ERR_NOMEM. known: the entry's place, may be NULL. */
int ledger_heads_take(struct ledger_heads *h, struct slice entry, struct ledger_known **known,
                      struct diag *d) MUST_USE;
/* The same from a round file at the start: what is older than the last one changes nothing but what
 * was accepted lately. Commitments are passed over. */
int ledger_heads_replay(struct ledger_heads *h, struct slice entry, struct diag *d) MUST_USE;

void ledger_heads_print(const struct ledger_heads *h, uint64_t round, uint64_t oldest,
                        struct buf *out);
/* Into an empty table. ERR_CORRUPT. */
int ledger_heads_parse(struct ledger_heads *h, struct slice bytes, uint64_t *round,
                       uint64_t *oldest, struct diag *d) MUST_USE;

#endif
