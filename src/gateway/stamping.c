#include "gateway/stamping.h"
#include "base/err.h"
#include "gateway/facts.h"
#include "gateway/frames.h"
#include "proc/ipc.h"
#include "proc/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_MAX (1u << 24) /* records that may wait: three hours at 1,500 a second */
#define RETRY_MS 60000
#define WAITERS_MAX 16
#define DEFAULT_INTERVAL_MS 60000

struct item {
    uint64_t seq;
    int64_t since_ms; /* it waits since then, by the monotonic clock */
    uint8_t sha512[64];
};

struct waiter {
    stamping_done done;
    void *ctx;
    uint64_t id, until_seq; /* answered when everything below is stamped */
};

struct stamping {
    struct loop *loop;
    struct journal *journal;
    struct ipc *agent;
    struct stamping_others others;
    struct item *q; /* ring */
    size_t cap, head, n, in_flight;
    int64_t interval_ms, failure_ms;
    int64_t failing_since_ms; /* monotonic, perhaps before this process began */
    bool failing;
    bool configured, has_tsa, retry_only;
    struct loop_timer *timer;
    struct waiter waiter[WAITERS_MAX];
    size_t n_waiters;
    struct frames_stamp *frame;
    struct buf body;
};

static void attempt(struct stamping *s);

