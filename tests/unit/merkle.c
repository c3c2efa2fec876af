/*
 * Merkle trees against the ledger vectors (RFC 6962, transparency-dev) and against the recursive
 * definitions of RFC 6962 2.1, written out naively here.
 */
#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/merkle.h"
#include "test.h"

#include <jansson.h>

#define LEAVES 70000

/* levels[k][i]: the perfect subtree of 2^k leaves from i << k; made with merkle_node alone. */
struct forest {
    struct merkle_hash *levels[20];
    uint64_t counts[20];
};

static struct forest forest;

static int forest_get(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out)
{
    struct forest *f = ctx;
    if (level >= 20 || index >= f->counts[level])
        return ERR_NOT_FOUND;
    *out = f->levels[level][index];
    return 0;
}

static void counter_leaf(uint64_t i, struct merkle_hash *out)
{
    uint8_t b[8];
    for (int k = 0; k < 8; k++)
        b[k] = (uint8_t)(i >> (56 - 8 * k));
    merkle_leaf(slice_of(b, 8), out);
}

static void small_leaf(uint64_t i, struct merkle_hash *out)
{
    uint8_t b = (uint8_t)i;
    merkle_leaf(slice_of(&b, 1), out);
}

static void forest_free(void)
{
    for (unsigned k = 0; k < 20; k++)
        free(forest.levels[k]);
    memset(&forest, 0, sizeof forest);
}

static void forest_make(uint64_t n, void (*leaf)(uint64_t, struct merkle_hash *))
{
    forest_free();
    for (unsigned k = 0; k < 20 && n >> k > 0; k++) {
        forest.counts[k] = n >> k;
        forest.levels[k] = calloc(forest.counts[k], sizeof(struct merkle_hash));
        for (uint64_t i = 0; i < forest.counts[k]; i++) {
            if (k == 0)
                leaf(i, &forest.levels[0][i]);
            else
                merkle_node(&forest.levels[k - 1][2 * i], &forest.levels[k - 1][2 * i + 1],
                            &forest.levels[k][i]);
        }
    }
}

static const char *jstr(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (s == NULL)
        FAIL("vector lacks %s", key);
    return s;
}

static uint64_t jnum(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (json_is_string(v))
        return strtoull(json_string_value(v), NULL, 10);
    CHECK(json_is_integer(v));
    return (uint64_t)json_integer_value(v);
}

static struct merkle_hash jhash(json_t *v)
{
    struct merkle_hash h;
    CHECK(json_is_string(v));
    CHECK(hex_parse(slice_str(json_string_value(v)), h.b, MERKLE_HASH));
    return h;
}

static size_t jproof(json_t *o, struct merkle_hash proof[MERKLE_DEPTH + 8])
{
    json_t *a = json_object_get(o, "proof");
    size_t n = json_array_size(a);
    CHECK(n <= MERKLE_DEPTH + 8);
    for (size_t i = 0; i < n; i++)
        proof[i] = jhash(json_array_get(a, i));
    return n;
}

static json_t *load(void)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/ledger/merkle.json", VECTORS());
    json_t *j = json_load_file(path, 0, NULL);
    if (j == NULL)
        FAIL("cannot read %s", path);
    return j;
}

static void check_hash(const struct merkle_hash *got, const struct merkle_hash *want)
{
    char a[65], b[65];
    hex_print(slice_of(got->b, 32), a);
    hex_print(slice_of(want->b, 32), b);
    CHECK_STR(a, b);
}

static void check_same_proof(const struct merkle_hash *got, size_t n,
                             const struct merkle_hash *want, size_t m)
{
    CHECK_INT(n, m);
    for (size_t i = 0; i < n; i++)
        check_hash(&got[i], &want[i]);
}

static struct merkle_hash root_of(uint64_t size)
{
    struct merkle_hash h;
    CHECK_INT(merkle_root_at(forest_get, &forest, size, &h), 0);
    return h;
}

