/*
 * A log with two workers and an agent around it, on a disk in memory: the real log (gateway/mlog.h)
 * on its loop, the workers' real questions (gateway/ask.h), an agent that stamps, refuses or
 * dies, all over socketpairs as in a gateway; and what they were promised.
 */
#ifndef SILD_TESTS_FAULT_LOG_WORLD_H
#define SILD_TESTS_FAULT_LOG_WORLD_H

#include "log_messages.h"
#include "simdisk.h"

#include "base/base64.h"
#include "base/err.h"
#include "gateway/ask.h"
#include "gateway/facts.h"
#include "gateway/mlog.h"
#include "gateway/mlog_read.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define WORKERS 2
#define LOG_DIR MLOG_FOLDER
#define LOG_SERVER "ZZ/GOV/100/ss1"
#define SEGMENT (24u << 10)
#define RECORDS 1024   /* more than any course appends */
#define WATCH_MS 60000 /* nothing waits for so long */

enum sent { NOT_SENT, SENT, ACKED };
enum agent_does { STAMPS, STAMPS_LATE, REFUSES, DIES };

struct world;

/* A message on its way to the log. */
struct sending {
    struct world *w;
    size_t i; /* of log_messages() */
    int worker;
};

struct world {
    struct simdisk *disk;
    struct loop *loop;
    struct mlog *log; /* NULL: there is none */
    struct ask *worker[WORKERS];
    struct ipc *agent;
    struct loop_timer *watch;
    bool stop; /* the power is gone */
    bool bad;  /* something waited too long, or got an answer that is none */
    char what[160];
    /* what was sent and promised */
    struct sending sending[LOG_MESSAGES];
    enum sent sent[LOG_MESSAGES];
    bool stamped[LOG_MESSAGES], due[LOG_MESSAGES]; /* due: when the stamp that is asked comes */
    bool dropped[LOG_MESSAGES];                    /* with its segment */
    size_t next;                                   /* message */
    int open[WORKERS + 1];                         /* questions to the log; the last: to stamp */
    bool refused;                                  /* one of them was */
    enum agent_does agent_does;
    bool late; /* a stamp is due when all records are answered for */
    uint64_t late_id;
    uint64_t tokens;         /* stamps that were made */
    unsigned asked[RECORDS]; /* how often a stamp was asked for a record */
    struct frames_stamp frame;
};

static const struct journal_options *log_disk(struct world *w)
{
    static struct journal_options o;
    o = (struct journal_options){.segment_bytes = SEGMENT, .io = &simdisk_io, .io_ctx = w->disk};
    return &o;
}

/* --- the agent --- */

static void cut_agent(void *ctx)
{
    struct world *w = ctx;
    ipc_free(w->agent);
    w->agent = NULL;
}

static struct slice token_of(uint64_t number)
{
    static char text[80];
    int n = snprintf(text, sizeof text, "token number %llu of the authority",
                     (unsigned long long)number);
    return slice_of(text, (size_t)n);
}

static void give_stamp(struct world *w, uint64_t id)
{
    static struct record_stamp_entry entry[FRAMES_STAMP_MAX];
    struct buf b;
    buf_init(&b, 1u << 20);
    for (uint32_t i = 0; i < w->frame.n; i++)
        entry[i] = (struct record_stamp_entry){w->frame.seq[i], w->frame.digest[i]};
    const struct record_stamp s = {token_of(w->tokens++), entry, w->frame.n};
    record_stamp_put(&b, &s);
    int rc = ipc_send(w->agent, FRAME_STAMPED, 0, id, buf_view(&b), -1, false);
    w->bad = w->bad || rc != 0 || b.failed;
    buf_free(&b);
}

static void refuse_stamp(struct world *w, uint64_t id)
{
    struct diag d = {0};
    struct buf b;
    buf_init(&b, 4096);
    diag_set(&d, ERR_MLOG_TSP_CONNECTION, "the authority is away");
    frames_put_refused(&b, &d);
    int rc = ipc_send(w->agent, FRAME_REFUSED, 0, id, buf_view(&b), -1, false);
    w->bad = w->bad || rc != 0;
    buf_free(&b);
}

