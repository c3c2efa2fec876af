/*
 * Power cuts and failing disks: a fixed course of work on a disk in memory, struck at each of its
 * steps in turn. Whatever had been acknowledged must be there afterwards, unchanged, with the roots
 * that had been given out; and the journal must go on.
 */
#include "simdisk.h"
#include "test.h"

#include "base/err.h"
#include "journal/journal.h"

#define DIR "j"
#define SEGMENT 1500
#define RECORDS 400 /* more than any course appends */
#define ROOTS 128
#define TRIES 4

/* What the outside knows of the journal. */
struct known {
    uint64_t acked;
    struct {
        uint64_t size;
        struct merkle_hash root;
    } roots[ROOTS];
    size_t root_count;
    bool erase_tried[RECORDS], erased[RECORDS];
    uint64_t drop_tried, dropped;
};

struct world {
    struct simdisk *disk;
    struct known known;
    struct journal *j;
    bool stop; /* the power is gone */
    char what[160];
};

static uint64_t seed_of_test;

static struct slice payload_of(uint64_t seq)
{
    static uint8_t p[600];
    size_t n = seq % 11 == 0 ? 590 : (size_t)(seq * 29 % 90);
    for (size_t i = 0; i < n; i++)
        p[i] = seq % 3 == 0 ? 0 : (uint8_t)(seq * 31 + i);
    return slice_of(p, n);
}

static struct slice id_of(uint64_t seq)
{
    static char id[24];
    snprintf(id, sizeof id, "m%llu", (unsigned long long)(seq / 2));
    return seq % 4 == 3 ? SLICE_NONE : slice_str(id);
}

static void world_init(struct world *w)
{
    *w = (struct world){.disk = simdisk_new()};
}

static void world_free(struct world *w)
{
    journal_close(w->j);
    simdisk_free(w->disk);
}

static int open_journal(struct world *w, struct diag *d)
{
    struct journal_options o = {.segment_bytes = SEGMENT, .io = &simdisk_io, .io_ctx = w->disk};
    return journal_open(DIR, &o, &w->j, d);
}

/* What to do after a failed call: gives up when the power is gone, opens anew when a few tries did
 * not help. */
static bool again(struct world *w, int *tries, bool power)
{
    if (power) {
        w->stop = true;
        return false;
    }
    if (++*tries % TRIES != 0)
        return true;
    journal_close(w->j);
    w->j = NULL;
    struct diag d = {0};
    for (int i = 0; i < TRIES; i++)
        if (open_journal(w, &d) == 0)
            return true;
    FAIL("%s: does not open again: %s: %s", w->what, d.where, d.text);
}

static void acknowledge(struct world *w)
{
    struct known *k = &w->known;
    struct diag d;
    k->acked = journal_durable(w->j);
    if (k->root_count == ROOTS)
        return;
    k->roots[k->root_count].size = k->acked;
    if (journal_root(w->j, k->acked, &k->roots[k->root_count].root, &d) == 0)
        k->root_count++;
}

static void work_sync(struct world *w, bool power)
{
    struct diag d;
    int tries = 0;
    while (!w->stop && journal_sync(w->j, &d) != 0)
        if (!again(w, &tries, power))
            return;
    if (!w->stop)
        acknowledge(w);
}

static void work_append(struct world *w, int n, bool power)
{
    struct diag d;
    uint64_t seq;
    for (int i = 0; i < n && !w->stop; i++) {
        for (int tries = 0;;) {
            uint64_t next = journal_size(w->j);
            if (journal_append(w->j, (uint16_t)next, 7, (int64_t)next, id_of(next),
                               payload_of(next), &seq, &d) == 0)
                break;
            int rc = journal_sync(w->j, &d);
            (void)rc; /* an append may fail although nothing waits */
            if (!again(w, &tries, power))
                return;
        }
        if (seq + 8 > RECORDS)
            FAIL("the course is too long");
    }
    work_sync(w, power);
}

static void work_erase(struct world *w, uint64_t seq, bool power)
{
    struct diag d;
    if (w->stop || seq < journal_first(w->j) || seq >= journal_durable(w->j))
        return;
    w->known.erase_tried[seq] = true;
    for (int tries = 0; journal_erase_salt(w->j, seq, &d) != 0;)
        if (!again(w, &tries, power))
            return;
    w->known.erased[seq] = true;
}

