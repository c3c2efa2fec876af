#include "evidence/xades_cache.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define KINDS (XADES_VERDICT_TOKEN + 1)
#define LAST_MAX (64u << 10)

struct slot {
    bool full;
    uint64_t used; /* the cache's clock when it was last looked at */
    struct xades_verdict v;
};

/* What the last key of a kind was made of: the messages of a batch ask for the same again. */
struct last {
    struct buf bytes;
    uint8_t key[32];
};

/* Sets of WAYS slots; the key's first bytes choose the set. */
struct xades_cache {
    struct digest_ctx *digest;
    struct last last[KINDS];
    const struct globalconf *g;
    uint64_t clock;
    size_t sets;
    struct slot slot[];
};

struct xades_cache *xades_cache_new(size_t entries)
{
    size_t sets = 1;
    while (sets * WAYS < entries && sets < (1u << 20))
        sets *= 2;
    struct xades_cache *c = calloc(1, sizeof *c + sets * WAYS * sizeof c->slot[0]);
    if (c == NULL)
        return NULL;
    c->sets = sets;
    for (size_t i = 0; i < KINDS; i++)
        buf_init(&c->last[i].bytes, LAST_MAX);
    c->digest = digest_ctx_new();
    if (c->digest == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void slot_empty(struct slot *s)
{
    if (s->full) {
        cert_free(s->v.a);
        cert_free(s->v.b);
    }
    *s = (struct slot){0};
}

void xades_cache_clear(struct xades_cache *c)
{
    for (size_t i = 0; i < c->sets * WAYS; i++)
        slot_empty(&c->slot[i]);
}

void xades_cache_free(struct xades_cache *c)
{
    if (c == NULL)
        return;
    xades_cache_clear(c);
    digest_ctx_free(c->digest);
    for (size_t i = 0; i < KINDS; i++)
        buf_free(&c->last[i].bytes);
    free(c);
}

static bool is_last(const struct last *last, const struct slice *parts, size_t n)
{
    struct slice rest = buf_view(&last->bytes);
    if (rest.n == 0 || last->bytes.failed)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t len = parts[i].n;
        if (!slice_skip(&rest, slice_of(&len, sizeof len)) || !slice_skip(&rest, parts[i]))
            return false;
    }
    return rest.n == 0;
}

void xades_cache_key(struct xades_cache *c, enum xades_verdict_kind kind, const struct slice *parts,
                     size_t n, uint8_t key[32])
{
    uint64_t head[2] = {kind, n};
    struct last *last = &c->last[kind];
    if (is_last(last, parts, n)) {
        memcpy(key, last->key, 32);
        return;
    }
    buf_reset(&last->bytes);
    digest_begin(c->digest, DIGEST_SHA256);
    digest_add(c->digest, slice_of(head, sizeof head));
    for (size_t i = 0; i < n; i++) {
        uint64_t len = parts[i].n;
        digest_add(c->digest, slice_of(&len, sizeof len));
        digest_add(c->digest, parts[i]);
        buf_add(&last->bytes, &len, sizeof len);
        buf_slice(&last->bytes, parts[i]);
    }
    struct digest d;
    digest_end(c->digest, &d);
    memcpy(key, d.b, 32);
    memcpy(last->key, key, 32);
}

static struct slot *set_of(struct xades_cache *c, const uint8_t key[32])
{
    uint64_t h;
    memcpy(&h, key, sizeof h);
    return &c->slot[(h & (c->sets - 1)) * WAYS];
}

const struct xades_verdict *xades_cache_get(struct xades_cache *c, const struct globalconf *g,
                                            const uint8_t key[32], int64_t at_ms)
{
    if (c->g != g) {
        xades_cache_clear(c);
        c->g = g;
    }
    struct slot *s = set_of(c, key);
    for (size_t i = 0; i < WAYS; i++) {
        if (!s[i].full || memcmp(s[i].v.key, key, 32) != 0)
            continue;
        if (at_ms < s[i].v.from_ms || at_ms >= s[i].v.until_ms)
            return NULL;
        s[i].used = ++c->clock;
        return &s[i].v;
    }
    return NULL;
}

/* The slot of this key, or a free one, or the one that was not looked at for the longest time. */
static struct slot *slot_for(struct xades_cache *c, const uint8_t key[32])
{
    struct slot *s = set_of(c, key), *best = s;
    for (size_t i = 0; i < WAYS; i++) {
        if (s[i].full && memcmp(s[i].v.key, key, 32) == 0)
            return &s[i];
        if (s[i].used < best->used)
            best = &s[i];
    }
    return best;
}

void xades_cache_put(struct xades_cache *c, const struct globalconf *g,
                     const struct xades_verdict *v)
{
    if (c->g != g) {
        xades_cache_clear(c);
        c->g = g;
    }
    struct slot *s = slot_for(c, v->key);
    struct xades_verdict copy = *v;
    copy.a = v->a == NULL ? NULL : cert_ref(v->a);
    copy.b = v->b == NULL ? NULL : cert_ref(v->b);
    slot_empty(s);
    *s = (struct slot){.full = true, .used = ++c->clock, .v = copy};
}
