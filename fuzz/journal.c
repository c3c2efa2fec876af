/*
 * Recovery of a segment from arbitrary bytes. The first byte chooses: with bit 0 the checksums,
 * sequences and the head are made right first (no fuzzer finds a CRC by itself), so that what lies
 * behind them is reached; bits 1-7 are how many records have a leaf hash, and so count as
 * acknowledged. A journal that opens must then hold together: all is read, verified, and the next
 * opening finds nothing to cut.
 */
#include "simdisk.h"

#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"
#include "journal/journal.h"

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

static void use(struct journal *j)
{
    struct journal_report report;
    struct journal_record r;
    struct buf b;
    struct diag d;
    uint64_t next = 0, seq, seqs[4];
    size_t found;
    buf_init(&b, INPUT_MAX + 64);
    for (uint64_t i = 0; i < journal_size(j); i++)
        must(journal_read(j, i, &r, &b, &d) == 0 && r.seq == i);
    must(journal_scan(j, 0, count, &next, &d) == 0 && next == journal_size(j));
    must(journal_append(j, 1, 2, 3, SLICE_LIT("id"), SLICE_LIT("text"), &seq, &d) == 0);
    must(journal_sync(j, &d) == 0);
    must(journal_find(j, SLICE_LIT("id"), seqs, 4, &found, &d) == 0 && found > 0);
    must(seqs[0] == seq);
    must(journal_verify(j, &report, &d) == 0 && report.records == seq + 1);
    buf_free(&b);
}

/* Opens, uses, opens again; false when it does not open. */
static bool open_and_use(struct simdisk *disk)
{
    struct journal_options o = {.io = &simdisk_io, .io_ctx = disk};
    struct journal *j;
    struct diag d;
    if (journal_open("j", &o, &j, &d) != 0)
        return false;
    use(j);
    uint64_t size = journal_size(j);
    journal_close(j);
    must(journal_open("j", &o, &j, &d) == 0);
    must(journal_size(j) == size && journal_recovered(j)->cut_bytes == 0);
    journal_close(j);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t salts[SALTS * JOURNAL_SALT];
    if (n < 1 || n > INPUT_MAX)
        return 0;
    memset(salts, 0x5A, sizeof salts);
    uint8_t *segment = malloc(n);
    must(segment != NULL);
    memcpy(segment, p + 1, n - 1);
    if (p[0] & 1)
        repair(segment, n - 1);
    struct simdisk *disk = simdisk_new();
    simdisk_put(disk, "j/0000000000000000.seg", segment, n - 1);
    simdisk_put(disk, "j/0000000000000000.salt", salts, sizeof salts);
    /* Zeros: hashes whose length came to the disk and whose bytes did not. */
    memset(salts, 0, sizeof salts);
    simdisk_put(disk, "j/tiles/0", salts, (size_t)(p[0] >> 1) * MERKLE_HASH);
    open_and_use(disk);
    simdisk_free(disk);
    free(segment);
    return 0;
}