/* Proofs of vectors must be made the same, and must verify. */
static void check_proofs(json_t *set)
{
    size_t i;
    json_t *v;
    struct merkle_hash want[MERKLE_DEPTH + 8], got[MERKLE_DEPTH];
    size_t n;
    json_array_foreach(json_object_get(set, "inclusion"), i, v)
    {
        uint64_t index = jnum(v, "index"), size = jnum(v, "size");
        size_t m = jproof(v, want);
        CHECK_INT(merkle_inclusion(forest_get, &forest, index, size, got, &n), 0);
        check_same_proof(got, n, want, m);
        struct merkle_hash root = root_of(size);
        CHECK_INT(merkle_verify_inclusion(&forest.levels[0][index], index, size, want, m, &root),
                  0);
    }
    json_array_foreach(json_object_get(set, "consistency"), i, v)
    {
        uint64_t old = jnum(v, "old"), size = jnum(v, "size");
        size_t m = jproof(v, want);
        CHECK_INT(merkle_consistency(forest_get, &forest, old, size, got, &n), 0);
        check_same_proof(got, n, want, m);
        struct merkle_hash a = root_of(old), b = root_of(size);
        CHECK_INT(merkle_verify_consistency(old, &a, size, &b, want, m), 0);
    }
}

TEST(small_trees_of_the_vectors)
{
    json_t *j = load(), *small = json_object_get(j, "small");
    forest_make(8, small_leaf);
    for (size_t i = 0; i < 8; i++) {
        struct merkle_hash want = jhash(json_array_get(json_object_get(small, "leaf_hash"), i));
        check_hash(&forest.levels[0][i], &want);
    }
    struct merkle_frontier f = {0};
    for (size_t size = 0; size <= 8; size++) {
        struct merkle_hash want = jhash(json_array_get(json_object_get(small, "root"), size)), got;
        merkle_root(&f, &got);
        check_hash(&got, &want);
        got = root_of(size);
        check_hash(&got, &want);
        if (size < 8)
            merkle_append(&f, &forest.levels[0][size]);
    }
    check_proofs(small);
    json_decref(j);
    forest_free();
}

TEST(trees_to_seventy_thousand_leaves)
{
    json_t *j = load(), *set = json_object_get(j, "counter"), *v;
    forest_make(LEAVES, counter_leaf);
    size_t i;
    json_array_foreach(json_object_get(set, "root"), i, v)
    {
        struct merkle_hash want = jhash(json_object_get(v, "root")), got;
        struct merkle_frontier f = {0};
        for (uint64_t k = 0; k < jnum(v, "size"); k++)
            merkle_append(&f, &forest.levels[0][k]);
        merkle_root(&f, &got);
        check_hash(&got, &want);
        got = root_of(jnum(v, "size"));
        check_hash(&got, &want);
    }
    check_proofs(set);
    json_decref(j);
    forest_free();
}

/* All leaves equal: a perfect subtree depends on its level alone. */
static int alike_get(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out)
{
    const struct merkle_hash *levels = ctx;
    if (level >= 64 || index > (uint64_t)INT64_MAX >> level)
        return ERR_NOT_FOUND;
    *out = levels[level];
    return 0;
}

static void check_proof_digest(json_t *v, const struct merkle_hash *proof, size_t n)
{
    CHECK_INT(n, jnum(v, "proof_length"));
    struct digest d;
    digest_of(DIGEST_SHA256, slice_of(proof, n * MERKLE_HASH), &d);
    char text[65];
    hex_print(digest_slice(&d), text);
    CHECK_STR(text, jstr(v, "proof_sha256"));
}