static void work_drop(struct world *w, uint64_t before, bool power)
{
    struct diag d;
    if (w->stop)
        return;
    if (before > w->known.drop_tried)
        w->known.drop_tried = before;
    for (int tries = 0; journal_drop_before(w->j, before, &d) != 0;)
        if (!again(w, &tries, power))
            return;
    w->known.dropped = journal_first(w->j);
}

static void work_open(struct world *w, bool power)
{
    struct diag d = {0};
    journal_close(w->j);
    w->j = NULL;
    for (int tries = 0; !w->stop && open_journal(w, &d) != 0; tries++) {
        if (power)
            w->stop = true;
        else if (tries == TRIES)
            FAIL("%s: does not open: %s: %s", w->what, d.where, d.text);
    }
}

/* The course. With `power`, the first failed call ends it. */
static void work(struct world *w, bool power)
{
    work_open(w, power);
    work_append(w, 1, power);
    work_append(w, 7, power);
    work_append(w, 25, power); /* over several segments */
    work_erase(w, 4, power);   /* in a closed segment */
    work_append(w, 3, power);
    work_erase(w, w->stop ? 0 : journal_durable(w->j) - 1, power); /* in the open one */
    work_open(w, power);
    work_append(w, 9, power);
    work_drop(w, 20, power);
    work_append(w, 4, power);
    work_erase(w, 25, power);
    work_append(w, 12, power);
    if (w->stop)
        return;
    journal_close(w->j);
    w->j = NULL;
}

/* The process dies: what it holds reaches the disk no more. */
static void die(struct world *w)
{
    simdisk_arm(w->disk, SIMDISK_POWER, 1, 0);
    journal_close(w->j);
    w->j = NULL;
}

static void check_records(struct world *w)
{
    struct buf b;
    struct journal_record r;
    struct diag d;
    uint64_t seqs[8];
    size_t n;
    buf_init(&b, 4096);
    for (uint64_t i = journal_first(w->j); i < journal_size(w->j); i++) {
        if (journal_read(w->j, i, &r, &b, &d) != 0)
            FAIL("%s: record %llu: %s: %s", w->what, (unsigned long long)i, d.where, d.text);
        if (r.seq != i || r.type != (uint16_t)i || r.time_ms != (int64_t)i ||
            !slice_eq(r.payload, payload_of(i)))
            FAIL("%s: record %llu is another", w->what, (unsigned long long)i);
        bool found = id_of(i).n == 0;
        if (journal_find(w->j, id_of(i), seqs, 8, &n, &d) != 0)
            FAIL("%s: %s: %s", w->what, d.where, d.text);
        for (size_t k = 0; k < n; k++)
            found = found || seqs[k] == i;
        if (!found)
            FAIL("%s: record %llu is not found by its id", w->what, (unsigned long long)i);
    }
    buf_free(&b);
}

static void check_tree(struct world *w)
{
    const struct known *k = &w->known;
    struct merkle_hash root;
    struct diag d;
    uint8_t salt[JOURNAL_SALT];
    for (size_t i = 0; i < k->root_count; i++) {
        if (journal_root(w->j, k->roots[i].size, &root, &d) != 0)
            FAIL("%s: root: %s: %s", w->what, d.where, d.text);
        if (memcmp(&root, &k->roots[i].root, sizeof root) != 0)
            FAIL("%s: the root of %llu records is another", w->what,
                 (unsigned long long)k->roots[i].size);
    }
    for (uint64_t i = journal_first(w->j); i < journal_durable(w->j); i++) {
        int rc = journal_salt(w->j, i, salt, &d);
        if (rc == ERR_NOT_FOUND ? !k->erase_tried[i] : rc != 0 || k->erased[i])
            FAIL("%s: the salt of record %llu: %s", w->what, (unsigned long long)i, err_name(rc));
    }
}

static void check(struct world *w)
{
    const struct known *k = &w->known;
    struct journal_report report;
    struct diag d;
    if (journal_durable(w->j) < k->acked)
        FAIL("%s: %llu records of %llu acknowledged are left", w->what,
             (unsigned long long)journal_durable(w->j), (unsigned long long)k->acked);
    if (journal_first(w->j) < k->dropped || journal_first(w->j) > k->drop_tried)
        FAIL("%s: begins with record %llu", w->what, (unsigned long long)journal_first(w->j));
    check_records(w);
    check_tree(w);
    if (journal_verify(w->j, &report, &d) != 0)
        FAIL("%s: verify: %s: %s", w->what, d.where, d.text);
}

