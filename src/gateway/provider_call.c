#include "gateway/provider.h"
#include "base/err.h"
#include "xroad/metadata.h"

#include <string.h>

#define CALL_CHUNK (64u << 10)
#define CONNECT_MS 30000

static void sign(struct provider *p);
static void try_url(struct provider *p);

/* --- the answer: head part, body part, chain, signature --- */

static void begin_message(struct provider *p)
{
    uint8_t random[30];
    worker_random(random, sizeof random);
    message_boundary(random, p->writer.boundary);
}

static void respond_head(struct provider *p, enum http_framing framing, uint64_t length)
{
    char lines[256];
    snprintf(lines, sizeof lines,
             "Content-Type: multipart/mixed; charset=UTF-8; boundary=%s\r\n"
             "x-hash-algorithm: SHA-512\r\n",
             p->writer.boundary);
    http_respond(p->x, 200, NULL, slice_str(lines), framing, length);
}

/* A body that outgrew memory flows on as it comes; from here a fault is the last part. */
static void begin_stream(struct provider *p)
{
    struct buf *out = worker_scratch(MESSAGE_PART_MAX + 4096);
    begin_message(p);
    p->begun = true;
    respond_head(p, HTTP_SEND_CHUNKED, 0);
    message_part(&p->writer, "application/x-road-rest-response", buf_view(&p->resp_part), out);
    message_part_begin(&p->writer, "application/x-road-rest-body", out);
    http_write(p->x, buf_view(out));
    http_write(p->x, buf_view(&p->resp_body.mem));
    body_stream(&p->resp_body);
}

static int write_held_body(struct provider *p, struct buf *out, struct diag *d)
{
    uint8_t chunk[CALL_CHUNK];
    uint64_t at = 0;
    size_t n;
    if (body_in_memory(&p->resp_body)) {
        buf_slice(out, buf_view(&p->resp_body.mem));
        return 0;
    }
    do {
        int rc = body_read(&p->resp_body, at, chunk, sizeof chunk, &n, d);
        if (rc != 0)
            return rc;
        buf_add(out, chunk, n);
        at += n;
    } while (n > 0);
    return 0;
}

static void tail_parts(struct provider *p, struct buf *out)
{
    if (p->out.result.n > 0) {
        message_part(&p->writer, "application/hash-chain-result", p->out.result, out);
        message_part(&p->writer, "application/hash-chain", p->out.chain, out);
    }
    message_part(&p->writer, "signature/bdoc-1.0/ts", p->out.document, out);
    message_finish(&p->writer, out);
}

/* Signed and logged: give everything (or, when the body flowed already, the rest). */
static void send_answer(struct provider *p)
{
    struct diag d = {0};
    struct buf *out = worker_scratch((32u << 20) + MESSAGE_SIGNATURE_MAX);
    int rc = 0;
    if (!p->begun) {
        begin_message(p);
        message_part(&p->writer, "application/x-road-rest-response", buf_view(&p->resp_part), out);
        if (p->resp_body.present) {
            message_part_begin(&p->writer, "application/x-road-rest-body", out);
            rc = write_held_body(p, out, &d);
        }
    }
    tail_parts(p, out);
    if (rc == 0 && out->failed)
        rc = diag_set(&d, ERR_TOO_LARGE, "the answer is too large to be held");
    if (rc != 0) {
        provider_fail(p, NULL, &d);
        return;
    }
    p->over = true;
    if (!p->begun)
        respond_head(p, HTTP_SEND_LENGTH, out->n);
    http_write(p->x, buf_view(out));
    http_end(p->x);
}

/* --- signing and logging it --- */

static void on_logged(void *ctx, const struct diag *why)
{
    struct provider *p = ctx;
    p->asked_log = 0;
    if (why != NULL)
        provider_fail(p, "logging_failed", why);
    else
        send_answer(p);
}

