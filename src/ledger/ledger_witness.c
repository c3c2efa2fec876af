#include "ledger/ledger_witness.h"
#include "base/err.h"
#include "ledger/ledger_facts.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_RETRY_MS 500
#define LAST_RETRY_MS 8000
#define RESOLVE_AGAIN_MS 30000
#define AHEAD_AGAIN_MS 10000
#define CHECKPOINT_BYTES (64u << 10)

enum step {
    STEP_IDLE,
    STEP_PROOF, /* waits for a proof */
    STEP_ASK,   /* add-checkpoint runs */
    STEP_SHOW,  /* it claims to be ahead: its checkpoint is fetched */
};

struct ledger_witness {
    struct loop *loop;
    struct http_client *client;
    const struct policy_witness *who;
    unsigned index;
    const struct ledger_asked *asked;
    int64_t timeout_ms;
    const struct ledger_witness_events *ev;
    void *ctx;

    struct http_url url;
    char host[256], pool[300];
    struct tls *tls;
    struct net_addr addr[HTTP_CLIENT_ADDRS_MAX];
    size_t addrs;
    int64_t resolved_ms;

    enum step step;
    uint64_t last;  /* size it last cosigned, as far as we know */
    bool corrected; /* it told its size once in this attempt */
    bool signed_it;
    uint64_t claims;
    int64_t ahead_ms; /* when its claim was last told */
    int64_t retry_ms;
    struct http_call *call;
    struct loop_timer *timer; /* of the call, or of the next try */
    int status;
    bool is_size; /* the answer's content type */
    struct buf request, body, lines;
};

static void ask(struct ledger_witness *w);

/* --- outcomes --- */

static void drop_call(struct ledger_witness *w)
{
    if (w->call != NULL)
        http_call_cancel(w->call);
    w->call = NULL;
    loop_timer_cancel(w->timer);
    w->timer = NULL;
    w->step = STEP_IDLE;
}

static void on_retry(void *ctx)
{
    struct ledger_witness *w = ctx;
    w->timer = NULL;
    w->corrected = false;
    ask(w);
}

static void fail(struct ledger_witness *w, const char *why)
{
    char text[TALLY_TEXT_MAX];
    drop_call(w);
    tally_add(LEDGER_FACTS_FAILED, 1);
    tally_add(LEDGER_FACTS_WITNESS_BAD + w->index, 1);
    snprintf(text, sizeof text, "%.*s: %s", SLICE_ARG(w->who->name), why);
    tally_text(LEDGER_FACTS_TEXT_WHY, slice_str(text));
    w->timer = loop_timer_start(w->loop, w->retry_ms, on_retry, w);
    w->retry_ms = 2 * w->retry_ms > LAST_RETRY_MS ? LAST_RETRY_MS : 2 * w->retry_ms;
}

static void succeed(struct ledger_witness *w)
{
    w->last = w->asked->size;
    w->signed_it = true;
    w->retry_ms = FIRST_RETRY_MS;
    tally_set(LEDGER_FACTS_WITNESS_OK + w->index, (uint64_t)loop_wall_ms(w->loop));
    tally_set(LEDGER_FACTS_WITNESS_BAD + w->index, 0);
    w->ev->on_line(w->ctx, w->index, buf_view(&w->lines));
}

/* --- calls --- */

static void on_ready(void *ctx, struct http_call *c)
{
    struct ledger_witness *w = ctx;
    if (w->step == STEP_ASK)
        http_call_write(c, buf_view(&w->request));
    http_call_end(c);
}

static void on_head(void *ctx, struct http_call *c, const struct http_head *h)
{
    struct ledger_witness *w = ctx;
    (void)c;
    w->status = h->status;
    w->is_size = slice_eq_str(http_get(h, "Content-Type"), "text/x.tlog.size");
}

static void on_body(void *ctx, struct http_call *c, struct slice piece)
{
    struct ledger_witness *w = ctx;
    (void)c;
    buf_slice(&w->body, piece);
    if (w->body.failed)
        fail(w, "its answer is longer than any answer may be");
}

static void start(struct ledger_witness *w, enum step step, const char *method, const char *path);

static void on_conflict(struct ledger_witness *w)
{
    char path[80];
    uint64_t size;
    if (!w->is_size || !witness_conflict_size(buf_view(&w->body), &size)) {
        fail(w, "it answered 409 without its size");
        return;
    }
    if (size > w->asked->size) {
        w->claims = size;
        path[0] = '/';
        witness_path(w->asked->origin, path + 1);
        start(w, STEP_SHOW, "GET", path);
    } else if (w->corrected) {
        w->last = size;
        fail(w, "it answered 409 twice");
    } else {
        w->last = size;
        w->corrected = true;
        ask(w);
    }
}

static void on_asked_end(struct ledger_witness *w)
{
    struct diag d = {0};
    char why[64];
    uint64_t time_s;
    buf_reset(&w->lines);
    if (w->status == 409) {
        on_conflict(w);
    } else if (w->status != 200) {
        snprintf(why, sizeof why, "it answered %d", w->status);
        fail(w, why);
    } else if (witness_answer_take(buf_view(&w->body), w->asked->text, &w->who->key, &w->lines,
                                   &time_s, &d) != 0) {
        fail(w, d.text);
    } else {
        succeed(w);
    }
}

static void on_end(void *ctx, struct http_call *c)
{
    struct ledger_witness *w = ctx;
    enum step step = w->step;
    (void)c;
    w->call = NULL;
    drop_call(w);
    if (step == STEP_ASK) {
        on_asked_end(w);
        return;
    }
    int64_t now = loop_mono_ms(w->loop);
    if (w->ahead_ms == 0 || now - w->ahead_ms > AHEAD_AGAIN_MS) {
        w->ahead_ms = now;
        w->ev->on_ahead(w->ctx, w->index, w->claims,
                        w->status == 200 ? buf_view(&w->body) : SLICE_NONE);
    }
    fail(w, "it says that it knows a larger tree");
}

