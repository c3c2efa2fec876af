#include "gateway/consumer.h"
#include "base/err.h"
#include "gateway/facts.h"
#include "gateway/refusal.h"

#include <string.h>

#define REPLY_CHUNK (64u << 10)

/* --- reading the answer --- */

void consumer_on_head(void *ctx, struct http_call *call, const struct http_head *h)
{
    struct consumer *c = ctx;
    struct slice type = http_get(h, "content-type");
    struct diag d = {0};
    struct mime_type t;
    (void)call;
    if (h->status != 200 && h->status != 500) {
        diag_set(&d, ERR_HTTP, "Server responded with error %d", h->status);
        consumer_fail(c, &d);
        return;
    }
    if (type.p == NULL) {
        diag_set(&d, ERR_INVALID_CONTENT_TYPE, "The provider's server gave no content type");
        consumer_fail(c, &d);
        return;
    }
    if (mime_type_parse(type, &t) == 0 && slice_ieq_str(t.base, "text/xml")) {
        c->plain_fault = true;
        return;
    }
    if (message_reader_new(type, true, &c->reader, &d) != 0) {
        consumer_fail_as(c, "service_failed", &d);
        return;
    }
    if (digest_from_name(http_get(h, "x-hash-algorithm")) != DIGEST_SHA512) {
        diag_set(&d, ERR_INTERNAL,
                 "Could not get hash algorithm identifier from message: the provider's server must "
                 "say x-hash-algorithm: SHA-512");
        consumer_fail(c, &d);
    }
}

static int take_fault(struct consumer *c, struct slice xml, struct diag *d)
{
    return fault_from_soap(c->a, xml, &c->fault, d);
}

static int take_event(struct consumer *c, enum message_event e, struct slice piece, struct diag *d)
{
    switch (e) {
    case MESSAGE_HEAD:
        c->resp_part = arena_dup(c->a, piece);
        digest_of(DIGEST_SHA512, c->resp_part, &c->resp_digest);
        return rest_response_parse(c->resp_part, &c->resp, d);
    case MESSAGE_BODY: {
        int rc = body_add(&c->resp_body, piece, d);
        if (rc == ERR_AGAIN)
            http_call_pause(c->call);
        return rc == ERR_AGAIN ? 0 : rc;
    }
    case MESSAGE_CHAIN_RESULT:
        c->resp_result = arena_dup(c->a, piece);
        return 0;
    case MESSAGE_CHAIN:
        c->resp_chain = arena_dup(c->a, piece);
        return 0;
    case MESSAGE_SIGNATURE:
        c->resp_signature = arena_dup(c->a, piece);
        return 0;
    case MESSAGE_FAULT:
        return take_fault(c, piece, d);
    case MESSAGE_OCSP:
        return diag_set(d, ERR_INVALID_CONTENT_TYPE, "an OCSP part in a response");
    case MESSAGE_MORE:
    case MESSAGE_BODY_END:
    case MESSAGE_END:
        return 0;
    }
    return ERR_INTERNAL;
}

void consumer_on_body(void *ctx, struct http_call *call, struct slice piece)
{
    struct consumer *c = ctx;
    struct diag d = {0};
    enum message_event e = MESSAGE_BODY_END;
    (void)call;
    if (c->call_over)
        return;
    if (c->plain_fault) {
        buf_slice(&c->fault_xml, piece);
        if (!c->fault_xml.failed)
            return;
        diag_set(&d, ERR_INVALID_SOAP, "The provider's server sent a fault without end");
        consumer_fail_as(c, "service_failed", &d);
        return;
    }
    while (c->reader != NULL && e != MESSAGE_MORE) {
        struct slice part;
        int rc = message_read(c->reader, &piece, &e, &part, &d);
        if (rc == 0)
            rc = take_event(c, e, part, &d);
        if (rc != 0) {
            consumer_fail_as(c, refusal_reading(rc), &d);
            return;
        }
    }
}

void consumer_on_reply_spool(void *ctx)
{
    struct consumer *c = ctx;
    if (c->resp_body.failed.code != 0)
        consumer_fail(c, &c->resp_body.failed);
    else if (c->call != NULL)
        http_call_resume(c->call);
}

/* --- judging and logging it --- */

static int verify(struct consumer *c, struct diag *d)
{
    struct xades_live live = {.signature = c->resp_signature,
                              .result = c->resp_result,
                              .chain = c->resp_chain,
                              .parts = 1,
                              .part = {c->resp_digest},
                              .sender = &c->req.service.provider};
    if (c->resp_body.present) {
        live.parts = 2;
        live.part[1] = c->resp_body.digest;
    }
    return xades_verify_live(c->snap->gc, c->w->verdicts, c->a, &live, loop_wall_ms(c->w->loop), d);
}