TEST(huge_trees)
{
    json_t *j = load(), *set = json_object_get(j, "alike"), *v;
    struct merkle_hash levels[64], proof[MERKLE_DEPTH], got, other;
    levels[0] = jhash(json_object_get(set, "leaf_hash"));
    for (int k = 1; k < 64; k++)
        merkle_node(&levels[k - 1], &levels[k - 1], &levels[k]);
    size_t i, n;
    json_array_foreach(json_object_get(set, "root"), i, v)
    {
        struct merkle_hash want = jhash(json_object_get(v, "root"));
        CHECK_INT(merkle_root_at(alike_get, levels, jnum(v, "size"), &got), 0);
        check_hash(&got, &want);
    }
    json_array_foreach(json_object_get(set, "inclusion"), i, v)
    {
        uint64_t index = jnum(v, "index"), size = jnum(v, "size");
        CHECK_INT(merkle_inclusion(alike_get, levels, index, size, proof, &n), 0);
        check_proof_digest(v, proof, n);
        CHECK_INT(merkle_root_at(alike_get, levels, size, &got), 0);
        CHECK_INT(merkle_verify_inclusion(&levels[0], index, size, proof, n, &got), 0);
    }
    json_array_foreach(json_object_get(set, "consistency"), i, v)
    {
        uint64_t old = jnum(v, "old"), size = jnum(v, "size");
        CHECK_INT(merkle_consistency(alike_get, levels, old, size, proof, &n), 0);
        check_proof_digest(v, proof, n);
        CHECK_INT(merkle_root_at(alike_get, levels, old, &other), 0);
        CHECK_INT(merkle_root_at(alike_get, levels, size, &got), 0);
        CHECK_INT(merkle_verify_consistency(old, &other, size, &got, proof, n), 0);
    }
    CHECK_INT(merkle_root_at(alike_get, levels, UINT64_C(1) << 63, &got), ERR_TOO_LARGE);
    json_decref(j);
}

TEST(bad_proofs_of_the_vectors)
{
    json_t *j = load(), *v;
    struct merkle_hash proof[MERKLE_DEPTH + 8];
    size_t i, checked = 0;
    json_array_foreach(json_object_get(j, "bad_inclusion"), i, v)
    {
        struct merkle_hash leaf = jhash(json_object_get(v, "leaf_hash"));
        struct merkle_hash root = jhash(json_object_get(v, "root"));
        size_t n = jproof(v, proof);
        if (merkle_verify_inclusion(&leaf, jnum(v, "index"), jnum(v, "size"), proof, n, &root) !=
            ERR_INVALID_HASH_CHAIN)
            FAIL("accepted: %s", jstr(v, "why"));
        checked++;
    }
    json_array_foreach(json_object_get(j, "bad_consistency"), i, v)
    {
        struct merkle_hash old = jhash(json_object_get(v, "old_root"));
        struct merkle_hash root = jhash(json_object_get(v, "root"));
        size_t n = jproof(v, proof);
        if (merkle_verify_consistency(jnum(v, "old"), &old, jnum(v, "size"), &root, proof, n) !=
            ERR_INVALID_HASH_CHAIN)
            FAIL("accepted: %s", jstr(v, "why"));
        checked++;
    }
    CHECK_INT(checked, 22);
    v = json_object_get(j, "size_is_not_bound");
    struct merkle_hash leaf = jhash(json_object_get(v, "leaf_hash"));
    struct merkle_hash root = jhash(json_object_get(v, "root"));
    size_t n = jproof(v, proof);
    CHECK_INT(merkle_verify_inclusion(&leaf, jnum(v, "index"), jnum(v, "size"), proof, n, &root),
              0);
    json_decref(j);
}

/* RFC 6962 2.1 word for word, recursive, over leaves given as data. */
static void hash2(uint8_t prefix, struct slice a, struct slice b, struct merkle_hash *out)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    EVP_DigestUpdate(c, &prefix, 1);
    EVP_DigestUpdate(c, a.p, a.n);
    EVP_DigestUpdate(c, b.p, b.n);
    EVP_DigestFinal_ex(c, out->b, NULL);
    EVP_MD_CTX_free(c);
}

static uint64_t naive_k(uint64_t n)
{
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    return k;
}

static void naive_mth(uint64_t from, uint64_t n, struct merkle_hash *out)
{
    if (n == 1) {
        uint8_t b = (uint8_t)from;
        hash2(0, slice_of(&b, 1), SLICE_NONE, out);
        return;
    }
    struct merkle_hash l, r;
    uint64_t k = naive_k(n);
    naive_mth(from, k, &l);
    naive_mth(from + k, n - k, &r);
    hash2(1, slice_of(l.b, 32), slice_of(r.b, 32), out);
}

/* Leaves all alike: a tree's root depends on its size alone, and perfect trees are made once. */
static struct merkle_hash alike[64];

static void alike_make(void)
{
    uint8_t zero = 0;
    hash2(0, slice_of(&zero, 1), SLICE_NONE, &alike[0]);
    for (int k = 1; k < 64; k++)
        hash2(1, slice_of(alike[k - 1].b, 32), slice_of(alike[k - 1].b, 32), &alike[k]);
}

