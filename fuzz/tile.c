/*
 * Tile paths, bundles, and trees out of tiles. The input is taken as a path; as a bundle; and, with
 * its first bytes as sizes, as what a server answers when tiles are asked for: whatever it answers,
 * a tree that is trusted gives no hash that does not lead to its root.
 */
#include "base/err.h"
#include "tlog/tile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEAVES 700 /* of the true tree: two full tiles and a partial one, and one above */

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_path(struct slice text)
{
    struct tile_id id;
    char path[TILE_PATH_MAX];
    uint64_t n;
    if (tile_parse(text, &id) == 0) {
        must(id.width >= 1 && id.width <= TILE_WIDTH && id.level < TILE_LEVELS);
        tile_path(&id, path);
        must(slice_eq_str(text, path));
    }
    if (tile_index_parse(text, &n) == 0) {
        tile_index_path(n, path);
        must(slice_eq_str(text, path) && n <= INT64_MAX);
    }
}

static void try_bundle(struct slice text)
{
    struct slice rest = text, entry;
    struct buf again, tile;
    bool bad;
    unsigned n = 0;
    buf_init(&again, text.n + 2);
    buf_init(&tile, TILE_BYTES);
    for (; tile_bundle_next(&rest, &entry, &bad); n++) {
        struct merkle_hash h;
        must(tile_bundle_add(&again, entry) == 0);
        merkle_leaf(entry, &h);
        buf_add(&tile, h.b, sizeof h);
    }
    must(slice_eq(buf_view(&again), slice_sub(text, 0, again.n)) && bad == (again.n < text.n));
    if (n > 0 && n <= TILE_WIDTH) {
        int rc = tile_bundle_check(text, buf_view(&tile), n, NULL);
        must(rc == (bad ? ERR_CORRUPT : 0));
        if (n > 1)
            must(tile_bundle_check(text, slice_sub(buf_view(&tile), 0, tile.n - MERKLE_HASH), n - 1,
                                   NULL) == ERR_CORRUPT);
        tile.p[tile.n - 1] ^= 1;
        must(tile_bundle_check(text, buf_view(&tile), n, NULL) != 0);
    }
    must(tile_bundle_check(text, SLICE_LIT("x"), 1, NULL) == ERR_CORRUPT);
    buf_free(&again);
    buf_free(&tile);
}

/* The true tree, and changes to what is fetched: {level and tile, where, by what}, three bytes
 * each.
 */
static struct merkle_hash leaves[LEAVES], upper[2];

struct server {
    struct slice changes;
};

static int fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    const struct server *s = ctx;
    const struct merkle_hash *h = id->level == 0 ? leaves + id->index * TILE_WIDTH : upper;
    if (id->level > 1)
        return ERR_NOT_FOUND;
    size_t n = id->width * (size_t)MERKLE_HASH;
    buf_add(out, h, n);
    for (size_t i = 0; i + 2 < s->changes.n; i += 3) {
        const uint8_t *c = s->changes.p + i;
        if ((c[0] & 3) != (id->level == 0 ? id->index : 3))
            continue;
        if (c[0] & 64)
            out->n -= c[1] % 3;
        else if (out->n > 0)
            out->p[(c[1] * 32u + (c[0] >> 2)) % out->n] ^= c[2];
    }
    return 0;
}

static void try_tree(struct slice text)
{
    static struct merkle_hash root;
    static struct tile_tree *t;
    struct server honest = {SLICE_NONE}, s = {slice_from(text, 2)};
    struct merkle_hash h, proof[MERKLE_DEPTH];
    size_t n;
    struct diag d;
    if (upper[0].b[0] == 0 && upper[0].b[1] == 0) {
        struct merkle_frontier f = {0};
        for (uint64_t i = 0; i < LEAVES; i++) {
            merkle_leaf(slice_of(&i, sizeof i), &leaves[i]);
            merkle_append(&f, &leaves[i]);
            if (f.size == 256)
                upper[0] = f.h[8];
            if (f.size == 512) { /* the node over both; its right half is made again */
                struct merkle_frontier right = {0};
                for (int k = 256; k < 512; k++)
                    merkle_append(&right, &leaves[k]);
                merkle_root(&right, &upper[1]);
            }
        }
        merkle_root(&f, &root);
    }
    uint64_t leaf = (uint64_t)(text.p[0] << 8 | text.p[1]) % LEAVES;
    t = tile_tree_new(fetch, &honest, LEAVES);
    must(t != NULL && tile_tree_trust(t, &root, NULL) == 0);
    must(tile_tree_get(t, 0, leaf, &h) == 0);
    tile_tree_free(t);
    t = tile_tree_new(fetch, &s, LEAVES);
    must(t != NULL);
    if (tile_tree_trust(t, &root, &d) == 0) {
        for (uint64_t i = leaf % 256; i < LEAVES; i += 256)
            if (tile_tree_get(t, 0, i, &h) == 0)
                must(memcmp(&h, &leaves[i], sizeof h) == 0);
        if (merkle_inclusion(tile_tree_get, t, leaf, LEAVES, proof, &n) == 0)
            must(merkle_verify_inclusion(&leaves[leaf], leaf, LEAVES, proof, n, &root) == 0);
    } else {
        must(d.text[0] != 0);
    }
    tile_tree_resize(t, 5);
    must(tile_tree_get(t, 0, 5, &h) == ERR_NOT_FOUND);
    tile_tree_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    try_path(text);
    try_bundle(text);
    if (size > 2)
        try_tree(text);
    return 0;
}
