/*
 * Recovery of a segment from arbitrary bytes. The first byte chooses: with bit 0 the checksums,
 * sequences and the head are made right first (no fuzzer finds a CRC by itself), so that what lies
 * behind them is reached; bits 1-7 are how many records have a leaf hash, and so count as
 * acknowledged. A journal that opens must then hold together: all is read, verified, and the next
 * opening finds nothing to cut. Then the second byte damages what that journal left on the disk,
 * several segments, in one way (the table `damages`; 0: not at all), and it is opened again: what
 * can be made again must be, and nothing acknowledged may be missing from a journal that opens.
 */
#include "simdisk.h"

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALTS 2048
#define INPUT_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Head, sequences and checksums of as many records as the lengths lead to. */
static void repair(uint8_t *p, size_t n)
{
    if (n < 32)
        return;
    memcpy(p, "SJSEG1\n", 8);
    put_u64(p + 8, 0);
    put_u32(p + 28, crc32c(0, slice_of(p, 28)));
    uint64_t seq = 0;
    for (size_t at = 32; n - at >= 32; seq++) {
        uint32_t length = get_u32(p + at + 4);
        size_t size = 32 + (length >> 31) * 8 + (length & 0x7FFFFFFF);
        if (size > n - at)
            return;
        put_u64(p + at + 12, seq);
        uint32_t crc = crc32c(0, slice_of(p + at, 28));
        put_u32(p + at + 28, crc32c(crc, slice_of(p + at + 32, size - 32)));
        at += size;
    }
}

static int count(void *ctx, const struct journal_record *r)
{
    uint64_t *next = ctx;
    must(r->seq == (*next)++);
    return 0;
}

/* Reads all, appends, verifies. False when something is found to be damaged, which `whole` says
 * must not be. */
static bool use(struct journal *j, bool whole)
{
    struct journal_report report;
    struct journal_record r;
    struct buf b;
    struct diag d;
    uint64_t next = journal_first(j), seq, seqs[4];
    size_t found;
    bool good = journal_verify(j, &report, &d) == 0;
    must(good || !whole);
    buf_init(&b, INPUT_MAX + 64);
    for (uint64_t i = next; i < journal_size(j); i++) {
        int rc = journal_read(j, i, &r, &b, &d);
        must(rc == 0 ? r.seq == i : !good);
    }
    int rc = journal_scan(j, next, count, &next, &d);
    must(rc == 0 ? next == journal_size(j) : !good);
    must(journal_append(j, 1, 2, 3, SLICE_LIT("id"), SLICE_LIT("text"), &seq, &d) == 0);
    must(journal_sync(j, &d) == 0);
    if (good) {
        must(journal_find(j, SLICE_LIT("id"), seqs, 4, &found, &d) == 0 && found > 0);
        must(seqs[0] == seq);
        must(journal_verify(j, &report, &d) == 0 && report.records == seq + 1);
    }
    buf_free(&b);
    return good;
}

#define DIR_NAME "j/"
#define SEGMENT_BYTES 600

static struct journal *open_disk(struct simdisk *disk)
{
    struct journal_options o = {.io = &simdisk_io, .io_ctx = disk, .segment_bytes = SEGMENT_BYTES};
    struct journal *j = NULL;
    struct diag d = {0};
    if (journal_open("j", &o, &j, &d) != 0)
        must(d.code != 0 && d.text[0] != 0);
    return j;
}

/* Opens, uses, opens again; returns how many records there are, 0 when it does not open or
 * something is found to be damaged. */
static uint64_t open_and_use(struct simdisk *disk, bool whole)
{
    struct journal *j = open_disk(disk);
    if (j == NULL)
        return 0;
    bool good = use(j, whole);
    uint64_t size = journal_size(j);
    journal_close(j);
    if (!good)
        return 0;
    j = open_disk(disk);
    must(j != NULL && journal_size(j) == size && journal_recovered(j)->cut_bytes == 0);
    journal_close(j);
    return size;
}

