/* The SQLite wrapper: what it refuses, and that a commit outlives the process that made it. */
#include "base/err.h"
#include "db/db.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[128];

/* A fresh database with a table `t (k TEXT PRIMARY KEY, n INTEGER)`. */
static void fresh(void)
{
    struct db *db;
    struct diag d = {0};
    snprintf(dir, sizeof dir, "/tmp/sild-db-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/x.db", dir);
    CHECK_INT(db_open(path, DB_CREATE, &db, &d), 0);
    CHECK_INT(db_exec(db, "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER) STRICT", &d), 0);
    CHECK_INT(db_finish(db, &d), 0);
    db_close(db);
}

static void gone(void)
{
    static const char *const suffix[] = {"", "-wal", "-shm"};
    char name[192];
    for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        unlink(name);
    }
    rmdir(dir);
}

static struct db *opened(enum db_mode mode)
{
    struct db *db;
    struct diag d = {0};
    if (db_open(path, mode, &db, &d) != 0)
        FAIL("cannot open: %s", d.text);
    return db;
}

static int insert(struct db *db, const char *k, int64_t n)
{
    struct db_stmt *s;
    CHECK_INT(db_prepare(db, "INSERT INTO t VALUES (?1, ?2)", &s, NULL), 0);
    db_bind_text(s, 1, slice_str(k));
    db_bind_int(s, 2, n);
    return db_run(s, NULL);
}

static int64_t count(struct db *db)
{
    struct db_stmt *s;
    bool row;
    CHECK_INT(db_prepare(db, "SELECT count(*) FROM t", &s, NULL), 0);
    CHECK_INT(db_step(s, &row, NULL), 0);
    CHECK(row);
    int64_t n = db_int(s, 0);
    db_reset(s);
    return n;
}

/* What is in a register is for its own role alone, whatever the umask says. */
TEST(a_new_database_and_its_companions_are_for_their_owner)
{
    static const char *const suffix[] = {"", "-wal", "-shm"};
    mode_t mask = umask(0);
    fresh();
    struct db *db = opened(DB_WRITE);
    CHECK_INT(insert(db, "a", 1), 0);
    umask(mask);
    for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
        char name[192];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        CHECK_INT(stat(name, &st), 0);
        CHECK_INT(st.st_mode & 07777, 0600);
    }
    db_close(db);
    gone();
}

TEST(what_goes_in_comes_out)
{
    struct db_stmt *s;
    bool row;
    fresh();
    struct db *db = opened(DB_WRITE);
    CHECK_INT(insert(db, "õun", 7), 0);
    CHECK_INT(db_prepare(db, "SELECT k, n, NULL, '' FROM t WHERE k = ?1", &s, NULL), 0);
    for (int i = 0; i < 2; i++) {
        db_bind_text(s, 1, SLICE_LIT("õun"));
        CHECK_INT(db_step(s, &row, NULL), 0);
        CHECK(row && slice_eq_str(db_text(s, 0), "õun"));
        CHECK_INT(db_int(s, 1), 7);
        CHECK(db_is_null(s, 2) && db_text(s, 2).p == NULL);
        CHECK(!db_is_null(s, 3) && db_text(s, 3).n == 0);
        CHECK_INT(db_step(s, &row, NULL), 0);
        CHECK(!row);
        db_reset(s);
    }
    /* parameters do not outlive a reset */
    CHECK_INT(db_step(s, &row, NULL), 0);
    CHECK(!row);
    db_reset(s);
    db_close(db);
    gone();
}

TEST(errors_have_their_codes)
{
    struct db_stmt *s;
    struct diag d = {0};
    bool row;
    fresh();
    struct db *db = opened(DB_WRITE), *other;
    CHECK_INT(insert(db, "a", 1), 0);
    CHECK_INT(insert(db, "a", 2), ERR_EXISTS);
    CHECK_INT(db_exec(db, "SELEC", &d), ERR_DATABASE);
    CHECK(strstr(d.text, "SELEC") != NULL);
    CHECK_INT(db_prepare(db, "SELECT x FROM t", &s, &d), ERR_DATABASE);
    CHECK_INT(db_prepare(db, "SELECT ?1", &s, &d), 0);
    db_bind_int(s, 2, 1); /* there is no second parameter */
    CHECK_INT(db_step(s, &row, &d), ERR_DATABASE);
    db_reset(s);
    CHECK_INT(db_run(s, &d), ERR_INTERNAL); /* gives a row */
    CHECK_INT(db_open(path, DB_CREATE, &other, &d), ERR_EXISTS);
    CHECK(other == NULL);
    db_close(db);
    gone();
    CHECK_INT(db_open(path, DB_READ, &other, &d), ERR_NOT_FOUND);
    CHECK_INT(db_open(path, DB_WRITE, &other, &d), ERR_NOT_FOUND);
}

TEST(a_file_that_is_no_database_is_corrupt)
{
    struct db *db;
    fresh();
    int fd = open(path, O_WRONLY | O_TRUNC);
    CHECK(fd >= 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(write(fd, "not a database, but long enough to be looked at\n", 48), 48);
    close(fd);
    CHECK_INT(db_open(path, DB_WRITE, &db, NULL), ERR_CORRUPT);
    gone();
}

TEST(a_reader_cannot_write)
{
    fresh();
    struct db *db = opened(DB_READ);
    CHECK_INT(count(db), 0);
    CHECK_INT(insert(db, "a", 1), ERR_DENIED);
    db_close(db);
    gone();
}

TEST(a_rollback_leaves_nothing)
{
    fresh();
    struct db *db = opened(DB_WRITE);
    CHECK_INT(db_begin(db, NULL), 0);
    CHECK_INT(insert(db, "a", 1), 0);
    db_rollback(db);
    db_rollback(db);
    CHECK_INT(count(db), 0);
    CHECK_INT(db_begin(db, NULL), 0);
    CHECK_INT(insert(db, "b", 1), 0);
    CHECK_INT(db_commit(db, NULL), 0);
    CHECK_INT(count(db), 1);
    db_close(db);
    gone();
}

TEST(readers_see_the_state_before_a_commit)
{
    fresh();
    struct db *w = opened(DB_WRITE), *r = opened(DB_READ);
    CHECK_INT(db_begin(w, NULL), 0);
    CHECK_INT(insert(w, "a", 1), 0);
    CHECK_INT(count(r), 0);
    CHECK_INT(db_commit(w, NULL), 0);
    CHECK_INT(count(r), 1);
    db_close(r);
    db_close(w);
    gone();
}

/* The child commits, says so, and is killed at once in the middle of its next transaction. */
TEST(a_commit_outlives_a_kill)
{
    int line[2];
    char c;
    int status;
    fresh();
    CHECK_INT(pipe(line), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct db *db;
        bool good = db_open(path, DB_WRITE, &db, NULL) == 0 && db_begin(db, NULL) == 0 &&
                    insert(db, "kept", 1) == 0 && db_commit(db, NULL) == 0 &&
                    db_begin(db, NULL) == 0 && insert(db, "lost", 1) == 0;
        if (write(line[1], good ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    CHECK_INT(read(line[0], &c, 1), 1);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    close(line[0]);
    close(line[1]);
    CHECK_INT(c, 'y');
    struct db *db = opened(DB_WRITE);
    CHECK_INT(count(db), 1);
    CHECK_INT(insert(db, "kept", 2), ERR_EXISTS);
    CHECK_INT(insert(db, "lost", 2), 0);
    db_close(db);
    gone();
}
