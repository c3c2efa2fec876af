/*
 * Durable appends a second: records of 1,000 bytes in batches of 1, 10, 100 and 1,000, one sync a
 * batch; the yardstick is a bare file that takes the same bytes with one write and one fdatasync a
 * batch. Then the opening of a journal whose open segment is large, beside reading that file.
 *
 * Usage: bench-journal [FOLDER [SECONDS]]; a line is: name value unit yardstick ratio.
 */
#include "journal/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 1000
#define RECORD (32 + 8 + PAYLOAD)
#define BATCH_MAX 1000
#define SLICE 0.1 /* seconds */

static char folder[256];
static uint8_t bytes[BATCH_MAX * RECORD];

static void die(const char *what)
{
    perror(what);
    exit(3);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void path_of(const char *name, char out[300])
{
    snprintf(out, 300, "%s/%s", folder, name);
}

/* A slice of time on the bare file; adds records and seconds. */
static void bare(int fd, unsigned batch, double slice, uint64_t *n, double *seconds)
{
    double start = now(), end = start;
    for (; end - start < slice; end = now(), *n += batch) {
        size_t len = (size_t)batch * RECORD;
        if (write(fd, bytes, len) != (ssize_t)len || fdatasync(fd) != 0)
            die("bare");
    }
    *seconds += end - start;
}

static void check(int rc, const struct diag *d)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %s\n", d->where, d->text);
    exit(3);
}

static void append(struct journal *j, unsigned batch)
{
    struct diag d;
    uint64_t seq;
    char id[40];
    for (unsigned i = 0; i < batch; i++) {
        int n = snprintf(id, sizeof id, "message-%llu", (unsigned long long)journal_size(j));
        check(journal_append(j, 1, 0, 0, slice_of(id, (size_t)n),
                             slice_of(bytes + (size_t)i * RECORD, PAYLOAD), &seq, &d),
              &d);
    }
    check(journal_sync(j, &d), &d);
}

static struct journal *open_journal(void)
{
    char path[300];
    struct journal *j;
    struct diag d;
    path_of("journal", path);
    check(journal_open(path, NULL, &j, &d), &d);
    return j;
}

static void remove_journal(void)
{
    char cmd[320];
    snprintf(cmd, sizeof cmd, "rm -rf '%s/journal'", folder);
    if (system(cmd) != 0)
        die(cmd);
}

/* The two take turns, so that both see the same disk. */
static void appends(unsigned batch, double seconds)
{
    char path[300];
    path_of("bare", path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die(path);
    struct journal *j = open_journal();
    uint64_t n[2] = {0, 0};
    double took[2] = {0, 0};
    while (took[0] < seconds) {
        bare(fd, batch, SLICE, &n[1], &took[1]);
        double start = now(), end = start;
        for (; end - start < SLICE; end = now(), n[0] += batch)
            append(j, batch);
        took[0] += end - start;
    }
    journal_close(j);
    remove_journal();
    close(fd);
    unlink(path);
    double value = (double)n[0] / took[0], yardstick = (double)n[1] / took[1];
    printf("journal-append-%u %.0f records/s %.0f %.2f\n", batch, value, yardstick,
           value / yardstick);
    fflush(stdout);
}

/* records: thousands. */
static void recovery(int records)
{
    char path[300];
    struct journal *j = open_journal();
    for (int i = 0; i < records; i++)
        append(j, BATCH_MAX);
    journal_close(j);
    path_of("journal/0000000000000000.seg", path);
    int fd = open(path, O_RDONLY);
    double start = now();
    ssize_t n, all = 0;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        all += n;
    double plain = now() - start;
    close(fd);
    start = now();
    j = open_journal();
    double opened = now() - start;
    journal_close(j);
    remove_journal();
    double mb = (double)all / 1e6;
    printf("journal-recovery %.0f MB/s %.0f %.2f\n", mb / opened, mb / plain, plain / opened);
}

int main(int argc, char **argv)
{
    static const unsigned batches[] = {1, 10, 100, 1000};
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    snprintf(folder, sizeof folder, "%s/bench-journal-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(folder) == NULL)
        die(folder);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        appends(batches[i], seconds);
    recovery(seconds < 1 ? 20 : 200);
    return rmdir(folder) == 0 ? 0 : 3;
}
