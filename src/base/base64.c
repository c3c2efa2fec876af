#include "base/base64.h"
#include "base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes the characters of n bytes, returns how many. */
static size_t encode(struct slice s, uint8_t *out)
{
    size_t o = 0, i = 0;
    for (; i + 2 < s.n; i += 3) {
        uint32_t v = (uint32_t)s.p[i] << 16 | (uint32_t)s.p[i + 1] << 8 | s.p[i + 2];
        out[o++] = (uint8_t)alphabet[v >> 18];
        out[o++] = (uint8_t)alphabet[v >> 12 & 63];
        out[o++] = (uint8_t)alphabet[v >> 6 & 63];
        out[o++] = (uint8_t)alphabet[v & 63];
    }
    size_t left = s.n - i;
    if (left == 0)
        return o;
    uint32_t v = (uint32_t)s.p[i] << 16 | (left == 2 ? (uint32_t)s.p[i + 1] << 8 : 0);
    out[o++] = (uint8_t)alphabet[v >> 18];
    out[o++] = (uint8_t)alphabet[v >> 12 & 63];
    if (left == 2)
        out[o++] = (uint8_t)alphabet[v >> 6 & 63];
    for (size_t k = left; k < 3; k++)
        out[o++] = '=';
    return o;
}

void base64_append(struct buf *b, struct slice bytes)
{
    uint8_t *to = buf_room(b, BASE64_LEN(bytes.n));
    if (to != NULL)
        b->n += encode(bytes, to);
}

void base64_print(struct slice bytes, char *out)
{
    out[encode(bytes, (uint8_t *)out)] = 0;
}

struct decoder {
    uint32_t bits;
    int have; /* characters of the current group of four */
};

/* What the last, incomplete group holds: nothing, one byte or two; unused bits must be zero. */
static int finish(struct buf *b, const struct decoder *d)
{
    if (d->have == 0)
        return b->failed ? ERR_TOO_LARGE : 0;
    if (d->have == 1)
        return ERR_SYNTAX;
    int unused = d->have == 2 ? 4 : 2;
    if (d->bits & ((1u << unused) - 1))
        return ERR_SYNTAX;
    uint32_t v = d->bits >> unused;
    if (d->have == 3)
        buf_byte(b, (uint8_t)(v >> 8));
    buf_byte(b, (uint8_t)v);
    return b->failed ? ERR_TOO_LARGE : 0;
}

/* Values of the alphabet's characters, 64 for all others. */
static const uint8_t values[128] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62,
    64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64, 64, 0,
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, 64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
    39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64};

/* Decodes the whole groups of four that stand at the front, up to the first character that is not
 * of the alphabet; returns how many characters that were. */
static size_t decode_groups(struct buf *b, struct slice text)
{
    size_t room = b->max - b->n, groups = text.n / 4 < room / 3 ? text.n / 4 : room / 3;
    uint8_t *to = groups == 0 ? NULL : buf_room(b, groups * 3);
    size_t i = 0;
    for (; to != NULL && i < groups * 4; i += 4) {
        const uint8_t *p = text.p + i;
        if ((p[0] | p[1] | p[2] | p[3]) >= 128)
            break;
        uint8_t a = values[p[0]], c = values[p[1]], e = values[p[2]], g = values[p[3]];
        if ((a | c | e | g) >= 64)
            break;
        *to++ = (uint8_t)(a << 2 | c >> 4);
        *to++ = (uint8_t)(c << 4 | e >> 2);
        *to++ = (uint8_t)(e << 6 | g);
    }
    b->n += i / 4 * 3;
    return i;
}

int base64_decode(struct buf *b, struct slice text, bool spaces)
{
    struct decoder d = {0, 0};
    int pads = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (d.have == 0 && pads == 0)
            i += decode_groups(b, slice_from(text, i));
        if (i == text.n)
            break;
        uint8_t c = text.p[i];
        if (spaces && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
            continue;
        if (c == '=') {
            pads++;
            continue;
        }
        uint8_t v = c < 128 ? values[c] : 64;
        if (v == 64 || pads > 0)
            return ERR_SYNTAX;
        d.bits = d.bits << 6 | v;
        if (++d.have == 4) {
            uint8_t three[3] = {(uint8_t)(d.bits >> 16), (uint8_t)(d.bits >> 8), (uint8_t)d.bits};
            buf_add(b, three, 3);
            d = (struct decoder){0, 0};
        }
    }
    int wanted = d.have == 0 ? 0 : 4 - d.have;
    if (pads != wanted)
        return ERR_SYNTAX;
    return finish(b, &d);
}

int base64_into(struct slice text, uint8_t *out, size_t cap, size_t *n)
{
    *n = 0;
    if (text.n % 4 != 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < text.n; i += 4) {
        const uint8_t *p = text.p + i;
        int pads = i + 4 < text.n || p[3] != '=' ? 0 : p[2] != '=' ? 1 : 2;
        uint32_t v = 0;
        for (int k = 0; k < 4; k++) {
            uint8_t c = k >= 4 - pads ? 0 : p[k] < 128 ? values[p[k]] : 64;
            if (c == 64)
                return ERR_SYNTAX;
            v = v << 6 | c;
        }
        if (pads > 0 && (v & ((1u << 8 * pads) - 1)) != 0)
            return ERR_SYNTAX; /* bits set behind the end */
        for (int k = 0; k < 3 - pads; k++, ++*n)
            if (*n < cap)
                out[*n] = (uint8_t)(v >> (16 - 8 * k));
    }
    return 0;
}
