/* Hexadecimal text. */
#ifndef SILD_BASE_HEX_H
#define SILD_BASE_HEX_H

#include "base/buf.h"
#include "base/slice.h"

/* Lower case, 2*n characters and a zero into out (at least 2*n+1 bytes). */
void hex_print(struct slice bytes, char *out);
void hex_append(struct buf *b, struct slice bytes);
/* Exactly n bytes from 2*n digits of either case; false otherwise. */
bool hex_parse(struct slice text, uint8_t *out, size_t n);

#endif