static int ask_for_log(struct provider *p, struct diag *d)
{
    const struct attest_record r = {.side = RECORD_PROVIDER,
                                    .response = true,
                                    .keep = p->service != NULL && p->service->keep_bodies,
                                    .time_ms = loop_wall_ms(p->w->loop),
                                    .party = &p->req.service.provider,
                                    .id = p->req.id,
                                    .request_id = p->http_request_id,
                                    .head = buf_view(&p->resp_part),
                                    .signature = p->out,
                                    .body = &p->resp_body};
    p->asked_log = attest_log(p->w->ask, p->snap, &r, on_logged, p, d);
    return p->asked_log != 0 ? 0 : ERR_LOGGING_FAILED;
}

static void on_signed(void *ctx, const struct signer_result *r, const struct diag *why)
{
    struct provider *p = ctx;
    struct diag d = {0};
    p->asked_sign = 0;
    if (why != NULL)
        provider_fail(p, "cannot_create_signature", why);
    else if (attest_document(p->snap, p->key, &p->resp_digest, r, p->a, &p->out, &d) != 0)
        provider_fail(p, NULL, &d);
    else if (ask_for_log(p, &d) != 0)
        provider_fail(p, "logging_failed", &d);
}

static void sign(struct provider *p)
{
    struct diag d = {0};
    if (p->service != NULL && p->service->keep_bodies &&
        p->resp_body.size > p->snap->conf.body_max) {
        diag_set(&d, ERR_LOGGING_FAILED, "Message size exceeds maximum loggable size");
        provider_fail(p, "logging_failed", &d);
        return;
    }
    p->asked_sign = attest_sign(p->w->ask, &p->req.service.provider, p->snap->cert[p->key],
                                &p->resp_digest, &p->resp_body, on_signed, p, &d);
    if (p->asked_sign == 0)
        provider_fail(p, "cannot_create_signature", &d);
}

/* --- the information system's answer --- */

static int make_head(struct provider *p, const struct http_head *h, const struct digest *body,
                     struct diag *d)
{
    char hash[89];
    rest_request_hash(&p->part_digest, body, hash);
    int rc = rest_response_from_http(p->a, h, &p->req, p->http_request_id,
                                     arena_dup(p->a, slice_str(hash)), &p->resp, d);
    return rc;
}

static int print_head(struct provider *p, struct diag *d)
{
    rest_response_print(&p->resp, &p->resp_part);
    if (p->resp_part.failed)
        return diag_set(d, ERR_TOO_LARGE, "the provider's answer has too large a head");
    digest_of(DIGEST_SHA512, buf_view(&p->resp_part), &p->resp_digest);
    return 0;
}

/* why: NULL when the information system answered. */
static void note_reach(struct provider *p, const char *why)
{
    struct buf name;
    buf_init(&name, 2048);
    id_service_short(&name, &p->req.service);
    if (why == NULL)
        reach_good(&p->w->near, buf_view(&name));
    else
        reach_bad(&p->w->near, buf_view(&name), loop_wall_ms(p->w->loop), why);
    buf_free(&name);
}

static void on_head(void *ctx, struct http_call *call, const struct http_head *h)
{
    struct provider *p = ctx;
    struct diag d = {0};
    (void)call;
    if (reach_any(&p->w->near))
        note_reach(p, NULL);
    int rc = make_head(p, h, p->body.present ? &p->body.digest : NULL, &d);
    rc = rc != 0 ? rc : print_head(p, &d);
    p->resp_body.present = h->body != HTTP_BODY_NONE;
    if (rc != 0)
        provider_fail(p, NULL, &d);
}

static void on_body(void *ctx, struct http_call *call, struct slice piece)
{
    struct provider *p = ctx;
    struct diag d = {0};
    bool keep = p->service->keep_bodies;
    if (p->over)
        return;
    int rc = keep ? body_add(&p->resp_body, piece, &d) : body_take(&p->resp_body, piece, &d);
    if (rc == ERR_AGAIN) {
        http_call_pause(call);
        return;
    }
    if (rc == 0 && p->begun) {
        http_write(p->x, piece);
        if (http_queued(p->x) > CONN_QUEUE_MARK)
            http_call_pause(call);
    } else if (rc == 0 && !keep && p->resp_body.large) {
        begin_stream(p);
    }
    if (rc != 0)
        provider_fail(p, NULL, &d);
}

