#include "gateway/provider.h"
#include "base/err.h"
#include "gateway/facts.h"
#include "gateway/peer_version.h"
#include "gateway/refusal.h"
#include "gateway/verdict.h"
#include "wire/uri.h"
#include "xroad/acl.h"
#include "xroad/trust.h"

#include <stdlib.h>
#include <string.h>

void provider_free(struct provider *p)
{
    if (p->call != NULL)
        http_call_cancel(p->call);
    ask_cancel(p->w->ask, p->asked_sign);
    ask_cancel(p->w->ask, p->asked_log);
    body_free(&p->body);
    body_free(&p->resp_body);
    buf_free(&p->resp_part);
    buf_free(&p->fetched);
    message_reader_free(p->reader);
    snapshot_unref(p->snap);
    free(p);
}

/* transport.md 7.1: before the answer began an HTTP 200 with the SOAP fault; afterwards its last
 * part. */
static void give_fault(struct http_exchange *x, struct provider *p, const struct fault *f)
{
    struct buf xml, out;
    buf_init(&xml, 16384);
    fault_to_soap(f, &xml);
    if (p == NULL || !p->begun) {
        if (p == NULL || !p->request_read)
            http_close_after(x);
        http_reply(x, 200, "text/xml;charset=utf-8", SLICE_LIT("SOAPAction: \r\n"), buf_view(&xml));
        buf_free(&xml);
        return;
    }
    buf_init(&out, 32768);
    message_part(&p->writer, "text/xml; charset=UTF-8", buf_view(&xml), &out);
    message_finish(&p->writer, &out);
    http_close_after(x);
    http_write(x, buf_view(&out));
    http_end(x);
    buf_free(&out);
    buf_free(&xml);
}

void provider_fail(struct provider *p, const char *phase, const struct diag *d)
{
    struct fault f;
    struct diag placed = *d;
    if (p->over)
        return;
    p->over = p->failed = true;
    if (p->call != NULL)
        http_call_cancel(p->call);
    p->call = NULL;
    ask_cancel(p->w->ask, p->asked_sign);
    ask_cancel(p->w->ask, p->asked_log);
    p->asked_sign = p->asked_log = 0;
    refusal_place(&placed, &p->req.client, &p->req.service);
    refusal_make(REFUSAL_PROVIDER, phase, &placed, &f);
    give_fault(p->x, p, &f);
}

/* --- judging the peer and the message's head --- */

static int judge_peer(struct provider *p, struct diag *d)
{
    struct conn *conn = http_exchange_conn(p->x);
    struct slice der[MESSAGE_OCSP_MAX];
    struct cert *chain[MESSAGE_OCSP_MAX];
    struct digest key;
    int64_t now = loop_wall_ms(p->w->loop), until = 0;
    if (p->n_ocsp == 0)
        return diag_set(d, ERR_SSL_AUTH,
                        "Cannot verify TLS certificate, corresponding OCSP response is missing");
    verdict_key(&p->req.client, p->ocsp, p->n_ocsp, &key);
    if (verdict_good(conn, p->snap->generation, &key, now))
        return 0;
    size_t n = conn_peer_chain(conn, der, MESSAGE_OCSP_MAX), have = 0;
    int rc = n == 0 ? diag_set(d, ERR_SSL_AUTH, "the peer showed no TLS certificate") : 0;
    for (; rc == 0 && have < n; have++) {
        chain[have] = cert_parse(der[have], d);
        if (chain[have] == NULL)
            rc = diag_set(d, ERR_SSL_AUTH, "the peer's TLS certificate cannot be read");
        if (rc != 0)
            break;
    }
    if (rc == 0)
        rc = verdict_auth_chain(p->w->chains, p->snap->generation, p->snap->gc,
                                p->req.client.instance, chain, have, p->ocsp, p->n_ocsp,
                                &p->req.client, now, &until, d);
    if (rc == 0)
        verdict_remember(conn, p->snap->generation, &key, until);
    for (size_t i = 0; i < have; i++)
        cert_free(chain[i]);
    return rc;
}

static void client_text(const struct id_client *id, char *out, size_t cap)
{
    struct buf b;
    buf_init(&b, 2048);
    id_client_short(&b, id);
    snprintf(out, cap, "%s", buf_cstr(&b));
    buf_free(&b);
}

/* A part that is no OCSP response is told apart from one that proves nothing. */
static int check_ocsp_parts(const struct provider *p, struct diag *d)
{
    struct ocsp_info info;
    for (size_t i = 0; i < p->n_ocsp; i++)
        if (ocsp_parse(p->ocsp[i], &info, NULL) != 0)
            return diag_set(d, ERR_IO, "an OCSP part of the message is no OCSP response");
    return 0;
}

