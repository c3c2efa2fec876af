#include "submit/courier.h"
#include "base/err.h"
#include "journal/heads.h"
#include "net/http_client.h"
#include "proc/report.h"
#include "submit/submit_frames.h"
#include "tlog/chain.h"
#include "tlog/head.h"
#include "wire/http_url.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX 1024
#define CONNECT_MS 5000
#define ANSWER_MS 40000 /* the ledger holds a request for up to 30 s */
#define HEAD_MAX 2048

struct courier {
    struct loop *loop;
    struct http_client *client;
    struct tls *tls; /* made when the first https address is used */
    char url[URL_MAX];
    struct policy *policy;
    bool policy_bad;
    struct http_call *call;
    struct ipc *line; /* whom the answer is for; NULL: gone */
    uint64_t id;
    struct buf request, body, frame;
    unsigned status;
};

struct courier *courier_new(struct loop *l)
{
    struct courier *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->loop = l;
    c->client = http_client_new(l, 1, 0);
    buf_init(&c->request, SUBMIT_REQUEST_MAX);
    buf_init(&c->body, HEADS_ANSWER_MAX);
    buf_init(&c->frame, HEADS_ANSWER_MAX + 64);
    if (c->client != NULL)
        return c;
    free(c);
    return NULL;
}

void courier_free(struct courier *c)
{
    if (c == NULL)
        return;
    http_client_free(c->client);
    tls_free(c->tls);
    policy_free(c->policy);
    buf_free(&c->request);
    buf_free(&c->body);
    buf_free(&c->frame);
    free(c);
}

int courier_configure(struct courier *c, struct slice url, struct slice policy, struct diag *d)
{
    struct policy *p = NULL;
    if (!slice_cstr(url, c->url, sizeof c->url))
        return diag_set(d, ERR_SYNTAX, "[ledger] url is too long");
    int rc = policy.n == 0 ? 0 : policy_parse(policy, &p, d);
    policy_free(c->policy);
    c->policy = rc == 0 ? p : NULL;
    c->policy_bad = rc != 0;
    return rc == 0 ? 0 : diag_where(d, "[ledger] policy");
}

/* --- the answer --- */

static void give(struct courier *c, unsigned status, struct slice text)
{
    struct submit_answer a = {.status = status, .text = text};
    c->call = NULL;
    if (c->line == NULL)
        return;
    buf_reset(&c->frame);
    submit_frames_put(&c->frame, &a);
    if (ipc_send(c->line, SUBMIT_ANSWER, 0, c->id, buf_view(&c->frame), -1, false) != 0)
        report(REPORT_ERROR, "ledger", "an answer of the ledger could not be handed on");
    c->line = NULL;
}

static void give_up(struct courier *c, unsigned status, const struct diag *why)
{
    char text[600];
    diag_print(why, text, sizeof text);
    give(c, status, slice_str(text));
}

/* Does each step of the answer lead to the next, up to a checkpoint that the policy believes? */
static int verify(struct courier *c, struct slice text, struct diag *d)
{
    struct chain_answer *a = malloc(sizeof *a);
    struct chain_verdict *v = malloc(sizeof *v);
    int rc = a == NULL || v == NULL ? diag_set(d, ERR_NOMEM, "no memory for the ledger's answer")
             : c->policy_bad        ? diag_set(d, ERR_SYNTAX, "[ledger] policy cannot be read")
                                    : chain_answer_parse(text, a, d);
    rc = rc != 0 ? rc : chain_answer_verify(a, c->policy, v, d);
    free(a);
    free(v);
    return rc;
}

static void on_end(void *ctx, struct http_call *call)
{
    struct courier *c = ctx;
    struct diag d = {0};
    (void)call;
    if (c->status == 200 && verify(c, buf_view(&c->body), &d) != 0)
        give_up(c, SUBMIT_BAD_ANSWER, &d);
    else
        give(c, c->status, buf_view(&c->body));
}

/* --- the request --- */

static void on_ready(void *ctx, struct http_call *call)
{
    struct courier *c = ctx;
    http_call_write(call, buf_view(&c->request));
    http_call_end(call);
}

