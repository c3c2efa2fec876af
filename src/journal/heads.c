#include "journal/heads.h"
#include "base/err.h"
#include "journal/journal.h"

#include <stdlib.h>
#include <sys/stat.h>

#define ANSWER_RECORD 1
#define SEGMENT_BYTES (64u << 20)
#define ROOM 64 /* what journal_read wants beside the payload */

struct heads {
    struct journal *journal;
    uint64_t last; /* size of the last one */
    struct buf scratch;
};

bool heads_size(struct slice answer, uint64_t *size)
{
    struct slice line;
    return slice_next(&answer, '\n', &line) && slice_eq_str(line, "sild/answer@v1") &&
           slice_next(&answer, '\n', &line) && slice_next(&answer, '\n', &line) &&
           slice_next(&answer, '\n', &line) && slice_u64(line, size);
}

/* The size of record i's head; its answer stays in buf. */
static int size_at(struct heads *h, uint64_t i, struct buf *buf, uint64_t *size, struct diag *d)
{
    struct journal_record r;
    int rc = journal_read(h->journal, i, &r, buf, d);
    if (rc != 0)
        return rc;
    if (r.type != ANSWER_RECORD || !heads_size(r.payload, size))
        return diag_set(d, ERR_CORRUPT, "record %llu of the accepted heads is no answer",
                        (unsigned long long)i);
    return 0;
}

static int find_last(struct heads *h, struct diag *d)
{
    uint64_t n = journal_durable(h->journal);
    h->last = 0;
    return n == 0 ? 0 : size_at(h, n - 1, &h->scratch, &h->last, d);
}

int heads_open(const char *dir, bool read_only, struct heads **out, struct diag *d)
{
    const struct journal_options o = {.segment_bytes = SEGMENT_BYTES, .read_only = read_only};
    struct stat st;
    *out = NULL;
    if (read_only && stat(dir, &st) != 0)
        return diag_set(d, ERR_NOT_FOUND, "%s: no head was accepted here yet", dir);
    struct heads *h = calloc(1, sizeof *h);
    if (h == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the accepted heads");
    buf_init(&h->scratch, HEADS_ANSWER_MAX + ROOM);
    int rc = journal_open(dir, &o, &h->journal, d);
    rc = rc != 0 ? rc : find_last(h, d);
    if (rc != 0) {
        heads_close(h);
        return rc;
    }
    *out = h;
    return 0;
}

void heads_close(struct heads *h)
{
    if (h == NULL)
        return;
    journal_close(h->journal);
    buf_free(&h->scratch);
    free(h);
}

int heads_append(struct heads *h, int64_t time_ms, struct slice answer, struct diag *d)
{
    uint64_t size, seq;
    if (answer.n > HEADS_ANSWER_MAX || !heads_size(answer, &size) || size == 0)
        return diag_set(d, ERR_SYNTAX, "the ledger's answer is of another form");
    if (size == h->last)
        return 0;
    if (size < h->last)
        return diag_set(d, ERR_EXISTS, "a head of size %llu is kept already, and this one has %llu",
                        (unsigned long long)h->last, (unsigned long long)size);
    /* What an earlier sync could not write is still in the journal, and goes first. */
    int rc =
        journal_size(h->journal) > journal_durable(h->journal) ? journal_sync(h->journal, d) : 0;
    rc = rc != 0
             ? rc
             : journal_append(h->journal, ANSWER_RECORD, 0, time_ms, SLICE_NONE, answer, &seq, d);
    rc = rc != 0 ? rc : journal_sync(h->journal, d);
    if (rc == 0)
        h->last = size;
    return rc;
}

uint64_t heads_count(const struct heads *h)
{
    return journal_durable(h->journal);
}

uint64_t heads_last(const struct heads *h)
{
    return h->last;
}

int heads_find(struct heads *h, uint64_t seq, struct buf *answer, struct diag *d)
{
    uint64_t low = journal_first(h->journal), high = journal_durable(h->journal), size;
    const uint64_t end = high;
    struct journal_record r;
    while (low < high) { /* the first record whose size is over seq is in [low, high] */
        uint64_t mid = low + (high - low) / 2;
        int rc = size_at(h, mid, &h->scratch, &size, d);
        if (rc != 0)
            return rc;
        if (size > seq)
            high = mid;
        else
            low = mid + 1;
    }
    if (low == end)
        return diag_set(d, ERR_NOT_FOUND, "the ledger has accepted no head over record %llu yet",
                        (unsigned long long)seq);
    int rc = journal_read(h->journal, low, &r, &h->scratch, d);
    if (rc != 0)
        return rc;
    buf_reset(answer);
    buf_slice(answer, r.payload);
    return answer->failed ? diag_set(d, ERR_TOO_LARGE, "an accepted head does not fit") : 0;
}

int heads_refresh(struct heads *h, struct diag *d)
{
    int rc = journal_refresh(h->journal, d);
    return rc != 0 ? rc : find_last(h, d);
}
