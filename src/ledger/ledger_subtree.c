#include "ledger/ledger_subtree.h"
#include "base/err.h"
#include "ledger/ledger_rounds_int.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <stdlib.h>

#define SUBTREES_MAX 4096 /* files that a start may find after the snapshot */

struct ledger_subtree {
    struct ledger_rounds *r; /* intake and evidence */
    const struct note_key *key;
    uint64_t last_ms; /* time of the last subtree */
    struct buf note;  /* signed; empty: none waits */
    uint64_t entries; /* leaves of it */
};

static void file_of(uint64_t time_ms, char out[LEDGER_PATH_MAX])
{
    snprintf(out, LEDGER_PATH_MAX, "heads/%llu", (unsigned long long)time_ms);
}

/* --- the start --- */

/* Times of the files, and what is done with them. */
struct times {
    uint64_t *at;
    size_t n;
    uint64_t after; /* only later ones */
};

static void note_time(void *arg, const char *name)
{
    struct times *t = arg;
    uint64_t time_ms;
    if (slice_u64(slice_str(name), &time_ms) && time_ms > t->after && t->n < SUBTREES_MAX)
        t->at[t->n++] = time_ms;
}

static int by_time(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int replay_file(struct ledger_subtree *s, uint64_t time_ms, struct diag *d)
{
    char path[LEDGER_PATH_MAX];
    struct slice rest, entry;
    struct buf b;
    bool bad = false;
    file_of(time_ms, path);
    buf_init(&b, LEDGER_ROUND_BYTES);
    int rc = ledger_store_read(s->r->store, path, &b, d);
    rest = buf_view(&b);
    while (rc == 0 && tile_bundle_next(&rest, &entry, &bad))
        rc = ledger_heads_replay(s->r->heads, entry, d);
    buf_free(&b);
    s->last_ms = time_ms;
    return rc == 0 && bad ? diag_set(d, ERR_CORRUPT, "%s is damaged", path) : rc;
}

static int load(struct ledger_subtree *s, struct diag *d)
{
    struct times t = {.at = calloc(SUBTREES_MAX, sizeof *t.at)};
    struct buf b;
    uint64_t none;
    if (t.at == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the heads");
    buf_init(&b, LEDGER_STAGE_MAX);
    int rc = ledger_store_read(s->r->store, "heads/snapshot", &b, d);
    if (rc == 0)
        rc = ledger_heads_parse(s->r->heads, buf_view(&b), &s->last_ms, &none, d);
    else if (rc == ERR_NOT_FOUND)
        rc = 0;
    buf_free(&b);
    t.after = s->last_ms;
    rc = rc != 0 ? rc : ledger_store_list(s->r->store, "heads", note_time, &t, d);
    if (t.n > 0)
        qsort(t.at, t.n, sizeof *t.at, by_time);
    for (size_t i = 0; rc == 0 && i < t.n; i++)
        rc = replay_file(s, t.at[i], d);
    free(t.at);
    return rc;
}

int ledger_subtree_open(const struct ledger_subtree_options *o, struct ledger_subtree **out,
                        struct diag *d)
{
    struct ledger_subtree *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL || (s->r = calloc(1, sizeof *s->r)) == NULL) {
        free(s);
        return diag_set(d, ERR_NOMEM, "no memory for the aggregator");
    }
    s->key = o->key;
    buf_init(&s->note, ENTRY_MAX);
    s->r->key = o->key;
    s->r->sign = o->sign;
    s->r->sign_ctx = o->sign_ctx;
    s->r->heads = ledger_heads_new(o->seed);
    int rc = s->r->heads == NULL ? diag_set(d, ERR_NOMEM, "no memory for the aggregator") : 0;
    rc = rc != 0 ? rc : ledger_store_open(o->dir, o->dir, o->io, o->io_ctx, &s->r->store, d);
    rc = rc != 0 ? rc : load(s, d);
    if (rc != 0) {
        ledger_subtree_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void ledger_subtree_free(struct ledger_subtree *s)
{
    if (s == NULL)
        return;
    ledger_rounds_free(s->r);
    buf_free(&s->note);
    free(s);
}

struct ledger_rounds *ledger_subtree_intake(struct ledger_subtree *s)
{
    return s->r;
}

struct slice ledger_subtree_note(const struct ledger_subtree *s)
{
    return buf_view(&s->note);
}

/* --- closing --- */

/* What was accepted is on disk before anybody above hears of it. */
static int keep_heads(struct ledger_subtree *s, uint64_t time_ms, struct diag *d)
{
    char path[LEDGER_PATH_MAX];
    struct buf b;
    int rc = 0;
    file_of(time_ms, path);
    buf_init(&b, LEDGER_ROUND_BYTES);
    for (size_t i = 0; rc == 0 && i < s->r->closed.n; i++)
        rc = tile_bundle_add(&b, s->r->closed.item[i]->entry);
    if (rc != 0 || b.failed)
        rc = diag_set(d, ERR_TOO_LARGE, "the heads of a subtree are too large");
    rc = rc != 0 ? rc : ledger_store_replace(s->r->store, path, buf_view(&b), d);
    buf_free(&b);
    return rc;
}

static int sign_note(struct ledger_subtree *s, const struct aggregate *a, struct diag *d)
{
    uint8_t signature[NOTE_SIGNATURE];
    struct buf text;
    buf_init(&text, ENTRY_MAX);
    aggregate_print(a, &text);
    int rc = s->r->sign(s->r->sign_ctx, buf_view(&text), signature, d);
    if (rc == 0)
        note_print(buf_view(&text), s->key, signature, &s->note);
    buf_free(&text);
    if (rc == 0 && s->note.failed)
        rc = diag_set(d, ERR_TOO_LARGE, "an aggregate is too large");
    return rc;
}

int ledger_subtree_close(struct ledger_subtree *s, int64_t now_ms, struct diag *d)
{
    struct aggregate a = {.name = note_key_name(s->key), .time_ms = (uint64_t)now_ms};
    if (s->note.n > 0 || s->r->open.n == 0)
        return 0;
    if (now_ms <= 0 || (uint64_t)now_ms <= s->last_ms)
        return diag_set(d, ERR_AGAIN, "the clock is not past the time of the last subtree");
    ledger_rounds_take_open(s->r);
    a.entries = s->entries = s->r->closed.n;
    int rc = ledger_rounds_make_tree(s->r, &a.heads, &a.root);
    if (rc != 0)
        diag_set(d, rc, "no memory for a subtree");
    rc = rc != 0 ? rc : keep_heads(s, a.time_ms, d);
    rc = rc != 0 ? rc : sign_note(s, &a, d);
    if (rc == 0) {
        s->last_ms = a.time_ms;
    } else {
        buf_reset(&s->note);
        ledger_rounds_put_back(s->r);
    }
    return rc;
}

void ledger_subtree_again(struct ledger_subtree *s)
{
    buf_reset(&s->note);
    ledger_rounds_put_back(s->r);
}

/* --- answering --- */

static int check_upper(const struct ledger_subtree *s, struct slice upper, struct diag *d)
{
    struct chain_answer *a = malloc(sizeof *a);
    struct entry e;
    int rc = a == NULL ? diag_set(d, ERR_NOMEM, "no memory for an answer")
                       : chain_answer_parse(upper, a, d);
    rc = rc != 0 ? rc : entry_parse(a->entry, &e, d);
    if (rc == 0 && !slice_eq(e.note, buf_view(&s->note)))
        rc = diag_set(d, ERR_INVALID_RESPONSE, "the answer is for another aggregate");
    free(a);
    return rc;
}

static int answer_item(struct ledger_subtree *s, size_t i, struct slice upper, struct buf *text,
                       struct diag *d)
{
    const struct ledger_item *item = s->r->closed.item[i];
    struct chain_path path = {.index = i, .of = s->entries};
    int rc = merkle_inclusion(round_tree_get, &s->r->round, i, s->entries, path.h, &path.n);
    buf_reset(text);
    return rc != 0 ? rc
                   : chain_answer_extend(item->entry, item->is_private ? item->salt : NULL, &path,
                                         upper, text, d);
}

int ledger_subtree_answer(struct ledger_subtree *s, struct slice upper, ledger_answer answer,
                          void *ctx, struct diag *d)
{
    struct buf text;
    int rc = check_upper(s, upper, d);
    if (rc != 0)
        return rc;
    buf_init(&text, CHAIN_ANSWER_MAX);
    for (size_t i = 0; rc == 0 && i < s->r->closed.n; i++) {
        const struct ledger_item *item = s->r->closed.item[i];
        rc = item->waiters == 0 ? 0 : answer_item(s, i, upper, &text, d);
        for (size_t w = 0; rc == 0 && w < item->waiters; w++)
            answer(ctx, item->waiter[w], buf_view(&text));
    }
    buf_free(&text);
    ledger_rounds_list_free(s->r, &s->r->closed);
    round_tree_free(&s->r->round);
    buf_reset(&s->note);
    return rc;
}

/* --- the snapshot --- */

int ledger_subtree_snapshot(struct ledger_subtree *s, struct diag *d)
{
    struct times t = {.at = calloc(SUBTREES_MAX, sizeof *t.at)};
    char path[LEDGER_PATH_MAX];
    struct buf b;
    if (t.at == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a snapshot");
    buf_init(&b, LEDGER_STAGE_MAX);
    ledger_heads_print(s->r->heads, s->last_ms, 0, &b);
    int rc = b.failed ? diag_set(d, ERR_TOO_LARGE, "the snapshot of heads is too large") : 0;
    rc = rc != 0 ? rc : ledger_store_replace(s->r->store, "heads/snapshot", buf_view(&b), d);
    rc = rc != 0 ? rc : ledger_store_list(s->r->store, "heads", note_time, &t, d);
    for (size_t i = 0; rc == 0 && i < t.n; i++) {
        file_of(t.at[i], path);
        rc = t.at[i] > s->last_ms ? 0 : ledger_store_remove(s->r->store, path, d);
    }
    buf_free(&b);
    free(t.at);
    return rc;
}
