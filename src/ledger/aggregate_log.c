#include "ledger/aggregate_log.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "ledger/aggregate_conf.h"
#include "ledger/aggregate_facts.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_frames.h"
#include "ledger/ledger_subtree.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define RETRY_MS 500
#define REFUSED_MS 5000 /* the one above does not know us: a person must mend it */
#define SNAPSHOT_SUBTREES 600

struct aggregate_log {
    struct group_self *self;
    struct loop *loop;
    struct aggregate_conf conf;
    struct note_key key;
    struct ledger_subtree *tree;
    int key_line;
    struct ipc *worker[WORKERS_MAX];
    struct ipc *agent;
    struct loop_timer *timer;
    bool handed; /* the note is with the agent */
    uint64_t id;
    unsigned since_snapshot;
};

static void tick(void *ctx);

static void again_in(struct aggregate_log *a, int64_t ms)
{
    loop_timer_cancel(a->timer);
    a->timer = loop_timer_start(a->loop, ms, tick, a);
}

/* Nothing goes up, and why. */
static void stopped(struct aggregate_log *a, const char *why)
{
    if (tally_own(AGGREGATE_FACTS_STOP_SINCE) == 0) {
        report(REPORT_WARN, "no-subtree", "%s", why);
        tally_set(AGGREGATE_FACTS_STOP_SINCE, (uint64_t)loop_wall_ms(a->loop));
    }
    tally_text(AGGREGATE_FACTS_TEXT_STOP, slice_str(why));
}

static int sign(void *ctx, struct slice text, uint8_t signature[NOTE_SIGNATURE], struct diag *d)
{
    struct aggregate_log *a = ctx;
    struct signer_raw r = {.key = SLICE_LIT(AGGREGATE_KEY), .data = text};
    struct buf value;
    buf_init(&value, NOTE_SIGNATURE);
    int rc = signer_call(a->key_line, SIGNER_AGGREGATE, &r, &value, d);
    if (rc == 0 && value.n != NOTE_SIGNATURE)
        rc = diag_set(d, ERR_CRYPTO, "the key process gave no Ed25519 signature");
    if (rc == 0)
        memcpy(signature, value.p, NOTE_SIGNATURE);
    buf_free(&value);
    return rc;
}

/* --- subtrees --- */

static void hand_in(struct aggregate_log *a)
{
    struct slice note = ledger_subtree_note(a->tree);
    if (a->handed || a->agent == NULL || note.n == 0)
        return;
    a->handed = ipc_send(a->agent, LEDGER_FRAME_HAND, 0, ++a->id, note, -1, false) == 0;
}

static void tick(void *ctx)
{
    struct aggregate_log *a = ctx;
    struct diag d = {0};
    a->timer = NULL;
    if (a->key_line < 0)
        return;
    int rc = ledger_subtree_close(a->tree, loop_wall_ms(a->loop), &d);
    if (rc == ERR_DISK_FULL || rc == ERR_AGAIN || rc == ERR_KEY_NOT_AVAILABLE) {
        stopped(a, d.text);
    } else if (rc != 0) {
        report_diag(REPORT_ERROR, "subtree", NULL, &d);
        exit(EXIT_COULD_NOT); /* only a new start puts that right */
    }
    hand_in(a);
    again_in(a, rc != 0 ? RETRY_MS : a->conf.interval_ms);
}

static void answer_one(void *ctx, struct ledger_waiter w, struct slice text)
{
    struct aggregate_log *a = ctx;
    if (w.worker >= WORKERS_MAX || a->worker[w.worker] == NULL)
        return;
    tally_add(AGGREGATE_FACTS_HEADS, 1);
    if (ipc_send(a->worker[w.worker], LEDGER_FRAME_ANSWER, 200, w.id, text, -1, false) != 0)
        report(REPORT_ERROR, "answer", "an answer could not be handed to its worker");
}

static void on_answered(struct aggregate_log *a, struct slice upper)
{
    struct diag d = {0};
    if (ledger_subtree_answer(a->tree, upper, answer_one, a, &d) != 0) {
        stopped(a, d.text);
        again_in(a, RETRY_MS);
        return;
    }
    tally_set(AGGREGATE_FACTS_STOP_SINCE, 0);
    tally_add(AGGREGATE_FACTS_SUBTREES, 1);
    tally_set(AGGREGATE_FACTS_LAST, (uint64_t)loop_wall_ms(a->loop));
    if (++a->since_snapshot >= SNAPSHOT_SUBTREES) {
        a->since_snapshot = 0;
        if (ledger_subtree_snapshot(a->tree, &d) != 0)
            report_diag(REPORT_WARN, "snapshot", NULL, &d);
    }
    again_in(a, 0); /* what gathered meanwhile goes up at once */
}

/* flags: the status of the one above; 0: it could not be reached. */
static void on_handed(struct aggregate_log *a, const struct ipc_frame *f)
{
    char why[600];
    if (f->id != a->id || !a->handed)
        return;
    a->handed = false;
    if (f->flags == 200) {
        on_answered(a, f->body);
        return;
    }
    if (f->flags == 0)
        snprintf(why, sizeof why, "%.*s", SLICE_ARG(f->body));
    else
        snprintf(why, sizeof why, "%s answered %u: %.*s", a->conf.upper, (unsigned)f->flags,
                 SLICE_ARG(slice_trim(slice_sub(f->body, 0, 300))));
    stopped(a, why);
    if (f->flags == 409)
        ledger_subtree_again(a->tree);
    again_in(a, f->flags == 400 || f->flags == 403 || f->flags == 404 ? REFUSED_MS : RETRY_MS);
}

