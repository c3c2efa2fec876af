/*
 * OCSP responses, verified against a CA with a fixed key that is its own responder, and OCSP
 * requests, which are answered. The corpus has responses of that CA. First byte 'S', 'D' or 'U':
 * the rest is what the CA, a responder that it delegated, or one that it did not, signs here.
 */
#include "crypto/ocsp.h"
#include "own_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key, *key2;
static struct cert *ca, *delegated, *stranger;

static void make_ca(void)
{
    key = own_key(0);
    key2 = own_key(100);
    ca = own_cert(CERT_CA, "CA", key);
    delegated = own_issued(CERT_OCSP, "Delegated", key2, ca, key);
    stranger = own_issued(CERT_SIGN, "Stranger", key2, ca, key);
    struct buf der;
    struct ocsp_request req;
    buf_init(&der, 1000);
    if (ocsp_request_make(delegated, ca, &der) != 0 ||
        ocsp_request_parse(buf_view(&der), &req, NULL) != 0 || req.n != 1 ||
        !ocsp_query_is_of(&req.q[0], ca))
        abort();
    ocsp_request_free(&req);
    buf_reset(&der);
    struct ocsp_info info;
    if (ocsp_response_error(3, &der) != 0 || ocsp_parse(buf_view(&der), &info, NULL) != 0 ||
        info.response_status != 3)
        abort();
    buf_free(&der);
}

static void verify(struct slice in)
{
    struct ocsp_info info;
    struct diag d = {0};
    bool parsed = ocsp_parse(in, &info, &d) == 0 && info.response_status == 0;
    struct ocsp_trust trust = {.all_ca = &ca, .n_all_ca = 1, .freshness_ms = 3600000};
    trust.verify_next_update = true;
    struct cert *responder;
    int64_t until, at = parsed ? info.this_update_ms : 0;
    if (ocsp_verify(in, ca, ca, at, &trust, &until, &responder, &d) == 0) {
        if (slice_eq(responder->der, stranger->der))
            abort();
        if (!parsed || info.status != OCSP_GOOD || !ocsp_is_for(in, ca, ca) || until < at)
            abort();
        cert_free(responder);
    } else if (d.text[0] == 0) {
        abort();
    }
}

static void answer(struct slice in)
{
    struct ocsp_request req;
    if (ocsp_request_parse(in, &req, NULL) != 0)
        return;
    struct ocsp_answer answers[OCSP_QUERY_MAX];
    for (size_t i = 0; i < req.n; i++)
        answers[i] = (struct ocsp_answer){
            ocsp_query_is_of(&req.q[i], ca) ? OCSP_GOOD : (enum ocsp_status)(i % 3), 0,
            (int)(i % 5) - 1};
    struct buf out;
    struct ocsp_info info;
    buf_init(&out, 1 << 18);
    if (ocsp_response_make(&req, answers, ca, key, 1000, 2000, &out, NULL) == 0 &&
        (ocsp_parse(buf_view(&out), &info, NULL) != 0 || info.this_update_ms != 1000))
        abort();
    buf_free(&out);
    ocsp_request_free(&req);
}

/* What a responder signs, whatever it is. */
static void verify_signed(struct slice tbs, const struct cert *responder, EVP_PKEY *by)
{
    const struct sign_alg *alg = sign_alg_for_asn1(by);
    struct buf value, out;
    buf_init(&value, 1000);
    buf_init(&out, 1 << 18);
    if (sign_data(by, alg, tbs, &value) != 0 ||
        ocsp_response_finish(tbs, responder, alg, buf_view(&value), &out) != 0)
        abort();
    verify(buf_view(&out));
    buf_free(&value);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ca == NULL)
        make_ca();
    struct slice tbs = slice_from(slice_of(data, size), 1);
    if (size > 1 && size < 65536 && data[0] == 'S')
        verify_signed(tbs, ca, key);
    else if (size > 1 && size < 65536 && data[0] == 'D')
        verify_signed(tbs, delegated, key2);
    else if (size > 1 && size < 65536 && data[0] == 'U')
        verify_signed(tbs, stranger, key2);
    verify(slice_of(data, size));
    answer(slice_of(data, size));
    return 0;
}
