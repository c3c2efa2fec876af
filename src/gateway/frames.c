#include "gateway/frames.h"
#include "base/cursor.h"
#include "base/err.h"

#include <string.h>

void frames_put_refused(struct buf *b, const struct diag *d)
{
    wr_u16(b, (uint16_t)d->code);
    wr_var(b, slice_str(d->text));
}

int frames_get_refused(struct slice body, struct diag *d)
{
    struct rd r = rd_of(body);
    int code = rd_u16(&r);
    struct slice text = rd_var(&r, sizeof d->text);
    if (!rd_done(&r) || code == 0)
        return diag_set(d, ERR_INTERNAL, "a refusal that cannot be read");
    return diag_set(d, code, "%.*s", SLICE_ARG(text));
}

void frames_put_stamp(struct buf *b, const struct frames_stamp *s)
{
    wr_u32(b, s->n);
    for (uint32_t i = 0; i < s->n; i++) {
        wr_u64(b, s->seq[i]);
        buf_add(b, s->digest[i].b, 64);
    }
}

int frames_get_stamp(struct slice body, struct frames_stamp *out)
{
    struct rd r = rd_of(body);
    out->n = rd_u32(&r);
    if (out->n > FRAMES_STAMP_MAX)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < out->n; i++) {
        out->seq[i] = rd_u64(&r);
        struct slice s = rd_bytes(&r, 64);
        if (s.n != 64)
            return ERR_SYNTAX;
        out->digest[i] = (struct digest){.alg = DIGEST_SHA512, .n = 64};
        memcpy(out->digest[i].b, s.p, 64);
    }
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}
