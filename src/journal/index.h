/*
 * Where the records of a segment are, by place and by the hash of their id: in memory for the open
 * segment, in a file for each closed one. The file's layout is in index.c.
 */
#ifndef SILD_JOURNAL_INDEX_H
#define SILD_JOURNAL_INDEX_H

#include "journal/io.h"

/* Records are counted from the segment's first; `next` and the heads of chains are one more than
 * the record's number, 0 ends a chain. A chain goes from newer to older records. */
struct index_entry {
    uint64_t hash;   /* of the id, 0: none */
    uint32_t next;   /* in the chain of the same bucket */
    uint32_t offset; /* in the segment */
};

struct index {
    struct index_entry *entries;
    uint32_t count, room;
    uint32_t *heads;
    uint32_t buckets; /* a power of two, or 0 while nothing was added */
};

void index_init(struct index *x);
void index_free(struct index *x);
/* Room, and as many buckets, for n records: the next power of two. ERR_NOMEM, ERR_TOO_LARGE. */
int index_reserve(struct index *x, uint32_t n) MUST_USE;
/* The next record. ERR_NOMEM changes nothing. */
int index_add(struct index *x, uint64_t hash, uint64_t offset) MUST_USE;
/* Takes the last record out again. */
void index_undo(struct index *x);
/* Writes it as "<first>.idx" for a segment of `bytes` bytes: apart, synced, then renamed. */
int index_write(const struct index *x, const struct io_disk *k, uint64_t first, uint64_t bytes,
                struct diag *d) MUST_USE;

struct index_file {
    struct io_file file;
    uint64_t first, bytes; /* of the segment */
    uint32_t count, buckets;
    uint32_t body_crc;
};

/* ERR_NOT_FOUND, or ERR_CORRUPT when the head is damaged or the file has another length. */
int index_file_open(const struct io_disk *k, uint64_t first, struct index_file *f,
                    struct diag *d) MUST_USE;
void index_file_close(struct index_file *f);
/* Reads all of it and compares with what the segment says: ERR_CORRUPT. */
int index_file_verify(const struct index_file *f, const struct index *want,
                      struct diag *d) MUST_USE;

/* One look at an index, in memory or in a file. */
struct index_look {
    const struct index *memory;    /* either */
    const struct index_file *file; /* or */
};

/* Where record rel begins and ends, in a segment of count records and `bytes` bytes. */
int index_place(const struct index_look *l, uint32_t rel, uint64_t bytes, uint64_t *off,
                uint64_t *end, struct diag *d) MUST_USE;
/* The numbers of the records with this hash, newest first, added to out until *n is max. */
int index_find(const struct index_look *l, uint64_t hash, uint64_t first, uint64_t *out, size_t max,
               size_t *n, struct diag *d) MUST_USE;

#endif
