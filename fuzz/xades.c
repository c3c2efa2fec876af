/*
 * Input: a signature document; read strictly and not, its references and value checked. A document
 * of our own form is read by the fast reader: put together again it must be the same, and the
 * reader of any form must find the same in it. First byte 'K': a good signature is made here, and
 * the rest are changes, each {u16 place, u8 what, u8 byte}: what still verifies must be the same
 * signer's statement.
 */
#include "base/cursor.h"
#include "base/err.h"
#include "evidence/xades.h"
#include "evidence/xades_form.h"
#include "own_cert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIME_MS INT64_C(1767607200000)

static EVP_PKEY *key;
static struct cert *cert;
static struct buf value, good; /* the genuine signature and its document */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int resolve(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out)
{
    (void)ctx;
    digest_of(alg, uri, out);
    return 0;
}

/* What a reader finds in a document. */
struct found {
    int parsed, extra, verified;
    struct slice value, timestamp;
    size_t ocsp;
    int64_t time;
    bool message, chain;
    bool same_key; /* as that of the genuine signature */
};

static void read_document(struct arena *a, struct slice text, bool strict, struct found *f)
{
    struct diag d = {0};
    struct xades *x = NULL;
    *f = (struct found){.parsed = xades_parse(a, text, strict, &x, &d)};
    if (f->parsed != 0) {
        must(d.text[0] != 0);
        return;
    }
    struct cert *const *extra;
    const struct slice *ocsp;
    size_t n;
    f->extra = xades_extra(x, &extra, &n, &d);
    f->value = xades_value(x);
    f->timestamp = xades_timestamp(x);
    f->ocsp = xades_ocsp(x, &ocsp);
    f->time = xades_signing_time(x);
    f->message = xades_references(x, "/message.xml");
    f->chain = xades_references(x, "/sig-hashchainresult.xml");
    f->verified = xades_verify_core(x, resolve, NULL, &d);
    must(f->verified == 0 || d.text[0] != 0);
    struct cert *c = xades_cert(x);
    f->same_key = c != NULL && key != NULL && EVP_PKEY_eq(c->key, key) == 1;
    if (c != NULL)
        xades_use_cert(x, c);
    xades_free(x);
}

/* The document of our own form, printed from its fields and read by the other reader. */
static void by_both(struct arena *a, struct slice text, const struct found *f)
{
    static const char head[] = "</xades:SigningTime>"; /* stands in every one of this form */
    struct xades_form form;
    struct found g;
    struct buf again;
    if (!xades_form_match(text, &form) || slice_find_slice(text, slice_str(head)) == SIZE_MAX)
        return;
    buf_init(&again, text.n + 1);
    xades_form_print(&form, SLICE_NONE, &again);
    if (again.n == text.n) /* else it has unsigned properties before the OCSP responses */
        must(slice_eq(buf_view(&again), text));
    buf_reset(&again);
    buf_slice(&again, text);
    buf_byte(&again, '\n');
    read_document(a, buf_view(&again), false, &g);
    must(g.parsed == f->parsed && g.verified == f->verified);
    must(slice_eq(g.value, f->value) && slice_eq(g.timestamp, f->timestamp));
    must(g.ocsp == f->ocsp && g.time == f->time);
    must(g.message == f->message && g.chain == f->chain);
    buf_free(&again);
}

static void make_good(void)
{
    static const struct slice ocsp = {(const uint8_t *)"ocsp", 4};
    key = key_generate("p256", NULL);
    cert = own_cert(CERT_SIGN, "signer", key);
    struct xades_spec spec = {
        .signing_time_ms = TIME_MS, .cert = cert, .alg = sign_alg_for_key(key)};
    struct buf info, der;
    buf_init(&info, 65536);
    buf_init(&der, 1000);
    buf_init(&value, 1000);
    buf_init(&good, 65536);
    digest_of(DIGEST_SHA512, SLICE_LIT("/message.xml"), &spec.data);
    must(xades_signed_info(&spec, &info) == 0 &&
         sign_data(key, spec.alg, buf_view(&info), &der) == 0 &&
         sign_raw_from_der(key, buf_view(&der), &value) == 0 &&
         xades_print(&spec, buf_view(&value), NULL, 0, &ocsp, 1, &good) == 0);
    buf_free(&info);
    buf_free(&der);
}

static void changed(struct arena *a, struct rd *r)
{
    struct buf text;
    struct found f;
    if (key == NULL)
        make_good();
    buf_init(&text, 65536);
    buf_slice(&text, buf_view(&good));
    while (rd_left(r) >= 4) {
        size_t at = rd_u16(r) % (text.n + 1);
        unsigned what = rd_u8(r) % 3;
        uint8_t byte = rd_u8(r);
        if (what == 0 && at < text.n) { /* another byte */
            text.p[at] ^= byte;
        } else if (what == 1 && at < text.n) { /* some less */
            size_t n = byte % (text.n - at) + 1u;
            memmove(text.p + at, text.p + at + n, text.n - at - n);
            text.n -= n;
        } else { /* one more */
            buf_byte(&text, byte);
            if (!text.failed) {
                memmove(text.p + at + 1, text.p + at, text.n - 1 - at);
                text.p[at] = byte;
            }
        }
    }
    bool whole = slice_eq(buf_view(&text), buf_view(&good));
    for (int strict = 0; strict < 2; strict++) {
        read_document(a, buf_view(&text), strict != 0, &f);
        must(!whole || (f.parsed == 0 && f.verified == 0));
        if (f.parsed == 0 && f.verified == 0)
            must(f.same_key && f.message && f.time == TIME_MS &&
                 slice_eq(f.value, buf_view(&value)));
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    struct slice text = slice_of(data, size);
    struct found f;
    if (a == NULL)
        a = arena_new(16u << 20);
    arena_reset(a);
    if (slice_starts(text, "K")) {
        struct rd r = rd_of(slice_from(text, 1));
        changed(a, &r);
        return 0;
    }
    read_document(a, text, true, &f);
    arena_reset(a);
    read_document(a, text, false, &f);
    if (f.parsed == 0)
        by_both(a, text, &f);
    return 0;
}
