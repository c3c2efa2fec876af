#include "authority/distributor.h"
#include "authority/registrar.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "net/http_server.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GENERATIONS 64 /* older parts are kept for clients that are in the middle of a round */
#define KEPT_MAX (256u << 20)
#define FILES_MAX 16
#define SET_MAX (128u << 20)

struct generation {
    struct buf bytes;
    struct slice path[FILES_MAX], file[FILES_MAX];
    size_t n;
};

struct distributor {
    struct group_self *self;
    struct loop *loop;
    struct generation g[GENERATIONS];
    size_t newest, count;
    struct ipc *log;
    struct http_server *server;
};

/* --- generations --- */

static int take_set(struct generation *g, struct slice body)
{
    buf_reset(&g->bytes);
    buf_slice(&g->bytes, body);
    struct rd r = rd_of(buf_view(&g->bytes));
    uint32_t n = rd_u32(&r);
    g->n = 0;
    if (g->bytes.failed || n > FILES_MAX)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < n; i++) {
        g->path[i] = rd_var(&r, 256);
        g->file[i] = rd_var(&r, SET_MAX);
    }
    if (!rd_done(&r))
        return ERR_SYNTAX;
    g->n = n;
    return 0;
}

/* The oldest give way to the next: there is a place for it, and memory has a maximum. */
static void make_room(struct distributor *t, size_t bytes)
{
    size_t kept = bytes;
    for (size_t k = 0; k < t->count; k++) {
        kept += t->g[(t->newest + GENERATIONS - k) % GENERATIONS].bytes.n;
        if (k + 1 == GENERATIONS || kept > KEPT_MAX) {
            for (size_t i = k; i < t->count; i++)
                buf_free(&t->g[(t->newest + GENERATIONS - i) % GENERATIONS].bytes);
            t->count = k;
        }
    }
}

static struct slice find(const struct distributor *t, struct slice path)
{
    for (size_t k = 0; k < t->count; k++) {
        const struct generation *g = &t->g[(t->newest + GENERATIONS - k) % GENERATIONS];
        for (size_t i = 0; i < g->n; i++)
            if (slice_eq(g->path[i], path))
                return g->file[i];
    }
    return SLICE_NONE;
}

static void on_log_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct distributor *t = ctx;
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type != REGISTRAR_FRAME_SET)
        return;
    make_room(t, f->body.n);
    size_t next = t->count == 0 ? 0 : (t->newest + 1) % GENERATIONS;
    if (take_set(&t->g[next], f->body) != 0) {
        report(REPORT_ERROR, "distributor", "a generation cannot be read");
        return;
    }
    if (t->g[next].n > 0) {
        t->newest = next;
        t->count++;
    }
    group_ready(t->self); /* with what there is: perhaps nothing is signed yet */
}

static void on_log_closed(void *ctx, struct ipc *c)
{
    struct distributor *t = ctx;
    if (t->log == c)
        t->log = NULL;
    ipc_free(c);
}

/* --- HTTP --- */

/* Digits of the query parameter `version`; 2 when it is absent. */
static int version_of(struct slice query)
{
    struct slice item;
    uint64_t v;
    while (slice_next(&query, '&', &item))
        if (slice_starts(item, "version="))
            return slice_u64(slice_from(item, 8), &v) && v < 1000 ? (int)v : 0;
    return 2;
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct distributor *t = ctx;
    const struct http_head *h = http_exchange_head(x);
    struct slice path, query, bytes;
    bool has_query;
    char name[128];
    http_target_split(h->target, &path, &query, &has_query);
    bool directory = slice_eq_str(path, "/internalconf") || slice_eq_str(path, "/externalconf");
    if (!slice_eq_str(h->method, "GET") && !slice_eq_str(h->method, "HEAD")) {
        http_reply(x, 405, "text/plain", SLICE_LIT("Allow: GET, HEAD\r\n"),
                   SLICE_LIT("only GET is served here\n"));
        return;
    }
    if (slice_eq_str(path, "/healthz")) {
        http_reply(x, t->count > 0 ? 200 : 503, "text/plain", SLICE_NONE,
                   t->count > 0 ? SLICE_LIT("ready\n") : SLICE_LIT("nothing is signed yet\n"));
        return;
    }
    snprintf(name, sizeof name, "V%d%.*s", version_of(has_query ? query : SLICE_NONE),
             (int)(path.n > 100 ? 100 : path.n), (const char *)path.p);
    bytes = find(t, directory ? slice_str(name) : slice_from(path, 1));
    if (bytes.p == NULL)
        http_reply(x, 404, "text/plain", SLICE_NONE, SLICE_LIT("there is no such file here\n"));
    else
        http_reply(x, 200, slice_ends(path, ".xml") ? "text/xml" : "application/octet-stream",
                   SLICE_LIT("Cache-Control: no-cache\r\n"), bytes);
}

/* --- life --- */

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_log_frame, .on_close = on_log_closed};
    struct distributor *t = ctx;
    if (strncmp(name, "log", 3) != 0) {
        close(fd);
        return;
    }
    ipc_free(t->log);
    t->log = ipc_new(t->loop, fd, 0, &ev, t);
}

static void on_stop(void *ctx)
{
    struct distributor *t = ctx;
    loop_stop(t->loop);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct distributor *t = ctx;
    (void)command;
    group_answer(t->self, id, EXIT_DONE, SLICE_NONE);
}

int distributor_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    static const struct http_handler handler = {.on_request = on_request};
    static const struct http_limits limits = {.body_max = 1};
    struct distributor *t = calloc(1, sizeof *t);
    struct diag d = {0};
    (void)config_path;
    if (t == NULL)
        return EXIT_COULD_NOT;
    t->self = self;
    t->loop = group_loop(self);
    for (size_t i = 0; i < GENERATIONS; i++)
        buf_init(&t->g[i].bytes, SET_MAX);
    t->server = http_server_new(t->loop, group_listen_fd(self, "http"), NULL, &limits, &handler, t);
    /* Here the process narrows itself: it serves memory, and needs no files. */
    if (sandbox_enter(SANDBOX_WORKER, NULL, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, t);
    loop_run(t->loop);
    http_server_free(t->server);
    ipc_free(t->log);
    for (size_t i = 0; i < GENERATIONS; i++)
        buf_free(&t->g[i].bytes);
    free(t);
    return EXIT_DONE;
}
