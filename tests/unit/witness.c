/* The parts of a witness: its list of logs, the frames between its processes, its memory and store.
 */
#include "test.h"

#include "base/err.h"
#include "witness/witness_frames.h"
#include "witness/witness_logs.h"
#include "witness/witness_memory.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* The keys of the vectors' log and witness. */
#define LOG "ledger.sild.example/test+385bda7f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define W1 "w1.sild.example+28d3047f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
#define PETER "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

static int logs(const char *text, size_t *n, struct diag *d)
{
    struct witness_logs *l;
    int rc = witness_logs_parse(slice_str(text), &l, d);
    *n = rc == 0 ? witness_logs_count(l) : 0;
    witness_logs_free(l);
    return rc;
}

TEST(a_list_of_logs_has_a_key_a_line)
{
    struct diag d = {0};
    size_t n;
    CHECK_INT(logs("", &n, &d), 0);
    CHECK_INT(n, 0);
    CHECK_INT(logs("# nobody\n\n", &n, &d), 0);
    CHECK_INT(n, 0);
    CHECK_INT(logs("\n  " LOG " \r\n# a comment\n" PETER, &n, &d), 0);
    CHECK_INT(n, 2);
    struct witness_logs *l;
    CHECK_INT(witness_logs_parse(SLICE_LIT(PETER "\n" LOG "\n"), &l, &d), 0);
    const struct witness_log *log = witness_logs_find(l, SLICE_LIT("ledger.sild.example/test"));
    CHECK(log != NULL && log->n == 1 && log->key[0] == witness_logs_at(l, 1));
    CHECK(witness_logs_find(l, SLICE_LIT("ledger.sild.example/tes")) == NULL);
    CHECK(witness_logs_find(l, SLICE_NONE) == NULL);
    witness_logs_free(l);
}

TEST(a_list_that_is_wrong_names_the_line)
{
    static const struct {
        const char *text, *where;
    } rows[] = {
        {LOG "\n" LOG "\n", "line 2"},
        {LOG "\n\n" W1 "\n", "line 3"},
        {"nonsense\n", "line 1"},
        {LOG "x\n", "line 1"},
        {LOG "\n" PETER " more\n", "line 2"},
        {"a b+00000000+AAAA\n", "line 1"},
        {PETER "\n" PETER "\n" LOG, "line 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diag d = {0};
        size_t n;
        CHECK(logs(rows[i].text, &n, &d) != 0);
        CHECK_STR(d.where, rows[i].where);
    }
}

TEST(frames_are_read_to_their_end_and_no_further)
{
    struct witness_add add = {.old = 3,
                              .hashes = 2,
                              .text = SLICE_LIT("t\n"),
                              .lines = SLICE_LIT("l\n")},
                       got;
    struct witness_answer answer = {409, 1ull << 62, SLICE_LIT("why")}, back;
    struct buf b;
    buf_init(&b, 4096);
    memset(add.proof[1].b, 7, MERKLE_HASH);
    witness_frames_put_add(&b, &add);
    for (size_t n = 0; n < b.n; n++)
        CHECK(witness_frames_get_add(slice_sub(buf_view(&b), 0, n), &got) != 0);
    CHECK_INT(witness_frames_get_add(buf_view(&b), &got), 0);
    CHECK(got.old == 3 && got.hashes == 2 && slice_eq(got.text, add.text) &&
          slice_eq(got.lines, add.lines) && memcmp(got.proof[1].b, add.proof[1].b, 32) == 0);
    buf_byte(&b, 0);
    CHECK(witness_frames_get_add(buf_view(&b), &got) != 0);
    b.p[8] = WITNESS_PROOF_MAX + 1; /* hashes */
    CHECK(witness_frames_get_add(buf_view(&b), &got) != 0);
    buf_reset(&b);
    witness_frames_put_answer(&b, &answer);
    for (size_t n = 0; n < b.n; n++)
        CHECK(witness_frames_get_answer(slice_sub(buf_view(&b), 0, n), &back) != 0);
    CHECK_INT(witness_frames_get_answer(buf_view(&b), &back), 0);
    CHECK(back.status == 409 && back.size == 1ull << 62 && slice_eq(back.text, answer.text));
    buf_free(&b);
}

/* --- memory and store --- */

static char dir[64], path[96];

static struct witness_store *store_new(void)
{
    struct witness_store *s;
    struct diag d = {0};
    snprintf(dir, sizeof dir, "/tmp/sild-unit-witness-%d", (int)getpid());
    snprintf(path, sizeof path, "%s/witness.db", dir);
    if (mkdir(dir, 0700) != 0)
        FAIL("cannot make %s", dir);
    CHECK_INT(witness_store_make(path, W1, &d), 0);
    CHECK_INT(witness_store_make(path, W1, &d), ERR_EXISTS);
    CHECK_INT(witness_store_open(path, LOG, true, &s, &d), ERR_CORRUPT); /* another's */
    CHECK_INT(witness_store_open(path, W1, true, &s, &d), 0);
    return s;
}

static void store_remove(struct witness_store *s)
{
    char name[128];
    witness_store_close(s);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, (const char *[]){"", "-wal", "-shm"}[i]);
        unlink(name);
    }
    rmdir(dir);
}

