/* What a start finds on disk, and how it goes on from there. */
#include "base/err.h"
#include "ledger/ledger_rounds_int.h"
#include "tlog/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

#define BUNDLE_RECORD (2 + ROUND_RECORD)

/* --- reading what is published --- */

static int read_tile(struct ledger_store *s, const struct tile_id *id, struct buf *out)
{
    char path[LEDGER_PATH_MAX], tile[TILE_PATH_MAX];
    tile_path(id, tile);
    snprintf(path, sizeof path, "public/%s", tile);
    return ledger_store_read(s, path, out, NULL);
}

/* Of a bundle that is read whole, the first `width` entries. */
static size_t first_entries(struct slice bundle, unsigned width)
{
    struct slice rest = bundle, entry;
    bool bad = false;
    for (unsigned i = 0; i < width; i++)
        if (!tile_bundle_next(&rest, &entry, &bad))
            return bundle.n;
    return bundle.n - rest.n;
}

int ledger_rounds_fetch(void *store, const struct tile_id *id, struct buf *out)
{
    size_t before = out->n;
    int rc = read_tile(store, id, out);
    if (rc != ERR_NOT_FOUND || id->width == TILE_WIDTH)
        return rc;
    /* The partial tile may be gone since its full one is there. */
    struct tile_id full = *id;
    struct buf whole;
    full.width = TILE_WIDTH;
    buf_init(&whole, id->entries ? LEDGER_BUNDLE_MAX : TILE_BYTES);
    rc = read_tile(store, &full, &whole);
    if (rc == 0)
        buf_slice(out, slice_sub(buf_view(&whole), 0,
                                 id->entries ? first_entries(buf_view(&whole), id->width)
                                             : (size_t)id->width * MERKLE_HASH));
    buf_free(&whole);
    if (rc != 0)
        out->n = before;
    return rc;
}

int ledger_rounds_record(struct ledger_rounds *r, uint64_t round, uint8_t out[ROUND_RECORD],
                         struct diag *d)
{
    struct tile_id id;
    struct buf b;
    size_t at = (size_t)(round % TILE_WIDTH) * BUNDLE_RECORD;
    if (!tile_of(0, round, r->edge->frontier.size, &id))
        return diag_set(d, ERR_USAGE, "there is no such round");
    id.entries = true;
    buf_init(&b, LEDGER_BUNDLE_MAX);
    int rc = ledger_rounds_fetch(r->store, &id, &b);
    if (rc == 0 && b.n < at + BUNDLE_RECORD)
        rc = ERR_CORRUPT;
    if (rc == 0)
        memcpy(out, b.p + at + 2, ROUND_RECORD);
    buf_free(&b);
    return rc == 0 ? 0
                   : diag_set(d, rc, "the record of round %llu cannot be read: %s",
                              (unsigned long long)round, err_text(rc));
}

void ledger_rounds_file(uint64_t round, char out[LEDGER_PATH_MAX])
{
    char index[TILE_PATH_MAX];
    tile_index_path(round, index);
    snprintf(out, LEDGER_PATH_MAX, "public/rounds/%s", index);
}

void ledger_rounds_private_file(uint64_t round, char out[LEDGER_PATH_MAX])
{
    snprintf(out, LEDGER_PATH_MAX, "heads/%llu", (unsigned long long)round);
}

/* --- the two checkpoints --- */

struct found {
    struct buf bytes;
    struct note note;
    struct checkpoint cp;
};

static int open_found(const struct ledger_rounds *r, const char *what, struct found *f,
                      struct diag *d)
{
    const struct note_key *keys[1] = {r->key};
    struct note_seen seen;
    int rc = note_parse(buf_view(&f->bytes), &f->note, d);
    rc = rc != 0 ? rc : note_open(&f->note, keys, 1, &seen, d);
    rc = rc != 0 ? rc : checkpoint_parse(f->note.text, &f->cp, d);
    if (rc == 0 && !slice_eq(f->cp.origin, note_key_name(r->key)))
        rc = diag_set(d, ERR_CORRUPT, "it is of another origin");
    if (rc != 0)
        diag_where(d, "%s checkpoint", what);
    return rc;
}

static int read_both(struct ledger_rounds *r, struct found *lock, struct found *shown,
                     struct diag *d)
{
    int rc = ledger_store_lock_read(r->store, &lock->bytes, d);
    if (rc == ERR_NOT_FOUND)
        return diag_set(d, rc,
                        "there is no lock with the last committed checkpoint. A new ledger is made "
                        "by sild ledger init; this one must get its lock back, from the storage "
                        "that held it, before it may sign again");
    rc = rc != 0 ? rc : open_found(r, "committed", lock, d);
    rc = rc != 0 ? rc : ledger_store_read(r->store, "public/checkpoint", &shown->bytes, d);
    return rc != 0 ? rc : open_found(r, "published", shown, d);
}

