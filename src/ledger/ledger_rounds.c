/* Closing a round, and what it is made of. */
#include "base/err.h"
#include "ledger/ledger_rounds_int.h"
#include "tlog/chain.h"
#include "tlog/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

/* A note of ours: text, empty line, one line. */
#define NOTE_BYTES (CHECKPOINT_TEXT_MAX + 1 + NOTE_LINE_MAX)

/* --- the pieces of a round --- */

static int by_leaf(const void *a, const void *b)
{
    const struct ledger_item *const *x = a, *const *y = b;
    return round_order((*x)->leaf, (*y)->leaf);
}

/* What is over a round's limits stays for the next one. */
void ledger_rounds_take_open(struct ledger_rounds *r)
{
    struct ledger_list *from = &r->open, *to = &r->closed;
    size_t n = from->n < LEDGER_ROUND_ENTRIES ? from->n : LEDGER_ROUND_ENTRIES;
    size_t bytes = 0, taken = 0;
    while (taken < n && bytes + from->item[taken]->leaf.n + 2 <= LEDGER_ROUND_BYTES)
        bytes += from->item[taken++]->leaf.n + 2;
    struct ledger_list rest = {.room = from->n - taken};
    if (rest.room > 0 && (rest.item = malloc(rest.room * sizeof(void *))) == NULL) {
        taken = from->n; /* without memory for the rest all goes into one round */
        rest.room = 0;
    }
    for (size_t i = taken; i < from->n; i++) {
        rest.item[rest.n++] = from->item[i];
        rest.bytes += from->item[i]->leaf.n;
    }
    *to = *from;
    to->n = taken;
    *from = rest;
    for (size_t i = 0; i < to->n; i++)
        to->item[i]->known->pending = NULL;
    if (to->n > 0)
        qsort(to->item, to->n, sizeof(void *), by_leaf);
}

/* The round does not come about: its heads wait on, before those that came after. */
void ledger_rounds_put_back(struct ledger_rounds *r)
{
    struct ledger_list *from = &r->closed, *to = &r->open;
    size_t n = from->n + to->n;
    struct ledger_item **all = n == 0 ? NULL : malloc(n * sizeof(void *));
    if (n > 0 && all == NULL)
        abort(); /* heads that were accepted must not be forgotten */
    for (size_t i = 0; i < from->n; i++) {
        all[i] = from->item[i];
        all[i]->known->pending = all[i];
    }
    for (size_t i = 0; i < to->n; i++)
        all[from->n + i] = to->item[i];
    struct ledger_list joined = {.item = all, .n = n, .room = n, .bytes = to->bytes};
    for (size_t i = 0; i < from->n; i++)
        joined.bytes += from->item[i]->leaf.n;
    free(from->item);
    free(to->item);
    *from = (struct ledger_list){0};
    *to = joined;
    round_tree_free(&r->round);
}

int ledger_rounds_make_tree(struct ledger_rounds *r, uint64_t *heads, struct merkle_hash *root)
{
    const struct ledger_list *l = &r->closed;
    *heads = 0;
    if (l->n == 0) {
        merkle_empty(root);
        return 0;
    }
    if (round_tree_init(&r->round, l->n) != 0)
        return ERR_NOMEM;
    for (size_t i = 0; i < l->n; i++) {
        round_tree_leaf(&r->round, i, l->item[i]->leaf);
        *heads += l->item[i]->heads;
    }
    round_tree_finish(&r->round);
    return merkle_root_at(round_tree_get, &r->round, l->n, root);
}

static int stage_file(struct buf *stage, const char *path, const struct buf *bytes)
{
    if (bytes->failed)
        return ERR_TOO_LARGE;
    ledger_store_stage_add(stage, path, buf_view(bytes));
    return 0;
}

