#include "gateway/mlog.h"
#include "base/cursor.h"
#include "base/err.h"
#include "gateway/facts.h"
#include "gateway/frames.h"
#include "gateway/pieces.h"
#include "gateway/seal.h"
#include "gateway/snapshot.h"
#include "proc/ipc.h"
#include "proc/report.h"
#include "submit/submit_frames.h"
#include "submit/submitter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define WAITING_MAX 8192
#define LOOK_MS 10000      /* so often the disk's free space is looked at */
#define LOOK_BUSY_MS 250   /* the same while messages come */
#define RETRY_SYNC_MS 1000 /* so often a full disk is tried again */

/* A record that waits for the sync that covers it. */
struct waiting {
    struct ipc *line;
    uint64_t id, seq;
    struct digest hash;
};

/* The documents that a worker sent last (record_slot). */
struct slots {
    struct buf document[RECORD_SLOTS];
    struct digest hash[RECORD_SLOTS];
};

struct mlog {
    struct loop *loop;
    char dir[2100]; /* of the journal; large bodies are spooled there, too */
    struct journal *journal;
    struct snapshot *snap;
    struct ipc *worker[WORKERS_MAX];
    struct slots slots[WORKERS_MAX];
    struct blobs *blobs;
    struct pieces *pieces;
    struct stamping *stamping;
    struct submitter *submitter; /* NULL: no ledger is configured */
    struct waiting waiting[WAITING_MAX];
    size_t n;
    bool sync_due;
    bool failed; /* the journal refuses until a sync succeeds */
    struct loop_timer *look;
    int64_t looked_ms; /* monotonic */
    uint64_t free;     /* bytes of the disk, then */
    struct loop_timer *again;
    struct buf payload, answer, sealed;
};

static void refuse(struct mlog *m, struct ipc *line, uint64_t id, const struct diag *d)
{
    buf_reset(&m->answer);
    frames_put_refused(&m->answer, d);
    if (ipc_send(line, FRAME_REFUSED, 0, id, buf_view(&m->answer), -1, false) != 0)
        report(REPORT_ERROR, "log", "a refusal could not be sent to a worker");
}

static void sync_again(void *ctx);

/* All records so far are on the disk, or none that waits is acknowledged. Those stay in the journal
 * and are written by a later sync: they are stamped like the others. */
static void sync_now(void *ctx)
{
    struct mlog *m = ctx;
    struct diag d = {0};
    m->sync_due = false;
    int rc = m->n == 0 && !m->failed ? 0 : journal_sync(m->journal, &d);
    m->failed = rc != 0;
    facts_log(rc == 0, loop_wall_ms(m->loop), &d);
    for (size_t i = 0; i < m->n; i++) {
        struct waiting *w = &m->waiting[i];
        if (w->line == NULL)
            continue;
        if (rc != 0) {
            refuse(m, w->line, w->id, &d);
            continue;
        }
        buf_reset(&m->answer);
        wr_u64(&m->answer, w->seq);
        if (ipc_send(w->line, FRAME_LOGGED, 0, w->id, buf_view(&m->answer), -1, false) != 0)
            report(REPORT_ERROR, "log", "an acknowledgement could not be sent to a worker");
    }
    for (size_t i = 0; i < m->n; i++)
        stamping_add(m->stamping, m->waiting[i].seq, &m->waiting[i].hash);
    m->n = 0;
    if (rc == 0)
        return;
    report_diag(REPORT_ERROR, "log", NULL, &d);
    if (journal_is_broken(m->journal)) { /* the group starts anew, and with it the journal */
        loop_stop(m->loop);
    } else if (m->again == NULL) {
        m->again = loop_timer_start(m->loop, RETRY_SYNC_MS, sync_again, m);
    }
}

static void sync_again(void *ctx)
{
    struct mlog *m = ctx;
    m->again = NULL;
    if (m->failed)
        sync_now(m);
}

static void sync_soon(struct mlog *m)
{
    if (m->sync_due)
        return;
    m->sync_due = true;
    loop_defer(m->loop, sync_now, m);
}