/* The journal as it is after a restart, and that it goes on from there. */
static void check_and_go_on(struct world *w)
{
    w->stop = false;
    work_open(w, false);
    check(w);
    work_append(w, 5, false);
    work_append(w, 20, false);
    check(w);
    work_open(w, false);
    check(w);
    /* Nothing of it was only in memory. */
    journal_close(w->j);
    w->j = NULL;
    simdisk_restart(w->disk, SIMDISK_DROP_ALL, 0);
    work_open(w, false);
    check(w);
}

static uint64_t steps_of_course(void)
{
    struct world w;
    world_init(&w);
    strcpy(w.what, "no fault");
    simdisk_arm(w.disk, SIMDISK_NONE, 0, 0);
    work(&w, true);
    uint64_t n = simdisk_steps(w.disk);
    if (w.stop)
        FAIL("the course fails without a fault");
    check_and_go_on(&w);
    world_free(&w);
    return n;
}

static const char *const cut_names[] = {"all unsynced dropped", "process killed",
                                        "prefixes of writes kept", "any sectors kept"};

static void cut_at(uint64_t step, enum simdisk_cut how, uint64_t seed)
{
    struct world w;
    world_init(&w);
    snprintf(w.what, sizeof w.what, "cut at step %llu, %s, seed %llu", (unsigned long long)step,
             cut_names[how], (unsigned long long)seed);
    simdisk_arm(w.disk, SIMDISK_POWER, step, 0);
    work(&w, true);
    CHECK(simdisk_struck(w.disk));
    die(&w);
    simdisk_restart(w.disk, how, seed);
    check_and_go_on(&w);
    world_free(&w);
}

static void cut_at_each_step(enum simdisk_cut how, uint64_t seeds)
{
    uint64_t n = steps_of_course();
    CHECK(n > 250);
    for (uint64_t step = 1; step <= n; step++)
        for (uint64_t seed = 0; seed < seeds; seed++)
            cut_at(step, how, step * 1000 + seed);
}

TEST(power_cut_at_each_step_that_drops_all_unsynced)
{
    cut_at_each_step(SIMDISK_DROP_ALL, 1);
}

TEST(kill_at_each_step)
{
    cut_at_each_step(SIMDISK_KEEP_ALL, 1);
}

TEST(power_cut_at_each_step_that_keeps_parts_of_writes)
{
    cut_at_each_step(SIMDISK_PREFIXES, 3);
}

TEST(power_cut_at_each_step_that_keeps_any_sectors)
{
    cut_at_each_step(SIMDISK_SECTORS, 3);
}

static uint64_t chance(uint64_t below)
{
    seed_of_test = seed_of_test * 6364136223846793005u + 1442695040888963407u;
    return (seed_of_test >> 33) % below;
}

TEST(cuts_during_recovery_after_cuts)
{
    uint64_t n = steps_of_course();
    seed_of_test = 1;
    for (int round = 0; round < 600; round++) {
        struct world w;
        world_init(&w);
        simdisk_arm(w.disk, SIMDISK_POWER, 1 + chance(n), 0);
        work(&w, true);
        for (int cut = 0; cut < 3; cut++) {
            die(&w);
            simdisk_restart(w.disk, (enum simdisk_cut)chance(SIMDISK_CUT_COUNT), chance(1 << 30));
            snprintf(w.what, sizeof w.what, "round %d, cut %d", round, cut);
            w.stop = false;
            simdisk_arm(w.disk, SIMDISK_POWER, 1 + chance(90), 0);
            work_open(&w, true);
            if (!w.stop)
                work_append(&w, 6, true);
        }
        die(&w);
        simdisk_restart(w.disk, (enum simdisk_cut)chance(SIMDISK_CUT_COUNT), chance(1 << 30));
        check_and_go_on(&w);
        world_free(&w);
    }
}

