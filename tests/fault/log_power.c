/*
 * Power cuts and failing disks under a gateway's log: a fixed course of its work (records of two
 * workers, time-stamps, deaths of a worker and of the agent, restarts) on a disk in memory, struck
 * at its steps in turn. Afterwards every message that the log had acknowledged is there and its
 * signature document the same byte for byte, every stamp that it had promised too; nothing is there
 * that was never sent; what has no stamp is asked for; the journal is whole and goes on.
 */
#include "log_world.h"
#include "test.h"

#include "base/arena.h"
#include "gateway/seal.h"

#define ROOTS 16
#define TRIES 6

/* What a reader sees of the log. */
struct seen {
    struct mlog_read *m;
    struct arena *a;
    uint64_t seq[LOG_MESSAGES]; /* of the message; UINT64_MAX: it is not there */
    size_t message[RECORDS];    /* the other way round; SIZE_MAX: no message */
    bool stamped[RECORDS];
    uint64_t first; /* record; those before it are dropped */
};

/* Roots of the tree that somebody may have seen. */
static struct {
    uint64_t size;
    struct merkle_hash root;
} roots[ROOTS];
static size_t root_count;

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    log_messages();
    w->disk = simdisk_new();
    root_count = 0;
}

static void world_free(struct world *w)
{
    life_end(w);
    simdisk_free(w->disk);
}

/* Begins a life of the log. With `power`, a failure is the end. */
static void work_begin(struct world *w, bool power)
{
    struct diag d = {0};
    for (int tries = 0; !w->stop && life_begin(w, &d) != 0; tries++) {
        if (power)
            w->stop = true;
        else if (tries == TRIES)
            FAIL("%s: the log does not begin: %s: %s", w->what, d.where, d.text);
    }
}

/* All that is asked is answered. After a refusal the power is gone, or a log that can go on no more
 * begins anew, as its group would see to. */
static void work_wait(struct world *w, bool power)
{
    wait_for_answers(w);
    if (w->refused && power)
        w->stop = true;
    else if (mlog_is_broken(w->log))
        work_begin(w, power);
    w->refused = false;
}

static void work_send(struct world *w, int n, bool power)
{
    if (w->stop)
        return;
    send_messages(w, n);
    work_wait(w, power);
}

static void work_stamp(struct world *w, enum agent_does does, bool power)
{
    if (w->stop)
        return;
    ask_to_stamp(w, does);
    if (does == STAMPS_LATE)
        send_messages(w, 5);
    wait_for_answers(w);
    if (does == REFUSES || does == DIES) {
        w->refused = false;
        w->stop = power && simdisk_struck(w->disk);
    }
    if (w->agent == NULL && !w->stop)
        connect_agent(w);
    work_wait(w, power);
}

/* A worker dies with questions on the way. */
static void work_lose_worker(struct world *w, bool power)
{
    if (w->stop)
        return;
    send_messages(w, 6);
    loop_defer(w->loop, cut_worker, w);
    turn(w);
    turn(w);
    work_wait(w, power);
    if (w->worker[1] == NULL && !w->stop)
        connect_worker(w, 1);
}

/* What a tool beside the running log sees of its tree. */
static void work_look(struct world *w, bool power)
{
    struct mlog_read *m = NULL;
    struct diag d = {0};
    if (w->stop)
        return;
    int rc = mlog_read_open(LOG_DIR, log_disk(w), &m, &d);
    if (rc == 0) {
        struct journal *j = mlog_read_journal(m);
        roots[root_count].size = journal_durable(j);
        rc = journal_root(j, journal_durable(j), &roots[root_count].root, &d);
        root_count += rc == 0 && root_count + 1 < ROOTS;
    }
    mlog_read_close(m);
    w->stop = rc != 0 && power;
}

/* The course. With `power`, the first failure ends it. */
static void work(struct world *w, bool power)
{
    work_begin(w, power);
    work_send(w, 1, power);
    work_send(w, 8, power);
    work_stamp(w, STAMPS, power);
    work_send(w, 5, power);
    work_stamp(w, REFUSES, power);
    work_send(w, 4, power);
    work_stamp(w, DIES, power);
    work_lose_worker(w, power);
    work_look(w, power);
    work_send(w, 3, power);
    work_stamp(w, STAMPS, power);
    work_send(w, 7, power);
    if (!w->stop)
        work_begin(w, power); /* in order, with unstamped records */
    work_send(w, 12, power);
    work_stamp(w, STAMPS_LATE, power);
    work_send(w, 3, power);
    if (!w->stop)
        life_end(w);
}

