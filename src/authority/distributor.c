#include "authority/distributor.h"
#include "authority/publish.h"
#include "authority/registrar.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "net/conn.h"
#include "net/http_server.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Older parts are kept for clients that are in the middle of a round. */
#define GENERATIONS 64
#define KEPT_MS 300000
#define KEPT_MAX (256u << 20)
#define FILES_MAX 16
#define SET_MAX (128u << 20)
#define PIECE (64u << 10)

/* Shared by the list and by the responses that are being sent from it. */
struct generation {
    unsigned refs;
    struct buf bytes;
    struct slice path[FILES_MAX], file[FILES_MAX];
    size_t n;
    int64_t until_ms; /* when the next one came, and so much longer; monotonic */
};

struct distributor {
    struct group_self *self;
    struct loop *loop;
    struct generation *g[GENERATIONS]; /* the newest first */
    size_t count;
    struct ipc *log;
    struct http_server *server;
};

/* A response: what is still to be sent, and whose it is. */
struct sending {
    struct generation *from;
    struct slice left;
};

/* --- generations --- */

static void generation_drop(struct generation *g)
{
    if (g == NULL || --g->refs > 0)
        return;
    buf_free(&g->bytes);
    free(g);
}

/* NULL when it is malformed, or without memory. */
static struct generation *generation_new(struct slice body)
{
    struct generation *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->refs = 1;
    g->until_ms = INT64_MAX;
    buf_init(&g->bytes, SET_MAX);
    buf_slice(&g->bytes, body);
    struct rd r = rd_of(buf_view(&g->bytes));
    uint32_t n = rd_u32(&r);
    for (; g->n < n && g->n < FILES_MAX; g->n++) {
        g->path[g->n] = rd_var(&r, 256);
        g->file[g->n] = rd_var(&r, SET_MAX);
    }
    if (!g->bytes.failed && g->n == n && rd_done(&r))
        return g;
    generation_drop(g);
    return NULL;
}

/* The oldest give way to the next: after their time, or when places or memory are at their end. */
static void put_first(struct distributor *t, struct generation *g)
{
    size_t keep = 0, kept = g->bytes.n;
    int64_t now = loop_mono_ms(t->loop);
    if (t->count > 0)
        t->g[0]->until_ms = now + KEPT_MS;
    while (keep < t->count && keep + 1 < GENERATIONS && t->g[keep]->until_ms > now &&
           kept + t->g[keep]->bytes.n <= KEPT_MAX)
        kept += t->g[keep++]->bytes.n;
    while (t->count > keep)
        generation_drop(t->g[--t->count]);
    memmove(t->g + 1, t->g, t->count * sizeof t->g[0]);
    t->g[0] = g;
    t->count++;
}

/* Of proofs only the newest generation's: an older one is of no directory that is served now. */
static bool find(struct distributor *t, struct slice path, struct sending *out)
{
    size_t last = slice_ends(path, PUBLISH_PROOF) && t->count > 1 ? 1 : t->count;
    for (size_t k = 0; k < last; k++)
        for (size_t i = 0; i < t->g[k]->n; i++)
            if (slice_eq(t->g[k]->path[i], path)) {
                *out = (struct sending){t->g[k], t->g[k]->file[i]};
                return true;
            }
    return false;
}

static void on_log_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct distributor *t = ctx;
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type != REGISTRAR_FRAME_SET)
        return;
    struct generation *g = generation_new(f->body);
    if (g == NULL) {
        report(REPORT_ERROR, "distributor", "a generation cannot be read");
        return;
    }
    if (g->n > 0)
        put_first(t, g);
    else
        generation_drop(g);
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

/* A piece at a time, as the client takes them: a slow one costs no copy of a whole file. */
static void send_more(struct sending *s, struct http_exchange *x)
{
    while (s->left.n > 0 && http_queued(x) < CONN_QUEUE_MARK) {
        http_write(x, slice_sub(s->left, 0, PIECE));
        s->left = slice_from(s->left, PIECE);
    }
    if (s->left.n == 0)
        http_end(x);
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    struct sending *s = ctx;
    if (s != NULL && s->left.n > 0)
        send_more(s, x);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct sending *s = ctx;
    (void)x;
    (void)aborted;
    if (s == NULL)
        return;
    generation_drop(s->from);
    free(s);
}

static void send_file(struct http_exchange *x, const struct sending *found, const char *type)
{
    char head[128];
    struct sending *s = malloc(sizeof *s);
    if (s == NULL) {
        http_reply(x, 503, "text/plain", SLICE_NONE, SLICE_LIT("no memory\n"));
        return;
    }
    *s = *found;
    s->from->refs++;
    http_exchange_set(x, s);
    snprintf(head, sizeof head, "Content-Type: %s\r\nCache-Control: no-cache\r\n", type);
    http_respond(x, 200, NULL, slice_str(head), HTTP_SEND_LENGTH, s->left.n);
    if (slice_eq_str(http_exchange_head(x)->method, "HEAD"))
        s->left.n = 0;
    send_more(s, x);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct distributor *t = ctx;
    const struct http_head *h = http_exchange_head(x);
    struct slice path, query;
    struct sending found;
    bool has_query;
    char name[128];
    http_target_split(h->target, &path, &query, &has_query);
    bool proof = slice_ends(path, PUBLISH_PROOF);
    struct slice what = slice_sub(path, 0, path.n - (proof ? strlen(PUBLISH_PROOF) : 0));
    bool directory = slice_eq_str(what, "/internalconf") || slice_eq_str(what, "/externalconf");
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
    if (find(t, directory ? slice_str(name) : slice_from(path, 1), &found))
        send_file(x, &found,
                  proof                      ? "text/plain"
                  : slice_ends(path, ".xml") ? "text/xml"
                                             : "application/octet-stream");
    else
        http_reply(x, 404, "text/plain", SLICE_NONE, SLICE_LIT("there is no such file here\n"));
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
    static const struct http_handler handler = {
        .on_request = on_request, .on_drain = on_drain, .on_done = on_done};
    static const struct http_limits limits = {.body_max = 1};
    struct distributor *t = calloc(1, sizeof *t);
    struct diag d = {0};
    (void)config_path;
    if (t == NULL)
        return EXIT_COULD_NOT;
    t->self = self;
    t->loop = group_loop(self);
    t->server = http_server_new(t->loop, group_listen_fd(self, "http"), NULL, &limits, &handler, t);
    /* Here the process narrows itself: it serves memory, and needs no files. */
    if (sandbox_enter(SANDBOX_SERVER, NULL, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, t);
    loop_run(t->loop);
    http_server_free(t->server);
    ipc_free(t->log);
    while (t->count > 0)
        generation_drop(t->g[--t->count]);
    free(t);
    return EXIT_DONE;
}
