/* The journal on a real disk: what is appended is found, proven, erased, dropped and verified. */
#include "base/err.h"
#include "journal/journal.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir_now[64];

__attribute__((destructor)) static void remove_folder(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir_now);
    if (dir_now[0] != 0 && system(cmd) != 0)
        printf("# cannot remove %s\n", dir_now);
}

/* A fresh folder a test, emptied at the next. */
static const char *folder(void)
{
    remove_folder();
    strcpy(dir_now, "/tmp/sild-journal-XXXXXX");
    if (mkdtemp(dir_now) == NULL)
        FAIL("no folder in /tmp");
    return dir_now;
}

static struct journal *open_with(const char *dir, uint64_t segment_bytes, bool read_only)
{
    struct journal_options o = {.segment_bytes = segment_bytes, .read_only = read_only};
    struct journal *j;
    struct diag d;
    if (journal_open(dir, &o, &j, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    return j;
}

/* Record i: its payload and id follow from the number. */
static struct slice payload_of(uint64_t i)
{
    static uint8_t p[300];
    size_t n = (size_t)(i * 37 % 280);
    for (size_t k = 0; k < n; k++)
        p[k] = (uint8_t)(i * 131 + k * 7);
    return slice_of(p, n);
}

static struct slice id_of(uint64_t i)
{
    static char id[32];
    snprintf(id, sizeof id, "id-%llu", (unsigned long long)(i % 100));
    return i % 5 == 0 ? SLICE_NONE : slice_str(id);
}

static void fill(struct journal *j, uint64_t n, uint64_t batch)
{
    struct diag d;
    uint64_t seq, from = journal_size(j);
    for (uint64_t i = from; i < from + n; i++) {
        if (journal_append(j, (uint16_t)(i % 7), (uint16_t)i, (int64_t)i * 1000, id_of(i),
                           payload_of(i), &seq, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
        CHECK_INT(seq, i);
        if ((i + 1) % batch == 0 && journal_sync(j, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
    }
    CHECK_INT(journal_sync(j, &d), 0);
    CHECK_INT(journal_durable(j), from + n);
}

static void same_record(const struct journal_record *r, uint64_t i)
{
    CHECK_INT(r->seq, i);
    CHECK_INT(r->type, i % 7);
    CHECK_INT(r->flags, (uint16_t)i);
    CHECK_INT(r->time_ms, i * 1000);
    CHECK(slice_eq(r->payload, payload_of(i)));
}

static void check_all(struct journal *j, uint64_t first, uint64_t size)
{
    struct buf b;
    struct journal_record r;
    struct diag d;
    CHECK_INT(journal_first(j), first);
    CHECK_INT(journal_size(j), size);
    buf_init(&b, 4096);
    for (uint64_t i = first; i < size; i++) {
        if (journal_read(j, i, &r, &b, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
        same_record(&r, i);
    }
    CHECK_INT(journal_read(j, size, &r, &b, &d), ERR_NOT_FOUND);
    buf_free(&b);
}

/* MTH of RFC 6962 2.1, as it is written there. */
static void mth(const struct merkle_hash *leaf, uint64_t n, struct merkle_hash *out)
{
    if (n == 0) {
        SHA256((const uint8_t *)"", 0, out->b);
        return;
    }
    if (n == 1) {
        *out = leaf[0];
        return;
    }
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    uint8_t node[65] = {1};
    struct merkle_hash l, r;
    mth(leaf, k, &l);
    mth(leaf + k, n - k, &r);
    memcpy(node + 1, l.b, 32);
    memcpy(node + 33, r.b, 32);
    SHA256(node, sizeof node, out->b);
}

/* Leaf hashes by OpenSSL alone, from salt and bytes as the journal hands them out. */
static struct merkle_hash *leaves_of(struct journal *j, uint64_t n)
{
    struct merkle_hash *h = calloc(n, sizeof *h);
    struct buf b;
    struct diag d;
    uint8_t all[1 + JOURNAL_SALT + 512];
    buf_init(&b, 480);
    for (uint64_t i = 0; i < n; i++) {
        all[0] = 0;
        CHECK_INT(journal_salt(j, i, all + 1, &d), 0);
        CHECK_INT(journal_raw(j, i, &b, &d), 0);
        memcpy(all + 1 + JOURNAL_SALT, b.p, b.n);
        SHA256(all, 1 + JOURNAL_SALT + b.n, h[i].b);
    }
    buf_free(&b);
    return h;
}

TEST(records_come_back_across_segments_and_reopening)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 4096, false);
    fill(j, 300, 7);
    check_all(j, 0, 300);
    journal_close(j);
    j = open_with(dir, 4096, false);
    CHECK_INT(journal_recovered(j)->cut_bytes, 0);
    check_all(j, 0, 300);
    fill(j, 200, 11);
    journal_close(j);
    j = open_with(dir, 4096, false);
    check_all(j, 0, 500);
    journal_close(j);
}

TEST(an_appended_record_is_read_before_it_is_synced)
{
    struct journal *j = open_with(folder(), 0, false);
    struct journal_record r;
    struct buf b;
    struct diag d;
    uint64_t seq;
    buf_init(&b, 1000);
    CHECK_INT(journal_append(j, 3, 4, 5, SLICE_LIT("x"), SLICE_LIT("hello"), &seq, &d), 0);
    CHECK_INT(journal_durable(j), 0);
    CHECK_INT(journal_size(j), 1);
    CHECK_INT(journal_read(j, 0, &r, &b, &d), 0);
    CHECK(slice_eq_str(r.payload, "hello"));
    struct merkle_hash root;
    CHECK_INT(journal_root(j, 1, &root, &d), ERR_NOT_FOUND);
    CHECK_INT(journal_sync(j, &d), 0);
    CHECK_INT(journal_root(j, 1, &root, &d), 0);
    buf_free(&b);
    journal_close(j);
}

TEST(roots_and_proofs_are_those_of_rfc6962)
{
    const char *dir = folder();
    enum { N = 700 };
    struct journal *j = open_with(dir, 16384, false);
    struct diag d;
    struct merkle_hash root, want, old, proof[MERKLE_DEPTH], leaf;
    size_t n;
    fill(j, N, 50);
    struct merkle_hash *h = leaves_of(j, N);
    for (uint64_t size = 0; size <= N; size++) {
        mth(h, size, &want);
        CHECK_INT(journal_root(j, size, &root, &d), 0);
        CHECK(memcmp(&root, &want, sizeof root) == 0);
    }
    for (uint64_t size = 1; size <= N; size += 41) {
        mth(h, size, &root);
        for (uint64_t i = 0; i < size; i += 13) {
            CHECK_INT(journal_leaf(j, i, &leaf, &d), 0);
            CHECK(memcmp(&leaf, &h[i], sizeof leaf) == 0);
            CHECK_INT(journal_inclusion(j, i, size, proof, &n, &d), 0);
            CHECK_INT(merkle_verify_inclusion(&h[i], i, size, proof, n, &root), 0);
        }
        for (uint64_t m = 1; m < size; m += 17) {
            mth(h, m, &old);
            CHECK_INT(journal_consistency(j, m, size, proof, &n, &d), 0);
            CHECK_INT(merkle_verify_consistency(m, &old, size, &root, proof, n), 0);
        }
    }
    free(h);
    journal_close(j);
}

TEST(records_are_found_by_id_newest_first)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 4096, false);
    struct diag d;
    uint64_t seqs[16];
    size_t n;
    fill(j, 450, 9);
    for (int again = 0; again < 3; again++) {
        CHECK_INT(journal_find(j, SLICE_LIT("id-42"), seqs, 16, &n, &d), 0);
        CHECK_INT(n, 5);
        for (size_t i = 0; i < n; i++)
            CHECK_INT(seqs[i], 442 - 100 * i);
        CHECK_INT(journal_find(j, SLICE_LIT("id-42"), seqs, 2, &n, &d), 0);
        CHECK_INT(n, 2);
        CHECK_INT(journal_find(j, SLICE_LIT("nobody"), seqs, 16, &n, &d), 0);
        CHECK_INT(n, 0);
        CHECK_INT(journal_find(j, SLICE_NONE, seqs, 16, &n, &d), 0);
        CHECK_INT(n, 0);
        journal_close(j);
        if (again == 1) { /* indexes are made again from the segments */
            char cmd[128];
            snprintf(cmd, sizeof cmd, "rm %s/*.idx", dir);
            CHECK_INT(system(cmd), 0);
        }
        j = open_with(dir, 4096, false);
    }
    journal_close(j);
}

TEST(one_id_for_all_records_costs_no_more)
{
    struct journal *j = open_with(folder(), 0, false);
    struct diag d;
    uint64_t seq, seqs[4];
    size_t n;
    for (int i = 0; i < 200000; i++)
        CHECK_INT(journal_append(j, 0, 0, 0, SLICE_LIT("same"), SLICE_NONE, &seq, &d), 0);
    CHECK_INT(journal_sync(j, &d), 0);
    CHECK_INT(journal_find(j, SLICE_LIT("same"), seqs, 4, &n, &d), 0);
    CHECK_INT(n, 4);
    CHECK_INT(seqs[0], 199999);
    journal_close(j);
}

struct seen {
    uint64_t next, stop;
};

static int see(void *ctx, const struct journal_record *r)
{
    struct seen *s = ctx;
    same_record(r, s->next);
    s->next++;
    return s->next == s->stop ? 77 : 0;
}

TEST(a_scan_gives_all_in_order_and_stops_when_told)
{
    struct journal *j = open_with(folder(), 4096, false);
    struct diag d;
    fill(j, 333, 10);
    for (uint64_t from = 0; from <= 333; from += 37) {
        struct seen s = {from, 0};
        CHECK_INT(journal_scan(j, from, see, &s, &d), 0);
        CHECK_INT(s.next, 333);
    }
    struct seen s = {100, 200};
    CHECK_INT(journal_scan(j, 100, see, &s, &d), 77);
    CHECK_INT(s.next, 200);
    journal_close(j);
}

TEST(largest_and_smallest_records)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 1 << 20, false);
    struct diag d;
    uint64_t seq;
    uint8_t *big = malloc(JOURNAL_RECORD_MAX + 1);
    memset(big, 0x5A, JOURNAL_RECORD_MAX + 1);
    char id[256];
    memset(id, 'i', sizeof id);
    CHECK_INT(
        journal_append(j, 0, 0, 0, SLICE_NONE, slice_of(big, JOURNAL_RECORD_MAX + 1), &seq, &d),
        ERR_TOO_LARGE);
    CHECK_INT(journal_append(j, 0, 0, 0, slice_of(id, 256), SLICE_NONE, &seq, &d), ERR_TOO_LARGE);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(journal_append(j, 0, 0, 0, slice_of(id, 255), slice_of(big, JOURNAL_RECORD_MAX),
                                 &seq, &d),
                  0);
        CHECK_INT(journal_append(j, 0xFFFF, 0xFFFF, -1, SLICE_NONE, SLICE_NONE, &seq, &d), 0);
    }
    CHECK_INT(journal_sync(j, &d), 0);
    journal_close(j);
    j = open_with(dir, 1 << 20, false);
    struct buf b;
    struct journal_record r;
    buf_init(&b, JOURNAL_RECORD_MAX + 64);
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_INT(journal_read(j, i, &r, &b, &d), 0);
        CHECK_INT(r.payload.n, i % 2 == 0 ? JOURNAL_RECORD_MAX : 0);
        CHECK(i % 2 == 1 || memcmp(r.payload.p, big, JOURNAL_RECORD_MAX) == 0);
        CHECK_INT(r.time_ms, i % 2 == 0 ? 0 : -1);
    }
    struct journal_report report;
    CHECK_INT(journal_verify(j, &report, &d), 0);
    CHECK_INT(report.records, 10);
    buf_free(&b);
    free(big);
    journal_close(j);
}