void provider_call_pump(struct provider *p)
{
    if (p->call != NULL)
        http_call_resume(p->call);
}

void provider_call_on_spool(void *ctx)
{
    struct provider *p = ctx;
    if (p->resp_body.failed.code != 0)
        provider_fail(p, NULL, &p->resp_body.failed);
    else if (p->call != NULL)
        http_call_resume(p->call);
}

static void on_end(void *ctx, struct http_call *call)
{
    struct provider *p = ctx;
    (void)call;
    p->call = NULL;
    if (p->over)
        return;
    struct diag d = {0};
    if (body_finish(&p->resp_body, &d) != 0)
        provider_fail(p, NULL, &d);
    else
        sign(p);
}

/* Nothing was sent yet: the next address is as good. */
static void on_error(void *ctx, struct http_call *call, const struct diag *why)
{
    struct provider *p = ctx;
    struct diag d = *why;
    (void)call;
    p->call = NULL;
    if (!p->call_sent && p->url + 1 < p->service->n_urls) {
        p->url++;
        try_url(p);
        return;
    }
    note_reach(p, why->text);
    if (d.code == ERR_CLOSED || d.code == ERR_EOF || d.code == ERR_TIMEOUT ||
        d.code == ERR_SYNTAX || d.code == ERR_TOO_LARGE)
        d.code = ERR_IO;
    provider_fail(p, NULL, &d);
}

/* --- asking the information system --- */

static void send_body(struct provider *p)
{
    uint8_t chunk[CALL_CHUNK];
    struct diag d = {0};
    size_t n = 1;
    if (p->call_at == UINT64_MAX)
        return;
    while (n > 0 && http_call_queued(p->call) < CONN_QUEUE_MARK) {
        if (body_read(&p->body, p->call_at, chunk, sizeof chunk, &n, &d) != 0) {
            provider_fail(p, NULL, &d);
            return;
        }
        p->call_at += n;
        if (n > 0)
            http_call_write(p->call, slice_of(chunk, n));
    }
    if (n == 0) {
        p->call_at = UINT64_MAX;
        http_call_end(p->call);
    }
}

static bool takes_body(struct slice verb)
{
    return slice_eq_str(verb, "POST") || slice_eq_str(verb, "PUT") || slice_eq_str(verb, "PATCH");
}

static void on_ready(void *ctx, struct http_call *call)
{
    struct provider *p = ctx;
    p->call_sent = true;
    if (takes_body(p->req.verb) && p->body.size > 0)
        send_body(p);
    else
        http_call_end(call);
}

static void on_drain(void *ctx, struct http_call *call)
{
    struct provider *p = ctx;
    (void)call;
    if (p->call != NULL && takes_body(p->req.verb))
        send_body(p);
}

/* An https provider must show one of the certificates stored for it. */
static void on_connected(void *ctx, struct http_call *call, struct conn *conn)
{
    struct provider *p = ctx;
    const struct serverconf_service *v = p->service;
    struct slice leaf;
    struct diag d = {0};
    bool good = !conn_is_tls(conn) || !v->verify_tls;
    if (!good && conn_peer_chain(conn, &leaf, 1) == 1)
        for (size_t i = 0; i < v->n_tls_certs; i++)
            good = good || slice_eq(v->tls_certs[i], leaf);
    if (good) {
        http_call_proceed(call);
        return;
    }
    diag_set(&d, ERR_SSL_AUTH,
             "The provider's TLS certificate is none of those stored for the service");
    http_call_refuse(call, &d);
}

