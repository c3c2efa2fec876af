#include "gateway/consumer.h"
#include "base/err.h"
#include "gateway/facts.h"
#include "gateway/metadata_service.h"
#include "gateway/refusal.h"

#include <stdlib.h>
#include <string.h>

#define PROXY_VERSION "7.8.0" /* the level of the protocol that is spoken */
#define PART_MAX MESSAGE_PART_MAX
#define MESSAGE_OUT_MAX                                                                            \
    (MESSAGE_OCSP_MAX * MESSAGE_OCSP_BYTES + PART_MAX + MESSAGE_SIGNATURE_MAX +                    \
     2 * MESSAGE_CHAIN_MAX + 4 * BODY_MEMORY)
#define HURRY_MS 5000 /* to connect, where another server could be tried */

static void advance(struct consumer *c);

void consumer_free(struct consumer *c)
{
    if (c->call != NULL)
        http_call_cancel(c->call);
    peer_judge_cancel(c->judging);
    ask_cancel(c->w->ask, c->asked_sign);
    ask_cancel(c->w->ask, c->asked_log);
    body_free(&c->body);
    body_free(&c->resp_body);
    buf_free(&c->part);
    buf_free(&c->fault_xml);
    message_reader_free(c->reader);
    snapshot_unref(c->snap);
    free(c);
}

/* Gives a fault back, or cuts the connection when an answer has begun. */
static void give_fault(struct http_exchange *x, const struct fault *f)
{
    const struct http_head *h = http_exchange_head(x);
    struct buf accept, body, extra;
    struct slice value;
    const char *type;
    buf_init(&accept, HTTP_HEAD_MAX);
    buf_init(&body, 16384);
    buf_init(&extra, 1024);
    for (size_t at = 0; http_each(h, "accept", &at, &value);)
        buf_printf(&accept, "%s%.*s", accept.n > 0 ? ", " : "", SLICE_ARG(value));
    fault_to_rest(f, buf_view(&accept), &body, &type);
    buf_printf(&extra, "X-Road-Error: %s\r\n", f->code);
    http_reply(x, fault_http_status(f), type, buf_view(&extra), buf_view(&body));
    buf_free(&accept);
    buf_free(&body);
    buf_free(&extra);
}

static void stop_call(struct consumer *c)
{
    if (c->call != NULL)
        http_call_cancel(c->call);
    c->call = NULL;
    peer_judge_cancel(c->judging);
    c->judging = NULL;
    ask_cancel(c->w->ask, c->asked_sign);
    ask_cancel(c->w->ask, c->asked_log);
    c->asked_sign = c->asked_log = 0;
    c->call_over = true;
}

void consumer_pass_fault(struct consumer *c, const struct fault *f)
{
    stop_call(c);
    c->failed = true;
    if (c->replying) {
        http_abort(c->x);
        return;
    }
    c->replying = true;
    give_fault(c->x, f);
}

void consumer_fail_as(struct consumer *c, const char *phase, const struct diag *d)
{
    struct fault f;
    struct diag placed = *d;
    refusal_place(&placed, &c->req.client, &c->req.service);
    refusal_make(REFUSAL_CONSUMER, phase, &placed, &f);
    consumer_pass_fault(c, &f);
}

void consumer_fail(struct consumer *c, const struct diag *d)
{
    consumer_fail_as(c, NULL, d);
}

/* --- the information system: who is asking, may it --- */

static bool has_cert(const struct serverconf_client *cl, struct slice der)
{
    for (size_t i = 0; i < cl->n_certs; i++)
        if (slice_eq(cl->certs[i], der))
            return true;
    return false;
}

