/*
 * A load generator: HTTP/1.1 over connections that send their next request when the response to the
 * last one is whole, kept alive or made anew for each. Prints one line of JSON:
 *     {"ok","errors","seconds","rate","p50_ms","p99_ms","max_ms"[,"first_error"]}
 * No two requests are the same: each has a number, which stands in its id and in its body. Only a
 * whole response of status 2xx, with --echo one that brings the very body back, is a success.
 */
#include "base/err.h"
#include "base/opt.h"
#include "latency.h"
#include "net/conn.h"
#include "proc/fs.h"
#include "wire/http.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NUMBER 20 /* bytes at the beginning of a body: the request's number */
#define CONNECTIONS_MAX 10000
#define VALUES_MAX (256u << 20)
#define HEAD_MAX (32u << 10)
#define BODY_MAX (64u << 20)
#define CONNECT_MS 10000
#define SILENCE_MS 60000
#define RETRY_MS 100 /* after a connection that failed */

struct load;

struct link {
    struct load *load;
    struct conn *conn;
    int64_t began_ns;
    uint64_t number; /* of the request in flight */
    bool in_flight, in_body, differs;
    struct buf raw; /* of a head that came in pieces */
    struct http_head head;
    struct http_chunked chunked;
    uint64_t left, got; /* bytes of the body */
};

