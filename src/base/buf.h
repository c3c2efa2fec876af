/*
 * A growing byte buffer with a maximum set at construction. Errors are sticky: after the first
 * append that does not fit (or finds no memory) `failed` is set and later appends do nothing, so a
 * group of appends is checked once at its end.
 */
#ifndef SILD_BASE_BUF_H
#define SILD_BASE_BUF_H

#include "base/attr.h"
#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated, at most max + 1 */
    size_t max; /* never more than this */
    bool failed;
};

/* Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory and makes it empty; usable again. */
void buf_free(struct buf *b);
/* The same, overwriting the bytes first: for secrets. */
void buf_wipe(struct buf *b);
/* Empties, keeps the memory, clears `failed`. */
void buf_reset(struct buf *b);

/* For buf_room, when there is not enough of it. */
uint8_t *buf_grow(struct buf *b, size_t n);

/* Room for n more bytes at the returned place (then add to b->n what was written); NULL when it
 * does not fit. */
static inline uint8_t *buf_room(struct buf *b, size_t n)
{
    if (!b->failed && n < b->cap - b->n) /* one more for buf_cstr */
        return b->p + b->n;
    return buf_grow(b, n);
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_room(b, n);
    if (to == NULL || n == 0)
        return;
    memcpy(to, p, n);
    b->n += n;
}

static inline void buf_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_byte(struct buf *b, uint8_t c)
{
    uint8_t *to = buf_room(b, 1);
    if (to == NULL)
        return;
    *to = c;
    b->n++;
}

void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops n bytes at the front (at most all). Cost: moves what is left. */
void buf_drop(struct buf *b, size_t n);

/* The bytes, valid until the next change. */
static inline struct slice buf_view(const struct buf *b)
{
    return slice_of(b->p, b->n);
}

/* The bytes as a C string (a zero is kept after the end, not counted); "" when empty or failed. */
const char *buf_cstr(struct buf *b);

#endif
