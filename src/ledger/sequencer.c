#include "ledger/sequencer.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "ledger/ledger_store.h"
#include "ledger/sequencer_int.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 200        /* a step that failed for want of space, key or guard */
#define JUMP_MS 60000       /* a clock that leaps so far is compared with the witnesses' */
#define SNAPSHOT_ROUNDS 600 /* between two snapshots of the heads */
#define TIDY_ROUNDS 30

static void tick(void *ctx);

void sequencer_again_in(struct sequencer *s, int64_t ms)
{
    loop_timer_cancel(s->timer);
    s->timer = loop_timer_start(s->loop, ms, tick, s);
}

void sequencer_stop(struct sequencer *s, enum ledger_stop stop, const struct diag *d)
{
    if (tally_own(LEDGER_FACTS_STOP) != (uint64_t)stop)
        report_diag(stop == LEDGER_STOP_PERSON ? REPORT_ERROR : REPORT_WARN, "no-round", NULL, d);
    ledger_facts_stop(stop, d->text, loop_wall_ms(s->loop));
}

/* --- signing --- */

static int sign(void *ctx, struct slice text, uint8_t signature[NOTE_SIGNATURE], struct diag *d)
{
    struct sequencer *s = ctx;
    struct signer_raw r = {.key = SLICE_LIT(LEDGER_KEY), .data = text};
    struct buf value;
    buf_init(&value, NOTE_SIGNATURE);
    int rc = s->key_line < 0 ? diag_set(d, ERR_KEY_NOT_AVAILABLE, "there is no line to the key")
                             : signer_call(s->key_line, SIGNER_HEAD, &r, &value, d);
    if (rc == 0 && value.n != NOTE_SIGNATURE)
        rc = diag_set(d, ERR_CRYPTO, "the key process gave no Ed25519 signature");
    if (rc == 0)
        memcpy(signature, value.p, NOTE_SIGNATURE);
    buf_free(&value);
    return rc;
}

/* --- a round --- */

static void answer_one(void *ctx, struct ledger_waiter w, struct slice text)
{
    struct sequencer *s = ctx;
    if (w.worker >= SEQUENCER_WORKERS || s->worker[w.worker] == NULL)
        return;
    tally_add(LEDGER_FACTS_HEADS, 1);
    if (ipc_send(s->worker[w.worker], LEDGER_FRAME_ANSWER, 200, w.id, text, -1, false) != 0)
        report(REPORT_ERROR, "answer", "an answer could not be handed to its worker");
}

static void count(struct sequencer *s)
{
    struct ledger_counts c;
    ledger_rounds_counts(s->rounds, &c);
    tally_set(LEDGER_FACTS_SIZE, ledger_rounds_size(s->rounds));
    tally_set(LEDGER_FACTS_JOURNALS, c.journals);
    tally_set(LEDGER_FACTS_WAITING, c.waiting);
}

static void upkeep(struct sequencer *s)
{
    struct diag d = {0};
    int rc = 0;
    if (++s->since_snapshot >= SNAPSHOT_ROUNDS) {
        s->since_snapshot = 0;
        rc = ledger_rounds_snapshot(s->rounds, &d);
    }
    if (rc == 0 && ++s->since_tidy >= TIDY_ROUNDS) {
        s->since_tidy = 0;
        rc = ledger_rounds_tidy(s->rounds, loop_wall_ms(s->loop), s->conf.partial_keep_ms,
                                s->conf.keep_rounds_ms, &d);
    }
    if (rc != 0)
        report_diag(REPORT_WARN, "upkeep", NULL, &d);
}

/* The process ends, so that the next start reads from disk what is true. */
static void give_up(const struct diag *d)
{
    report_diag(REPORT_ERROR, "round", NULL, d);
    exit(EXIT_COULD_NOT);
}

/* A step failed: want of space is waited for, another's bytes need a person, all else a new start.
 */
static void step_failed(struct sequencer *s, int rc, const struct diag *d)
{
    if (rc == ERR_DISK_FULL) {
        sequencer_stop(s, LEDGER_STOP_DISK, d);
        sequencer_again_in(s, RETRY_MS);
    } else if (rc == ERR_CORRUPT) {
        s->person = true;
        sequencer_stop(s, LEDGER_STOP_PERSON, d);
    } else {
        give_up(d);
    }
}

/* The clock leapt forward: is it the witnesses' clock, too? Their next cosignatures tell. */
static void watch_clock(struct sequencer *s)
{
    int64_t wall = loop_wall_ms(s->loop), mono = loop_mono_ms(s->loop);
    if (s->wall_ms != 0 && wall - s->wall_ms - (mono - s->mono_ms) > JUMP_MS &&
        s->lists.policy->needs_witnesses && ledger_rounds_phase(s->rounds) == LEDGER_IDLE) {
        report(REPORT_WARN, "clock", "the clock leapt forward: the witnesses are asked for theirs");
        s->confirmed = false;
        s->began_ms = mono;
        sequencer_collect(s);
    }
    s->wall_ms = wall;
    s->mono_ms = mono;
}

