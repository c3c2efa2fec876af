/*
 * The ledger on a disk that fails: power cut at each step of a course of rounds, in every way that
 * leaves what was not synced; full disk; errors. Whatever a checkpoint or an answer had said must
 * be so afterwards: one root a size, no answered head lost, and the ledger goes on. And what only a
 * person may decide: an old backup, two roots of one size, a second writer.
 */
#include "ledger_kit.h"

#include "base/hex.h"
#include "tlog/chain.h"

#define ROUNDS 5

/* --- a course of rounds --- */

static void on_answer(void *ctx, struct ledger_waiter w, struct slice text)
{
    struct kit *k = ctx;
    struct chain_answer *a = malloc(sizeof *a);
    struct entry e;
    struct diag d = {0};
    if (a == NULL || chain_answer_parse(text, a, &d) != 0)
        FAIL("an answer that cannot be read: %s", d.text);
    CHECK_INT(entry_parse(a->entry, &e, &d), 0);
    free(a);
    CHECK(e.head.size >= k->answered[w.worker]);
    k->answered[w.worker] = e.head.size;
}

static void note_shown(struct kit *k)
{
    uint64_t size = ledger_rounds_size(k->r);
    const struct merkle_hash *root = ledger_rounds_root(k->r);
    CHECK(size < SIZES);
    if (k->shown[size])
        CHECK(memcmp(k->root[size].b, root->b, MERKLE_HASH) == 0);
    k->shown[size] = true;
    k->root[size] = *root;
}

/* Finishes what is committed. 0, or the error. */
static int finish(struct kit *k, struct diag *d)
{
    int rc = ledger_rounds_spread(k->r, d);
    rc = rc != 0 || ledger_rounds_phase(k->r) != LEDGER_SHOWN
             ? rc
             : ledger_rounds_publish(k->r, SLICE_NONE, d);
    if (rc != 0)
        return rc;
    note_shown(k);
    return ledger_rounds_answer(k->r, on_answer, k, d);
}

static int one_round(struct kit *k, int number, bool *unknown, struct diag *d)
{
    *unknown = false;
    if (ledger_rounds_phase(k->r) == LEDGER_IDLE) {
        for (int j = 0; j < JOURNALS; j++) {
            uint64_t last = kit_last(k, j);
            if (number % (j + 1) == 0)
                kit_submit(k, j, last, last + 1 + (uint64_t)j, 0, j == 1, d);
        }
        k->now_ms += 1000;
        int rc = ledger_rounds_commit(k->r, k->now_ms, unknown, d);
        if (rc != 0)
            return rc;
    }
    return finish(k, d);
}

/* Runs the course until it is through or something fails. */
static int course(struct kit *k, struct diag *d)
{
    bool unknown;
    int rc = kit_open(k, d);
    rc = rc != 0 || ledger_rounds_phase(k->r) == LEDGER_IDLE ? rc : finish(k, d);
    for (int i = 0; rc == 0 && i < ROUNDS; i++) {
        rc = one_round(k, i, &unknown, d);
        if (rc == 0 && i == 2)
            rc = ledger_rounds_snapshot(k->r, d);
        if (rc == 0 && i == 3)
            rc = ledger_rounds_tidy(k->r, k->now_ms, 0, 0, d);
    }
    return rc;
}

/* Everything that was told is so. */
static void check_told(struct kit *k, const char *what)
{
    struct merkle_hash proof[MERKLE_DEPTH];
    struct diag d = {0};
    size_t n;
    uint64_t size = ledger_rounds_size(k->r);
    for (uint64_t i = 0; i < SIZES; i++) {
        if (!k->shown[i] || i == 0)
            continue;
        if (i > size)
            FAIL("%s: size %llu was shown and is gone", what, (unsigned long long)i);
        if (ledger_rounds_proof(k->r, i, proof, &n, &d) != 0)
            FAIL("%s: %s", what, d.text);
        if (merkle_verify_consistency(i, &k->root[i], size, ledger_rounds_root(k->r), proof, n) !=
            0)
            FAIL("%s: another root of size %llu", what, (unsigned long long)i);
    }
    for (int j = 0; j < JOURNALS; j++)
        if (kit_last(k, j) < k->answered[j])
            FAIL("%s: the head of journal %d that was answered is lost", what, j);
}

static const char *const cuts[] = {"drop all", "keep all", "prefixes", "sectors"};

/* The course is cut at one step; then the machine starts again, and must go on. False when the
 * course has fewer steps. */
