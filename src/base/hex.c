#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

void hex_print(struct slice bytes, char *out)
{
    for (size_t i = 0; i < bytes.n; i++) {
        out[2 * i] = digits[bytes.p[i] >> 4];
        out[2 * i + 1] = digits[bytes.p[i] & 15];
    }
    out[2 * bytes.n] = 0;
}

void hex_append(struct buf *b, struct slice bytes)
{
    uint8_t *to = buf_room(b, 2 * bytes.n);
    if (to == NULL)
        return;
    hex_print(bytes, (char *)to); /* buf_room keeps a byte for the zero */
    b->n += 2 * bytes.n;
}

bool hex_parse(struct slice text, uint8_t *out, size_t n)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        if (!slice_hex64(slice_sub(text, 2 * i, 2), &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return true;
}
