#include "crypto/der.h"

#include <stdio.h>
#include <string.h>

#include "base/timeval.h"

/* The length octets of n into out; returns their number. */
static size_t length_octets(size_t n, uint8_t out[9])
{
    if (n < 0x80) {
        out[0] = (uint8_t)n;
        return 1;
    }
    size_t k = 0;
    for (size_t v = n; v > 0; v >>= 8)
        k++;
    out[0] = (uint8_t)(0x80 | k);
    for (size_t i = 0; i < k; i++)
        out[1 + i] = (uint8_t)(n >> (8 * (k - 1 - i)));
    return 1 + k;
}

size_t der_open(struct buf *b, uint8_t tag)
{
    buf_byte(b, tag);
    return b->n;
}

/* The length was unknown when the content began, so the content moves by the octets it takes. */
void der_close(struct buf *b, size_t at)
{
    if (b->failed)
        return;
    uint8_t len[9];
    size_t n = b->n - at, k = length_octets(n, len);
    if (buf_room(b, k) == NULL)
        return;
    memmove(b->p + at + k, b->p + at, n);
    memcpy(b->p + at, len, k);
    b->n += k;
}

void der_put(struct buf *b, uint8_t tag, struct slice content)
{
    uint8_t len[9];
    size_t k = length_octets(content.n, len);
    buf_byte(b, tag);
    buf_add(b, len, k);
    buf_slice(b, content);
}

void der_unsigned(struct buf *b, struct slice v)
{
    while (v.n > 0 && v.p[0] == 0)
        v = slice_from(v, 1);
    size_t at = der_open(b, DER_INTEGER);
    if (v.n == 0 || v.p[0] >= 0x80)
        buf_byte(b, 0);
    buf_slice(b, v);
    der_close(b, at);
}

void der_uint(struct buf *b, uint64_t v)
{
    uint8_t be[8];
    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)(v >> (56 - 8 * i));
    der_unsigned(b, slice_of(be, sizeof be));
}

void der_true(struct buf *b)
{
    der_put(b, DER_BOOLEAN, SLICE_LIT("\xff"));
}

static void base128(struct buf *b, uint64_t v)
{
    int shift = 63;
    while (shift > 0 && v >> shift == 0)
        shift -= 7;
    for (; shift > 0; shift -= 7)
        buf_byte(b, (uint8_t)(0x80 | (v >> shift & 0x7f)));
    buf_byte(b, (uint8_t)(v & 0x7f));
}

void der_oid(struct buf *b, const char *dotted)
{
    struct slice rest = slice_str(dotted), arc;
    uint64_t first = 0, v;
    size_t at = der_open(b, DER_OID);
    for (int i = 0; slice_next(&rest, '.', &arc); i++) {
        if (!slice_u64(arc, &v) || (i == 0 && v > 2) || (i == 1 && first < 2 && v > 39) ||
            v > INT64_MAX) {
            b->failed = true;
            return;
        }
        if (i == 0)
            first = v;
        else
            base128(b, i == 1 ? first * 40 + v : v);
    }
    if (b->n == at)
        b->failed = true;
    der_close(b, at);
}

void der_generalized(struct buf *b, int64_t ms)
{
    struct timeval_parts t = timeval_split(ms);
    char text[80];
    int n = snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02dZ", t.year, t.month, t.day, t.hour,
                     t.minute, t.second);
    if (t.year < 0 || t.year > 9999)
        b->failed = true;
    der_put(b, DER_GENERALIZED_TIME, slice_of(text, (size_t)n));
}

void der_time(struct buf *b, int64_t ms)
{
    struct timeval_parts t = timeval_split(ms);
    if (t.year < 1950 || t.year > 2049) {
        der_generalized(b, ms);
        return;
    }
    char text[80];
    int n = snprintf(text, sizeof text, "%02d%02d%02d%02d%02d%02dZ", t.year % 100, t.month, t.day,
                     t.hour, t.minute, t.second);
    der_put(b, DER_UTC_TIME, slice_of(text, (size_t)n));
}

void der_bits(struct buf *b, struct slice octets)
{
    size_t at = der_open(b, DER_BIT_STRING);
    buf_byte(b, 0);
    buf_slice(b, octets);
    der_close(b, at);
}

