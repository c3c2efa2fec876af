#include "monitor/monitor_rounds.h"
#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUND_FILE_MAX (256u << 20)
#define CLOCK_MS 60000

/* --- what a journal or an aggregator said in a round --- */

struct round_walk {
    struct monitor *m;
    uint64_t round;
};

static void judge_head(struct monitor *m, uint64_t round, struct slice bytes, const struct entry *e,
                       struct monitor_known *k)
{
    bool same = memcmp(k->root.b, e->head.root.b, MERKLE_HASH) == 0;
    if (e->head.size < k->size)
        monitor_accuse(m, bytes, SLICE_NONE,
                       "round %" PRIu64 " takes a head of %.*s with %" PRIu64
                       " records after one with %" PRIu64,
                       round, SLICE_ARG(e->name), e->head.size, k->size);
    else if (e->head.size == k->size && !same && k->size > 0)
        monitor_accuse(m, bytes, SLICE_NONE,
                       "round %" PRIu64 " takes two heads of %.*s that contradict each other, "
                       "of %" PRIu64 " records each",
                       round, SLICE_ARG(e->name), k->size);
    else if (e->head.size > k->size || !same) {
        k->size = e->head.size;
        k->root = e->head.root;
        m->state.changed = true;
    }
}

static void judge_aggregate(struct monitor *m, uint64_t round, struct slice bytes,
                            const struct entry *e, struct monitor_known *k)
{
    if (e->aggregate.time_ms <= k->size && k->size > 0)
        monitor_accuse(m, bytes, SLICE_NONE,
                       "round %" PRIu64 " takes a subtree of %.*s that is not newer than the last",
                       round, SLICE_ARG(e->name));
    k->size = e->aggregate.time_ms;
    m->state.changed = true;
}

static int see_entry(void *ctx, uint64_t index, struct slice bytes, const struct entry *e)
{
    struct round_walk *w = ctx;
    struct monitor *m = w->m;
    struct diag d = {0};
    (void)index;
    if (e->kind == ENTRY_COMMITMENT)
        return 0;
    struct monitor_known *k = monitor_state_find(&m->state, e->name);
    if (entry_verify(e, k == NULL ? NULL : &k->key, &d) != 0) {
        monitor_accuse(m, bytes, SLICE_NONE,
                       "round %" PRIu64 " holds an entry that its journal did not sign: %.*s: %s",
                       w->round, SLICE_ARG(e->name), d.text);
        return 0;
    }
    if (k == NULL && (k = monitor_state_add(&m->state, e->vkey)) == NULL)
        return ERR_NOMEM;
    struct buf known;
    buf_init(&known, NOTE_VKEY_MAX);
    note_key_print(&k->key, &known);
    if (!slice_eq(buf_view(&known), e->vkey))
        monitor_tell(m, MONITOR_ALARM, "%.*s signs with another key since round %" PRIu64,
                     SLICE_ARG(e->name), w->round);
    buf_free(&known);
    if (e->kind == ENTRY_HEAD)
        judge_head(m, w->round, bytes, e, k);
    else
        judge_aggregate(m, w->round, bytes, e, k);
    m->counts.heads++;
    return 0;
}

/* The round's file against its record. One that is old enough may have been dropped. */
static int read_file(struct monitor *m, const struct round_record *r, struct diag *d)
{
    struct round_walk w = {.m = m, .round = r->round};
    char index[TILE_PATH_MAX], path[TILE_PATH_MAX + 8];
    struct diag own = {0};
    struct buf b;
    if (r->entries == 0)
        return 0;
    buf_init(&b, ROUND_FILE_MAX);
    tile_index_path(r->round, index);
    snprintf(path, sizeof path, "rounds/%s", index);
    int rc = tile_source_get(&m->source, path, ROUND_FILE_MAX, &b, &own);
    if (rc == ERR_NOT_FOUND) {
        if (m->now_ms - (int64_t)r->time_ms < m->keep_ms)
            monitor_tell(m, MONITOR_ALARM, "the file of round %" PRIu64 " is not there", r->round);
        rc = 0;
    } else if (rc == 0) {
        rc = round_check(buf_view(&b), r, see_entry, &w, &own);
        if (rc != 0 && rc != ERR_NOMEM) {
            monitor_accuse(m, buf_view(&b), SLICE_NONE,
                           "the file of round %" PRIu64 " does not give its root: %s", r->round,
                           own.text);
            rc = 0;
        }
    }
    if (rc != 0 && d != NULL)
        *d = own;
    buf_free(&b);
    return rc;
}

