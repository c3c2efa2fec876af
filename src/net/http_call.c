#include "net/http_call.h"

#include "base/err.h"
#include "base/map.h"
#include "base/spare.h"
#include "net/http_client_int.h"
#include "wire/http_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 30000
#define REST_MAX (256u << 10) /* more than conn reads at once: reading stops when bytes wait */
#define REQUEST_MAX (64u << 10)
#define SPARE_MAX 64

enum state {
    START, /* at the end of the turn a connection is looked for */
    CONNECTING,
    JUDGING, /* on_connected was told, the answer is awaited */
    SENT,    /* the head went out (or waits in head_held); the response may come at any time */
    FAILED,  /* on_error is due at the end of the turn */
    DEAD,    /* over; memory goes at the end of the turn */
};

struct http_call {
    struct http_client *client;
    struct http_call *next, **at; /* among the client's calls, or the spare ones */
    struct http_pooled *link;
    const struct http_call_events *ev;
    void *ctx;
    enum state state;
    bool turn_queued;

    struct net_addr addrs[HTTP_CLIENT_ADDRS_MAX];
    size_t n_addrs, addr;
    struct tls *tls;
    struct buf key, request;
    char server_name[256];
    int64_t connect_ms, response_ms;
    bool repeatable, chunked_request;
    bool hold_head, head_held; /* wanted by the caller; not written yet */

    bool reused, repeated, got_byte;
    bool ended;       /* the request */
    bool ended_early; /* before on_ready: there is no body, also when the call is repeated */

    struct http_reply reply;
    bool paused;
    struct buf rest; /* received bytes that wait for http_call_resume */
    struct diag why;
};

static const struct conn_events link_events;
static void call_turn(void *ctx);

static void memory_free(struct http_call *c)
{
    buf_free(&c->key);
    buf_free(&c->request);
    http_reply_free(&c->reply);
    buf_free(&c->rest);
    free(c);
}

void http_call_free_spare(struct http_client *c)
{
    while (c->spare != NULL) {
        struct http_call *spare = c->spare;
        c->spare = spare->next;
        memory_free(spare);
    }
}

/* Parts call and connection; the connection is cut, or, when all is well with it, closed. */
static void part(struct http_call *c, bool cut)
{
    struct http_pooled *k = c->link;
    c->link = NULL;
    if (k == NULL)
        return;
    if (k->conn != NULL) {
        conn_rebind(k->conn, NULL, NULL);
        if (cut)
            conn_abort(k->conn);
        else
            conn_shutdown(k->conn);
    }
    free(k);
}

/* --- the end of calls --- */

static void queue_turn(struct http_call *c)
{
    if (c->turn_queued)
        return;
    c->turn_queued = true;
    loop_defer(c->client->loop, call_turn, c);
}

static void fail(struct http_call *c, const struct diag *why)
{
    part(c, true);
    c->state = FAILED;
    c->why = *why;
    queue_turn(c);
}

/* No callback comes after this; the memory is given back when nothing of ours is on the stack. */
static void die(struct http_call *c)
{
    c->state = DEAD;
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    queue_turn(c);
}

static void recycle(struct http_call *c)
{
    struct http_client *client = c->client;
    tls_free(c->tls);
    c->tls = NULL;
    spare_take(loop_spare(client->loop), &c->rest);
    if (client->freed || client->n_spare == SPARE_MAX) {
        memory_free(c);
    } else {
        c->next = client->spare;
        client->spare = c;
        client->n_spare++;
    }
    http_client_unref(client);
}

void http_call_cancel(struct http_call *c)
{
    if (c->state == DEAD)
        return;
    part(c, true);
    die(c);
}

/* The response is whole. */
static void complete(struct http_call *c, bool more_bytes)
{
    bool keep = c->reply.head.keep_alive && c->ended && c->reply.head.body != HTTP_BODY_CLOSE &&
                !more_bytes && c->key.n > 0 && !c->client->freed && c->client->idle_max > 0;
    if (keep) {
        http_client_idle_add(c->link);
        c->link = NULL;
    } else {
        part(c, !c->ended);
    }
    const struct http_call_events *ev = c->ev;
    die(c);
    if (ev->on_end != NULL)
        ev->on_end(c->ctx, c);
}

