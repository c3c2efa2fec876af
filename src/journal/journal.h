/*
 * The journal: an append-only log of records under everything durable.
 *
 * A folder of segments. Segment files are named by the first sequence number they hold, 16 hex
 * digits: <first>.seg (records), <first>.salt (32 bytes a record), <first>.idx (places and hash
 * index of ids, written when the segment closes); besides, tiles/ (hashes of the Merkle tree, made
 * again when lost), head (size and root when a segment last closed), lock. The byte layouts stand
 * at the heads of segment.c, journal_record.c, salts.c, index.c, tiles.c, journal_head.c,
 * journal_erase.c; the rules of recovery at that of journal_recover.c.
 *
 *   record header, 32 bytes, little-endian
 *     u32 magic "SJR1" (or the segment's mark, when the record begins a batch)
 *     u32 length (payload, at most 16 MiB; bit 31: 8 bytes of id hash stand before it)
 *     u16 type  u16 flags  u64 sequence  u64 time_ms
 *     u32 CRC-32C over header (without this field) and all that follows
 *   leaf of the tree: SHA-256 leaf hash over salt || record (header, id hash, payload)
 *
 * Acknowledged means: segment and salts are synced. Dropping an old segment or one salt changes no
 * root: tiles keep the hashes.
 */
#ifndef SILD_JOURNAL_JOURNAL_H
#define SILD_JOURNAL_JOURNAL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"

#define JOURNAL_RECORD_MAX (16u << 20)
#define JOURNAL_SALT 32

struct journal;
struct journal_io; /* the table of calls that touch the disk; tests bring their own (journal/io.h)
                    */

struct journal_options {
    uint64_t segment_bytes; /* 0: 256 MiB */
    /* For tools beside a running writer; recovers nothing, writes nothing, sees what is durable. */
    bool read_only;
    const struct journal_io *io; /* NULL: the real disk */
    void *io_ctx;
};

/* What opening had to do. */
struct journal_recovery {
    uint64_t unproven;  /* whole records found that had perhaps not been acknowledged: kept */
    uint64_t cut_bytes; /* torn end of the last segment that was cut; 0: none */
    uint64_t cut_seq;   /* the record that would have stood there */
    uint64_t cut_at;    /* offset in the segment */
    uint64_t rehashed;  /* records of closed segments whose hashes were missing and made again */
    char text[256];     /* a sentence about the cut; empty: none */
};

/*
 * Opens or creates the folder, takes the writer's lock (ERR_EXISTS when another process has it),
 * recovers: a torn tail of the last segment is cut, tiles are brought up. ERR_CORRUPT names file
 * and offset when something that had been synced is damaged.
 */
int journal_open(const char *dir, const struct journal_options *o, struct journal **out,
                 struct diag *d) MUST_USE;
/* Syncs what is pending, closes. NULL is harmless. */
void journal_close(struct journal *j);
/* Valid until the close; all zero when nothing was to be done. */
const struct journal_recovery *journal_recovered(const struct journal *j);

struct journal_record {
    uint64_t seq; /* from 0 */
    int64_t time_ms;
    uint16_t type, flags;
    struct slice payload;
};

/*
 * Appends to memory: *seq is its number. Not durable before journal_sync returned 0. id: the key
 * for look-up (a message id; up to 255 bytes; empty: none). A record's id hash is in the index of
 * its segment. Any number of appends, then one sync: group commit. (An append that fills a segment
 * or 32 MiB of memory syncs by itself.) When a write fails (ERR_DISK_FULL…) nothing of the batch is
 * acknowledged and the journal refuses more until journal_sync succeeds again, which writes the
 * whole batch anew. Only a failed sync of the tree's hashes, when a segment closes, is final: all
 * calls that write then fail until the journal is opened anew.
 */
int journal_append(struct journal *j, uint16_t type, uint16_t flags, int64_t time_ms,
                   struct slice id, struct slice payload, uint64_t *seq, struct diag *d) MUST_USE;