static int see_record(struct monitor *m, uint64_t index, struct slice bytes,
                      const struct round_record *r, struct diag *d)
{
    struct diag own = {0};
    if (r->round != index)
        monitor_accuse(m, bytes, SLICE_NONE, "leaf %" PRIu64 " calls itself round %" PRIu64, index,
                       r->round);
    else if (m->state.has_record && round_follows(m->state.record, bytes.p, &own) != 0)
        monitor_accuse(m, slice_of(m->state.record, ROUND_RECORD), bytes,
                       "round %" PRIu64 " does not follow the one before: %s", index, own.text);
    if ((int64_t)r->time_ms - m->now_ms > CLOCK_MS)
        monitor_tell(m, MONITOR_ALARM,
                     "round %" PRIu64 " is of a time %" PRId64 " s ahead of our clock", index,
                     ((int64_t)r->time_ms - m->now_ms) / 1000);
    memcpy(m->state.record, bytes.p, ROUND_RECORD);
    m->state.has_record = true;
    m->counts.rounds++;
    return read_file(m, r, d);
}

/* --- entries --- */

static int see(struct monitor *m, struct tile_tree *tree, uint64_t index, struct slice bytes,
               struct diag *d)
{
    struct merkle_hash leaf, want;
    struct round_record r;
    merkle_leaf(bytes, &leaf);
    int rc = tile_tree_get(tree, 0, index, &want);
    if (rc == ERR_INVALID_HASH_CHAIN || rc == ERR_CORRUPT) {
        monitor_accuse(m, buf_view(&m->state.note), bytes,
                       "the tile with leaf %" PRIu64 " does not belong to the signed tree", index);
        return 0;
    }
    if (rc != 0)
        return rc;
    if (memcmp(leaf.b, want.b, MERKLE_HASH) != 0) {
        monitor_accuse(m, buf_view(&m->state.note), bytes,
                       "entry %" PRIu64 " is not the one in the tree", index);
        return 0;
    }
    m->counts.entries++;
    bool is_round = round_record_parse(bytes, &r, NULL) == 0;
    if (!is_round && m->state.has_record)
        monitor_accuse(m, bytes, SLICE_NONE, "leaf %" PRIu64 " is no round's record", index);
    return is_round ? see_record(m, index, bytes, &r, d) : 0;
}

/* Entries from `from` to the end of their bundle. */
static int read_bundle(struct monitor *m, struct tile_tree *tree, uint64_t from, uint64_t size,
                       struct diag *d)
{
    struct tile_id id;
    struct slice rest, entry;
    struct buf b;
    bool bad = false;
    if (!tile_of(0, from, size, &id))
        return diag_set(d, ERR_INTERNAL, "no tile holds leaf %" PRIu64, from);
    id.entries = true;
    buf_init(&b, TILE_BUNDLE_MAX);
    m->source.diag = d;
    int rc = tile_source_fetch(&m->source, &id, &b);
    if (rc == ERR_CORRUPT || rc == ERR_NOT_FOUND) {
        monitor_tell(m, rc == ERR_CORRUPT ? MONITOR_MISBEHAVES : MONITOR_ALARM,
                     "the entries from %" PRIu64 " on cannot be read: %s: %s", from, d->where,
                     d->text);
        buf_free(&b);
        return ERR_AGAIN;
    }
    rest = buf_view(&b);
    uint64_t i = id.index * TILE_WIDTH;
    while (rc == 0 && tile_bundle_next(&rest, &entry, &bad)) {
        rc = i < from ? 0 : see(m, tree, i, entry, d);
        i++;
    }
    if (rc == 0) {
        m->state.entries = i;
        m->state.changed = true;
    }
    buf_free(&b);
    return rc;
}

int monitor_rounds_read(struct monitor *m, struct tile_tree *tree, uint64_t size, struct diag *d)
{
    int rc = 0;
    while (rc == 0 && m->state.entries < size)
        rc = read_bundle(m, tree, m->state.entries, size, d);
    return rc == ERR_AGAIN ? 0 : rc;
}