/* A large body to be kept, from the worker's file. */
static int read_body(struct mlog *m, int fd, uint64_t size, struct buf *out, struct diag *d)
{
    if (m->snap == NULL || size > m->snap->conf.body_max)
        return diag_set(d, ERR_LOGGING_FAILED, "Message size exceeds maximum loggable size");
    uint8_t *p = buf_room(out, (size_t)size);
    uint64_t at = 0;
    while (p != NULL && at < size) {
        ssize_t n = pread(fd, p + at, (size_t)(size - at), (off_t)at);
        if (n <= 0)
            break;
        at += (uint64_t)n;
    }
    if (p == NULL || at < size)
        return diag_set(d, ERR_IO, "a large body cannot be read from its file");
    out->n += (size_t)size;
    return 0;
}

/* Replaces the plain body of the record by the sealed one. */
static int seal(struct mlog *m, struct record_message *r, int fd, struct diag *d)
{
    struct buf plain;
    struct slice body = r->sealed_body;
    int rc = 0;
    if (m->snap == NULL || m->snap->conf.log_owner.n == 0)
        return diag_set(d, ERR_MALFORMED_SERVER_CONF,
                        "a service keeps bodies, but [log] owner_key is not set");
    buf_init(&plain, JOURNAL_RECORD_MAX);
    if (fd >= 0) {
        rc = read_body(m, fd, r->body_size, &plain, d);
        body = buf_view(&plain);
    }
    buf_reset(&m->sealed);
    if (rc == 0)
        rc = seal_body(m->snap->conf.log_owner, body, &r->body_hash, &m->sealed, d);
    r->sealed_body = buf_view(&m->sealed);
    buf_wipe(&plain);
    return rc;
}

/* *seq is the record's as soon as the journal has it, also when what belongs to it then fails. */
static int append(struct mlog *m, struct record_message *r, uint64_t *seq, struct diag *d)
{
    uint64_t segment = journal_segment(m->journal);
    int rc =
        pieces_store(m->pieces, m->journal, r->signature, r->time_ms, r->piece, &r->n_pieces, d);
    if (rc != 0)
        return rc;
    buf_reset(&m->payload);
    record_message_put(&m->payload, r);
    if (m->payload.failed)
        return diag_set(d, ERR_TOO_LARGE, "a message record is over 16 MiB");
    rc = journal_append(m->journal, RECORD_MESSAGE, 0, r->time_ms, r->id, buf_view(&m->payload),
                        seq, d);
    if (rc == 0 && journal_segment(m->journal) != segment) /* the record went into the next one */
        rc = pieces_store(m->pieces, m->journal, r->signature, r->time_ms, r->piece, &r->n_pieces,
                          d);
    return rc;
}

/* Also before the first use. */
static void slots_empty(struct slots *s)
{
    for (size_t i = 0; i < RECORD_SLOTS; i++) {
        s->document[i].max = JOURNAL_RECORD_MAX;
        buf_free(&s->document[i]);
        s->hash[i].n = 0;
    }
}

static struct slots *slots_of(struct mlog *m, const struct ipc *line)
{
    size_t i = 0;
    while (i + 1 < WORKERS_MAX && m->worker[i] != line)
        i++;
    return &m->slots[i];
}

/* Puts the record's document into its slot, or takes it from there. */
static int share_document(struct slots *s, struct record_message *r, struct diag *d)
{
    struct buf *document = &s->document[record_slot(r)];
    struct digest *hash = &s->hash[record_slot(r)];
    if (r->signature.n > 0) {
        buf_reset(document);
        buf_slice(document, r->signature);
        *hash = r->signature_hash;
        if (document->failed)
            hash->n = 0;
        return 0;
    }
    if (hash->n == 0 || !digest_eq(hash, &r->signature_hash))
        return diag_set(d, ERR_INTERNAL, "a message record came without its signature");
    r->signature = buf_view(document);
    return 0;
}

static void look_at_disk(struct mlog *m)
{
    uint64_t least = m->snap == NULL ? 0 : m->snap->conf.min_free;
    m->free = facts_disk(m->dir, least, loop_wall_ms(m->loop));
    m->looked_ms = loop_mono_ms(m->loop);
}

/* A new exchange begins only while the disk has the room that is wanted of it: those on their way,
 * and the time-stamps, find some still. */