struct load {
    struct loop *loop;
    struct net_addr addr;
    struct tls *tls;
    struct http_url url;
    const char *method, *headers[OPT_REPEAT_MAX + 1];
    const char *id;                            /* what ids begin with; NULL: none are sent */
    FILE *ids;                                 /* where those of successes go */
    struct buf before, after, values, request; /* what stands before and after {n} in a head */
    struct buf body; /* of every request, but for its first NUMBER bytes */
    bool vary, once, echo;
    size_t value_at;
    uint64_t requests_left; /* to be begun */
    uint64_t begun, ok, errors, running;
    struct latency latency;
    char first_error[512];
    struct link *links;
    size_t n_links;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- requests --- */

static struct slice next_value(struct load *l)
{
    struct slice all = buf_view(&l->values), line;
    do {
        if (l->value_at >= all.n)
            l->value_at = 0;
        struct slice rest = slice_from(all, l->value_at);
        size_t end = slice_find(rest, '\n');
        line = end == SIZE_MAX ? rest : slice_sub(rest, 0, end);
        l->value_at += line.n + 1;
        line = slice_trim(line);
    } while (line.n == 0); /* take_values made sure that there is one */
    return line;
}

static void finish_if_idle(struct load *l)
{
    if (l->running == 0)
        loop_stop(l->loop);
}

/* The bytes of the body with this number from `at` on, as far as they lie together. */
static struct slice body_from(const struct load *l, const char number[NUMBER + 1], uint64_t at)
{
    if (at < NUMBER)
        return slice_from(slice_of(number, l->body.n < NUMBER ? l->body.n : NUMBER), (size_t)at);
    return slice_from(buf_view(&l->body), (size_t)at);
}

static void number_text(uint64_t n, char out[NUMBER + 1])
{
    snprintf(out, NUMBER + 1, "%020llu", (unsigned long long)n);
}

static void begin_request(struct link *k)
{
    struct load *l = k->load;
    char number[NUMBER + 1];
    if (l->requests_left == 0) {
        conn_shutdown(k->conn);
        return;
    }
    l->requests_left--;
    k->in_flight = true;
    k->in_body = k->differs = false;
    k->got = 0;
    k->number = l->begun++;
    buf_reset(&k->raw);
    buf_reset(&l->request);
    buf_slice(&l->request, buf_view(&l->before));
    if (l->vary)
        buf_slice(&l->request, next_value(l));
    buf_slice(&l->request, buf_view(&l->after));
    if (l->id != NULL)
        buf_printf(&l->request, "X-Road-Id: %s%llu\r\n", l->id, (unsigned long long)k->number);
    buf_str(&l->request, "\r\n");
    number_text(k->number, number);
    buf_slice(&l->request, body_from(l, number, 0));
    buf_slice(&l->request, body_from(l, number, NUMBER));
    k->began_ns = now_ns();
    conn_write(k->conn, buf_view(&l->request));
}

static void error(struct load *l, const char *text)
{
    l->errors++;
    if (l->first_error[0] == 0)
        snprintf(l->first_error, sizeof l->first_error, "%s", text);
}

static void response_whole(struct link *k)
{
    struct load *l = k->load;
    uint64_t us = (uint64_t)(now_ns() - k->began_ns) / 1000;
    bool good = k->head.status >= 200 && k->head.status < 300;
    k->in_flight = false;
    if (good && l->echo && (k->differs || k->got != l->body.n)) {
        error(l, "the answer is not the body that was sent");
    } else if (good) {
        l->ok++;
        latency_add(&l->latency, us);
        if (l->ids != NULL)
            fprintf(l->ids, "%s%llu\n", l->id, (unsigned long long)k->number);
    } else {
        char text[64];
        snprintf(text, sizeof text, "status %d", k->head.status);
        error(l, text);
    }
    if (k->head.keep_alive && !l->once)
        begin_request(k);
    else
        conn_shutdown(k->conn); /* on_close opens another */
}

/* --- responses --- */

static void broken(struct link *k, const char *text)
{
    k->in_flight = false;
    error(k->load, text);
    conn_abort(k->conn);
}

static size_t read_head(struct link *k, struct slice data)
{
    struct diag d;
    size_t used = 0, before = k->raw.n;
    struct slice all = data;
    if (before > 0) {
        buf_slice(&k->raw, data);
        all = buf_view(&k->raw);
    }
    bool head = strcmp(k->load->method, "HEAD") == 0;
    if (k->raw.failed || http_parse_response(all, HEAD_MAX, head, &k->head, &used, &d) != 0) {
        broken(k, k->raw.failed ? "the response's head is too large" : d.text);
        return data.n;
    }
    if (used == 0) {
        if (before == 0)
            buf_slice(&k->raw, data);
        return data.n;
    }
    buf_reset(&k->raw);
    if (k->head.status >= 200) {
        k->in_body = true;
        k->left = k->head.length;
        http_chunked_init(&k->chunked);
    }
    return used - before;
}

/* Is this the next piece of what was sent? */
static void compare(struct link *k, struct slice piece)
{
    const struct load *l = k->load;
    char number[NUMBER + 1];
    number_text(k->number, number);
    while (l->echo && piece.n > 0 && !k->differs) {
        struct slice want = slice_sub(body_from(l, number, k->got), 0, piece.n);
        k->differs = want.n == 0 || memcmp(want.p, piece.p, want.n) != 0;
        k->got += want.n;
        piece = slice_from(piece, want.n);
    }
}

static size_t read_body(struct link *k, struct slice data)
{
    struct diag d;
    struct slice piece = data;
    size_t used = data.n;
    if (k->head.body == HTTP_BODY_LENGTH) {
        used = k->left < data.n ? (size_t)k->left : data.n;
        k->left -= used;
        piece = slice_sub(data, 0, used);
    } else if (k->head.body == HTTP_BODY_CHUNKED &&
               http_chunked_feed(&k->chunked, data, &used, &piece, &d) != 0) {
        broken(k, d.text);
        return data.n;
    }
    compare(k, piece);
    return used;
}

static bool body_over(const struct link *k)
{
    return k->head.body == HTTP_BODY_NONE || (k->head.body == HTTP_BODY_LENGTH && k->left == 0) ||
           (k->head.body == HTTP_BODY_CHUNKED && k->chunked.done);
}

static void on_data(void *ctx, struct slice data)
{
    struct link *k = ctx;
    while (data.n > 0 && k->in_flight) {
        size_t used = k->in_body ? read_body(k, data) : read_head(k, data);
        data = slice_from(data, used);
        if (k->in_flight && k->in_body && body_over(k))
            response_whole(k);
    }
}

static void on_open(void *ctx)
{
    struct link *k = ctx;
    conn_idle_timeout(k->conn, SILENCE_MS);
    begin_request(k);
}

static void on_eof(void *ctx)
{
    struct link *k = ctx;
    if (k->in_flight && k->in_body && k->head.body == HTTP_BODY_CLOSE)
        response_whole(k);
    else
        conn_shutdown(k->conn);
}

static void dial(void *ctx);

static void on_close(void *ctx, const struct diag *why)
{
    struct link *k = ctx;
    struct load *l = k->load;
    k->conn = NULL;
    bool failed = k->in_flight || why->code != 0;
    if (failed)
        error(l, why->code != 0 ? why->text : "the connection was closed before the response");
    k->in_flight = false;
    l->running--;
    if (l->requests_left == 0) {
        finish_if_idle(l);
        return;
    }
    l->running++;
    if (!failed || loop_timer_start(l->loop, RETRY_MS, dial, k) == NULL)
        loop_defer(l->loop, dial, k);
}

static const struct conn_events events = {
    .on_open = on_open, .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

/* k counts as running already. */
static void dial(void *ctx)
{
    struct link *k = ctx;
    struct load *l = k->load;
    k->conn = conn_connect(l->loop, &l->addr, l->tls, CONNECT_MS, &events, k);
    if (k->conn == NULL) {
        l->running--;
        finish_if_idle(l);
    }
}

/* What is in flight is waited for, so that each request has its answer and is counted. */
static void time_over(void *ctx)
{
    struct load *l = ctx;
    l->requests_left = 0;
}

/* --- options --- */

static int take_values(struct load *l, const char *path, struct diag *d)
{
    buf_init(&l->values, VALUES_MAX);
    int err = fs_read(path, &l->values, d);
    if (err == 0 && slice_trim(buf_view(&l->values)).n == 0)
        err = diag_set(d, ERR_USAGE, "%s has no values", path);
    return err;
}

static void make_request(struct load *l, uint64_t body_size)
{
    struct slice path = l->url.path, mark = SLICE_LIT("{n}");
    size_t at = l->vary ? slice_find_slice(path, mark) : SIZE_MAX;
    struct buf *b = &l->before;
    buf_init(&l->before, HEAD_MAX);
    buf_init(&l->after, HEAD_MAX);
    buf_init(&l->body, BODY_MAX);
    buf_init(&l->request, 3 * HEAD_MAX + BODY_MAX);
    buf_printf(b, "%s ", l->method);
    if (at != SIZE_MAX) {
        buf_slice(b, slice_sub(path, 0, at));
        path = slice_from(path, at + mark.n);
    }
    l->vary = at != SIZE_MAX;
    b = &l->after;
    buf_slice(b, path);
    buf_printf(b, " HTTP/1.1\r\nHost: %.*s:%u\r\n", SLICE_ARG(l->url.host), l->url.port);
    for (size_t i = 0; l->headers[i] != NULL; i++)
        buf_printf(b, "%s\r\n", l->headers[i]);
    if (l->once)
        buf_str(b, "Connection: close\r\n");
    if (body_size > 0 || strcmp(l->method, "POST") == 0 || strcmp(l->method, "PUT") == 0)
        buf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)body_size);
    for (uint64_t i = 0; i < body_size && !l->body.failed; i++)
        buf_byte(&l->body, (uint8_t)('a' + i * i % 25));
}