TEST(erased_salts_and_dropped_segments_change_no_root)
{
    const char *dir = folder();
    enum { N = 600 };
    struct journal *j = open_with(dir, 8192, false);
    struct diag d;
    struct merkle_hash root[N + 1], now, proof[N][MERKLE_DEPTH], again[MERKLE_DEPTH];
    size_t count[N], n;
    uint8_t salt[JOURNAL_SALT];
    struct journal_report report;
    fill(j, N, 20);
    for (uint64_t i = 0; i <= N; i++)
        CHECK_INT(journal_root(j, i, &root[i], &d), 0);
    for (uint64_t i = 0; i < N; i++)
        CHECK_INT(journal_inclusion(j, i, N, proof[i], &count[i], &d), 0);
    const uint64_t erased[] = {0, 3, 77, 299, N - 2, N - 1};
    for (size_t i = 0; i < ARRAY_LEN(erased); i++)
        CHECK_INT(journal_erase_salt(j, erased[i], &d), 0);
    CHECK_INT(journal_erase_salt(j, N, &d), ERR_NOT_FOUND);
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            CHECK_INT(journal_drop_before(j, 300, &d), 0);
        CHECK(round < 2 ? journal_first(j) == 0
                        : journal_first(j) > 200 && journal_first(j) <= 300);
        for (uint64_t i = 0; i <= N; i++) {
            CHECK_INT(journal_root(j, i, &now, &d), 0);
            CHECK(memcmp(&now, &root[i], sizeof now) == 0);
        }
        for (uint64_t i = 0; i < N; i++) {
            CHECK_INT(journal_inclusion(j, i, N, again, &n, &d), 0);
            CHECK_INT(n, count[i]);
            CHECK(memcmp(again, proof[i], n * sizeof again[0]) == 0);
        }
        CHECK_INT(journal_salt(j, N - 1, salt, &d), ERR_NOT_FOUND);
        CHECK_INT(journal_salt(j, N - 3, salt, &d), 0);
        if (journal_verify(j, &report, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
        uint64_t left = 0; /* those whose segment is still there */
        for (size_t i = 0; i < ARRAY_LEN(erased); i++)
            left += erased[i] >= journal_first(j);
        CHECK_INT(report.erased_salts, left);
        CHECK_INT(report.records, N);
        CHECK_INT(report.first, journal_first(j));
        CHECK(memcmp(&report.root, &root[N], sizeof now) == 0);
        journal_close(j);
        j = open_with(dir, 8192, false);
    }
    struct journal_record r;
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(journal_read(j, 10, &r, &b, &d), ERR_NOT_FOUND);
    buf_free(&b);
    check_all(j, journal_first(j), N);
    fill(j, 50, 5);
    CHECK_INT(journal_root(j, N, &now, &d), 0);
    CHECK(memcmp(&now, &root[N], sizeof now) == 0);
    journal_close(j);
}

TEST(lost_tiles_are_made_again_with_the_same_root)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 8192, false);
    struct diag d;
    struct merkle_hash root, again;
    struct journal_report report;
    char cmd[128];
    fill(j, 1000, 100);
    CHECK_INT(journal_root(j, 1000, &root, &d), 0);
    journal_close(j);
    snprintf(cmd, sizeof cmd, "rm -r %s/tiles", dir);
    CHECK_INT(system(cmd), 0);
    j = open_with(dir, 8192, false);
    CHECK(journal_recovered(j)->rehashed > 0);
    CHECK_INT(journal_root(j, 1000, &again, &d), 0);
    CHECK(memcmp(&root, &again, sizeof root) == 0);
    CHECK_INT(journal_verify(j, &report, &d), 0);
    CHECK_INT(journal_drop_before(j, 500, &d), 0);
    journal_close(j);
    snprintf(cmd, sizeof cmd, "rm %s/tiles/1", dir); /* from the leaves alone */
    CHECK_INT(system(cmd), 0);
    j = open_with(dir, 8192, false);
    CHECK_INT(journal_root(j, 1000, &again, &d), 0);
    CHECK(memcmp(&root, &again, sizeof root) == 0);
    journal_close(j);
    snprintf(cmd, sizeof cmd, "rm %s/tiles/0", dir); /* records are dropped: no way */
    CHECK_INT(system(cmd), 0);
    struct journal_options o = {.segment_bytes = 8192};
    CHECK_INT(journal_open(dir, &o, &j, &d), ERR_CORRUPT);
}