struct stamping *stamping_new(struct loop *l, struct journal *j, const struct stamping_others *o)
{
    struct stamping *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->loop = l;
    s->journal = j;
    s->others = *o;
    s->interval_ms = DEFAULT_INTERVAL_MS;
    s->frame = malloc(sizeof *s->frame);
    buf_init(&s->body, JOURNAL_RECORD_MAX);
    if (s->frame == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void stamping_free(struct stamping *s)
{
    if (s == NULL)
        return;
    loop_timer_cancel(s->timer);
    ipc_free(s->agent);
    buf_free(&s->body);
    free(s->frame);
    free(s->q);
    free(s);
}

static struct item *at(const struct stamping *s, size_t i)
{
    return &s->q[(s->head + i) % s->cap];
}

static bool grow(struct stamping *s)
{
    size_t cap = s->cap == 0 ? 1024 : s->cap * 2;
    struct item *q = cap > QUEUE_MAX ? NULL : malloc(cap * sizeof *q);
    if (q == NULL)
        return false;
    for (size_t i = 0; i < s->n; i++)
        q[i] = *at(s, i);
    free(s->q);
    s->q = q;
    s->cap = cap;
    s->head = 0;
    return true;
}

/* The facts are told by the wall clock, as people read it. */
static uint64_t on_wall(const struct stamping *s, int64_t mono_ms)
{
    return (uint64_t)(loop_wall_ms(s->loop) - (loop_mono_ms(s->loop) - mono_ms));
}

static void show(const struct stamping *s)
{
    tally_set(FACTS_STAMP_QUEUE, s->n);
    tally_set(FACTS_STAMP_OLDEST, s->n == 0 ? 0 : on_wall(s, at(s, 0)->since_ms));
    tally_set(FACTS_STAMP_FAILING, s->failing ? on_wall(s, s->failing_since_ms) : 0);
}

static void push(struct stamping *s, uint64_t seq, int64_t since_ms, const uint8_t sha512[64])
{
    if (s->n == s->cap && !grow(s)) {
        report(REPORT_ERROR, "stamping", "the queue of records to be stamped is full");
        return; /* found again at the next start */
    }
    struct item *i = at(s, s->n++);
    i->seq = seq;
    i->since_ms = since_ms;
    memcpy(i->sha512, sha512, 64);
    show(s);
}

static void on_timer(void *ctx)
{
    struct stamping *s = ctx;
    s->timer = NULL;
    attempt(s);
}

static void schedule(struct stamping *s, int64_t ms)
{
    if (s->timer == NULL)
        s->timer = loop_timer_start(s->loop, ms, on_timer, s);
}

/* The next round begins when it is full, so that rounds under load are spread over the interval and
 * do not come one after the other at its end; or when its oldest record has waited for long enough.
 */
static void plan(struct stamping *s)
{
    int64_t due = at(s, 0)->since_ms + s->interval_ms - loop_mono_ms(s->loop);
    if (s->n >= FRAMES_STAMP_MAX && !s->failing) {
        loop_timer_cancel(s->timer);
        s->timer = NULL;
        due = 0;
    }
    schedule(s, due);
}

void stamping_add(struct stamping *s, uint64_t seq, const struct digest *hash)
{
    push(s, seq, loop_mono_ms(s->loop), hash->b);
    if (s->in_flight == 0 && (s->timer == NULL || s->n == FRAMES_STAMP_MAX))
        plan(s);
}

int stamping_may_log(const struct stamping *s, struct diag *d)
{
    if (!s->configured || !s->has_tsa)
        return diag_set(d, ERR_MLOG_NO_TSP,
                        "Cannot time-stamp messages: no timestamping services configured");
    if (s->failing && s->failure_ms != 0 &&
        loop_mono_ms(s->loop) - s->failing_since_ms > s->failure_ms)
        return diag_set(d, ERR_TIMESTAMPING_FAILED,
                        "Cannot time-stamp messages: no time-stamping authority has answered for "
                        "longer than allowed");
    return 0;
}

/* --- waiters --- */

static void answer_waiters(struct stamping *s, const struct diag *why)
{
    struct waiter due[WAITERS_MAX];
    size_t n = 0, keep = 0;
    uint64_t first = s->n == 0 ? UINT64_MAX : at(s, 0)->seq;
    for (size_t i = 0; i < s->n_waiters; i++) {
        if (why != NULL || s->waiter[i].until_seq <= first)
            due[n++] = s->waiter[i];
        else
            s->waiter[keep++] = s->waiter[i];
    }
    s->n_waiters = keep;
    for (size_t i = 0; i < n; i++)
        due[i].done(due[i].ctx, due[i].id, why);
}

void stamping_now(struct stamping *s, stamping_done done, void *ctx, uint64_t id)
{
    struct diag d = {0};
    if (s->n == 0) {
        done(ctx, id, NULL);
        return;
    }
    if (s->agent == NULL || s->n_waiters == WAITERS_MAX) {
        diag_set(&d, ERR_TIMESTAMPING_FAILED, "time-stamps cannot be asked for now");
        done(ctx, id, &d);
        return;
    }
    s->waiter[s->n_waiters++] = (struct waiter){done, ctx, id, at(s, s->n - 1)->seq + 1};
    s->retry_only = false;
    attempt(s);
}

/* --- a round --- */

static void failed(struct stamping *s, const struct diag *why)
{
    int64_t now = loop_mono_ms(s->loop);
    s->in_flight = 0;
    report_diag(REPORT_WARN, "stamping", NULL, why);
    /* The oldest record should have been stamped one interval after it was made: that moment
     * survives a restart, the first failed attempt does not. */
    int64_t due = s->n == 0 ? now : at(s, 0)->since_ms + s->interval_ms;
    if (!s->failing)
        s->failing_since_ms = due < now ? due : now;
    s->failing = true;
    tally_add(FACTS_STAMP_FAILURES, 1);
    tally_text(FACTS_TEXT_STAMP, slice_str(why->text));
    show(s);
    s->retry_only = true;
    answer_waiters(s, why);
    schedule(s, s->interval_ms < RETRY_MS ? s->interval_ms : RETRY_MS);
}

static void attempt(struct stamping *s)
{
    if (s->in_flight > 0 || s->n == 0 || s->agent == NULL)
        return;
    size_t n = s->retry_only ? 1 : s->n < FRAMES_STAMP_MAX ? s->n : FRAMES_STAMP_MAX;
    s->frame->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        s->frame->seq[i] = at(s, i)->seq;
        s->frame->digest[i] = (struct digest){.alg = DIGEST_SHA512, .n = 64};
        memcpy(s->frame->digest[i].b, at(s, i)->sha512, 64);
    }
    buf_reset(&s->body);
    frames_put_stamp(&s->body, s->frame);
    s->in_flight = n;
    if (ipc_send(s->agent, FRAME_STAMP, 0, s->frame->seq[0], buf_view(&s->body), -1, false) != 0) {
        struct diag d = {0};
        diag_set(&d, ERR_TIMESTAMPING_FAILED, "the agent takes no request");
        failed(s, &d);
    }
}

static void stamped(struct stamping *s, struct slice record)
{
    struct diag d = {0};
    uint64_t seq;
    int rc = journal_append(s->journal, RECORD_STAMP, 0, loop_wall_ms(s->loop), SLICE_NONE, record,
                            &seq, &d);
    rc = rc != 0 ? rc : journal_sync(s->journal, &d);
    if (rc != 0) {
        failed(s, &d);
        return;
    }
    s->head = (s->head + s->in_flight) % s->cap;
    s->n -= s->in_flight;
    bool more = s->retry_only || s->n_waiters > 0;
    s->in_flight = 0;
    s->failing = false;
    tally_add(FACTS_STAMPS, 1);
    tally_set(FACTS_STAMP_LAST, (uint64_t)loop_wall_ms(s->loop));
    show(s);
    s->retry_only = false;
    answer_waiters(s, NULL);
    if (s->n == 0)
        return;
    if (more)
        attempt(s);
    else
        plan(s);
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct stamping *s = ctx;
    struct diag d = {0};
    (void)c;
    if (f->type != FRAME_STAMPED && f->type != FRAME_REFUSED) {
        s->others.on_frame(s->others.ctx, f);
        return;
    }
    if (f->fd >= 0)
        close(f->fd);
    if (s->in_flight == 0 || f->id != at(s, 0)->seq)
        return; /* an answer to a question of before a restart of the agent */
    if (f->type == FRAME_STAMPED) {
        stamped(s, f->body);
    } else if (f->type == FRAME_REFUSED) {
        frames_get_refused(f->body, &d);
        failed(s, &d);
    }
}

static void on_close(void *ctx, struct ipc *c)
{
    struct stamping *s = ctx;
    struct diag d = {0};
    s->agent = NULL;
    s->others.on_line(s->others.ctx, NULL);
    ipc_free(c);
    if (s->in_flight == 0)
        return;
    diag_set(&d, ERR_TIMESTAMPING_FAILED, "the agent ended while it was stamping");
    failed(s, &d);
}

void stamping_connect(struct stamping *s, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_close};
    ipc_free(s->agent);
    s->in_flight = 0;
    s->agent = ipc_new(s->loop, fd, 0, &ev, s);
    s->others.on_line(s->others.ctx, s->agent);
    if (s->n > 0)
        schedule(s, s->interval_ms);
}