static void on_error(void *ctx, struct http_call *c, const struct diag *why)
{
    struct ledger_witness *w = ctx;
    (void)c;
    w->call = NULL;
    fail(w, why->text);
}

static void on_timeout(void *ctx)
{
    struct ledger_witness *w = ctx;
    w->timer = NULL;
    fail(w, "it did not answer in time");
}

static bool resolve(struct ledger_witness *w)
{
    int64_t now = loop_mono_ms(w->loop);
    if (w->addrs > 0)
        return true;
    if (w->resolved_ms != 0 && now - w->resolved_ms < RESOLVE_AGAIN_MS)
        return false;
    w->resolved_ms = now;
    return net_addr_resolve(w->host, w->url.port, w->addr, HTTP_CLIENT_ADDRS_MAX, &w->addrs,
                            NULL) == 0;
}

static void start(struct ledger_witness *w, enum step step, const char *method, const char *path)
{
    static const struct http_call_events events = {.on_ready = on_ready,
                                                   .on_head = on_head,
                                                   .on_body = on_body,
                                                   .on_end = on_end,
                                                   .on_error = on_error};
    struct http_target t = {.addrs = w->addr,
                            .n = w->addrs,
                            .tls = w->tls,
                            .pool_key = slice_str(w->pool),
                            .connect_timeout_ms = w->timeout_ms,
                            .response_timeout_ms = w->timeout_ms,
                            .repeatable = true,
                            .server_name = w->tls != NULL ? w->host : NULL};
    struct slice prefix = w->url.path;
    struct buf head;
    bool v6 = slice_find(w->url.host, ':') != SIZE_MAX;
    while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    buf_init(&head, HTTP_CLIENT_HEAD_MAX);
    buf_printf(&head, "%s %.*s%s HTTP/1.1\r\nHost: %s%s%s:%u\r\n", method, SLICE_ARG(prefix), path,
               v6 ? "[" : "", w->host, v6 ? "]" : "", w->url.port);
    if (step == STEP_ASK)
        buf_printf(&head, "Content-Length: %zu\r\n", w->request.n);
    buf_reset(&w->body);
    w->status = 0;
    w->step = step;
    tally_add(LEDGER_FACTS_ASKED, 1);
    if (!head.failed)
        w->call = http_call_start(w->client, &t, buf_view(&head), &events, w);
    buf_free(&head);
    if (w->call == NULL)
        fail(w, "no memory for a request");
    else
        w->timer = loop_timer_start(w->loop, w->timeout_ms, on_timeout, w);
}

/* --- asking --- */

static void send_request(struct ledger_witness *w, uint64_t old, const struct merkle_hash *proof,
                         size_t n)
{
    buf_reset(&w->request);
    witness_request_print(old, proof, n, w->asked->note, &w->request);
    if (w->request.failed)
        fail(w, "the request is too large");
    else
        start(w, STEP_ASK, "POST", "/add-checkpoint");
}

static void ask(struct ledger_witness *w)
{
    if (w->asked->size == 0 || w->signed_it)
        return;
    if (!resolve(w)) {
        fail(w, "its name has no address");
        return;
    }
    uint64_t old = w->last < w->asked->size ? w->last : w->asked->size;
    if (old > 0 && old < w->asked->size) {
        w->step = STEP_PROOF;
        w->ev->on_proof(w->ctx, old);
    } else {
        send_request(w, old, NULL, 0);
    }
}

void ledger_witness_ask(struct ledger_witness *w)
{
    drop_call(w);
    w->signed_it = false;
    w->corrected = false;
    ask(w);
}

void ledger_witness_proof(struct ledger_witness *w, uint64_t older, const struct merkle_hash *proof,
                          size_t n)
{
    if (w->step == STEP_PROOF && w->last == older)
        send_request(w, older, proof, n);
}

/* --- life --- */

struct ledger_witness *ledger_witness_new(struct loop *l, struct http_client *client,
                                          const struct policy_witness *who, unsigned index,
                                          const struct ledger_asked *asked, int64_t timeout_ms,
                                          const struct ledger_witness_events *ev, void *ctx)
{
    struct ledger_witness *w = calloc(1, sizeof *w);
    struct diag d;
    if (w == NULL)
        return NULL;
    *w = (struct ledger_witness){.loop = l,
                                 .client = client,
                                 .who = who,
                                 .index = index,
                                 .asked = asked,
                                 .timeout_ms = timeout_ms,
                                 .ev = ev,
                                 .ctx = ctx,
                                 .retry_ms = FIRST_RETRY_MS};
    buf_init(&w->request, WITNESS_REQUEST_MAX);
    buf_init(&w->body, CHECKPOINT_BYTES);
    buf_init(&w->lines, WITNESS_ANSWER_MAX);
    if (http_url_parse(who->url, &w->url) != 0 ||
        !slice_cstr(w->url.host, w->host, sizeof w->host) ||
        (w->url.tls && (w->tls = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, &d)) == NULL)) {
        ledger_witness_free(w);
        return NULL;
    }
    snprintf(w->pool, sizeof w->pool, "%d %s:%u", w->url.tls, w->host, w->url.port);
    return w;
}

void ledger_witness_free(struct ledger_witness *w)
{
    if (w == NULL)
        return;
    drop_call(w);
    buf_free(&w->request);
    buf_free(&w->body);
    buf_free(&w->lines);
    tls_free(w->tls);
    free(w);
}
