/* Base64 (RFC 4648 section 4). */
#ifndef SILD_BASE_BASE64_H
#define SILD_BASE_BASE64_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Appends the text, one line, padded. */
void base64_append(struct buf *b, struct slice bytes);
/* Into out: BASE64_LEN(n) characters and a zero. */
void base64_print(struct slice bytes, char *out);
/*
 * Appends the decoded bytes. Blanks, tabs, CR and LF are skipped when `spaces`; anything else that
 * is not of the alphabet, wrong padding, and bits set behind the end are ERR_SYNTAX.
 */
int base64_decode(struct buf *b, struct slice text, bool spaces) MUST_USE;
/* Strictly, into fixed room: the first cap bytes are kept, *n is how many there were. ERR_SYNTAX
 * also for padding that is not the shortest to a multiple of four characters. */
int base64_into(struct slice text, uint8_t *out, size_t cap, size_t *n) MUST_USE;

#endif
