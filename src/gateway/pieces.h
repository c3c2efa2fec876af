/*
 * Signature documents cut for the log. The messages of a batch share one document: what was done
 * for one of the last few is remembered by its bytes, as long as the journal's segment is the same.
 */
#ifndef SILD_GATEWAY_PIECES_H
#define SILD_GATEWAY_PIECES_H

#include "gateway/blobs.h"

struct pieces;
/* b is borrowed. NULL without memory. */
struct pieces *pieces_new(struct blobs *b);
void pieces_free(struct pieces *p);
/*
 * Cuts the document (record_split) and sees to it that the open segment has its blobs
 * (blobs_store). The pieces' bytes are borrowed from the document and from p until the next call.
 */
int pieces_store(struct pieces *p, struct journal *j, struct slice document, int64_t now_ms,
                 struct record_piece piece[RECORD_PIECES_MAX], size_t *n, struct diag *d) MUST_USE;

#endif