/* --- heads --- */

static void refuse(struct aggregate_log *a, uint32_t worker, uint64_t id, int status,
                   const char *text)
{
    if (ipc_send(a->worker[worker], LEDGER_FRAME_ANSWER, (uint16_t)status, id, slice_str(text), -1,
                 false) != 0)
        report(REPORT_ERROR, "answer", "an answer could not be handed to its worker");
}

static void count(struct aggregate_log *a)
{
    struct ledger_counts c;
    ledger_rounds_counts(ledger_subtree_intake(a->tree), &c);
    tally_set(AGGREGATE_FACTS_JOURNALS, c.journals);
    tally_set(AGGREGATE_FACTS_WAITING, c.waiting);
    tally_set(AGGREGATE_FACTS_REFUSED, c.forks + c.rollbacks);
}

static void take_head(struct aggregate_log *a, uint32_t worker, const struct ipc_frame *f)
{
    struct ledger_submission sub;
    struct diag d = {0};
    char text[600];
    if (ledger_frames_get_head(f->body, &sub) != 0) {
        refuse(a, worker, f->id, 400, "malformed\n");
        return;
    }
    struct ledger_decision v =
        ledger_rounds_submit(ledger_subtree_intake(a->tree), &sub,
                             (struct ledger_waiter){worker, f->id}, loop_wall_ms(a->loop), &d);
    count(a);
    if (v.status == 200)
        return;
    if (v.status == 409) {
        tally_add(AGGREGATE_FACTS_STALE, 1);
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)v.size);
    } else {
        snprintf(text, sizeof text, "%s\n", d.text);
    }
    refuse(a, worker, f->id, v.status, text);
}

/* --- lines to the others --- */

static void on_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct aggregate_log *a = ctx;
    if (f->fd >= 0)
        close(f->fd);
    if (line == a->agent && f->type == LEDGER_FRAME_HANDED)
        on_handed(a, f);
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (a->worker[i] == line && f->type == LEDGER_FRAME_HEAD)
            take_head(a, i, f);
}

static void on_closed(void *ctx, struct ipc *line)
{
    struct aggregate_log *a = ctx;
    if (a->agent == line)
        a->agent = NULL;
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (a->worker[i] == line) {
            a->worker[i] = NULL;
            ledger_rounds_forget(ledger_subtree_intake(a->tree), i);
        }
    ipc_free(line);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_closed};
    struct aggregate_log *a = ctx;
    int i = strncmp(name, "worker:", 7) == 0 ? atoi(name + 7)
            : strcmp(name, "worker") == 0    ? 0
                                             : -1;
    if (strchr(name, '!') != NULL) {
        if (a->key_line >= 0)
            close(a->key_line);
        a->key_line = fd;
        group_ready(a->self);
        again_in(a, 0);
    } else if (strcmp(name, "agent") == 0) {
        ipc_free(a->agent);
        a->agent = ipc_new(a->loop, fd, 0, &ev, a);
        a->handed = false;
    } else if (i >= 0 && i < WORKERS_MAX) {
        ipc_free(a->worker[i]);
        ledger_rounds_forget(ledger_subtree_intake(a->tree), (uint32_t)i);
        a->worker[i] = ipc_new(a->loop, fd, 256u << 20, &ev, a);
    } else {
        close(fd);
    }
}

/* --- life --- */

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct aggregate_log *a = ctx;
    (void)command; /* its workers have the list of keys */
    group_answer(a->self, id, EXIT_DONE, SLICE_NONE);
}

static void on_stop(void *ctx)
{
    struct aggregate_log *a = ctx;
    struct diag d = {0};
    if (ledger_subtree_snapshot(a->tree, &d) != 0)
        report_diag(REPORT_WARN, "snapshot", NULL, &d);
    loop_stop(a->loop);
}

static int prepare(struct aggregate_log *a, const char *config_path, struct diag *d)
{
    char heads[1100], evidence[1100];
    const char *dirs[] = {heads, evidence, NULL};
    struct ledger_subtree_options o = {
        .dir = a->conf.dir, .key = &a->key, .sign = sign, .sign_ctx = a};
    int rc = aggregate_conf_read(config_path, &a->conf, d);
    rc = rc != 0 ? rc : ledger_conf_key(a->conf.dir, AGGREGATE_KEY, a->conf.name, &a->key, d);
    if (rc == 0 && RAND_bytes((uint8_t *)&o.seed, sizeof o.seed) != 1)
        rc = diag_set(d, ERR_INTERNAL, "no random bytes");
    while (rc == 0 && (rc = ledger_subtree_open(&o, &a->tree, d)) == ERR_DISK_FULL) {
        fs_wait_for_space(d);
        rc = 0;
    }
    snprintf(heads, sizeof heads, "%s/heads", a->conf.dir);
    snprintf(evidence, sizeof evidence, "%s/evidence", a->conf.dir);
    /* Here the process narrows itself: heads and evidence, no network. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_LOG, dirs, d);
}

int aggregate_log_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct aggregate_log a = {.self = self, .loop = group_loop(self), .key_line = -1};
    struct diag d = {0};
    if (prepare(&a, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    count(&a);
    group_begin(self, &events, &a);
    loop_run(a.loop);
    loop_timer_cancel(a.timer);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        ipc_free(a.worker[i]);
    ipc_free(a.agent);
    if (a.key_line >= 0)
        close(a.key_line);
    ledger_subtree_free(a.tree);
    note_key_free(&a.key);
    aggregate_conf_free(&a.conf);
    return EXIT_DONE;
}