int journal_sync(struct journal *j, struct diag *d) MUST_USE;

/* True after such a final failure. */
bool journal_is_broken(const struct journal *j);

uint64_t journal_size(const struct journal *j);    /* records, synced or not */
uint64_t journal_durable(const struct journal *j); /* records synced */
/* First sequence of the segment that the next record goes into (unless that one begins another). */
uint64_t journal_segment(const struct journal *j);
uint64_t journal_first(const struct journal *j); /* first record whose segment is still there */

/* By position. Payload goes into buf (reset first; it needs room for 40 bytes more).
 * ERR_NOT_FOUND for dropped segments and records not there yet, ERR_CORRUPT. */
int journal_read(struct journal *j, uint64_t seq, struct journal_record *out, struct buf *buf,
                 struct diag *d) MUST_USE;
/* The record's bytes as the leaf hash covers them behind the salt: header, id hash, payload. */
int journal_raw(struct journal *j, uint64_t seq, struct buf *buf, struct diag *d) MUST_USE;
/* From `from` on (or the first record that is still there), in order, until visit returns non-zero
 * (handed through) or the end of what was durable at the start. visit may append and sync. */
typedef int (*journal_visit)(void *ctx, const struct journal_record *r);
int journal_scan(struct journal *j, uint64_t from, journal_visit visit, void *ctx,
                 struct diag *d) MUST_USE;
/*
 * Sequences of the records with this id, newest first, at most max; *n how many. The index may
 * give a false one (hashes): the caller looks at the record.
 */
int journal_find(struct journal *j, struct slice id, uint64_t *seqs, size_t max, size_t *n,
                 struct diag *d) MUST_USE;
/* A reader beside the writer: notices what was appended since it was opened. ERR_CORRUPT when a
 * record that had been acknowledged is missing or damaged, ERR_AGAIN when segments are dropped
 * faster than it looks. */
int journal_refresh(struct journal *j, struct diag *d) MUST_USE;

/* The tree over the first `size` durable records; ERR_NOT_FOUND when there are fewer. */
int journal_root(struct journal *j, uint64_t size, struct merkle_hash *out,
                 struct diag *d) MUST_USE;
int journal_inclusion(struct journal *j, uint64_t seq, uint64_t size,
                      struct merkle_hash proof[MERKLE_DEPTH], size_t *count,
                      struct diag *d) MUST_USE;
int journal_consistency(struct journal *j, uint64_t old_size, uint64_t size,
                        struct merkle_hash proof[MERKLE_DEPTH], size_t *count,
                        struct diag *d) MUST_USE;
int journal_leaf(struct journal *j, uint64_t seq, struct merkle_hash *out, struct diag *d) MUST_USE;
/* The record's salt, needed to prove its content; ERR_NOT_FOUND when erased. */
int journal_salt(struct journal *j, uint64_t seq, uint8_t out[JOURNAL_SALT],
                 struct diag *d) MUST_USE;

/* Overwrites one salt with zeros, durably: the record's meaning can no longer be proven, no root
 * changes. ERR_NOT_FOUND when there is no such record. What the disk keeps beneath the file system
 * is out of its reach. */
int journal_erase_salt(struct journal *j, uint64_t seq, struct diag *d) MUST_USE;
/* Removes all closed segments that end before seq. */
int journal_drop_before(struct journal *j, uint64_t seq, struct diag *d) MUST_USE;

struct journal_report {
    uint64_t records; /* of the tree, durable, dropped ones too */
    uint64_t segments, erased_salts;
    uint64_t first; /* the first record still there */
    /* Behind the last durable record, room that is still empty apart: a writer is at work, or a
     * crash left something that opening for writing will judge. */
    uint64_t tail_bytes;
    struct merkle_hash root; /* over `records` */
};
/* Reads everything durable: headers, checksums, order, salts, indexes, leaves against tiles, tiles
 * against each other and the head. ERR_CORRUPT with file and offset. */
int journal_verify(struct journal *j, struct journal_report *out, struct diag *d) MUST_USE;

#endif
