#include "submit/submit_frames.h"
#include "base/cursor.h"
#include "base/err.h"
#include "journal/heads.h"

void submit_frames_put(struct buf *b, const struct submit_answer *a)
{
    wr_u32(b, a->status);
    wr_var(b, a->text);
}

int submit_frames_get(struct slice body, struct submit_answer *out)
{
    struct rd r = rd_of(body);
    out->status = rd_u32(&r);
    out->text = rd_var(&r, HEADS_ANSWER_MAX);
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}