static bool records_wait(const struct world *w)
{
    for (int i = 0; i < WORKERS; i++)
        if (w->open[i] > 0)
            return true;
    return false;
}

/* So that records come between those under the stamp and the stamp. */
static void hold_stamp(struct world *w, uint64_t id)
{
    w->late = records_wait(w);
    w->late_id = id;
    if (!w->late)
        give_stamp(w, id);
}

static void on_stamp_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct world *w = ctx;
    (void)c;
    if (f->type != FRAME_STAMP || frames_get_stamp(f->body, &w->frame) != 0) {
        w->bad = true;
        loop_stop(w->loop);
        return;
    }
    for (uint32_t i = 0; i < w->frame.n; i++)
        if (w->frame.seq[i] < RECORDS)
            w->asked[w->frame.seq[i]]++;
    if (w->agent_does == STAMPS)
        give_stamp(w, f->id);
    else if (w->agent_does == STAMPS_LATE)
        hold_stamp(w, f->id);
    else if (w->agent_does == REFUSES)
        refuse_stamp(w, f->id);
    else
        loop_defer(w->loop, cut_agent, w);
}

static void on_agent_closed(void *ctx, struct ipc *c)
{
    struct world *w = ctx;
    ipc_free(c);
    w->agent = NULL;
}

/* What the agent tells the log of the configuration: an authority, an owner of bodies. */
static int snapshot_of_world(void)
{
    struct buf text;
    struct diag d = {0};
    int fd = -1;
    buf_init(&text, 4096);
    buf_str(&text, "[gateway]\nserver = " LOG_SERVER "\n[log]\n"
                   "time_stamping = http://tsa.example.zz/\nmin_free = 0\nowner_key = base64:");
    base64_append(&text, log_messages_owner_der());
    buf_byte(&text, '\n');
    const struct snapshot_part part = {SNAPSHOT_SERVERCONF, 0, buf_view(&text)};
    if (snapshot_write(1, INT64_MAX, &part, 1, &fd, &d) != 0)
        FAIL("%s", d.text);
    buf_free(&text);
    return fd;
}

/* --- lines --- */

