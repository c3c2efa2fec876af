/*
 * What a witness has cosigned last, on disk: SQLite, one row an origin.
 *
 *   held (origin, size, root, note, time)   root: hex; note: the signed checkpoint; time: POSIX
 *                                           seconds of the cosignature
 *   about (key, value)                      vkey: whose store it is
 *
 * A commit that returned 0 is synced. A store that is gone is never made anew by itself: a witness
 * without memory would cosign what contradicts its past.
 */
#ifndef SILD_WITNESS_WITNESS_STORE_H
#define SILD_WITNESS_WITNESS_STORE_H

#include "base/diag.h"
#include "base/slice.h"
#include "crypto/merkle.h"

struct witness_store;

struct witness_held {
    struct slice origin;
    uint64_t size;
    struct merkle_hash root;
    struct slice note;
    int64_t time_s;
};

/* A new, empty store for the witness of this vkey. ERR_EXISTS. */
int witness_store_make(const char *path, const char *vkey, struct diag *d) MUST_USE;
/* ERR_NOT_FOUND; ERR_CORRUPT when it is another witness's. */
int witness_store_open(const char *path, const char *vkey, bool write, struct witness_store **out,
                       struct diag *d) MUST_USE;
void witness_store_close(struct witness_store *s); /* NULL is harmless */

/* Every row; slices are borrowed until `each` returns, whose error ends it. ERR_CORRUPT. */
typedef int (*witness_store_each)(void *ctx, const struct witness_held *h, struct diag *d);
int witness_store_read(struct witness_store *s, witness_store_each each, void *ctx,
                       struct diag *d) MUST_USE;

/* One transaction: begin, put…, commit. After any failure nothing of it is kept; whether a commit
 * that failed with another code than ERR_DISK_FULL is on the disk, nobody knows. */
int witness_store_begin(struct witness_store *s, struct diag *d) MUST_USE;
int witness_store_put(struct witness_store *s, const struct witness_held *h,
                      struct diag *d) MUST_USE;
int witness_store_commit(struct witness_store *s, struct diag *d) MUST_USE;
void witness_store_rollback(struct witness_store *s);

#endif
