/* Tiles against the vectors, against trees made without tiles, and with tiles that lie. */
#include "ledger_vectors.h"

#include "base/err.h"
#include "crypto/digest.h"
#include "tlog/tile.h"

#define LEAVES 70000

TEST(index_paths_of_the_vectors)
{
    json_t *j = ledger_vectors("tiles.json"), *v;
    char path[TILE_PATH_MAX];
    size_t i;
    json_array_foreach(json_object_get(j, "index_path"), i, v)
    {
        uint64_t n = ledger_number(v, "n"), back;
        tile_index_path(n, path);
        check_text(slice_str(path), ledger_text(v, "path"));
        CHECK_INT(tile_index_parse(slice_str(path), &back), 0);
        CHECK(back == n);
    }
    CHECK_INT(i, 12);
    json_decref(j);
}

TEST(bad_paths_of_the_vectors)
{
    json_t *j = ledger_vectors("tiles.json"), *v;
    struct tile_id id;
    size_t i;
    json_array_foreach(json_object_get(j, "bad_paths"), i, v)
    {
        struct slice path = slice_of(json_string_value(v), json_string_length(v));
        unsigned partial;
        /* The last is well formed, but no tree can have it. */
        if (tile_parse(path, &id) == 0 && tile_count(id.level, INT64_MAX, &partial) + 1 > id.index)
            FAIL("accepted: %.*s", SLICE_ARG(path));
    }
    CHECK_INT(i, 25);
    json_decref(j);
}

TEST(one_path_a_tile_and_back)
{
    static const struct tile_id ids[] = {
        {false, 0, 0, 256},      {false, 0, 0, 1},           {false, 7, 127, 255},
        {true, 0, 999, 256},     {true, 0, 1000, 17},        {false, 3, 1234067, 5},
        {true, 0, 1 << 30, 256}, {false, 0, INT64_MAX, 256}, {false, 0, INT64_MAX, 255}};
    char path[TILE_PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct tile_id back;
        tile_path(&ids[i], path);
        CHECK_INT(tile_parse(slice_str(path), &back), 0);
        CHECK(back.entries == ids[i].entries && back.level == ids[i].level &&
              back.index == ids[i].index && back.width == ids[i].width);
    }
    static const char *const bad[] = {"",
                                      "tile",
                                      "tile/",
                                      "/tile/0/000",
                                      "tile/entries/",
                                      "tile/entries/00",
                                      "tile/Entries/000",
                                      "tile/8/000",
                                      "tile/0/X001/000",
                                      "tile/0/x009/x223/x372/x036/x854/x775/808",
                                      "tile/0/x018/x446/x744/x073/x709/x551/x616/000",
                                      "tile/0/000.p/-1",
                                      "tile/0/000.P/1",
                                      "tile/0/000.p/1 ",
                                      "tile/0/000.p/18446744073709551617",
                                      "tile/entries/000.p/256",
                                      "tile/0/%2e%2e/000"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tile_id id;
        if (tile_parse(slice_str(bad[i]), &id) == 0)
            FAIL("accepted: %s", bad[i]);
    }
}

TEST(what_a_size_implies)
{
    json_t *j = ledger_vectors("tiles.json"), *v, *l;
    size_t i, k;
    json_array_foreach(json_object_get(j, "sizes"), i, v)
    {
        uint64_t size = ledger_number(v, "size");
        json_array_foreach(json_object_get(v, "levels"), k, l)
        {
            unsigned level = (unsigned)ledger_number(l, "level"), partial;
            uint64_t full = tile_count(level, size, &partial);
            CHECK_INT(full, ledger_number(l, "full"));
            CHECK_INT(partial, ledger_number(l, "partial"));
            struct tile_id id;
            char path[TILE_PATH_MAX];
            CHECK(tile_of(level, (size >> 8 * level) - 1, size, &id));
            tile_path(&id, path);
            check_text(slice_str(path), ledger_text(l, "last"));
            CHECK(!tile_of(level, size >> 8 * level, size, &id));
        }
        unsigned partial;
        CHECK(tile_count((unsigned)k, size, &partial) == 0 && partial == 0);
    }
    CHECK_INT(i, 10);
    json_decref(j);
}

/* --- trees in tiles --- */

