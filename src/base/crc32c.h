/* CRC-32C (Castagnoli, reflected 0x82F63B78), as in RFC 3720: the checksum of journal records. */
#ifndef SILD_BASE_CRC32C_H
#define SILD_BASE_CRC32C_H

#include "base/slice.h"

/* crc: 0 to begin, or the result so far to go on. */
uint32_t crc32c(uint32_t crc, struct slice s);

#endif
