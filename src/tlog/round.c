#include "tlog/round.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "tlog/tile.h"

#define MAGIC "SRR1"
#define ALG_SHA256 1
#define LARGEST ((uint64_t)INT64_MAX) /* of every number: as sizes everywhere */

/* --- the record --- */

void round_record_print(const struct round_record *r, uint8_t out[ROUND_RECORD])
{
    memset(out, 0, ROUND_RECORD);
    memcpy(out, MAGIC, 4);
    out[4] = ALG_SHA256;
    put_be64(out + 8, r->round);
    put_be64(out + 16, r->time_ms);
    put_be64(out + 24, r->entries);
    put_be64(out + 32, r->heads);
    memcpy(out + 40, r->root.b, MERKLE_HASH);
    memcpy(out + 72, r->previous, sizeof r->previous);
}

static int bad(struct diag *d, const char *why)
{
    return diag_set(d, ERR_SYNTAX, "no record of a round: %s", why);
}

int round_record_parse(struct slice bytes, struct round_record *out, struct diag *d)
{
    static const uint8_t zeros[32];
    struct merkle_hash empty;
    if (bytes.n != ROUND_RECORD || memcmp(bytes.p, MAGIC, 4) != 0)
        return bad(d, "another length or first bytes");
    if (bytes.p[4] != ALG_SHA256)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "hash algorithm %u of a round is not known",
                        bytes.p[4]);
    if (memcmp(bytes.p + 5, zeros, 3) != 0)
        return bad(d, "bytes that must be zero are not");
    out->round = get_be64(bytes.p + 8);
    out->time_ms = get_be64(bytes.p + 16);
    out->entries = get_be64(bytes.p + 24);
    out->heads = get_be64(bytes.p + 32);
    memcpy(out->root.b, bytes.p + 40, MERKLE_HASH);
    memcpy(out->previous, bytes.p + 72, sizeof out->previous);
    if (out->round > LARGEST || out->time_ms > LARGEST || out->entries > LARGEST ||
        out->heads > LARGEST)
        return bad(d, "a number over 2^63-1");
    merkle_empty(&empty);
    if (out->entries == 0 && memcmp(out->root.b, empty.b, MERKLE_HASH) != 0)
        return bad(d, "no entries, and the root of something");
    if (out->heads < out->entries || (out->entries == 0 && out->heads > 0))
        return bad(d, "fewer heads than entries");
    if (out->round == 0 && memcmp(out->previous, zeros, sizeof zeros) != 0)
        return bad(d, "a round before the first");
    return 0;
}

void round_record_digest(const uint8_t record[ROUND_RECORD], uint8_t out[32])
{
    struct digest h;
    digest_of(DIGEST_SHA256, slice_of(record, ROUND_RECORD), &h);
    memcpy(out, h.b, 32);
}

int round_follows(const uint8_t a[ROUND_RECORD], const uint8_t b[ROUND_RECORD], struct diag *d)
{
    struct round_record x, y;
    uint8_t digest[32];
    int rc = round_record_parse(slice_of(a, ROUND_RECORD), &x, d);
    if (rc == 0)
        rc = round_record_parse(slice_of(b, ROUND_RECORD), &y, d);
    if (rc != 0)
        return rc;
    round_record_digest(a, digest);
    if (y.round != x.round + 1)
        return diag_set(d, ERR_INVALID_HASH_CHAIN, "round %" PRIu64 " does not follow %" PRIu64,
                        y.round, x.round);
    if (y.time_ms <= x.time_ms)
        return diag_set(d, ERR_INVALID_HASH_CHAIN,
                        "round %" PRIu64 " is not later than the one "
                        "before it",
                        y.round);
    if (memcmp(y.previous, digest, sizeof digest) != 0)
        return diag_set(d, ERR_INVALID_HASH_CHAIN,
                        "round %" PRIu64 " names another round before "
                        "it",
                        y.round);
    return 0;
}

/* --- the file --- */

int round_order(struct slice a, struct slice b)
{
    return slice_cmp(a, b);
}

/* An entry begins with its key, and that with name and '+'. */
static struct slice name_of(struct slice entry)
{
    struct slice line = SLICE_NONE, name = SLICE_NONE;
    if (slice_until(&entry, '\n', &line))
        slice_until(&line, '+', &name);
    return name;
}

