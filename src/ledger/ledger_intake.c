/* Heads that come in: the decision on each, and the open round. */
#include "base/err.h"
#include "ledger/ledger_rounds_int.h"
#include "tlog/head.h"

#include <stdlib.h>

#define ITEM_WAITERS 64
#define EARLIER_MAX (LEDGER_HEADS_LATELY * (2 + ENTRY_MAX))

/* --- lists --- */

static void free_item(struct ledger_item *item)
{
    if (item == NULL)
        return;
    if (item->leaf.p != item->entry.p)
        free((void *)(uintptr_t)item->leaf.p);
    free((void *)(uintptr_t)item->entry.p);
    buf_free(&item->earlier);
    free(item->waiter);
    free(item);
}

void ledger_rounds_list_free(struct ledger_rounds *r, struct ledger_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        r->waiting -= l->item[i]->waiters;
        free_item(l->item[i]);
    }
    free(l->item);
    *l = (struct ledger_list){0};
}

int ledger_rounds_list_print(const struct ledger_list *l, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = tile_bundle_add(out, l->item[i]->leaf);
    return rc != 0 ? rc : out->failed ? ERR_TOO_LARGE : 0;
}

int ledger_rounds_list_hidden(const struct ledger_list *l, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        buf_slice(out, buf_view(&l->item[i]->earlier));
        if (l->item[i]->is_private)
            rc = tile_bundle_add(out, l->item[i]->entry);
    }
    return rc != 0 ? rc : out->failed ? ERR_TOO_LARGE : 0;
}

/* Of many that wait for one journal the oldest have most likely given up. */
static int add_waiter(struct ledger_rounds *r, struct ledger_item *item, struct ledger_waiter w)
{
    if (item->waiters == ITEM_WAITERS) {
        memmove(item->waiter, item->waiter + 1, (ITEM_WAITERS - 1) * sizeof w);
        item->waiter[ITEM_WAITERS - 1] = w;
        return 0;
    }
    if (r->waiting >= LEDGER_WAITERS)
        return ERR_TOO_LARGE;
    if (item->waiters == item->room) {
        size_t room = item->room == 0 ? 1 : 2 * item->room;
        void *p = realloc(item->waiter, room * sizeof w);
        if (p == NULL)
            return ERR_NOMEM;
        item->waiter = p;
        item->room = room;
    }
    item->waiter[item->waiters++] = w;
    r->waiting++;
    return 0;
}

static void forget(struct ledger_rounds *r, struct ledger_list *l, uint32_t worker)
{
    for (size_t i = 0; i < l->n; i++) {
        struct ledger_item *item = l->item[i];
        size_t kept = 0;
        for (size_t w = 0; w < item->waiters; w++)
            if (item->waiter[w].worker != worker)
                item->waiter[kept++] = item->waiter[w];
        r->waiting -= item->waiters - kept;
        item->waiters = kept;
    }
}

void ledger_rounds_forget(struct ledger_rounds *r, uint32_t worker)
{
    forget(r, &r->open, worker);
    forget(r, &r->closed, worker);
}

/* --- into the open round --- */

