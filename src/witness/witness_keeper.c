#include "witness/witness_keeper.h"
#include "base/err.h"
#include "base/map.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "tlog/cosignature.h"
#include "witness/witness_conf.h"
#include "witness/witness_facts.h"
#include "witness/witness_frames.h"
#include "witness/witness_memory.h"
#include "witness/witness_refused.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define WAITING_MAX 32768 /* requests, waiting for the disk or for the key */
#define LINE_QUEUE (32u << 20)
#define FRAME_MAX (1u << 20)
#define TICK_MS 1000

/* Work for one frame of a worker, from its arrival to its answer. */
struct asked {
    struct asked *next;
    unsigned worker;
    uint64_t turn; /* of the worker: it may have been started anew */
    uint64_t id;   /* the frame's */
    uint16_t type;
    /* what was decided */
    int status; /* 200: to be signed */
    uint64_t size;
    char why[600]; /* a sentence and a line feed */
    /* what is signed */
    uint64_t number; /* of the request to the key process */
    uint8_t origin[32];
    struct witness_state state;
    int64_t time_s;
    struct slice text; /* in body */
    size_t n;
    uint8_t body[];
};

struct worker {
    struct ipc *line;
    uint64_t turn;
    struct witness_keeper *of;
};

struct witness_keeper {
    struct group_self *self;
    struct loop *loop;
    struct witness_conf conf;
    struct note_key key;
    struct witness_store *store;
    struct witness_memory *memory;
    struct witness_refused refused;
    struct ipc *signer;
    struct worker worker[WORKERS_MAX];
    struct asked *first, *last; /* arrived in this turn */
    size_t waiting;             /* there and in `signing` */
    bool turn;
    struct map *signing; /* number -> asked */
    struct loop_timer *timer;
    uint64_t next;
    struct buf frame, text;
};

/* --- answers --- */

static void drop(struct witness_keeper *k, struct asked *a)
{
    k->waiting--;
    free(a);
}

static void answer(struct witness_keeper *k, struct asked *a, int status, struct slice text)
{
    struct worker *w = &k->worker[a->worker];
    struct witness_answer out = {.status = status, .size = a->size, .text = text};
    buf_reset(&k->frame);
    witness_frames_put_answer(&k->frame, &out);
    /* A worker that is gone, or does not read, has nobody who waits. */
    if (w->line != NULL && w->turn == a->turn && !k->frame.failed &&
        ipc_send(w->line, WITNESS_FRAME_ANSWER, 0, a->id, buf_view(&k->frame), -1, false) != 0)
        report(REPORT_WARN, "worker_line", "a worker does not read its answers");
    drop(k, a);
}

static void refuse(struct witness_keeper *k, struct asked *a, int status, const char *why)
{
    answer(k, a, status, slice_str(why));
}

/* --- judging --- */

static bool is_fork(const struct witness_state *held, const struct checkpoint *cp)
{
    return !checkpoint_is_sound(cp) ||
           (cp->size == held->size && memcmp(cp->root.b, held->root.b, MERKLE_HASH) != 0);
}

static void keep_evidence(struct witness_keeper *k, bool fork, const struct witness_add *add,
                          const struct checkpoint *cp, const struct witness_entry *e,
                          const char *why)
{
    struct buf note, request;
    buf_init(&note, 2 * NOTE_MAX);
    buf_init(&request, 3 * NOTE_MAX);
    buf_slice(&note, add->text);
    buf_byte(&note, '\n');
    buf_slice(&note, add->lines);
    witness_request_print(add->old, add->proof, add->hashes, buf_view(&note), &request);
    witness_refused_keep(&k->refused, fork, loop_wall_ms(k->loop) / 1000, why, add->text,
                         e == NULL ? SLICE_NONE : buf_view(&e->note), buf_view(&request));
    tally_set(WITNESS_FACTS_FORKS, k->refused.forks);
    tally_set(WITNESS_FACTS_REFUSED, k->refused.proofs);
    if (fork)
        tally_text(WITNESS_FACTS_TEXT_FORK, cp->origin);
    buf_free(&note);
    buf_free(&request);
}

static void say(struct asked *a, int status, const char *why)
{
    a->status = status;
    snprintf(a->why, sizeof a->why, "%s\n", why);
}

