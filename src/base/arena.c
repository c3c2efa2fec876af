#include "base/arena.h"

#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 4096
#define KEEP_MAX (64u << 10) /* the largest first block that a reset keeps */

/*
 * Under AddressSanitizer what is not given out may not be touched, and a gap lies between what is:
 * so that running over the end of a piece is seen, as it would be with malloc. Elsewhere the macros
 * of asan_interface.h are empty.
 */
#if defined(__SANITIZE_ADDRESS__)
#define GAP sizeof(max_align_t)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GAP sizeof(max_align_t)
#endif
#endif
#ifndef GAP
#define GAP 0
#endif

struct block {
    struct block *next;
    size_t cap, used;
    max_align_t data[];
};

struct arena {
    struct block *first, *last;
    size_t cap, given;
    bool failed;
};

static struct block *block_new(size_t cap)
{
    struct block *b = malloc(sizeof *b + cap);
    if (b == NULL)
        return NULL;
    b->next = NULL;
    b->cap = cap;
    b->used = 0;
    ASAN_POISON_MEMORY_REGION(b->data, cap);
    return b;
}

struct arena *arena_new(size_t cap)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->cap = cap;
    a->first = a->last = block_new(BLOCK_MIN);
    if (a->first == NULL) {
        free(a);
        return NULL;
    }
    return a;
}

static void free_blocks(struct block *b)
{
    while (b != NULL) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    free_blocks(a->first);
    free(a);
}

/* A first block that all of what was given fits into, so that the next message needs no other. */
static void grow_first(struct arena *a)
{
    size_t used = 0;
    for (const struct block *b = a->first; b != NULL; b = b->next)
        used += b->used;
    size_t cap = used + used / 4 < KEEP_MAX ? used + used / 4 : KEEP_MAX;
    struct block *b = cap > a->first->cap ? block_new(cap) : NULL;
    if (b == NULL)
        return;
    b->next = a->first;
    a->first = b;
}

void arena_reset(struct arena *a)
{
    if (a->first->next != NULL)
        grow_first(a);
    free_blocks(a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    ASAN_POISON_MEMORY_REGION(a->first->data, a->first->cap);
    a->last = a->first;
    a->given = 0;
    a->failed = false;
}

bool arena_failed(const struct arena *a)
{
    return a->failed;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t align = sizeof(max_align_t);
    if (a->failed || n > a->cap - a->given) {
        a->failed = true;
        return NULL;
    }
    size_t take = (n + GAP + align - 1) / align * align;
    if (take < n) {
        a->failed = true;
        return NULL;
    }
    struct block *b = a->last;
    if (take > b->cap - b->used) {
        size_t cap = b->cap * 2 > (1u << 20) ? (1u << 20) : b->cap * 2;
        b = block_new(take > cap ? take : cap);
        if (b == NULL) {
            a->failed = true;
            return NULL;
        }
        a->last->next = b;
        a->last = b;
    }
    void *p = (char *)b->data + b->used;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    b->used += take;
    a->given += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (p == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    char *p = arena_cstr(a, s);
    return p == NULL ? SLICE_NONE : slice_of(p, s.n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    struct block *b = a->last;
    char *next = (char *)b->data + b->used; /* where most texts fit: written at once */
    size_t room = b->cap - b->used;
    ASAN_UNPOISON_MEMORY_REGION(next, room);
    va_start(ap, fmt);
    int n = vsnprintf(room > 0 ? next : NULL, room, fmt, ap);
    va_end(ap);
    ASAN_POISON_MEMORY_REGION(next, room);
    if (n < 0)
        return NULL;
    char *p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL || (p == next && (size_t)n < room))
        return p; /* the bytes are still there */
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
