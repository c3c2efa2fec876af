/*
 * Records and files of rounds. The input begins with a record (104 bytes), then comes the file; the
 * record's counts and root are made to fit the file when its last byte of `previous` is odd, since
 * no fuzzer finds a hash. A file that is accepted is in order and names nobody twice.
 */
#include "base/err.h"
#include "tlog/round.h"
#include "tlog/tile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void fit(struct slice file, struct round_record *r)
{
    struct merkle_frontier f = {0};
    struct merkle_hash h;
    struct slice bytes;
    struct entry e;
    bool bad;
    for (r->heads = 0; tile_bundle_next(&file, &bytes, &bad);) {
        merkle_leaf(bytes, &h);
        merkle_append(&f, &h);
        if (entry_parse(bytes, &e, NULL) == 0)
            r->heads += entry_heads(&e);
    }
    r->entries = f.size;
    merkle_root(&f, &r->root);
}

struct walk {
    uint64_t n;
    struct slice names[64], last;
};

static int see(void *ctx, uint64_t index, struct slice bytes, const struct entry *e)
{
    struct walk *w = ctx;
    must(index == w->n);
    must(w->last.p == NULL || slice_cmp(w->last, bytes) < 0);
    w->last = bytes;
    for (uint64_t i = 0; i < w->n && e->name.n > 0; i++)
        must(!slice_eq(w->names[i], e->name));
    if (w->n == 64)
        return ERR_TOO_LARGE;
    w->names[w->n++] = e->name;
    return 0;
}

static void try_tree(struct slice file, const struct round_record *r)
{
    struct round_tree t;
    struct slice bytes;
    struct merkle_hash root, proof[MERKLE_DEPTH], leaf;
    bool bad;
    size_t n;
    must(round_tree_init(&t, r->entries) == 0);
    for (uint64_t i = 0; tile_bundle_next(&file, &bytes, &bad); i++)
        round_tree_leaf(&t, i, bytes);
    round_tree_finish(&t);
    must(merkle_root_at(round_tree_get, &t, t.n, &root) == 0);
    must(memcmp(&root, &r->root, sizeof root) == 0);
    for (uint64_t i = 0; i < t.n; i++) {
        must(merkle_inclusion(round_tree_get, &t, i, t.n, proof, &n) == 0);
        must(round_tree_get(&t, 0, i, &leaf) == 0);
        must(merkle_verify_inclusion(&leaf, i, t.n, proof, n, &root) == 0);
    }
    round_tree_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct round_record r, next;
    struct diag d = {0};
    uint8_t record[ROUND_RECORD], after[ROUND_RECORD];
    if (size < ROUND_RECORD)
        return 0;
    struct slice file = slice_of(data + ROUND_RECORD, size - ROUND_RECORD);
    if (round_record_parse(slice_of(data, ROUND_RECORD), &r, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return 0;
    }
    round_record_print(&r, record);
    must(memcmp(record, data, ROUND_RECORD) == 0);
    if ((r.previous[31] & 1) != 0)
        fit(file, &r);
    struct walk w = {0};
    int rc = round_check(file, &r, see, &w, &d);
    if (rc == 0) {
        must(w.n == r.entries && r.heads >= r.entries);
        must(round_check(file, &r, NULL, NULL, NULL) == 0);
        try_tree(file, &r);
    } else {
        must(d.code != 0 && d.text[0] != 0);
    }
    /* The next round: its number, a later time, this one's digest. */
    next = r;
    next.round++;
    next.time_ms++;
    round_record_print(&r, record);
    round_record_digest(record, next.previous);
    round_record_print(&next, after);
    rc = round_follows(record, after, &d);
    must(rc == 0 || round_record_parse(slice_of(record, ROUND_RECORD), &r, &d) != 0 ||
         round_record_parse(slice_of(after, ROUND_RECORD), &r, &d) != 0);
    after[71 + file.n % 33] ^= 1; /* the root's end, or the digest */
    rc = round_follows(record, after, &d);
    must(rc != 0 || file.n % 33 == 0);
    must(round_follows(after, record, &d) != 0);
    return 0;
}