/* Nothing is signed before a quorum of witnesses has said that it knows nothing newer. */
static bool confirm(struct sequencer *s)
{
    struct diag d = {0};
    if (s->confirmed || ledger_rounds_size(s->rounds) == 0 || sequencer_enough(s)) {
        s->confirmed = true;
        return true;
    }
    diag_set(&d, ERR_AGAIN,
             "%u witnesses must first confirm the last checkpoint, of size %llu, with a clock like "
             "ours",
             policy_needs(s->lists.policy), (unsigned long long)ledger_rounds_size(s->rounds));
    if (loop_mono_ms(s->loop) - s->began_ms > 2 * s->conf.witness_timeout_ms)
        sequencer_stop(s, LEDGER_STOP_WITNESSES, &d);
    sequencer_ask(s);
    sequencer_again_in(s, RETRY_MS);
    return false;
}

/* Steps 1 and 2. True when there is a round now. */
static bool commit(struct sequencer *s)
{
    struct diag d = {0};
    bool unknown = false;
    s->began_ms = loop_mono_ms(s->loop);
    int rc = ledger_rounds_commit(s->rounds, loop_wall_ms(s->loop), &unknown, &d);
    if (rc == 0) {
        sequencer_collect(s);
        return true;
    }
    if (unknown || rc == ERR_EXISTS)
        give_up(&d);
    sequencer_stop(s,
                   rc == ERR_AGAIN       ? LEDGER_STOP_CLOCK
                   : rc == ERR_DISK_FULL ? LEDGER_STOP_DISK
                                         : LEDGER_STOP_KEY,
                   &d);
    sequencer_again_in(s, RETRY_MS);
    return false;
}

/* Step 4. True when it is published. */
static bool publish(struct sequencer *s)
{
    struct diag d = {0};
    if (!sequencer_enough(s)) {
        sequencer_ask(s);
        if (loop_mono_ms(s->loop) - s->began_ms > 2 * s->conf.witness_timeout_ms) {
            diag_set(&d, ERR_AGAIN, "round %llu waits for its witnesses, %u are needed",
                     (unsigned long long)ledger_rounds_size(s->rounds) - 1,
                     policy_needs(s->lists.policy));
            sequencer_stop(s, LEDGER_STOP_WITNESSES, &d);
        }
        sequencer_again_in(s, RETRY_MS); /* a line brings us here sooner */
        return false;
    }
    int rc = ledger_rounds_publish(s->rounds, buf_view(&s->lines), &d);
    if (rc != 0)
        step_failed(s, rc, &d);
    return rc == 0;
}

static void finish(struct sequencer *s)
{
    struct diag d = {0};
    if (ledger_rounds_answer(s->rounds, answer_one, s, &d) != 0)
        report_diag(REPORT_WARN, "answers", NULL, &d);
    s->confirmed = true;
    if (tally_own(LEDGER_FACTS_STOP) != LEDGER_STOP_NONE)
        report(REPORT_INFO, "rounds", "rounds are closed again");
    ledger_facts_stop(LEDGER_STOP_NONE, "", loop_wall_ms(s->loop));
    tally_add(LEDGER_FACTS_ROUNDS, 1);
    tally_add(LEDGER_FACTS_WORK, (uint64_t)(loop_mono_ms(s->loop) - s->began_ms));
    tally_set(LEDGER_FACTS_LAST, (uint64_t)loop_wall_ms(s->loop));
    count(s);
    upkeep(s);
}

static void tick(void *ctx)
{
    struct sequencer *s = ctx;
    struct diag d = {0};
    s->timer = NULL;
    if (s->person || s->key_line < 0)
        return;
    watch_clock(s);
    enum ledger_phase phase = ledger_rounds_phase(s->rounds);
    if (phase == LEDGER_IDLE && (!confirm(s) || !commit(s)))
        return;
    if (ledger_rounds_phase(s->rounds) == LEDGER_SPREAD) {
        int rc = ledger_rounds_spread(s->rounds, &d);
        if (rc != 0) {
            step_failed(s, rc, &d);
            return;
        }
    }
    if (ledger_rounds_phase(s->rounds) == LEDGER_SHOWN && !publish(s))
        return;
    finish(s);
    int64_t left = s->conf.interval_ms - (loop_mono_ms(s->loop) - s->began_ms);
    sequencer_again_in(s, left > 0 ? left : 0);
}

/* --- heads --- */