/* The checkpoint is consistent: it is the one held from now on, if a time can be given to it. */
static void take(struct witness_keeper *k, struct asked *a, const struct witness_add *add,
                 const struct checkpoint *cp)
{
    struct diag d = {0};
    int64_t now_s = loop_wall_ms(k->loop) / 1000;
    if (now_s <= 0 || now_s < witness_memory_last(k->memory)) {
        say(a, 503, "the witness's clock is behind the time of its last cosignature");
        return;
    }
    if (witness_memory_set(k->memory, cp, add->text, add->lines, now_s, &d) != 0) {
        report_diag(REPORT_ERROR, "memory", NULL, &d);
        say(a, 503, "the witness has no memory for more logs");
        return;
    }
    a->status = 200;
    a->text = add->text;
    a->time_s = now_s;
    a->state = (struct witness_state){.size = cp->size, .root = cp->root};
}

static void judge(struct witness_keeper *k, struct asked *a)
{
    static struct witness_add add;
    struct checkpoint cp;
    struct witness_state fresh;
    struct digest id;
    struct diag d = {0};
    if (witness_frames_get_add(slice_of(a->body, a->n), &add) != 0 ||
        checkpoint_parse(add.text, &cp, &d) != 0 || !checkpoint_is_origin(cp.origin) ||
        cp.extensions.n > 0) {
        say(a, 400, "the request is malformed");
        return;
    }
    digest_of(DIGEST_SHA256, cp.origin, &id);
    memcpy(a->origin, id.b, sizeof a->origin);
    witness_state_init(&fresh);
    const struct witness_entry *e = witness_memory_find(k->memory, id.b);
    const struct witness_state *held = e == NULL ? &fresh : &e->state;
    int status = witness_judge_parts(held, add.old, add.proof, add.hashes, cp.size, &cp.root, &d);
    a->size = held->size;
    bool fork = is_fork(held, &cp);
    if (fork || status == 422)
        keep_evidence(k, fork, &add, &cp, e, d.text);
    if (status == 200) {
        take(k, a, &add, &cp);
        return;
    }
    say(a, status, d.text);
}

/* --- signing --- */

static void sign(struct witness_keeper *k, struct asked *a, struct slice text)
{
    struct signer_raw raw = {.key = SLICE_LIT(WITNESS_KEY)};
    buf_reset(&k->text);
    buf_reset(&k->frame);
    cosignature_message((uint64_t)a->time_s, text, &k->text);
    raw.data = buf_view(&k->text);
    signer_put_raw(&k->frame, &raw);
    a->number = ++k->next;
    if (k->text.failed || k->frame.failed ||
        map_put(k->signing, slice_of(&a->number, sizeof a->number), a) != 0) {
        refuse(k, a, 503, "the witness has no memory for this\n");
        return;
    }
    if (ipc_send(k->signer, SIGNER_COSIGN, 0, a->number, buf_view(&k->frame), -1, false) == 0)
        return;
    map_remove(k->signing, slice_of(&a->number, sizeof a->number));
    refuse(k, a, 503, "the witness's key is busy\n");
}

static void view(struct witness_keeper *k, struct asked *a)
{
    struct witness_entry *e = a->n == 32 ? witness_memory_find(k->memory, a->body) : NULL;
    if (e == NULL || e->text_n == 0) {
        refuse(k, a, 404, "no checkpoint of such an origin is held\n");
        return;
    }
    a->time_s = e->time_s;
    if (!e->signed_here) { /* as after a start: the same bytes are signed as then */
        memcpy(a->origin, e->id, sizeof a->origin);
        a->state = e->state;
        sign(k, a, witness_memory_text(e));
        return;
    }
    buf_reset(&k->text);
    buf_slice(&k->text, buf_view(&e->note));
    cosignature_line(&k->key, (uint64_t)e->time_s, e->signature, &k->text);
    answer(k, a, 200, buf_view(&k->text));
}

static void list(struct witness_keeper *k, struct asked *a)
{
    struct worker *w = &k->worker[a->worker];
    struct witness_entry *e;
    size_t at = 0;
    buf_reset(&k->frame);
    wr_u64(&k->frame, witness_memory_count(k->memory));
    for (size_t n = 0; n < WITNESS_ROWS_MAX && witness_memory_next(k->memory, &at, &e); n++) {
        struct witness_row row = {witness_memory_origin(e), e->state.size, e->time_s};
        witness_frames_put_row(&k->frame, &row);
    }
    if (w->line != NULL && w->turn == a->turn &&
        ipc_send(w->line, WITNESS_FRAME_HELD, 0, a->id, buf_view(&k->frame), -1, false) != 0)
        report(REPORT_WARN, "worker_line", "a worker does not read its answers");
    drop(k, a);
}

