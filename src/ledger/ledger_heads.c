#include "ledger/ledger_heads.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/map.h"
#include "crypto/digest.h"

#include <stdlib.h>

static const char MAGIC[] = "SLHEADS1";

#define MAGIC_LEN 8
#define DIGEST_LEN 32

struct ledger_heads {
    struct map *by_name;
    size_t n;
};

struct ledger_heads *ledger_heads_new(uint64_t seed)
{
    struct ledger_heads *h = calloc(1, sizeof *h);
    if (h != NULL && (h->by_name = map_new(LEDGER_HEADS_MAX, seed)) == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

static void free_known(struct ledger_known *k)
{
    free((void *)(uintptr_t)k->entry.p);
    free(k);
}

void ledger_heads_free(struct ledger_heads *h)
{
    struct slice name;
    void *value;
    if (h == NULL)
        return;
    for (size_t at = 0; map_next(h->by_name, &at, &name, &value);)
        free_known(value);
    map_free(h->by_name);
    free(h);
}

struct ledger_known *ledger_heads_find(const struct ledger_heads *h, struct slice name)
{
    return map_get(h->by_name, name);
}

size_t ledger_heads_count(const struct ledger_heads *h)
{
    return h->n;
}

static bool same(const struct witness_state *s, uint64_t size, const struct merkle_hash *root)
{
    return s->size == size && memcmp(s->root.b, root->b, MERKLE_HASH) == 0;
}

bool ledger_heads_lately(const struct ledger_known *k, uint64_t size,
                         const struct merkle_hash *root)
{
    for (size_t i = 0; i < k->lately_n; i++)
        if (same(&k->lately[i], size, root))
            return true;
    return false;
}

static void remember(struct ledger_known *k, const struct witness_state *s)
{
    if (ledger_heads_lately(k, s->size, &s->root))
        return;
    if (k->lately_n < LEDGER_HEADS_LATELY)
        k->lately_n++;
    memmove(k->lately + 1, k->lately, (k->lately_n - 1) * sizeof k->lately[0]);
    k->lately[0] = *s;
}

/* Size and root that an entry is judged by. */
static struct witness_state state_of(const struct entry *e)
{
    struct witness_state s = {e->head.size, e->head.root};
    if (e->kind == ENTRY_AGGREGATE)
        s = (struct witness_state){e->aggregate.time_ms, e->aggregate.root};
    return s;
}

/* Puts the copy of an entry in a place, with the name inside it. */
static int set_entry(struct ledger_heads *h, struct ledger_known *k, struct slice bytes,
                     struct diag *d)
{
    struct entry e;
    uint8_t *copy = malloc(bytes.n);
    if (copy == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a head");
    memcpy(copy, bytes.p, bytes.n);
    int rc = entry_parse(slice_of(copy, bytes.n), &e, d);
    if (rc == 0 && k->entry.p != NULL)
        map_remove(h->by_name, k->name); /* the key lies in the bytes that go */
    rc = rc != 0 ? rc : map_put(h->by_name, e.name, k);
    if (rc != 0) {
        free(copy);
        return diag_set(d, rc, "a head cannot be kept: %s", err_text(rc));
    }
    free((void *)(uintptr_t)k->entry.p);
    k->entry = slice_of(copy, bytes.n);
    k->name = e.name;
    k->kind = e.kind;
    k->last = state_of(&e);
    return 0;
}

/* The place of a name, made when there is none. */
static struct ledger_known *place(struct ledger_heads *h, struct slice name)
{
    struct ledger_known *k = map_get(h->by_name, name);
    if (k == NULL && h->n < LEDGER_HEADS_MAX)
        k = calloc(1, sizeof *k);
    return k;
}

int ledger_heads_take(struct ledger_heads *h, struct slice entry, struct ledger_known **known,
                      struct diag *d)
{
    struct entry e;
    int rc = entry_parse(entry, &e, d);
    if (rc != 0)
        return rc;
    struct ledger_known *k = place(h, e.name);
    if (k == NULL)
        return diag_set(d, ERR_TOO_LARGE, "more than %d journals", LEDGER_HEADS_MAX);
    bool made = k->entry.p == NULL;
    struct witness_state before = k->last, now = state_of(&e);
    rc = set_entry(h, k, entry, d);
    if (rc != 0) {
        if (made)
            free(k);
        return rc;
    }
    if (made)
        h->n++;
    else if (!same(&before, now.size, &now.root))
        remember(k, &before);
    if (known != NULL)
        *known = k;
    return 0;
}

int ledger_heads_replay(struct ledger_heads *h, struct slice entry, struct diag *d)
{
    struct entry e;
    int rc = entry_parse(entry, &e, d);
    if (rc != 0 || e.kind == ENTRY_COMMITMENT)
        return rc;
    struct ledger_known *k = map_get(h->by_name, e.name);
    struct witness_state s = state_of(&e);
    if (k == NULL || s.size > k->last.size)
        return ledger_heads_take(h, entry, NULL, d);
    if (!same(&k->last, s.size, &s.root))
        remember(k, &s);
    return 0;
}

/* --- the snapshot --- */

static void print_state(const struct witness_state *s, struct buf *out)
{
    wr_u64(out, s->size);
    buf_add(out, s->root.b, MERKLE_HASH);
}

static struct witness_state parse_state(struct rd *r)
{
    struct witness_state s = {.size = rd_u64(r)};
    struct slice root = rd_bytes(r, MERKLE_HASH);
    if (!r->bad)
        memcpy(s.root.b, root.p, MERKLE_HASH);
    return s;
}

void ledger_heads_print(const struct ledger_heads *h, uint64_t round, uint64_t oldest,
                        struct buf *out)
{
    struct slice name;
    struct digest sum;
    void *value;
    buf_add(out, MAGIC, MAGIC_LEN);
    wr_u64(out, round);
    wr_u64(out, oldest);
    wr_u32(out, (uint32_t)h->n);
    for (size_t at = 0; map_next(h->by_name, &at, &name, &value);) {
        const struct ledger_known *k = value;
        wr_u8(out, (uint8_t)k->kind);
        print_state(&k->last, out);
        wr_var(out, k->entry);
        wr_u8(out, (uint8_t)k->lately_n);
        for (size_t i = 0; i < k->lately_n; i++)
            print_state(&k->lately[i], out);
    }
    if (out->failed)
        return;
    digest_of(DIGEST_SHA256, buf_view(out), &sum);
    buf_slice(out, digest_slice(&sum));
}

static int parse_one(struct ledger_heads *h, struct rd *r, struct diag *d)
{
    struct ledger_known *k = NULL;
    uint8_t kind = rd_u8(r);
    struct witness_state last = parse_state(r);
    struct slice entry = rd_var(r, ENTRY_MAX);
    size_t n = rd_u8(r);
    if (r->bad || n > LEDGER_HEADS_LATELY)
        return ERR_CORRUPT;
    int rc = ledger_heads_take(h, entry, &k, d);
    if (rc != 0 || k->kind != kind || !same(&k->last, last.size, &last.root))
        return rc != 0 ? rc : ERR_CORRUPT;
    k->lately_n = n;
    for (size_t i = 0; i < n; i++)
        k->lately[i] = parse_state(r);
    return 0;
}

int ledger_heads_parse(struct ledger_heads *h, struct slice bytes, uint64_t *round,
                       uint64_t *oldest, struct diag *d)
{
    struct digest sum;
    int rc = bytes.n < MAGIC_LEN + DIGEST_LEN ? ERR_CORRUPT : 0;
    struct slice body = slice_sub(bytes, 0, rc == 0 ? bytes.n - DIGEST_LEN : 0);
    digest_of(DIGEST_SHA256, body, &sum);
    struct rd r = rd_of(body);
    if (rc == 0 && (!slice_eq(digest_slice(&sum), slice_from(bytes, body.n)) ||
                    !slice_eq(rd_bytes(&r, MAGIC_LEN), slice_of(MAGIC, MAGIC_LEN))))
        rc = ERR_CORRUPT;
    *round = rd_u64(&r);
    *oldest = rd_u64(&r);
    uint32_t n = rd_u32(&r);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = parse_one(h, &r, d);
    if (rc == 0 && !rd_done(&r))
        rc = ERR_CORRUPT;
    return rc == 0 ? 0 : diag_set(d, ERR_CORRUPT, "the snapshot of the journals' heads is damaged");
}
