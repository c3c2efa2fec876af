/* Random identifiers (RFC 9562, version 4) from bytes that the caller brings. */
#ifndef SILD_BASE_UUID_H
#define SILD_BASE_UUID_H

#include "base/slice.h"

#define UUID_TEXT 37 /* 36 characters and a zero */

/* random: 16 bytes, used up. Writes lower-case text. */
void uuid_print(const uint8_t random[16], char out[UUID_TEXT]);

#endif