/* --- the start of calls --- */

static void write_head(struct http_call *c)
{
    c->head_held = false;
    conn_write(c->link->conn, buf_view(&c->request));
}

static void send_request(struct http_call *c)
{
    struct conn *conn = c->link->conn;
    c->state = SENT;
    c->got_byte = false;
    http_reply_start(&c->reply, slice_starts(buf_view(&c->request), "HEAD "));
    if (c->hold_head && !c->ended_early)
        c->head_held = true;
    else
        write_head(c);
    conn_idle_timeout(conn, c->response_ms);
    if (c->ended_early && c->chunked_request)
        conn_write(conn, SLICE_LIT("0\r\n\r\n"));
    if (c->ev->on_ready != NULL)
        c->ev->on_ready(c->ctx, c);
}

static void connect_next(struct http_call *c)
{
    struct diag d;
    struct http_pooled *k = malloc(sizeof *k + c->key.n);
    c->reused = false;
    c->state = CONNECTING;
    if (k != NULL) {
        *k = (struct http_pooled){.client = c->client, .call = c, .key_n = c->key.n};
        k->hash = map_hash(buf_view(&c->key), 0);
        if (k->key_n > 0)
            memcpy(k->key, c->key.p, k->key_n);
        k->conn = conn_connect(c->client->loop, &c->addrs[c->addr], c->tls, c->connect_ms,
                               &link_events, k);
    }
    if (k == NULL || k->conn == NULL) {
        free(k);
        diag_set(&d, ERR_NOMEM, "no memory for a connection");
        fail(c, &d);
        return;
    }
    if (c->server_name[0] != 0)
        conn_server_name(k->conn, c->server_name);
    c->link = k;
}

/* The next address is tried when nothing was sent. */
static void refused(struct http_call *c, const struct diag *why)
{
    if (c->addr + 1 >= c->n_addrs) {
        fail(c, why);
        return;
    }
    part(c, true);
    c->addr++;
    connect_next(c);
}

static void begin(struct http_call *c)
{
    struct diag d;
    struct http_pooled *k;
    if (c->n_addrs == 0) {
        diag_set(&d, ERR_USAGE, "no address to connect to");
        fail(c, &d);
        return;
    }
    while (c->key.n > 0 &&
           (k = http_client_idle_take(c->client, buf_view(&c->key), c->tls != NULL)) != NULL) {
        k->call = c;
        c->link = k;
        c->reused = true;
        if (c->ev->on_reuse == NULL || c->ev->on_reuse(c->ctx, c, k->conn)) {
            if (c->state == START)
                send_request(c);
            return;
        }
        if (c->state != START)
            return;
        part(c, false);
    }
    connect_next(c);
}

static void take_target(struct http_call *c, const struct http_target *t)
{
    c->n_addrs = t->n < HTTP_CLIENT_ADDRS_MAX ? t->n : HTTP_CLIENT_ADDRS_MAX;
    memcpy(c->addrs, t->addrs, c->n_addrs * sizeof *c->addrs);
    c->addr = 0;
    c->tls = t->tls != NULL ? tls_hold(t->tls) : NULL;
    c->connect_ms = t->connect_timeout_ms > 0 ? t->connect_timeout_ms : CONNECT_MS;
    c->response_ms = t->response_timeout_ms;
    c->repeatable = t->repeatable;
    c->hold_head = t->hold_head;
    c->head_held = false;
    c->server_name[0] = 0;
    if (t->server_name != NULL && strlen(t->server_name) < sizeof c->server_name)
        strcpy(c->server_name, t->server_name);
    buf_reset(&c->key);
    buf_slice(&c->key, t->pool_key);
}

static void take_head(struct http_call *c, struct slice head)
{
    struct slice line, rest = head;
    buf_reset(&c->request);
    buf_slice(&c->request, head);
    buf_str(&c->request, "\r\n");
    c->chunked_request = false;
    while (slice_next(&rest, '\n', &line))
        if (slice_istarts(line, "transfer-encoding:"))
            c->chunked_request = true;
}

