/* Upkeep: the snapshot of heads, partial tiles and old round files that may go. */
#include "base/err.h"
#include "ledger/ledger_rounds_int.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS_A_CALL 256
#define LOOK_BACK 16 /* tiles of a level that an earlier run may have left with partial ones */

static void partial_folder(const struct tile_id *id, char out[LEDGER_PATH_MAX])
{
    char tile[TILE_PATH_MAX];
    struct tile_id full = *id;
    full.width = TILE_WIDTH;
    tile_path(&full, tile);
    snprintf(out, LEDGER_PATH_MAX, "public/%s.p", tile);
}

void ledger_rounds_note_full(struct ledger_rounds *r, const struct tile_id *id, int64_t now_ms)
{
    if (r->full_n < LEDGER_FULL_TILES)
        r->full[r->full_n++] = (struct ledger_full){*id, now_ms};
}

static void count_name(void *arg, const char *name)
{
    size_t *n = arg;
    if (name[0] != '.')
        ++*n;
}

void ledger_rounds_find_full(struct ledger_rounds *r)
{
    char path[LEDGER_PATH_MAX];
    unsigned partial;
    for (unsigned level = 0; level <= TILE_LEVELS; level++) {
        struct tile_id id = {.entries = level == TILE_LEVELS,
                             .level = level == TILE_LEVELS ? 0 : level};
        uint64_t full = tile_count(id.level, r->edge->frontier.size, &partial);
        for (uint64_t back = 1; back <= LOOK_BACK && back <= full; back++) {
            size_t n = 0;
            id.index = full - back;
            partial_folder(&id, path);
            if (ledger_store_list(r->store, path, count_name, &n, NULL) == 0 && n > 0)
                ledger_rounds_note_full(r, &id, (int64_t)r->last.time_ms);
        }
    }
}

/* --- partial tiles --- */

struct removing {
    struct ledger_store *store;
    const char *folder;
    int rc;
    struct diag *d;
};

static void remove_one(void *arg, const char *name)
{
    struct removing *k = arg;
    char path[LEDGER_PATH_MAX];
    if (name[0] == '.' || k->rc != 0)
        return;
    snprintf(path, sizeof path, "%s/%.16s", k->folder, name);
    k->rc = ledger_store_remove(k->store, path, k->d);
}

static int remove_partial(struct ledger_rounds *r, const struct tile_id *id, struct diag *d)
{
    char folder[LEDGER_PATH_MAX];
    partial_folder(id, folder);
    struct removing k = {.store = r->store, .folder = folder, .d = d};
    int rc = ledger_store_list(r->store, folder, remove_one, &k, d);
    rc = rc != 0 ? rc : k.rc;
    return rc != 0 ? rc : ledger_store_remove_folder(r->store, folder, d);
}

static int tidy_tiles(struct ledger_rounds *r, int64_t now_ms, int64_t partial_ms, struct diag *d)
{
    int rc = 0;
    size_t kept = 0;
    for (size_t i = 0; i < r->full_n; i++) {
        if (rc == 0 && now_ms - r->full[i].since_ms >= partial_ms)
            rc = remove_partial(r, &r->full[i].id, d);
        else
            r->full[kept++] = r->full[i];
    }
    r->full_n = kept;
    return rc;
}

/* --- round files --- */

static int tidy_rounds(struct ledger_rounds *r, int64_t now_ms, int64_t rounds_ms, struct diag *d)
{
    uint8_t record[ROUND_RECORD];
    struct round_record rec;
    char path[LEDGER_PATH_MAX];
    int rc = 0;
    for (int i = 0; rc == 0 && i < ROUNDS_A_CALL && r->oldest < r->snapshot; i++) {
        rc = ledger_rounds_record(r, r->oldest, record, d);
        rc = rc != 0 ? rc : round_record_parse(slice_of(record, ROUND_RECORD), &rec, d);
        if (rc != 0 || (int64_t)rec.time_ms + rounds_ms > now_ms)
            break;
        ledger_rounds_file(r->oldest, path);
        rc = rec.entries == 0 ? 0 : ledger_store_remove(r->store, path, d);
        if (rc == 0)
            r->oldest++;
    }
    return rc;
}

int ledger_rounds_tidy(struct ledger_rounds *r, int64_t now_ms, int64_t partial_ms,
                       int64_t rounds_ms, struct diag *d)
{
    int rc = tidy_tiles(r, now_ms, partial_ms, d);
    return rc != 0 ? rc : tidy_rounds(r, now_ms, rounds_ms, d);
}

/* --- the snapshot --- */

struct old_private {
    struct ledger_store *store;
    uint64_t before;
    int rc;
    struct diag *d;
};

static void remove_old(void *arg, const char *name)
{
    struct old_private *k = arg;
    char path[LEDGER_PATH_MAX];
    uint64_t round;
    if (k->rc != 0 || !slice_u64(slice_str(name), &round) || round >= k->before)
        return;
    ledger_rounds_private_file(round, path);
    k->rc = ledger_store_remove(k->store, path, k->d);
}

int ledger_rounds_snapshot(struct ledger_rounds *r, struct diag *d)
{
    struct buf b;
    uint64_t round = r->edge->frontier.size;
    if (r->phase != LEDGER_IDLE)
        return 0;
    buf_init(&b, LEDGER_STAGE_MAX);
    ledger_heads_print(r->heads, round, r->oldest, &b);
    int rc = b.failed ? diag_set(d, ERR_TOO_LARGE, "the snapshot of heads is too large") : 0;
    rc = rc != 0 ? rc : ledger_store_replace(r->store, "heads/snapshot", buf_view(&b), d);
    buf_free(&b);
    if (rc != 0)
        return rc;
    r->snapshot = round;
    r->changed = false;
    struct old_private k = {.store = r->store, .before = round, .d = d};
    rc = ledger_store_list(r->store, "heads", remove_old, &k, d);
    return rc != 0 ? rc : k.rc;
}
