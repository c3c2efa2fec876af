/*
 * OCSP responses, verified against a CA with a fixed key (0 to 31) that is its own responder, and
 * OCSP requests, which are answered. The corpus has responses of that CA.
 */
#include "crypto/ocsp.h"
#include "own_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static struct cert *ca;

static void make_ca(void)
{
    uint8_t seed[32];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    ca = own_cert(CERT_CA, "CA", key);
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
            ocsp_query_is_of(&req.q[i], ca) ? OCSP_GOOD : (enum ocsp_status)(i % 3), 0, 1};
    struct buf out;
    struct ocsp_info info;
    buf_init(&out, 1 << 18);
    if (ocsp_response_make(&req, answers, ca, key, 1000, 2000, &out, NULL) == 0 &&
        (ocsp_parse(buf_view(&out), &info, NULL) != 0 || info.this_update_ms != 1000))
        abort();
    buf_free(&out);
    ocsp_request_free(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ca == NULL)
        make_ca();
    verify(slice_of(data, size));
    answer(slice_of(data, size));
    return 0;
}
