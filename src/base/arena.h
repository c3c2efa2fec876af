/*
 * A capped arena: memory for one message or request, freed at once. Nothing in it is freed singly,
 * nothing that lives longer may point into it. Running over the cap is sticky: allocations return
 * NULL and arena_failed() stays true until the reset.
 */
#ifndef SILD_BASE_ARENA_H
#define SILD_BASE_ARENA_H

#include "base/attr.h"
#include "base/slice.h"

struct arena;

/* cap: the most bytes it ever gives out. Returns NULL without memory. */
struct arena *arena_new(size_t cap);
void arena_free(struct arena *a); /* NULL is harmless */

/* Gives everything back but one block, of the size that was needed (up to 64 KiB), so that the next
 * message allocates nothing. */
void arena_reset(struct arena *a);
bool arena_failed(const struct arena *a);

/* Aligned for any type, not zeroed / zeroed. NULL when over the cap. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);

/* Copies. All are followed by a zero byte that is not counted. */
struct slice arena_dup(struct arena *a, struct slice s);
char *arena_cstr(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
