#include "gateway/attest.h"
#include "base/err.h"
#include "evidence/xades.h"
#include "xroad/message.h"

#include <string.h>

#define ID_MAX 2048

uint64_t attest_sign(struct ask *ask, const struct id_client *client, const struct cert *cert,
                     const struct digest *head, const struct body *body, ask_signed cb, void *ctx,
                     struct diag *d)
{
    struct id_client member = *client;
    struct buf name;
    member.subsystem = SLICE_NONE;
    buf_init(&name, ID_MAX);
    id_client_short(&name, &member);
    struct signer_message m = {.member = buf_view(&name),
                               .cert = slice_of(cert->sha256, sizeof cert->sha256),
                               .parts = 1,
                               .part = {*head}};
    if (body->present) {
        m.parts = 2;
        m.part[1] = body->digest;
    }
    uint64_t number = ask_sign(ask, &m, cb, ctx, d);
    buf_free(&name);
    return number;
}

/* The messages of a batch share one signature document, and their answers come one after the other:
 * the last one made is kept, with all that went into it. */
static struct {
    struct buf value, result, ocsp, document;
    uint8_t cert[32];
    int64_t signing_time_ms;
    struct digest hash;
} last;

static void keep(struct buf *b, struct slice bytes)
{
    buf_init(b, MESSAGE_SIGNATURE_MAX);
    buf_slice(b, bytes);
}

static void forget_last(void)
{
    buf_free(&last.value);
    buf_free(&last.result);
    buf_free(&last.ocsp);
    buf_free(&last.document);
}

static bool is_last(const struct cert *cert, struct slice ocsp, const struct signer_result *r)
{
    return r->result.n > 0 && last.signing_time_ms == r->signing_time_ms &&
           slice_eq(buf_view(&last.value), r->value) &&
           slice_eq(buf_view(&last.result), r->result) && slice_eq(buf_view(&last.ocsp), ocsp) &&
           memcmp(last.cert, cert->sha256, sizeof last.cert) == 0;
}

static int make_last(const struct cert *cert, struct slice ocsp, const struct digest *head,
                     const struct signer_result *r)
{
    struct xades_spec spec = {.batch = r->result.n > 0,
                              .data = *head,
                              .signing_time_ms = r->signing_time_ms,
                              .cert = cert,
                              .alg = sign_alg_for_key(cert->key)};
    if (spec.batch)
        digest_of(DIGEST_SHA512, r->result, &spec.data);
    forget_last();
    keep(&last.value, r->value);
    keep(&last.result, r->result);
    keep(&last.ocsp, ocsp);
    keep(&last.document, SLICE_NONE);
    memcpy(last.cert, cert->sha256, sizeof last.cert);
    last.signing_time_ms = r->signing_time_ms;
    int rc = xades_print(&spec, r->value, NULL, 0, &ocsp, 1, &last.document);
    if (rc == 0 && (last.value.failed || last.result.failed || last.ocsp.failed))
        rc = ERR_TOO_LARGE;
    digest_of(DIGEST_SHA512, buf_view(&last.document), &last.hash);
    return rc;
}

/* SHA-512 of a peer's signature document; the messages of its batches share one, too. */
static void digest_of_foreign(struct slice document, struct digest *out)
{
    static struct {
        struct buf document;
        struct digest hash;
    } seen = {.document.max = MESSAGE_SIGNATURE_MAX};
    if (seen.hash.n == 0 || !slice_eq(buf_view(&seen.document), document)) {
        buf_reset(&seen.document);
        buf_slice(&seen.document, document);
        digest_of(DIGEST_SHA512, document, &seen.hash);
    }
    *out = seen.hash;
    if (seen.document.failed)
        seen.hash.n = 0;
}

int attest_document(const struct snapshot *s, int key, const struct digest *head,
                    const struct signer_result *r, struct arena *a, struct attest_signature *out,
                    struct diag *d)
{
    const struct cert *cert = s->cert[key];
    int rc = 0;
    if (!is_last(cert, s->ocsp[key], r))
        rc = make_last(cert, s->ocsp[key], head, r);
    out->document = arena_dup(a, buf_view(&last.document));
    out->result = arena_dup(a, r->result);
    out->chain = arena_dup(a, r->chain);
    out->hash = last.hash;
    if (rc != 0)
        forget_last();
    if (rc != 0 || arena_failed(a))
        return diag_set(d, ERR_CANNOT_CREATE_SIGNATURE, "the signature document is too large");
    return 0;
}

uint64_t attest_log(struct ask *ask, const struct snapshot *s, const struct attest_record *r,
                    ask_logged cb, void *ctx, struct diag *d)
{
    bool keep = r->keep && r->body->size > 0;
    struct record_message m = {.side = r->side,
                               .response = r->response,
                               .has_body = r->body->present,
                               .body_kept = keep,
                               .time_ms = r->time_ms,
                               .signature_hash = r->signature.hash,
                               .body_size = r->body->size,
                               .id = r->id,
                               .request_id = r->request_id,
                               .head = r->head,
                               .result = r->signature.result,
                               .chain = r->signature.chain,
                               .signature = r->signature.document};
    struct buf party;
    if (keep && r->body->size > s->conf.body_max) {
        diag_set(d, ERR_LOGGING_FAILED, "Message size exceeds maximum loggable size");
        return 0;
    }
    buf_init(&party, ID_MAX);
    id_client_short(&party, r->party);
    m.party = buf_view(&party);
    if (m.signature_hash.n == 0)
        digest_of_foreign(m.signature, &m.signature_hash);
    if (r->body->present)
        m.body_hash = r->body->digest;
    if (keep && body_in_memory(r->body))
        m.sealed_body = buf_view(&r->body->mem); /* plain so far: the log seals it */
    uint64_t number = ask_log(ask, &m, keep ? r->body->fd : -1, cb, ctx, d);
    buf_free(&party);
    return number;
}