/* Where the lock and what is published do not go together, only a person knows what happened. */
static int compare(const struct found *lock, const struct found *shown, struct diag *d)
{
    unsigned long long a = lock->cp.size, b = shown->cp.size;
    if (b > a)
        return diag_set(d, ERR_CORRUPT,
                        "the published checkpoint has size %llu and the lock only %llu: the lock "
                        "is an old copy. Put the newest lock back; never start with this one",
                        b, a);
    if (a == b && memcmp(lock->cp.root.b, shown->cp.root.b, MERKLE_HASH) != 0)
        return diag_set(d, ERR_CORRUPT,
                        "the lock and the published checkpoint have one size, %llu, and two "
                        "roots: two ledgers have signed. Keep both files as evidence, and do not "
                        "start either",
                        a);
    if (a > b + 1)
        return diag_set(d, ERR_CORRUPT,
                        "the lock has size %llu and what is published only %llu: the ledger's "
                        "folder is an old copy. Put the newest folder back",
                        a, b);
    return 0;
}

/* A committed round that was not published: its files go out now. */
static int replay(struct ledger_rounds *r, const struct found *lock, const struct found *shown,
                  struct diag *d)
{
    struct merkle_hash proof[MERKLE_DEPTH];
    size_t n = 0;
    int rc = ledger_store_stage_read(r->store, lock->cp.size, &lock->cp.root, &r->stage, d);
    if (rc == ERR_NOT_FOUND)
        return diag_set(d, ERR_CORRUPT,
                        "round %llu is committed, not published, and its staging file is gone: the "
                        "ledger's folder is an old copy or was emptied. Put the newest folder back",
                        (unsigned long long)lock->cp.size - 1);
    rc = rc != 0 ? rc : ledger_store_publish(r->store, buf_view(&r->stage), d);
    if (rc != 0 || shown->cp.size == 0)
        return rc;
    struct tile_tree *t = tile_tree_new(ledger_rounds_fetch, r->store, lock->cp.size);
    rc = t == NULL ? ERR_NOMEM
                   : merkle_consistency(tile_tree_get, t, shown->cp.size, lock->cp.size, proof, &n);
    tile_tree_free(t);
    rc = rc != 0 ? rc
                 : merkle_verify_consistency(shown->cp.size, &shown->cp.root, lock->cp.size,
                                             &lock->cp.root, proof, n);
    return rc == 0 ? 0
                   : diag_set(d, ERR_CORRUPT,
                              "the committed checkpoint does not go on from the published one");
}

/* --- heads --- */

static int replay_bundle(struct ledger_rounds *r, const char *path, struct diag *d)
{
    struct slice rest, entry;
    struct buf b;
    bool bad = false;
    buf_init(&b, LEDGER_ROUND_BYTES);
    int rc = ledger_store_read(r->store, path, &b, d);
    rest = buf_view(&b);
    while (rc == 0 && tile_bundle_next(&rest, &entry, &bad))
        rc = ledger_heads_replay(r->heads, entry, d);
    if (rc == 0 && bad)
        rc = diag_set(d, ERR_CORRUPT, "%s is damaged", path);
    buf_free(&b);
    return rc;
}

static int replay_heads(struct ledger_rounds *r, struct diag *d)
{
    uint8_t record[ROUND_RECORD];
    struct round_record rec;
    char path[LEDGER_PATH_MAX];
    uint64_t size = r->edge->frontier.size;
    int rc = 0;
    for (uint64_t i = r->snapshot; rc == 0 && i < size; i++) {
        rc = ledger_rounds_record(r, i, record, d);
        rc = rc != 0 ? rc : round_record_parse(slice_of(record, ROUND_RECORD), &rec, d);
        if (rc != 0 || rec.entries == 0)
            continue;
        ledger_rounds_file(i, path);
        rc = replay_bundle(r, path, d);
        ledger_rounds_private_file(i, path);
        int hidden = rc != 0 ? rc : replay_bundle(r, path, d);
        rc = hidden == ERR_NOT_FOUND ? 0 : hidden;
    }
    return rc;
}

static int load_heads(struct ledger_rounds *r, struct diag *d)
{
    struct buf b;
    buf_init(&b, LEDGER_STAGE_MAX);
    int rc = ledger_store_read(r->store, "heads/snapshot", &b, d);
    if (rc == 0)
        rc = ledger_heads_parse(r->heads, buf_view(&b), &r->snapshot, &r->oldest, d);
    else if (rc == ERR_NOT_FOUND)
        rc = 0; /* none yet: all rounds are read */
    buf_free(&b);
    if (rc == 0 && r->snapshot > r->edge->frontier.size)
        rc = diag_set(d, ERR_CORRUPT,
                      "the snapshot of heads is of a later round than the lock: "
                      "the lock is an old copy. Put the newest lock back");
    return rc != 0 ? rc : replay_heads(r, d);
}