/* transport.md 9. */
static int authenticate(const struct serverconf_client *cl, struct conn *conn, struct slice name,
                        struct diag *d)
{
    struct slice chain[1];
    if (cl->connection == SERVERCONF_HTTP)
        return 0;
    if (!conn_is_tls(conn))
        return diag_set(d, ERR_SSL_AUTH,
                        "Client (%.*s) specifies HTTPS but made a plaintext connection",
                        SLICE_ARG(name));
    if (cl->connection == SERVERCONF_HTTPS)
        return 0;
    if (conn_peer_chain(conn, chain, 1) == 0)
        return diag_set(d, ERR_SSL_AUTH,
                        "Client (%.*s) specifies HTTPS with a certificate but did not supply a TLS "
                        "certificate",
                        SLICE_ARG(name));
    if (cl->n_certs == 0)
        return diag_set(d, ERR_SSL_AUTH, "Client (%.*s) has no IS certificates", SLICE_ARG(name));
    if (!has_cert(cl, chain[0]))
        return diag_set(d, ERR_SSL_AUTH,
                        "Client (%.*s) TLS certificate does not match any IS certificates",
                        SLICE_ARG(name));
    return 0;
}

static int check_client(struct consumer *c, struct diag *d)
{
    const struct serverconf_client *cl = serverconf_client(&c->snap->conf, &c->req.client);
    struct buf name;
    buf_init(&name, 2048);
    id_client_short(&name, &c->req.client);
    int rc;
    if (cl == NULL || !cl->registered)
        rc = diag_set(d, ERR_UNKNOWN_MEMBER, "Client '%s' not found", buf_cstr(&name));
    else
        rc = authenticate(cl, http_exchange_conn(c->x), buf_view(&name), d);
    buf_free(&name);
    return rc;
}

/* --- the call to the provider's server --- */

static void on_judged(void *ctx, const struct diag *why)
{
    struct consumer *c = ctx;
    c->judging = NULL;
    if (why == NULL) {
        http_call_proceed(c->call);
        return;
    }
    c->refused_by_us = true;
    c->refusal = *why;
    http_call_refuse(c->call, why);
}

static void on_connected(void *ctx, struct http_call *call, struct conn *conn)
{
    struct consumer *c = ctx;
    (void)call;
    c->judging = peer_judge(c->w, c->snap, conn, &c->req.service.provider, on_judged, c);
}

static bool on_reuse(void *ctx, struct http_call *call, struct conn *conn)
{
    struct consumer *c = ctx;
    (void)call;
    return peer_judge_again(c->w, c->snap, conn, &c->req.service.provider);
}

/* why: NULL when the provider's server was reached. */
static void note_reach(struct consumer *c, const char *why)
{
    struct buf name;
    buf_init(&name, 2048);
    id_client_short(&name, &c->req.service.provider);
    if (why == NULL)
        reach_good(&c->w->far, buf_view(&name));
    else
        reach_bad(&c->w->far, buf_view(&name), loop_wall_ms(c->w->loop), why);
    buf_free(&name);
}

static void on_ready(void *ctx, struct http_call *call)
{
    struct consumer *c = ctx;
    (void)call;
    c->connected = true;
    if (reach_any(&c->w->far))
        note_reach(c, NULL);
    advance(c);
}

static void on_call_drain(void *ctx, struct http_call *call)
{
    struct consumer *c = ctx;
    (void)call;
    if (!c->body_done)
        http_exchange_resume(c->x);
}

static void on_call_error(void *ctx, struct http_call *call, const struct diag *why)
{
    struct consumer *c = ctx;
    struct diag d = c->refused_by_us ? c->refusal : *why;
    (void)call;
    c->call = NULL;
    if (!c->connected)
        note_reach(c, d.text);
    if (c->refused_by_us || (!c->connected && d.code == ERR_SSL_AUTH)) {
        consumer_fail_as(c, REFUSAL_TLS, &d);
        return;
    }
    if (d.code == ERR_SYNTAX || d.code == ERR_TOO_LARGE)
        d.code = ERR_IO; /* no HTTP, or more of it than is read */
    if (!c->connected)
        diag_set(&d, ERR_NETWORK, "Could not connect to any target host: %s", why->text);
    bool inside = c->plain_fault || (c->reader != NULL && message_reader_inside(c->reader));
    consumer_fail_as(c, inside ? "service_failed" : NULL, &d); /* transport.md 7.2 */
}

