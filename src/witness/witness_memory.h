/*
 * The checkpoints that a witness holds, in memory, beside the store: what is changed here is
 * written and settled together, or undone.
 */
#ifndef SILD_WITNESS_WITNESS_MEMORY_H
#define SILD_WITNESS_WITNESS_MEMORY_H

#include "base/buf.h"
#include "tlog/witness.h"
#include "witness/witness_store.h"

#define WITNESS_ORIGINS_MAX 20000 /* logs of before that are known no more stay */

struct witness_entry {
    uint8_t id[32]; /* SHA-256 of the origin */
    struct witness_state state;
    int64_t time_s;   /* of the cosignature */
    struct buf note;  /* the signed checkpoint: text, empty line, the log's signature lines */
    size_t text_n;    /* bytes of its text */
    size_t origin_n;  /* bytes of the text's first line */
    bool signed_here; /* `signature` is the cosignature of this checkpoint at time_s */
    uint8_t signature[NOTE_SIGNATURE];
    bool changed; /* not in the store yet */
    struct witness_entry *next_changed;
};

struct witness_memory;
/* With all that the store holds. */
int witness_memory_new(struct witness_store *store, struct witness_memory **out,
                       struct diag *d) MUST_USE;
void witness_memory_free(struct witness_memory *m); /* NULL is harmless; the store stays open */

struct slice witness_memory_text(const struct witness_entry *e);
struct slice witness_memory_origin(const struct witness_entry *e);
/* NULL: nothing is held. */
struct witness_entry *witness_memory_find(const struct witness_memory *m, const uint8_t id[32]);
bool witness_memory_next(const struct witness_memory *m, size_t *at, struct witness_entry **e);
size_t witness_memory_count(const struct witness_memory *m);
/* The newest time of a cosignature, of any origin; 0 when there is none. */
int64_t witness_memory_last(const struct witness_memory *m);

/* The checkpoint is the one held from now on. ERR_TOO_LARGE, ERR_NOMEM: nothing has changed. */
int witness_memory_set(struct witness_memory *m, const struct checkpoint *cp, struct slice text,
                       struct slice lines, int64_t time_s, struct diag *d) MUST_USE;
/*
 * Writes what has changed, synced; *n is how many. On an error memory is again what it was before
 * the changes; any but ERR_DISK_FULL leaves open what the disk has, so the process must end.
 */
int witness_memory_settle(struct witness_memory *m, size_t *n, struct diag *d) MUST_USE;

#endif