static bool cut_at(uint64_t step, enum simdisk_cut how, uint64_t seed)
{
    struct kit k;
    struct diag d = {0};
    char what[160];
    kit_init(&k);
    simdisk_arm(k.disk, SIMDISK_POWER, step, 1);
    int rc = course(&k, &d);
    bool struck = simdisk_struck(k.disk);
    if (!struck)
        CHECK_INT(rc, 0);
    snprintf(what, sizeof what, "power cut at step %llu, %s, seed %llu", (unsigned long long)step,
             cuts[how], (unsigned long long)seed);
    ledger_rounds_free(k.r);
    k.r = NULL;
    simdisk_restart(k.disk, how, seed);
    if (kit_open(&k, &d) != 0)
        FAIL("%s: does not start: %s: %s", what, d.where, d.text);
    if (ledger_rounds_phase(k.r) != LEDGER_IDLE && finish(&k, &d) != 0)
        FAIL("%s: %s", what, d.text);
    check_told(&k, what);
    for (int i = 0; i < 2; i++) {
        bool unknown;
        if (one_round(&k, i, &unknown, &d) != 0)
            FAIL("%s: no further round: %s: %s", what, d.where, d.text);
    }
    check_told(&k, what);
    kit_free(&k);
    return struck;
}

TEST(power_is_cut_at_every_step)
{
    uint64_t step = 1;
    for (bool more = true; more; step++) {
        more = false;
        for (int how = 0; how < SIMDISK_CUT_COUNT; how++)
            more = cut_at(step, (enum simdisk_cut)how, step * 7 + (uint64_t)how) || more;
    }
    printf("# %llu steps\n", (unsigned long long)step - 2);
    CHECK(step > 200);
}

/* --- a disk that fails and comes back --- */

static bool fail_at(enum simdisk_fault fault, uint64_t step)
{
    struct kit k;
    struct diag d = {0};
    bool unknown = false;
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    simdisk_arm(k.disk, fault, step, 3);
    for (int i = 0, tries = 0; i < ROUNDS && tries < 60; tries++) {
        int rc = k.r == NULL ? kit_open(&k, &d) : one_round(&k, i, &unknown, &d);
        if (rc == 0) {
            i += k.r != NULL && ledger_rounds_phase(k.r) == LEDGER_IDLE;
        } else if (k.r != NULL && (unknown || (rc != ERR_DISK_FULL && rc != ERR_AGAIN))) {
            ledger_rounds_free(k.r); /* as the process does: it ends, and the start decides */
            k.r = NULL;
        }
        CHECK(tries < 59);
    }
    bool struck = simdisk_struck(k.disk);
    simdisk_arm(k.disk, SIMDISK_NONE, 0, 0);
    check_told(&k, fault == SIMDISK_FULL ? "full disk" : "disk error");
    kit_free(&k);
    return struck;
}

TEST(disk_is_full_at_every_step)
{
    uint64_t step = 1;
    while (fail_at(SIMDISK_FULL, step))
        step++;
    CHECK(step > 100);
}

TEST(disk_fails_at_every_step)
{
    uint64_t step = 1;
    while (fail_at(SIMDISK_EIO, step))
        step++;
    CHECK(step > 200);
}

/* --- for a person --- */

static void run_rounds(struct kit *k, int n)
{
    struct diag d = {0};
    bool unknown;
    for (int i = 0; i < n; i++)
        if (one_round(k, i, &unknown, &d) != 0)
            FAIL("no round: %s: %s", d.where, d.text);
}

static struct slice saved(struct kit *k, const char *path, uint8_t *into, size_t cap)
{
    size_t n;
    const uint8_t *p = simdisk_get(k->disk, path, &n);
    CHECK(p != NULL && n <= cap);
    memcpy(into, p, n);
    return slice_of(into, n);
}

TEST(an_old_lock_is_refused)
{
    struct kit k;
    struct diag d = {0};
    uint8_t old[4096];
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 2);
    struct slice lock = saved(&k, LOCK "/checkpoint", old, sizeof old);
    run_rounds(&k, 2);
    simdisk_put(k.disk, LOCK "/checkpoint", lock.p, lock.n);
    uint64_t signatures = k.signatures;
    CHECK_INT(kit_open(&k, &d), ERR_CORRUPT);
    CHECK(strstr(d.text, "old copy") != NULL);
    CHECK_INT(k.signatures, signatures);
    kit_free(&k);
}

