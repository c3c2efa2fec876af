/*
 * A record, little-endian:
 *
 *    0  u32  magic: "SJR1", or the segment's batch mark (segment.c) when the record is the first of
 *            a batch, that is: when all records before it had been synced before it was written
 *    4  u32  bits 0-30: length of the payload, at most 16 MiB; bit 31: an id hash follows the
 * header 8  u16  type 10  u16  flags 12  u64  sequence 20  u64  time, milliseconds since 1970 28
 * u32  CRC-32C over the bytes 0-27, the id hash and the payload 32  u64  id hash, where bit 31 says
 * so: the first 8 bytes of the SHA-256 of the id …       payload
 *
 * The leaf hash covers all of these bytes behind the salt.
 */
#include "journal/journal_record.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/err.h"

#include <string.h>

#define HAS_ID 0x80000000u
#define ID_BYTES 8
#define CRC_AT 28

size_t journal_record_size(const struct journal_record *r, uint64_t id_hash)
{
    return JOURNAL_RECORD_HEADER + (id_hash != 0 ? ID_BYTES : 0) + r->payload.n;
}

static uint32_t checksum(const uint8_t *p, size_t n)
{
    uint32_t crc = crc32c(0, slice_of(p, CRC_AT));
    return crc32c(crc, slice_of(p + JOURNAL_RECORD_HEADER, n - JOURNAL_RECORD_HEADER));
}

void journal_record_put(uint8_t *p, uint32_t magic, const struct journal_record *r,
                        uint64_t id_hash)
{
    size_t head = JOURNAL_RECORD_HEADER;
    put_u32(p, magic);
    put_u32(p + 4, (uint32_t)r->payload.n | (id_hash != 0 ? HAS_ID : 0));
    put_u16(p + 8, r->type);
    put_u16(p + 10, r->flags);
    put_u64(p + 12, r->seq);
    put_u64(p + 20, (uint64_t)r->time_ms);
    if (id_hash != 0) {
        put_u64(p + head, id_hash);
        head += ID_BYTES;
    }
    if (r->payload.n > 0)
        memcpy(p + head, r->payload.p, r->payload.n);
    put_u32(p + CRC_AT, checksum(p, head + r->payload.n));
}

int journal_record_head(const uint8_t p[JOURNAL_RECORD_HEADER], uint32_t mark, size_t *size,
                        struct diag *d)
{
    uint32_t magic = get_u32(p), length = get_u32(p + 4);
    if (magic != JOURNAL_RECORD_MAGIC && magic != mark)
        return diag_set(d, ERR_CORRUPT, "no record begins here");
    if ((length & ~HAS_ID) > JOURNAL_RECORD_MAX)
        return diag_set(d, ERR_CORRUPT, "the record claims a length of %u bytes", length & ~HAS_ID);
    *size = JOURNAL_RECORD_HEADER + (length & HAS_ID ? ID_BYTES : 0) + (length & ~HAS_ID);
    return 0;
}

int journal_record_get(struct slice raw, struct journal_record *out, uint64_t *id_hash,
                       struct diag *d)
{
    const uint8_t *p = raw.p;
    size_t head = JOURNAL_RECORD_HEADER;
    if (get_u32(p + CRC_AT) != checksum(p, raw.n))
        return diag_set(d, ERR_CORRUPT, "the record's checksum is wrong");
    *out = (struct journal_record){
        .type = get_u16(p + 8),
        .flags = get_u16(p + 10),
        .seq = get_u64(p + 12),
        .time_ms = (int64_t)get_u64(p + 20),
    };
    *id_hash = 0;
    if (get_u32(p + 4) & HAS_ID) {
        *id_hash = get_u64(p + head);
        head += ID_BYTES;
    }
    out->payload = slice_from(raw, head);
    return 0;
}

uint64_t journal_record_id(struct slice id)
{
    if (id.n == 0)
        return 0;
    struct digest h;
    digest_of(DIGEST_SHA256, id, &h);
    uint64_t v = get_u64(h.b);
    return v != 0 ? v : 1;
}

void journal_record_leaf(struct digest_ctx *c, const uint8_t salt[JOURNAL_SALT], struct slice raw,
                         struct merkle_hash *out)
{
    uint8_t front[1 + JOURNAL_SALT] = {0}; /* the leaf prefix 0x00, then the salt */
    memcpy(front + 1, salt, JOURNAL_SALT);
    struct digest h;
    digest_begin(c, DIGEST_SHA256);
    digest_add(c, slice_of(front, sizeof front));
    digest_add(c, raw);
    digest_end(c, &h);
    memcpy(out->b, h.b, MERKLE_HASH);
}