/* What the key process answered. */
static void on_signed(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct witness_keeper *k = ctx;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    struct asked *a = map_remove(k->signing, slice_of(&f->id, sizeof f->id));
    if (a == NULL)
        return;
    if (f->type != SIGNER_VALUE || f->body.n != NOTE_SIGNATURE) {
        report(REPORT_ERROR, "key", "the key process does not cosign");
        refuse(k, a, 503, "the witness's key does not sign\n");
        return;
    }
    struct witness_entry *e = witness_memory_find(k->memory, a->origin);
    bool same = e != NULL && e->time_s == a->time_s && e->state.size == a->state.size &&
                memcmp(e->state.root.b, a->state.root.b, MERKLE_HASH) == 0;
    if (same) {
        memcpy(e->signature, f->body.p, NOTE_SIGNATURE);
        e->signed_here = true;
    }
    buf_reset(&k->text);
    if (a->type == WITNESS_FRAME_VIEW && same)
        buf_slice(&k->text, buf_view(&e->note));
    if (a->type == WITNESS_FRAME_VIEW && !same) {
        refuse(k, a, 503, "a newer checkpoint has come meanwhile: ask again\n");
        return;
    }
    cosignature_line(&k->key, (uint64_t)a->time_s, f->body.p, &k->text);
    answer(k, a, 200, buf_view(&k->text));
}

/* --- a turn: all that has arrived --- */

static int settle(struct witness_keeper *k)
{
    struct diag d = {0};
    size_t n;
    int rc = witness_memory_settle(k->memory, &n, &d);
    int64_t now = loop_wall_ms(k->loop);
    tally_set(WITNESS_FACTS_ORIGINS, witness_memory_count(k->memory));
    tally_set(WITNESS_FACTS_SIGNED, (uint64_t)(witness_memory_last(k->memory) * 1000));
    if (rc == 0 && n > 0) {
        tally_add(WITNESS_FACTS_COMMITS, 1);
        tally_add(WITNESS_FACTS_WRITTEN, n);
        tally_set(WITNESS_FACTS_UNWRITABLE, 0);
    }
    if (rc == 0)
        return 0;
    report_diag(REPORT_ERROR, "store", NULL, &d);
    if (rc != ERR_DISK_FULL)
        exit(EXIT_COULD_NOT); /* nobody knows what the disk has: a new start reads it */
    if (tally_own(WITNESS_FACTS_UNWRITABLE) == 0)
        tally_set(WITNESS_FACTS_UNWRITABLE, (uint64_t)now);
    tally_text(WITNESS_FACTS_TEXT_WHY, slice_str(d.text));
    return rc;
}

static void finish(struct witness_keeper *k, struct asked *a, int settled)
{
    if (a->type == WITNESS_FRAME_VIEW)
        view(k, a);
    else if (a->type == WITNESS_FRAME_LIST)
        list(k, a);
    else if (settled != 0) /* what was judged by what is not on the disk means nothing */
        refuse(k, a, 503, "the witness cannot write its store\n");
    else if (a->status == 200)
        sign(k, a, a->text);
    else
        refuse(k, a, a->status, a->why);
}

static void end_turn(void *ctx)
{
    struct witness_keeper *k = ctx;
    struct asked *a = k->first, *next;
    k->turn = false;
    k->first = k->last = NULL;
    for (struct asked *i = a; i != NULL; i = i->next)
        if (i->type == WITNESS_FRAME_ADD)
            judge(k, i);
    int settled = settle(k);
    for (; a != NULL; a = next) {
        next = a->next;
        finish(k, a, settled);
    }
}

static void on_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct worker *w = ctx;
    struct witness_keeper *k = w->of;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    struct asked *a = calloc(1, sizeof *a + f->body.n);
    if (a == NULL)
        return; /* the worker gives its request up by itself */
    a->worker = (unsigned)(w - k->worker);
    a->turn = w->turn;
    a->id = f->id;
    a->type = f->type;
    a->n = f->body.n;
    if (f->body.n > 0)
        memcpy(a->body, f->body.p, f->body.n);
    if (k->waiting++ >= WAITING_MAX || f->type < WITNESS_FRAME_ADD ||
        f->type > WITNESS_FRAME_LIST) {
        refuse(k, a, 503, "the witness is busy\n");
        return;
    }
    if (k->last == NULL)
        k->first = a;
    else
        k->last->next = a;
    k->last = a;
    if (k->turn)
        return;
    k->turn = true;
    loop_defer(k->loop, end_turn, k);
}

/* --- life --- */

static void on_worker_closed(void *ctx, struct ipc *line)
{
    struct worker *w = ctx;
    if (w->line == line)
        w->line = NULL;
    ipc_free(line);
}

static void on_signer_closed(void *ctx, struct ipc *line)
{
    struct witness_keeper *k = ctx;
    (void)line;
    loop_stop(k->loop); /* the group starts anew when its key process is gone */
}

