/*
 * Erasing a salt, dropping segments: both after the hashes that stand for what goes are durable.
 *
 * The file "erase" holds the intention while a salt is overwritten, so that an erasure that a crash
 * cut off in the middle is ended at the next start, little-endian:
 *
 *    0  8 bytes  "SJERAS1" and a zero
 *    8  u64      sequence of the record
 *   16  u32      CRC-32C over the bytes 0-15
 */
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"
#include "journal/journal_inner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static const uint8_t MAGIC[8] = "SJERAS1";

#define NAME "erase"
#define BYTES 20
#define CRC_AT 16

/* Ends an erasure whose intention is on disk. */
static int carry_out(struct journal *j, uint64_t seq, struct diag *d)
{
    int rc = 0;
    if (seq >= j->open.first) {
        rc = salts_erase(&j->salts, (uint32_t)(seq - j->open.first), d);
    } else if (seq >= journal_first(j)) {
        struct salts s;
        size_t at;
        for (at = j->closed_count - 1; j->closed[at] > seq; at--)
            ;
        rc = salts_open(&j->disk, j->closed[at], false, &s, d);
        if (rc != 0)
            return rc;
        rc = salts_erase(&s, (uint32_t)(seq - j->closed[at]), d);
        salts_close(&s);
    }
    if (rc == 0)
        rc = io_unlink(&j->disk, NAME, d);
    return rc == 0 ? io_sync_dir(&j->disk, "", d) : rc;
}

int journal_erase_resume(struct journal *j, struct diag *d)
{
    struct io_file f;
    uint8_t raw[BYTES + 1];
    size_t got;
    int rc = io_open(&j->disk, NAME, O_RDONLY, &f, NULL);
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : diag_set(d, rc, "cannot open %s/%s", j->disk.dir, NAME);
    rc = io_read(&f, raw, sizeof raw, 0, &got, d);
    io_close(&f);
    if (rc != 0)
        return rc;
    if (got != BYTES || memcmp(raw, MAGIC, sizeof MAGIC) != 0 ||
        get_u32(raw + CRC_AT) != crc32c(0, slice_of(raw, CRC_AT))) {
        diag_set(d, ERR_CORRUPT, "the note of an erasure under way is damaged");
        diag_where(d, "%s/%s", j->disk.dir, NAME);
        return ERR_CORRUPT;
    }
    return carry_out(j, get_u64(raw + 8), d);
}

int journal_erase_salt(struct journal *j, uint64_t seq, struct diag *d)
{
    size_t at;
    int rc = journal_sync(j, d);
    if (rc == 0)
        rc = journal_inner_locate(j, seq, &at, d);
    if (rc == 0)
        rc = journal_erase_resume(j, d); /* one that failed before */
    if (rc == 0 && seq >= j->head_size)
        rc = journal_inner_hold(j, d);
    if (rc != 0)
        return rc;
    uint8_t raw[BYTES];
    memcpy(raw, MAGIC, sizeof MAGIC);
    put_u64(raw + 8, seq);
    put_u32(raw + CRC_AT, crc32c(0, slice_of(raw, CRC_AT)));
    rc = io_replace(&j->disk, NAME, slice_of(raw, sizeof raw), d);
    return rc == 0 ? carry_out(j, seq, d) : rc;
}

/* The segment first: salts without records say nothing, records without salts look like damage. */
static int drop_oldest(struct journal *j, struct diag *d)
{
    static const char *const rest[] = {"salt", "idx"};
    char name[IO_NAME_MAX];
    uint64_t first = j->closed[0];
    journal_closed_forget(j, first, false);
    segment_name(first, "seg", name);
    int rc = io_unlink(&j->disk, name, d);
    if (rc == 0)
        rc = io_sync_dir(&j->disk, "", d);
    if (rc != 0)
        return rc;
    j->closed_count--;
    memmove(j->closed, j->closed + 1, j->closed_count * sizeof *j->closed);
    for (size_t i = 0; i < ARRAY_LEN(rest) && rc == 0; i++) {
        segment_name(first, rest[i], name);
        rc = io_unlink(&j->disk, name, d);
    }
    return rc == 0 ? io_sync_dir(&j->disk, "", d) : rc;
}

int journal_drop_before(struct journal *j, uint64_t seq, struct diag *d)
{
    int rc = journal_sync(j, d);
    while (rc == 0 && j->closed_count > 0 && journal_inner_end(j, 0) <= seq) {
        if (journal_inner_end(j, 0) > j->head_size)
            rc = journal_inner_hold(j, d);
        if (rc == 0)
            rc = drop_oldest(j, d);
    }
    return rc;
}
