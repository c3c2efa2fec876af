#include "ledger/ledger_edge.h"
#include "base/err.h"

static int load_tiles(struct ledger_edge *e, tile_fetch fetch, void *ctx, uint64_t size)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, TILE_BYTES);
    for (unsigned level = 0; rc == 0 && level < TILE_LEVELS; level++) {
        struct tile_id id = {.level = level};
        id.index = tile_count(level, size, &id.width);
        if (id.width == 0)
            continue;
        buf_reset(&b);
        rc = fetch(ctx, &id, &b);
        if (rc == 0 && (b.failed || b.n != (size_t)id.width * MERKLE_HASH))
            rc = ERR_CORRUPT;
        if (rc == 0)
            memcpy(e->tile[level], b.p, b.n);
    }
    buf_free(&b);
    return rc;
}

static int load_bundle(struct ledger_edge *e, tile_fetch fetch, void *ctx, uint64_t size,
                       struct diag *d)
{
    struct tile_id id = {.entries = true};
    struct buf b;
    id.index = tile_count(0, size, &id.width);
    if (id.width == 0)
        return 0;
    buf_init(&b, LEDGER_BUNDLE_MAX);
    int rc = fetch(ctx, &id, &b);
    if (rc == 0 && b.failed)
        rc = ERR_CORRUPT;
    rc = rc != 0
             ? rc
             : tile_bundle_check(buf_view(&b), slice_of(e->tile[0], (size_t)id.width * MERKLE_HASH),
                                 id.width, d);
    if (rc == 0) {
        memcpy(e->bundle, b.p, b.n);
        e->bundle_n = b.n;
    }
    buf_free(&b);
    return rc;
}

static int load_frontier(struct ledger_edge *e, tile_fetch fetch, void *ctx, uint64_t size,
                         const struct merkle_hash *root, struct diag *d)
{
    struct merkle_hash got;
    struct tile_tree *t = tile_tree_new(fetch, ctx, size);
    int rc = t == NULL ? diag_set(d, ERR_NOMEM, "no memory for the ledger's tree") : 0;
    for (unsigned k = 0; rc == 0 && k < MERKLE_DEPTH; k++)
        if ((size >> k & 1) != 0)
            rc = tile_tree_get(t, k, (size >> k) - 1, &e->frontier.h[k]);
    tile_tree_free(t);
    e->frontier.size = size;
    merkle_root(&e->frontier, &got);
    if (rc == 0 && memcmp(got.b, root->b, MERKLE_HASH) != 0)
        rc = diag_set(d, ERR_INVALID_HASH_CHAIN,
                      "the tiles on disk do not give the root of the checkpoint");
    return rc;
}

int ledger_edge_load(struct ledger_edge *e, tile_fetch fetch, void *ctx, uint64_t size,
                     const struct merkle_hash *root, struct diag *d)
{
    memset(e, 0, sizeof *e);
    int rc = load_tiles(e, fetch, ctx, size);
    if (rc != 0)
        return diag_set(d, rc, "a tile of the right edge cannot be read: %s", err_text(rc));
    rc = load_bundle(e, fetch, ctx, size, d);
    if (rc != 0)
        return diag_set(d, rc, "the last entries do not fit their tile: %s", err_text(rc));
    return load_frontier(e, fetch, ctx, size, root, d);
}

/* The root of a full tile. */
static void tile_root(const uint8_t *tile, struct merkle_hash *out)
{
    struct merkle_hash h[TILE_WIDTH];
    memcpy(h, tile, TILE_BYTES);
    for (size_t n = TILE_WIDTH; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++) {
            struct merkle_hash left = h[2 * i], right = h[2 * i + 1];
            merkle_node(&left, &right, &h[i]);
        }
    *out = h[0];
}

static size_t add_bundle(struct ledger_edge *e, uint64_t at, const uint8_t *record,
                         struct ledger_edge_change *out)
{
    unsigned before = (unsigned)(at % TILE_WIDTH);
    if (before == 0)
        e->bundle_n = 0;
    e->bundle[e->bundle_n] = ROUND_RECORD >> 8;
    e->bundle[e->bundle_n + 1] = ROUND_RECORD & 0xFF;
    memcpy(e->bundle + e->bundle_n + 2, record, ROUND_RECORD);
    e->bundle_n += 2 + ROUND_RECORD;
    *out = (struct ledger_edge_change){
        .id = {.entries = true, .index = at / TILE_WIDTH, .width = before + 1},
        .bytes = slice_of(e->bundle, e->bundle_n)};
    return 1;
}

size_t ledger_edge_append(struct ledger_edge *e, const uint8_t record[ROUND_RECORD],
                          struct ledger_edge_change out[LEDGER_EDGE_CHANGES])
{
    struct merkle_hash h;
    uint64_t at = e->frontier.size;
    size_t n = add_bundle(e, at, record, out);
    merkle_leaf(slice_of(record, ROUND_RECORD), &h);
    merkle_append(&e->frontier, &h);
    for (unsigned level = 0; level < TILE_LEVELS; level++, at /= TILE_WIDTH) {
        unsigned before = (unsigned)(at % TILE_WIDTH);
        memcpy(e->tile[level] + (size_t)before * MERKLE_HASH, h.b, MERKLE_HASH);
        out[n++] = (struct ledger_edge_change){
            .id = {.level = level, .index = at / TILE_WIDTH, .width = before + 1},
            .bytes = slice_of(e->tile[level], (size_t)(before + 1) * MERKLE_HASH)};
        if (before + 1 < TILE_WIDTH)
            break;
        tile_root(e->tile[level], &h);
    }
    return n;
}

size_t ledger_edge_path(const struct ledger_edge *e, struct merkle_hash out[MERKLE_DEPTH])
{
    size_t n = 0;
    for (unsigned k = 0; k < MERKLE_DEPTH; k++)
        if ((e->frontier.size >> k & 1) != 0)
            out[n++] = e->frontier.h[k];
    return n;
}
