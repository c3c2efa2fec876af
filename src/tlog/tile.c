#include "tlog/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/err.h"
#include "tlog/lines.h"

/* --- paths --- */

/* Groups of three digits, 'x' before all but the last. */
static size_t print_index(uint64_t n, char *out)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    int groups = (len + 2) / 3, lead = groups * 3 - len;
    size_t at = 0;
    for (int g = 0; g < groups; g++) {
        if (g > 0)
            out[at++] = '/';
        if (g + 1 < groups)
            out[at++] = 'x';
        for (int k = 3 * g; k < 3 * g + 3; k++)
            out[at++] = k < lead ? '0' : digits[k - lead];
    }
    out[at] = 0;
    return at;
}

void tile_index_path(uint64_t n, char out[TILE_PATH_MAX])
{
    print_index(n, out);
}

void tile_path(const struct tile_id *t, char out[TILE_PATH_MAX])
{
    int at = t->entries ? snprintf(out, TILE_PATH_MAX, "tile/entries/")
                        : snprintf(out, TILE_PATH_MAX, "tile/%u/", t->level);
    size_t n = (size_t)at + print_index(t->index, out + at);
    if (t->width < TILE_WIDTH)
        snprintf(out + n, TILE_PATH_MAX - n, ".p/%u", t->width);
}

static bool three_digits(struct slice *rest, uint64_t *n)
{
    uint64_t v;
    if (rest->n < 3 || !slice_u64(slice_sub(*rest, 0, 3), &v) || *n > (INT64_MAX - v) / 1000)
        return false;
    *n = *n * 1000 + v;
    *rest = slice_from(*rest, 3);
    return true;
}

/* Takes an index off the front; a group of zeros at the front would be a second path. */
static bool take_index(struct slice *rest, uint64_t *n)
{
    *n = 0;
    bool first = true;
    while (slice_skip(rest, SLICE_LIT("x"))) {
        if (!three_digits(rest, n) || !slice_skip(rest, SLICE_LIT("/")) || (first && *n == 0))
            return false;
        first = false;
    }
    return three_digits(rest, n);
}

int tile_index_parse(struct slice path, uint64_t *n)
{
    return take_index(&path, n) && path.n == 0 ? 0 : ERR_SYNTAX;
}

/* Takes a small decimal without leading zero off the front, up to `end` or the end. */
static bool take_small(struct slice *rest, char end, uint64_t *v)
{
    struct slice text = *rest;
    if (end != 0 && !slice_until(rest, end, &text))
        return false;
    *rest = end != 0 ? slice_from(*rest, 1) : slice_from(text, text.n);
    return lines_number(text, v);
}

int tile_parse(struct slice path, struct tile_id *out)
{
    uint64_t v;
    *out = (struct tile_id){.width = TILE_WIDTH};
    if (!slice_skip(&path, SLICE_LIT("tile/")))
        return ERR_SYNTAX;
    out->entries = slice_skip(&path, SLICE_LIT("entries/"));
    if (!out->entries) {
        if (!take_small(&path, '/', &v) || v >= TILE_LEVELS)
            return ERR_SYNTAX;
        out->level = (unsigned)v;
    }
    if (!take_index(&path, &out->index))
        return ERR_SYNTAX;
    if (path.n == 0)
        return 0;
    if (!slice_skip(&path, SLICE_LIT(".p/")) || !take_small(&path, 0, &v) || v == 0 ||
        v >= TILE_WIDTH)
        return ERR_SYNTAX;
    out->width = (unsigned)v;
    return 0;
}

/* --- what a size implies --- */

/* Hashes of that level. */
static uint64_t hashes(unsigned level, uint64_t size)
{
    return level < TILE_LEVELS ? size >> (8 * level) : 0;
}

uint64_t tile_count(unsigned level, uint64_t size, unsigned *partial)
{
    uint64_t n = hashes(level, size);
    *partial = (unsigned)(n % TILE_WIDTH);
    return n / TILE_WIDTH;
}

