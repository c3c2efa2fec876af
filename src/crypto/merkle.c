#include "crypto/merkle.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/digest.h"

/* One context for the whole process, which is single-threaded: no fetch, no allocation a hash. */
static struct digest_ctx *hasher(void)
{
    static struct digest_ctx *ctx;
    if (ctx == NULL && (ctx = digest_ctx_new()) == NULL)
        abort();
    digest_begin(ctx, DIGEST_SHA256);
    return ctx;
}

static void finish(struct digest_ctx *ctx, struct merkle_hash *out)
{
    struct digest d;
    digest_end(ctx, &d);
    memcpy(out->b, d.b, MERKLE_HASH);
}

static bool same(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a->b, b->b, MERKLE_HASH) == 0;
}

/* Sizes above 2^63 - 1 are no tree's: with them a consistency proof would need one hash more. */
static bool size_ok(uint64_t size)
{
    return size <= INT64_MAX;
}

void merkle_leaf(struct slice data, struct merkle_hash *out)
{
    struct digest_ctx *ctx = hasher();
    digest_add(ctx, SLICE_LIT("\x00"));
    digest_add(ctx, data);
    finish(ctx, out);
}

void merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
                 struct merkle_hash *out)
{
    uint8_t both[1 + 2 * MERKLE_HASH] = {1};
    memcpy(both + 1, left->b, MERKLE_HASH);
    memcpy(both + 1 + MERKLE_HASH, right->b, MERKLE_HASH);
    struct digest_ctx *ctx = hasher();
    digest_add(ctx, slice_of(both, sizeof both));
    finish(ctx, out);
}

void merkle_empty(struct merkle_hash *out)
{
    finish(hasher(), out);
}

void merkle_append(struct merkle_frontier *f, const struct merkle_hash *leaf)
{
    if (f->size >= INT64_MAX)
        abort();
    struct merkle_hash h = *leaf;
    unsigned k = 0;
    for (; (f->size >> k & 1) != 0; k++)
        merkle_node(&f->h[k], &h, &h);
    f->h[k] = h;
    f->size++;
}

void merkle_root(const struct merkle_frontier *f, struct merkle_hash *out)
{
    bool any = false;
    for (unsigned k = 0; k < MERKLE_DEPTH; k++) {
        if ((f->size >> k & 1) == 0)
            continue;
        if (any)
            merkle_node(&f->h[k], out, out);
        else
            *out = f->h[k];
        any = true;
    }
    if (!any)
        merkle_empty(out);
}

/*
 * Hash of the leaves from..to. The range is one of those that RFC 6962 splits a tree into: `from`
 * is a multiple of the smallest power of two that is not less than to - from, so all its perfect
 * subtrees are aligned. Joined from the smallest (right) to the largest (left).
 */
static int range_hash(merkle_get get, void *ctx, uint64_t from, uint64_t to,
                      struct merkle_hash *out)
{
    bool any = false;
    for (unsigned k = 0; from < to; k++) {
        if (((to - from) >> k & 1) == 0)
            continue;
        struct merkle_hash h;
        to -= UINT64_C(1) << k;
        int rc = get(ctx, k, to >> k, &h);
        if (rc != 0)
            return rc;
        if (any)
            merkle_node(&h, out, out);
        else
            *out = h;
        any = true;
    }
    return 0;
}

/* The largest power of two less than n; n is at least 2. */
static uint64_t split_of(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static void reverse(struct merkle_hash *h, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct merkle_hash swap = h[i];
        h[i] = h[n - 1 - i];
        h[n - 1 - i] = swap;
    }
}

int merkle_root_at(merkle_get get, void *ctx, uint64_t size, struct merkle_hash *out)
{
    if (!size_ok(size))
        return ERR_TOO_LARGE;
    if (size == 0) {
        merkle_empty(out);
        return 0;
    }
    return range_hash(get, ctx, 0, size, out);
}