static void alike_mth(uint64_t from, uint64_t n, struct merkle_hash *out)
{
    (void)from;
    if ((n & (n - 1)) == 0) {
        *out = alike[__builtin_ctzll(n)];
        return;
    }
    struct merkle_hash l, r;
    uint64_t k = naive_k(n);
    alike_mth(0, k, &l);
    alike_mth(0, n - k, &r);
    hash2(1, slice_of(l.b, 32), slice_of(r.b, 32), out);
}

/* MTH(D[from:from+n]) of the tree in hand. */
static void (*range_root)(uint64_t from, uint64_t n, struct merkle_hash *out) = naive_mth;

static void naive_path(uint64_t m, uint64_t from, uint64_t n, struct merkle_hash *p, size_t *len)
{
    if (n == 1)
        return;
    uint64_t k = naive_k(n);
    if (m < k) {
        naive_path(m, from, k, p, len);
        range_root(from + k, n - k, &p[(*len)++]);
    } else {
        naive_path(m - k, from + k, n - k, p, len);
        range_root(from, k, &p[(*len)++]);
    }
}

static void naive_subproof(uint64_t m, uint64_t from, uint64_t n, bool b, struct merkle_hash *p,
                           size_t *len)
{
    if (m == n) {
        if (!b)
            range_root(from, n, &p[(*len)++]);
        return;
    }
    uint64_t k = naive_k(n);
    if (m <= k) {
        naive_subproof(m, from, k, b, p, len);
        range_root(from + k, n - k, &p[(*len)++]);
    } else {
        naive_subproof(m - k, from + k, n - k, false, p, len);
        range_root(from, k, &p[(*len)++]);
    }
}

TEST(every_proof_to_size_70_as_the_rfc_defines_it)
{
    forest_make(70, small_leaf);
    struct merkle_hash got[MERKLE_DEPTH], want[MERKLE_DEPTH], root, old;
    size_t n, m;
    for (uint64_t size = 1; size <= 70; size++) {
        naive_mth(0, size, &root);
        struct merkle_hash mine = root_of(size);
        check_hash(&mine, &root);
        for (uint64_t i = 0; i < size; i++) {
            m = 0;
            naive_path(i, 0, size, want, &m);
            CHECK_INT(merkle_inclusion(forest_get, &forest, i, size, got, &n), 0);
            check_same_proof(got, n, want, m);
            const struct merkle_hash *leaf = &forest.levels[0][i];
            CHECK_INT(merkle_verify_inclusion(leaf, i, size, got, n, &root), 0);
            for (size_t k = 0; k < n; k++) {
                got[k].b[k % 32] ^= 1;
                CHECK(merkle_verify_inclusion(leaf, i, size, got, n, &root) != 0);
                got[k].b[k % 32] ^= 1;
            }
            CHECK(n == 0 || merkle_verify_inclusion(leaf, i, size, got, n - 1, &root) != 0);
        }
        for (uint64_t first = 1; first <= size; first++) {
            m = 0;
            naive_subproof(first, 0, size, true, want, &m);
            CHECK_INT(merkle_consistency(forest_get, &forest, first, size, got, &n), 0);
            check_same_proof(got, n, want, m);
            naive_mth(0, first, &old);
            CHECK_INT(merkle_verify_consistency(first, &old, size, &root, got, n), 0);
            for (size_t k = 0; k < n; k++) {
                got[k].b[k % 32] ^= 1;
                CHECK(merkle_verify_consistency(first, &old, size, &root, got, n) != 0);
                got[k].b[k % 32] ^= 1;
            }
        }
    }
    forest_free();
}

