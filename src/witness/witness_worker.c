#include "witness/witness_worker.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/map.h"
#include "base/opt.h"
#include "net/http_server.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "tlog/witness.h"
#include "witness/witness_conf.h"
#include "witness/witness_facts.h"
#include "witness/witness_frames.h"
#include "witness/witness_logs.h"
#include "witness/witness_page.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS_MAX 16384 /* requests that wait for the keeper */
#define LINE_QUEUE (32u << 20)
#define HEAD_MS 10000
#define BODY_PAUSE_MS 10000
#define IDLE_MS 60000
/* A body without a length is read so far before the connection is cut; what is over
 * WITNESS_BODY_MAX is dropped, and told. */
#define BODY_READ_MAX (16 * WITNESS_BODY_MAX)
#define STOP_MS 4000
#define TEXT "text/plain; charset=utf-8"

/* What is left to strangers: connections at once, of one address; tokens a second of one address,
 * and at most; the same of all. An address from which a log's checkpoint came is none. */
static const struct admission_limits strangers = {1024, 512, 50, 1000, 200, 4000, 3600000};

struct worker {
    struct group_self *self;
    struct loop *loop;
    struct witness_conf conf;
    struct note_key key;
    struct witness_logs *logs;
    struct http_server *server;
    struct ipc *keeper;
    struct map *open; /* number -> request */
    uint64_t next;
    struct buf frame, lines;
};

/* A request; in its exchange's arena. */
struct request {
    struct worker *w;
    struct http_exchange *x;
    struct buf body;
    bool add;        /* add-checkpoint */
    uint64_t number; /* of the frame that went to the keeper; 0: none */
};

/* --- answers --- */

static void reply(struct request *q, int status, const char *type, struct slice body)
{
    if (q->add)
        witness_facts_answered(status);
    http_reply(q->x, status, type, SLICE_LIT("Cache-Control: no-store\r\n"), body);
}

static void say(struct request *q, int status, const char *text)
{
    reply(q, status, TEXT, slice_str(text));
}

/* A sentence of a judgement. */
static void refuse(struct request *q, int status, const struct diag *d)
{
    char text[sizeof d->text + sizeof d->where + 8];
    if (d->where[0] != 0)
        snprintf(text, sizeof text, "%s: %s\n", d->where, d->text);
    else
        snprintf(text, sizeof text, "%s\n", d->text);
    say(q, status, text);
}

/* --- asking the keeper --- */

static void ask(struct request *q, uint16_t type, struct slice body)
{
    struct worker *w = q->w;
    uint64_t number = ++w->next;
    q->number = number;
    if (w->keeper == NULL || map_put(w->open, slice_of(&q->number, sizeof q->number), q) != 0) {
        q->number = 0;
        say(q, 503, "the witness is busy\n");
        return;
    }
    if (ipc_send(w->keeper, type, 0, number, body, -1, false) == 0)
        return;
    map_remove(w->open, slice_of(&number, sizeof number));
    q->number = 0;
    say(q, 503, "the witness is busy\n");
}

static void page(struct request *q, struct slice held)
{
    struct buf out;
    buf_init(&out, WITNESS_PAGE_MAX);
    if (witness_page_print(&q->w->key, q->w->logs, held, loop_wall_ms(q->w->loop), &out) == 0)
        reply(q, 200, "text/html; charset=utf-8", buf_view(&out));
    else
        say(q, 500, "the page cannot be made\n");
    buf_free(&out);
}

static void answered(struct request *q, const struct witness_answer *a)
{
    char size[32];
    if (a->status != 409) {
        reply(q, a->status, TEXT, a->text);
        return;
    }
    snprintf(size, sizeof size, "%llu\n", (unsigned long long)a->size);
    reply(q, 409, "text/x.tlog.size", slice_str(size));
}

static void on_keeper_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct worker *w = ctx;
    struct witness_answer a;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    struct request *q = map_remove(w->open, slice_of(&f->id, sizeof f->id));
    if (q == NULL)
        return; /* whoever asked is gone */
    q->number = 0;
    if (f->type == WITNESS_FRAME_HELD)
        page(q, f->body);
    else if (witness_frames_get_answer(f->body, &a) == 0)
        answered(q, &a);
    else
        say(q, 500, "the witness's store answered something else\n");
}

/* --- judging a request --- */

