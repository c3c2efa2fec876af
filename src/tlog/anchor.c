#include "tlog/anchor.h"

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"
#include "crypto/digest.h"

#define VERSION 1
#define BYTES 57
#define CHECKED 53 /* before the CRC */
#define CHARS 92   /* 57 bytes are 456 bits; the last of 460 are zero */
#define GROUP 6

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, (uint16_t)(v >> 16));
    put_be16(p + 2, (uint16_t)v);
}

static void pack(const struct anchor *a, uint8_t out[BYTES])
{
    out[0] = VERSION;
    put_be64(out + 1, a->size);
    put_be64(out + 9, a->time_s);
    memcpy(out + 17, a->root.b, MERKLE_HASH);
    memcpy(out + 49, a->origin, 4);
    put_be32(out + CHECKED, crc32c(0, slice_of(out, CHECKED)));
}

void anchor_print(const struct anchor *a, char out[ANCHOR_TEXT])
{
    uint8_t bytes[BYTES + 1] = {0};
    size_t at = 0;
    pack(a, bytes);
    for (size_t i = 0; i < CHARS; i++) {
        size_t bit = i * 5;
        unsigned two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + (bit % 8 > 3)];
        if (i > 0 && i % GROUP == 0)
            out[at++] = '-';
        out[at++] = alphabet[two >> (11 - bit % 8) & 31];
    }
    out[at] = 0;
}

static int bad(struct diag *d, const char *why)
{
    return diag_set(d, ERR_SYNTAX, "no anchor: %s", why);
}

/* From the characters alone. */
static int unpack(const uint8_t *chars, struct anchor *out, struct diag *d)
{
    uint8_t bytes[BYTES + 1] = {0}, again[BYTES];
    for (size_t i = 0; i < CHARS; i++) {
        const char *c = memchr(alphabet, chars[i], 32);
        if (c == NULL)
            return bad(d, "letters A to Z and digits 2 to 7 only");
        unsigned v = (unsigned)(c - alphabet) << (11 - i * 5 % 8);
        bytes[i * 5 / 8] |= (uint8_t)(v >> 8);
        if (i * 5 % 8 > 3)
            bytes[i * 5 / 8 + 1] |= (uint8_t)v;
    }
    if (bytes[0] != VERSION)
        return bad(d, "it is of another version, or mistyped at its beginning");
    out->size = get_be64(bytes + 1);
    out->time_s = get_be64(bytes + 9);
    memcpy(out->root.b, bytes + 17, MERKLE_HASH);
    memcpy(out->origin, bytes + 49, 4);
    pack(out, again);
    if (memcmp(bytes, again, BYTES) != 0 || bytes[BYTES] != 0)
        return bad(d, "its check sum is wrong: is it copied whole and right?");
    if (out->size > INT64_MAX || out->time_s > INT64_MAX)
        return bad(d, "size or time over 2^63-1");
    return 0;
}

int anchor_read(struct slice text, struct anchor *out, struct diag *d)
{
    uint8_t chars[CHARS];
    size_t n = 0;
    *out = (struct anchor){0};
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (n == CHARS)
            return bad(d, "more than 92 letters and digits");
        chars[n++] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    }
    return n == CHARS ? unpack(chars, out, d) : bad(d, "fewer than 92 letters and digits");
}

int anchor_parse(struct slice text, struct anchor *out, struct diag *d)
{
    char again[ANCHOR_TEXT];
    int rc = anchor_read(text, out, d);
    if (rc != 0)
        return rc;
    anchor_print(out, again);
    return slice_eq_str(text, again) ? 0 : bad(d, "not in groups of six");
}

void anchor_origin(struct slice origin, uint8_t out[4])
{
    struct digest h;
    digest_of(DIGEST_SHA256, origin, &h);
    memcpy(out, h.b, 4);
}
