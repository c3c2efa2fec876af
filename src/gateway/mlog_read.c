#include "gateway/mlog_read.h"
#include "base/err.h"
#include "evidence/asic.h"
#include "gateway/blobs.h"
#include "gateway/seal.h"

#include <stdlib.h>

#define DOCUMENT_MAX (1u << 20)
#define FOUND_MAX 64

struct mlog_read {
    struct journal *j;
    struct buf payload;
};

int mlog_read_open(const char *folder, const struct journal_options *disk, struct mlog_read **out,
                   struct diag *d)
{
    struct journal_options o = disk == NULL ? (struct journal_options){0} : *disk;
    struct mlog_read *m = calloc(1, sizeof *m);
    if (m == NULL)
        return diag_set(d, ERR_NOMEM, "no memory to read a log");
    buf_init(&m->payload, JOURNAL_RECORD_MAX);
    o.read_only = true;
    int rc = journal_open(folder, &o, &m->j, d);
    if (rc != 0) {
        free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void mlog_read_close(struct mlog_read *m)
{
    if (m == NULL)
        return;
    journal_close(m->j);
    buf_free(&m->payload);
    free(m);
}

struct journal *mlog_read_journal(struct mlog_read *m)
{
    return m->j;
}

int mlog_read_refresh(struct mlog_read *m, struct diag *d)
{
    return journal_refresh(m->j, d);
}

/* Is the record at seq what is wanted? */
static bool fits(struct mlog_read *m, uint64_t seq, const struct mlog_read_want *w,
                 int64_t *time_ms)
{
    struct journal_record r;
    struct record_message msg;
    if (journal_read(m->j, seq, &r, &m->payload, NULL) != 0 || r.type != RECORD_MESSAGE ||
        record_message_get(r.payload, &msg, NULL) != 0)
        return false;
    *time_ms = msg.time_ms;
    return msg.side == w->side && msg.response == w->response &&
           (w->id.n == 0 || slice_eq(msg.id, w->id));
}

int mlog_read_find(struct mlog_read *m, const struct mlog_read_want *w, uint64_t *seq,
                   int64_t *time_ms, struct diag *d)
{
    uint64_t found[FOUND_MAX];
    size_t n = 0;
    if (w->id.n > 0) {
        int rc = journal_find(m->j, w->id, found, FOUND_MAX, &n, d);
        if (rc != 0)
            return rc;
        for (size_t i = 0; i < n; i++) {
            *seq = found[i];
            if (fits(m, *seq, w, time_ms))
                return 0;
        }
    } else {
        uint64_t first = journal_first(m->j);
        for (*seq = journal_durable(m->j); *seq > first;) {
            --*seq;
            if (fits(m, *seq, w, time_ms))
                return 0;
        }
    }
    return diag_set(d, ERR_MLOG_RECORD_NOT_FOUND, "no such message is in the log");
}

/* The document from its pieces. */
static int rebuild(struct mlog_read *m, struct arena *a, struct record_message *msg, struct diag *d)
{
    struct buf doc;
    struct digest dg;
    int rc = 0;
    buf_init(&doc, DOCUMENT_MAX);
    for (size_t i = 0; rc == 0 && i < msg->n_pieces; i++) {
        if (msg->piece[i].blob)
            rc = blobs_read(m->j, msg->piece[i].bytes, &doc, d);
        else
            buf_slice(&doc, msg->piece[i].bytes);
    }
    msg->signature = arena_dup(a, buf_view(&doc));
    digest_of(DIGEST_SHA512, buf_view(&doc), &dg);
    buf_free(&doc);
    if (rc == 0 && !digest_eq(&dg, &msg->signature_hash))
        rc = diag_set(d, ERR_CORRUPT, "a signature document does not have its recorded digest");
    return rc;
}

int mlog_read_message(struct mlog_read *m, uint64_t seq, struct arena *a,
                      struct record_message *out, struct diag *d)
{
    struct journal_record r;
    int rc = journal_read(m->j, seq, &r, &m->payload, d);
    if (rc != 0)
        return rc;
    if (r.type != RECORD_MESSAGE)
        return diag_set(d, ERR_MLOG_RECORD_NOT_FOUND, "record %llu is no message",
                        (unsigned long long)seq);
    struct slice payload = arena_dup(a, r.payload);
    if (arena_failed(a))
        return diag_set(d, ERR_NOMEM, "a message is too large to be read");
    rc = record_message_get(payload, out, d);
    return rc != 0 ? rc : rebuild(m, a, out, d);
}

struct stamp_search {
    uint64_t seq;
    struct arena *a;
    struct record_stamp *out;
    size_t *which;
    bool found;
};

static int look(void *ctx, const struct journal_record *r)
{
    struct stamp_search *s = ctx;
    struct record_stamp st;
    if (r->type != RECORD_STAMP)
        return 0;
    int rc = record_stamp_get(s->a, arena_dup(s->a, r->payload), &st, NULL);
    for (size_t i = 0; rc == 0 && i < st.n; i++) {
        if (st.entry[i].seq != s->seq)
            continue;
        *s->out = st;
        *s->which = i;
        s->found = true;
        return ERR_EXISTS; /* ends the scan */
    }
    return rc;
}

int mlog_read_stamp_chain(const struct record_stamp *s, size_t which, struct buf *result,
                          struct buf *chain, struct diag *d)
{
    struct digest *leaf = calloc(s->n, sizeof *leaf);
    if (leaf == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a time-stamp's tree");
    for (size_t i = 0; i < s->n; i++)
        leaf[i] = s->entry[i].hash;
    int rc = asic_timestamp_tree(leaf, s->n, which, result, chain);
    free(leaf);
    return rc == 0 ? 0 : diag_set(d, rc, "a time-stamp's tree cannot be rebuilt");
}

int mlog_read_stamp(struct mlog_read *m, uint64_t seq, struct arena *a, struct record_stamp *out,
                    size_t *which, struct diag *d)
{
    struct stamp_search s = {.seq = seq, .a = a, .out = out, .which = which};
    int rc = journal_scan(m->j, seq + 1, look, &s, d);
    if (s.found)
        return 0;
    return rc != 0 ? rc
                   : diag_set(d, ERR_NOT_FOUND, "Message signature has not been timestamped yet!");
}

int mlog_read_container(struct mlog_read *m, uint64_t seq, EVP_PKEY *owner, struct buf *out,
                        struct record_message *about, struct arena *a, struct diag *d)
{
    struct record_stamp st;
    struct buf body, result, chain;
    size_t which;
    int rc = mlog_read_message(m, seq, a, about, d);
    rc = rc != 0 ? rc : mlog_read_stamp(m, seq, a, &st, &which, d);
    if (rc != 0)
        return rc;
    buf_init(&body, JOURNAL_RECORD_MAX);
    buf_init(&result, DOCUMENT_MAX);
    buf_init(&chain, DOCUMENT_MAX);
    rc = mlog_read_stamp_chain(&st, which, &result, &chain, d);
    if (rc == 0 && about->body_kept && owner != NULL)
        rc = seal_open(owner, about->sealed_body, &about->body_hash, &body, d);
    struct asic_content c = {.message = about->head,
                             .signature = about->signature,
                             .result = about->result,
                             .chain = about->chain,
                             .ts_result = buf_view(&result),
                             .ts_chain = buf_view(&chain),
                             .timestamp = st.token,
                             .attachment = buf_view(&body),
                             .has_attachment = body.n > 0,
                             .time_ms = about->time_ms};
    rc = rc != 0 ? rc : asic_print(&c, out, d);
    buf_free(&body);
    buf_free(&result);
    buf_free(&chain);
    return rc;
}
