#include "base/map.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* Open addressing with linear probing; removal shifts back, so there are no tombstones. */
struct entry {
    uint64_t hash;
    struct slice key;
    void *value; /* NULL: free */
};

struct map {
    struct entry *e;
    size_t cap, count, max; /* cap is a power of two */
    uint64_t seed;
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

uint64_t map_hash(struct slice key, uint64_t seed)
{
    uint64_t h = seed ^ (key.n * 0x9e3779b97f4a7c15ULL);
    size_t i = 0;
    for (; i + 8 <= key.n; i += 8) {
        uint64_t w;
        memcpy(&w, key.p + i, 8);
        h = mix(h ^ w) + seed;
    }
    uint64_t w = 0;
    if (i < key.n)
        memcpy(&w, key.p + i, key.n - i);
    return mix(h ^ w);
}

struct map *map_new(size_t max, uint64_t seed)
{
    struct map *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->cap = 16;
    m->max = max;
    m->seed = seed;
    m->e = calloc(m->cap, sizeof *m->e);
    if (m->e == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

void map_free(struct map *m)
{
    if (m == NULL)
        return;
    free(m->e);
    free(m);
}

/* The entry with this key, or the free one where it belongs. */
static size_t place(const struct map *m, struct slice key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (m->e[i].value != NULL && !(m->e[i].hash == hash && slice_eq(m->e[i].key, key)))
        i = (i + 1) & (m->cap - 1);
    return i;
}

void *map_get(const struct map *m, struct slice key)
{
    return m->e[place(m, key, map_hash(key, m->seed))].value;
}

static int grow(struct map *m)
{
    struct entry *old = m->e;
    size_t n = m->cap;
    struct entry *e = calloc(n * 2, sizeof *e);
    if (e == NULL)
        return ERR_NOMEM;
    m->e = e;
    m->cap = n * 2;
    for (size_t i = 0; i < n; i++)
        if (old[i].value != NULL)
            m->e[place(m, old[i].key, old[i].hash)] = old[i];
    free(old);
    return 0;
}

int map_put(struct map *m, struct slice key, void *value)
{
    uint64_t hash = map_hash(key, m->seed);
    size_t i = place(m, key, hash);
    if (m->e[i].value != NULL) {
        m->e[i].key = key;
        m->e[i].value = value;
        return 0;
    }
    if (m->count >= m->max)
        return ERR_TOO_LARGE;
    if ((m->count + 1) * 4 > m->cap * 3) {
        int rc = grow(m);
        if (rc != 0)
            return rc;
        i = place(m, key, hash);
    }
    m->e[i] = (struct entry){hash, key, value};
    m->count++;
    return 0;
}

void *map_remove(struct map *m, struct slice key)
{
    size_t mask = m->cap - 1;
    size_t i = place(m, key, map_hash(key, m->seed));
    void *value = m->e[i].value;
    if (value == NULL)
        return NULL;
    m->count--;
    for (size_t j = (i + 1) & mask; m->e[j].value != NULL; j = (j + 1) & mask) {
        size_t home = m->e[j].hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->e[i] = m->e[j];
            i = j;
        }
    }
    m->e[i].value = NULL;
    return value;
}

bool map_next(const struct map *m, size_t *at, struct slice *key, void **value)
{
    for (; *at < m->cap; ++*at) {
        if (m->e[*at].value == NULL)
            continue;
        *key = m->e[*at].key;
        *value = m->e[*at].value;
        ++*at;
        return true;
    }
    return false;
}