bool round_same_name(struct slice a, struct slice b)
{
    struct slice x = name_of(a);
    return x.n > 0 && slice_eq(x, name_of(b));
}

static int one_entry(struct slice before, struct slice bytes, struct entry *e, struct diag *d)
{
    int rc = entry_parse(bytes, e, d);
    if (rc != 0)
        return rc;
    if (before.p != NULL && round_order(before, bytes) >= 0)
        return diag_set(d, ERR_CORRUPT, "entries are not in ascending order");
    /* All entries of one name stand side by side: no name holds the '+' that follows it. */
    if (before.p != NULL && round_same_name(before, bytes))
        return diag_set(d, ERR_CORRUPT, "%.*s stands in the round twice", SLICE_ARG(e->name));
    return 0;
}

int round_check(struct slice file, const struct round_record *r, round_each each, void *ctx,
                struct diag *d)
{
    struct merkle_frontier f = {0};
    struct merkle_hash h;
    struct slice rest = file, bytes, before = SLICE_NONE;
    struct entry e;
    uint64_t heads = 0;
    bool bad_bytes;
    for (; tile_bundle_next(&rest, &bytes, &bad_bytes); before = bytes) {
        int rc = one_entry(before, bytes, &e, d);
        if (rc == 0 && each != NULL)
            rc = each(ctx, f.size, bytes, &e);
        if (rc != 0) {
            diag_where(d, "entry %" PRIu64 " of round %" PRIu64, f.size, r->round);
            return rc;
        }
        heads += entry_heads(&e);
        if (heads > LARGEST)
            return diag_set(d, ERR_CORRUPT, "more heads than there can be");
        merkle_leaf(bytes, &h);
        merkle_append(&f, &h);
    }
    if (bad_bytes)
        return diag_set(d, ERR_CORRUPT, "the file of round %" PRIu64 " ends within an entry",
                        r->round);
    if (f.size != r->entries || heads != r->heads)
        return diag_set(d, ERR_CORRUPT,
                        "round %" PRIu64 " has %" PRIu64 " entries of %" PRIu64
                        " heads, its record says %" PRIu64 " and %" PRIu64,
                        r->round, f.size, heads, r->entries, r->heads);
    merkle_root(&f, &h);
    if (memcmp(h.b, r->root.b, MERKLE_HASH) != 0)
        return diag_set(d, ERR_INVALID_HASH_CHAIN,
                        "the entries of round %" PRIu64 " give another root than its record",
                        r->round);
    return 0;
}

/* --- the tree --- */

#define TREE_LEAVES (UINT64_C(1) << 32)

/* Where level k begins: perfect subtrees only, the leaves first. */
static uint64_t level_at(uint64_t n, unsigned level)
{
    uint64_t at = 0;
    for (unsigned k = 0; k < level; k++)
        at += n >> k;
    return at;
}

int round_tree_init(struct round_tree *t, uint64_t n)
{
    *t = (struct round_tree){0};
    if (n > TREE_LEAVES)
        return ERR_TOO_LARGE;
    t->h = malloc((size_t)(2 * n + 1) * sizeof *t->h);
    if (t->h == NULL)
        return ERR_NOMEM;
    t->n = n;
    return 0;
}

void round_tree_leaf(struct round_tree *t, uint64_t i, struct slice entry)
{
    merkle_leaf(entry, &t->h[i]);
}

void round_tree_finish(struct round_tree *t)
{
    struct merkle_hash *below = t->h;
    for (uint64_t n = t->n; n > 1; n /= 2) {
        struct merkle_hash *level = below + n;
        for (uint64_t i = 0; i < n / 2; i++)
            merkle_node(&below[2 * i], &below[2 * i + 1], &level[i]);
        below = level;
    }
}

void round_tree_free(struct round_tree *t)
{
    free(t->h);
    *t = (struct round_tree){0};
}

int round_tree_get(void *tree, unsigned level, uint64_t index, struct merkle_hash *out)
{
    const struct round_tree *t = tree;
    if (level >= 64 || index >= t->n >> level)
        return ERR_NOT_FOUND;
    *out = t->h[level_at(t->n, level) + index];
    return 0;
}