/* --- damage to a journal of several segments --- */

struct site {
    struct simdisk *disk;
    uint64_t first[64]; /* of its segments */
    size_t n;
    unsigned where; /* 0 to 15 */
};

static void note(void *arg, const char *name)
{
    struct site *s = arg;
    struct slice text = slice_str(name);
    uint64_t first;
    if (text.n == 20 && slice_ends(text, ".seg") && s->n < 64 &&
        slice_hex64(slice_sub(text, 0, 16), &first))
        s->first[s->n++] = first;
}

static const char *file_of(const struct site *s, bool last, const char *kind)
{
    static char name[64];
    uint64_t first = s->first[0];
    for (size_t i = 0; i < s->n; i++)
        if ((s->first[i] > first) == last)
            first = s->first[i];
    snprintf(name, sizeof name, DIR_NAME "%016llx.%s", (unsigned long long)first, kind);
    return name;
}

static void shorten(const struct site *s, const char *path, size_t to)
{
    size_t n;
    const uint8_t *p = simdisk_get(s->disk, path, &n);
    if (p == NULL || to > n)
        return;
    uint8_t *copy = malloc(to + 1);
    must(copy != NULL);
    memcpy(copy, p, to);
    simdisk_put(s->disk, path, copy, to);
    free(copy);
}

static void cut(const struct site *s, const char *path)
{
    size_t n, less = s->where * 7 + 1;
    if (simdisk_get(s->disk, path, &n) != NULL && n >= less)
        shorten(s, path, n - less);
}

static void flip(const struct site *s, const char *path)
{
    size_t n;
    const uint8_t *p = simdisk_get(s->disk, path, &n);
    if (p == NULL || n == 0)
        return;
    uint8_t *copy = malloc(n);
    must(copy != NULL);
    memcpy(copy, p, n);
    copy[n * s->where / 16] ^= 1;
    simdisk_put(s->disk, path, copy, n);
    free(copy);
}

static void away(const struct site *s, const char *path)
{
    (void)!simdisk_io.unlink(s->disk, path);
}

static void none(const struct site *s)
{
    static const char *const strays[] = {"0000000000ffff00.salt", "0000000000000000.new",
                                         "head.new"};
    for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
        char path[64];
        snprintf(path, sizeof path, DIR_NAME "%s", strays[i]);
        simdisk_put(s->disk, path, "stray", 5);
    }
}

static void cut_hashes(const struct site *s)
{
    cut(s, DIR_NAME "tiles/0");
}

static void few_hashes(const struct site *s)
{
    shorten(s, DIR_NAME "tiles/0", s->where * MERKLE_HASH + s->where);
}

static void no_head(const struct site *s)
{
    away(s, DIR_NAME "head");
}

static void no_hashes(const struct site *s)
{
    away(s, DIR_NAME "tiles/0");
    if (s->where > 7)
        no_head(s);
}

static void flip_hash(const struct site *s)
{
    flip(s, DIR_NAME "tiles/0");
    if (s->where > 7)
        no_head(s);
}

static void flip_head(const struct site *s)
{
    flip(s, DIR_NAME "head");
}

static void cut_last(const struct site *s)
{
    cut(s, file_of(s, true, "seg"));
    if (s->where > 7) /* then the number of hashes alone says what was acknowledged */
        no_head(s);
}

static void begin_last(const struct site *s)
{
    shorten(s, file_of(s, true, "seg"), s->where * 3);
    no_head(s);
}

static void flip_last(const struct site *s)
{
    flip(s, file_of(s, true, "seg"));
}

static void flip_first(const struct site *s)
{
    flip(s, file_of(s, false, "seg"));
    few_hashes(s);
}

static void cut_first(const struct site *s)
{
    cut(s, file_of(s, false, "seg"));
    few_hashes(s);
}

