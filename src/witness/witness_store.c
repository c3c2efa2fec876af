#include "witness/witness_store.h"
#include "base/err.h"
#include "base/hex.h"
#include "db/db.h"

#include <stdlib.h>

static const char schema[] =
    "CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE held(origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root TEXT NOT NULL,"
    " note TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID";

struct witness_store {
    struct db *db;
    struct db_stmt *read, *put;
};

int witness_store_make(const char *path, const char *vkey, struct diag *d)
{
    struct db *db;
    struct db_stmt *about;
    int rc = db_open(path, DB_CREATE, &db, d);
    if (rc != 0)
        return rc;
    rc = db_exec(db, schema, d);
    rc = rc != 0 ? rc : db_prepare(db, "INSERT INTO about VALUES('vkey', ?1)", &about, d);
    if (rc == 0) {
        db_bind_text(about, 1, slice_str(vkey));
        rc = db_run(about, d);
    }
    rc = rc != 0 ? rc : db_finish(db, d);
    db_close(db);
    return rc;
}

static int check_owner(struct db *db, const char *path, const char *vkey, struct diag *d)
{
    struct db_stmt *about;
    bool row = false;
    int rc = db_prepare(db, "SELECT value FROM about WHERE key = 'vkey'", &about, d);
    rc = rc != 0 ? rc : db_step(about, &row, d);
    if (rc != 0)
        return rc;
    if (!row || !slice_eq_str(db_text(about, 0), vkey))
        rc = diag_set(d, ERR_CORRUPT,
                      "%s is the store of another witness: put the one back that belongs to %s",
                      path, vkey);
    db_reset(about);
    return rc;
}

int witness_store_open(const char *path, const char *vkey, bool write, struct witness_store **out,
                       struct diag *d)
{
    struct witness_store *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the store");
    int rc = db_open(path, write ? DB_WRITE : DB_READ, &s->db, d);
    rc = rc != 0 ? rc : check_owner(s->db, path, vkey, d);
    rc = rc != 0
             ? rc
             : db_prepare(s->db, "SELECT origin, size, root, note, time FROM held", &s->read, d);
    rc = rc != 0 ? rc
                 : db_prepare(s->db,
                              "INSERT INTO held VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(origin) DO"
                              " UPDATE SET size = ?2, root = ?3, note = ?4, time = ?5",
                              &s->put, d);
    if (rc != 0) {
        witness_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void witness_store_close(struct witness_store *s)
{
    if (s == NULL)
        return;
    db_close(s->db);
    free(s);
}

int witness_store_read(struct witness_store *s, witness_store_each each, void *ctx, struct diag *d)
{
    bool row = false;
    int rc;
    while ((rc = db_step(s->read, &row, d)) == 0 && row) {
        struct witness_held h = {.origin = db_text(s->read, 0),
                                 .size = (uint64_t)db_int(s->read, 1),
                                 .note = db_text(s->read, 3),
                                 .time_s = db_int(s->read, 4)};
        if (!hex_parse(db_text(s->read, 2), h.root.b, MERKLE_HASH))
            rc = diag_set(d, ERR_CORRUPT, "the store's root of %.*s is none", SLICE_ARG(h.origin));
        rc = rc != 0 ? rc : each(ctx, &h, d);
        if (rc != 0)
            break;
    }
    db_reset(s->read);
    return rc;
}

int witness_store_begin(struct witness_store *s, struct diag *d)
{
    return db_begin(s->db, d);
}

int witness_store_put(struct witness_store *s, const struct witness_held *h, struct diag *d)
{
    char root[2 * MERKLE_HASH + 1];
    hex_print(slice_of(h->root.b, MERKLE_HASH), root);
    db_bind_text(s->put, 1, h->origin);
    db_bind_int(s->put, 2, (int64_t)h->size);
    db_bind_text(s->put, 3, slice_str(root));
    db_bind_text(s->put, 4, h->note);
    db_bind_int(s->put, 5, h->time_s);
    return db_run(s->put, d);
}

int witness_store_commit(struct witness_store *s, struct diag *d)
{
    return db_commit(s->db, d);
}

void witness_store_rollback(struct witness_store *s)
{
    db_rollback(s->db);
}
