#include "ledger/aggregate_agent.h"
#include "base/err.h"
#include "base/opt.h"
#include "ledger/aggregate_conf.h"
#include "ledger/ledger_frames.h"
#include "net/http_client.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define ANSWER_MS 40000 /* longer than the one above waits for a round */
#define IDLE_CONNECTIONS 2

struct agent {
    struct group_self *self;
    struct loop *loop;
    struct aggregate_conf conf;
    struct http_client *client;
    struct http_url url;
    char host[256];
    struct tls *tls;
    struct net_addr addr[HTTP_CLIENT_ADDRS_MAX];
    size_t addrs;
    struct ipc *log;
    struct http_call *call;
    struct loop_timer *timer;
    uint64_t id;
    int status;
    struct buf note, body;
};

static void done(struct agent *a, int status, struct slice text)
{
    a->call = NULL;
    loop_timer_cancel(a->timer);
    a->timer = NULL;
    if (status == 0)
        a->addrs = 0; /* its name is looked up anew */
    if (a->log != NULL &&
        ipc_send(a->log, LEDGER_FRAME_HANDED, (uint16_t)status, a->id, text, -1, false) != 0)
        report(REPORT_ERROR, "agent", "an answer could not be handed to the log");
}

static void on_ready(void *ctx, struct http_call *c)
{
    struct agent *a = ctx;
    http_call_write(c, buf_view(&a->note));
    http_call_end(c);
}

static void on_head(void *ctx, struct http_call *c, const struct http_head *h)
{
    struct agent *a = ctx;
    (void)c;
    a->status = h->status;
}

static void on_body(void *ctx, struct http_call *c, struct slice piece)
{
    struct agent *a = ctx;
    buf_slice(&a->body, piece);
    if (!a->body.failed)
        return;
    http_call_cancel(c);
    done(a, 0, SLICE_LIT("the answer from above is longer than any answer may be"));
}

static void on_end(void *ctx, struct http_call *c)
{
    struct agent *a = ctx;
    (void)c;
    done(a, a->status, buf_view(&a->body));
}

static void on_error(void *ctx, struct http_call *c, const struct diag *why)
{
    (void)c;
    done(ctx, 0, slice_str(why->text));
}

static void on_timeout(void *ctx)
{
    struct agent *a = ctx;
    a->timer = NULL;
    http_call_cancel(a->call);
    done(a, 0, SLICE_LIT("the one above did not answer in time"));
}

static void start(struct agent *a)
{
    static const struct http_call_events events = {.on_ready = on_ready,
                                                   .on_head = on_head,
                                                   .on_body = on_body,
                                                   .on_end = on_end,
                                                   .on_error = on_error};
    struct http_target t = {.addrs = a->addr,
                            .n = a->addrs,
                            .tls = a->tls,
                            .pool_key = slice_str(a->host),
                            .connect_timeout_ms = CONNECT_MS,
                            .response_timeout_ms = ANSWER_MS,
                            .repeatable = true,
                            .server_name = a->tls != NULL ? a->host : NULL};
    struct slice prefix = a->url.path;
    bool v6 = strchr(a->host, ':') != NULL;
    struct buf head;
    while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    buf_init(&head, HTTP_CLIENT_HEAD_MAX);
    buf_printf(&head,
               "POST %.*s/add-aggregate HTTP/1.1\r\nHost: %s%s%s:%u\r\nContent-Length: %zu\r\n",
               SLICE_ARG(prefix), v6 ? "[" : "", a->host, v6 ? "]" : "", a->url.port, a->note.n);
    buf_reset(&a->body);
    a->status = 0;
    a->call = head.failed ? NULL : http_call_start(a->client, &t, buf_view(&head), &events, a);
    buf_free(&head);
    if (a->call == NULL)
        done(a, 0, SLICE_LIT("no memory for a request"));
    else
        a->timer = loop_timer_start(a->loop, ANSWER_MS, on_timeout, a);
}

/* --- lines --- */

static void on_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct agent *a = ctx;
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type != LEDGER_FRAME_HAND)
        return;
    if (a->call != NULL)
        http_call_cancel(a->call);
    a->call = NULL;
    loop_timer_cancel(a->timer);
    a->timer = NULL;
    a->id = f->id;
    buf_reset(&a->note);
    buf_slice(&a->note, f->body);
    if (a->addrs == 0 && net_addr_resolve(a->host, a->url.port, a->addr, HTTP_CLIENT_ADDRS_MAX,
                                          &a->addrs, NULL) != 0)
        done(a, 0, SLICE_LIT("the name of the one above has no address"));
    else
        start(a);
}

static void on_closed(void *ctx, struct ipc *line)
{
    struct agent *a = ctx;
    if (a->log == line)
        a->log = NULL;
    ipc_free(line);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_closed};
    struct agent *a = ctx;
    if (strcmp(name, "log") != 0) {
        close(fd);
        return;
    }
    ipc_free(a->log);
    a->log = ipc_new(a->loop, fd, 0, &ev, a);
    group_ready(a->self);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct agent *a = ctx;
    (void)command;
    group_answer(a->self, id, EXIT_DONE, SLICE_NONE);
}

static void on_stop(void *ctx)
{
    struct agent *a = ctx;
    loop_stop(a->loop);
}

static int prepare(struct agent *a, const char *config_path, struct diag *d)
{
    static const char *const none[] = {NULL};
    int rc = aggregate_conf_read(config_path, &a->conf, d);
    buf_init(&a->note, ENTRY_MAX);
    buf_init(&a->body, CHAIN_ANSWER_MAX);
    if (rc == 0 && (http_url_parse(slice_str(a->conf.upper), &a->url) != 0 ||
                    !slice_cstr(a->url.host, a->host, sizeof a->host)))
        rc = diag_set(d, ERR_SYNTAX, "[aggregate] upper is no address");
    if (rc == 0 && a->url.tls && (a->tls = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, d)) == NULL)
        rc = ERR_CRYPTO;
    a->client = http_client_new(a->loop, IDLE_CONNECTIONS, 0);
    if (rc == 0 && a->client == NULL)
        rc = diag_set(d, ERR_NOMEM, "no memory for the agent");
    /* Here the process narrows itself: TCP outwards, names, no files of ours. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_AGENT, none, d);
}

int aggregate_agent_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct agent a = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    if (prepare(&a, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &a);
    loop_run(a.loop);
    http_client_free(a.client);
    loop_timer_cancel(a.timer);
    ipc_free(a.log);
    tls_free(a.tls);
    buf_free(&a.note);
    buf_free(&a.body);
    aggregate_conf_free(&a.conf);
    return EXIT_DONE;
}