TEST(an_old_folder_is_refused)
{
    struct kit k;
    struct diag d = {0};
    uint8_t old[4096];
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 2);
    struct slice shown = saved(&k, DIR "/public/checkpoint", old, sizeof old);
    run_rounds(&k, 2);
    simdisk_put(k.disk, DIR "/public/checkpoint", shown.p, shown.n);
    CHECK_INT(kit_open(&k, &d), ERR_CORRUPT);
    CHECK(strstr(d.text, "old copy") != NULL);
    kit_free(&k);
}

TEST(two_roots_of_one_size_are_refused)
{
    struct kit k;
    struct diag d = {0};
    struct buf note;
    struct merkle_hash other = {{1, 2, 3}};
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 3);
    buf_init(&note, 4096);
    kit_checkpoint(&k, 3, &other, &note);
    simdisk_put(k.disk, LOCK "/checkpoint", note.p, note.n);
    buf_free(&note);
    CHECK_INT(kit_open(&k, &d), ERR_CORRUPT);
    CHECK(strstr(d.text, "two roots") != NULL);
    kit_free(&k);
}

TEST(a_missing_lock_is_refused)
{
    struct kit k;
    struct diag d = {0};
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 1);
    CHECK_INT(simdisk_io.unlink(k.disk, LOCK "/checkpoint"), 0);
    CHECK_INT(kit_open(&k, &d), ERR_NOT_FOUND);
    kit_free(&k);
}

TEST(a_committed_round_without_staging_file_is_refused)
{
    struct kit k;
    struct diag d = {0};
    bool unknown;
    char hex[65], path[128];
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 1);
    k.now_ms += 1000;
    CHECK_INT(ledger_rounds_commit(k.r, k.now_ms, &unknown, &d), 0);
    hex_print(slice_of(ledger_rounds_root(k.r)->b, MERKLE_HASH), hex);
    snprintf(path, sizeof path, DIR "/staging/2-%s", hex);
    CHECK_INT(simdisk_io.unlink(k.disk, path), 0);
    CHECK_INT(kit_open(&k, &d), ERR_CORRUPT);
    CHECK(strstr(d.text, "staging file is gone") != NULL);
    kit_free(&k);
}

TEST(a_changed_tile_is_refused)
{
    struct kit k;
    struct diag d = {0};
    uint8_t tile[64];
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 2);
    struct slice t = saved(&k, DIR "/public/tile/0/000.p/2", tile, sizeof tile);
    tile[40] ^= 1;
    simdisk_put(k.disk, DIR "/public/tile/0/000.p/2", t.p, t.n);
    CHECK(kit_open(&k, &d) != 0);
    kit_free(&k);
}

/* --- two writers --- */

TEST(a_second_writer_fails_without_signing)
{
    struct kit k;
    struct diag d = {0};
    bool unknown;
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 2);
    struct ledger_rounds *first = k.r;
    k.r = NULL;
    CHECK_INT(kit_open(&k, &d), 0); /* the second one has read the same */
    struct ledger_rounds *second = k.r;
    k.r = first;
    run_rounds(&k, 1);
    k.r = second;
    uint64_t signatures = k.signatures;
    k.now_ms += 1000;
    CHECK_INT(kit_submit(&k, 0, kit_last(&k, 0), 50, 0, false, &d).status, 200);
    CHECK_INT(ledger_rounds_commit(k.r, k.now_ms, &unknown, &d), ERR_EXISTS);
    CHECK(!unknown);
    CHECK_INT(k.signatures, signatures);
    ledger_rounds_free(second);
    k.r = first;
    run_rounds(&k, 2); /* the first goes on */
    check_told(&k, "two writers");
    kit_free(&k);
}

/* A delayed write of an abandoned attempt: the staging file of the same size and another root. */
TEST(an_abandoned_staging_file_changes_nothing)
{
    struct kit k;
    struct diag d = {0};
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 1);
    simdisk_put(k.disk, DIR "/staging/2-00112233", "late", 4);
    run_rounds(&k, 1);
    CHECK_INT(kit_open(&k, &d), 0);
    check_told(&k, "abandoned staging file");
    kit_free(&k);
}

/* --- clock --- */

TEST(a_clock_that_goes_back_closes_no_round)
{
    struct kit k;
    struct diag d = {0};
    bool unknown;
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 2);
    uint64_t signatures = k.signatures;
    CHECK_INT(ledger_rounds_commit(k.r, k.now_ms, &unknown, &d), ERR_AGAIN);
    CHECK_INT(ledger_rounds_commit(k.r, k.now_ms - 3600000, &unknown, &d), ERR_AGAIN);
    CHECK_INT(k.signatures, signatures);
    CHECK(!unknown);
    run_rounds(&k, 1);
    kit_free(&k);
}

/* --- heads --- */

struct found {
    struct kit *k;
    int n;
};