/* The round's file, what is private of it, and the tiles that its record changes. */
static int make_stage(struct ledger_rounds *r, const struct merkle_hash *root,
                      const struct ledger_edge_change *change, size_t n, struct buf *out)
{
    char path[LEDGER_PATH_MAX], tile[TILE_PATH_MAX];
    struct buf file, hidden;
    uint64_t round = r->edge->frontier.size;
    buf_init(&file, LEDGER_ROUND_BYTES);
    buf_init(&hidden, LEDGER_ROUND_BYTES);
    int rc = ledger_rounds_list_print(&r->closed, &file);
    rc = rc != 0 ? rc : ledger_rounds_list_hidden(&r->closed, &hidden);
    size_t files = n + (file.n > 0) + (hidden.n > 0);
    ledger_store_stage_begin(out, round + 1, root, (uint32_t)files);
    if (rc == 0 && hidden.n > 0) {
        ledger_rounds_private_file(round, path);
        rc = stage_file(out, path, &hidden);
    }
    if (rc == 0 && file.n > 0) {
        ledger_rounds_file(round, path);
        rc = stage_file(out, path, &file);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        tile_path(&change[i].id, tile);
        snprintf(path, sizeof path, "public/%s", tile);
        ledger_store_stage_add(out, path, change[i].bytes);
    }
    ledger_store_stage_end(out);
    buf_free(&file);
    buf_free(&hidden);
    return rc != 0 ? rc : out->failed ? ERR_TOO_LARGE : 0;
}

/* --- steps 1 and 2 --- */

/* A round that is being made. */
struct making {
    struct round_record rec;
    uint8_t record[ROUND_RECORD];
    struct merkle_hash root;
    struct ledger_edge_change change[LEDGER_EDGE_CHANGES];
    size_t changes;
    struct buf stage, text, note;
};

static int prepare(struct ledger_rounds *r, int64_t now_ms, struct making *m, struct diag *d)
{
    m->rec = (struct round_record){.round = r->edge->frontier.size, .time_ms = (uint64_t)now_ms};
    int rc = ledger_rounds_make_tree(r, &m->rec.heads, &m->rec.root);
    m->rec.entries = r->closed.n;
    if (rc != 0)
        return diag_set(d, rc, "no memory for a round");
    if (m->rec.round > 0)
        round_record_digest(r->record, m->rec.previous);
    round_record_print(&m->rec, m->record);
    *r->next = *r->edge;
    m->changes = ledger_edge_append(r->next, m->record, m->change);
    merkle_root(&r->next->frontier, &m->root);
    rc = make_stage(r, &m->root, m->change, m->changes, &m->stage);
    if (rc != 0)
        return diag_set(d, rc, "a round cannot be put together: %s", err_text(rc));
    struct checkpoint cp = {
        .origin = note_key_name(r->key), .size = m->rec.round + 1, .root = m->root};
    checkpoint_print(&cp, &m->text);
    return 0;
}

/* The lock is compared before anything is signed, and has room for what will be. */
static int sign_and_swap(struct ledger_rounds *r, struct making *m, bool *unknown, struct diag *d)
{
    uint8_t signature[NOTE_SIGNATURE] = {0};
    note_print(buf_view(&m->text), r->key, signature, &m->note); /* for its length */
    size_t n = m->note.n;
    int rc = ledger_store_lock_begin(r->store, buf_view(&r->note), n, d);
    if (rc != 0)
        return rc;
    rc = r->sign(r->sign_ctx, buf_view(&m->text), signature, d);
    buf_reset(&m->note);
    note_print(buf_view(&m->text), r->key, signature, &m->note);
    if (rc == 0 && (m->note.failed || m->note.n != n))
        rc = diag_set(d, ERR_INTERNAL, "a checkpoint has another length than it must have");
    if (rc == 0 &&
        note_verify(r->key, buf_view(&m->text), slice_of(signature, NOTE_SIGNATURE)) != 0)
        rc = diag_set(d, ERR_CRYPTO, "the key process signs with another key than the ledger's");
    if (rc != 0) {
        ledger_store_lock_abandon(r->store);
        return rc;
    }
    rc = ledger_store_lock_commit(r->store, buf_view(&m->note), d);
    *unknown = rc != 0;
    return rc;
}