static void pair(int fd[2])
{
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

static void connect_worker(struct world *w, int i)
{
    char name[32];
    int fd[2];
    pair(fd);
    snprintf(name, sizeof name, "worker:%d", i);
    w->worker[i] = ask_new(w->loop);
    CHECK(w->worker[i] != NULL);
    ask_connect_log(w->worker[i], fd[0]);
    mlog_connect(w->log, name, fd[1]);
}

static void connect_agent(struct world *w)
{
    static const struct ipc_events ev = {.on_frame = on_stamp_frame, .on_close = on_agent_closed};
    int fd[2];
    pair(fd);
    ipc_free(w->agent);
    w->agent = ipc_new(w->loop, fd[0], 0, &ev, w);
    CHECK(w->agent != NULL);
    mlog_connect(w->log, "agent", fd[1]);
    CHECK_INT(ipc_send(w->agent, FRAME_SNAPSHOT, 0, 1, SLICE_NONE, snapshot_of_world(), true), 0);
}

/* --- a life of the log --- */

static void on_late(void *ctx)
{
    struct world *w = ctx;
    w->watch = NULL;
    w->bad = true;
    loop_stop(w->loop);
}

static void life_end(struct world *w)
{
    for (int i = 0; i < WORKERS; i++) {
        ask_free(w->worker[i]);
        w->worker[i] = NULL;
    }
    ipc_free(w->agent);
    w->agent = NULL;
    mlog_free(w->log);
    w->log = NULL;
    loop_timer_cancel(w->watch);
    w->watch = NULL;
    loop_free(w->loop);
    w->loop = NULL;
}

static void end_turn(void *ctx)
{
    struct world *w = ctx;
    loop_stop(w->loop);
}

static void turn(struct world *w)
{
    CHECK(loop_timer_start(w->loop, 0, end_turn, w) != NULL);
    loop_run(w->loop);
}

/* Starts the log, until it has its configuration; what mlog_new gives. */
static int life_begin(struct world *w, struct diag *d)
{
    life_end(w);
    memset(w->open, 0, sizeof w->open);
    w->late = false;
    w->loop = loop_new();
    CHECK(w->loop != NULL);
    tally_set(FACTS_STAMP_LIMIT, 0);
    int rc = mlog_new(w->loop, LOG_DIR, SLICE_LIT(LOG_SERVER), log_disk(w), &w->log, d);
    if (rc != 0)
        return rc;
    w->watch = loop_timer_start(w->loop, WATCH_MS, on_late, w);
    connect_agent(w);
    for (int i = 0; i < WORKERS; i++)
        connect_worker(w, i);
    while (!w->bad && tally_own(FACTS_STAMP_LIMIT) == 0)
        turn(w);
    return 0;
}

static void no_more(struct world *w)
{
    if (records_wait(w))
        return;
    if (w->late && w->agent != NULL)
        give_stamp(w, w->late_id);
    w->late = false;
    if (w->open[WORKERS] == 0)
        loop_stop(w->loop);
}

/* Until every question is answered. */
static void wait_for_answers(struct world *w)
{
    while (records_wait(w) || w->open[WORKERS] > 0) {
        loop_run(w->loop);
        if (w->bad)
            FAIL("%s: no answer, or one that is none", w->what);
    }
}

/* --- messages --- */

static void on_logged(void *ctx, const struct diag *why)
{
    struct sending *s = ctx;
    struct world *w = s->w;
    w->open[s->worker]--;
    w->refused = w->refused || why != NULL;
    w->bad = w->bad || (why != NULL && why->code == ERR_TIMEOUT);
    if (why == NULL)
        w->sent[s->i] = ACKED;
    no_more(w);
}

static void ask_to_log(struct sending *s, int fd)
{
    struct world *w = s->w;
    struct diag d = {0};
    const struct log_message *m = &log_messages()[s->i];
    if (ask_log(w->worker[s->worker], &m->record, fd, on_logged, s, &d) == 0) {
        w->bad = true;
        return;
    }
    w->sent[s->i] = SENT;
    w->open[s->worker]++;
}

static void on_spool(void *ctx, int fd, const struct diag *why)
{
    struct sending *s = ctx;
    struct slice body = log_messages()[s->i].body;
    s->w->open[s->worker]--;
    if (why != NULL || pwrite(fd, body.p, body.n, 0) != (ssize_t)body.n)
        s->w->bad = true;
    else
        ask_to_log(s, fd);
    if (fd >= 0)
        close(fd);
    no_more(s->w);
}

/* The next messages go to the log, all at once. */
static void send_messages(struct world *w, int n)
{
    struct diag d = {0};
    if (w->next + (size_t)n > LOG_MESSAGES)
        FAIL("the course is too long");
    for (int k = 0; k < n; k++) {
        size_t i = w->next++;
        struct sending *s = &w->sending[i];
        /* those of a batch come from one worker */
        *s = (struct sending){w, i, (int)(i / RECORD_SLOTS / LOG_GROUP % WORKERS)};
        if (!log_messages()[i].spooled) {
            ask_to_log(s, -1);
            continue;
        }
        CHECK(ask_spool(w->worker[s->worker], on_spool, s, &d) != 0);
        w->open[s->worker]++;
    }
}

/* The second worker dies when what it asks is on the line, before the log reads it. */
static void cut_worker(void *ctx)
{
    struct world *w = ctx;
    ask_free(w->worker[1]);
    w->worker[1] = NULL;
    w->open[1] = 0;
}

static void on_stamped(void *ctx, uint64_t id, const struct diag *why)
{
    struct world *w = ctx;
    (void)id;
    w->open[WORKERS]--;
    w->refused = w->refused || why != NULL;
    for (size_t i = 0; why == NULL && i < LOG_MESSAGES; i++)
        w->stamped[i] = w->stamped[i] || w->due[i];
    no_more(w);
}

static void ask_to_stamp(struct world *w, enum agent_does does)
{
    w->agent_does = does;
    w->open[WORKERS]++;
    for (size_t i = 0; i < LOG_MESSAGES; i++)
        w->due[i] = w->sent[i] == ACKED;
    mlog_stamp(w->log, on_stamped, w, 0);
}

#endif