/* The lines of the log's own keys: what is kept, and served again, has no others. */
static int own_lines(const struct witness_request *r, const struct witness_log *log,
                     struct buf *lines)
{
    buf_reset(lines);
    for (size_t i = 0; i < r->note.sigs; i++) {
        const struct note_sig *s = &r->note.sig[i];
        for (size_t k = 0; k < log->n; k++)
            if (slice_eq(s->name, note_key_name(log->key[k])) &&
                memcmp(s->id, log->key[k]->id, sizeof s->id) == 0)
                buf_slice(lines, s->line);
    }
    return lines->failed ? ERR_TOO_LARGE : 0;
}

static void add_checkpoint(struct request *q)
{
    static struct witness_request r;
    static struct witness_add add;
    struct worker *w = q->w;
    struct diag d = {0};
    if (witness_request_parse(buf_view(&q->body), &r, &d) != 0) {
        refuse(q, 400, &d);
        return;
    }
    const struct witness_log *log = witness_logs_find(w->logs, r.origin);
    int status =
        witness_request_open(&r, log == NULL ? NULL : log->key, log == NULL ? 0 : log->n, &d);
    if (status != 200) {
        if (status != 400) /* no log of ours has said this */
            http_exchange_bad(q->x);
        refuse(q, status, &d);
        return;
    }
    http_exchange_good(q->x);
    add.old = r.old;
    add.hashes = r.n;
    memcpy(add.proof, r.proof, r.n * sizeof add.proof[0]);
    add.text = r.note.text;
    if (own_lines(&r, log, &w->lines) != 0) {
        say(q, 400, "more signatures of the log than are kept\n");
        return;
    }
    add.lines = buf_view(&w->lines);
    buf_reset(&w->frame);
    witness_frames_put_add(&w->frame, &add);
    ask(q, WITNESS_FRAME_ADD, buf_view(&w->frame));
}

/* --- HTTP --- */

static void too_large(struct request *q)
{
    http_exchange_bad(q->x);
    say(q, 413, "the request is larger than 128 KiB\n");
}

static void on_get(struct request *q, struct slice path)
{
    uint8_t id[32];
    if (slice_eq_str(path, "/")) {
        ask(q, WITNESS_FRAME_LIST, SLICE_NONE);
    } else if (path.n == 76 && slice_ends(path, "/checkpoint") &&
               hex_parse(slice_sub(path, 1, 64), id, sizeof id)) {
        ask(q, WITNESS_FRAME_VIEW, slice_of(id, sizeof id));
    } else {
        http_exchange_bad(q->x);
        say(q, 404,
            "POST /add-checkpoint, GET /<hex SHA-256(origin)>/checkpoint and GET / are here\n");
    }
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct worker *w = server_ctx;
    const struct http_head *h = http_exchange_head(x);
    struct request *q = arena_zalloc(http_exchange_arena(x), sizeof *q);
    struct slice path, query;
    bool has_query;
    if (q == NULL) {
        http_abort(x);
        return;
    }
    q->w = w;
    q->x = x;
    buf_init(&q->body, WITNESS_BODY_MAX);
    http_exchange_set(x, q);
    http_target_split(h->target, &path, &query, &has_query);
    q->add = slice_eq_str(path, "/add-checkpoint");
    bool post = slice_eq_str(h->method, "POST"), get = slice_eq_str(h->method, "GET");
    if (q->add && post && h->body == HTTP_BODY_LENGTH && h->length > WITNESS_BODY_MAX)
        too_large(q);
    else if (q->add ? post : !get)
        return; /* its body comes, or is refused at its end */
    else if (q->add)
        http_reply(x, 405, TEXT, SLICE_LIT("Allow: POST\r\n"),
                   SLICE_LIT("POST a checkpoint here: C2SP tlog-witness\n"));
    else
        on_get(q, path);
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct request *q = ctx;
    (void)x;
    if (q != NULL && q->add)
        buf_slice(&q->body, piece);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct request *q = ctx;
    bool get = slice_eq_str(http_exchange_head(x)->method, "GET");
    if (q == NULL || get)
        return;
    if (!q->add)
        http_reply(x, 405, TEXT, SLICE_LIT("Allow: GET\r\n"), SLICE_LIT("only GET is for here\n"));
    else if (q->body.failed)
        too_large(q);
    else
        add_checkpoint(q);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct request *q = ctx;
    (void)x;
    (void)aborted;
    if (q == NULL)
        return;
    if (q->number != 0)
        map_remove(q->w->open, slice_of(&q->number, sizeof q->number));
    buf_free(&q->body);
}