TEST(one_writer_at_a_time_and_readers_write_nothing)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 4096, false), *k;
    struct journal_options o = {.segment_bytes = 4096};
    struct diag d;
    uint64_t seq;
    CHECK_INT(journal_open(dir, &o, &k, &d), ERR_EXISTS);
    CHECK(k == NULL);
    k = open_with(dir, 0, true);
    CHECK_INT(journal_size(k), 0);
    CHECK_INT(journal_append(k, 0, 0, 0, SLICE_NONE, SLICE_NONE, &seq, &d), ERR_DENIED);
    CHECK_INT(journal_sync(k, &d), ERR_DENIED);
    CHECK_INT(journal_erase_salt(k, 0, &d), ERR_DENIED);
    CHECK_INT(journal_drop_before(k, 1, &d), ERR_DENIED);
    journal_close(k);
    journal_close(j);
    j = open_with(dir, 4096, false);
    journal_close(j);
    o.read_only = true;
    CHECK_INT(journal_open("/tmp/sild-no-such-folder", &o, &k, &d), ERR_NOT_FOUND);
}

TEST(a_reader_follows_the_writer_and_sees_what_is_durable)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 4096, false);
    struct journal *k = open_with(dir, 0, true);
    struct diag d;
    struct merkle_hash a, b;
    uint64_t seq, seqs[4];
    size_t n;
    for (int round = 0; round < 12; round++) {
        fill(j, 57, 8);
        CHECK_INT(journal_append(j, 0, 0, 0, SLICE_NONE, SLICE_NONE, &seq, &d), 0);
        if (journal_refresh(k, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
        CHECK_INT(journal_size(k), journal_durable(j));
        CHECK_INT(journal_root(k, journal_durable(j), &a, &d), 0);
        CHECK_INT(journal_root(j, journal_durable(j), &b, &d), 0);
        CHECK(memcmp(&a, &b, sizeof a) == 0);
        CHECK_INT(journal_sync(j, &d), 0);
        if (round == 6) {
            CHECK_INT(journal_drop_before(j, 100, &d), 0);
            CHECK(journal_first(j) > 0);
        }
    }
    CHECK_INT(journal_refresh(k, &d), 0);
    CHECK_INT(journal_first(k), journal_first(j));
    CHECK_INT(journal_find(k, SLICE_LIT("id-42"), seqs, 1, &n, &d), 0);
    CHECK_INT(n, 1);
    struct journal_report report;
    if (journal_verify(k, &report, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    CHECK_INT(report.records, journal_durable(j));
    CHECK_INT(report.tail_bytes, 0);
    journal_close(k);
    journal_close(j);
}

TEST(a_reader_that_lags_behind_dropped_segments_goes_on)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 4096, false);
    struct journal_report report;
    struct diag d;
    fill(j, 10, 8);
    struct journal *k = open_with(dir, 0, true);
    CHECK_INT(journal_size(k), 10);
    fill(j, 400, 8);
    CHECK_INT(journal_drop_before(j, 300, &d), 0);
    if (journal_refresh(k, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    CHECK(journal_first(j) > 200);
    check_all(k, journal_first(j), 410);
    CHECK_INT(journal_verify(k, &report, &d), 0);
    journal_close(k);
    journal_close(j);
}

static int add(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_APPEND);
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

static void cut(const char *dir, const char *name, long by)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(truncate(path, st.st_size - by), 0);
}

#define SEG0 "0000000000000000.seg"

TEST(a_torn_tail_is_cut_and_reported)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 0, false);
    fill(j, 20, 5);
    journal_close(j);
    CHECK_INT(add(dir, SEG0, "SJR1 and then the power went"), 0);
    struct journal *k = open_with(dir, 0, true); /* a reader leaves it alone */
    struct journal_report report;
    struct diag d;
    CHECK_INT(journal_size(k), 20);
    CHECK_INT(journal_verify(k, &report, &d), 0);
    CHECK_INT(report.tail_bytes, 28);
    journal_close(k);
    j = open_with(dir, 0, false);
    const struct journal_recovery *r = journal_recovered(j);
    CHECK_INT(r->cut_bytes, 28);
    CHECK_INT(r->cut_seq, 20);
    CHECK(strstr(r->text, SEG0 ": cut 28 bytes") != NULL);
    check_all(j, 0, 20);
    fill(j, 5, 5);
    journal_close(j);
    j = open_with(dir, 0, false);
    CHECK_INT(journal_recovered(j)->cut_bytes, 0);
    check_all(j, 0, 25);
    journal_close(j);
}

