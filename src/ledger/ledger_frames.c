#include "ledger/ledger_frames.h"
#include "base/cursor.h"
#include "base/err.h"

#include <string.h>

void ledger_frames_put_head(struct buf *b, const struct ledger_submission *s)
{
    wr_u8(b, (uint8_t)s->kind);
    wr_u8(b, s->is_private);
    buf_add(b, s->salt, ENTRY_SALT);
    wr_u64(b, s->old);
    wr_var(b, s->entry);
    ledger_frames_put_hashes(b, s->proof, s->n);
}

int ledger_frames_get_head(struct slice body, struct ledger_submission *out)
{
    struct merkle_hash h[MERKLE_DEPTH];
    struct rd r = rd_of(body);
    memset(out, 0, sizeof *out);
    uint8_t kind = rd_u8(&r);
    out->is_private = rd_u8(&r) != 0;
    struct slice salt = rd_bytes(&r, ENTRY_SALT);
    out->old = rd_u64(&r);
    out->entry = rd_var(&r, ENTRY_MAX);
    if (r.bad || kind > ENTRY_AGGREGATE ||
        ledger_frames_get_hashes(rd_bytes(&r, rd_left(&r)), h, &out->n) != 0 ||
        out->n > PROOF_HASHES)
        return ERR_SYNTAX;
    out->kind = (enum entry_kind)kind;
    memcpy(out->salt, salt.p, ENTRY_SALT);
    memcpy(out->proof, h, out->n * sizeof h[0]);
    return 0;
}

void ledger_frames_put_hashes(struct buf *b, const struct merkle_hash *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add(b, h[i].b, MERKLE_HASH);
}

int ledger_frames_get_hashes(struct slice body, struct merkle_hash h[MERKLE_DEPTH], size_t *n)
{
    *n = body.n / MERKLE_HASH;
    if (body.n % MERKLE_HASH != 0 || *n > MERKLE_DEPTH)
        return ERR_SYNTAX;
    for (size_t i = 0; i < *n; i++)
        memcpy(h[i].b, body.p + i * MERKLE_HASH, MERKLE_HASH);
    return 0;
}
