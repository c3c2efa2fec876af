/*
 * kill -9 of a writer under load, at random moments, on a real disk: what it had said to be durable
 * is there afterwards, with the roots it had given, and the next writer goes on from it.
 */
#include "test.h"

#include "base/err.h"
#include "journal/journal.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT (256u << 10)
#define SECONDS 16
#define ROUNDS_LEAST 20
#define ROOTS 4096

static char dir[64];

/* What the writer tells after each sync, through a pipe. */
struct ack {
    uint64_t size;
    struct merkle_hash root;
};

static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static struct slice payload_of(uint64_t seq)
{
    static uint8_t p[4096];
    size_t n = (size_t)(mix(seq) % (seq % 16 == 0 ? 4000 : 300));
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(mix(seq * 64 + i / 8) >> i % 8 * 8);
    return slice_of(p, n);
}

static struct journal *open_journal(bool read_only)
{
    struct journal_options o = {.segment_bytes = SEGMENT, .read_only = read_only};
    struct journal *j;
    struct diag d;
    if (journal_open(dir, &o, &j, &d) != 0)
        FAIL("does not open: %s: %s", d.where, d.text);
    return j;
}

/* Until it is killed. Exit codes say what failed. */
static void write_on(int out, uint64_t seed)
{
    struct journal_options o = {.segment_bytes = SEGMENT};
    struct journal *j;
    struct ack a;
    struct diag d;
    uint64_t seq;
    if (journal_open(dir, &o, &j, &d) != 0)
        _exit(10);
    for (;;) {
        seed++;
        uint64_t n = 1 + mix(seed) % (seed % 8 == 0 ? 200 : 12);
        for (uint64_t i = 0; i < n; i++)
            if (journal_append(j, 1, 2, 3, SLICE_LIT("id"), payload_of(journal_size(j)), &seq,
                               &d) != 0)
                _exit(11);
        if (journal_sync(j, &d) != 0)
            _exit(12);
        a.size = journal_durable(j);
        if (journal_root(j, a.size, &a.root, &d) != 0)
            _exit(13);
        if (write(out, &a, sizeof a) != sizeof a)
            _exit(14);
        if (seed % 32 == 0 && journal_erase_salt(j, a.size - 1, &d) != 0)
            _exit(15);
        if (seed % 64 == 0 && a.size > 8000 && journal_drop_before(j, a.size - 8000, &d) != 0)
            _exit(16);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Acknowledgements of one round, the last ROOTS of them. */
static struct ack acks[ROOTS];
static size_t ack_count;

static void collect(int in, double until)
{
    for (;;) {
        double left = until - now();
        struct pollfd p = {.fd = in, .events = POLLIN};
        if (until > 0 && (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) == 0))
            return;
        struct ack a;
        ssize_t n = read(in, &a, sizeof a);
        if (n != sizeof a)
            return;
        acks[ack_count++ % ROOTS] = a;
    }
}

/* A reader beside the writer: whatever it sees is whole, and no less than was acknowledged. */
static void watch(int in, double until)
{
    struct journal_options o = {.read_only = true};
    struct journal *j = NULL;
    struct journal_record r;
    struct merkle_hash root;
    struct buf b;
    struct diag d;
    buf_init(&b, 8192);
    while (now() < until) {
        collect(in, now() + 0.003);
        int rc = j == NULL ? journal_open(dir, &o, &j, &d) : journal_refresh(j, &d);
        if (rc == ERR_NOT_FOUND && ack_count == 0)
            continue;
        if (rc != 0)
            FAIL("reader: %s: %s", d.where, d.text);
        uint64_t n = journal_size(j);
        if (ack_count > 0 && n < acks[(ack_count - 1) % ROOTS].size)
            FAIL("the reader sees %llu records", (unsigned long long)n);
        if (n > 0 && journal_read(j, n - 1, &r, &b, &d) != 0)
            FAIL("reader: %s: %s", d.where, d.text);
        CHECK(n == 0 || slice_eq(r.payload, payload_of(n - 1)));
        CHECK_INT(journal_root(j, n, &root, &d), 0);
    }
    journal_close(j);
    buf_free(&b);
}

static void run_and_kill(uint64_t round)
{
    int pipes[2];
    CHECK_INT(pipe(pipes), 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        write_on(pipes[1], mix(round));
    }
    close(pipes[1]);
    ack_count = 0;
    double until = now() + 0.002 + (double)(mix(round * 7) % 120) / 1000;
    if (round % 2 == 0)
        collect(pipes[0], until);
    else
        watch(pipes[0], until);
    kill(child, SIGKILL);
    collect(pipes[0], 0); /* what it had said before it died */
    close(pipes[0]);
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        FAIL("the writer ended with %d", WEXITSTATUS(status));
}

static void check_records(struct journal *j, uint64_t from)
{
    struct buf b;
    struct journal_record r;
    struct diag d;
    buf_init(&b, 8192);
    if (from < journal_first(j))
        from = journal_first(j);
    for (uint64_t i = from; i < journal_size(j); i++) {
        if (journal_read(j, i, &r, &b, &d) != 0)
            FAIL("record %llu: %s: %s", (unsigned long long)i, d.where, d.text);
        if (r.type != 1 || r.flags != 2 || r.time_ms != 3 || !slice_eq(r.payload, payload_of(i)))
            FAIL("record %llu is another", (unsigned long long)i);
    }
    buf_free(&b);
}

static void check_acks(struct journal *j)
{
    struct merkle_hash root;
    struct diag d;
    size_t n = ack_count < ROOTS ? ack_count : ROOTS;
    for (size_t i = 0; i < n; i++) {
        if (acks[i].size > journal_durable(j))
            FAIL("%llu records were acknowledged, %llu are there", (unsigned long long)acks[i].size,
                 (unsigned long long)journal_durable(j));
        CHECK_INT(journal_root(j, acks[i].size, &root, &d), 0);
        CHECK(memcmp(&root, &acks[i].root, sizeof root) == 0);
    }
}

TEST(killed_writers_lose_nothing_acknowledged)
{
    struct journal_report report;
    struct diag d;
    uint64_t rounds = 0, total = 0, before = 0;
    strcpy(dir, "/tmp/sild-kill-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    double end = now() + SECONDS;
    for (; now() < end || rounds < ROUNDS_LEAST; rounds++) {
        run_and_kill(rounds);
        total += ack_count;
        struct journal *j = open_journal(true); /* what a tool sees before the next writer comes */
        check_acks(j);
        journal_close(j);
        j = open_journal(false);
        check_acks(j);
        check_records(j, before);
        before = journal_size(j);
        if (rounds % 10 == 9 && journal_verify(j, &report, &d) != 0)
            FAIL("verify: %s: %s", d.where, d.text);
        journal_close(j);
    }
    struct journal *j = open_journal(false);
    check_records(j, 0);
    CHECK_INT(journal_verify(j, &report, &d), 0);
    printf("# %llu kills, %llu acknowledgements, %llu records, from %llu on still there\n",
           (unsigned long long)rounds, (unsigned long long)total,
           (unsigned long long)journal_size(j), (unsigned long long)journal_first(j));
    journal_close(j);
    CHECK(total > rounds);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    CHECK_INT(system(cmd), 0);
}