/* The process dies: what it holds reaches the disk no more. */
static void die(struct world *w)
{
    simdisk_arm(w->disk, SIMDISK_POWER, 1, 0);
    life_end(w);
}

/* --- what is there --- */

static void check_message(struct world *w, struct seen *s, uint64_t seq)
{
    struct record_message r = {0};
    struct buf body;
    struct diag d = {0};
    int rc = mlog_read_message(s->m, seq, s->a, &r, &d);
    const struct log_message *m = log_messages_find(&r);
    size_t i = m == NULL ? 0 : (size_t)(m - log_messages());
    if (m == NULL || w->sent[i] == NOT_SENT)
        FAIL("%s: record %llu was never sent", w->what, (unsigned long long)seq);
    if (s->seq[i] != UINT64_MAX)
        FAIL("%s: message %zu is there twice", w->what, i);
    s->seq[i] = seq;
    s->message[seq] = i;
    if (rc == ERR_NOT_FOUND && s->first > 0 && w->sent[i] == SENT)
        return; /* refused, or cut off, before its segment had what it shares */
    if (rc != 0)
        FAIL("%s: record %llu: %s", w->what, (unsigned long long)seq, d.text);
    const struct record_message *k = &m->record;
    if (!slice_eq(r.signature, k->signature) || !slice_eq(r.head, k->head) ||
        !slice_eq(r.result, k->result) || !slice_eq(r.chain, k->chain) ||
        !slice_eq(r.party, k->party) || !slice_eq(r.request_id, k->request_id) ||
        r.has_body != k->has_body || r.body_kept != k->body_kept || r.time_ms != k->time_ms ||
        r.body_size != k->body_size || (k->has_body && !digest_eq(&r.body_hash, &k->body_hash)))
        FAIL("%s: record %llu is another", w->what, (unsigned long long)seq);
    buf_init(&body, JOURNAL_RECORD_MAX);
    if (k->body_kept &&
        (seal_open(log_messages_owner(), r.sealed_body, &r.body_hash, &body, &d) != 0 ||
         !slice_eq(buf_view(&body), m->body)))
        FAIL("%s: the body of record %llu is another", w->what, (unsigned long long)seq);
    buf_free(&body);
}

static void check_stamp(struct world *w, struct seen *s, const struct journal_record *r)
{
    struct record_stamp st;
    bool known = false;
    if (record_stamp_get(s->a, arena_dup(s->a, r->payload), &st, NULL) != 0)
        FAIL("%s: record %llu is no stamp", w->what, (unsigned long long)r->seq);
    for (uint64_t i = 0; i < w->tokens; i++)
        known = known || slice_eq(st.token, token_of(i));
    for (size_t i = 0; i < st.n; i++) {
        uint64_t seq = st.entry[i].seq;
        size_t k = seq < r->seq ? s->message[seq] : SIZE_MAX;
        if (seq < s->first)
            continue;
        if (k == SIZE_MAX ||
            !digest_eq(&st.entry[i].hash, &log_messages()[k].record.signature_hash))
            FAIL("%s: stamp %llu is over what is not there", w->what, (unsigned long long)r->seq);
        s->stamped[seq] = true;
    }
    if (!known)
        FAIL("%s: stamp %llu was never made", w->what, (unsigned long long)r->seq);
}

static void check_record(struct world *w, struct seen *s, uint64_t seq)
{
    struct journal_record r;
    struct buf b;
    struct diag d = {0};
    buf_init(&b, JOURNAL_RECORD_MAX);
    if (journal_read(mlog_read_journal(s->m), seq, &r, &b, &d) != 0)
        FAIL("%s: record %llu: %s: %s", w->what, (unsigned long long)seq, d.where, d.text);
    if (r.type == RECORD_MESSAGE)
        check_message(w, s, seq);
    else if (r.type == RECORD_STAMP)
        check_stamp(w, s, &r);
    else if (r.type == RECORD_BLOB ? !log_messages_share(r.payload)
                                   : r.type != RECORD_OPEN || !slice_eq_str(r.payload, LOG_SERVER))
        FAIL("%s: record %llu was never sent", w->what, (unsigned long long)seq);
    buf_free(&b);
}