static void on_head(void *ctx, struct http_call *call, const struct http_head *h)
{
    struct courier *c = ctx;
    (void)call;
    c->status = (unsigned)h->status;
}

static void on_body(void *ctx, struct http_call *call, struct slice piece)
{
    struct courier *c = ctx;
    struct diag d = {0};
    buf_slice(&c->body, piece);
    if (!c->body.failed)
        return;
    http_call_cancel(call);
    diag_set(&d, ERR_TOO_LARGE, "the ledger's answer is over %u bytes", HEADS_ANSWER_MAX);
    give_up(c, 0, &d);
}

static void on_error(void *ctx, struct http_call *call, const struct diag *why)
{
    struct courier *c = ctx;
    struct diag d = *why;
    (void)call;
    diag_where(&d, "%s", c->url);
    give_up(c, 0, &d);
}

static int put_head(struct courier *c, const struct http_url *u, struct buf *head, struct diag *d)
{
    bool v6 = slice_find(u->host, ':') != SIZE_MAX;
    struct slice path = u->path;
    while (slice_ends(path, "/"))
        path.n--;
    buf_printf(head,
               "POST %.*s/add-head HTTP/1.1\r\nHost: %s%.*s%s:%u\r\n"
               "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n",
               SLICE_ARG(path), v6 ? "[" : "", SLICE_ARG(u->host), v6 ? "]" : "", u->port,
               c->request.n);
    return head->failed ? diag_set(d, ERR_TOO_LARGE, "[ledger] url is too long") : 0;
}

static int post(struct courier *c, struct diag *d)
{
    static const struct http_call_events events = {.on_ready = on_ready,
                                                   .on_head = on_head,
                                                   .on_body = on_body,
                                                   .on_end = on_end,
                                                   .on_error = on_error};
    struct net_addr addr[HTTP_CLIENT_ADDRS_MAX];
    struct http_target t = {.addrs = addr,
                            .pool_key = slice_str(c->url),
                            .connect_timeout_ms = CONNECT_MS,
                            .response_timeout_ms = ANSWER_MS,
                            .repeatable = true};
    struct http_url u;
    struct buf head;
    char host[256];
    if (http_url_parse(slice_str(c->url), &u) != 0 || !slice_cstr(u.host, host, sizeof host))
        return diag_set(d, ERR_SYNTAX, "[ledger] url is no address http://host:port");
    int rc = net_addr_resolve(host, u.port, addr, HTTP_CLIENT_ADDRS_MAX, &t.n, d);
    if (rc == 0 && u.tls && c->tls == NULL &&
        (c->tls = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, d)) == NULL)
        rc = ERR_CRYPTO;
    t.tls = u.tls ? c->tls : NULL;
    t.server_name = u.tls && net_addr_parse(host, u.port, &addr[0]) != 0 ? host : NULL;
    buf_init(&head, HEAD_MAX);
    rc = rc != 0 ? rc : put_head(c, &u, &head, d);
    if (rc == 0) {
        c->call = http_call_start(c->client, &t, buf_view(&head), &events, c);
        rc = c->call == NULL ? diag_set(d, ERR_NOMEM, "no memory for a request") : 0;
    }
    buf_free(&head);
    return rc;
}

bool courier_frame(struct courier *c, struct ipc *line, const struct ipc_frame *f)
{
    struct diag d = {0};
    if (f->type != SUBMIT_HEAD)
        return false;
    if (c->call != NULL)
        http_call_cancel(c->call); /* whoever asks anew waits for that one no longer */
    c->call = NULL;
    c->line = line;
    c->id = f->id;
    c->status = 0;
    buf_reset(&c->body);
    buf_reset(&c->request);
    buf_slice(&c->request, f->body);
    int rc = c->request.failed ? diag_set(&d, ERR_TOO_LARGE, "a head is too large") : post(c, &d);
    if (rc != 0)
        give_up(c, 0, &d);
    return true;
}

void courier_forget(struct courier *c, const struct ipc *line)
{
    if (c->line != line)
        return;
    c->line = NULL;
    if (c->call != NULL)
        http_call_cancel(c->call);
    c->call = NULL;
}