static int take_address(struct load *l, const char *url, struct diag *d)
{
    char host[256];
    size_t n;
    if (http_url_parse(slice_str(url), &l->url) != 0 || !slice_cstr(l->url.host, host, sizeof host))
        return diag_set(d, ERR_USAGE, "%s is no address http://host:port/path", url);
    if (l->url.tls) {
        l->tls = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, d);
        if (l->tls == NULL)
            return ERR_CRYPTO;
    }
    return net_addr_resolve(host, l->url.port, &l->addr, 1, &n, d);
}

static int run(struct load *l, double seconds, uint64_t connections, struct diag *d)
{
    l->loop = loop_new();
    l->links = calloc(connections, sizeof *l->links);
    if (l->loop == NULL || l->links == NULL || l->before.failed || l->after.failed ||
        l->body.failed)
        return diag_set(d, ERR_NOMEM, "out of memory");
    l->n_links = connections;
    if (seconds > 0)
        loop_timer_start(l->loop, (int64_t)(seconds * 1000), time_over, l);
    for (size_t i = 0; i < connections; i++) {
        l->links[i].load = l;
        buf_init(&l->links[i].raw, HEAD_MAX);
        l->running++;
        dial(&l->links[i]);
    }
    loop_run(l->loop);
    return 0;
}

static void print(const struct load *l, double seconds)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 4096);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_knum(&j, "ok", (int64_t)l->ok);
    json_knum(&j, "errors", (int64_t)l->errors);
    json_key(&j, "seconds");
    json_decimal(&j, seconds, 3);
    json_key(&j, "rate");
    json_decimal(&j, seconds > 0 ? (double)l->ok / seconds : 0, 1);
    json_key(&j, "p50_ms");
    json_decimal(&j, latency_percentile_ms(&l->latency, 50), 3);
    json_key(&j, "p99_ms");
    json_decimal(&j, latency_percentile_ms(&l->latency, 99), 3);
    json_key(&j, "max_ms");
    json_decimal(&j, (double)l->latency.max_us / 1000, 3);
    if (l->first_error[0] != 0)
        json_kstr(&j, "first_error", l->first_error);
    json_close(&j, '}');
    puts(buf_cstr(&b));
    buf_free(&b);
}

