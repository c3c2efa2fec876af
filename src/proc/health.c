#include "proc/health.h"

#include "base/err.h"
#include "base/opt.h"
#include "base/timeval.h"
#include "net/http_server.h"
#include "proc/health_int.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "wire/json.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (4u << 20)
#define CONNECTIONS_MAX 32
#define HEAD_MAX 4096
#define HEAD_MS 5000
#define IDLE_MS 30000

struct admin {
    struct group_self *self;
    const struct health_spec *spec;
    struct http_server *server;
};

/* --- judging --- */

int64_t health_now(const struct health_view *v)
{
    return v->now_ms;
}

/* "worker" is the name of "worker" and of "worker:1". */
static bool is_of(const char *process, const char *child)
{
    size_t n = strlen(child);
    return strncmp(process, child, n) == 0 && (process[n] == 0 || process[n] == ':');
}

const struct tally_page *health_page(const struct health_view *v, const char *child, size_t *at)
{
    while (*at < v->pages->n) {
        const struct group_process *p = &v->pages->at[(*at)++];
        if (p->page != NULL && (child == NULL || is_of(p->name, child)))
            return p->page;
    }
    return NULL;
}

void health_say(struct health_view *v, bool blocks, const char *state, int64_t since_ms,
                const char *fmt, ...)
{
    if (v->n == HEALTH_REASONS_MAX)
        return;
    struct health_reason *r = &v->reason[v->n++];
    va_list ap;
    *r = (struct health_reason){.part = v->part, .blocks = blocks, .since_ms = since_ms};
    snprintf(r->state, sizeof r->state, "%s", state);
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
}

void health_span(int64_t ms, char out[32])
{
    int64_t s = (ms < 0 ? -ms : ms) / 1000;
    if (s < 120)
        snprintf(out, 32, "%lld s", (long long)s);
    else if (s < 7200)
        snprintf(out, 32, "%lld min", (long long)s / 60);
    else if (s < 172800)
        snprintf(out, 32, "%lld h", (long long)s / 3600);
    else
        snprintf(out, 32, "%lld days", (long long)s / 86400);
}

bool health_ready(const struct health_view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->reason[i].blocks)
            return false;
    return true;
}

/* Does another process of the same name do the work? */
static bool is_replaced(const struct group_pages *p, size_t child)
{
    const char *name = p->at[child + 1].name, *colon = strchr(name, ':');
    char base[48];
    if (colon == NULL)
        return false;
    snprintf(base, sizeof base, "%.*s", (int)(colon - name), name);
    for (size_t i = 0; i + 1 < p->n; i++)
        if (i != child && is_of(p->at[i + 1].name, base) &&
            group_pages_get(p, i, GROUP_PAGES_READY) != 0)
            return true;
    return false;
}

static void judge_processes(struct health_view *v)
{
    const struct group_pages *p = v->pages;
    for (size_t i = 0; i + 1 < p->n; i++) {
        const char *name = p->at[i + 1].name;
        if (group_pages_get(p, i, GROUP_PAGES_READY) != 0 || is_of(name, "admin"))
            continue;
        bool blocks = !is_replaced(p, i);
        int64_t since = (int64_t)group_pages_get(p, i, GROUP_PAGES_SINCE);
        if (group_pages_get(p, i, GROUP_PAGES_PID) == 0)
            health_say(v, blocks, "down", since,
                       "The process %s is not running; it is started again by itself. When it does "
                       "not stay up, its last lines in the log say why.",
                       name);
        else
            health_say(v, blocks, "starting", since,
                       "The process %s runs, but is not ready yet: the other reasons here, or its "
                       "lines in the log, say what it waits for.",
                       name);
    }
}

static void judge(const struct admin *a, struct health_view *v)
{
    *v = (struct health_view){.spec = a->spec,
                              .pages = group_pages(a->self),
                              .now_ms = loop_wall_ms(group_loop(a->self))};
    v->part = "processes";
    judge_processes(v);
    for (size_t i = 0; i < a->spec->n_parts; i++) {
        v->part = a->spec->parts[i].name;
        a->spec->parts[i].judge(v);
    }
}

/* --- as JSON --- */

static void print_reason(struct json_out *j, const struct health_reason *r)
{
    char when[TIMEVAL_TEXT];
    json_open(j, '{');
    json_kstr(j, "part", r->part);
    json_kstr(j, "state", r->state);
    json_key(j, "blocks");
    json_bool(j, r->blocks);
    json_key(j, "since");
    if (r->since_ms > 0) {
        timeval_print_iso(r->since_ms, false, when);
        json_str(j, slice_str(when));
    } else {
        json_none(j);
    }
    json_kstr(j, "text", r->text);
    json_close(j, '}');
}

/* The part's first reason is its state. */
static void print_part(struct json_out *j, const struct health_view *v, const char *part)
{
    const char *state = "ok";
    for (size_t i = v->n; i-- > 0;)
        if (strcmp(v->reason[i].part, part) == 0)
            state = v->reason[i].state;
    json_open(j, '{');
    json_kstr(j, "part", part);
    json_kstr(j, "state", state);
    json_close(j, '}');
}