/* One tree of that size: proofs for a leaf and for an older size, against the definitions. */
static void check_against_rfc(merkle_get get, void *ctx, uint64_t size, uint64_t leaf,
                              uint64_t first)
{
    struct merkle_hash got[MERKLE_DEPTH], want[MERKLE_DEPTH], root, old, mine, at;
    size_t n, m = 0;
    range_root(0, size, &root);
    CHECK_INT(merkle_root_at(get, ctx, size, &mine), 0);
    check_hash(&mine, &root);
    naive_path(leaf, 0, size, want, &m);
    CHECK_INT(merkle_inclusion(get, ctx, leaf, size, got, &n), 0);
    check_same_proof(got, n, want, m);
    range_root(leaf, 1, &at);
    CHECK_INT(merkle_verify_inclusion(&at, leaf, size, want, m, &root), 0);
    m = 0;
    naive_subproof(first, 0, size, true, want, &m);
    CHECK_INT(merkle_consistency(get, ctx, first, size, got, &n), 0);
    check_same_proof(got, n, want, m);
    range_root(0, first, &old);
    CHECK_INT(merkle_verify_consistency(first, &old, size, &root, want, m), 0);
    if (first < size) {
        old.b[7] ^= 1;
        CHECK(merkle_verify_consistency(first, &old, size, &root, want, m) != 0);
    }
}

/* The same numbers each time. */
static uint64_t any(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 1 ^ *state >> 33;
}

TEST(proofs_of_any_size_to_some_thousands)
{
    uint64_t state = 1;
    forest_make(5000, small_leaf);
    range_root = naive_mth;
    for (int i = 0; i < 24; i++) {
        uint64_t size = 1 + any(&state) % 5000;
        check_against_rfc(forest_get, &forest, size, any(&state) % size, 1 + any(&state) % size);
    }
    forest_free();
}

TEST(proofs_of_any_size_to_the_largest)
{
    static const uint64_t sizes[] = {
        UINT64_C(1) << 31, (UINT64_C(1) << 32) + 1, (UINT64_C(1) << 40) - 1,
        UINT64_C(1) << 62, (UINT64_C(1) << 62) + 1, INT64_MAX - 1,
        INT64_MAX};
    uint64_t state = 7;
    alike_make();
    range_root = alike_mth;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint64_t s = sizes[i];
        check_against_rfc(alike_get, alike, s, 0, 1);
        check_against_rfc(alike_get, alike, s, s - 1, s - 1);
        check_against_rfc(alike_get, alike, s, s / 2, s / 2 + 1);
        check_against_rfc(alike_get, alike, s, s / 3, s);
    }
    for (int i = 0; i < 500; i++) {
        uint64_t size = (1 + any(&state) % INT64_MAX) >> any(&state) % 60;
        size = size == 0 ? 1 : size;
        check_against_rfc(alike_get, alike, size, any(&state) % size, 1 + any(&state) % size);
    }
    struct merkle_hash proof[MERKLE_DEPTH];
    size_t n;
    CHECK_INT(merkle_inclusion(alike_get, alike, 0, UINT64_MAX, proof, &n), ERR_TOO_LARGE);
    CHECK_INT(merkle_consistency(alike_get, alike, 1, UINT64_MAX, proof, &n), ERR_TOO_LARGE);
    CHECK(merkle_verify_inclusion(&alike[0], 0, UINT64_C(1) << 63, proof, 63, &alike[63]) != 0);
    range_root = naive_mth;
}

TEST(edges)
{
    struct merkle_hash empty, h, proof[MERKLE_DEPTH];
    size_t n;
    merkle_empty(&empty);
    forest_make(5, small_leaf);
    h = root_of(5);
    CHECK_INT(merkle_inclusion(forest_get, &forest, 5, 5, proof, &n), ERR_USAGE);
    CHECK_INT(merkle_consistency(forest_get, &forest, 6, 5, proof, &n), ERR_USAGE);
    CHECK_INT(merkle_consistency(forest_get, &forest, 0, 5, proof, &n), 0);
    CHECK_INT(n, 0);
    CHECK(merkle_verify_consistency(0, &empty, 5, &h, proof, 0) != 0);
    CHECK(merkle_verify_consistency(0, &empty, 0, &empty, proof, 0) != 0);
    CHECK(merkle_verify_consistency(0, &h, 5, &h, proof, 0) != 0);
    CHECK(merkle_verify_consistency(0, &empty, 5, &h, &empty, 1) != 0);
    /* What the getter says comes through. */
    CHECK_INT(merkle_root_at(forest_get, &forest, 9, &h), ERR_NOT_FOUND);
    forest_free();
}