bool tile_of(unsigned level, uint64_t at, uint64_t size, struct tile_id *out)
{
    uint64_t n = hashes(level, size);
    if (at >= n)
        return false;
    uint64_t left = n - at / TILE_WIDTH * TILE_WIDTH;
    *out = (struct tile_id){.level = level,
                            .index = at / TILE_WIDTH,
                            .width = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH};
    return true;
}

/* --- hashes out of tiles --- */

/* Tiles that are kept a level: the one at the edge, which is not full, and the full ones used last
 * (a proof walks along two of them). */
#define KEPT 3
#define EDGE 0

struct kept {
    bool used;
    struct tile_id id;
    struct merkle_hash h[TILE_WIDTH];
};

struct tile_tree {
    tile_fetch fetch;
    void *ctx;
    uint64_t size;
    bool trusted;
    struct buf bytes;
    struct kept kept[TILE_LEVELS][KEPT];
    unsigned next[TILE_LEVELS];
};

struct tile_tree *tile_tree_new(tile_fetch fetch, void *ctx, uint64_t size)
{
    struct tile_tree *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->fetch = fetch;
    t->ctx = ctx;
    t->size = size;
    buf_init(&t->bytes, TILE_BYTES);
    return t;
}

void tile_tree_free(struct tile_tree *t)
{
    if (t == NULL)
        return;
    buf_free(&t->bytes);
    free(t);
}

static void forget(struct tile_tree *t, bool full_too)
{
    for (unsigned l = 0; l < TILE_LEVELS; l++)
        for (unsigned k = 0; k < KEPT; k++)
            if (full_too || t->kept[l][k].id.width < TILE_WIDTH)
                t->kept[l][k].used = false;
}

void tile_tree_resize(struct tile_tree *t, uint64_t size)
{
    forget(t, false);
    t->size = size;
    t->trusted = false;
}

/* Root of 2^k hashes, by pairs, in place. */
static void fold(struct merkle_hash *h, unsigned n, struct merkle_hash *out)
{
    for (; n > 1; n /= 2)
        for (unsigned i = 0; i < n / 2; i++)
            merkle_node(&h[2 * i], &h[2 * i + 1], &h[i]);
    *out = h[0];
}

static struct kept *find(struct tile_tree *t, const struct tile_id *id)
{
    struct kept *k = t->kept[id->level];
    for (unsigned i = 0; i < KEPT; i++)
        if (k[i].used && k[i].id.index == id->index)
            return &k[i];
    return NULL;
}

static int load(struct tile_tree *t, const struct tile_id *id, struct kept **out)
{
    unsigned slot = EDGE;
    if (id->width == TILE_WIDTH)
        slot = 1 + t->next[id->level]++ % (KEPT - 1);
    else if (t->trusted)
        return ERR_INTERNAL; /* all edges were there when the root was compared, and stay */
    struct kept *k = &t->kept[id->level][slot];
    k->used = false;
    buf_reset(&t->bytes);
    int rc = t->fetch(t->ctx, id, &t->bytes);
    if (rc != 0)
        return rc;
    if (t->bytes.failed || t->bytes.n != (size_t)id->width * MERKLE_HASH)
        return ERR_CORRUPT;
    memcpy(k->h, t->bytes.p, t->bytes.n);
    k->id = *id;
    *out = k;
    return 0;
}

/* Does the full tile's root stand in the tile above it? */
static bool stands_in(const struct kept *full, const struct kept *above)
{
    struct merkle_hash h[TILE_WIDTH], root;
    memcpy(h, full->h, sizeof h);
    fold(h, TILE_WIDTH, &root);
    return memcmp(&root, &above->h[full->id.index % TILE_WIDTH], sizeof root) == 0;
}

/*
 * The tile of a hash, kept or fetched. In a tree that is trusted a new tile must be the one whose
 * root stands in the tile above, which is found the same way; the walk ends at a tile that was
 * believed before, at the latest on the edge that was compared with the signed root.
 */