static void refuse(struct sequencer *s, uint32_t worker, uint64_t id, int status, const char *text)
{
    if (ipc_send(s->worker[worker], LEDGER_FRAME_ANSWER, (uint16_t)status, id, slice_str(text), -1,
                 false) != 0)
        report(REPORT_ERROR, "answer", "an answer could not be handed to its worker");
}

static void note_refusal(struct sequencer *s, const struct ledger_counts *before, int status,
                         const struct ledger_submission *sub, const struct diag *d)
{
    struct ledger_counts now;
    struct entry e;
    char text[1024];
    ledger_rounds_counts(s->rounds, &now);
    tally_add(LEDGER_FACTS_FORKS, now.forks - before->forks);
    tally_add(LEDGER_FACTS_ROLLBACKS, now.rollbacks - before->rollbacks);
    if (status == 409)
        tally_add(LEDGER_FACTS_STALE, 1);
    if (status != 422 || entry_parse(sub->entry, &e, NULL) != 0)
        return;
    snprintf(text, sizeof text, "%.*s handed in a head that was refused: %s", SLICE_ARG(e.name),
             d->text);
    tally_set(LEDGER_FACTS_FORK_LAST, (uint64_t)loop_wall_ms(s->loop));
    tally_text(LEDGER_FACTS_TEXT_FORK, slice_str(text));
}

static void take_head(struct sequencer *s, uint32_t worker, const struct ipc_frame *f)
{
    struct ledger_submission sub;
    struct ledger_counts before;
    struct diag d = {0};
    char text[600];
    if (ledger_frames_get_head(f->body, &sub) != 0) {
        refuse(s, worker, f->id, 400, "malformed\n");
        return;
    }
    uint64_t stop = tally_own(LEDGER_FACTS_STOP);
    if (s->person || stop == LEDGER_STOP_CLOCK || stop == LEDGER_STOP_DISK ||
        stop == LEDGER_STOP_KEY) {
        refuse(s, worker, f->id, 503,
               s->person ? "the ledger is stopped until a person has looked at it\n"
               : stop == LEDGER_STOP_CLOCK
                   ? "no round can be closed: the ledger's clock is behind its last round\n"
               : stop == LEDGER_STOP_DISK ? "no round can be closed: the ledger's disk is full\n"
                                          : "no round can be closed: the ledger cannot sign\n");
        return;
    }
    ledger_rounds_counts(s->rounds, &before);
    struct ledger_decision v = ledger_rounds_submit(
        s->rounds, &sub, (struct ledger_waiter){worker, f->id}, loop_wall_ms(s->loop), &d);
    if (v.status == 200) {
        tally_set(LEDGER_FACTS_WAITING, before.waiting + 1);
        return;
    }
    note_refusal(s, &before, v.status, &sub, &d);
    if (v.status == 409)
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)v.size);
    else
        snprintf(text, sizeof text, "%s\n", d.text);
    refuse(s, worker, f->id, v.status, text);
}

/* --- lines to the others --- */

static void on_worker_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct sequencer *s = ctx;
    if (f->fd >= 0)
        close(f->fd);
    for (uint32_t i = 0; i < SEQUENCER_WORKERS; i++)
        if (s->worker[i] == line && f->type == LEDGER_FRAME_HEAD)
            take_head(s, i, f);
}

static void on_agent_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    sequencer_agent_frame(ctx, f);
}

static void on_closed(void *ctx, struct ipc *line)
{
    struct sequencer *s = ctx;
    if (s->agent == line)
        s->agent = NULL;
    for (uint32_t i = 0; i < SEQUENCER_WORKERS; i++)
        if (s->worker[i] == line) {
            s->worker[i] = NULL;
            ledger_rounds_forget(s->rounds, i);
        }
    ipc_free(line);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events workers = {.on_frame = on_worker_frame, .on_close = on_closed};
    static const struct ipc_events agent = {.on_frame = on_agent_frame, .on_close = on_closed};
    struct sequencer *s = ctx;
    int i = strncmp(name, "worker:", 7) == 0 ? atoi(name + 7)
            : strcmp(name, "worker") == 0    ? 0
                                             : -1;
    if (strchr(name, '!') != NULL) {
        if (s->key_line >= 0)
            close(s->key_line);
        s->key_line = fd;
        group_ready(s->self);
        sequencer_again_in(s, 0);
    } else if (strcmp(name, "agent") == 0) {
        ipc_free(s->agent);
        s->agent = ipc_new(s->loop, fd, 0, &agent, s);
        s->asked = false; /* a new agent knows nothing */
    } else if (i >= 0 && i < SEQUENCER_WORKERS) {
        ipc_free(s->worker[i]);
        ledger_rounds_forget(s->rounds, (uint32_t)i);
        s->worker[i] = ipc_new(s->loop, fd, 256u << 20, &workers, s);
    } else {
        close(fd);
    }
}