void stamping_configure(struct stamping *s, const struct snapshot *snap)
{
    const struct serverconf *c = &snap->conf;
    int64_t by_gc = snap->gc == NULL ? 0 : globalconf_timestamping_ms(snap->gc);
    s->configured = true;
    s->has_tsa = c->n_tsas > 0;
    s->failure_ms = c->stamp_failure_ms;
    tally_set(FACTS_STAMP_NONE, !s->has_tsa);
    tally_set(FACTS_STAMP_LIMIT, (uint64_t)s->failure_ms);
    int64_t interval = c->stamp_interval_ms > 0 ? c->stamp_interval_ms
                       : by_gc > 0              ? by_gc
                                                : DEFAULT_INTERVAL_MS;
    if (interval == s->interval_ms)
        return;
    s->interval_ms = interval;
    if (s->timer != NULL) { /* set by another interval, perhaps before any was known */
        loop_timer_cancel(s->timer);
        s->timer = NULL;
        schedule(s, interval);
    }
}

/* --- recovery --- */

/* The highest sequence that the newest stamp covers, plus one; 0 without any stamp. */
static int stamped_below(struct stamping *s, uint64_t *below, struct diag *d)
{
    struct buf payload;
    struct arena *a = arena_new(64u << 20);
    uint64_t seq = journal_size(s->journal), first = journal_first(s->journal);
    int rc = a == NULL ? diag_set(d, ERR_NOMEM, "no memory to read the log") : 0;
    *below = first;
    buf_init(&payload, JOURNAL_RECORD_MAX);
    while (rc == 0 && seq-- > first) {
        struct journal_record r;
        struct record_stamp st;
        rc = journal_read(s->journal, seq, &r, &payload, d);
        if (rc != 0 || r.type != RECORD_STAMP)
            continue;
        rc = record_stamp_get(a, r.payload, &st, d);
        if (rc == 0 && st.n > 0)
            *below = st.entry[st.n - 1].seq + 1;
        break;
    }
    buf_free(&payload);
    arena_free(a);
    return rc;
}

/* On the monotonic clock, which may jump no more than time does; the wall clock says how long ago
 * it was, as well as it can. */
static int64_t waiting_since(struct stamping *s, int64_t time_ms)
{
    int64_t ago = loop_wall_ms(s->loop) - time_ms;
    return loop_mono_ms(s->loop) - (ago > 0 ? ago : 0);
}

static int take(void *ctx, const struct journal_record *r)
{
    struct stamping *s = ctx;
    struct record_message m;
    if (r->type != RECORD_MESSAGE)
        return 0;
    int rc = record_message_get(r->payload, &m, NULL);
    if (rc == 0)
        push(s, r->seq, waiting_since(s, r->time_ms), m.signature_hash.b);
    return rc;
}

int stamping_recover(struct stamping *s, struct diag *d)
{
    uint64_t below;
    int rc = stamped_below(s, &below, d);
    return rc != 0 ? rc : journal_scan(s->journal, below, take, s, d);
}
