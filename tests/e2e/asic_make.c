/*
 * Writes containers of every kind that a message log makes, with the keys and OCSP responses of the
 * worked example and its times: asic_make VECTORS OUT. For tests/e2e/asic_mutations.
 */
#include "base/err.h"
#include "crypto/sign.h"
#include "crypto/tsp.h"
#include "evidence/asic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNED_AT 1767607260000  /* 2026-01-05T10:01:00Z */
#define STAMPED_AT 1767607320000 /* 10:02:00Z */
#define RECORDS_MAX 8

static const char *vectors;
static struct arena *arena; /* for the files */

static void check(int rc, const char *what, const struct diag *d)
{
    if (rc == 0)
        return;
    fprintf(stderr, "asic_make: %s: %s %s\n", what, err_name(rc), d == NULL ? "" : d->text);
    exit(1);
}

static struct slice file(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/xroad/worked/%s", vectors, name);
    FILE *f = fopen(path, "rb");
    static uint8_t bytes[1 << 20];
    size_t n = f == NULL ? 0 : fread(bytes, 1, sizeof bytes, f);
    if (n == 0) {
        fprintf(stderr, "asic_make: cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return arena_dup(arena, slice_of(bytes, n));
}

/* One logged message: its parts, and what is made of them. */
struct record {
    const char *name; /* of the container's file */
    struct slice message, body;
    struct buf signature, chain, ts_chain;
};

struct signer {
    struct cert *cert;
    EVP_PKEY *key;
    struct slice ocsp;
};

static struct signer signer_of(const char *kind)
{
    char name[64];
    struct diag d = {0};
    struct signer s;
    snprintf(name, sizeof name, "sign-%s.cert.pem", kind);
    s.cert = cert_parse(file(name), &d);
    check(s.cert == NULL, name, &d);
    snprintf(name, sizeof name, "sign-%s.key.pem", kind);
    s.key = key_from_pem(file(name), &d);
    check(s.key == NULL, name, &d);
    snprintf(name, sizeof name, "sign-%s.ocsp.der", kind);
    s.ocsp = file(name);
    return s;
}

static void signer_free(struct signer *s)
{
    cert_free(s->cert);
    EVP_PKEY_free(s->key);
}

static void sign(const struct signer *s, bool batch, struct slice data, struct buf *out)
{
    struct xades_spec spec = {.batch = batch,
                              .signing_time_ms = SIGNED_AT,
                              .cert = s->cert,
                              .alg = sign_alg_for_key(s->key)};
    digest_of(DIGEST_SHA512, data, &spec.data);
    struct buf info, value, raw;
    buf_init(&info, 65536);
    buf_init(&value, 4096);
    buf_init(&raw, 4096);
    check(xades_signed_info(&spec, &info), "signed info", NULL);
    check(sign_data(s->key, spec.alg, buf_view(&info), &value), "sign", NULL);
    if (spec.alg->key == SIGN_EC)
        check(sign_raw_from_der(s->key, buf_view(&value), &raw), "raw value", NULL);
    else
        buf_slice(&raw, buf_view(&value));
    check(xades_print(&spec, buf_view(&raw), NULL, 0, &s->ocsp, 1, out), "document", NULL);
    buf_free(&info);
    buf_free(&value);
    buf_free(&raw);
}

/* Signs all records at once; alone and without body: without hash chain. */
static void sign_records(const struct signer *s, struct record *r, size_t n, struct buf *result)
{
    if (n == 1 && r[0].body.n == 0) {
        sign(s, false, r[0].message, &r[0].signature);
        return;
    }
    static struct hashchain_message m[RECORDS_MAX];
    struct buf chains[RECORDS_MAX];
    for (size_t i = 0; i < n; i++) {
        m[i].n = r[i].body.n > 0 ? 2 : 1;
        m[i].name[0] = SLICE_LIT("/message.xml");
        m[i].name[1] = SLICE_LIT("/attachment1");
        digest_of(DIGEST_SHA512, r[i].message, &m[i].digest[0]);
        digest_of(DIGEST_SHA512, r[i].body, &m[i].digest[1]);
        chains[i] = r[i].chain;
    }
    check(hashchain_build(DIGEST_SHA512, m, n, "/sig-hashchain.xml#STEP0", result, chains),
          "hash chain", NULL);
    sign(s, true, buf_view(result), &r[0].signature);
    for (size_t i = 0; i < n; i++) { /* one signature for all */
        r[i].chain = chains[i];
        if (i > 0)
            buf_slice(&r[i].signature, buf_view(&r[0].signature));
    }
}

/* One time-stamp over all records. */
static void stamp_records(struct record *r, size_t n, struct buf *ts_result, struct buf *token)
{
    struct digest hash[RECORDS_MAX], imprint;
    for (size_t i = 0; i < n; i++)
        digest_of(DIGEST_SHA512, buf_view(&r[i].signature), &hash[i]);
    for (size_t i = 0; i < n; i++)
        check(asic_timestamp_tree(hash, n, i, i == 0 ? ts_result : NULL, &r[i].ts_chain),
              "time-stamp tree", NULL);
    digest_of(DIGEST_SHA512, buf_view(ts_result), &imprint);

    struct diag d = {0};
    struct cert *tsa = cert_parse(file("tsa.cert.pem"), &d);
    check(tsa == NULL, "tsa", &d);
    EVP_PKEY *key = key_from_pem(file("tsa.key.pem"), &d);
    check(key == NULL, "tsa", &d);
    struct buf request, response;
    buf_init(&request, 4096);
    buf_init(&response, 65536);
    check(tsp_request_make(&imprint, &request), "time-stamp request", NULL);
    static const uint8_t serial[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    check(tsp_respond(buf_view(&request), tsa, key, serial, STAMPED_AT, &response, &d),
          "time-stamp response", &d);
    struct slice bare;
    check(tsp_response_token(buf_view(&response), &imprint, &bare, &d), "time-stamp token", &d);
    check(tsp_token_add_cert(bare, tsa, token), "time-stamp certificate", NULL);
    buf_free(&request);
    buf_free(&response);
    EVP_PKEY_free(key);
    cert_free(tsa);
}

static void write_record(const char *dir, const char *kind, const struct record *r,
                         struct slice result, struct slice ts_result, struct slice token)
{
    struct asic_content c = {.message = r->message,
                             .signature = buf_view(&r->signature),
                             .result = result,
                             .chain = buf_view(&r->chain),
                             .ts_result = ts_result,
                             .ts_chain = buf_view(&r->ts_chain),
                             .timestamp = token,
                             .attachment = r->body,
                             .has_attachment = r->body.n > 0,
                             .time_ms = STAMPED_AT};
    struct buf out;
    buf_init(&out, 1u << 20);
    struct diag d = {0};
    check(asic_print(&c, &out, &d), "container", &d);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%s.asice", dir, r->name, kind);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(out.p, 1, out.n, f) != out.n || fclose(f) != 0)
        check(ERR_IO, path, NULL);
    buf_free(&out);
}

static void make(const char *dir, const char *kind, struct record *r, size_t n)
{
    struct signer s = signer_of(kind);
    struct buf result, ts_result, token;
    buf_init(&result, 65536);
    buf_init(&ts_result, 65536);
    buf_init(&token, 65536);
    for (size_t i = 0; i < n; i++) {
        buf_init(&r[i].signature, 1u << 18);
        buf_init(&r[i].chain, 65536);
        buf_init(&r[i].ts_chain, 65536);
    }
    sign_records(&s, r, n, &result);
    stamp_records(r, n, &ts_result, &token);
    for (size_t i = 0; i < n; i++)
        write_record(dir, kind, &r[i], buf_view(&result), buf_view(&ts_result), buf_view(&token));
    for (size_t i = 0; i < n; i++) {
        buf_free(&r[i].signature);
        buf_free(&r[i].chain);
        buf_free(&r[i].ts_chain);
    }
    buf_free(&result);
    buf_free(&ts_result);
    buf_free(&token);
    signer_free(&s);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: asic_make VECTORS OUT\n");
        return 2;
    }
    vectors = argv[1];
    arena = arena_new(16u << 20);
    if (arena == NULL)
        return 1;
    static const char request[] = "GET\r\n/r1/ZZ/GOV/200/data/items?limit=2\r\nx-road-client:"
                                  "ZZ/GOV/100/registry\r\nx-road-id:made-1\r\n"
                                  "x-road-request-id:1b4e28ba-2fa1-41d2-883f-0016d3cca427\r\n";
    static const char response[] =
        "200\r\nOK\r\nContent-Type:application/json\r\nx-road-client:ZZ/GOV/200/data\r\n"
        "x-road-service:ZZ/GOV/100/registry/people\r\nx-road-id:made-2\r\n"
        "x-road-request-id:1b4e28ba-2fa1-41d2-883f-0016d3cca427\r\nx-road-request-hash:"
        "zj0LIXBbUTH3gaDGMKjeR0q0zpQo/P2yI0cD8MtZ3S4aNPqJ0cJb8hJ0n6kK0ZzC2T5i4mGk0XzqVtq0GsDvYg==\r"
        "\n";
    struct slice soap = file("message1.xml"), soap3 = file("message3.xml");
    struct slice rest = file("message2.txt"), body = file("message2.attachment1");
    struct slice answer = slice_str("{\"people\":[{\"name\":\"Jaan\"},{\"name\":\"Mari\"}]}\n");
    for (int i = 0; i < 2; i++) {
        const char *kind = i == 0 ? "rsa" : "ec";
        struct record soap_alone[] = {{.name = "plain-soap", .message = soap}};
        struct record rest_alone[] = {{.name = "plain-rest", .message = slice_str(request)}};
        struct record with_body[] = {{.name = "rest-body", .message = rest, .body = body}};
        struct record batch[] = {
            {.name = "batch-soap", .message = soap},
            {.name = "batch-rest", .message = slice_str(request)},
            {.name = "batch-rest-body", .message = rest, .body = body},
            {.name = "batch-response", .message = slice_str(response), .body = answer},
            {.name = "batch-soap-3", .message = soap3}};
        make(argv[2], kind, soap_alone, 1);
        make(argv[2], kind, rest_alone, 1);
        make(argv[2], kind, with_body, 1);
        make(argv[2], kind, batch, 5);
    }
    arena_free(arena);
    return 0;
}