static struct slice copy_of(struct slice s)
{
    uint8_t *p = malloc(s.n);
    if (p == NULL)
        return SLICE_NONE;
    memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

/* The bytes of an item: entry, and what stands in the round. False without memory. */
static bool fill_item(struct ledger_item *item, const struct ledger_submission *s, uint64_t heads)
{
    struct buf leaf;
    /* One that is not kept would only be taken for a rollback if it came again after a start. */
    if (item->entry.p != NULL && !slice_eq(item->entry, s->entry) &&
        item->earlier.n + 2 + item->entry.n <= item->earlier.max &&
        tile_bundle_add(&item->earlier, item->entry) != 0)
        buf_reset(&item->earlier);
    if (item->leaf.p != item->entry.p)
        free((void *)(uintptr_t)item->leaf.p);
    free((void *)(uintptr_t)item->entry.p);
    item->leaf = SLICE_NONE;
    item->entry = copy_of(s->entry);
    item->is_private = s->is_private;
    memcpy(item->salt, s->salt, ENTRY_SALT);
    item->heads = heads;
    if (!s->is_private) {
        item->leaf = item->entry;
        return item->entry.p != NULL;
    }
    buf_init(&leaf, ENTRY_MAX);
    entry_commit(s->salt, s->entry, &leaf);
    if (!leaf.failed)
        item->leaf = copy_of(buf_view(&leaf));
    buf_free(&leaf);
    return item->entry.p != NULL && item->leaf.p != NULL;
}

static int add_item(struct ledger_rounds *r, struct ledger_item *item)
{
    struct ledger_list *l = &r->open;
    if (l->n == l->room) {
        size_t room = l->room == 0 ? 64 : 2 * l->room;
        void *p = realloc(l->item, room * sizeof(void *));
        if (p == NULL)
            return ERR_NOMEM;
        l->item = p;
        l->room = room;
    }
    l->item[l->n++] = item;
    return 0;
}

/* The head takes its journal's place in the open round: of several the last one stays, and all
 * that sent one wait for it. */
static int enter(struct ledger_rounds *r, struct ledger_known *k, const struct ledger_submission *s,
                 uint64_t heads, struct ledger_waiter w)
{
    struct ledger_item *item = k->pending;
    bool made = item == NULL;
    int rc = 0;
    if (made && (item = calloc(1, sizeof *item)) == NULL)
        return ERR_NOMEM;
    item->known = k;
    if (made)
        buf_init(&item->earlier, EARLIER_MAX);
    size_t before = item->leaf.n;
    if (!fill_item(item, s, heads))
        abort(); /* the journal's old head is gone already: nothing true could be said */
    rc = add_waiter(r, item, w);
    rc = rc != 0 || !made ? rc : add_item(r, item);
    if (rc != 0 && made) {
        r->waiting -= item->waiters;
        free_item(item);
        return rc;
    }
    k->pending = item;
    r->open.bytes += item->leaf.n - before;
    return rc;
}

/* --- the decision --- */

static struct ledger_decision refuse(int status, uint64_t size)
{
    return (struct ledger_decision){.status = status, .size = size};
}

/* An aggregator's notes have a time that must grow, and no tree of their own. */
static enum head_verdict judge_aggregate(const struct ledger_known *k, const struct entry *e,
                                         struct diag *d)
{
    if (k == NULL || e->aggregate.time_ms > k->last.size)
        return HEAD_ACCEPTED;
    if (e->aggregate.time_ms == k->last.size &&
        memcmp(e->aggregate.root.b, k->last.root.b, MERKLE_HASH) == 0)
        return HEAD_AGAIN;
    diag_set(d, ERR_EXISTS, "the aggregate's time is not later than that of the last one");
    return HEAD_STALE;
}

static enum head_verdict judge(struct ledger_rounds *r, const struct ledger_known *k,
                               const struct entry *e, const struct ledger_submission *s,
                               int64_t now_ms, struct diag *d)
{
    struct witness_state last;
    if (s->kind == ENTRY_AGGREGATE)
        return judge_aggregate(k, e, d);
    witness_state_init(&last);
    bool lately = false;
    if (k != NULL) {
        last = k->last;
        lately = ledger_heads_lately(k, e->head.size, &e->head.root);
    }
    enum head_verdict v =
        head_judge(&last, lately, s->old, s->proof, s->n, e->head.size, &e->head.root, d);
    if (v == HEAD_FORK || v == HEAD_ROLLBACK || (v == HEAD_UNPROVEN && k != NULL))
        ledger_rounds_evidence(r, v == HEAD_ROLLBACK ? "rollback" : "fork", k, s, now_ms, d);
    if (v == HEAD_FORK || v == HEAD_UNPROVEN)
        r->forks++;
    else if (v == HEAD_ROLLBACK)
        r->rollbacks++;
    return v;
}

struct ledger_decision ledger_rounds_submit(struct ledger_rounds *r,
                                            const struct ledger_submission *s,
                                            struct ledger_waiter w, int64_t now_ms, struct diag *d)
{
    struct entry e;
    if (entry_parse(s->entry, &e, d) != 0 || e.kind != s->kind)
        return refuse(400, 0);
    struct ledger_known *k = ledger_heads_find(r->heads, e.name);
    if (k != NULL && k->kind != s->kind) {
        diag_set(d, ERR_DENIED, "this key signs %s here",
                 k->kind == ENTRY_HEAD ? "a journal's heads" : "aggregates");
        return refuse(403, 0);
    }
    enum head_verdict v = judge(r, k, &e, s, now_ms, d);
    if (v != HEAD_ACCEPTED && v != HEAD_AGAIN)
        return refuse(head_status(v), k == NULL ? 0 : k->last.size);
    if (r->waiting >= LEDGER_WAITERS) {
        diag_set(d, ERR_AGAIN, "too many heads wait already");
        return refuse(503, 0);
    }
    int rc = ledger_heads_take(r->heads, s->entry, &k, d);
    rc = rc != 0 ? rc : enter(r, k, s, entry_heads(&e), w);
    if (rc != 0) {
        diag_set(d, rc, "the head cannot be taken now: %s", err_text(rc));
        return refuse(503, 0);
    }
    return refuse(200, 0);
}