void der_algorithm(struct buf *b, struct slice oid, bool null)
{
    size_t at = der_open(b, DER_SEQUENCE);
    der_put(b, DER_OID, oid);
    if (null)
        der_put(b, DER_NULL, SLICE_NONE);
    der_close(b, at);
}

#define DEPTH_MAX 24 /* a token with certificates in it has some fifteen levels */

/* An element's head. n is its content's length, SIZE_MAX when indefinite. */
struct head {
    uint8_t tag;
    size_t octets; /* of tag and length */
    size_t n;
};

static bool read_head(struct slice s, struct head *h)
{
    if (s.n < 2 || (s.p[0] & 0x1f) == 0x1f)
        return false;
    *h = (struct head){s.p[0], 2, s.p[1]};
    if (h->n == 0x80) {
        h->n = SIZE_MAX;
        return (h->tag & 0x20) != 0;
    }
    if (h->n > 0x80) {
        size_t k = h->n & 0x7f;
        if (k > 4 || s.n < 2 + k)
            return false;
        h->n = 0;
        for (size_t i = 0; i < k; i++)
            h->n = h->n << 8 | s.p[2 + i];
        h->octets = 2 + k;
    }
    return h->n <= s.n - h->octets;
}

bool der_any(struct slice *in, uint8_t *tag, struct slice *content, struct slice *whole)
{
    struct slice s = *in;
    struct head h;
    if (!read_head(s, &h) || h.n == SIZE_MAX)
        return false;
    *tag = h.tag;
    if (content != NULL)
        *content = slice_of(s.p + h.octets, h.n);
    if (whole != NULL)
        *whole = slice_of(s.p, h.octets + h.n);
    *in = slice_from(s, h.octets + h.n);
    return true;
}

bool der_next(struct slice *in, uint8_t tag, struct slice *content, struct slice *whole)
{
    uint8_t got;
    return in->n > 0 && in->p[0] == tag && der_any(in, &got, content, whole);
}

static bool take_end(struct slice *in)
{
    if (in->n < 2 || in->p[0] != 0 || in->p[1] != 0)
        return false;
    *in = slice_from(*in, 2);
    return true;
}

static bool skip(struct slice *in, int depth)
{
    struct head h;
    if (depth == DEPTH_MAX || !read_head(*in, &h))
        return false;
    *in = slice_from(*in, h.octets + (h.n == SIZE_MAX ? 0 : h.n));
    if (h.n != SIZE_MAX)
        return true;
    while (!take_end(in))
        if (!skip(in, depth + 1))
            return false;
    return true;
}

bool der_any_ber(struct slice *in, struct slice *whole)
{
    struct slice rest = *in;
    if (!skip(&rest, 0))
        return false;
    *whole = slice_sub(*in, 0, in->n - rest.n);
    *in = rest;
    return true;
}

/* in_string: the element is a piece of an octet string, whose content alone is written. */
static bool convert(struct slice *in, struct buf *out, bool in_string, int depth)
{
    struct head h;
    if (depth == DEPTH_MAX || !read_head(*in, &h))
        return false;
    bool constructed = (h.tag & 0x20) != 0, string = h.tag == (DER_OCTET_STRING | 0x20);
    if (in_string && !string && h.tag != DER_OCTET_STRING)
        return false;
    bool indefinite = h.n == SIZE_MAX;
    struct slice content = slice_from(*in, h.octets);
    if (!indefinite)
        content = slice_sub(content, 0, h.n);
    size_t at = in_string ? 0 : der_open(out, string ? DER_OCTET_STRING : h.tag);
    if (!constructed) {
        buf_slice(out, content);
        content = slice_from(content, content.n);
    }
    while (indefinite ? !take_end(&content) : content.n > 0)
        if (!convert(&content, out, string, depth + 1))
            return false;
    if (!in_string)
        der_close(out, at);
    *in = indefinite ? content : slice_from(*in, h.octets + h.n);
    return !out->failed;
}

bool der_from_ber(struct slice ber, struct buf *out)
{
    return convert(&ber, out, false, 0) && ber.n == 0;
}