/* Everything that X-Road checks while it parses the head part. */
static int check_head(struct provider *p, const char **phase, struct diag *d)
{
    const struct serverconf_client *cl =
        serverconf_client(&p->snap->conf, &p->req.service.provider);
    char id[512];
    *phase = "service_failed";
    if (cl == NULL || !cl->registered) {
        client_text(&p->req.service.provider, id, sizeof id);
        return diag_set(d, ERR_UNKNOWN_MEMBER, "Client '%s' not found", id);
    }
    p->key = snapshot_sign_key(p->snap, &p->req.service.provider, loop_wall_ms(p->w->loop), d);
    if (p->key < 0)
        return d->code;
    int rc = judge_peer(p, d);
    if (rc == 0 || check_ocsp_parts(p, d) != 0)
        return rc == 0 ? 0 : d->code;
    if (rc != ERR_INTERNAL)
        d->code = ERR_SSL_AUTH; /* X-Road wraps what it finds here (transport.md 3.3) */
    return d->code;
}

/* --- access rights --- */

static bool allowed(const struct provider *p, struct slice path)
{
    const struct serverconf_service *v = p->service;
    for (size_t i = 0; i < v->n_rights; i++) {
        const struct serverconf_right *r = &v->rights[i];
        if (acl_method_matches(r->method, p->req.verb) && acl_path_matches(r->path, path) &&
            metadata_service_subject(p->snap->gc, v, r, &p->req.client))
            return true;
    }
    return false;
}

/* What the rights are compared with is what the provider is asked for: its dot segments are gone,
 * whoever would have resolved them, and how. */
static int resolve_path(struct provider *p, struct diag *d)
{
    struct buf path;
    p->path = p->req.service_path;
    if (slice_find_slice(p->path, SLICE_LIT("/.")) == SIZE_MAX)
        return 0;
    buf_init(&path, 16384);
    int rc = uri_path_resolve(p->req.service_path, &path, d);
    p->path = arena_dup(p->a, buf_view(&path));
    buf_free(&path);
    return rc;
}

static int check_access(struct provider *p, struct diag *d)
{
    struct buf path, name;
    buf_init(&path, 16384);
    buf_init(&name, 4096);
    id_service_short(&name, &p->req.service);
    p->service = serverconf_service(&p->snap->conf, &p->req.service);
    int rc = 0;
    if (p->service == NULL)
        rc = diag_set(d, ERR_UNKNOWN_SERVICE, "Unknown service: %s", buf_cstr(&name));
    if (rc == 0)
        rc = acl_normalise(p->req.service_path, &path, d);
    rc = rc != 0 ? rc : resolve_path(p, d);
    if (rc == 0 && !allowed(p, buf_view(&path)))
        rc = diag_set(d, ERR_ACCESS_DENIED, "Request is not allowed: %s", buf_cstr(&name));
    if (rc == 0 && p->service->disabled)
        rc = diag_set(d, ERR_SERVICE_DISABLED, "Service %s is disabled: %.*s", buf_cstr(&name),
                      SLICE_ARG(p->service->disabled_notice));
    buf_free(&path);
    buf_free(&name);
    return rc;
}

/* --- reading the message --- */

static int take_head(struct provider *p, struct slice piece, const char **phase, struct diag *d)
{
    *phase = "service_failed";
    p->part = arena_dup(p->a, piece);
    digest_of(DIGEST_SHA512, p->part, &p->part_digest);
    int rc = rest_request_parse(p->a, p->part, &p->req, d);
    if (rc == 0 && !slice_eq(p->req.request_id, p->http_request_id))
        rc = diag_set(d, ERR_INVALID_MESSAGE,
                      "x-road-request-id of the HTTP head is not that of the signed message");
    rc = rc != 0 ? rc : check_head(p, phase, d);
    if (rc != 0)
        return rc;
    *phase = NULL;
    p->metadata = metadata_service_kind(&p->req);
    return p->metadata != METADATA_NONE ? 0 : check_access(p, d);
}