/* Hash i of level L stands for the leaves [i·256^L, (i+1)·256^L): computed here pair by pair. */
struct log {
    struct merkle_hash *level[4];
    size_t n[4];
    unsigned fetched;
    unsigned lie_level; /* one byte of this tile is another, when `lies` */
    uint64_t lie_index;
    bool lies, refuses;
};

static void log_make(struct log *g, size_t leaves)
{
    *g = (struct log){0};
    g->level[0] = calloc(leaves, MERKLE_HASH);
    g->n[0] = leaves;
    for (size_t i = 0; i < leaves; i++) {
        uint8_t b[8];
        for (int k = 0; k < 8; k++)
            b[k] = (uint8_t)(i >> (56 - 8 * k));
        merkle_leaf(slice_of(b, 8), &g->level[0][i]);
    }
    for (unsigned l = 1; l < 4; l++) {
        g->n[l] = g->n[l - 1] / TILE_WIDTH;
        g->level[l] = calloc(g->n[l] + 1, MERKLE_HASH);
        for (size_t i = 0; i < g->n[l]; i++) {
            struct merkle_frontier f = {0};
            for (size_t k = 0; k < TILE_WIDTH; k++)
                merkle_append(&f, &g->level[l - 1][i * TILE_WIDTH + k]);
            merkle_root(&f, &g->level[l][i]);
        }
    }
}

static void log_free(struct log *g)
{
    for (unsigned l = 0; l < 4; l++)
        free(g->level[l]);
}

static int log_fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    struct log *g = ctx;
    uint64_t from = id->index * TILE_WIDTH;
    g->fetched++;
    if (g->refuses || id->entries || id->level >= 4 || from + id->width > g->n[id->level])
        return ERR_NOT_FOUND;
    buf_add(out, &g->level[id->level][from], id->width * (size_t)MERKLE_HASH);
    if (g->lies && id->level == g->lie_level && id->index == g->lie_index)
        out->p[5] ^= 1;
    return 0;
}

static void naive_root(const struct log *g, uint64_t size, struct merkle_hash *out)
{
    struct merkle_frontier f = {0};
    for (uint64_t i = 0; i < size; i++)
        merkle_append(&f, &g->level[0][i]);
    merkle_root(&f, out);
}

TEST(contents_of_the_vectors)
{
    json_t *j = ledger_vectors("tiles.json"), *v;
    struct log g;
    log_make(&g, LEAVES);
    size_t i;
    json_array_foreach(json_object_get(j, "content_70000"), i, v)
    {
        struct tile_id id;
        struct buf b;
        struct digest d;
        char hex[65];
        buf_init(&b, TILE_BYTES);
        CHECK_INT(tile_parse(ledger_text(v, "path"), &id), 0);
        CHECK_INT(log_fetch(&g, &id, &b), 0);
        CHECK_INT(b.n, ledger_number(v, "bytes"));
        digest_of(DIGEST_SHA256, buf_view(&b), &d);
        hex_print(digest_slice(&d), hex);
        check_text(slice_str(hex), ledger_text(v, "sha256"));
        buf_free(&b);
    }
    CHECK_INT(i, 7);
    log_free(&g);
    json_decref(j);
}