/* What was promised: each message is found as people look for it, and its stamp. */
static void check_promises(struct world *w, struct seen *s)
{
    for (size_t i = 0; i < LOG_MESSAGES; i++) {
        const struct record_message *k = &log_messages()[i].record;
        const struct mlog_read_want want = {k->side, k->response, k->id};
        struct record_stamp st;
        struct diag d = {0};
        uint64_t seq;
        int64_t time_ms;
        size_t which;
        if (w->sent[i] != ACKED || w->dropped[i])
            continue;
        if (s->seq[i] == UINT64_MAX)
            FAIL("%s: message %zu was acknowledged and is lost", w->what, i);
        if (mlog_read_find(s->m, &want, &seq, &time_ms, &d) != 0 || seq != s->seq[i])
            FAIL("%s: message %zu is not found: %s", w->what, i, d.text);
        if (!w->stamped[i])
            continue;
        if (!s->stamped[seq])
            FAIL("%s: the stamp of message %zu is lost", w->what, i);
        if (i % 8 == 0 && (mlog_read_stamp(s->m, seq, s->a, &st, &which, &d) != 0 ||
                           mlog_read_stamp_chain(&st, which, NULL, NULL, &d) != 0))
            FAIL("%s: the stamp of message %zu is not found: %s", w->what, i, d.text);
    }
}

static void check_tree(struct world *w, struct journal *j)
{
    struct journal_report report;
    struct merkle_hash root;
    struct diag d = {0};
    for (size_t i = 0; i < root_count; i++)
        if (journal_root(j, roots[i].size, &root, &d) != 0 ||
            memcmp(&root, &roots[i].root, sizeof root) != 0)
            FAIL("%s: the root of %llu records is another", w->what,
                 (unsigned long long)roots[i].size);
    if (journal_verify(j, &report, &d) != 0)
        FAIL("%s: verify: %s: %s", w->what, d.where, d.text);
    if (report.records != journal_durable(j))
        FAIL("%s: %llu records of %llu are verified", w->what, (unsigned long long)report.records,
             (unsigned long long)journal_durable(j));
}

/* Reads the log beside its writer; the caller closes s->m and frees s->a. */
static void look(struct world *w, struct seen *s)
{
    struct diag d = {0};
    memset(s, 0, sizeof *s);
    memset(s->seq, 0xff, sizeof s->seq);
    memset(s->message, 0xff, sizeof s->message);
    s->a = arena_new(16u << 20);
    if (s->a == NULL || mlog_read_open(LOG_DIR, log_disk(w), &s->m, &d) != 0)
        FAIL("%s: cannot be read: %s: %s", w->what, d.where, d.text);
    struct journal *j = mlog_read_journal(s->m);
    if (journal_durable(j) > RECORDS)
        FAIL("the course is too long");
    s->first = journal_first(j);
    for (uint64_t seq = s->first; seq < journal_durable(j); seq++)
        check_record(w, s, seq);
    check_promises(w, s);
    check_tree(w, j);
}

static void forget(struct seen *s)
{
    mlog_read_close(s->m);
    arena_free(s->a);
}

/* The log is begun: each message in it that has no stamp is asked for now, once. */
static void check_stamping(struct world *w, bool power)
{
    struct seen s;
    look(w, &s);
    memset(w->asked, 0, sizeof w->asked);
    ask_to_stamp(w, STAMPS);
    wait_for_answers(w);
    if (w->refused)
        FAIL("%s: a healthy log does not stamp", w->what);
    for (uint64_t seq = 0; seq < RECORDS; seq++) {
        bool wanting = s.message[seq] != SIZE_MAX && !s.stamped[seq];
        if (wanting ? w->asked[seq] != 1 : power && w->asked[seq] > 0)
            FAIL("%s: for record %llu %u stamps were asked", w->what, (unsigned long long)seq,
                 w->asked[seq]);
    }
    forget(&s);
}

static void check(struct world *w)
{
    struct seen s;
    look(w, &s);
    forget(&s);
}

/* Old segments go, as when they are archived; what is left needs nothing of them. */
static void check_dropping(struct world *w)
{
    struct journal *j;
    struct seen s;
    struct diag d = {0};
    look(w, &s);
    life_end(w);
    if (journal_open(LOG_DIR, log_disk(w), &j, &d) != 0 ||
        journal_drop_before(j, journal_durable(j) * 2 / 3, &d) != 0)
        FAIL("%s: old segments are not dropped: %s: %s", w->what, d.where, d.text);
    for (size_t i = 0; i < LOG_MESSAGES; i++)
        w->dropped[i] = s.seq[i] < journal_first(j);
    journal_close(j);
    forget(&s);
    work_begin(w, false);
    check(w);
}

