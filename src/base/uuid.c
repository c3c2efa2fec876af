#include "base/uuid.h"
#include "base/hex.h"

#include <string.h>

void uuid_print(const uint8_t random[16], char out[UUID_TEXT])
{
    uint8_t b[16];
    char hex[33];
    memcpy(b, random, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    hex_print(slice_of(b, sizeof b), hex);
    size_t o = 0;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[o++] = '-';
        out[o++] = hex[i];
    }
    out[o] = 0;
}