int merkle_inclusion(merkle_get get, void *ctx, uint64_t leaf, uint64_t size,
                     struct merkle_hash proof[MERKLE_DEPTH], size_t *count)
{
    *count = 0;
    if (!size_ok(size))
        return ERR_TOO_LARGE;
    if (leaf >= size)
        return ERR_USAGE;
    size_t n = 0;
    for (uint64_t from = 0, to = size; to - from > 1;) {
        uint64_t mid = from + split_of(to - from);
        bool left = leaf < mid;
        int rc = range_hash(get, ctx, left ? mid : from, left ? to : mid, &proof[n++]);
        if (rc != 0)
            return rc;
        if (left)
            to = mid;
        else
            from = mid;
    }
    reverse(proof, n);
    *count = n;
    return 0;
}

int merkle_consistency(merkle_get get, void *ctx, uint64_t old_size, uint64_t size,
                       struct merkle_hash proof[MERKLE_DEPTH], size_t *count)
{
    *count = 0;
    if (!size_ok(size))
        return ERR_TOO_LARGE;
    if (old_size > size)
        return ERR_USAGE;
    if (old_size == 0 || old_size == size)
        return 0;
    size_t n = 0;
    uint64_t from = 0, to = size;
    int rc = 0;
    while (rc == 0 && old_size != to) {
        uint64_t mid = from + split_of(to - from);
        bool left = old_size <= mid;
        rc = range_hash(get, ctx, left ? mid : from, left ? to : mid, &proof[n++]);
        if (left)
            to = mid;
        else
            from = mid;
    }
    /* The old tree itself is known to the verifier; a part of it is not. */
    if (rc == 0 && from != 0)
        rc = range_hash(get, ctx, from, to, &proof[n++]);
    if (rc != 0)
        return rc;
    reverse(proof, n);
    *count = n;
    return 0;
}

/* The verifiers follow RFC 9162 2.1.3.2 and 2.1.4.2, whose trees are the same as RFC 6962's. */

int merkle_verify_inclusion(const struct merkle_hash *leaf_hash, uint64_t leaf, uint64_t size,
                            const struct merkle_hash *proof, size_t count,
                            const struct merkle_hash *root)
{
    if (!size_ok(size) || leaf >= size || count > MERKLE_DEPTH)
        return ERR_INVALID_HASH_CHAIN;
    uint64_t fn = leaf, sn = size - 1;
    struct merkle_hash r = *leaf_hash;
    for (size_t i = 0; i < count; i++, fn >>= 1, sn >>= 1) {
        if (sn == 0)
            return ERR_INVALID_HASH_CHAIN;
        if ((fn & 1) == 0 && fn != sn) {
            merkle_node(&r, &proof[i], &r);
            continue;
        }
        merkle_node(&proof[i], &r, &r);
        for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
            sn >>= 1;
    }
    return sn == 0 && same(&r, root) ? 0 : ERR_INVALID_HASH_CHAIN;
}

int merkle_verify_consistency(uint64_t old_size, const struct merkle_hash *old_root, uint64_t size,
                              const struct merkle_hash *root, const struct merkle_hash *proof,
                              size_t count)
{
    if (!size_ok(size) || old_size == 0 || old_size > size || count > MERKLE_DEPTH)
        return ERR_INVALID_HASH_CHAIN;
    if (old_size == size)
        return count == 0 && same(old_root, root) ? 0 : ERR_INVALID_HASH_CHAIN;

    uint64_t fn = old_size - 1, sn = size - 1;
    for (; (fn & 1) != 0; fn >>= 1)
        sn >>= 1;
    /* When the old tree is one perfect subtree its root begins the path and is not sent. */
    bool perfect = (old_size & (old_size - 1)) == 0;
    if (!perfect && count == 0)
        return ERR_INVALID_HASH_CHAIN;
    struct merkle_hash fr = perfect ? *old_root : proof[0], sr = fr;
    for (size_t i = perfect ? 0 : 1; i < count; i++, fn >>= 1, sn >>= 1) {
        if (sn == 0)
            return ERR_INVALID_HASH_CHAIN;
        if ((fn & 1) == 0 && fn != sn) {
            merkle_node(&sr, &proof[i], &sr);
            continue;
        }
        merkle_node(&proof[i], &fr, &fr);
        merkle_node(&proof[i], &sr, &sr);
        for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
            sn >>= 1;
    }
    return sn == 0 && same(&fr, old_root) && same(&sr, root) ? 0 : ERR_INVALID_HASH_CHAIN;
}