static void read_evidence(void *arg, const char *name)
{
    struct found *f = arg;
    char path[128];
    size_t n;
    snprintf(path, sizeof path, DIR "/evidence/%.60s", name);
    const uint8_t *p = simdisk_get(f->k->disk, path, &n);
    CHECK(p != NULL);
    struct slice text = slice_of(p, n);
    size_t accepted = slice_find_slice(text, SLICE_LIT("\naccepted\nTEST/server/j0+"));
    size_t refused = slice_find_slice(text, SLICE_LIT("\nrefused\nTEST/server/j0+"));
    CHECK(accepted != SIZE_MAX && refused != SIZE_MAX && accepted < refused);
    f->n++;
}

TEST(forks_and_rollbacks_are_refused_and_kept)
{
    struct kit k;
    struct diag d = {0};
    struct ledger_counts c;
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    CHECK_INT(kit_submit(&k, 0, 0, 5, 0, false, &d).status, 200);
    CHECK_INT(kit_submit(&k, 1, 0, 5, 0, false, &d).status, 200);
    run_rounds(&k, 1);
    uint64_t last = kit_last(&k, 0);
    CHECK_INT(kit_submit(&k, 0, last, last, 1, false, &d).status, 422);     /* same size */
    CHECK_INT(kit_submit(&k, 0, last, last + 3, 1, false, &d).status, 422); /* not consistent */
    CHECK_INT(kit_submit(&k, 0, 2, 3, 0, false, &d).status, 422);           /* rollback */
    CHECK_INT(kit_submit(&k, 0, 0, 5, 0, false, &d).status, 409);           /* accepted before */
    CHECK_INT(kit_submit(&k, 0, last, last, 0, false, &d).status, 200);     /* once more */
    ledger_rounds_counts(k.r, &c);
    CHECK_INT(c.forks, 2);
    CHECK_INT(c.rollbacks, 1);
    struct found f = {&k, 0};
    CHECK_INT(simdisk_io.list(k.disk, DIR "/evidence", read_evidence, &f), 0);
    CHECK_INT(f.n, 3);
    CHECK_INT(kit_submit(&k, 1, kit_last(&k, 1), 20, 0, false, &d).status, 200);
    run_rounds(&k, 1);
    CHECK_INT(kit_open(&k, &d), 0);
    CHECK_INT(kit_submit(&k, 0, 0, 5, 0, false, &d).status, 409); /* known after a start, too */
    kit_free(&k);
}

/* --- a large round --- */

#define LARGE 65537

static void submit_many(struct kit *k, uint64_t n)
{
    struct merkle_hash root = {{5}};
    struct note_key key = {0};
    struct diag d = {0};
    uint8_t public[32] = {3}, signature[NOTE_SIGNATURE] = {1};
    struct buf text, note, entry;
    char name[32];
    buf_init(&text, 4096);
    buf_init(&note, 4096);
    buf_init(&entry, 4096);
    for (uint64_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "TEST/many/j%llu", (unsigned long long)i);
        CHECK_INT(note_key_make(slice_str(name), NOTE_ED25519, public, &key, &d), 0);
        struct checkpoint cp = {.origin = slice_str(name), .size = 7, .root = root};
        struct ledger_submission s = {.kind = ENTRY_HEAD};
        buf_reset(&text);
        buf_reset(&note);
        buf_reset(&entry);
        checkpoint_print(&cp, &text);
        note_print(buf_view(&text), &key, signature, &note);
        entry_print(&key, buf_view(&note), &entry);
        s.entry = buf_view(&entry);
        struct ledger_waiter w = {0, i};
        CHECK_INT(ledger_rounds_submit(k->r, &s, w, k->now_ms, &d).status, 200);
        note_key_free(&key);
    }
    buf_free(&text);
    buf_free(&note);
    buf_free(&entry);
}

static void check_large(void *ctx, struct ledger_waiter w, struct slice text)
{
    static struct chain_answer a;
    struct merkle_hash leaf;
    struct round_record rec;
    struct diag d = {0};
    uint64_t *n = ctx;
    if ((*n)++ % 4096 != 0 && w.id != LARGE - 1)
        return;
    CHECK_INT(chain_answer_parse(text, &a, &d), 0);
    CHECK_INT(round_record_parse(slice_of(a.record, ROUND_RECORD), &rec, &d), 0);
    CHECK_INT(rec.entries, LARGE);
    CHECK_INT(rec.heads, LARGE);
    merkle_leaf(a.entry, &leaf);
    CHECK_INT(
        merkle_verify_inclusion(&leaf, a.round.index, a.round.of, a.round.h, a.round.n, &rec.root),
        0);
}