static void serve(struct worker *w)
{
    static const struct http_handler handler = {.on_request = on_request,
                                                .on_body = on_body,
                                                .on_body_end = on_body_end,
                                                .on_done = on_done};
    static const struct http_limits limits = {.head_timeout_ms = HEAD_MS,
                                              .idle_timeout_ms = IDLE_MS,
                                              .body_pause_ms = BODY_PAUSE_MS,
                                              .body_max = BODY_READ_MAX,
                                              .admission = &strangers};
    w->server =
        http_server_new(w->loop, group_listen_fd(w->self, "http"), NULL, &limits, &handler, w);
    if (w->server == NULL) {
        report(REPORT_ERROR, "no_server", "no memory for the HTTP server");
        loop_stop(w->loop);
        return;
    }
    group_ready(w->self);
}

/* --- life --- */

static void on_keeper_closed(void *ctx, struct ipc *line)
{
    struct worker *w = ctx;
    if (w->keeper == line)
        w->keeper = NULL;
    ipc_free(line);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_keeper_frame, .on_close = on_keeper_closed};
    struct worker *w = ctx;
    if (strncmp(name, "log", 3) != 0) {
        close(fd);
        return;
    }
    ipc_free(w->keeper);
    w->keeper = ipc_new(w->loop, fd, LINE_QUEUE, &ev, w);
    if (w->keeper != NULL && w->server == NULL)
        serve(w);
}

/* "reload", a line feed and the list of logs, which the parent has read and checked. */
static void on_command(void *ctx, uint64_t id, struct slice command)
{
    static const struct slice word = {(const uint8_t *)"reload\n", 7};
    struct worker *w = ctx;
    struct witness_logs *logs;
    struct diag d = {0};
    if (!slice_skip(&command, word)) {
        group_answer(w->self, id, EXIT_USE, SLICE_LIT("A worker takes no such command.\n"));
        return;
    }
    if (witness_logs_parse(command, &logs, &d) != 0) {
        report_diag(REPORT_ERROR, "reload", NULL, &d);
        group_answer(w->self, id, EXIT_NO, slice_str(d.text));
        return;
    }
    witness_logs_free(w->logs);
    w->logs = logs;
    tally_set(WITNESS_FACTS_LOGS, witness_logs_count(logs));
    group_answer(w->self, id, EXIT_DONE, SLICE_NONE);
}

static void on_stopped(void *ctx)
{
    struct worker *w = ctx;
    loop_stop(w->loop);
}

static void on_stop(void *ctx)
{
    struct worker *w = ctx;
    if (w->server == NULL) {
        loop_stop(w->loop);
        return;
    }
    http_server_stop(w->server, on_stopped, w);
    loop_timer_start(w->loop, STOP_MS, on_stopped, w);
}

static int begin(struct worker *w, const char *config_path, struct diag *d)
{
    int rc = witness_conf_read(config_path, &w->conf, d);
    rc = rc != 0 ? rc : witness_conf_vkey(&w->conf, &w->key, d);
    rc = rc != 0 ? rc : witness_logs_read(w->conf.logs, &w->logs, d);
    if (rc != 0)
        return rc;
    tally_set(WITNESS_FACTS_LOGS, witness_logs_count(w->logs));
    w->open = map_new(REQUESTS_MAX, 0);
    if (w->open == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for requests");
    /* Here the process narrows itself: from now on no files, only what was bound for it. */
    return sandbox_enter(SANDBOX_SERVER, NULL, d);
}

int witness_worker_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct worker w = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    buf_init(&w.frame, 4 * NOTE_MAX);
    buf_init(&w.lines, NOTE_MAX);
    int rc = begin(&w, config_path, &d);
    if (rc == 0) {
        group_begin(self, &events, &w);
        loop_run(w.loop);
    } else {
        report_diag(REPORT_ERROR, "start", NULL, &d);
    }
    http_server_free(w.server);
    ipc_free(w.keeper);
    map_free(w.open);
    witness_logs_free(w.logs);
    note_key_free(&w.key);
    buf_free(&w.frame);
    buf_free(&w.lines);
    witness_conf_free(&w.conf);
    return rc == 0 ? EXIT_DONE : EXIT_COULD_NOT;
}