/* The disk fails at one step (or a few) and is well again; then the power goes. */
static void fail_at_each_step(enum simdisk_fault fault, uint64_t times, const char *name)
{
    uint64_t n = steps_of_course(), struck = 0;
    for (uint64_t step = 1; step <= n; step++) {
        struct world w;
        world_init(&w);
        snprintf(w.what, sizeof w.what, "%s at step %llu, %llu times", name,
                 (unsigned long long)step, (unsigned long long)times);
        simdisk_arm(w.disk, fault, step, times);
        work(&w, false);
        struck += simdisk_struck(w.disk);
        simdisk_restart(w.disk, SIMDISK_DROP_ALL, 0);
        check_and_go_on(&w);
        world_free(&w);
    }
    CHECK(struck > n / 2);
}

TEST(input_output_error_at_each_step_then_power_cut)
{
    fail_at_each_step(SIMDISK_EIO, 1, "EIO");
    fail_at_each_step(SIMDISK_EIO, 3, "EIO");
}

/* A sync fails, the process ends, the next one sees in the page cache what is not on the disk. */
TEST(input_output_error_at_each_step_then_kill_then_power_cut)
{
    uint64_t n = steps_of_course();
    for (uint64_t step = 1; step <= n; step++) {
        struct world w;
        world_init(&w);
        snprintf(w.what, sizeof w.what, "EIO at step %llu and kill", (unsigned long long)step);
        simdisk_arm(w.disk, SIMDISK_EIO, step, 1);
        work(&w, true);
        die(&w);
        simdisk_restart(w.disk, SIMDISK_KEEP_ALL, 0);
        check_and_go_on(&w);
        world_free(&w);
    }
}

TEST(disk_full_at_each_step_then_power_cut)
{
    fail_at_each_step(SIMDISK_FULL, 1, "ENOSPC");
    fail_at_each_step(SIMDISK_FULL, 6, "ENOSPC");
}

TEST(short_reads_and_writes_at_each_step)
{
    fail_at_each_step(SIMDISK_SHORT, 1, "short");
    fail_at_each_step(SIMDISK_SHORT, 1000000, "short");
}

TEST(after_a_failed_sync_appends_are_refused_until_one_succeeds)
{
    struct world w;
    struct diag d;
    uint64_t seq;
    world_init(&w);
    strcpy(w.what, "refusal");
    work_open(&w, false);
    work_append(&w, 3, false);
    CHECK_INT(journal_append(w.j, 3, 7, 3, id_of(3), payload_of(3), &seq, &d), 0);
    simdisk_arm(w.disk, SIMDISK_FULL, 1, 2);
    CHECK_INT(journal_sync(w.j, &d), ERR_DISK_FULL);
    CHECK_INT(journal_append(w.j, 4, 7, 4, id_of(4), payload_of(4), &seq, &d), ERR_DISK_FULL);
    CHECK_INT(journal_durable(w.j), 3);
    CHECK_INT(journal_sync(w.j, &d), 0);
    CHECK_INT(journal_durable(w.j), 4);
    CHECK_INT(journal_append(w.j, 4, 7, 4, id_of(4), payload_of(4), &seq, &d), 0);
    work_sync(&w, false);
    check(&w);
    world_free(&w);
}

/* The record that began the next segment in vain is given up, and one comes that would fit into the
 * last: it must not go where nobody looks, since the next segment's file may be there. */
TEST(after_a_segment_could_not_be_begun_a_smaller_record_does_not_go_into_the_last)
{
    static const uint8_t large[SEGMENT];
    for (uint64_t step = 1; step < 40; step++) {
        struct world w;
        struct diag d;
        uint64_t seq;
        world_init(&w);
        snprintf(w.what, sizeof w.what, "EIO at step %llu of a roll", (unsigned long long)step);
        work_open(&w, false);
        work_append(&w, 3, false);
        simdisk_arm(w.disk, SIMDISK_EIO, step, 1);
        if (journal_append(w.j, 9, 7, 9, SLICE_NONE, slice_of(large, sizeof large), &seq, &d) ==
            0) {
            world_free(&w);
            CHECK(step > 10); /* every step of the roll had its turn */
            return;
        }
        simdisk_arm(w.disk, SIMDISK_NONE, 0, 0);
        work_append(&w, 40, false);
        check(&w);
        die(&w);
        simdisk_restart(w.disk, SIMDISK_DROP_ALL, 0);
        work_open(&w, false);
        check(&w);
        world_free(&w);
    }
    FAIL("the roll has no end");
}