static int request_head(struct provider *p, const struct http_url *u, struct buf *out,
                        struct diag *d)
{
    struct slice base = u->path, path = p->path;
    bool v6 = slice_find(u->host, ':') != SIZE_MAX;
    if (base.n > 0 && base.p[base.n - 1] == '/' && (path.n == 0 || path.p[0] == '/') && path.n > 0)
        base.n--;
    buf_printf(out, "%.*s %.*s%.*s", SLICE_ARG(p->req.verb), SLICE_ARG(base), SLICE_ARG(path));
    if (p->req.has_query)
        buf_printf(out, "?%.*s", SLICE_ARG(p->req.query));
    buf_printf(out, " HTTP/1.1\r\nHost: %s%.*s%s:%u\r\n", v6 ? "[" : "", SLICE_ARG(u->host),
               v6 ? "]" : "", u->port);
    int rc = rest_request_http_headers(&p->req, out);
    if (rc != 0)
        return diag_set(d, rc, "the message's headers cannot be given to the provider");
    if (takes_body(p->req.verb))
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)p->body.size);
    return out->failed ? diag_set(d, ERR_TOO_LARGE, "the request's head is too large") : 0;
}

static void try_url(struct provider *p)
{
    static const struct http_call_events ev = {.on_connected = on_connected,
                                               .on_ready = on_ready,
                                               .on_drain = on_drain,
                                               .on_head = on_head,
                                               .on_body = on_body,
                                               .on_end = on_end,
                                               .on_error = on_error};
    const struct serverconf_service *v = p->service;
    const struct http_url *u = &v->parsed[p->url];
    struct net_addr addrs[4];
    struct diag d = {0};
    struct buf head;
    char key[400];
    size_t n = snapshot_resolve(p->snap, u->host, u->port, addrs, ARRAY_LEN(addrs));
    if (n == 0) {
        if (p->url + 1 < v->n_urls) {
            p->url++;
            try_url(p);
            return;
        }
        diag_set(&d, ERR_UNKNOWN_HOST, "%.*s: unknown host", SLICE_ARG(u->host));
        provider_fail(p, NULL, &d);
        return;
    }
    buf_init(&head, 64u << 10);
    if (request_head(p, u, &head, &d) != 0) {
        buf_free(&head);
        provider_fail(p, NULL, &d);
        return;
    }
    snprintf(key, sizeof key, "%s:%.*s:%u:%llu", u->tls ? "s" : "p",
             (int)(u->host.n > 255 ? 255 : u->host.n), (const char *)u->host.p, u->port,
             u->tls ? (unsigned long long)(uintptr_t)v : 0ULL);
    bool repeatable = slice_eq_str(p->req.verb, "GET") || slice_eq_str(p->req.verb, "HEAD");
    struct http_target t = {.addrs = addrs,
                            .n = n,
                            .tls = u->tls ? p->w->edge_client : NULL,
                            .pool_key = u->tls ? SLICE_NONE : slice_str(key),
                            .connect_timeout_ms = CONNECT_MS,
                            .response_timeout_ms = v->timeout_ms,
                            .repeatable = repeatable};
    p->call = http_call_start(p->w->providers, &t, buf_view(&head), &ev, p);
    buf_free(&head);
    if (p->call == NULL) {
        diag_set(&d, ERR_NOMEM, "no memory for a call to the provider");
        provider_fail(p, NULL, &d);
    }
}

/* --- metadata services --- */

/* The request's headers echoed, the x-road ones, then the content type (messages.md 7.3). */
static void answer_metadata(struct provider *p, struct slice type, struct slice body)
{
    struct diag d = {0};
    char hash[89];
    rest_request_hash(&p->part_digest, NULL, hash);
    int rc = rest_response_echo(p->a, &p->req, p->http_request_id, arena_dup(p->a, slice_str(hash)),
                                type, &p->resp, &d);
    rc = rc != 0 ? rc : print_head(p, &d);
    rc = rc != 0 ? rc : body_take(&p->resp_body, body, &d);
    rc = rc != 0 ? rc : body_finish(&p->resp_body, &d);
    if (rc != 0) {
        provider_fail(p, NULL, &d);
        return;
    }
    p->resp_body.present = true;
    sign(p);
}

static void on_description_head(void *ctx, struct http_call *call, const struct http_head *h)
{
    struct provider *p = ctx;
    struct slice type = http_get(h, "content-type");
    struct diag d = {0};
    (void)call;
    p->fetched_json = slice_find_slice(type, SLICE_LIT("application/json")) != SIZE_MAX ||
                      slice_ends(p->service->description, ".json");
    if (h->status == 200)
        return;
    diag_set(&d, ERR_INTERNAL, "the service's description could not be fetched: status %d",
             h->status);
    provider_fail(p, NULL, &d);
}

