#include "net/http_fetch.h"

#include "base/err.h"
#include "net/http_client.h"

#include <string.h>

struct fetch {
    struct loop *loop;
    struct http_call *call;
    struct http_result *out;
    struct slice body;
    struct diag *d;
    int err;
};

static void on_ready(void *ctx, struct http_call *c)
{
    struct fetch *f = ctx;
    http_call_write(c, f->body);
    http_call_end(c);
}

static void on_head(void *ctx, struct http_call *c, const struct http_head *h)
{
    struct fetch *f = ctx;
    f->out->status = h->status;
    buf_slice(&f->out->head, http_call_raw_head(c));
}

static void stop(struct fetch *f, int err)
{
    f->err = err;
    f->call = NULL;
    loop_stop(f->loop);
}

static void on_body(void *ctx, struct http_call *c, struct slice piece)
{
    struct fetch *f = ctx;
    buf_slice(&f->out->body, piece);
    if (!f->out->body.failed)
        return;
    http_call_cancel(c);
    stop(f, diag_set(f->d, ERR_TOO_LARGE, "the response is larger than the %zu bytes allowed",
                     f->out->body.max));
}

static void on_end(void *ctx, struct http_call *c)
{
    (void)c;
    stop(ctx, 0);
}

static void on_error(void *ctx, struct http_call *c, const struct diag *why)
{
    struct fetch *f = ctx;
    (void)c;
    if (f->d != NULL)
        *f->d = *why;
    stop(f, why->code);
}

static void on_time(void *ctx)
{
    struct fetch *f = ctx;
    if (f->call != NULL)
        http_call_cancel(f->call);
    stop(f, diag_set(f->d, ERR_TIMEOUT, "the server did not answer in time"));
}

static const struct http_call_events fetch_events = {.on_ready = on_ready,
                                                     .on_head = on_head,
                                                     .on_body = on_body,
                                                     .on_end = on_end,
                                                     .on_error = on_error};

static void put_head(struct buf *b, const struct http_url *u, const char *method,
                     struct slice headers, struct slice body)
{
    bool v6 = slice_find(u->host, ':') != SIZE_MAX;
    buf_printf(b, "%s %.*s HTTP/1.1\r\nHost: %s%.*s%s:%u\r\nConnection: close\r\n", method,
               SLICE_ARG(u->path), v6 ? "[" : "", SLICE_ARG(u->host), v6 ? "]" : "", u->port);
    if (body.n > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
        buf_printf(b, "Content-Length: %zu\r\n", body.n);
    buf_slice(b, headers);
}

static int run(struct fetch *f, const struct http_target *t, struct slice head, int64_t timeout_ms)
{
    f->loop = loop_new();
    struct http_client *client = f->loop != NULL ? http_client_new(f->loop, 0, 0) : NULL;
    if (client != NULL)
        f->call = http_call_start(client, t, head, &fetch_events, f);
    if (f->call == NULL || loop_timer_start(f->loop, timeout_ms, on_time, f) == NULL)
        f->err = diag_set(f->d, ERR_NOMEM, "no memory for a request");
    else
        loop_run(f->loop);
    http_client_free(client);
    loop_free(f->loop);
    return f->err;
}

int http_fetch(const char *url, const char *method, struct slice headers, struct slice body,
               size_t max, int64_t timeout_ms, struct http_result *out, struct diag *d)
{
    struct http_url u;
    struct net_addr addrs[HTTP_CLIENT_ADDRS_MAX];
    struct http_target t = {.addrs = addrs, .connect_timeout_ms = timeout_ms};
    struct fetch f = {.out = out, .body = body, .d = d};
    struct net_addr numeric;
    struct buf head;
    char host[256];
    *out = (struct http_result){0};
    buf_init(&out->head, HTTP_CLIENT_HEAD_MAX);
    buf_init(&out->body, max);
    if (http_url_parse(slice_str(url), &u) != 0 || !slice_cstr(u.host, host, sizeof host))
        return diag_set(d, ERR_SYNTAX, "%s is no address http://host:port/path", url);
    int err = net_addr_resolve(host, u.port, addrs, HTTP_CLIENT_ADDRS_MAX, &t.n, d);
    if (err != 0)
        return err;
    if (u.tls) {
        t.tls = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, d);
        t.server_name = net_addr_parse(host, u.port, &numeric) == 0 ? NULL : host;
        if (t.tls == NULL)
            return ERR_CRYPTO;
    }
    buf_init(&head, HTTP_CLIENT_HEAD_MAX);
    put_head(&head, &u, method, headers, body);
    if (head.failed)
        err = diag_set(d, ERR_TOO_LARGE, "the request's head is too large");
    else
        err = run(&f, &t, buf_view(&head), timeout_ms);
    buf_free(&head);
    tls_free(t.tls);
    if (err != 0)
        http_result_free(out);
    return err;
}

void http_result_free(struct http_result *r)
{
    buf_free(&r->head);
    buf_free(&r->body);
}
