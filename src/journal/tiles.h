/*
 * The hashes of the journal's Merkle tree, on disk in tiles of 256. The layout is in tiles.c.
 *
 * Hashes are written after the records they stand for were synced, and not synced themselves until
 * a segment closes, a salt is erased, or the journal closes. So the length of the file of leaves is
 * also the durable mark: every record that it has a hash for had been acknowledged or could have
 * been.
 */
#ifndef SILD_JOURNAL_TILES_H
#define SILD_JOURNAL_TILES_H

#include "base/buf.h"
#include "crypto/merkle.h"
#include "journal/io.h"

#define TILES_WIDTH 256
#define TILES_LEVELS 8 /* 256^8 = 2^64 */

struct tiles {
    struct io_file level[TILES_LEVELS];
    const struct io_disk *disk;
    uint64_t size;    /* leaves, also those not written yet */
    uint64_t written; /* leaves in the file */
    /* The hashes of the last, unfinished tile of each level. */
    struct merkle_hash part[TILES_LEVELS][TILES_WIDTH];
    struct buf leaves; /* waiting to be written: hashes */
    struct buf uppers; /* waiting to be written: struct upper, see tiles.c */
    bool checking;     /* recovery: what is on disk already must be the same, or torn */
    bool new_names;    /* files were made since the folder was synced */
};

/* Opens the files that are there; makes the folder and the file of leaves unless read_only. */
int tiles_open(struct tiles *t, const struct io_disk *k, bool read_only, struct diag *d) MUST_USE;
void tiles_close(struct tiles *t);

/* Whole leaves in the file / leaves begun in it: more when the last one is torn. */
int tiles_stored(const struct tiles *t, uint64_t *whole, uint64_t *begun, struct diag *d) MUST_USE;
/* Makes again, from the leaves, hashes above them that are missing for the first `size` leaves. */
int tiles_mend(struct tiles *t, uint64_t size, struct diag *d) MUST_USE;
/* Goes on behind the first `size` leaves, whose hashes are in the files. */
int tiles_start(struct tiles *t, uint64_t size, struct diag *d) MUST_USE;

/* The next leaf, into memory. */
int tiles_add(struct tiles *t, const struct merkle_hash *leaf, struct diag *d) MUST_USE;
/* Writes what waits: finished tiles' hashes first, the leaves last. May be called again after a
 * failure. With `checking`, ERR_CORRUPT when a different hash is there. */
int tiles_flush(struct tiles *t, struct diag *d) MUST_USE;
/* Makes durable what was flushed. A failure is final: reopen the journal, which writes again the
 * hashes of the whole open segment. */
int tiles_sync(struct tiles *t, struct diag *d) MUST_USE;

/* Up to n leaf hashes from index on; *got how many are there. */
int tiles_leaves(const struct tiles *t, uint64_t index, struct merkle_hash *out, size_t n,
                 size_t *got, struct diag *d) MUST_USE;

/* For crypto/merkle.h: ctx is a struct tiles_look. */
struct tiles_look {
    const struct tiles *t;
    struct diag *d;
};
int tiles_get(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out) MUST_USE;
int tiles_root(const struct tiles *t, uint64_t size, struct merkle_hash *out,
               struct diag *d) MUST_USE;

/* Reads all tiles of the first `size` leaves: each finished one must have its hash above. */
int tiles_verify(const struct tiles *t, uint64_t size, struct diag *d) MUST_USE;

#endif
