/*
 * What our text formats are made of: lines, numbers, hashes, each in its one canonical form, so
 * that no byte of a file can be changed without changing what it says. The functions that take
 * cut what they read off the front of *rest; false: that is not what stands there.
 */
#ifndef SILD_TLOG_LINES_H
#define SILD_TLOG_LINES_H

#include "base/buf.h"
#include "crypto/merkle.h"

#define LINES_HASHES 63 /* of an inclusion proof in a tree of less than 2^63 leaves */

/* Up to 0A, which is cut off too. */
bool lines_take(struct slice *rest, struct slice *line);
/* Decimal, no leading zero, at most 2^63-1. */
bool lines_number(struct slice text, uint64_t *out);
/* Canonical base64 of exactly n bytes. */
bool lines_bytes(struct slice text, uint8_t *out, size_t n);
/* `word` (with its blank), a number, 0A. */
bool lines_take_number(struct slice *rest, struct slice word, uint64_t *out);
/* `word`, base64 of exactly n bytes, 0A. */
bool lines_take_bytes(struct slice *rest, struct slice word, uint8_t *out, size_t n);
/* Lines of one hash each, then an empty line; at most LINES_HASHES. */
bool lines_take_hashes(struct slice *rest, struct merkle_hash *out, size_t *n);

/* The writing side, for the same reader. */
void lines_put_number(struct buf *b, const char *word, uint64_t v);
void lines_put_bytes(struct buf *b, const char *word, struct slice bytes);
void lines_put_hashes(struct buf *b, const struct merkle_hash *h, size_t n); /* and empty line */

#endif
