#include "ledger/ledger_worker.h"
#include "base/err.h"
#include "base/opt.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_facts.h"
#include "ledger/ledger_files.h"
#include "ledger/ledger_frames.h"
#include "ledger/ledger_lists.h"
#include "ledger/ledger_page.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "tlog/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 30000
#define WAITING_MAX 100000 /* requests whose head waits for its round */

#define TEXT "text/plain; charset=utf-8"
#define PAGE_HEADERS                                                                               \
    SLICE_LIT("Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"                     \
              "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "           \
              "form-action 'self'; frame-ancestors 'none'\r\n")
#define NO_STORE SLICE_LIT("Cache-Control: no-store\r\n")

struct worker {
    struct group_self *self;
    struct loop *loop;
    struct ledger_lists lists;
    struct ledger_files *files; /* NULL: none are served */
    struct ipc *log;
    struct http_server *server;
    struct map *waiting; /* by id */
    uint64_t last_id;
    struct head_request *request; /* one at a time */
};

enum what {
    WHAT_FILE,
    WHAT_HEAD,
    WHAT_AGGREGATE,
};

/* One request. */
struct asked {
    struct worker *w;
    struct http_exchange *x;
    enum what what;
    struct buf body;
    struct ledger_sending *sending;
    uint64_t id; /* of the head that waits; 0: none */
    struct loop_timer *timer;
};

/* --- heads that wait --- */

static struct slice key_of(const struct asked *a)
{
    return slice_of(&a->id, sizeof a->id);
}

static void wait_no_more(struct asked *a)
{
    if (a->id != 0)
        map_remove(a->w->waiting, key_of(a));
    a->id = 0;
    loop_timer_cancel(a->timer);
    a->timer = NULL;
}

static void on_wait_over(void *ctx)
{
    struct asked *a = ctx;
    a->timer = NULL;
    wait_no_more(a);
    http_reply(a->x, 503, TEXT, NO_STORE,
               SLICE_LIT("the round is not published yet; hand the same head in again\n"));
}

static void say(struct asked *a, int status, const char *text)
{
    char line[600];
    tally_add(LEDGER_FACTS_HEAD_BAD, 1);
    snprintf(line, sizeof line, "%s\n", text);
    http_reply(a->x, status, TEXT, NO_STORE, slice_str(line));
}

/* Hands a head whose signature is verified to the log. */
static void hand_over(struct asked *a, const struct ledger_submission *s)
{
    struct worker *w = a->w;
    struct buf b;
    buf_init(&b, 8192);
    ledger_frames_put_head(&b, s);
    a->id = ++w->last_id;
    int rc = b.failed || w->log == NULL ? ERR_CLOSED : map_put(w->waiting, key_of(a), a);
    if (rc != 0)
        a->id = 0;
    rc = rc != 0 ? rc : ipc_send(w->log, LEDGER_FRAME_HEAD, 0, a->id, buf_view(&b), -1, false);
    buf_free(&b);
    if (rc == 0) {
        a->timer = loop_timer_start(w->loop, ANSWER_WAIT_MS, on_wait_over, a);
        return;
    }
    wait_no_more(a);
    http_reply(a->x, 503, TEXT, NO_STORE, SLICE_LIT("too many heads wait; try again\n"));
}

static void on_log_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct worker *w = ctx;
    struct asked *a = map_get(w->waiting, slice_of(&f->id, sizeof f->id));
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type != LEDGER_FRAME_ANSWER || a == NULL)
        return;
    wait_no_more(a);
    http_reply(a->x, f->flags, f->flags == 409 ? HEAD_SIZE_TYPE : TEXT, NO_STORE, f->body);
}

/* --- what is handed in --- */

static void take_head(struct asked *a)
{
    struct worker *w = a->w;
    struct head_request *r = w->request;
    struct ledger_submission s = {.kind = ENTRY_HEAD};
    struct diag d = {0};
    struct buf entry;
    if (head_request_parse(buf_view(&a->body), r, &d) != 0) {
        say(a, 400, d.text);
        return;
    }
    const struct note_key *key = ledger_lists_key(&w->lists, r->w.origin);
    int status = head_request_open(r, key, &d);
    if (status != 200) {
        say(a, status, d.text);
        return;
    }
    buf_init(&entry, ENTRY_MAX);
    entry_print(key, r->w.bytes, &entry);
    s.is_private = r->is_private;
    memcpy(s.salt, r->salt, ENTRY_SALT);
    s.old = r->w.old;
    s.n = r->w.n;
    memcpy(s.proof, r->w.proof, r->w.n * sizeof r->w.proof[0]);
    s.entry = buf_view(&entry);
    if (entry.failed)
        say(a, 400, "the head is too large");
    else
        hand_over(a, &s);
    buf_free(&entry);
}

