#include "submit/prove.h"
#include "base/base64.h"
#include "base/err.h"
#include "tlog/chain.h"

#include <stdlib.h>
#include <string.h>

struct proof {
    struct chain chain;
    struct buf raw, record, answer;
};

static int fill(struct proof *p, struct journal *j, struct heads *h, uint64_t seq, struct diag *d)
{
    struct chain *c = &p->chain;
    uint64_t size = 0;
    int rc = heads_find(h, seq, &p->answer, d);
    if (rc == 0 && !heads_size(buf_view(&p->answer), &size))
        rc = diag_set(d, ERR_CORRUPT, "an accepted head is of another form");
    rc = rc != 0 ? rc : chain_answer_parse(buf_view(&p->answer), &c->answer, d);
    rc = rc != 0 ? rc : journal_raw(j, seq, &p->raw, d);
    rc = rc != 0 ? rc : journal_salt(j, seq, c->salt, d);
    rc = rc != 0 ? rc : journal_leaf(j, seq, &c->leaf, d);
    rc = rc != 0 ? rc : journal_inclusion(j, seq, size, c->journal.h, &c->journal.n, d);
    if (rc != 0)
        return rc;
    base64_append(&p->record, buf_view(&p->raw));
    c->has_record = true;
    c->record = buf_view(&p->record);
    c->journal.index = seq;
    return p->record.failed ? diag_set(d, ERR_TOO_LARGE, "the record is too large") : 0;
}

int prove_record(struct journal *j, struct heads *h, uint64_t seq, struct buf *out, struct diag *d)
{
    struct proof *p = calloc(1, sizeof *p);
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a proof");
    buf_init(&p->raw, JOURNAL_RECORD_MAX + 64);
    buf_init(&p->record, BASE64_LEN(JOURNAL_RECORD_MAX + 64));
    buf_init(&p->answer, HEADS_ANSWER_MAX);
    int rc = fill(p, j, h, seq, d);
    if (rc == 0)
        chain_print(&p->chain, out);
    if (rc == 0 && out->failed)
        rc = diag_set(d, ERR_TOO_LARGE, "the proof is too large");
    buf_free(&p->raw);
    buf_free(&p->record);
    buf_free(&p->answer);
    free(p);
    return rc;
}