static struct http_call *call_new(struct http_client *client)
{
    struct http_call *c = client->spare;
    if (c != NULL) {
        client->spare = c->next;
        client->n_spare--;
        return c;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    buf_init(&c->key, 4096);
    buf_init(&c->request, REQUEST_MAX);
    http_reply_init(&c->reply, HTTP_CLIENT_HEAD_MAX);
    buf_init(&c->rest, REST_MAX);
    return c;
}

struct http_call *http_call_start(struct http_client *client, const struct http_target *t,
                                  struct slice head, const struct http_call_events *ev, void *ctx)
{
    struct http_call *c = call_new(client);
    if (c == NULL)
        return NULL;
    c->client = client;
    client->refs++;
    c->ev = ev;
    c->ctx = ctx;
    c->state = START;
    c->link = NULL;
    c->repeated = c->reused = c->got_byte = c->ended = c->ended_early = c->paused = false;
    take_target(c, t);
    take_head(c, head);
    c->next = client->calls;
    c->at = &client->calls;
    if (c->next != NULL)
        c->next->at = &c->next;
    client->calls = c;
    queue_turn(c);
    if (c->request.failed || c->key.failed) {
        struct diag d;
        diag_set(&d, ERR_TOO_LARGE, "the request's head or the connection's key is too large");
        fail(c, &d);
    }
    return c;
}

/* --- responses --- */

static void broke(struct http_call *c, const struct diag *why)
{
    bool stale =
        c->reused && !c->got_byte && !c->repeated && c->repeatable && why->code != ERR_TIMEOUT;
    if (!stale) {
        fail(c, why);
        return;
    }
    part(c, true);
    c->repeated = true;
    c->ended = c->ended_early;
    c->addr = 0;
    connect_next(c);
}

/* Both return the bytes used. After an error the call is over. */
static size_t read_head(struct http_call *c, struct slice data)
{
    struct diag d;
    size_t used;
    if (http_reply_head(&c->reply, data, &used, &d) != 0) {
        fail(c, &d);
        return 0;
    }
    if (c->reply.in_body && c->ev->on_head != NULL)
        c->ev->on_head(c->ctx, c, &c->reply.head);
    return used;
}

static size_t read_body(struct http_call *c, struct slice data)
{
    struct diag d;
    struct slice piece;
    size_t used;
    if (http_reply_body(&c->reply, data, &used, &piece, &d) != 0) {
        fail(c, &d);
        return 0;
    }
    if (piece.n > 0 && c->ev->on_body != NULL)
        c->ev->on_body(c->ctx, c, piece);
    return used;
}

static void process(struct http_call *c, struct slice data)
{
    c->got_byte = c->got_byte || data.n > 0;
    while (c->state == SENT && !c->paused) {
        if (c->reply.in_body && http_reply_over(&c->reply)) {
            complete(c, data.n > 0);
            return;
        }
        if (data.n == 0)
            return;
        size_t used = c->reply.in_body ? read_body(c, data) : read_head(c, data);
        data = slice_from(data, used);
    }
    if (c->state != SENT || data.n == 0)
        return;
    spare_lend(loop_spare(c->client->loop), &c->rest);
    buf_slice(&c->rest, data);
    conn_pause(c->link->conn);
    if (c->rest.failed) {
        struct diag d;
        diag_set(&d, ERR_NOMEM, "no memory for a response's body");
        fail(c, &d);
    }
}

/* --- events of the connection --- */

static void on_open(void *ctx)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    c->state = JUDGING;
    if (c->ev->on_connected != NULL)
        c->ev->on_connected(c->ctx, c, k->conn);
    else
        send_request(c);
}

static void on_data(void *ctx, struct slice data)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    struct diag d;
    if (c == NULL) { /* nobody asked */
        http_client_idle_drop(k);
        return;
    }
    if (c->state != SENT || c->head_held) {
        diag_set(&d, ERR_INVALID_RESPONSE, "the server spoke before it was asked");
        fail(c, &d);
        return;
    }
    process(c, data);
}

static void on_drain(void *ctx)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    if (c != NULL && c->state == SENT && !c->ended && c->ev->on_drain != NULL)
        c->ev->on_drain(c->ctx, c);
}