static const struct http_call_events call_events = {
    .on_connected = on_connected,
    .on_reuse = on_reuse,
    .on_ready = on_ready,
    .on_drain = on_call_drain,
    .on_head = consumer_on_head,
    .on_body = consumer_on_body,
    .on_end = consumer_on_end,
    .on_error = on_call_error,
};

static int start_call(struct consumer *c, struct diag *d)
{
    struct net_addr addrs[PEER_ADDRS_MAX];
    size_t n;
    struct slice type = http_get(http_exchange_head(c->x), "content-type");
    char host[80];
    struct buf key;
    int rc =
        peer_addresses(c->w, c->snap, &c->req.service.provider,
                       c->req.has_security_server ? &c->req.security_server : NULL, addrs, &n, d);
    if (rc != 0)
        return rc;
    uint8_t random[30];
    worker_random(random, sizeof random);
    message_boundary(random, c->writer.boundary);
    net_addr_print(&addrs[0], host, sizeof host);
    buf_init(&key, 2048);
    peer_pool_key(addrs, n, &key);
    struct slice pool_key = arena_dup(c->a, buf_view(&key));
    buf_free(&key);
    char *head = arena_printf(
        c->a,
        "POST / HTTP/1.1\r\nHost: %s\r\n"
        "Content-Type: multipart/mixed; charset=UTF-8; boundary=%s\r\n"
        "Transfer-Encoding: chunked\r\nx-hash-algorithm: SHA-512\r\n"
        "x-proxy-version: " PROXY_VERSION "\r\nx-original-content-type: %.*s\r\n"
        "x-road-request-id: %s\r\nx-road-message-type: REST\r\n",
        n == 1 ? host : "localhost", c->writer.boundary, SLICE_ARG(type), c->request_id);
    if (head == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a request");
    struct http_target t = {.addrs = addrs,
                            .n = n,
                            .tls = c->w->peer_client,
                            .pool_key = pool_key,
                            .connect_timeout_ms = n > 1 ? HURRY_MS : peer_patience(c->snap),
                            .response_timeout_ms = c->snap->conf.peer_timeout_ms,
                            .hold_head = true,
                            .repeatable = false};
    c->call = http_call_start(c->w->peers, &t, slice_str(head), &call_events, c);
    return c->call != NULL ? 0 : diag_set(d, ERR_NOMEM, "no memory for a call");
}

/* --- signing and logging --- */

static void on_signed(void *ctx, const struct signer_result *r, const struct diag *why)
{
    struct consumer *c = ctx;
    struct diag d = {0};
    c->asked_sign = 0;
    if (why != NULL) {
        consumer_fail_as(c, "cannot_create_signature", why);
        return;
    }
    if (attest_document(c->snap, c->key, &c->part_digest, r, c->a, &c->signature, &d) != 0) {
        consumer_fail(c, &d);
        return;
    }
    c->signed_ = true;
    advance(c);
}

static int ask_for_signature(struct consumer *c, struct diag *d)
{
    c->asked_sign = attest_sign(c->w->ask, &c->req.client, c->snap->cert[c->key], &c->part_digest,
                                &c->body, on_signed, c, d);
    c->signing = true;
    return c->asked_sign != 0 ? 0 : ERR_IO;
}

static void on_logged(void *ctx, const struct diag *why)
{
    struct consumer *c = ctx;
    c->asked_log = 0;
    if (why != NULL) {
        consumer_fail_as(c, "logging_failed", why);
        return;
    }
    c->logged = true;
    advance(c);
}

static int ask_for_log(struct consumer *c, struct diag *d)
{
    const struct attest_record r = {.side = RECORD_CONSUMER,
                                    .time_ms = loop_wall_ms(c->w->loop),
                                    .party = &c->req.client,
                                    .id = c->req.id,
                                    .request_id = slice_str(c->request_id),
                                    .head = buf_view(&c->part),
                                    .signature = c->signature,
                                    .body = &c->body};
    c->asked_log = attest_log(c->w->ask, c->snap, &r, on_logged, c, d);
    return c->asked_log != 0 ? 0 : ERR_LOGGING_FAILED;
}

/* --- sending --- */

/* The snapshot whose certificate the connection shows: that of now, where the certificate changed
 * between the request's begin and the handshake. */
static const struct snapshot *shown(const struct consumer *c)
{
    const struct conn *conn = http_call_conn(c->call);
    bool newer = conn != NULL && !peer_was_shown(c->w, c->snap, conn) && c->w->snap != NULL &&
                 peer_was_shown(c->w, c->w->snap, conn);
    return newer ? c->w->snap : c->snap;
}

/* OCSP responses of the own TLS chain, then the REST part: everything before the body. */
static int put_front(struct consumer *c, struct buf *out, struct diag *d)
{
    const struct snapshot *s = shown(c);
    int auth = snapshot_auth_key(s);
    if (auth < 0 || s->ocsp[auth].n == 0)
        return diag_set(d, ERR_IO,
                        "there is no OCSP response for this server's authentication certificate");
    message_part(&c->writer, "application/ocsp-response", s->ocsp[auth], out);
    for (size_t i = 0; i < s->n_chain; i++)
        if (s->chain_ocsp[i].n > 0)
            message_part(&c->writer, "application/ocsp-response", s->chain_ocsp[i], out);
    message_part(&c->writer, "application/x-road-rest-request", buf_view(&c->part), out);
    if (c->body.present)
        message_part_begin(&c->writer, "application/x-road-rest-body", out);
    c->head_sent = true;
    return 0;
}

/* What has not been sent of the message. */
static int send_message(struct consumer *c, struct diag *d)
{
    struct buf *out = worker_scratch(MESSAGE_OUT_MAX);
    int rc = c->head_sent ? 0 : put_front(c, out, d);
    if (rc != 0)
        return rc;
    if (!c->sending && c->body.present)
        buf_slice(out, buf_view(&c->body.mem));
    if (c->signature.result.n > 0) {
        message_part(&c->writer, "application/hash-chain-result", c->signature.result, out);
        message_part(&c->writer, "application/hash-chain", c->signature.chain, out);
    }
    message_part(&c->writer, "signature/bdoc-1.0/ts", c->signature.document, out);
    message_finish(&c->writer, out);
    if (out->failed)
        return diag_set(d, ERR_TOO_LARGE, "the message is too large to be held");
    http_call_write(c->call, buf_view(out));
    http_call_end(c->call);
    c->sending = true;
    return 0;
}

/* A body that outgrew memory begins to flow: what was held goes first, then pieces as they come. */
static int begin_stream(struct consumer *c, struct diag *d)
{
    struct buf *out = worker_scratch(MESSAGE_OUT_MAX);
    int rc = put_front(c, out, d);
    if (rc != 0)
        return rc;
    http_call_write(c->call, buf_view(out));
    http_call_write(c->call, buf_view(&c->body.mem));
    body_stream(&c->body);
    c->sending = true;
    http_exchange_resume(c->x);
    return 0;
}

/* Does whatever can be done next; called after each thing that happened. */
static void advance(struct consumer *c)
{
    struct diag d = {0};
    int rc = 0;
    if (c->call_over || c->replying)
        return;
    if (!c->body_done) {
        if (c->connected && !c->sending && c->body.large)
            rc = begin_stream(c, &d);
    } else if (!c->signing) {
        rc = ask_for_signature(c, &d);
    } else if (c->signed_ && c->connected && !c->logged && c->asked_log == 0) {
        rc = ask_for_log(c, &d);
    } else if (c->logged) {
        rc = send_message(c, &d);
    }
    if (rc != 0)
        consumer_fail(c, &d);
}

/* --- the handler of 8080 and 8443 --- */

static int begin(struct consumer *c, struct diag *d)
{
    const struct http_head *h = http_exchange_head(c->x);
    char fallback[37];
    int rc = globalconf_check_valid(c->snap->gc, loop_wall_ms(c->w->loop), d);
    if (rc != 0)
        return rc;
    if (snapshot_auth_key(c->snap) < 0 || c->w->peer_client == NULL)
        return diag_set(d, ERR_SSL_AUTH, "Security server has no authentication certificate");
    worker_uuid(c->request_id);
    worker_uuid(fallback);
    rc = rest_request_from_http(c->a, h, c->request_id, globalconf_instance(c->snap->gc), fallback,
                                &c->req, d);
    rc = rc != 0 ? rc : check_client(c, d);
    if (rc != 0) {
        http_exchange_bad(c->x);
        return rc;
    }
    http_exchange_good(c->x);
    c->key = snapshot_sign_key(c->snap, &c->req.client, loop_wall_ms(c->w->loop), d);
    if (c->key < 0)
        return d->code;
    rest_request_print(&c->req, &c->part);
    if (c->part.failed)
        return diag_set(d, ERR_TOO_LARGE, "the request's head is too large");
    digest_of(DIGEST_SHA512, buf_view(&c->part), &c->part_digest);
    return start_call(c, d);
}

/* Held bodies need no spool here: beyond memory they flow to the peer, so the source only waits. */
static void on_request_spool(void *ctx)
{
    (void)ctx;
}

static void refuse_early(struct http_exchange *x, int code, const char *text)
{
    struct fault f;
    struct diag d = {0};
    diag_set(&d, code, "%s", text);
    refusal_make(REFUSAL_CONSUMER, NULL, &d, &f);
    give_fault(x, &f);
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct worker *w = server_ctx;
    const struct http_head *h = http_exchange_head(x);
    struct diag d = {0};
    if (w->snap == NULL || w->snap->gc == NULL || !ask_connected(w->ask)) {
        refuse_early(x, ERR_GC_OUTDATED,
                     "The global configuration has not been read yet: try again in a moment");
        return;
    }
    if (!slice_starts(h->target, "/r1/")) {
        if (metadata_service_local(w, x))
            return;
        http_exchange_bad(x);
        refuse_early(x, ERR_INVALID_REQUEST, "Only REST (/r1/…) and /listClients are served here");
        return;
    }
    struct consumer *c = calloc(1, sizeof *c);
    if (c == NULL) {
        refuse_early(x, ERR_NOMEM, "No memory for another request: try again");
        return;
    }
    c->w = w;
    c->snap = snapshot_ref(w->snap);
    c->x = x;
    c->a = http_exchange_arena(x);
    buf_init(&c->part, PART_MAX);
    buf_init(&c->fault_xml, PART_MAX);
    body_init(&c->body, w->ask, on_request_spool, c);
    body_init(&c->resp_body, w->ask, consumer_on_reply_spool, c);
    http_exchange_set(x, c);
    c->began_ms = loop_mono_ms(w->loop);
    facts_began(FACTS_CONSUMER);
    if (begin(c, &d) != 0)
        consumer_fail(c, &d);
}

/* Holds up to the memory limit without asking for a file; beyond it the body waits for the call. */
static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct consumer *c = ctx;
    struct diag d = {0};
    if (c == NULL || c->call_over || c->replying)
        return;
    if (body_take(&c->body, piece, &d) != 0) {
        consumer_fail(c, &d);
        return;
    }
    if (c->sending) {
        http_call_write(c->call, piece);
        if (http_call_queued(c->call) > CONN_QUEUE_MARK)
            http_exchange_pause(x);
        return;
    }
    if (!c->body.large)
        return;
    http_exchange_pause(x);
    advance(c);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct consumer *c = ctx;
    (void)x;
    if (c == NULL || c->call_over || c->replying)
        return;
    struct diag d = {0};
    c->body_done = true;
    if (body_finish(&c->body, &d) != 0)
        consumer_fail(c, &d);
    else
        advance(c);
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    struct consumer *c = ctx;
    (void)x;
    if (c != NULL && c->replying)
        consumer_pump_reply(c);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct consumer *c = ctx;
    (void)x;
    if (c == NULL)
        return;
    facts_ended(FACTS_CONSUMER, loop_mono_ms(c->w->loop) - c->began_ms, !c->failed, aborted);
    consumer_free(c);
}

const struct http_handler consumer_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_drain = on_drain,
    .on_done = on_done,
};