/* --- all of it --- */

static int take_lock(struct ledger_rounds *r, const struct found *lock, const struct found *shown,
                     struct diag *d)
{
    uint64_t size = lock->cp.size;
    r->root = lock->cp.root;
    r->text_n = lock->note.text.n;
    buf_slice(&r->note, buf_view(&lock->bytes));
    int rc = ledger_edge_load(r->edge, ledger_rounds_fetch, r->store, size, &lock->cp.root, d);
    r->tree = tile_tree_new(ledger_rounds_fetch, r->store, size);
    if (rc == 0 && r->tree == NULL)
        rc = diag_set(d, ERR_NOMEM, "no memory for the ledger's tree");
    if (rc == 0 && size > 0)
        rc = ledger_rounds_record(r, size - 1, r->record, d);
    if (rc == 0 && size > 0)
        rc = round_record_parse(slice_of(r->record, ROUND_RECORD), &r->last, d);
    r->phase = shown->cp.size < size ? LEDGER_SHOWN : LEDGER_IDLE;
    return rc;
}

static int recover(struct ledger_rounds *r, struct diag *d)
{
    struct found *f = calloc(2, sizeof *f);
    if (f == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the start");
    buf_init(&f[0].bytes, LEDGER_CHECKPOINT_MAX);
    buf_init(&f[1].bytes, LEDGER_CHECKPOINT_MAX);
    int rc = read_both(r, &f[0], &f[1], d);
    rc = rc != 0 ? rc : compare(&f[0], &f[1], d);
    if (rc == 0 && f[0].cp.size > f[1].cp.size)
        rc = replay(r, &f[0], &f[1], d);
    rc = rc != 0 ? rc : take_lock(r, &f[0], &f[1], d);
    /* The published note has the same text and the ledger's line first; behind it are the others.
     */
    if (rc == 0 && r->phase == LEDGER_IDLE && f[1].bytes.n > r->note.n &&
        slice_eq(slice_sub(buf_view(&f[1].bytes), 0, r->note.n), buf_view(&r->note)))
        buf_slice(&r->lines, slice_from(buf_view(&f[1].bytes), r->note.n));
    rc = rc != 0 ? rc : load_heads(r, d);
    if (rc == 0 && r->phase == LEDGER_IDLE)
        rc = ledger_store_stage_drop(r->store, 0, NULL, d);
    buf_free(&f[0].bytes);
    buf_free(&f[1].bytes);
    free(f);
    return rc;
}

static void count_one(void *arg, const char *name)
{
    struct ledger_rounds *r = arg;
    if (name[0] != '.')
        r->evidence++;
}

int ledger_rounds_open(const struct ledger_rounds_options *o, struct ledger_rounds **out,
                       struct diag *d)
{
    struct ledger_rounds *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the ledger");
    r->key = o->key;
    r->sign = o->sign;
    r->sign_ctx = o->sign_ctx;
    r->heads = ledger_heads_new(o->seed);
    r->edge = malloc(sizeof *r->edge);
    r->next = malloc(sizeof *r->next);
    buf_init(&r->note, LEDGER_CHECKPOINT_MAX);
    buf_init(&r->lines, LEDGER_CHECKPOINT_MAX);
    buf_init(&r->stage, LEDGER_STAGE_MAX);
    int rc = r->heads == NULL || r->edge == NULL || r->next == NULL
                 ? diag_set(d, ERR_NOMEM, "no memory for the ledger")
                 : 0;
    rc = rc != 0 ? rc : ledger_store_open(o->dir, o->lock_dir, o->io, o->io_ctx, &r->store, d);
    rc = rc != 0 ? rc : recover(r, d);
    rc = rc != 0 ? rc : ledger_store_list(r->store, "evidence", count_one, r, d);
    if (rc != 0) {
        ledger_rounds_free(r);
        return rc;
    }
    ledger_rounds_find_full(r);
    *out = r;
    return 0;
}

void ledger_rounds_free(struct ledger_rounds *r)
{
    if (r == NULL)
        return;
    ledger_rounds_list_free(r, &r->open);
    ledger_rounds_list_free(r, &r->closed);
    round_tree_free(&r->round);
    ledger_heads_free(r->heads);
    tile_tree_free(r->tree);
    buf_free(&r->note);
    buf_free(&r->lines);
    buf_free(&r->stage);
    free(r->edge);
    free(r->next);
    ledger_store_close(r->store);
    free(r);
}