TEST(roots_and_proofs_out_of_tiles)
{
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 513, 65535, 65536, 65537, LEAVES};
    struct log g;
    struct diag d;
    log_make(&g, LEAVES);
    struct tile_tree *t = tile_tree_new(log_fetch, &g, 0);
    struct merkle_hash root, got, proof[MERKLE_DEPTH], old;
    size_t n;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        naive_root(&g, sizes[s], &root);
        for (int trusted = 0; trusted < 2; trusted++) {
            tile_tree_resize(t, sizes[s]);
            if (trusted)
                CHECK_INT(tile_tree_trust(t, &root, &d), 0);
            CHECK_INT(merkle_root_at(tile_tree_get, t, sizes[s], &got), 0);
            CHECK(memcmp(&got, &root, sizeof root) == 0);
            for (uint64_t i = 0; i < sizes[s]; i += 1 + sizes[s] / 37) {
                CHECK_INT(merkle_inclusion(tile_tree_get, t, i, sizes[s], proof, &n), 0);
                CHECK_INT(merkle_verify_inclusion(&g.level[0][i], i, sizes[s], proof, n, &root), 0);
            }
            for (size_t o = 0; o < s; o++) {
                naive_root(&g, sizes[o], &old);
                CHECK_INT(merkle_consistency(tile_tree_get, t, sizes[o], sizes[s], proof, &n), 0);
                CHECK_INT(merkle_verify_consistency(sizes[o], &old, sizes[s], &root, proof, n), 0);
            }
        }
        CHECK_INT(tile_tree_get(t, 0, sizes[s], &got), ERR_NOT_FOUND);
    }
    CHECK_INT(tile_tree_get(t, 64, 0, &got), ERR_NOT_FOUND);
    CHECK_INT(tile_tree_get(t, 8, UINT64_MAX, &got), ERR_NOT_FOUND);
    /* The root of the empty tree needs no tile. */
    g.refuses = true;
    tile_tree_resize(t, 0);
    merkle_empty(&root);
    CHECK_INT(tile_tree_trust(t, &root, &d), 0);
    tile_tree_free(t);
    log_free(&g);
}

TEST(a_tile_that_lies_is_not_believed)
{
    struct log g;
    struct diag d;
    log_make(&g, LEAVES);
    struct merkle_hash root, h;
    naive_root(&g, LEAVES, &root);
    struct tile_tree *t = tile_tree_new(log_fetch, &g, LEAVES);
    g.lies = true;
    /* Tiles of the edge: the root differs. */
    for (unsigned level = 0; level < 3; level++) {
        g.lie_level = level;
        g.lie_index = (LEAVES >> 8 * level) / TILE_WIDTH;
        CHECK_INT(tile_tree_trust(t, &root, &d), ERR_INVALID_HASH_CHAIN);
    }
    /* Full ones: the tile above says no, for the tile itself and for those below it. */
    g.lie_level = 1;
    g.lie_index = 0;
    CHECK_INT(tile_tree_trust(t, &root, &d), 0);
    CHECK_INT(tile_tree_get(t, 8, 3, &h), ERR_INVALID_HASH_CHAIN);
    CHECK_INT(tile_tree_get(t, 0, 3 * 256 + 9, &h), ERR_INVALID_HASH_CHAIN);
    CHECK_INT(tile_tree_get(t, 0, 65536 + 9, &h), 0);
    g.lie_level = 0;
    g.lie_index = 5;
    CHECK_INT(tile_tree_get(t, 0, 5 * 256 + 200, &h), ERR_INVALID_HASH_CHAIN);
    CHECK_INT(tile_tree_get(t, 0, 6 * 256 + 200, &h), 0);
    /* The edge stays what it was, however many other tiles come and go. */
    g.lie_index = 273;
    for (uint64_t i = 6; i < 200; i++)
        CHECK_INT(tile_tree_get(t, 0, i * 256, &h), 0);
    CHECK_INT(tile_tree_get(t, 0, LEAVES - 1, &h), 0);
    CHECK(memcmp(&h, &g.level[0][LEAVES - 1], sizeof h) == 0);
    /* Tiles are kept: the same question again fetches nothing. */
    unsigned before = g.fetched;
    CHECK_INT(tile_tree_get(t, 0, 199 * 256 + 7, &h), 0);
    CHECK_INT(g.fetched, before);
    tile_tree_free(t);
    log_free(&g);
}

static int short_fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    static const uint8_t zeros[TILE_BYTES + 1];
    buf_add(out, zeros, (size_t)((int)id->width * MERKLE_HASH + *(int *)ctx));
    return 0;
}

TEST(tiles_of_the_wrong_length)
{
    struct merkle_hash h;
    for (int more = -1; more < 2; more++) {
        struct tile_tree *t = tile_tree_new(short_fetch, &more, 300);
        CHECK_INT(tile_tree_get(t, 0, 3, &h), more == 0 ? 0 : ERR_CORRUPT);
        CHECK_INT(tile_tree_get(t, 0, 299, &h), more == 0 ? 0 : ERR_CORRUPT);
        tile_tree_free(t);
    }
}

