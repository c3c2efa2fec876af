/*
 * A hash map from byte strings to pointers. Keys are borrowed: they must outlive the map or the
 * entry. The seed comes from the caller (random where keys come from outside).
 */
#ifndef SILD_BASE_MAP_H
#define SILD_BASE_MAP_H

#include "base/attr.h"
#include "base/slice.h"

struct map;

/* max: the most entries it takes. NULL without memory. */
struct map *map_new(size_t max, uint64_t seed);
void map_free(struct map *m); /* frees the map, not what it points to; NULL is harmless */

/* NULL when there is none. */
void *map_get(const struct map *m, struct slice key);
/* Adds or replaces; ERR_TOO_LARGE over the maximum, ERR_NOMEM. value is not NULL. */
int map_put(struct map *m, struct slice key, void *value) MUST_USE;
/* Returns what was there, or NULL. */
void *map_remove(struct map *m, struct slice key);
/* Walks in no particular order: start with *at = 0; false at the end. The map must not change
 * meanwhile. */
bool map_next(const struct map *m, size_t *at, struct slice *key, void **value);

/* A seeded 64-bit hash, for tables of one's own; not a cryptographic one. */
uint64_t map_hash(struct slice key, uint64_t seed);

#endif