/* The name in an aggregate note: its second line. */
static struct slice aggregate_name(struct slice body)
{
    struct slice name = SLICE_NONE;
    if (slice_skip(&body, SLICE_LIT(AGGREGATE_FIRST_LINE)))
        slice_next(&body, '\n', &name);
    return name;
}

static void take_aggregate(struct asked *a)
{
    struct ledger_submission s = {.kind = ENTRY_AGGREGATE};
    struct entry e;
    struct diag d = {0};
    struct buf entry;
    const struct note_key *key = ledger_lists_key(&a->w->lists, aggregate_name(buf_view(&a->body)));
    if (key == NULL) {
        say(a, 404, "this aggregator is not known here");
        return;
    }
    buf_init(&entry, ENTRY_MAX);
    entry_print(key, buf_view(&a->body), &entry);
    s.entry = buf_view(&entry);
    int rc = entry.failed ? diag_set(&d, ERR_TOO_LARGE, "the note is too large")
                          : entry_parse(s.entry, &e, &d);
    if (rc == 0 && e.kind != ENTRY_AGGREGATE)
        rc = diag_set(&d, ERR_SYNTAX, "this is no aggregate");
    if (rc != 0)
        say(a, 400, d.text);
    else if (entry_verify(&e, key, &d) != 0)
        say(a, 403, d.text);
    else
        hand_over(a, &s);
    buf_free(&entry);
}

/* --- requests --- */

/* The page, at "/" and "/?q=…". */
static bool is_page(struct slice target)
{
    return slice_eq_str(target, "/") || slice_starts(target, "/?");
}

static void show_page(struct asked *a, struct slice target)
{
    struct buf html;
    struct diag d = {0};
    buf_init(&html, LEDGER_PAGE_MAX);
    if (ledger_page_print(a->w->files, &a->w->lists, slice_from(target, 2),
                          loop_wall_ms(a->w->loop), &html, &d) == 0)
        http_reply(a->x, 200, "text/html; charset=utf-8", PAGE_HEADERS, buf_view(&html));
    else
        http_reply(a->x, 503, TEXT, NO_STORE, SLICE_LIT("the page cannot be made now\n"));
    buf_free(&html);
}

static enum what what_of(const struct http_head *h)
{
    if (slice_eq_str(h->target, "/add-head"))
        return WHAT_HEAD;
    return slice_eq_str(h->target, "/add-aggregate") ? WHAT_AGGREGATE : WHAT_FILE;
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct worker *w = ctx;
    const struct http_head *h = http_exchange_head(x);
    struct asked *a = calloc(1, sizeof *a);
    if (a == NULL) {
        http_reply(x, 503, TEXT, NO_STORE, SLICE_LIT("no memory\n"));
        return;
    }
    *a = (struct asked){.w = w, .x = x, .what = what_of(h)};
    buf_init(&a->body, HEAD_REQUEST_MAX);
    http_exchange_set(x, a);
    const char *method = a->what == WHAT_FILE ? "GET" : "POST";
    if (!slice_eq_str(h->method, method))
        http_reply(x, 405, TEXT,
                   a->what == WHAT_FILE ? SLICE_LIT("Allow: GET\r\nCache-Control: no-store\r\n")
                                        : SLICE_LIT("Allow: POST\r\nCache-Control: no-store\r\n"),
                   SLICE_LIT("not here\n"));
    else if (a->what == WHAT_FILE && w->files == NULL)
        http_reply(x, 404, TEXT, NO_STORE, SLICE_LIT("there are no files here\n"));
    else if (a->what == WHAT_FILE && is_page(h->target))
        show_page(a, h->target);
    else if (a->what == WHAT_FILE)
        a->sending = ledger_files_get(w->files, x, h->target);
    else
        tally_add(LEDGER_FACTS_HEAD_ASKED, 1);
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct asked *a = ctx;
    (void)x;
    if (a != NULL)
        buf_slice(&a->body, piece);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct asked *a = ctx;
    (void)x;
    if (a == NULL || a->what == WHAT_FILE || !slice_eq_str(http_exchange_head(x)->method, "POST"))
        return;
    if (a->body.failed)
        say(a, 413, "the request is too large");
    else if (a->what == WHAT_HEAD)
        take_head(a);
    else
        take_aggregate(a);
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    struct asked *a = ctx;
    if (a != NULL && a->sending != NULL)
        ledger_files_drain(a->sending, x);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct asked *a = ctx;
    (void)x;
    (void)aborted;
    if (a == NULL)
        return;
    wait_no_more(a);
    ledger_files_end(a->sending);
    buf_free(&a->body);
    free(a);
}

