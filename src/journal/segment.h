/* A segment file: a head and records one after the other. The layout is in segment.c. */
#ifndef SILD_JOURNAL_SEGMENT_H
#define SILD_JOURNAL_SEGMENT_H

#include "journal/io.h"
#include "journal/journal_record.h"

#define SEGMENT_HEAD 32
/* Offsets are 32 bits: a segment may grow to this, and one batch beyond. */
#define SEGMENT_BYTES_MAX (3ull << 30)

struct segment {
    struct io_file file;
    uint64_t first; /* sequence of its first record */
    uint32_t mark;  /* magic of a record that begins a batch */
    uint64_t bytes; /* end of the records that are written and synced (a reader: known good) */
    uint64_t room;  /* end of the zeros that were written behind the records, for the next ones */
    uint32_t ahead; /* how many are usual by now */
    uint64_t usual; /* bytes of a batch, on average of the last ones */
    bool reopen;    /* a sync failed: this descriptor is not to be trusted */
};

/* "<first>.seg" and its kin. */
void segment_name(uint64_t first, const char *kind, char out[IO_NAME_MAX]);

/* Makes the file (or makes it anew) with a head only, synced; the folder is the caller's to sync.
 */
int segment_create(const struct io_disk *k, uint64_t first, struct segment *s,
                   struct diag *d) MUST_USE;
/*
 * Opens an existing one; bytes is set to where the records begin. ERR_EOF when the file ends within
 * or right after a head that is not valid: its making was cut off, it never held a record.
 */
int segment_open(const struct io_disk *k, uint64_t first, bool read_only, struct segment *s,
                 struct diag *d) MUST_USE;
void segment_close(struct segment *s);

/*
 * Writes a batch behind what is there and syncs it. When that fails nothing of the batch counts as
 * written, and the next call (with the same bytes, perhaps more) writes it anew: after a failed
 * sync the kernel may have dropped pages that it calls clean. Zeros for the next batches are
 * written with it when there is no room any more, up to `limit`.
 */
int segment_append(struct segment *s, struct slice batch, uint64_t limit, struct diag *d) MUST_USE;
/* Cuts the zeros off; not synced. */
int segment_trim(struct segment *s, struct diag *d) MUST_USE;
/* Is there nothing but zeros from off to the end of the file? */
int segment_is_blank(const struct segment *s, uint64_t off, uint64_t end, bool *blank,
                     struct diag *d) MUST_USE;

/* One record by its place; raw goes into buf, which is reset first. */
int segment_read(const struct segment *s, uint64_t off, uint64_t end, uint64_t seq, struct buf *buf,
                 struct journal_record *out, struct diag *d) MUST_USE;

/* A walk over the records of a segment in order, through a window of the file. */
struct segment_walk {
    const struct segment *s;
    uint64_t off, end; /* of the next record; of what is looked at */
    uint64_t seq;      /* of the next record */
    struct buf window;
    uint64_t window_off;
    struct slice raw; /* the record that segment_next gave, all bytes; borrowed until the next */
    uint64_t id_hash;
};

void segment_walk_init(struct segment_walk *w, const struct segment *s, uint64_t off, uint64_t seq,
                       uint64_t end);
void segment_walk_free(struct segment_walk *w);
/*
 * The next record. ERR_EOF at `end`; ERR_CORRUPT (w->off stays at the place) when what is there is
 * no valid record with the next sequence; other codes when the disk fails.
 */
int segment_next(struct segment_walk *w, struct journal_record *out, struct diag *d) MUST_USE;
/*
 * Looks behind w->off for a valid record that begins a batch, with a sequence after w->seq: if
 * there is one, whatever stood at w->off had been synced. 0 and its place, or ERR_NOT_FOUND.
 */
int segment_later_batch(struct segment_walk *w, uint64_t *off, struct diag *d) MUST_USE;

#endif