static void on_eof(void *ctx)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    struct diag d;
    if (c == NULL) {
        http_client_idle_drop(k);
        return;
    }
    if (c->state == SENT && c->reply.in_body && c->reply.head.body == HTTP_BODY_CLOSE) {
        complete(c, false);
        return;
    }
    diag_set(&d, ERR_CLOSED, "the server closed the connection %s",
             c->reply.in_body && c->state == SENT ? "in the middle of the response"
                                                  : "before the response");
    broke(c, &d);
}

/* Silence: of the server, unless it is the caller who has more to send and does not. */
static bool on_idle(void *ctx)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    if (c == NULL) {
        http_client_idle_drop(k);
        return true;
    }
    return c->state == JUDGING || (!c->ended && conn_queued(k->conn) == 0);
}

static void on_close(void *ctx, const struct diag *why)
{
    struct http_pooled *k = ctx;
    struct http_call *c = k->call;
    struct diag d = *why;
    if (c == NULL) {
        http_client_idle_remove(k);
        free(k);
        return;
    }
    k->conn = NULL; /* gone by itself */
    if (d.code == 0)
        diag_set(&d, ERR_CLOSED, "the connection was closed");
    if (c->state == CONNECTING)
        refused(c, &d);
    else
        broke(c, &d);
}

static const struct conn_events link_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_eof = on_eof,
    .on_close = on_close,
    .on_idle = on_idle,
};

/* --- the end of the turn --- */

static void call_turn(void *ctx)
{
    struct http_call *c = ctx;
    c->turn_queued = false;
    if (c->state == START)
        begin(c);
    if (c->state == SENT && !c->paused && c->rest.n > 0) {
        struct buf mine = c->rest;
        buf_init(&c->rest, REST_MAX);
        process(c, buf_view(&mine));
        spare_take(loop_spare(c->client->loop), &mine);
    } else if (c->state == SENT && !c->paused && c->reply.in_body && http_reply_over(&c->reply)) {
        process(c, SLICE_NONE); /* it was paused at the very end */
    }
    if (c->state == SENT && !c->paused && c->rest.n == 0)
        conn_resume(c->link->conn);
    if (c->turn_queued)
        return;
    if (c->state == FAILED) {
        const struct http_call_events *ev = c->ev;
        die(c);
        if (ev->on_error != NULL)
            ev->on_error(c->ctx, c, &c->why);
    } else if (c->state == DEAD) {
        recycle(c);
    }
}

/* --- the caller calls --- */

void http_call_proceed(struct http_call *c)
{
    if (c->state == JUDGING)
        send_request(c);
}

void http_call_refuse(struct http_call *c, const struct diag *why)
{
    if (c->state == JUDGING)
        refused(c, why);
}

void http_call_write(struct http_call *c, struct slice piece)
{
    if (c->state != SENT || c->ended || piece.n == 0)
        return;
    struct conn *conn = c->link->conn;
    if (c->head_held)
        write_head(c);
    if (c->chunked_request) {
        char size[24];
        int n = snprintf(size, sizeof size, "%zx\r\n", piece.n);
        conn_write(conn, slice_of(size, (size_t)n));
    }
    conn_write(conn, piece);
    if (c->chunked_request)
        conn_write(conn, SLICE_LIT("\r\n"));
}

size_t http_call_queued(const struct http_call *c)
{
    return c->link != NULL && c->link->conn != NULL ? conn_queued(c->link->conn) : 0;
}

void http_call_end(struct http_call *c)
{
    if (c->ended || c->state >= FAILED)
        return;
    c->ended = true;
    if (c->state != SENT) {
        c->ended_early = true;
        return;
    }
    if (c->head_held)
        write_head(c);
    if (c->chunked_request)
        conn_write(c->link->conn, SLICE_LIT("0\r\n\r\n"));
    conn_idle_timeout(c->link->conn, c->response_ms);
}

void http_call_pause(struct http_call *c)
{
    c->paused = true;
    if (c->state == SENT)
        conn_pause(c->link->conn);
}

void http_call_resume(struct http_call *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (c->state == SENT)
        queue_turn(c);
}

struct conn *http_call_conn(struct http_call *c)
{
    return c->link != NULL ? c->link->conn : NULL;
}

struct slice http_call_raw_head(const struct http_call *c)
{
    return buf_view(&c->reply.raw);
}
