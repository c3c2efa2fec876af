#include "base/slice.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool slice_ieq(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool slice_ieq_str(struct slice a, const char *s)
{
    return slice_ieq(a, slice_str(s));
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0)
        return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool slice_starts(struct slice a, const char *prefix)
{
    struct slice p = slice_str(prefix);
    return a.n >= p.n && slice_eq(slice_sub(a, 0, p.n), p);
}

bool slice_istarts(struct slice a, const char *prefix)
{
    struct slice p = slice_str(prefix);
    return a.n >= p.n && slice_ieq(slice_sub(a, 0, p.n), p);
}

bool slice_ends(struct slice a, const char *suffix)
{
    struct slice s = slice_str(suffix);
    return a.n >= s.n && slice_eq(slice_from(a, a.n - s.n), s);
}

size_t slice_find(struct slice a, char c)
{
    if (a.n == 0)
        return SIZE_MAX;
    const uint8_t *q = memchr(a.p, (unsigned char)c, a.n);
    return q == NULL ? SIZE_MAX : (size_t)(q - a.p);
}

size_t slice_find_slice(struct slice a, struct slice needle)
{
    if (needle.n == 0)
        return 0;
    if (a.n < needle.n)
        return SIZE_MAX;
    const uint8_t *q = memmem(a.p, a.n, needle.p, needle.n);
    return q == NULL ? SIZE_MAX : (size_t)(q - a.p);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice a)
{
    while (a.n > 0 && is_blank(a.p[0]))
        a = slice_from(a, 1);
    while (a.n > 0 && is_blank(a.p[a.n - 1]))
        a.n--;
    return a;
}

bool slice_next(struct slice *rest, char sep, struct slice *piece)
{
    if (rest->p == NULL)
        return false;
    size_t at = slice_find(*rest, sep);
    if (at == SIZE_MAX) {
        *piece = *rest;
        *rest = SLICE_NONE;
        return true;
    }
    *piece = slice_sub(*rest, 0, at);
    *rest = slice_from(*rest, at + 1);
    return true;
}

bool slice_skip(struct slice *rest, struct slice prefix)
{
    if (rest->n < prefix.n || !slice_eq(slice_sub(*rest, 0, prefix.n), prefix))
        return false;
    *rest = slice_from(*rest, prefix.n);
    return true;
}

bool slice_until(struct slice *rest, char end, struct slice *piece)
{
    size_t n = slice_find(*rest, end);
    if (n == SIZE_MAX)
        return false;
    *piece = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, n);
    return true;
}

bool slice_u64(struct slice a, uint64_t *out)
{
    uint64_t v = 0;
    if (a.n == 0 || a.n > 20)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9')
            return false;
        uint64_t d = (uint64_t)(a.p[i] - '0');
        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool slice_hex64(struct slice a, uint64_t *out)
{
    uint64_t v = 0;
    if (a.n == 0 || a.n > 16)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        uint8_t c = lower(a.p[i]);
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

bool slice_cstr(struct slice a, char *out, size_t cap)
{
    if (cap == 0)
        return false;
    out[0] = 0;
    if (a.n >= cap || (a.n > 0 && memchr(a.p, 0, a.n) != NULL))
        return false;
    if (a.n > 0)
        memcpy(out, a.p, a.n);
    out[a.n] = 0;
    return true;
}

/* Length of the well-formed UTF-8 sequence at p (1 to 4), 0 when there is none. */
static size_t utf8_step(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size_t len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
    return overlong || outside ? 0 : len;
}

bool slice_is_utf8(struct slice a)
{
    size_t i = 0;
    while (i < a.n) {
        size_t len = utf8_step(a.p + i, a.n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