/* --- life --- */

static void on_log_closed(void *ctx, struct ipc *line)
{
    struct worker *w = ctx;
    if (w->log == line)
        w->log = NULL;
    ipc_free(line);
}

static void serve(struct worker *w)
{
    static const struct http_handler handler = {.on_request = on_request,
                                                .on_body = on_body,
                                                .on_body_end = on_body_end,
                                                .on_drain = on_drain,
                                                .on_done = on_done};
    static const struct http_limits limits = {.body_max = 4 * HEAD_REQUEST_MAX};
    w->server = http_server_new(w->loop, group_listen_fd(w->self, LEDGER_LISTEN), NULL, &limits,
                                &handler, w);
    if (w->server == NULL)
        report(REPORT_ERROR, "no_server", "no memory for the HTTP server");
    else
        group_ready(w->self);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_log_frame, .on_close = on_log_closed};
    struct worker *w = ctx;
    if (strcmp(name, "log") != 0) {
        close(fd);
        return;
    }
    ipc_free(w->log);
    w->log = ipc_new(w->loop, fd, 64u << 20, &ev, w);
    if (w->server == NULL)
        serve(w);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct worker *w = ctx;
    struct ledger_lists next;
    struct diag d = {0};
    struct slice word, packed = command;
    slice_next(&packed, '\n', &word);
    if (!slice_eq_str(word, "reload") || packed.p == NULL) {
        group_answer(w->self, id, EXIT_USE, SLICE_LIT("reload\n"));
    } else if (ledger_lists_parse(packed, NULL, &next, &d) != 0) {
        ledger_lists_free(&next);
        group_answer(w->self, id, EXIT_NO, slice_str(d.text));
    } else {
        ledger_lists_free(&w->lists);
        w->lists = next;
        group_answer(w->self, id, EXIT_DONE, SLICE_NONE);
    }
}

static void on_stopped(void *ctx)
{
    struct worker *w = ctx;
    loop_stop(w->loop);
}

/* Heads that wait get no answer now: their journals hand them in again. */
static void on_stop(void *ctx)
{
    struct worker *w = ctx;
    if (w->server == NULL || map_next(w->waiting, &(size_t){0}, &(struct slice){0}, &(void *){0}))
        loop_stop(w->loop);
    else
        http_server_stop(w->server, on_stopped, w);
}

static int prepare(struct worker *w, const struct ledger_worker_options *o, struct diag *d)
{
    char public[1200];
    const char *dirs[] = {o->dir != NULL ? public : NULL, NULL};
    struct buf packed;
    buf_init(&packed, LEDGER_LISTS_MAX);
    int rc = ledger_lists_pack(o->journals, o->policy, &packed, d);
    rc = rc != 0 ? rc : ledger_lists_parse(buf_view(&packed), NULL, &w->lists, d);
    buf_free(&packed);
    if (o->dir != NULL) {
        snprintf(public, sizeof public, "%s/public", o->dir);
        w->files = ledger_files_new(o->dir);
    }
    w->request = malloc(sizeof *w->request);
    w->waiting = map_new(WAITING_MAX, 0);
    if (rc == 0 &&
        ((o->dir != NULL && w->files == NULL) || w->request == NULL || w->waiting == NULL))
        rc = diag_set(d, ERR_NOMEM, "no memory for a worker");
    /* Here the process narrows itself: the public files, and those only to read. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_FILES, dirs, d);
}

int ledger_worker_serve(struct group_self *self, const struct ledger_worker_options *o)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct worker w = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    if (prepare(&w, o, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &w);
    loop_run(w.loop);
    http_server_free(w.server);
    ipc_free(w.log);
    map_free(w.waiting);
    ledger_files_free(w.files);
    ledger_lists_free(&w.lists);
    free(w.request);
    return EXIT_DONE;
}

int ledger_worker_run(struct group_self *self, const char *config_path)
{
    struct ledger_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (ledger_conf_read(config_path, &conf, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
    } else {
        struct ledger_worker_options o = {conf.journals, conf.policy, conf.dir};
        code = ledger_worker_serve(self, &o);
    }
    ledger_conf_free(&conf);
    return code;
}