static void on_description_body(void *ctx, struct http_call *call, struct slice piece)
{
    struct provider *p = ctx;
    (void)call;
    buf_slice(&p->fetched, piece);
}

static void on_description_end(void *ctx, struct http_call *call)
{
    struct provider *p = ctx;
    struct buf out;
    struct diag d = {0};
    (void)call;
    p->call = NULL;
    if (p->over)
        return;
    buf_init(&out, 4u << 20);
    int rc = p->fetched.failed ? diag_set(&d, ERR_TOO_LARGE, "the description is over 4 MiB")
                               : metadata_openapi(buf_view(&p->fetched), p->fetched_json, &out, &d);
    if (rc != 0) {
        d.code = ERR_INTERNAL;
        provider_fail(p, NULL, &d);
    } else {
        answer_metadata(
            p, p->fetched_json ? SLICE_LIT("application/json") : SLICE_LIT("application/x-yaml"),
            buf_view(&out));
    }
    buf_free(&out);
}

static void on_description_error(void *ctx, struct http_call *call, const struct diag *why)
{
    struct provider *p = ctx;
    struct diag d = {0};
    (void)call;
    p->call = NULL;
    diag_set(&d, ERR_INTERNAL, "the service's description could not be fetched: %s", why->text);
    provider_fail(p, NULL, &d);
}

static void fetch_description(struct provider *p)
{
    static const struct http_call_events ev = {.on_head = on_description_head,
                                               .on_body = on_description_body,
                                               .on_end = on_description_end,
                                               .on_error = on_description_error};
    struct http_url u;
    struct net_addr addrs[4];
    struct diag d = {0};
    size_t n = 0;
    if (http_url_parse(p->service->description, &u) == 0)
        n = snapshot_resolve(p->snap, u.host, u.port, addrs, ARRAY_LEN(addrs));
    char *head = arena_printf(p->a, "GET %.*s HTTP/1.1\r\nHost: %.*s:%u\r\nAccept: */*\r\n",
                              SLICE_ARG(u.path), SLICE_ARG(u.host), n == 0 ? 0 : u.port);
    if (n == 0 || head == NULL) {
        diag_set(&d, ERR_INTERNAL, "the service has no description that can be fetched");
        provider_fail(p, NULL, &d);
        return;
    }
    struct http_target t = {.addrs = addrs,
                            .n = n,
                            .tls = u.tls ? p->w->edge_client : NULL,
                            .connect_timeout_ms = CONNECT_MS,
                            .response_timeout_ms = CONNECT_MS};
    p->call = http_call_start(p->w->providers, &t, slice_str(head), &ev, p);
    if (p->call != NULL)
        http_call_end(p->call);
}

static void answer_locally(struct provider *p)
{
    struct diag d = {0};
    if (p->metadata == METADATA_GET_OPENAPI) {
        if (metadata_service_described(p->snap, &p->req, &p->service, &d) != 0)
            provider_fail(p, NULL, &d);
        else
            fetch_description(p);
        return;
    }
    struct buf out;
    buf_init(&out, 4u << 20);
    if (metadata_service_methods(p->snap, &p->req, p->metadata == METADATA_ALLOWED_METHODS, &out,
                                 &d) != 0)
        provider_fail(p, NULL, &d);
    else
        answer_metadata(p, SLICE_LIT("application/json"), buf_view(&out));
    buf_free(&out);
}

void provider_call_start(struct provider *p)
{
    struct diag d = {0};
    if (p->metadata != METADATA_NONE) {
        answer_locally(p);
        return;
    }
    if (p->service->n_urls == 0) {
        diag_set(&d, ERR_SERVICE_MISSING_URL, "the service has no address");
        provider_fail(p, NULL, &d);
        return;
    }
    p->url = 0;
    try_url(p);
}