static void print_json(const struct health_view *v, struct buf *out)
{
    struct json_out j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_kstr(&j, "role", v->spec->role);
    json_key(&j, "ready");
    json_bool(&j, health_ready(v));
    json_key(&j, "reasons");
    json_open(&j, '[');
    for (size_t i = 0; i < v->n; i++)
        print_reason(&j, &v->reason[i]);
    json_close(&j, ']');
    json_key(&j, "parts");
    json_open(&j, '[');
    print_part(&j, v, "processes");
    for (size_t i = 0; i < v->spec->n_parts; i++)
        print_part(&j, v, v->spec->parts[i].name);
    json_close(&j, ']');
    json_close(&j, '}');
    buf_byte(out, '\n');
}

/* --- HTTP --- */

static void answer(const struct admin *a, struct http_exchange *x, struct slice path)
{
    static const char json[] = "application/json";
    struct slice extra = SLICE_LIT("Cache-Control: no-store\r\n");
    struct health_view *v = malloc(sizeof *v);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (v == NULL) {
        http_reply(x, 503, "text/plain", SLICE_NONE, SLICE_LIT("no memory\n"));
        return;
    }
    judge(a, v);
    int status = health_ready(v) ? 200 : 503;
    if (slice_eq_str(path, "/metrics")) {
        health_metrics(v, &out);
        http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", extra, buf_view(&out));
    } else if (slice_eq_str(path, "/healthz")) {
        print_json(v, &out);
        http_reply(x, status, json, extra, buf_view(&out));
    } else if (slice_eq_str(path, "/healthz/ready")) {
        http_reply(x, status, json, extra,
                   status == 200 ? SLICE_LIT("{\"ready\":true}\n")
                                 : SLICE_LIT("{\"ready\":false}\n"));
    } else if (slice_eq_str(path, "/healthz/live")) {
        http_reply(x, 200, json, extra, SLICE_LIT("{\"live\":true}\n"));
    } else {
        http_reply(x, 404, "text/plain", SLICE_NONE,
                   SLICE_LIT("/healthz, /healthz/live, /healthz/ready and /metrics are here\n"));
    }
    buf_free(&out);
    free(v);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    struct slice path, query;
    bool has_query;
    if (!slice_eq_str(h->method, "GET") && !slice_eq_str(h->method, "HEAD")) {
        http_reply(x, 405, "text/plain", SLICE_LIT("Allow: GET, HEAD\r\n"),
                   SLICE_LIT("only GET is served here\n"));
        return;
    }
    http_target_split(h->target, &path, &query, &has_query);
    answer(ctx, x, path);
}

/* --- life --- */

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct admin *a = ctx;
    struct health_view *v = NULL;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (slice_eq_str(command, "reload")) { /* it knows nothing of the configuration */
        group_answer(a->self, id, EXIT_DONE, SLICE_NONE);
    } else if ((v = malloc(sizeof *v)) == NULL) {
        group_answer(a->self, id, EXIT_COULD_NOT, SLICE_LIT("no memory\n"));
    } else if (slice_eq_str(command, "health")) {
        judge(a, v);
        print_json(v, &out);
        group_answer(a->self, id, health_ready(v) ? EXIT_DONE : EXIT_NO, buf_view(&out));
    } else if (slice_eq_str(command, "metrics")) {
        judge(a, v);
        health_metrics(v, &out);
        group_answer(a->self, id, EXIT_DONE, buf_view(&out));
    } else {
        group_answer(a->self, id, EXIT_USE, SLICE_LIT("health or metrics\n"));
    }
    buf_free(&out);
    free(v);
}

static void on_stop(void *ctx)
{
    struct admin *a = ctx;
    loop_stop(group_loop(a->self));
}

int health_run(struct group_self *self, const struct health_spec *spec)
{
    static const struct group_events events = {.on_command = on_command, .on_stop = on_stop};
    static const struct http_handler handler = {.on_request = on_request};
    static const struct http_limits limits = {.head_max = HEAD_MAX,
                                              .head_timeout_ms = HEAD_MS,
                                              .idle_timeout_ms = IDLE_MS,
                                              .body_max = 1,
                                              .connections_max = CONNECTIONS_MAX};
    struct admin a = {.self = self, .spec = spec};
    struct diag d = {0};
    int fd = group_listen_fd(self, HEALTH_LISTEN);
    if (fd >= 0)
        a.server = http_server_new(group_loop(self), fd, NULL, &limits, &handler, &a);
    /* Here the process narrows itself: it answers on what it was given, and can reach nothing. */
    if (sandbox_enter(SANDBOX_SERVER, NULL, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &a);
    group_ready(self);
    loop_run(group_loop(self));
    http_server_free(a.server);
    return EXIT_DONE;
}

/* --- where --- */

static bool is_loopback(const struct net_addr *a)
{
    if (a->sa.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
    return a->sa.ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

int health_addr(struct slice configured, struct slice beside, unsigned offset, struct net_addr *out,
                bool *on, struct diag *d)
{
    uint16_t port = (uint16_t)(HEALTH_PORT + offset);
    *on = !slice_eq_str(configured, "off");
    if (!*on)
        return 0;
    if (configured.n > 0)
        return net_addr_parse_text(configured, out, d);
    if (net_addr_parse_text(beside, out, NULL) != 0 || !is_loopback(out))
        return net_addr_parse("127.0.0.1", port, out);
    if (out->sa.ss_family == AF_INET)
        ((struct sockaddr_in *)&out->sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)&out->sa)->sin6_port = htons(port);
    return 0;
}