static void add_worker(struct witness_keeper *k, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_worker_closed};
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &k->worker[i];
        if (w->line != NULL)
            continue;
        w->of = k;
        w->turn++;
        w->line = ipc_new(k->loop, fd, LINE_QUEUE, &ev, w);
        return;
    }
    close(fd);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_signed, .on_close = on_signer_closed};
    struct witness_keeper *k = ctx;
    if (strncmp(name, "worker", 6) == 0) {
        add_worker(k, fd);
    } else if (strncmp(name, "key", 3) == 0 && k->signer == NULL) {
        k->signer = ipc_new(k->loop, fd, LINE_QUEUE, &ev, k);
        if (k->signer != NULL)
            group_ready(k->self);
    } else {
        close(fd);
    }
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct witness_keeper *k = ctx;
    bool reload = slice_eq_str(command, "reload"); /* it has nothing of the logs' list */
    group_answer(k->self, id, reload ? EXIT_DONE : EXIT_USE,
                 reload ? SLICE_NONE : SLICE_LIT("The store takes no commands.\n"));
}

static void on_stop(void *ctx)
{
    struct witness_keeper *k = ctx;
    loop_stop(k->loop);
}

/* So that health tells it while nobody asks for anything. */
static void tick(void *ctx)
{
    struct witness_keeper *k = ctx;
    int64_t now = loop_wall_ms(k->loop);
    bool behind = now / 1000 < witness_memory_last(k->memory);
    if (!behind || tally_own(WITNESS_FACTS_BEHIND) == 0)
        tally_set(WITNESS_FACTS_BEHIND, behind ? (uint64_t)now : 0);
    k->timer = loop_timer_start(k->loop, TICK_MS, tick, k);
}

static int open_store(struct witness_keeper *k, const char *vkey, struct diag *d)
{
    char path[1200], folder[1200], evidence[1200];
    const char *dirs[] = {folder, evidence, NULL};
    int rc;
    witness_conf_path(&k->conf, WITNESS_STORE, path, sizeof path);
    witness_conf_path(&k->conf, WITNESS_STORE_DIR, folder, sizeof folder);
    witness_conf_path(&k->conf, WITNESS_REFUSED_DIR, evidence, sizeof evidence);
    while ((rc = witness_store_open(path, vkey, true, &k->store, d)) == ERR_DISK_FULL ||
           rc == ERR_IO)
        fs_wait_for_space(d);
    rc = rc != 0 ? rc : witness_memory_new(k->store, &k->memory, d);
    rc = rc != 0 ? rc : witness_refused_open(&k->refused, evidence, d);
    /* Here the process narrows itself: from now on store and evidence, no network. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_LOG, dirs, d);
}

static int open_all(struct witness_keeper *k, const char *config_path, struct diag *d)
{
    struct buf vkey;
    buf_init(&vkey, NOTE_VKEY_MAX + 1);
    int rc = witness_conf_read(config_path, &k->conf, d);
    rc = rc != 0 ? rc : witness_conf_vkey(&k->conf, &k->key, d);
    if (rc == 0) {
        note_key_print(&k->key, &vkey);
        rc = open_store(k, buf_cstr(&vkey), d);
    }
    buf_free(&vkey);
    return rc;
}

static void release(struct witness_keeper *k)
{
    struct slice key;
    void *a;
    loop_timer_cancel(k->timer);
    for (size_t at = 0; k->signing != NULL && map_next(k->signing, &at, &key, &a);)
        free(a);
    map_free(k->signing);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        ipc_free(k->worker[i].line);
    ipc_free(k->signer);
    witness_memory_free(k->memory);
    witness_store_close(k->store);
    note_key_free(&k->key);
    buf_free(&k->frame);
    buf_free(&k->text);
    witness_conf_free(&k->conf);
}

int witness_keeper_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct witness_keeper k = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    buf_init(&k.frame, FRAME_MAX);
    buf_init(&k.text, FRAME_MAX);
    k.signing = map_new(2 * WAITING_MAX, 0);
    int rc = k.signing == NULL ? diag_set(&d, ERR_NOMEM, "no memory for the witness")
                               : open_all(&k, config_path, &d);
    if (rc != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        release(&k);
        return EXIT_COULD_NOT;
    }
    tally_set(WITNESS_FACTS_ORIGINS, witness_memory_count(k.memory));
    tally_set(WITNESS_FACTS_SIGNED, (uint64_t)(witness_memory_last(k.memory) * 1000));
    tally_set(WITNESS_FACTS_FORKS, k.refused.forks);
    tally_set(WITNESS_FACTS_REFUSED, k.refused.proofs);
    tick(&k);
    group_begin(self, &events, &k);
    loop_run(k.loop);
    release(&k);
    return EXIT_DONE;
}
