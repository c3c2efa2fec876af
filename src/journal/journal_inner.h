/* The journal from inside: shared by the files journal*.c of this folder, by nobody else. */
#ifndef SILD_JOURNAL_JOURNAL_INNER_H
#define SILD_JOURNAL_JOURNAL_INNER_H

#include "journal/folder.h"
#include "journal/index.h"
#include "journal/io.h"
#include "journal/journal.h"
#include "journal/journal_head.h"
#include "journal/journal_record.h"
#include "journal/salts.h"
#include "journal/segment.h"
#include "journal/tiles.h"

/* A closed segment with its index, kept open because it was just read. */
struct closed {
    bool used;
    uint64_t first, at; /* at: when it was used last */
    struct segment segment;
    bool in_memory; /* no index file that could be used: the index was made from the segment */
    struct index memory;
    struct index_file file;
};

#define JOURNAL_CLOSED_OPEN 8

struct journal {
    struct io_disk disk;
    struct io_file lock;
    uint64_t segment_bytes;
    bool read_only;
    bool broken; /* hashes could not be synced: only a new start helps */
    int failed;  /* why the last sync failed; nothing is appended before one succeeds */

    uint64_t *closed; /* first sequences of the closed segments, ascending */
    size_t closed_count, closed_room;
    struct closed cache[JOURNAL_CLOSED_OPEN];
    uint64_t clock; /* of the cache */

    bool closing; /* the next segment was begun: nothing more goes into the open one */
    struct segment open;
    struct index index; /* of the open segment, and of what is pending */
    struct salts salts; /* of the open segment */
    struct tiles tiles;
    struct buf pending; /* records not yet written: they follow open.bytes */
    uint64_t durable;
    uint64_t head_size; /* what the file "head" holds fast */
    struct digest_ctx *hasher;
    struct journal_recovery recovery;
};

/* journal.c: the segment that has record seq: its place in j->closed, or closed_count for the open
 * one. ERR_NOT_FOUND for records that were dropped or are not there yet. */
int journal_inner_locate(const struct journal *j, uint64_t seq, size_t *at,
                         struct diag *d) MUST_USE;
/* The sequence after the last record of closed segment `at`. */
uint64_t journal_inner_end(const struct journal *j, size_t at);
/* Adds a segment to the closed ones. */
int journal_inner_add_closed(struct journal *j, uint64_t first, struct diag *d) MUST_USE;
/* Hashes and their head to disk, so that records or salts may go. */
int journal_inner_hold(struct journal *j, struct diag *d) MUST_USE;

/* journal_recover.c */
int journal_recover(struct journal *j, struct diag *d) MUST_USE;
/* For a reader: opens the last segment and reads what is durable of it. */
int journal_recover_nothing(struct journal *j, struct diag *d) MUST_USE;

/* journal_closed.c: the closed segment at this place, from the cache or opened; its index is made
 * anew when it is missing or damaged. Valid until the next call. */
int journal_closed_get(struct journal *j, size_t at, struct closed **out, struct diag *d) MUST_USE;
struct index_look journal_closed_look(const struct closed *c);
/* Reads a segment from its first record to its end, which must be the record before `until`. */
int journal_closed_scan(const struct segment *s, uint64_t until, struct index *x, uint64_t *bytes,
                        struct diag *d) MUST_USE;
/* Forgets a segment that is to be dropped, or all of them. */
void journal_closed_forget(struct journal *j, uint64_t first, bool all);

/* journal_erase.c: ends an erasure that a crash cut off. */
int journal_erase_resume(struct journal *j, struct diag *d) MUST_USE;

#endif