/* From now on this is the ledger. Moves what was made into its place. */
static void adopt(struct ledger_rounds *r, struct making *m, int64_t now_ms)
{
    struct ledger_edge *edge = r->edge;
    r->path_n = ledger_edge_path(edge, r->path);
    r->edge = r->next;
    r->next = edge;
    r->root = m->root;
    r->last = m->rec;
    memcpy(r->record, m->record, ROUND_RECORD);
    r->text_n = m->text.n;
    buf_free(&r->note);
    r->note = m->note;
    buf_init(&m->note, NOTE_BYTES);
    buf_free(&r->stage);
    r->stage = m->stage;
    buf_init(&m->stage, LEDGER_STAGE_MAX);
    buf_reset(&r->lines);
    if (r->closed.n > 0)
        r->changed = true;
    for (size_t i = 0; i < m->changes; i++)
        if (m->change[i].id.width == TILE_WIDTH)
            ledger_rounds_note_full(r, &m->change[i].id, now_ms);
    r->phase = LEDGER_SPREAD;
}

int ledger_rounds_commit(struct ledger_rounds *r, int64_t now_ms, bool *unknown, struct diag *d)
{
    struct making m = {.changes = 0};
    *unknown = false;
    if (r->phase != LEDGER_IDLE)
        return diag_set(d, ERR_AGAIN, "the last round is not published yet");
    if (now_ms <= 0 || (r->edge->frontier.size > 0 && (uint64_t)now_ms <= r->last.time_ms))
        return diag_set(d, ERR_AGAIN, "the clock is not past the time of the last round");
    buf_init(&m.stage, LEDGER_STAGE_MAX);
    buf_init(&m.text, CHECKPOINT_TEXT_MAX);
    buf_init(&m.note, NOTE_BYTES);
    ledger_rounds_take_open(r);
    int rc = prepare(r, now_ms, &m, d);
    rc = rc != 0
             ? rc
             : ledger_store_stage_write(r->store, m.rec.round + 1, &m.root, buf_view(&m.stage), d);
    rc = rc != 0 ? rc : sign_and_swap(r, &m, unknown, d);
    if (rc == 0)
        adopt(r, &m, now_ms);
    else
        ledger_rounds_put_back(r);
    buf_free(&m.stage);
    buf_free(&m.text);
    buf_free(&m.note);
    return rc;
}

/* --- steps 3 to 5 --- */

int ledger_rounds_spread(struct ledger_rounds *r, struct diag *d)
{
    if (r->phase != LEDGER_SPREAD)
        return 0;
    int rc = ledger_store_publish(r->store, buf_view(&r->stage), d);
    if (rc != 0)
        return rc;
    tile_tree_resize(r->tree, r->edge->frontier.size);
    r->phase = LEDGER_SHOWN;
    return 0;
}

int ledger_rounds_publish(struct ledger_rounds *r, struct slice lines, struct diag *d)
{
    struct buf b;
    if (r->phase == LEDGER_SPREAD)
        return diag_set(d, ERR_AGAIN, "the tiles are not published yet");
    buf_init(&b, LEDGER_CHECKPOINT_MAX);
    buf_slice(&b, buf_view(&r->note));
    buf_slice(&b, lines);
    int rc = b.failed ? diag_set(d, ERR_TOO_LARGE, "too many cosignatures") : 0;
    rc = rc != 0 ? rc : ledger_store_replace(r->store, "public/checkpoint", buf_view(&b), d);
    buf_free(&b);
    if (rc != 0)
        return rc;
    buf_reset(&r->lines);
    buf_slice(&r->lines, lines);
    if (r->phase == LEDGER_SHOWN)
        r->phase = LEDGER_DONE;
    return 0;
}

