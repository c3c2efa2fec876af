#include "base/err.h"
#include "journal/journal_inner.h"

#include <inttypes.h>

/* The record's bytes from memory: it waits for the next sync. */
static int read_pending(const struct journal *j, uint64_t off, uint64_t end, struct buf *buf,
                        struct journal_record *out, struct diag *d)
{
    uint64_t id_hash;
    buf_reset(buf);
    buf_add(buf, j->pending.p + (off - j->open.bytes), (size_t)(end - off));
    if (buf->failed)
        return diag_set(d, ERR_TOO_LARGE, "the record takes %" PRIu64 " bytes", end - off);
    return journal_record_get(buf_view(buf), out, &id_hash, d);
}

/* Where a record is. */
struct place {
    const struct segment *segment;
    uint64_t off, end;
    bool pending;
};

static int find_place(struct journal *j, uint64_t seq, struct place *p, struct diag *d)
{
    struct index_look l = {.memory = &j->index};
    uint64_t bytes = j->open.bytes + j->pending.n;
    size_t at;
    int rc = journal_inner_locate(j, seq, &at, d);
    if (rc != 0)
        return rc;
    p->segment = &j->open;
    if (at < j->closed_count) {
        struct closed *c;
        rc = journal_closed_get(j, at, &c, d);
        if (rc != 0)
            return rc;
        l = journal_closed_look(c);
        bytes = c->segment.bytes;
        p->segment = &c->segment;
    }
    rc = index_place(&l, (uint32_t)(seq - p->segment->first), bytes, &p->off, &p->end, d);
    p->pending = at == j->closed_count && p->off >= j->open.bytes;
    return rc;
}

static int read_whole(struct journal *j, uint64_t seq, struct journal_record *out, struct buf *buf,
                      struct diag *d)
{
    struct place p;
    int rc = find_place(j, seq, &p, d);
    if (rc != 0)
        return rc;
    if (p.pending)
        return read_pending(j, p.off, p.end, buf, out, d);
    return segment_read(p.segment, p.off, p.end, seq, buf, out, d);
}

int journal_raw(struct journal *j, uint64_t seq, struct buf *buf, struct diag *d)
{
    struct journal_record r;
    return read_whole(j, seq, &r, buf, d);
}

int journal_read(struct journal *j, uint64_t seq, struct journal_record *out, struct buf *buf,
                 struct diag *d)
{
    int rc = read_whole(j, seq, out, buf, d);
    if (rc != 0)
        return rc;
    buf_drop(buf, buf->n - out->payload.n);
    out->payload = buf_view(buf);
    return 0;
}

/* Through its own descriptor: visit may append, and so close the segment that is open now. */
static int scan_segment(struct journal *j, uint64_t first, uint64_t from, uint64_t off,
                        uint64_t end, uint64_t until, journal_visit visit, void *ctx,
                        struct diag *d)
{
    struct segment s;
    struct segment_walk w;
    struct journal_record r;
    int rc = segment_open(&j->disk, first, true, &s, d);
    if (rc != 0)
        return rc == ERR_EOF ? ERR_CORRUPT : rc;
    segment_walk_init(&w, &s, off, from, end);
    while (rc == 0 && w.seq < until) {
        rc = segment_next(&w, &r, d);
        if (rc == ERR_EOF)
            rc = diag_set(d, ERR_CORRUPT, "segment %016" PRIx64 " ends before record %" PRIu64,
                          first, w.seq);
        if (rc == 0)
            rc = visit(ctx, &r);
    }
    segment_walk_free(&w);
    segment_close(&s);
    return rc;
}

int journal_scan(struct journal *j, uint64_t from, journal_visit visit, void *ctx, struct diag *d)
{
    if (from < journal_first(j))
        from = journal_first(j);
    uint64_t last = j->durable;
    while (from < last) {
        struct place p;
        size_t at;
        int rc = journal_inner_locate(j, from, &at, d);
        if (rc == 0)
            rc = find_place(j, from, &p, d);
        if (rc != 0)
            return rc;
        uint64_t until = at < j->closed_count ? journal_inner_end(j, at) : last;
        rc = scan_segment(j, p.segment->first, from, p.off, p.segment->bytes, until, visit, ctx, d);
        if (rc != 0)
            return rc;
        from = until;
    }
    return 0;
}

int journal_find(struct journal *j, struct slice id, uint64_t *seqs, size_t max, size_t *n,
                 struct diag *d)
{
    struct index_look l = {.memory = &j->index};
    uint64_t hash = journal_record_id(id);
    *n = 0;
    if (hash == 0)
        return 0;
    int rc = index_find(&l, hash, j->open.first, seqs, max, n, d);
    for (size_t at = j->closed_count; rc == 0 && at > 0 && *n < max; at--) {
        struct closed *c;
        rc = journal_closed_get(j, at - 1, &c, d);
        if (rc != 0)
            break;
        l = journal_closed_look(c);
        rc = index_find(&l, hash, c->first, seqs, max, n, d);
    }
    return rc;
}
