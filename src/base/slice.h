/*
 * Borrowed bytes: pointer and length, passed by value. A slice owns nothing; whoever made the
 * bytes says how long they live. Text in a slice is not terminated by a zero.
 */
#ifndef SILD_BASE_SLICE_H
#define SILD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

/* A slice of a string literal, usable in initialisers. */
#define SLICE_LIT(s) ((struct slice){(const uint8_t *)("" s), sizeof(s) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})

/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).n, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const uint8_t *)p, n};
}

/* The text of a C string, without its zero; NULL gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
    return s == NULL ? SLICE_NONE : slice_of(s, strlen(s));
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Equal but for the case of ASCII letters. */
bool slice_ieq_str(struct slice a, const char *s);
bool slice_ieq(struct slice a, struct slice b);
/* Order as memcmp, the shorter first. */
int slice_cmp(struct slice a, struct slice b);
bool slice_starts(struct slice a, const char *prefix);
bool slice_istarts(struct slice a, const char *prefix);
bool slice_ends(struct slice a, const char *suffix);

/* Position of the first byte c, or of the first occurrence of needle; SIZE_MAX when there is none.
 */
size_t slice_find(struct slice a, char c);
size_t slice_find_slice(struct slice a, struct slice needle);

/* Bytes from..from+n, cut to what is there. */
static inline struct slice slice_sub(struct slice a, size_t from, size_t n)
{
    if (from > a.n)
        from = a.n;
    if (n > a.n - from)
        n = a.n - from;
    return slice_of(a.n == 0 ? a.p : a.p + from, n);
}

/* All bytes from `from` on. */
static inline struct slice slice_from(struct slice a, size_t from)
{
    return slice_sub(a, from, a.n);
}

/* Without blanks and tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice a);

/*
 * Cuts the next piece off *rest at byte sep. Returns false when nothing is left (rest->p is NULL).
 * "a,,b" gives "a", "", "b"; an empty slice that is not NULL gives one empty piece.
 */
bool slice_next(struct slice *rest, char sep, struct slice *piece);

/* Cuts the prefix off the front of *rest; false when it does not stand there. */
bool slice_skip(struct slice *rest, struct slice prefix);
/* Cuts what stands before byte `end` off the front of *rest, where that byte stays; false when
 * there is none. */
bool slice_until(struct slice *rest, char end, struct slice *piece);

/* Decimal digits only, no sign, no blank, at most 20 digits, no overflow; false otherwise. */
bool slice_u64(struct slice a, uint64_t *out);
/* Hexadecimal digits only, 1 to 16. */
bool slice_hex64(struct slice a, uint64_t *out);

/* Copies as a C string into out (cap bytes); false, and an empty string, when it does not fit or
 * holds a zero byte. */
bool slice_cstr(struct slice a, char *out, size_t cap);

/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice a);

#endif
