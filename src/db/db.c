#include "db/db.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 5000
#define STATEMENTS_MAX 64

struct db_stmt {
    struct db *db;
    sqlite3_stmt *st;
    int bad; /* first failed bind, an SQLite code */
};

struct db {
    sqlite3 *h;
    struct db_stmt *kept[STATEMENTS_MAX];
    size_t n;
};

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_AGAIN;
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ? ERR_EXISTS
                                                                                    : ERR_DATABASE;
    case SQLITE_IOERR:
        return ERR_IO;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return ERR_DENIED;
    default:
        return ERR_DATABASE;
    }
}

static int fail(struct db *db, int rc, struct diag *d)
{
    return diag_set(d, code_of(rc), "SQLite: %s", sqlite3_errmsg(db->h));
}

/* SQLite says only "unable to open"; the system knows why. */
static int check_path(const char *path, enum db_mode mode, struct diag *d)
{
    int how = mode == DB_READ ? R_OK : R_OK | W_OK;
    if (access(path, how) == 0)
        return 0;
    int code = err_from_errno(errno);
    return diag_set(d, code, "cannot open the database %s: %s", path, err_text(code));
}

/* SQLite would make a file that everybody can read; its companions take the mode of this one. */
static int create(const char *path, struct diag *d)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return diag_set(d, ERR_EXISTS, "%s exists already", path);
    if (fd < 0)
        return diag_set(d, err_from_errno(errno), "cannot make the database %s: %s", path,
                        strerror(errno));
    close(fd);
    return 0;
}

static const char *pragmas(enum db_mode mode)
{
    switch (mode) {
    case DB_CREATE:
        return "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
               "PRAGMA locking_mode=EXCLUSIVE";
    case DB_READ:
        return "PRAGMA mmap_size=1073741824; PRAGMA cache_size=-4096; PRAGMA query_only=ON";
    case DB_WRITE:
        break;
    }
    return "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
           /* a process that is confined makes no files elsewhere */
           "PRAGMA temp_store=MEMORY;"
           "PRAGMA mmap_size=1073741824; PRAGMA cache_size=-4096";
}

int db_open(const char *path, enum db_mode mode, struct db **out, struct diag *d)
{
    *out = NULL;
    int rc = mode == DB_CREATE ? create(path, d) : check_path(path, mode, d);
    if (rc != 0)
        return rc;
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a database");
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (mode == DB_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    int sq = sqlite3_open_v2(path, &db->h, flags, NULL);
    if (sq == SQLITE_OK)
        sq = sqlite3_busy_timeout(db->h, BUSY_MS);
    if (sq == SQLITE_OK)
        sq = sqlite3_exec(db->h, pragmas(mode), NULL, NULL, NULL);
    if (sq != SQLITE_OK) {
        rc = diag_set(d, code_of(sq), "cannot open the database %s: %s", path,
                      db->h != NULL ? sqlite3_errmsg(db->h) : sqlite3_errstr(sq));
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->n; i++) {
        sqlite3_finalize(db->kept[i]->st);
        free(db->kept[i]);
    }
    sqlite3_close(db->h);
    free(db);
}

static int sync_file(const char *path, struct diag *d)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int code = err_from_errno(errno);
        if (fd >= 0)
            close(fd);
        return diag_set(d, code, "cannot sync %s: %s", path, err_text(code));
    }
    close(fd);
    return 0;
}

int db_finish(struct db *db, struct diag *d)
{
    int rc = db_exec(db,
                     "ANALYZE; PRAGMA locking_mode=NORMAL; PRAGMA synchronous=FULL;"
                     "PRAGMA journal_mode=WAL; PRAGMA wal_checkpoint(TRUNCATE)",
                     d);
    return rc != 0 ? rc : sync_file(sqlite3_db_filename(db->h, "main"), d);
}

int db_exec(struct db *db, const char *sql, struct diag *d)
{
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc, d);
}

int db_begin(struct db *db, struct diag *d)
{
    return db_exec(db, "BEGIN IMMEDIATE", d);
}

int db_commit(struct db *db, struct diag *d)
{
    int rc = db_exec(db, "COMMIT", d);
    if (rc != 0)
        db_rollback(db);
    return rc;
}

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->h) == 0)
        (void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
}

int db_prepare(struct db *db, const char *sql, struct db_stmt **out, struct diag *d)
{
    *out = NULL;
    if (db->n == STATEMENTS_MAX)
        return diag_set(d, ERR_TOO_LARGE, "more than %d prepared statements", STATEMENTS_MAX);
    struct db_stmt *s = calloc(1, sizeof *s);
    if (s == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a statement");
    int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL);
    if (rc != SQLITE_OK) {
        free(s);
        return fail(db, rc, d);
    }
    s->db = db;
    db->kept[db->n++] = s;
    *out = s;
    return 0;
}

static void note_bind(struct db_stmt *s, int rc)
{
    if (rc != SQLITE_OK && s->bad == 0)
        s->bad = rc;
}

void db_bind_text(struct db_stmt *s, int i, struct slice text)
{
    if (text.p == NULL) {
        db_bind_null(s, i);
        return;
    }
    note_bind(
        s, sqlite3_bind_text64(s->st, i, (const char *)text.p, text.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_int(struct db_stmt *s, int i, int64_t v)
{
    note_bind(s, sqlite3_bind_int64(s->st, i, v));
}

void db_bind_null(struct db_stmt *s, int i)
{
    note_bind(s, sqlite3_bind_null(s->st, i));
}

int db_step(struct db_stmt *s, bool *row, struct diag *d)
{
    *row = false;
    if (s->bad != 0)
        return diag_set(d, code_of(s->bad), "SQLite: a parameter cannot be bound: %s",
                        sqlite3_errstr(s->bad));
    int rc = sqlite3_step(s->st);
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : fail(s->db, rc, d);
}

int db_run(struct db_stmt *s, struct diag *d)
{
    bool row;
    int rc = db_step(s, &row, d);
    db_reset(s);
    if (rc == 0 && row)
        return diag_set(d, ERR_INTERNAL, "a statement gave rows where none were expected");
    return rc;
}

void db_reset(struct db_stmt *s)
{
    (void)sqlite3_reset(s->st);
    (void)sqlite3_clear_bindings(s->st);
    s->bad = 0;
}

struct slice db_text(struct db_stmt *s, int col)
{
    const unsigned char *p = sqlite3_column_text(s->st, col);
    return p == NULL ? SLICE_NONE : slice_of(p, (size_t)sqlite3_column_bytes(s->st, col));
}

int64_t db_int(struct db_stmt *s, int col)
{
    return sqlite3_column_int64(s->st, col);
}

bool db_is_null(struct db_stmt *s, int col)
{
    return sqlite3_column_type(s->st, col) == SQLITE_NULL;
}