/* --- life --- */

static int show_lists(struct sequencer *s, struct diag *d)
{
    int rc = ledger_rounds_replace(s->rounds, "public/journals", s->lists.journals, d);
    return rc != 0 ? rc
                   : ledger_rounds_replace(s->rounds, "public/policy", s->lists.policy_text, d);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct sequencer *s = ctx;
    struct ledger_lists next;
    struct diag d = {0};
    struct slice word, packed = command;
    slice_next(&packed, '\n', &word);
    if (!slice_eq_str(word, "reload") || packed.p == NULL) {
        group_answer(s->self, id, EXIT_USE, SLICE_LIT("reload\n"));
        return;
    }
    if (ledger_lists_parse(packed, &s->key, &next, &d) != 0) {
        ledger_lists_free(&next);
        group_answer(s->self, id, EXIT_NO, slice_str(d.text));
        return;
    }
    ledger_lists_free(&s->lists);
    s->lists = next;
    sequencer_collect(s); /* witnesses have other numbers now */
    if (show_lists(s, &d) != 0)
        report_diag(REPORT_WARN, "lists", NULL, &d);
    group_answer(s->self, id, EXIT_DONE, SLICE_NONE);
}

static void on_stop(void *ctx)
{
    struct sequencer *s = ctx;
    struct diag d = {0};
    if (!s->person && ledger_rounds_snapshot(s->rounds, &d) != 0)
        report_diag(REPORT_WARN, "snapshot", NULL, &d);
    loop_stop(s->loop);
}

static int open_lists(struct sequencer *s, struct diag *d)
{
    struct buf packed;
    buf_init(&packed, LEDGER_LISTS_MAX);
    int rc = ledger_lists_pack(s->conf.journals, s->conf.policy, &packed, d);
    rc = rc != 0 ? rc : ledger_lists_parse(buf_view(&packed), &s->key, &s->lists, d);
    buf_free(&packed);
    return rc;
}

static int open_rounds(struct sequencer *s, struct diag *d)
{
    struct ledger_rounds_options o = {
        .dir = s->conf.dir, .lock_dir = s->conf.lock, .key = &s->key, .sign = sign, .sign_ctx = s};
    int rc = RAND_bytes((uint8_t *)&o.seed, sizeof o.seed) == 1
                 ? 0
                 : diag_set(d, ERR_INTERNAL, "no random bytes");
    while (rc == 0 && (rc = ledger_rounds_open(&o, &s->rounds, d)) == ERR_DISK_FULL) {
        fs_wait_for_space(d);
        rc = 0;
    }
    return rc;
}

static int narrow(const struct sequencer *s, struct diag *d)
{
    static const char *const names[] = {"public", "staging", "heads", "evidence", "anchors"};
    char path[ARRAY_LEN(names)][1100];
    const char *dirs[ARRAY_LEN(names) + 2];
    size_t n = 0;
    for (; n < ARRAY_LEN(names); n++) {
        snprintf(path[n], sizeof path[n], "%s/%s", s->conf.dir, names[n]);
        dirs[n] = path[n];
    }
    dirs[n++] = s->conf.lock;
    dirs[n] = NULL;
    return sandbox_enter(SANDBOX_LOG, dirs, d);
}

static int prepare(struct sequencer *s, const char *config_path, struct diag *d)
{
    int rc = ledger_conf_read(config_path, &s->conf, d);
    rc = rc != 0 ? rc : ledger_conf_key(s->conf.dir, LEDGER_KEY, s->conf.origin, &s->key, d);
    rc = rc != 0 ? rc : open_lists(s, d);
    rc = rc != 0 ? rc : open_rounds(s, d);
    rc = rc != 0 ? rc : show_lists(s, d);
    /* Here the process narrows itself: the ledger's folders but that of its key, no network. */
    return rc != 0 ? rc : narrow(s, d);
}

int sequencer_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct sequencer s = {.self = self, .loop = group_loop(self), .key_line = -1};
    struct diag d = {0};
    buf_init(&s.lines, LEDGER_CHECKPOINT_MAX);
    if (prepare(&s, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    s.began_ms = loop_mono_ms(s.loop);
    count(&s);
    group_begin(self, &events, &s);
    loop_run(s.loop);
    loop_timer_cancel(s.timer);
    for (size_t i = 0; i < SEQUENCER_WORKERS; i++)
        ipc_free(s.worker[i]);
    ipc_free(s.agent);
    if (s.key_line >= 0)
        close(s.key_line);
    ledger_rounds_free(s.rounds);
    ledger_lists_free(&s.lists);
    note_key_free(&s.key);
    buf_free(&s.lines);
    ledger_conf_free(&s.conf);
    return EXIT_DONE;
}
