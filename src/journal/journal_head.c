/*
 * The file "head", little-endian:
 *
 *    0  8 bytes   "SJHEAD1" and a zero
 *    8  u64       size: records of the tree
 *   16  32 bytes  root of the tree over them
 *   48  u32       CRC-32C over the bytes 0-47
 *
 * Written when the hashes of all these records have been synced: before a segment closes, before a
 * salt is erased, and when the journal closes. It holds the tree fast where the records themselves
 * are gone, and says how many records had been acknowledged.
 */
#include "journal/journal_head.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"

#include <fcntl.h>
#include <string.h>

static const uint8_t MAGIC[8] = "SJHEAD1";

#define NAME "head"
#define BYTES 52
#define CRC_AT 48

int journal_head_read(const struct io_disk *k, struct journal_head *out, struct diag *d)
{
    struct io_file f;
    uint8_t raw[BYTES + 1];
    size_t got;
    int rc = io_open(k, NAME, O_RDONLY, &f, d);
    if (rc != 0)
        return rc;
    rc = io_read(&f, raw, sizeof raw, 0, &got, d);
    io_close(&f);
    if (rc != 0)
        return rc;
    if (got != BYTES || memcmp(raw, MAGIC, sizeof MAGIC) != 0 ||
        get_u32(raw + CRC_AT) != crc32c(0, slice_of(raw, CRC_AT))) {
        diag_set(d, ERR_CORRUPT, "the note of the tree's size and root is damaged");
        diag_where(d, "%s/%s", k->dir, NAME);
        return ERR_CORRUPT;
    }
    out->size = get_u64(raw + 8);
    memcpy(out->root.b, raw + 16, MERKLE_HASH);
    return 0;
}

int journal_head_write(const struct io_disk *k, const struct journal_head *h, struct diag *d)
{
    uint8_t raw[BYTES];
    memcpy(raw, MAGIC, sizeof MAGIC);
    put_u64(raw + 8, h->size);
    memcpy(raw + 16, h->root.b, MERKLE_HASH);
    put_u32(raw + CRC_AT, crc32c(0, slice_of(raw, CRC_AT)));
    return io_replace(k, NAME, slice_of(raw, sizeof raw), d);
}
