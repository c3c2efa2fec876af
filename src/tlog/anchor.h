/*
 * A checkpoint as a short string to print: base32 (RFC 4648, no padding), in groups of six, of
 *   u8 version (1) ‖ u64 size ‖ u64 time s ‖ root (32) ‖ first 4 bytes of SHA-256(origin)
 *   ‖ CRC-32C of all before         (57 bytes, big-endian)
 */
#ifndef SILD_TLOG_ANCHOR_H
#define SILD_TLOG_ANCHOR_H

#include "base/diag.h"
#include "crypto/merkle.h"

#define ANCHOR_TEXT 108 /* 92 characters, 15 hyphens, a zero */

struct anchor {
    uint64_t size;
    uint64_t time_s;
    struct merkle_hash root;
    uint8_t origin[4];
};

void anchor_print(const struct anchor *a, char out[ANCHOR_TEXT]);
/* The printed form exactly. ERR_SYNTAX. */
int anchor_parse(struct slice text, struct anchor *out, struct diag *d) MUST_USE;
/* As a person types it: small letters, blanks, line ends and other hyphens are no matter. */
int anchor_read(struct slice text, struct anchor *out, struct diag *d) MUST_USE;
/* The four bytes that an origin gives. */
void anchor_origin(struct slice origin, uint8_t out[4]);

#endif