static int check_answer(struct consumer *c, struct diag *d)
{
    char hash[89];
    rest_request_hash(&c->part_digest, c->body.present ? &c->body.digest : NULL, hash);
    return rest_response_check(&c->resp, &c->req, slice_str(hash), d);
}

static void reply(struct consumer *c)
{
    struct buf headers;
    struct diag d = {0};
    bool bare = c->resp.status == 204 || c->resp.status == 304;
    buf_init(&headers, 64u << 10);
    if (rest_response_http_headers(&c->resp, &headers) != 0 || headers.failed) {
        buf_free(&headers);
        diag_set(&d, ERR_INTERNAL, "the answer's headers cannot be given back");
        consumer_fail(c, &d);
        return;
    }
    c->replying = true;
    http_respond(c->x, c->resp.status, NULL, buf_view(&headers),
                 bare ? HTTP_SEND_NONE : HTTP_SEND_LENGTH, c->resp_body.size);
    buf_free(&headers);
    if (body_in_memory(&c->resp_body)) {
        if (c->resp_body.mem.n > 0)
            http_write(c->x, buf_view(&c->resp_body.mem));
        http_end(c->x);
        return;
    }
    consumer_pump_reply(c);
}

void consumer_pump_reply(struct consumer *c)
{
    uint8_t chunk[REPLY_CHUNK];
    struct diag d = {0};
    size_t n;
    if (c->reply_at == UINT64_MAX || body_in_memory(&c->resp_body))
        return;
    while (http_queued(c->x) < CONN_QUEUE_MARK) {
        if (body_read(&c->resp_body, c->reply_at, chunk, sizeof chunk, &n, &d) != 0) {
            http_abort(c->x);
            return;
        }
        if (n == 0) {
            c->reply_at = UINT64_MAX;
            http_end(c->x);
            return;
        }
        c->reply_at += n;
        http_write(c->x, slice_of(chunk, n));
    }
}

static void on_logged(void *ctx, const struct diag *why)
{
    struct consumer *c = ctx;
    c->asked_log = 0;
    if (why != NULL)
        consumer_fail_as(c, "logging_failed", why);
    else
        reply(c);
}

static int ask_for_log(struct consumer *c, struct diag *d)
{
    const struct attest_record r = {
        .side = RECORD_CONSUMER,
        .response = true,
        .time_ms = loop_wall_ms(c->w->loop),
        .party = &c->req.client,
        .id = c->req.id,
        .request_id = slice_str(c->request_id),
        .head = c->resp_part,
        .signature = {c->resp_signature, c->resp_result, c->resp_chain, {.n = 0}},
        .body = &c->resp_body};
    c->asked_log = attest_log(c->w->ask, c->snap, &r, on_logged, c, d);
    return c->asked_log != 0 ? 0 : ERR_LOGGING_FAILED;
}

void consumer_on_end(void *ctx, struct http_call *call)
{
    struct consumer *c = ctx;
    struct diag d = {0};
    (void)call;
    c->call = NULL;
    c->call_over = true;
    if (c->plain_fault && take_fault(c, buf_view(&c->fault_xml), &d) != 0) {
        consumer_fail_as(c, "service_failed", &d);
        return;
    }
    if (c->reader != NULL && message_reader_eof(c->reader, &d) != 0) {
        consumer_fail_as(c, refusal_reading(d.code), &d);
        return;
    }
    message_reader_free(c->reader); /* its memory is not needed while the answer is given back */
    c->reader = NULL;
    if (c->fault.code[0] != 0) {
        refusal_passed(&c->fault);
        consumer_pass_fault(c, &c->fault); /* as it came */
        return;
    }
    if (!c->logged) {
        /* A fault may come early; an answer to what was not signed and logged yet is none. */
        diag_set(&d, ERR_INVALID_RESPONSE,
                 "The provider's server answered before it had the whole request");
        consumer_fail(c, &d);
        return;
    }
    if (c->resp_signature.n == 0) {
        diag_set(&d, ERR_MISSING_SIGNATURE, "The provider's answer has no signature");
        consumer_fail(c, &d);
        return;
    }
    if (body_finish(&c->resp_body, &d) != 0) {
        consumer_fail(c, &d);
    } else if (arena_failed(c->a)) {
        diag_set(&d, ERR_TOO_LARGE, "the answer's head and signature take too much memory");
        consumer_fail(c, &d);
    } else if (verify(c, &d) != 0) {
        consumer_fail_as(c, REFUSAL_SIGNATURE, &d);
    } else if (check_answer(c, &d) != 0) {
        consumer_fail(c, &d);
    } else if (ask_for_log(c, &d) != 0) {
        consumer_fail_as(c, "logging_failed", &d);
    }
}