static off_t size_of(const char *dir, const char *name)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Who is killed leaves the zeros behind that were written for the next records. */
TEST(room_for_the_next_records_is_no_torn_tail)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 0, false);
    struct journal_report report;
    struct diag d;
    char command[400], copy[80];
    fill(j, 20, 5);
    off_t opened = size_of(dir, SEG0);
    snprintf(copy, sizeof copy, "%s/copy", dir);
    snprintf(command, sizeof command, "mkdir %s && cp -r %s/[!c]* %s/", copy, dir, copy);
    CHECK_INT(system(command), 0);
    journal_close(j);
    CHECK(size_of(dir, SEG0) < opened); /* an end in order gives the room back */
    CHECK_INT(size_of(copy, SEG0), opened);
    j = open_with(copy, 0, true);
    CHECK_INT(journal_verify(j, &report, &d), 0);
    CHECK_INT(report.records, 20);
    CHECK_INT(report.tail_bytes, 0);
    journal_close(j);
    j = open_with(copy, 0, false);
    CHECK_INT(journal_recovered(j)->cut_bytes, 0);
    CHECK_INT(journal_recovered(j)->text[0], 0);
    check_all(j, 0, 20);
    fill(j, 100, 3);
    journal_close(j);
    /* One byte among them is no room any more. */
    cut(copy, SEG0, -5000);
    CHECK_INT(add(copy, SEG0, "x"), 0);
    j = open_with(copy, 0, false);
    CHECK_INT(journal_recovered(j)->cut_bytes, 5001);
    check_all(j, 0, 120);
    journal_close(j);
    snprintf(command, sizeof command, "rm -r %s", copy);
    CHECK_INT(system(command), 0);
}

