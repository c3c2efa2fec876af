/* Time-stamp tokens and responses, read and verified; time-stamp requests, answered. */
#include "base/err.h"
#include "crypto/tsp.h"
#include "own_cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static struct cert *tsa;

static void read_token(struct slice token)
{
    struct tsp_info info;
    struct diag d = {0};
    if (tsp_token_parse(token, &info, &d) != 0) {
        if (d.text[0] == 0)
            abort();
        return;
    }
    if (info.imprint.n != digest_len(info.imprint.alg))
        abort();
    struct cert *signer;
    if (tsp_token_verify(token, &tsa, 1, &signer, &d) == 0 && signer != tsa)
        abort();
    struct buf out;
    struct tsp_info again;
    buf_init(&out, 1 << 18);
    if (tsp_token_add_cert(token, tsa, &out) == 0 && out.n <= 65536 &&
        (tsp_token_parse(buf_view(&out), &again, NULL) != 0 || again.time_ms != info.time_ms))
        abort();
    buf_free(&out);
}

static void answer(struct slice req)
{
    static const uint8_t serial[16] = {1};
    struct buf out;
    struct slice token;
    struct digest any = {.alg = DIGEST_SHA512, .n = 64};
    struct diag d = {0};
    buf_init(&out, 1 << 18);
    if (tsp_respond(req, tsa, key, serial, 1000, &out, &d) != 0)
        abort();
    /* Granted, or a refusal with a reason; a granted token verifies. */
    if (d.code == 0) {
        struct slice resp = buf_view(&out), whole;
        size_t at = slice_find_slice(resp, SLICE_LIT("\x30\x03\x02\x01\x00"));
        whole = slice_from(resp, at + 5);
        struct tsp_info info;
        if (at == SIZE_MAX || tsp_token_verify(whole, &tsa, 1, NULL, &d) != 0 ||
            tsp_token_parse(whole, &info, NULL) != 0 || info.time_ms != 1000)
            abort();
        if (tsp_response_token(resp, &info.imprint, &token, NULL) != 0 || !slice_eq(token, whole))
            abort();
        info.imprint.b[0] ^= 1;
        if (tsp_response_token(resp, &info.imprint, &token, NULL) == 0)
            abort();
    } else if (tsp_response_token(buf_view(&out), &any, &token, NULL) != ERR_MLOG_TS_NOT_GRANTED) {
        abort();
    }
    buf_free(&out);
}

static void make_tsa(void)
{
    key = key_generate("p256", NULL);
    tsa = own_cert(CERT_TSA, "TSA", key);
    struct digest imprint;
    struct buf req;
    buf_init(&req, 1000);
    digest_of(DIGEST_SHA256, SLICE_LIT("data"), &imprint);
    if (tsp_request_make(&imprint, &req) != 0)
        abort();
    answer(buf_view(&req));
    buf_free(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (tsa == NULL)
        make_tsa();
    struct slice in = slice_of(data, size), token;
    struct digest any = {.alg = DIGEST_SHA512, .n = 64};
    if (tsp_response_token(in, &any, &token, NULL) == 0)
        read_token(token);
    read_token(in);
    answer(in);
    return 0;
}