static int take_event(struct provider *p, enum message_event e, struct slice piece,
                      const char **phase, struct diag *d)
{
    *phase = NULL;
    switch (e) {
    case MESSAGE_OCSP:
        if (p->n_ocsp == MESSAGE_OCSP_MAX)
            return diag_set(d, ERR_INVALID_MESSAGE, "more than %d OCSP parts", MESSAGE_OCSP_MAX);
        p->ocsp[p->n_ocsp++] = arena_dup(p->a, piece);
        return 0;
    case MESSAGE_HEAD:
        return take_head(p, piece, phase, d);
    case MESSAGE_BODY: {
        int rc = body_add(&p->body, piece, d);
        if (rc == ERR_AGAIN)
            http_exchange_pause(p->x);
        return rc == ERR_AGAIN ? 0 : rc;
    }
    case MESSAGE_CHAIN_RESULT:
        p->result = arena_dup(p->a, piece);
        return 0;
    case MESSAGE_CHAIN:
        p->chain = arena_dup(p->a, piece);
        return 0;
    case MESSAGE_SIGNATURE:
        p->signature = arena_dup(p->a, piece);
        return 0;
    case MESSAGE_FAULT:
        return diag_set(d, p->part.n == 0 ? ERR_MISSING_REST : ERR_MISSING_SIGNATURE,
                        "the consumer's server gave up while it was sending");
    case MESSAGE_MORE:
    case MESSAGE_BODY_END:
    case MESSAGE_END:
        return 0;
    }
    return ERR_INTERNAL;
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct provider *p = ctx;
    enum message_event e = MESSAGE_END;
    struct diag d = {0};
    (void)x;
    if (p == NULL || p->over)
        return;
    do {
        struct slice part;
        int rc = message_read(p->reader, &piece, &e, &part, &d);
        const char *phase = refusal_reading(rc);
        if (rc == 0)
            rc = take_event(p, e, part, &phase, &d);
        if (rc != 0) {
            provider_fail(p, phase, &d);
            return;
        }
    } while (e != MESSAGE_MORE);
}

static void on_request_spool(void *ctx)
{
    struct provider *p = ctx;
    if (p->body.failed.code != 0)
        provider_fail(p, NULL, &p->body.failed);
    else
        http_exchange_resume(p->x);
}

/* --- the whole message is here --- */

static int verify(struct provider *p, struct diag *d)
{
    struct xades_live live = {.signature = p->signature,
                              .result = p->result,
                              .chain = p->chain,
                              .parts = 1,
                              .part = {p->part_digest},
                              .sender = &p->req.client};
    if (p->body.present) {
        live.parts = 2;
        live.part[1] = p->body.digest;
    }
    return xades_verify_live(p->snap->gc, p->w->verdicts, p->a, &live, loop_wall_ms(p->w->loop), d);
}

static void on_logged(void *ctx, const struct diag *why)
{
    struct provider *p = ctx;
    p->asked_log = 0;
    if (why != NULL)
        provider_fail(p, "logging_failed", why);
    else
        provider_call_start(p);
}

static int ask_for_log(struct provider *p, struct diag *d)
{
    const struct attest_record r = {.side = RECORD_PROVIDER,
                                    .keep = p->service != NULL && p->service->keep_bodies,
                                    .time_ms = loop_wall_ms(p->w->loop),
                                    .party = &p->req.service.provider,
                                    .id = p->req.id,
                                    .request_id = p->http_request_id,
                                    .head = p->part,
                                    .signature = {p->signature, p->result, p->chain, {.n = 0}},
                                    .body = &p->body};
    p->asked_log = attest_log(p->w->ask, p->snap, &r, on_logged, p, d);
    return p->asked_log != 0 ? 0 : ERR_LOGGING_FAILED;
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct provider *p = ctx;
    struct diag d = {0};
    (void)x;
    if (p == NULL || p->over)
        return;
    p->request_read = true;
    int rc = body_finish(&p->body, &d);
    rc = rc != 0 ? rc : message_reader_eof(p->reader, &d);
    message_reader_free(p->reader); /* its memory is not needed while the answer is awaited */
    p->reader = NULL;
    if (rc != 0)
        provider_fail(p, NULL, &d);
    else if (arena_failed(p->a))
        provider_fail(
            p, NULL,
            &(struct diag){.code = ERR_TOO_LARGE,
                           .text = "the message's head and signature take too much memory"});
    else if (verify(p, &d) != 0)
        provider_fail(p, REFUSAL_SIGNATURE, &d);
    else if (ask_for_log(p, &d) != 0)
        provider_fail(p, "logging_failed", &d);
}

/* --- the handler of 5500 --- */

/* A text that is no version is refused where a minimum is set. */
static int check_version(const struct provider *p, struct diag *d)
{
    struct slice want = p->snap->conf.min_peer_version;
    struct slice have = http_get(http_exchange_head(p->x), "x-proxy-version");
    struct peer_version oldest, theirs;
    if (want.n == 0)
        return 0;
    if (!peer_version_parse(want, &oldest) || !peer_version_parse(have, &theirs))
        return diag_set(d, ERR_INTERNAL, "x-proxy-version is no version number");
    if (peer_version_cmp(&theirs, &oldest) < 0)
        return diag_set(d, ERR_CLIENT_VERSION,
                        "The client's security server has version %.*s, and this server serves "
                        "%.*s and newer",
                        SLICE_ARG(have), SLICE_ARG(want));
    return 0;
}

