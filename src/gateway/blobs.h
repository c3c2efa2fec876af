/*
 * What many signature documents share is stored once a segment: the log remembers by content which
 * blobs the open segment has (record.h).
 */
#ifndef SILD_GATEWAY_BLOBS_H
#define SILD_GATEWAY_BLOBS_H

#include "gateway/record.h"
#include "journal/journal.h"

struct blobs;
struct blobs *blobs_new(void);
void blobs_free(struct blobs *b);
/*
 * Appends a RECORD_BLOB for each piece marked `blob` that the open segment has not, and replaces
 * its bytes by the SHA-256 (borrowed from b until the next call).
 */
int blobs_store(struct blobs *b, struct journal *j, struct record_piece *piece, size_t n,
                int64_t now_ms, struct diag *d) MUST_USE;
/* Reads a blob's bytes by its SHA-256 and checks them; appends. */
int blobs_read(struct journal *j, struct slice sha256, struct buf *out, struct diag *d) MUST_USE;

#endif