/* The log as it is after a restart, and that it goes on from there. */
static void check_and_go_on(struct world *w, bool power)
{
    w->stop = w->refused = false;
    work_begin(w, false);
    check_stamping(w, power);
    size_t from = w->next;
    send_messages(w, 9);
    wait_for_answers(w);
    for (size_t i = from; i < w->next; i++)
        if (w->sent[i] != ACKED)
            FAIL("%s: a healthy log refuses message %zu", w->what, i);
    check_stamping(w, power);
    /* Nothing of it was only in memory. */
    die(w);
    simdisk_restart(w->disk, SIMDISK_DROP_ALL, 0);
    work_begin(w, false);
    check_dropping(w);
}

/* Large bodies travel in real files, below the log's folder. */
static char folder[] = "/tmp/sild-log-power-XXXXXX";

static void leave_folder(void)
{
    if (rmdir(LOG_DIR) != 0 || rmdir(folder) != 0)
        perror(folder);
}

static void enter_folder(void)
{
    static bool done;
    if (done)
        return;
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0 && mkdir(LOG_DIR, 0700) == 0);
    done = true;
    atexit(leave_folder);
}

static uint64_t steps_of_course(void)
{
    struct world w;
    enter_folder();
    world_init(&w);
    strcpy(w.what, "no fault");
    simdisk_arm(w.disk, SIMDISK_NONE, 0, 0);
    work(&w, true);
    uint64_t n = simdisk_steps(w.disk);
    if (w.stop)
        FAIL("the course fails without a fault");
    check_and_go_on(&w, true);
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
    check_and_go_on(&w, true);
    world_free(&w);
}

/* From the first step on, each or one of so many. */
static void cut_at_steps(enum simdisk_cut how, uint64_t first, uint64_t each)
{
    uint64_t n = steps_of_course();
    CHECK(n > 250);
    for (uint64_t step = first; step <= n; step += each)
        cut_at(step, how, step);
}

TEST(power_cut_at_each_step_that_drops_all_unsynced)
{
    cut_at_steps(SIMDISK_DROP_ALL, 1, 1);
}

TEST(kill_at_each_step)
{
    cut_at_steps(SIMDISK_KEEP_ALL, 1, 1);
}

TEST(power_cut_that_keeps_parts_of_writes)
{
    cut_at_steps(SIMDISK_PREFIXES, 1, 2);
}

TEST(power_cut_that_keeps_any_sectors)
{
    cut_at_steps(SIMDISK_SECTORS, 2, 2);
}

static uint64_t chance(uint64_t below)
{
    static uint64_t x = 1;
    x = x * 6364136223846793005u + 1442695040888963407u;
    return (x >> 33) % below;
}

TEST(cuts_during_recovery_after_cuts)
{
    uint64_t n = steps_of_course();
    for (int round = 0; round < 60; round++) {
        struct world w;
        world_init(&w);
        simdisk_arm(w.disk, SIMDISK_POWER, 1 + chance(n), 0);
        work(&w, true);
        for (int cut = 0; cut < 3; cut++) {
            die(&w);
            simdisk_restart(w.disk, (enum simdisk_cut)chance(SIMDISK_CUT_COUNT), chance(1 << 30));
            snprintf(w.what, sizeof w.what, "round %d, cut %d", round, cut);
            w.stop = w.refused = false;
            simdisk_arm(w.disk, SIMDISK_POWER, 1 + chance(90), 0);
            work_begin(&w, true);
            work_send(&w, 4, true);
            work_stamp(&w, STAMPS, true);
        }
        die(&w);
        simdisk_restart(w.disk, (enum simdisk_cut)chance(SIMDISK_CUT_COUNT), chance(1 << 30));
        check_and_go_on(&w, true);
        world_free(&w);
    }
}

/* The disk fails at one step (or a few) and is well again; then the power goes. */
static void fail_at_steps(enum simdisk_fault fault, uint64_t times, const char *name)
{
    uint64_t n = steps_of_course(), struck = 0, tried = 0;
    for (uint64_t step = 1; step <= n; step += 2) {
        tried++;
        struct world w;
        world_init(&w);
        snprintf(w.what, sizeof w.what, "%s at step %llu, %llu times", name,
                 (unsigned long long)step, (unsigned long long)times);
        simdisk_arm(w.disk, fault, step, times);
        work(&w, false);
        struck += simdisk_struck(w.disk);
        die(&w);
        simdisk_restart(w.disk, SIMDISK_DROP_ALL, 0);
        check_and_go_on(&w, false);
        world_free(&w);
    }
    CHECK(struck > tried / 2);
}

TEST(input_output_error_then_power_cut)
{
    fail_at_steps(SIMDISK_EIO, 1, "EIO");
}

TEST(disk_full_then_power_cut)
{
    fail_at_steps(SIMDISK_FULL, 4, "ENOSPC");
}
