/* The salts of a segment's records, in a file of their own. The layout is in salts.c. */
#ifndef SILD_JOURNAL_SALTS_H
#define SILD_JOURNAL_SALTS_H

#include "journal/io.h"
#include "journal/journal.h"

/* Records are counted from the segment's first. */
struct salts {
    struct io_file file;
    uint32_t synced;  /* salts that are on disk for sure */
    uint32_t held_at; /* the first one in `held` */
    struct buf held;  /* made in this process: all from `synced` on, and perhaps some before */
    uint32_t ahead;   /* how many the next round makes */
};

/* Makes the file (or makes it anew), empty; the folder is the caller's to sync. */
int salts_create(const struct io_disk *k, uint64_t first, struct salts *s, struct diag *d) MUST_USE;
int salts_open(const struct io_disk *k, uint64_t first, bool read_only, struct salts *s,
               struct diag *d) MUST_USE;
void salts_close(struct salts *s);

/* The salt for record rel, the next one in order: makes new ones when they are used up. */
int salts_take(struct salts *s, uint32_t rel, const uint8_t **salt, struct diag *d) MUST_USE;
/* Brings to disk, durably, at least the first n. Costs nothing when they are there. */
int salts_settle(struct salts *s, uint32_t n, struct diag *d) MUST_USE;
/* Cuts off those made in advance behind the first n, which are on disk. */
int salts_trim(struct salts *s, uint32_t n, struct diag *d) MUST_USE;

/* Up to n salts from record rel on, JOURNAL_SALT bytes each; *got how many are there. */
int salts_read(const struct salts *s, uint32_t rel, uint8_t *out, size_t n, size_t *got,
               struct diag *d) MUST_USE;
/* Zeros in its place, synced. */
int salts_erase(struct salts *s, uint32_t rel, struct diag *d) MUST_USE;
/* Whether a salt is one that was erased. */
bool salts_is_erased(const uint8_t salt[JOURNAL_SALT]);

#endif