static int set(struct witness_memory *m, const char *origin, uint64_t size, int64_t time_s)
{
    struct checkpoint cp = {.origin = slice_str(origin), .size = size};
    struct diag d = {0};
    struct buf text;
    buf_init(&text, 4096);
    memset(cp.root.b, (int)size, MERKLE_HASH);
    checkpoint_print(&cp, &text);
    int rc = witness_memory_set(m, &cp, buf_view(&text), SLICE_LIT("— log AAAA\n"), time_s, &d);
    buf_free(&text);
    return rc;
}

/* The size held; -1: none. */
static int64_t held(const struct witness_memory *m, const char *origin)
{
    struct witness_entry *e;
    for (size_t at = 0; witness_memory_next(m, &at, &e);)
        if (slice_eq_str(witness_memory_origin(e), origin))
            return (int64_t)e->state.size;
    return -1;
}

TEST(what_is_settled_is_there_after_a_start)
{
    struct witness_store *s = store_new();
    struct witness_memory *m;
    struct diag d = {0};
    size_t n;
    CHECK_INT(witness_memory_new(s, &m, &d), 0);
    CHECK_INT(witness_memory_last(m), 0);
    CHECK_INT(set(m, "a", 3, 100), 0);
    CHECK_INT(set(m, "b", 1, 100), 0);
    CHECK_INT(set(m, "a", 7, 101), 0);
    CHECK_INT(witness_memory_settle(m, &n, &d), 0);
    CHECK_INT(n, 2); /* one row an origin, whatever came between */
    CHECK_INT(witness_memory_settle(m, &n, &d), 0);
    CHECK_INT(n, 0);
    CHECK_INT(set(m, "b", 9, 102), 0); /* not settled */
    witness_memory_free(m);
    witness_store_close(s);
    CHECK_INT(witness_store_open(path, W1, true, &s, &d), 0);
    CHECK_INT(witness_memory_new(s, &m, &d), 0);
    CHECK_INT(held(m, "a"), 7);
    CHECK_INT(held(m, "b"), 1);
    CHECK_INT(held(m, "c"), -1);
    CHECK_INT(witness_memory_last(m), 101);
    CHECK_INT(witness_memory_count(m), 2);
    witness_memory_free(m);
    store_remove(s);
}

TEST(what_cannot_be_written_is_undone)
{
    struct witness_store *s = store_new();
    struct witness_memory *m;
    struct rlimit old, none;
    struct diag d = {0};
    size_t n;
    CHECK_INT(witness_memory_new(s, &m, &d), 0);
    CHECK_INT(set(m, "a", 3, 100), 0);
    CHECK_INT(witness_memory_settle(m, &n, &d), 0);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &none), 0);
    CHECK_INT(set(m, "a", 5, 200), 0);
    CHECK_INT(set(m, "b", 5, 200), 0);
    int rc = witness_memory_settle(m, &n, &d);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
    CHECK(rc != 0);
    CHECK_INT(held(m, "a"), 3);
    CHECK_INT(held(m, "b"), -1);
    CHECK_INT(witness_memory_last(m), 100);
    CHECK_INT(set(m, "a", 4, 101), 0);
    CHECK_INT(witness_memory_settle(m, &n, &d), 0);
    CHECK_INT(held(m, "a"), 4);
    witness_memory_free(m);
    store_remove(s);
}