static void release(struct load *l)
{
    loop_free(l->loop);
    for (size_t i = 0; i < l->n_links; i++)
        buf_free(&l->links[i].raw);
    free(l->links);
    tls_free(l->tls);
    buf_free(&l->before);
    buf_free(&l->after);
    buf_free(&l->body);
    buf_free(&l->request);
    buf_free(&l->values);
    if (l->ids != NULL)
        fclose(l->ids);
}

static bool number(const char *text, uint64_t fallback, uint64_t max, uint64_t *out)
{
    *out = fallback;
    return text == NULL || (slice_u64(slice_str(text), out) && *out <= max);
}

static bool duration(const char *text, double fallback, double *out)
{
    char *end = NULL;
    *out = text == NULL ? fallback : strtod(text, &end);
    return text == NULL || (end != text && *end == 0 && *out > 0 && *out <= 86400);
}

static int fail(const struct diag *d, int code)
{
    char text[sizeof *d];
    diag_print(d, text, sizeof text);
    fprintf(stderr, "load: %s\n", text);
    return code;
}

int main(int argc, char **argv)
{
    static struct load l = {.method = "GET"};
    const char *url = NULL, *connections = NULL, *seconds = NULL, *requests = NULL, *header = NULL,
               *body = NULL, *vary = NULL, *values = NULL, *once = NULL, *echo = NULL, *ids = NULL;
    const struct opt opts[] = {
        {"--url", "URL", "where to; {n} in its path is replaced with --vary", &url, NULL},
        {"--connections", "N", "connections at once (default 8)", &connections, NULL},
        {"--seconds", "S", "stop after this time (default 10 without --requests)", &seconds, NULL},
        {"--requests", "N", "stop after so many requests", &requests, NULL},
        {"--header", "LINE", "a header line \"Name: value\"; repeatable", &header, l.headers},
        {"--method", "METHOD", "default GET", &l.method, NULL},
        {"--body-size", "BYTES", "a body of so many bytes", &body, NULL},
        {"--echo", NULL, "the answer must be the body that was sent", &echo, NULL},
        {"--close", NULL, "a connection for each request", &once, NULL},
        {"--id", "TEXT", "send X-Road-Id, TEXT and the request's number", &l.id, NULL},
        {"--ids", "FILE", "append the ids of successes to this file", &ids, NULL},
        {"--vary", NULL, "put a line of --values in the place of {n}, in turn", &vary, NULL},
        {"--values", "FILE", "one value a line", &values, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "load --url URL [options]",
        .text = "Sends requests, no two of them the same, and tells rate and latencies.\n"
                "Exit code 1 when there were errors or nothing succeeded.",
        .opts = opts,
    };
    struct diag d = {0};
    uint64_t n_connections, n_body;
    double n_seconds;
    char *args[argc + 1];
    int err = opt_parse(&cmd, argc, argv, args, &d);
    if (err == OPT_HELP) {
        struct buf help;
        buf_init(&help, 16384);
        opt_help(&cmd, &help);
        fputs(buf_cstr(&help), stdout);
        buf_free(&help);
        return EXIT_DONE;
    }
    if (err != 0)
        return fail(&d, EXIT_USE);
    bool ok = url != NULL && number(connections, 8, CONNECTIONS_MAX, &n_connections) &&
              n_connections > 0 && duration(seconds, requests == NULL ? 10 : 0, &n_seconds) &&
              number(requests, UINT64_MAX, UINT64_MAX, &l.requests_left) &&
              number(body, 0, BODY_MAX, &n_body) && (vary == NULL) == (values == NULL) &&
              (ids == NULL || l.id != NULL);
    if (!ok) {
        diag_set(&d, ERR_USAGE,
                 "--url is missing, a number is wrong, --vary is without --values or --ids "
                 "without --id; see --help");
        return fail(&d, EXIT_USE);
    }
    l.vary = vary != NULL;
    l.once = once != NULL;
    l.echo = echo != NULL;
    err = take_address(&l, url, &d);
    if (err == 0 && values != NULL)
        err = take_values(&l, values, &d);
    if (err == 0 && ids != NULL && (l.ids = fopen(ids, "a")) == NULL)
        err = diag_set(&d, ERR_IO, "%s cannot be written", ids);
    int64_t before = now_ns();
    if (err == 0) {
        make_request(&l, n_body);
        before = now_ns();
        err = run(&l, n_seconds, n_connections, &d);
    }
    double took = (double)(now_ns() - before) / 1e9;
    if (err == 0)
        print(&l, took);
    bool clean = l.ok > 0 && l.errors == 0;
    release(&l);
    return err != 0 ? fail(&d, EXIT_COULD_NOT) : clean ? EXIT_DONE : EXIT_NO;
}