static int answer_item(struct ledger_rounds *r, size_t i, struct slice checkpoint,
                       struct chain_answer *a, struct buf *text)
{
    const struct ledger_item *item = r->closed.item[i];
    *a = (struct chain_answer){.entry = item->entry, .is_private = item->is_private};
    memcpy(a->salt, item->salt, ENTRY_SALT);
    a->round.index = i;
    a->round.of = r->last.entries;
    int rc =
        merkle_inclusion(round_tree_get, &r->round, i, r->last.entries, a->round.h, &a->round.n);
    memcpy(a->record, r->record, ROUND_RECORD);
    a->ledger.index = r->last.round;
    a->ledger.n = r->path_n;
    memcpy(a->ledger.h, r->path, sizeof r->path);
    a->checkpoint = checkpoint;
    buf_reset(text);
    chain_answer_print(a, text);
    return rc != 0 ? rc : text->failed ? ERR_TOO_LARGE : 0;
}

int ledger_rounds_answer(struct ledger_rounds *r, ledger_answer answer, void *ctx, struct diag *d)
{
    struct buf text, checkpoint;
    struct chain_answer *a = calloc(1, sizeof *a);
    int rc = a == NULL ? ERR_NOMEM : 0;
    if (r->phase != LEDGER_DONE) {
        free(a);
        return 0;
    }
    buf_init(&text, CHAIN_ANSWER_MAX);
    buf_init(&checkpoint, LEDGER_CHECKPOINT_MAX);
    buf_slice(&checkpoint, buf_view(&r->note));
    buf_slice(&checkpoint, buf_view(&r->lines));
    for (size_t i = 0; rc == 0 && i < r->closed.n; i++) {
        struct ledger_item *item = r->closed.item[i];
        rc = answer_item(r, i, buf_view(&checkpoint), a, &text);
        for (size_t w = 0; rc == 0 && w < item->waiters; w++)
            answer(ctx, item->waiter[w], buf_view(&text));
    }
    buf_free(&text);
    buf_free(&checkpoint);
    free(a);
    if (rc != 0)
        return diag_set(d, rc, "an answer cannot be put together: %s", err_text(rc));
    ledger_rounds_list_free(r, &r->closed);
    round_tree_free(&r->round);
    buf_free(&r->stage);
    r->phase = LEDGER_IDLE;
    return ledger_store_stage_drop(r->store, 0, NULL, d);
}

/* --- what is there --- */

enum ledger_phase ledger_rounds_phase(const struct ledger_rounds *r)
{
    return r->phase;
}

uint64_t ledger_rounds_time(const struct ledger_rounds *r)
{
    return r->last.time_ms;
}

struct slice ledger_rounds_note(const struct ledger_rounds *r)
{
    return buf_view(&r->note);
}

struct slice ledger_rounds_text(const struct ledger_rounds *r)
{
    return slice_sub(buf_view(&r->note), 0, r->text_n);
}

uint64_t ledger_rounds_size(const struct ledger_rounds *r)
{
    return r->edge->frontier.size;
}

const struct merkle_hash *ledger_rounds_root(const struct ledger_rounds *r)
{
    return &r->root;
}

struct slice ledger_rounds_lines(const struct ledger_rounds *r)
{
    return buf_view(&r->lines);
}

int ledger_rounds_proof(struct ledger_rounds *r, uint64_t older,
                        struct merkle_hash proof[MERKLE_DEPTH], size_t *n, struct diag *d)
{
    *n = 0;
    if (older == 0 || older > r->edge->frontier.size)
        return diag_set(d, ERR_USAGE, "there is no proof from that size");
    int rc = merkle_consistency(tile_tree_get, r->tree, older, r->edge->frontier.size, proof, n);
    return rc == 0 ? 0 : diag_set(d, rc, "a tile cannot be read: %s", err_text(rc));
}

void ledger_rounds_counts(const struct ledger_rounds *r, struct ledger_counts *out)
{
    *out = (struct ledger_counts){.journals = ledger_heads_count(r->heads),
                                  .waiting = r->open.n + r->closed.n,
                                  .forks = r->forks,
                                  .rollbacks = r->rollbacks,
                                  .entries = r->last.entries,
                                  .heads = r->last.heads};
}

int ledger_rounds_replace(struct ledger_rounds *r, const char *path, struct slice bytes,
                          struct diag *d)
{
    return ledger_store_replace(r->store, path, bytes, d);
}
