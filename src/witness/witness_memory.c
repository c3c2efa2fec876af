#include "witness/witness_memory.h"
#include "base/err.h"
#include "base/map.h"
#include "crypto/digest.h"

#include <stdlib.h>
#include <string.h>

struct witness_memory {
    struct witness_store *store;
    struct map *entries; /* by id */
    size_t n;
    int64_t last_s;
    struct witness_entry *changed;
};

static void entry_free(struct witness_entry *e)
{
    buf_free(&e->note);
    free(e);
}

static void clear(struct witness_memory *m)
{
    struct slice key;
    void *e;
    for (size_t at = 0; m->entries != NULL && map_next(m->entries, &at, &key, &e);)
        entry_free(e);
    map_free(m->entries);
    m->entries = NULL;
    m->changed = NULL;
    m->n = 0;
    m->last_s = 0;
}

struct slice witness_memory_text(const struct witness_entry *e)
{
    return slice_sub(buf_view(&e->note), 0, e->text_n);
}

struct slice witness_memory_origin(const struct witness_entry *e)
{
    return slice_sub(buf_view(&e->note), 0, e->origin_n);
}

struct witness_entry *witness_memory_find(const struct witness_memory *m, const uint8_t id[32])
{
    return map_get(m->entries, slice_of(id, 32));
}

bool witness_memory_next(const struct witness_memory *m, size_t *at, struct witness_entry **e)
{
    struct slice key;
    void *value;
    if (!map_next(m->entries, at, &key, &value))
        return false;
    *e = value;
    return true;
}

size_t witness_memory_count(const struct witness_memory *m)
{
    return m->n;
}

int64_t witness_memory_last(const struct witness_memory *m)
{
    return m->last_s;
}

/* The entry of an origin, made when there is none. */
static struct witness_entry *entry_of(struct witness_memory *m, struct slice origin)
{
    struct digest id;
    digest_of(DIGEST_SHA256, origin, &id);
    struct witness_entry *e = witness_memory_find(m, id.b);
    if (e != NULL)
        return e;
    e = calloc(1, sizeof *e);
    if (e == NULL)
        return NULL;
    memcpy(e->id, id.b, sizeof e->id);
    witness_state_init(&e->state);
    buf_init(&e->note, 2 * NOTE_MAX);
    if (map_put(m->entries, slice_of(e->id, sizeof e->id), e) != 0) {
        entry_free(e);
        return NULL;
    }
    m->n++;
    return e;
}

static int put(struct witness_memory *m, const struct checkpoint *cp, struct slice note,
               size_t text_n, int64_t time_s, struct witness_entry **out)
{
    struct witness_entry *e = entry_of(m, cp->origin);
    if (e == NULL || buf_room(&e->note, note.n > e->note.n ? note.n - e->note.n : 0) == NULL)
        return ERR_NOMEM;
    buf_reset(&e->note);
    buf_slice(&e->note, note);
    e->text_n = text_n;
    e->origin_n = cp->origin.n;
    e->state = (struct witness_state){.size = cp->size, .root = cp->root};
    e->time_s = time_s;
    e->signed_here = false;
    if (m->last_s < time_s)
        m->last_s = time_s;
    *out = e;
    return 0;
}

/* --- the store --- */

static int take_row(void *ctx, const struct witness_held *h, struct diag *d)
{
    struct witness_memory *m = ctx;
    struct witness_entry *e;
    struct checkpoint cp;
    size_t end = slice_find_slice(h->note, SLICE_LIT("\n\n"));
    if (end == SIZE_MAX || checkpoint_parse(slice_sub(h->note, 0, end + 1), &cp, NULL) != 0 ||
        !slice_eq(cp.origin, h->origin) || cp.size != h->size ||
        memcmp(cp.root.b, h->root.b, MERKLE_HASH) != 0)
        return diag_set(d, ERR_CORRUPT, "the store's checkpoint of %.*s does not fit its row",
                        SLICE_ARG(h->origin));
    return put(m, &cp, h->note, end + 1, h->time_s, &e) == 0
               ? 0
               : diag_set(d, ERR_NOMEM, "no memory for what the store holds");
}

static int load(struct witness_memory *m, struct diag *d)
{
    clear(m);
    m->entries = map_new(WITNESS_ORIGINS_MAX, 0);
    return m->entries == NULL ? diag_set(d, ERR_NOMEM, "no memory for what the store holds")
                              : witness_store_read(m->store, take_row, m, d);
}

int witness_memory_new(struct witness_store *store, struct witness_memory **out, struct diag *d)
{
    struct witness_memory *m = calloc(1, sizeof *m);
    *out = NULL;
    if (m == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for what the store holds");
    m->store = store;
    int rc = load(m, d);
    if (rc != 0) {
        witness_memory_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void witness_memory_free(struct witness_memory *m)
{
    if (m == NULL)
        return;
    clear(m);
    free(m);
}

/* --- changes --- */

int witness_memory_set(struct witness_memory *m, const struct checkpoint *cp, struct slice text,
                       struct slice lines, int64_t time_s, struct diag *d)
{
    struct witness_entry *e;
    struct buf note;
    buf_init(&note, 2 * NOTE_MAX);
    buf_slice(&note, text);
    buf_byte(&note, '\n');
    buf_slice(&note, lines);
    int rc = note.failed ? ERR_NOMEM : put(m, cp, buf_view(&note), text.n, time_s, &e);
    buf_free(&note);
    if (rc != 0)
        return diag_set(d, rc, "no memory for a checkpoint of %.*s", SLICE_ARG(cp->origin));
    if (!e->changed) {
        e->changed = true;
        e->next_changed = m->changed;
        m->changed = e;
    }
    return 0;
}

static int write_changed(struct witness_memory *m, size_t *n, struct diag *d)
{
    int rc = witness_store_begin(m->store, d);
    for (struct witness_entry *e = m->changed; rc == 0 && e != NULL; e = e->next_changed) {
        struct witness_held h = {.origin = witness_memory_origin(e),
                                 .size = e->state.size,
                                 .root = e->state.root,
                                 .note = buf_view(&e->note),
                                 .time_s = e->time_s};
        rc = witness_store_put(m->store, &h, d);
        ++*n;
    }
    rc = rc != 0 ? rc : witness_store_commit(m->store, d);
    if (rc != 0)
        witness_store_rollback(m->store);
    return rc;
}

int witness_memory_settle(struct witness_memory *m, size_t *n, struct diag *d)
{
    struct diag again = {0};
    *n = 0;
    if (m->changed == NULL)
        return 0;
    int rc = write_changed(m, n, d);
    if (rc != 0)
        return load(m, &again) == 0 ? rc : diag_set(d, ERR_IO, "%s", again.text);
    while (m->changed != NULL) {
        m->changed->changed = false;
        m->changed = m->changed->next_changed;
    }
    return 0;
}