TEST(a_round_of_65537_heads)
{
    struct kit k;
    struct diag d = {0};
    bool unknown;
    uint64_t answers = 0;
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    submit_many(&k, LARGE);
    k.now_ms += 1000;
    CHECK_INT(ledger_rounds_commit(k.r, k.now_ms, &unknown, &d), 0);
    CHECK_INT(ledger_rounds_spread(k.r, &d), 0);
    CHECK_INT(ledger_rounds_publish(k.r, SLICE_NONE, &d), 0);
    CHECK_INT(ledger_rounds_answer(k.r, check_large, &answers, &d), 0);
    CHECK_INT(answers, LARGE);
    CHECK_INT(kit_open(&k, &d), 0); /* and all are known after a start */
    struct ledger_counts c;
    ledger_rounds_counts(k.r, &c);
    CHECK_INT(c.journals, LARGE);
    kit_free(&k);
}

/* --- upkeep --- */

static void empty_rounds(struct kit *k, int n)
{
    struct diag d = {0};
    bool unknown;
    for (int i = 0; i < n; i++) {
        k->now_ms += 1000;
        if (ledger_rounds_commit(k->r, k->now_ms, &unknown, &d) != 0 || finish(k, &d) != 0)
            FAIL("no round: %s: %s", d.where, d.text);
    }
}

static void count_names(void *arg, const char *name)
{
    (void)name;
    ++*(int *)arg;
}

static int names_in(struct kit *k, const char *folder)
{
    int n = 0;
    int rc = simdisk_io.list(k->disk, folder, count_names, &n);
    return rc == 0 ? n : rc;
}

TEST(partial_tiles_are_collected)
{
    struct kit k;
    struct diag d = {0};
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    empty_rounds(&k, 255);
    CHECK_INT(names_in(&k, DIR "/public/tile/0/000.p"), 255);
    CHECK_INT(ledger_rounds_tidy(k.r, k.now_ms + 1, 0, INT64_MAX / 4, &d), 0);
    CHECK_INT(names_in(&k, DIR "/public/tile/0/000.p"), 255); /* it is not full */
    empty_rounds(&k, 2);
    CHECK_INT(ledger_rounds_tidy(k.r, k.now_ms, 600000, INT64_MAX / 4, &d), 0);
    CHECK_INT(names_in(&k, DIR "/public/tile/0/000.p"), 255); /* not yet */
    CHECK_INT(kit_open(&k, &d), 0); /* what a run has left is found by the next one */
    CHECK_INT(ledger_rounds_tidy(k.r, k.now_ms + 600000, 600000, INT64_MAX / 4, &d), 0);
    CHECK(names_in(&k, DIR "/public/tile/0/000.p") < 0);
    CHECK(names_in(&k, DIR "/public/tile/entries/000.p") < 0);
    CHECK_INT(names_in(&k, DIR "/public/tile/0"), 2); /* 000 and 001.p */
    empty_rounds(&k, 256);
    CHECK_INT(ledger_rounds_tidy(k.r, k.now_ms + 600000, 600000, INT64_MAX / 4, &d), 0);
    CHECK(names_in(&k, DIR "/public/tile/0/001.p") < 0);
    CHECK_INT(kit_open(&k, &d), 0);
    check_told(&k, "partial tiles collected");
    kit_free(&k);
}

TEST(old_round_files_are_collected)
{
    struct kit k;
    struct diag d = {0};
    kit_init(&k);
    CHECK_INT(kit_open(&k, &d), 0);
    run_rounds(&k, 6);
    int64_t later = k.now_ms + 90 * (int64_t)86400000;
    CHECK_INT(ledger_rounds_tidy(k.r, later, 600000, 86400000, &d), 0);
    CHECK_INT(names_in(&k, DIR "/public/rounds"), 6); /* the snapshot does not have them */
    CHECK_INT(ledger_rounds_snapshot(k.r, &d), 0);
    CHECK_INT(ledger_rounds_tidy(k.r, k.now_ms, 600000, 86400000, &d), 0);
    CHECK_INT(names_in(&k, DIR "/public/rounds"), 6); /* too young */
    CHECK_INT(ledger_rounds_tidy(k.r, later, 600000, 86400000, &d), 0);
    CHECK_INT(names_in(&k, DIR "/public/rounds"), 0);
    CHECK_INT(kit_open(&k, &d), 0); /* heads are known without them */
    check_told(&k, "round files collected");
    run_rounds(&k, 1);
    kit_free(&k);
}