TEST(an_acknowledged_tail_that_is_missing_is_damage)
{
    const struct {
        const char *file;
        long by;
    } cases[] = {{SEG0, 1}, {SEG0, 40}, {SEG0, 600}, {"0000000000000000.salt", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *dir = folder();
        struct journal *j = open_with(dir, 0, false);
        struct diag d;
        fill(j, 20, 5);
        journal_close(j);
        cut(dir, cases[i].file, cases[i].by);
        CHECK_INT(journal_open(dir, NULL, &j, &d), ERR_CORRUPT);
        CHECK(strstr(d.where, cases[i].file) != NULL);
        CHECK(j == NULL);
    }
}

/* As after a power cut that kept the leaf hashes of the first batches only. */
static void forget_marks(const char *dir, uint64_t keep)
{
    char path[128];
    snprintf(path, sizeof path, "%s/head", dir);
    CHECK(unlink(path) == 0);
    snprintf(path, sizeof path, "%s/tiles/0", dir);
    CHECK_INT(truncate(path, (long)keep * 32), 0);
}

TEST(damage_before_a_later_batch_is_told_from_a_torn_batch)
{
    for (int later = 0; later < 2; later++) {
        const char *dir = folder();
        struct journal *j = open_with(dir, 0, false);
        struct diag d;
        char path[128];
        fill(j, 30, 10);
        journal_close(j);
        forget_marks(dir, 5);
        snprintf(path, sizeof path, "%s/%s", dir, SEG0);
        size_t n;
        unsigned char *p = test_file(path, &n);
        uint64_t want = later ? 15 : 25; /* a record of the second batch, of the last one */
        for (size_t at = 32; at < n; at++)
            if (memcmp(p + at, "SJR1", 4) == 0 && p[at + 12] == want)
                p[at + 30] ^= 4;
        FILE *f = fopen(path, "wb");
        CHECK(f != NULL && fwrite(p, 1, n, f) == n);
        fclose(f);
        free(p);
        if (later) {
            CHECK_INT(journal_open(dir, NULL, &j, &d), ERR_CORRUPT);
            CHECK(strstr(d.where, SEG0 " at offset") != NULL);
            continue;
        }
        j = open_with(dir, 0, false);
        CHECK_INT(journal_recovered(j)->cut_seq, 25);
        CHECK_INT(journal_recovered(j)->unproven, 20);
        check_all(j, 0, 25);
        journal_close(j);
    }
}

/* Every byte of every file, one at a time. */
static int check_flips(const char *dir, const char *copy, const char *sub, const char *name,
                       int *flips)
{
    char path[512], cmd[512];
    snprintf(cmd, sizeof cmd, "rm -rf %s && cp -r %s %s", copy, dir, copy);
    CHECK_INT(system(cmd), 0);
    snprintf(path, sizeof path, "%s/%s%s", copy, sub, name);
    int fd = open(path, O_RDWR), missed = 0;
    CHECK(fd >= 0);
    struct stat st;
    fstat(fd, &st);
    for (off_t at = 0; at < st.st_size; at++) {
        uint8_t was, now;
        CHECK(pread(fd, &was, 1, at) == 1);
        now = was ^ (uint8_t)(1u << at % 8);
        CHECK(pwrite(fd, &now, 1, at) == 1);
        struct journal_options o = {.segment_bytes = 2048, .read_only = true};
        struct journal *j;
        struct journal_report report;
        struct diag d = {0};
        int rc = journal_open(copy, &o, &j, &d);
        if (rc == 0)
            rc = journal_verify(j, &report, &d);
        journal_close(j);
        if (rc != ERR_CORRUPT) {
            printf("# %s%s at %ld: %s\n", sub, name, (long)at, err_name(rc));
            missed++;
        }
        ++*flips;
        CHECK(pwrite(fd, &was, 1, at) == 1);
    }
    close(fd);
    return missed;
}

static void flips_of(const char *dir, int *flips, int *missed)
{
    static const char *const subs[] = {"", "tiles/"};
    char path[512], copy[128];
    snprintf(copy, sizeof copy, "%s.copy", dir);
    for (size_t s = 0; s < ARRAY_LEN(subs); s++) {
        snprintf(path, sizeof path, "%s/%s", dir, subs[s]);
        DIR *folder_of = opendir(path);
        for (struct dirent *e; (e = readdir(folder_of)) != NULL;)
            if (e->d_type == DT_REG)
                *missed += check_flips(dir, copy, subs[s], e->d_name, flips);
        closedir(folder_of);
    }
    snprintf(path, sizeof path, "rm -rf %s", copy);
    CHECK_INT(system(path), 0);
}

TEST(verify_finds_every_flipped_byte_of_every_file)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 2048, false);
    struct diag d;
    int flips = 0, missed = 0;
    fill(j, 33, 3);
    journal_close(j);
    flips_of(dir, &flips, &missed);
    CHECK_INT(missed, 0);
    CHECK(flips > 10000);
    /* Salts erased and segments dropped: the hashes stand alone. */
    j = open_with(dir, 2048, false);
    CHECK_INT(journal_erase_salt(j, 32, &d), 0);
    CHECK_INT(journal_drop_before(j, 24, &d), 0);
    CHECK(journal_first(j) > 0);
    journal_close(j);
    flips_of(dir, &flips, &missed);
    CHECK_INT(missed, 0);
}