static int may_begin(struct mlog *m, const struct record_message *r, struct diag *d)
{
    if (r->response || m->snap == NULL)
        return 0;
    if (loop_mono_ms(m->loop) - m->looked_ms >= LOOK_BUSY_MS)
        look_at_disk(m);
    if (m->free >= m->snap->conf.min_free)
        return 0;
    return diag_set(d, ERR_DISK_FULL,
                    "no space for the message log: its disk has %llu MiB left, and min_free is "
                    "%llu MiB",
                    (unsigned long long)(m->free >> 20),
                    (unsigned long long)(m->snap->conf.min_free >> 20));
}

static int take_record(struct mlog *m, struct ipc *line, const struct ipc_frame *f, struct diag *d)
{
    struct record_message r;
    uint64_t seq = UINT64_MAX;
    int rc = record_message_get(f->body, &r, d);
    rc = rc != 0 ? rc : share_document(slots_of(m, line), &r, d);
    rc = rc != 0 ? rc : stamping_may_log(m->stamping, d);
    rc = rc != 0 ? rc : may_begin(m, &r, d);
    if (rc == 0 && r.id.n > 255)
        rc = diag_set(d, ERR_DATABASE, "X-Road-Id is longer than 255 bytes");
    if (rc == 0 && slice_find(r.id, 0) != SIZE_MAX)
        rc = diag_set(d, ERR_DATABASE, "X-Road-Id holds a zero byte");
    if (rc == 0 && r.body_kept)
        rc = seal(m, &r, f->fd, d);
    if (rc == 0 && m->n == WAITING_MAX)
        rc = diag_set(d, ERR_AGAIN, "the message log is overloaded");
    if (rc != 0)
        return rc;
    rc = append(m, &r, &seq, d);
    if (rc != 0) {
        line = NULL;      /* refused at once; a record that is there all the same gets its stamp */
        m->failed = true; /* try to get the journal going again at the end of this turn */
    }
    if (seq != UINT64_MAX)
        m->waiting[m->n++] = (struct waiting){line, f->id, seq, r.signature_hash};
    sync_soon(m);
    return rc;
}

/* An unlinked file below the log's folder, for a worker that may open none. */
static void give_spool(struct mlog *m, struct ipc *line, uint64_t id)
{
    struct diag d = {0};
    int fd = open(m->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        diag_set(&d, err_from_errno(errno), "no file for a large body: %s", strerror(errno));
        refuse(m, line, id, &d);
        return;
    }
    if (ipc_send(line, FRAME_SPOOL_IS, 0, id, SLICE_NONE, fd, true) != 0)
        close(fd);
}

static void on_worker_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct mlog *m = ctx;
    struct diag d = {0};
    if (f->type == FRAME_SPOOL) {
        give_spool(m, line, f->id);
    } else if (f->type == FRAME_LOG && take_record(m, line, f, &d) != 0) {
        tally_add(FACTS_LOG_REFUSED, 1);
        refuse(m, line, f->id, &d);
    }
    if (f->fd >= 0)
        close(f->fd);
}

static void on_worker_closed(void *ctx, struct ipc *line)
{
    struct mlog *m = ctx;
    for (size_t i = 0; i < m->n; i++)
        if (m->waiting[i].line == line)
            m->waiting[i].line = NULL;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (m->worker[i] == line)
            m->worker[i] = NULL;
    ipc_free(line);
}

static void take_snapshot(struct mlog *m, int fd)
{
    struct snapshot *s;
    struct diag d = {0};
    if (snapshot_open(fd, &s, &d) != 0) {
        report_diag(REPORT_ERROR, "snapshot", NULL, &d);
        return;
    }
    snapshot_unref(m->snap);
    m->snap = s;
    stamping_configure(m->stamping, s);
    look_at_disk(m);
}

/* From the agent, and about no time-stamp. */
static void on_agent_frame(void *ctx, const struct ipc_frame *f)
{
    struct mlog *m = ctx;
    if (f->type == FRAME_SNAPSHOT && f->fd >= 0) {
        take_snapshot(m, f->fd);
        return;
    }
    if (f->fd >= 0)
        close(f->fd);
    submitter_frame(m->submitter, f);
}