static int tile_for(struct tile_tree *t, unsigned level, uint64_t at, struct kept **out)
{
    struct kept *walk[TILE_LEVELS];
    unsigned top = level;
    for (;; top++, at /= TILE_WIDTH) {
        struct tile_id id;
        if (!tile_of(top, at, t->size, &id))
            return ERR_NOT_FOUND;
        walk[top] = find(t, &id);
        if (walk[top] != NULL)
            break;
        int rc = load(t, &id, &walk[top]);
        if (rc != 0)
            return rc;
        if (!t->trusted) {
            walk[top]->used = true;
            break;
        }
    }
    for (; top > level; top--) {
        if (!stands_in(walk[top - 1], walk[top]))
            return ERR_INVALID_HASH_CHAIN;
        walk[top - 1]->used = true;
    }
    *out = walk[level];
    return 0;
}

int tile_tree_get(void *tree, unsigned level, uint64_t index, struct merkle_hash *out)
{
    struct tile_tree *t = tree;
    unsigned inner = level % 8, n = 1u << inner;
    struct kept *k;
    struct merkle_hash h[TILE_WIDTH / 2];
    if (level >= 64 || index > (uint64_t)INT64_MAX >> level)
        return ERR_NOT_FOUND;
    uint64_t first = index << inner;
    if (hashes(level / 8, t->size) < first + n)
        return ERR_NOT_FOUND;
    int rc = tile_for(t, level / 8, first, &k);
    if (rc != 0)
        return rc;
    memcpy(h, &k->h[first % TILE_WIDTH], n * sizeof h[0]);
    fold(h, n, out);
    return 0;
}

int tile_tree_trust(struct tile_tree *t, const struct merkle_hash *root, struct diag *d)
{
    struct merkle_hash got;
    forget(t, true);
    t->trusted = false;
    int rc = merkle_root_at(tile_tree_get, t, t->size, &got);
    if (rc != 0)
        return diag_set(d, rc, "the tiles on the right edge of size %" PRIu64 " are not there",
                        t->size);
    if (memcmp(&got, root, sizeof got) != 0)
        return diag_set(d, ERR_INVALID_HASH_CHAIN,
                        "the tiles of size %" PRIu64 " give another root", t->size);
    t->trusted = true;
    return 0;
}

/* --- bundles --- */

int tile_bundle_add(struct buf *b, struct slice entry)
{
    uint8_t n[2];
    if (entry.n > TILE_ENTRY_MAX)
        return ERR_TOO_LARGE;
    put_be16(n, (uint16_t)entry.n);
    buf_add(b, n, sizeof n);
    buf_slice(b, entry);
    return 0;
}

bool tile_bundle_next(struct slice *rest, struct slice *entry, bool *bad)
{
    *bad = rest->n > 0;
    if (rest->n < 2 || rest->n - 2 < get_be16(rest->p))
        return false;
    *bad = false;
    *entry = slice_sub(*rest, 2, get_be16(rest->p));
    *rest = slice_from(*rest, 2 + entry->n);
    return true;
}

int tile_bundle_check(struct slice bundle, struct slice tile, unsigned width, struct diag *d)
{
    struct slice entry;
    bool bad;
    unsigned n = 0;
    if (tile.n != (size_t)width * MERKLE_HASH)
        return diag_set(d, ERR_CORRUPT, "the tile has %zu bytes, not %u hashes", tile.n, width);
    for (; tile_bundle_next(&bundle, &entry, &bad); n++) {
        struct merkle_hash h;
        if (n == width)
            return diag_set(d, ERR_CORRUPT, "the bundle has more than %u entries", width);
        merkle_leaf(entry, &h);
        if (memcmp(h.b, tile.p + (size_t)n * MERKLE_HASH, MERKLE_HASH) != 0)
            return diag_set(d, ERR_INVALID_HASH_CHAIN, "entry %u is not the one that was hashed",
                            n);
    }
    if (bad || n != width)
        return diag_set(d, ERR_CORRUPT, "the bundle has %u whole entries, not %u", n, width);
    return 0;
}
