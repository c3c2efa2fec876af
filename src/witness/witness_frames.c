#include "witness/witness_frames.h"
#include "base/err.h"

#include <string.h>

void witness_frames_put_add(struct buf *b, const struct witness_add *a)
{
    wr_u64(b, a->old);
    wr_u8(b, (uint8_t)a->hashes);
    for (size_t i = 0; i < a->hashes; i++)
        buf_add(b, a->proof[i].b, MERKLE_HASH);
    wr_var(b, a->text);
    wr_var(b, a->lines);
}

int witness_frames_get_add(struct slice body, struct witness_add *out)
{
    struct rd r = rd_of(body);
    out->old = rd_u64(&r);
    out->hashes = rd_u8(&r);
    if (r.bad || out->hashes > WITNESS_PROOF_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < out->hashes; i++) {
        struct slice s = rd_bytes(&r, MERKLE_HASH);
        if (r.bad)
            return ERR_SYNTAX;
        memcpy(out->proof[i].b, s.p, MERKLE_HASH);
    }
    out->text = rd_var(&r, WITNESS_NOTE_MAX);
    out->lines = rd_var(&r, WITNESS_NOTE_MAX);
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}

void witness_frames_put_answer(struct buf *b, const struct witness_answer *a)
{
    wr_u16(b, (uint16_t)a->status);
    wr_u64(b, a->size);
    wr_var(b, a->text);
}

int witness_frames_get_answer(struct slice body, struct witness_answer *out)
{
    struct rd r = rd_of(body);
    out->status = rd_u16(&r);
    out->size = rd_u64(&r);
    out->text = rd_var(&r, 2 * WITNESS_NOTE_MAX);
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}

void witness_frames_put_row(struct buf *b, const struct witness_row *r)
{
    wr_var(b, r->origin);
    wr_u64(b, r->size);
    wr_u64(b, (uint64_t)r->time_s);
}

int witness_frames_get_row(struct rd *r, struct witness_row *out)
{
    out->origin = rd_var(r, WITNESS_NOTE_MAX);
    out->size = rd_u64(r);
    out->time_s = (int64_t)rd_u64(r);
    return r->bad ? ERR_SYNTAX : 0;
}