/* All leaves alike: any full tile of a level is like another. So trees to 2^63-1 can be had. */
static int alike_fetch(void *ctx, const struct tile_id *id, struct buf *out)
{
    const struct merkle_hash *levels = ctx; /* of perfect trees, by height */
    for (unsigned i = 0; i < id->width; i++)
        buf_add(out, &levels[8 * id->level], MERKLE_HASH);
    return 0;
}

TEST(huge_trees_in_tiles)
{
    json_t *j = ledger_vectors("merkle.json"), *set = json_object_get(j, "alike"), *v;
    struct merkle_hash levels[64], root, want, proof[MERKLE_DEPTH];
    struct diag d;
    size_t i, n;
    ledger_hex(set, "leaf_hash", levels[0].b, 32);
    for (int k = 1; k < 64; k++)
        merkle_node(&levels[k - 1], &levels[k - 1], &levels[k]);
    struct tile_tree *t = tile_tree_new(alike_fetch, levels, 0);
    json_array_foreach(json_object_get(set, "root"), i, v)
    {
        uint64_t size = ledger_number(v, "size");
        ledger_hex(v, "root", want.b, 32);
        tile_tree_resize(t, size);
        CHECK_INT(tile_tree_trust(t, &want, &d), 0);
        CHECK_INT(merkle_root_at(tile_tree_get, t, size, &root), 0);
        CHECK(memcmp(&root, &want, sizeof root) == 0);
        for (int k = 0; k < 3; k++) {
            uint64_t leaf = k == 0 ? 0 : k == 1 ? size - 1 : size / 2;
            CHECK_INT(merkle_inclusion(tile_tree_get, t, leaf, size, proof, &n), 0);
            CHECK_INT(merkle_verify_inclusion(&levels[0], leaf, size, proof, n, &root), 0);
        }
    }
    CHECK_INT(i, 6);
    tile_tree_free(t);
    json_decref(j);
}

/* --- bundles --- */

TEST(the_bundle_of_the_vectors)
{
    json_t *j = ledger_vectors("tiles.json"), *b = json_object_get(j, "bundle"), *v;
    static uint8_t want[1024], tile[256], bytes[1024];
    struct slice bundle = ledger_hex(b, "bundle", want, sizeof want), rest = bundle, entry;
    struct slice hashes = ledger_hex(b, "tile", tile, sizeof tile);
    struct buf made;
    struct diag d;
    bool bad;
    size_t i;
    buf_init(&made, 4096);
    json_array_foreach(json_object_get(b, "entries"), i, v)
    {
        struct slice e = slice_of(bytes, json_string_length(v) / 2);
        CHECK(hex_parse(slice_of(json_string_value(v), json_string_length(v)), bytes, e.n));
        CHECK_INT(tile_bundle_add(&made, e), 0);
        CHECK(tile_bundle_next(&rest, &entry, &bad) && !bad);
        CHECK(slice_eq(entry, e));
    }
    CHECK(!tile_bundle_next(&rest, &entry, &bad) && !bad);
    CHECK(slice_eq(buf_view(&made), bundle));
    CHECK_INT(tile_bundle_check(bundle, hashes, 3, &d), 0);
    /* Too few, too many, bytes left over, a length past the end, another entry. */
    CHECK_INT(tile_bundle_check(bundle, slice_sub(hashes, 0, 64), 2, &d), ERR_CORRUPT);
    CHECK_INT(tile_bundle_check(slice_sub(bundle, 0, 5), hashes, 3, &d), ERR_CORRUPT);
    CHECK_INT(tile_bundle_check(bundle, hashes, 2, &d), ERR_CORRUPT);
    CHECK_INT(tile_bundle_check(slice_sub(bundle, 0, bundle.n - 1), hashes, 3, &d), ERR_CORRUPT);
    buf_byte(&made, 0);
    CHECK_INT(tile_bundle_check(buf_view(&made), hashes, 3, &d), ERR_CORRUPT);
    made.n--;
    made.p[4] ^= 1;
    CHECK_INT(tile_bundle_check(buf_view(&made), hashes, 3, &d), ERR_INVALID_HASH_CHAIN);
    static const uint8_t large[TILE_ENTRY_MAX + 1];
    CHECK_INT(tile_bundle_add(&made, slice_of(large, sizeof large)), ERR_TOO_LARGE);
    buf_free(&made);
    json_decref(j);
}
