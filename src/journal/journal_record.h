/* One record as bytes: header, hash of the id, payload. The layout is in journal_record.c. */
#ifndef SILD_JOURNAL_JOURNAL_RECORD_H
#define SILD_JOURNAL_JOURNAL_RECORD_H

#include "crypto/digest.h"
#include "journal/journal.h"

#define JOURNAL_RECORD_HEADER 32
#define JOURNAL_RECORD_MAGIC 0x31524A53u /* "SJR1" */

/* Bytes that a record takes. */
size_t journal_record_size(const struct journal_record *r, uint64_t id_hash);
/* Writes them at p. magic: JOURNAL_RECORD_MAGIC, or the segment's mark when it begins a batch. */
void journal_record_put(uint8_t *p, uint32_t magic, const struct journal_record *r,
                        uint64_t id_hash);

/*
 * From the 32 bytes of a header: the record's whole size. ERR_CORRUPT when this is no header: the
 * magic is neither of the two, or the length is over the maximum.
 */
int journal_record_head(const uint8_t p[JOURNAL_RECORD_HEADER], uint32_t mark, size_t *size,
                        struct diag *d) MUST_USE;
/* From all its bytes (as many as journal_record_head said); the payload is borrowed from them.
 * *id_hash 0: none. ERR_CORRUPT when the checksum is wrong. */
int journal_record_get(struct slice raw, struct journal_record *out, uint64_t *id_hash,
                       struct diag *d) MUST_USE;

/* The first 8 bytes of the id's SHA-256, little-endian; 0 for no id, never 0 for one. */
uint64_t journal_record_id(struct slice id);

/* The leaf of the tree: the hash of RFC 6962 over salt || record. */
void journal_record_leaf(struct digest_ctx *c, const uint8_t salt[JOURNAL_SALT], struct slice raw,
                         struct merkle_hash *out);

#endif