static int check_http(struct provider *p, struct diag *d)
{
    const struct http_head *h = http_exchange_head(p->x);
    if (!slice_ieq_str(h->method, "POST"))
        return diag_set(d, ERR_INVALID_HTTP_METHOD, "Must use POST request method instead of %.*s",
                        SLICE_ARG(h->method));
    int rc = globalconf_check_valid(p->snap->gc, loop_wall_ms(p->w->loop), d);
    rc = rc != 0 ? rc : check_version(p, d);
    if (rc != 0)
        return rc;
    if (!slice_eq_str(http_get(h, "x-road-message-type"), "REST"))
        return diag_set(d, ERR_SERVICE_TYPE, "This security server exchanges REST messages only");
    if (digest_from_name(http_get(h, "x-hash-algorithm")) != DIGEST_SHA512)
        return diag_set(d, ERR_INTERNAL,
                        "Could not get hash algorithm identifier from message: x-hash-algorithm "
                        "must be SHA-512");
    p->http_request_id = http_get(h, "x-road-request-id");
    if (p->http_request_id.n == 0)
        return diag_set(d, ERR_INTERNAL, "the HTTP header x-road-request-id is missing");
    return 0;
}

static int check_registered(struct provider *p, struct diag *d)
{
    struct slice der[1];
    if (conn_peer_chain(http_exchange_conn(p->x), der, 1) == 0)
        return diag_set(d, ERR_SSL_AUTH, "the peer showed no TLS certificate");
    struct cert *c = cert_parse(der[0], d);
    struct buf name;
    if (c == NULL)
        return diag_set(d, ERR_SSL_AUTH, "the peer's TLS certificate cannot be read");
    bool known = globalconf_auth_cert_known(p->snap->gc, c);
    buf_init(&name, 4096);
    cert_name_rfc2253(X509_get_subject_name(c->x509), &name);
    cert_free(c);
    int rc = known ? 0
                   : diag_set(d, ERR_SSL_AUTH,
                              "The peer's authentication certificate %s is not registered at any "
                              "security server",
                              buf_cstr(&name));
    buf_free(&name);
    return rc;
}

static void refuse_early(struct http_exchange *x, int code, const char *text)
{
    struct diag d = {0};
    struct fault f;
    diag_set(&d, code, "%s", text);
    refusal_make(REFUSAL_PROVIDER, NULL, &d, &f);
    give_fault(x, NULL, &f);
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct worker *w = server_ctx;
    struct diag d = {0};
    if (w->snap == NULL || w->snap->gc == NULL || !ask_connected(w->ask)) {
        refuse_early(x, ERR_GC_OUTDATED, "The global configuration has not been read yet");
        return;
    }
    struct provider *p = calloc(1, sizeof *p);
    if (p == NULL) {
        refuse_early(x, ERR_NOMEM, "No memory for another request");
        return;
    }
    p->w = w;
    p->snap = snapshot_ref(w->snap);
    p->x = x;
    p->a = http_exchange_arena(x);
    buf_init(&p->resp_part, MESSAGE_PART_MAX);
    buf_init(&p->fetched, 4u << 20);
    body_init(&p->body, w->ask, on_request_spool, p);
    body_init(&p->resp_body, w->ask, provider_call_on_spool, p);
    http_exchange_set(x, p);
    const char *phase = NULL;
    p->began_ms = loop_mono_ms(w->loop);
    facts_began(FACTS_PROVIDER);
    int rc = check_http(p, &d);
    if (rc == 0) {
        phase = "service_failed"; /* X-Road finds what follows while it parses the message */
        rc = check_registered(p, &d);
    }
    if (rc == 0)
        http_exchange_good(x);
    else
        http_exchange_bad(x);
    if (rc == 0)
        rc = message_reader_new(http_get(http_exchange_head(x), "content-type"), false, &p->reader,
                                &d);
    if (rc != 0)
        provider_fail(p, phase, &d);
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    struct provider *p = ctx;
    (void)x;
    if (p != NULL && p->begun)
        provider_call_pump(p);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct provider *p = ctx;
    (void)x;
    if (p == NULL)
        return;
    facts_ended(FACTS_PROVIDER, loop_mono_ms(p->w->loop) - p->began_ms, !p->failed, aborted);
    provider_free(p);
}

const struct http_handler provider_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_drain = on_drain,
    .on_done = on_done,
};
