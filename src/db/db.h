/*
 * SQLite, thinly: one connection a process, WAL, synchronous FULL, memory-mapped reads, statements
 * prepared once and kept. A commit that returned 0 is on disk.
 *
 * Statements: bind all parameters, step to the end of what is wanted, reset. Errors of binding are
 * sticky and come out of the next step.
 */
#ifndef SILD_DB_DB_H
#define SILD_DB_DB_H

#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

struct db;
struct db_stmt;

enum db_mode {
    DB_READ,   /* must exist; nothing can be written */
    DB_WRITE,  /* must exist */
    DB_CREATE, /* must not exist; mode 0600. Without journal and sync, for one bulk load: see
                  db_finish */
};

/*
 * Opens a database file. Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED, ERR_CORRUPT (not a
 * database), ERR_DATABASE; *out is the caller's.
 */
int db_open(const char *path, enum db_mode mode, struct db **out, struct diag *d) MUST_USE;
/* Frees the kept statements too. NULL is harmless. */
void db_close(struct db *db);
/* Ends a bulk load: sets WAL for ever, writes everything out, syncs the file. Then db_close. */
int db_finish(struct db *db, struct diag *d) MUST_USE;

/* Runs statements that give no rows. */
int db_exec(struct db *db, const char *sql, struct diag *d) MUST_USE;

/* Write transactions. db_begin takes the write lock, waiting for others up to 5 s (ERR_AGAIN). */
int db_begin(struct db *db, struct diag *d) MUST_USE;
int db_commit(struct db *db, struct diag *d) MUST_USE;
void db_rollback(struct db *db); /* harmless outside a transaction */

/* Compiles one statement; db_close frees it. */
int db_prepare(struct db *db, const char *sql, struct db_stmt **out, struct diag *d) MUST_USE;

/* Parameters, from 1 on. Text is borrowed until db_reset; a slice whose p is NULL binds NULL. */
void db_bind_text(struct db_stmt *s, int i, struct slice text);
void db_bind_int(struct db_stmt *s, int i, int64_t v);
void db_bind_null(struct db_stmt *s, int i);

/* The next row: *row says whether there is one. */
int db_step(struct db_stmt *s, bool *row, struct diag *d) MUST_USE;
/* Steps a statement that gives no rows, and resets it. ERR_EXISTS: a uniqueness rule is broken. */
int db_run(struct db_stmt *s, struct diag *d) MUST_USE;
/* Ends the reading and forgets the parameters. */
void db_reset(struct db_stmt *s);

/* Columns of the current row, from 0 on; text is borrowed until the next step or reset, and its p
 * is NULL for NULL. */
struct slice db_text(struct db_stmt *s, int col);
int64_t db_int(struct db_stmt *s, int col);
bool db_is_null(struct db_stmt *s, int col);

#endif