static void on_agent_line(void *ctx, struct ipc *line)
{
    struct mlog *m = ctx;
    submitter_agent(m->submitter, line);
}

void mlog_connect(struct mlog *m, const char *name, int fd)
{
    static const struct ipc_events worker_events = {.on_frame = on_worker_frame,
                                                    .on_close = on_worker_closed};
    if (strncmp(name, "agent", 5) == 0) {
        stamping_connect(m->stamping, fd);
        return;
    }
    if (strncmp(name, "key", 3) == 0) {
        submitter_key(m->submitter, fd);
        return;
    }
    int i = strncmp(name, "worker:", 7) == 0 ? atoi(name + 7) : 0;
    if (strncmp(name, "worker", 6) != 0 || i < 0 || i >= WORKERS_MAX) {
        close(fd);
        return;
    }
    if (m->worker[i] != NULL)
        on_worker_closed(m, m->worker[i]);
    slots_empty(&m->slots[i]);
    m->worker[i] = ipc_new(m->loop, fd, 0, &worker_events, m);
}

static void look_again(void *ctx)
{
    struct mlog *m = ctx;
    look_at_disk(m);
    m->look = loop_timer_start(m->loop, LOOK_MS, look_again, m);
}

void mlog_stamp(struct mlog *m, stamping_done done, void *ctx, uint64_t id)
{
    stamping_now(m->stamping, done, ctx, id);
}

void mlog_settle(struct mlog *m)
{
    sync_now(m);
}

bool mlog_is_broken(const struct mlog *m)
{
    return journal_is_broken(m->journal);
}

/* The journal, with a record that this process began. */
static int begin_journal(struct mlog *m, struct slice server, const struct journal_options *o,
                         struct diag *d)
{
    uint64_t seq;
    int rc = journal_open(m->dir, o, &m->journal, d);
    rc = rc != 0 ? rc
                 : journal_append(m->journal, RECORD_OPEN, 0, loop_wall_ms(m->loop), SLICE_NONE,
                                  server, &seq, d);
    return rc != 0 ? rc : journal_sync(m->journal, d);
}

static int begin(struct mlog *m, struct slice server, const struct journal_options *o,
                 struct diag *d)
{
    int rc = begin_journal(m, server, o, d);
    if (rc != 0)
        return rc;
    m->blobs = blobs_new();
    m->pieces = m->blobs == NULL ? NULL : pieces_new(m->blobs);
    const struct stamping_others others = {on_agent_frame, on_agent_line, m};
    m->stamping = stamping_new(m->loop, m->journal, &others);
    if (m->pieces == NULL || m->stamping == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the message log");
    return stamping_recover(m->stamping, d);
}

int mlog_new(struct loop *l, const char *dir, struct slice server, const struct journal_options *o,
             struct mlog **out, struct diag *d)
{
    struct mlog *m = calloc(1, sizeof *m);
    *out = NULL;
    if (m == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the message log");
    m->loop = l;
    snprintf(m->dir, sizeof m->dir, "%s", dir);
    buf_init(&m->payload, JOURNAL_RECORD_MAX);
    buf_init(&m->answer, 4096);
    buf_init(&m->sealed, JOURNAL_RECORD_MAX);
    int rc = begin(m, server, o, d);
    if (rc != 0) {
        mlog_free(m);
        return rc;
    }
    facts_log(true, loop_wall_ms(l), NULL);
    look_again(m);
    *out = m;
    return 0;
}

int mlog_submit(struct mlog *m, const char *dir, const struct submit_conf *conf, struct diag *d)
{
    return submitter_new(m->loop, m->journal, dir, conf, &m->submitter, d);
}

void mlog_free(struct mlog *m)
{
    if (m == NULL)
        return;
    loop_timer_cancel(m->look);
    loop_timer_cancel(m->again);
    stamping_free(m->stamping);
    submitter_free(m->submitter);
    pieces_free(m->pieces);
    blobs_free(m->blobs);
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        ipc_free(m->worker[i]);
        slots_empty(&m->slots[i]);
    }
    journal_close(m->journal);
    snapshot_unref(m->snap);
    buf_free(&m->payload);
    buf_free(&m->answer);
    buf_free(&m->sealed);
    free(m);
}
