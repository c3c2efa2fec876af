#include "registry/registry_worker.h"
#include "base/err.h"
#include "base/opt.h"
#include "net/http_server.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "registry/registry_api.h"
#include "registry/registry_conf.h"

#include <stdio.h>
#include <string.h>

/* A chunked body is read so far before the connection is cut; what is over REGISTRY_API_BODY_MAX is
 * dropped, and told. */
#define BODY_READ_MAX (4 * REGISTRY_API_BODY_MAX)

struct worker {
    struct loop *loop;
    struct registry_api *api;
    struct registry_reply reply; /* one at a time: an answer is made and sent in one go */
    struct http_server *server;
};

/* A request whose body is coming. */
struct pending {
    struct worker *w;
    struct buf body;
};

static void send_reply(struct worker *w, struct http_exchange *x)
{
    http_reply(x, w->reply.status, w->reply.content_type, buf_view(&w->reply.headers),
               buf_view(&w->reply.body));
}

static void refuse_large(struct worker *w)
{
    buf_reset(&w->reply.headers);
    registry_api_problem(&w->reply, 413, err_name(ERR_TOO_LARGE), "the body is over 16 KiB");
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct worker *w = server_ctx;
    const struct http_head *h = http_exchange_head(x);
    struct pending *p = arena_zalloc(http_exchange_arena(x), sizeof *p);
    if (p == NULL) {
        http_abort(x);
        return;
    }
    p->w = w;
    buf_init(&p->body, REGISTRY_API_BODY_MAX);
    http_exchange_set(x, p);
    if (h->body == HTTP_BODY_LENGTH && h->length > REGISTRY_API_BODY_MAX) {
        refuse_large(w);
        send_reply(w, x);
    }
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct pending *p = ctx;
    (void)x;
    buf_slice(&p->body, piece);
}

static void answer(struct worker *w, const struct http_head *h, struct slice body)
{
    struct registry_request q = {h->method, h->target, http_get(h, "Content-Type"), body};
    struct diag d = {0};
    if (registry_api_answer(w->api, &q, loop_wall_ms(w->loop), &w->reply, &d) != 0)
        report_diag(REPORT_ERROR, "request_failed", NULL, &d);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct pending *p = ctx;
    if (p->body.failed)
        refuse_large(p->w);
    else
        answer(p->w, http_exchange_head(x), buf_view(&p->body));
    send_reply(p->w, x);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct pending *p = ctx;
    (void)x;
    (void)aborted;
    if (p != NULL)
        buf_free(&p->body);
}

static void stopped(void *ctx)
{
    struct worker *w = ctx;
    loop_stop(w->loop);
}

static void on_stop(void *ctx)
{
    struct worker *w = ctx;
    http_server_stop(w->server, stopped, w);
}

/* From now on only the database's folder, no socket of its own. */
static int narrow(const char *database, struct diag *d)
{
    char folder[2048];
    const char *dirs[] = {folder, NULL};
    const char *slash = strrchr(database, '/');
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - database),
             slash == NULL ? "." : database);
    return sandbox_enter(SANDBOX_DATABASE, dirs, d);
}

static int open_api(struct worker *w, const char *config_path, struct diag *d)
{
    struct registry_conf c;
    struct people *p = NULL;
    int rc = registry_conf_read(config_path, &c, d);
    if (rc == 0)
        rc = people_open(c.database, DB_WRITE, &p, d);
    /* Here the process narrows itself. */
    if (rc == 0)
        rc = narrow(c.database, d);
    registry_conf_free(&c);
    if (rc != 0) {
        people_close(p);
        return rc;
    }
    w->api = registry_api_new(p, d);
    return w->api != NULL ? 0 : ERR_DATABASE;
}

static int serve(struct worker *w, struct group_self *self)
{
    static const struct http_handler handler = {.on_request = on_request,
                                                .on_body = on_body,
                                                .on_body_end = on_body_end,
                                                .on_done = on_done};
    static const struct http_limits limits = {.body_max = BODY_READ_MAX};
    static const struct group_events events = {.on_stop = on_stop};
    w->server = http_server_new(w->loop, group_listen_fd(self, REGISTRY_LISTEN), NULL, &limits,
                                &handler, w);
    if (w->server == NULL) {
        report(REPORT_ERROR, "no_server", "no memory for the HTTP server");
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, w);
    group_ready(self);
    loop_run(w->loop);
    http_server_free(w->server);
    return EXIT_DONE;
}

int registry_worker_run(struct group_self *self, const char *config_path)
{
    struct worker w = {.loop = group_loop(self)};
    struct diag d = {0};
    char role[64];
    snprintf(role, sizeof role, "registry/%s", group_name(self));
    report_open(role);
    if (open_api(&w, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start_failed", NULL, &d);
        return EXIT_COULD_NOT;
    }
    registry_reply_init(&w.reply);
    int code = serve(&w, self);
    registry_reply_free(&w.reply);
    registry_api_free(w.api);
    return code;
}