TEST(verify_finds_every_flipped_byte_of_the_upper_tiles)
{
    const char *dir = folder();
    char copy[128], cmd[256];
    struct journal *j = open_with(dir, 1 << 20, false);
    int flips = 0;
    fill(j, 600, 100);
    journal_close(j);
    snprintf(copy, sizeof copy, "%s.copy", dir);
    CHECK_INT(check_flips(dir, copy, "tiles/", "1", &flips), 0);
    CHECK_INT(flips, 64);
    snprintf(cmd, sizeof cmd, "rm -rf %s", copy);
    CHECK_INT(system(cmd), 0);
}

TEST(opening_for_writing_finds_a_flipped_byte_of_the_open_segment)
{
    const char *dir = folder();
    struct journal *j = open_with(dir, 0, false);
    char path[128];
    static const char *const files[] = {SEG0, "0000000000000000.salt", "tiles/0", "head"};
    fill(j, 12, 4);
    journal_close(j);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        int fd = open(path, O_RDWR);
        struct stat st;
        fstat(fd, &st);
        for (off_t at = 0; at < st.st_size; at++) {
            uint8_t was, now;
            struct diag d;
            CHECK(pread(fd, &was, 1, at) == 1);
            now = was ^ 0x10;
            CHECK(pwrite(fd, &now, 1, at) == 1);
            int rc = journal_open(dir, NULL, &j, &d);
            if (rc == 0 && now == 0 && at % MERKLE_HASH == MERKLE_HASH - 1) {
                /* A hash that ends in zero looks torn: then it is made whole again. */
                journal_close(j);
                CHECK(pread(fd, &now, 1, at) == 1);
                CHECK_INT(now, was);
                continue;
            }
            if (rc != ERR_CORRUPT)
                FAIL("%s at %ld", files[i], (long)at);
            CHECK(pwrite(fd, &was, 1, at) == 1);
        }
        close(fd);
    }
    j = open_with(dir, 0, false);
    check_all(j, 0, 12);
    journal_close(j);
}