static void no_first(const struct site *s)
{
    away(s, file_of(s, false, "seg"));
    few_hashes(s);
}

static void no_salts(const struct site *s)
{
    away(s, file_of(s, s->where > 7, "salt"));
    few_hashes(s);
}

static void cut_salts(const struct site *s)
{
    shorten(s, file_of(s, s->where > 7, "salt"), (s->where & 7) * 20);
    few_hashes(s);
}

static void no_segments(const struct site *s)
{
    for (size_t i = 0; i < s->n; i++) {
        char path[64];
        snprintf(path, sizeof path, DIR_NAME "%016llx.seg", (unsigned long long)s->first[i]);
        away(s, path);
    }
}

enum outcome {
    ANY,
    MENDS,   /* all is made again from what is left */
    NOTICED, /* it does not open, or is not verified */
};

static const struct damage {
    void (*now)(const struct site *s);
    enum outcome outcome;
} damages[16] = {
    {none, MENDS},      {cut_hashes, MENDS},  {few_hashes, MENDS},   {no_head, MENDS},
    {no_hashes, MENDS}, {flip_hash, ANY},     {flip_head, ANY},      {cut_last, NOTICED},
    {begin_last, ANY},  {flip_last, NOTICED}, {flip_first, NOTICED}, {cut_first, NOTICED},
    {no_first, ANY},    {no_salts, ANY},      {cut_salts, ANY},      {no_segments, NOTICED},
};

/* More records, so that there are several segments; the salt of one is erased when `erase`. */
static uint64_t grow(struct simdisk *disk, bool erase)
{
    static const uint8_t filler[150];
    struct journal *j = open_disk(disk);
    struct diag d;
    uint64_t seq;
    must(j != NULL);
    for (int i = 0; i < 12; i++) {
        struct slice text = slice_of(filler, (size_t)i * 11);
        must(journal_append(j, 1, 0, i, SLICE_LIT("grown"), text, &seq, &d) == 0);
        must(i % 3 != 0 || journal_sync(j, &d) == 0);
    }
    must(journal_sync(j, &d) == 0);
    must(!erase || journal_erase_salt(j, seq - 8, &d) == 0);
    journal_close(j);
    return seq + 1;
}

static void damage(struct simdisk *disk, uint8_t choice)
{
    const struct damage *dam = &damages[choice & 15];
    struct site s = {.disk = disk, .where = choice >> 4};
    bool erase = dam->now == few_hashes && s.where > 11;
    uint64_t size = grow(disk, erase);
    must(simdisk_io.list(disk, "j", note, &s) == 0 && s.n > 1);
    dam->now(&s);
    uint64_t found = open_and_use(disk, false);
    must(found == 0 ? dam->outcome != MENDS || erase : dam->outcome != NOTICED);
    must(found == 0 || dam->outcome != MENDS || found == size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t salts[SALTS * JOURNAL_SALT];
    if (n < 2 || n > INPUT_MAX)
        return 0;
    memset(salts, 0x5A, sizeof salts);
    uint8_t *segment = malloc(n);
    must(segment != NULL);
    memcpy(segment, p + 2, n - 2);
    if (p[0] & 1)
        repair(segment, n - 2);
    struct simdisk *disk = simdisk_new();
    simdisk_put(disk, DIR_NAME "0000000000000000.seg", segment, n - 2);
    simdisk_put(disk, DIR_NAME "0000000000000000.salt", salts, sizeof salts);
    /* Zeros: hashes whose length came to the disk and whose bytes did not. */
    memset(salts, 0, sizeof salts);
    simdisk_put(disk, DIR_NAME "tiles/0", salts, (size_t)(p[0] >> 1) * MERKLE_HASH);
    if (open_and_use(disk, true) > 0 && p[1] != 0)
        damage(disk, p[1]);
    simdisk_free(disk);
    free(segment);
    return 0;
}
