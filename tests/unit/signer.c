/*
 * The key process without its parent: bodies, the keys' uses, raw signatures, batches, and its
 * lines on a real loop in a forked child.
 */
#include "base/cursor.h"
#include "base/err.h"
#include "base/hex.h"
#include "evidence/hashchain.h"
#include "evidence/xades.h"
#include "keys/signer_batch.h"
#include "keys/signer_lines.h"
#include "test.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMBER "SILD/GOV/70000001"
#define OTHER "SILD/COM/12345678"

/* --- bodies --- */

static struct digest sha512(const char *text)
{
    struct digest d;
    digest_of(DIGEST_SHA512, slice_str(text), &d);
    return d;
}

static struct signer_message message(const char *member, size_t parts, int number)
{
    struct signer_message m = {.member = slice_str(member), .parts = parts};
    for (size_t i = 0; i < parts; i++) {
        char text[64];
        snprintf(text, sizeof text, "message %d part %zu", number, i);
        m.part[i] = sha512(text);
    }
    return m;
}

TEST(a_message_request_has_its_layout)
{
    struct signer_message m = message("A/B/C", 2, 1), got;
    struct buf b;
    buf_init(&b, 4096);
    signer_put_message(&b, &m);
    CHECK(!b.failed);
    CHECK_INT(b.n, 4 + 5 + 4 + 1 + 2 * 64);
    CHECK(memcmp(b.p, "\x05\0\0\0A/B/C\0\0\0\0\x02", 14) == 0);
    CHECK(memcmp(b.p + 14 + 64, m.part[1].b, 64) == 0);
    CHECK_INT(signer_get_message(buf_view(&b), &got), 0);
    CHECK(slice_eq_str(got.member, "A/B/C"));
    CHECK_INT(got.parts, 2);
    CHECK(digest_eq(&got.part[0], &m.part[0]) && digest_eq(&got.part[1], &m.part[1]));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(signer_get_message(slice_of(b.p, n), &got), ERR_SYNTAX);
    buf_byte(&b, 0);
    CHECK_INT(signer_get_message(buf_view(&b), &got), ERR_SYNTAX);
    b.p[13] = 0;
    CHECK_INT(signer_get_message(slice_of(b.p, 14), &got), ERR_SYNTAX);
    b.p[13] = 17;
    CHECK_INT(signer_get_message(buf_view(&b), &got), ERR_SYNTAX);

    buf_reset(&b);
    m.part[1].alg = DIGEST_SHA256;
    signer_put_message(&b, &m);
    CHECK(b.failed);
    buf_reset(&b);
    m.parts = SIGNER_PARTS_MAX + 1;
    signer_put_message(&b, &m);
    CHECK(b.failed);
    buf_free(&b);
}

TEST(a_raw_request_has_its_layout)
{
    struct signer_raw r = {.key = SLICE_LIT("tls"),
                           .alg_uri = SLICE_LIT("u:x"),
                           .digested = true,
                           .digest = DIGEST_SHA384,
                           .data = SLICE_LIT("data")},
                      got;
    struct buf b;
    buf_init(&b, 4096);
    signer_put_raw(&b, &r);
    CHECK(slice_eq(buf_view(&b), SLICE_LIT("\x01\x04\x03\0\0\0tls\x03\0\0\0u:x\x04\0\0\0data")));
    CHECK_INT(signer_get_raw(buf_view(&b), &got), 0);
    CHECK(got.digested && !got.pss && got.digest == DIGEST_SHA384);
    CHECK(slice_eq_str(got.key, "tls") && slice_eq_str(got.alg_uri, "u:x") &&
          slice_eq_str(got.data, "data"));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(signer_get_raw(slice_of(b.p, n), &got), ERR_SYNTAX);
    b.p[0] = 2;
    CHECK_INT(signer_get_raw(buf_view(&b), &got), 0);
    CHECK(got.pss && !got.digested);
    b.p[0] = 4;
    CHECK_INT(signer_get_raw(buf_view(&b), &got), ERR_SYNTAX);
    b.p[0] = 0;
    b.p[1] = DIGEST_SHA512 + 1;
    CHECK_INT(signer_get_raw(buf_view(&b), &got), ERR_SYNTAX);
    buf_free(&b);
}

TEST(results_and_failures_are_read_to_their_end)
{
    struct signer_result r = {.signing_time_ms = 1767607200123,
                              .value = SLICE_LIT("value"),
                              .result = SLICE_LIT("result"),
                              .chain = SLICE_LIT("chain"),
                              .batch = 7},
                         got;
    struct buf b;
    buf_init(&b, 4096);
    signer_put_result(&b, &r);
    CHECK_INT(signer_get_result(buf_view(&b), &got), 0);
    CHECK_INT(got.signing_time_ms, 1767607200123);
    CHECK_INT(got.batch, 7);
    CHECK(slice_eq_str(got.value, "value") && slice_eq_str(got.result, "result") &&
          slice_eq_str(got.chain, "chain"));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(signer_get_result(slice_of(b.p, n), &got), ERR_SYNTAX);
    r.chain = SLICE_NONE; /* a result without chain */
    buf_reset(&b);
    signer_put_result(&b, &r);
    CHECK_INT(signer_get_result(buf_view(&b), &got), ERR_SYNTAX);
    r.result = SLICE_NONE; /* seven messages in the single form */
    buf_reset(&b);
    signer_put_result(&b, &r);
    CHECK_INT(signer_get_result(buf_view(&b), &got), ERR_SYNTAX);
    r.batch = 1;
    buf_reset(&b);
    signer_put_result(&b, &r);
    CHECK_INT(signer_get_result(buf_view(&b), &got), 0);

    int code;
    struct slice text;
    buf_reset(&b);
    signer_put_failure(&b, ERR_KEY_NOT_FOUND, SLICE_LIT("no key"));
    CHECK_INT(signer_get_failure(buf_view(&b), &code, &text), 0);
    CHECK_INT(code, ERR_KEY_NOT_FOUND);
    CHECK(slice_eq_str(text, "no key"));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(signer_get_failure(slice_of(b.p, n), &code, &text), ERR_SYNTAX);
    put_u16(b.p, ERR_COUNT);
    CHECK_INT(signer_get_failure(buf_view(&b), &code, &text), ERR_SYNTAX);
    put_u16(b.p, 0);
    CHECK_INT(signer_get_failure(buf_view(&b), &code, &text), ERR_SYNTAX);
    buf_free(&b);
}

/* --- keys --- */

static struct {
    EVP_PKEY *rsa, *p256, *p384, *ed;
    uint8_t *p256_cert, *rsa_cert; /* DER, self-signed */
    int p256_n, rsa_n;
    struct cert *p256_parsed, *rsa_parsed;
} k;

static int self_signed(EVP_PKEY *key, uint8_t **der)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 4711);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"signer", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    CHECK(X509_sign(x, key, EVP_sha256()) > 0);
    int n = i2d_X509(x, der);
    X509_free(x);
    CHECK(n > 0);
    return n;
}

static void setup(void)
{
    if (k.rsa != NULL)
        return;
    k.rsa = EVP_RSA_gen(2048);
    k.p256 = EVP_EC_gen("P-256");
    k.p384 = EVP_EC_gen("P-384");
    k.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    k.p256_n = self_signed(k.p256, &k.p256_cert);
    k.rsa_n = self_signed(k.rsa, &k.rsa_cert);
    k.p256_parsed = cert_parse(slice_of(k.p256_cert, (size_t)k.p256_n), NULL);
    k.rsa_parsed = cert_parse(slice_of(k.rsa_cert, (size_t)k.rsa_n), NULL);
    CHECK(k.p256_parsed != NULL && k.rsa_parsed != NULL);
}

#define ORIGIN "SILD/GOV/70000001/gw/messages"

static void add(struct signer_keys *s, const char *name, enum signer_type use, EVP_PKEY *key)
{
    struct signer_key spec = {.name = name,
                              .use = use,
                              .origin =
                                  use == SIGNER_HEAD || use == SIGNER_AGGREGATE ? ORIGIN : NULL};
    struct diag d = {0};
    if (signer_keys_add(s, &spec, key, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
}

#define ROOT "NWAZGAMChESyMgGKwEf9tWHAnCOnpodsheCLXk1I6fM="
#define HEAD ORIGIN "\n7\n" ROOT "\n"

/* Every key there is: raw ones, and one of EC and one of RSA for messages. */
static struct signer_keys *keys_new(void)
{
    setup();
    struct signer_keys *s = signer_keys_new();
    struct diag d = {0};
    add(s, "tls-rsa", SIGNER_TLS, k.rsa);
    add(s, "tls-ec", SIGNER_TLS, k.p384);
    add(s, "head", SIGNER_HEAD, k.ed);
    add(s, "cosigner", SIGNER_COSIGN, k.ed);
    add(s, "aggregate", SIGNER_AGGREGATE, k.ed);
    add(s, "conf", SIGNER_CONF, k.rsa);
    struct signer_key m = {
        "sign", SIGNER_MESSAGE, MEMBER, slice_of(k.p256_cert, (size_t)k.p256_n), NULL, NULL};
    CHECK_INT(signer_keys_add(s, &m, k.p256, &d), 0);
    m = (struct signer_key){
        "sign-2", SIGNER_MESSAGE, OTHER, slice_of(k.rsa_cert, (size_t)k.rsa_n), NULL, NULL};
    CHECK_INT(signer_keys_add(s, &m, k.rsa, &d), 0);
    return s;
}

TEST(keys_that_do_not_fit_are_not_taken_in)
{
    struct signer_keys *s = keys_new();
    struct diag d = {0};
    struct slice cert = slice_of(k.p256_cert, (size_t)k.p256_n);
    const struct {
        struct signer_key key;
        EVP_PKEY *pkey;
        int code;
    } rows[] = {
        {{"x", SIGNER_MESSAGE, "SILD/GOV/9", cert, NULL, NULL}, k.p384, ERR_INCORRECT_CERTIFICATE},
        {{"x", SIGNER_MESSAGE, "SILD/GOV/9", SLICE_NONE, NULL, NULL},
         k.p256,
         ERR_INCORRECT_CERTIFICATE},
        {{"x", SIGNER_OCSP, NULL, cert, NULL, NULL}, k.p384, ERR_INCORRECT_CERTIFICATE},
        {{"x", SIGNER_MESSAGE, MEMBER, cert, NULL, NULL}, k.p256, ERR_EXISTS},
        {{"sign", SIGNER_TLS, NULL, SLICE_NONE, NULL, NULL}, k.p256, ERR_EXISTS},
        {{"x", SIGNER_MESSAGE, NULL, cert, NULL, NULL}, k.p256, ERR_USAGE},
        {{"x", SIGNER_TLS, MEMBER, SLICE_NONE, NULL, NULL}, k.p256, ERR_USAGE},
        {{"x", SIGNER_VALUE, NULL, SLICE_NONE, NULL, NULL}, k.p256, ERR_USAGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(signer_keys_add(s, &rows[i].key, rows[i].pkey, &d), rows[i].code);
    CHECK_INT(signer_keys_count(s), 8);
    signer_keys_free(s);
}

/* --- raw requests --- */

static int raw(struct signer_keys *s, uint16_t type, const struct signer_raw *r, struct buf *value)
{
    struct buf body, answer;
    buf_init(&body, 1 << 20);
    buf_init(&answer, 8192);
    signer_put_raw(&body, r);
    int code = 0;
    struct slice text;
    if (signer_keys_serve(s, type, buf_view(&body), &answer) == SIGNER_VALUE)
        buf_slice(value, buf_view(&answer));
    else
        CHECK_INT(signer_get_failure(buf_view(&answer), &code, &text), 0);
    buf_free(&body);
    buf_free(&answer);
    return code;
}

static void check_value(EVP_PKEY *key, const EVP_MD *md, bool pss, struct slice data,
                        struct slice value)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p;
    CHECK_INT(EVP_DigestVerifyInit(c, &p, md, NULL, key), 1);
    if (pss) {
        CHECK_INT(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING), 1);
        CHECK_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    CHECK_INT(EVP_DigestVerify(c, value.p, value.n, data.p, data.n), 1);
    EVP_MD_CTX_free(c);
}

TEST(raw_requests_are_signed_as_they_ask)
{
    struct signer_keys *s = keys_new();
    struct slice data = SLICE_LIT("something to sign"), none = SLICE_NONE;
    const struct {
        const char *name, *uri;
        uint16_t type;
        bool pss;
        enum digest_alg digest;
        EVP_PKEY *key;
        const EVP_MD *md;
    } rows[] = {
        {"tls-rsa", "", SIGNER_TLS, false, DIGEST_SHA256, k.rsa, EVP_sha256()},
        {"tls-rsa", "", SIGNER_TLS, true, DIGEST_SHA384, k.rsa, EVP_sha384()},
        {"tls-rsa", "", SIGNER_TLS, false, DIGEST_NONE, k.rsa, EVP_sha512()},
        {"tls-ec", "", SIGNER_TLS, false, DIGEST_SHA384, k.p384, EVP_sha384()},
        {"conf", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", SIGNER_CONF, false,
         DIGEST_NONE, k.rsa, EVP_sha512()},
        {"conf", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", SIGNER_CONF, true,
         DIGEST_NONE, k.rsa, EVP_sha256()},
    };
    struct buf value;
    buf_init(&value, 1024);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int digested = 0; digested < 2; digested++) {
            uint8_t digest[64];
            unsigned n;
            CHECK_INT(EVP_Digest(data.p, data.n, digest, &n, rows[i].md, NULL), 1);
            struct signer_raw r = {.key = slice_str(rows[i].name),
                                   .alg_uri = slice_str(rows[i].uri),
                                   .digested = digested == 1,
                                   .pss = rows[i].pss,
                                   .digest = rows[i].digest,
                                   .data = digested == 1 ? slice_of(digest, n) : data};
            buf_reset(&value);
            CHECK_INT(raw(s, rows[i].type, &r, &value), 0);
            check_value(rows[i].key, rows[i].md, rows[i].pss, data, buf_view(&value));
        }
    struct signer_raw r = {.key = SLICE_LIT("head"), .alg_uri = none, .data = SLICE_LIT(HEAD)};
    buf_reset(&value);
    CHECK_INT(raw(s, SIGNER_HEAD, &r, &value), 0);
    CHECK_INT(value.n, 64);
    check_value(k.ed, NULL, false, r.data, buf_view(&value));
    r.key = SLICE_LIT("cosigner");
    r.data = SLICE_LIT("cosignature/v1\ntime 1767225600\nany.log/x\n7\n" ROOT "\n");
    buf_reset(&value);
    CHECK_INT(raw(s, SIGNER_COSIGN, &r, &value), 0);
    check_value(k.ed, NULL, false, r.data, buf_view(&value));
    r.key = SLICE_LIT("aggregate");
    r.data = SLICE_LIT("sild/aggregate@v1\n" ORIGIN "\n1767225600000\n2\n3\n" ROOT "\n");
    buf_reset(&value);
    CHECK_INT(raw(s, SIGNER_AGGREGATE, &r, &value), 0);
    check_value(k.ed, NULL, false, r.data, buf_view(&value));
    buf_free(&value);
    signer_keys_free(s);
}

TEST(a_key_of_trees_signs_nothing_else)
{
    static const struct {
        enum signer_type type;
        const char *key, *text;
    } rows[] = {
        {SIGNER_HEAD, "head", "checkpoint"},
        {SIGNER_HEAD, "head", ""},
        {SIGNER_HEAD, "head", "SILD/GOV/70000001/gw/other\n7\n" ROOT "\n"},
        {SIGNER_HEAD, "head", ORIGIN "2\n7\n" ROOT "\n"},
        {SIGNER_HEAD, "head", HEAD "extension\n"},
        {SIGNER_HEAD, "head", ORIGIN "\n07\n" ROOT "\n"},
        {SIGNER_HEAD, "head", ORIGIN "\n7\n" ROOT},
        {SIGNER_HEAD, "head", ORIGIN "\n7\n"},
        {SIGNER_HEAD, "head", "cosignature/v1\ntime 1767225600\n" HEAD},
        {SIGNER_COSIGN, "cosigner", HEAD},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime \n" HEAD},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime 0\n" HEAD},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime 01\n" HEAD},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime -1\n" HEAD},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime 1767225600\n"},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime 1767225600"},
        {SIGNER_COSIGN, "cosigner", "cosignature/v1\ntime 1767225600\nnothing\n"},
        {SIGNER_COSIGN, "cosigner", "Cosignature/v1\ntime 1767225600\n" HEAD},
        {SIGNER_AGGREGATE, "aggregate", HEAD},
        {SIGNER_AGGREGATE, "aggregate", "sild/aggregate@v1\nother\n1\n2\n3\n" ROOT "\n"},
        {SIGNER_AGGREGATE, "aggregate", "sild/aggregate@v1\n" ORIGIN "\n1\n2\n3\n"},
    };
    struct signer_keys *s = keys_new();
    struct buf value;
    buf_init(&value, 4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct signer_raw r = {.key = slice_str(rows[i].key), .data = slice_str(rows[i].text)};
        CHECK_INT(raw(s, rows[i].type, &r, &value), ERR_DENIED);
    }
    struct signer_key spec = {.name = "more", .use = SIGNER_HEAD};
    struct diag d = {0};
    CHECK_INT(signer_keys_add(s, &spec, k.ed, &d), ERR_USAGE); /* a head key without an origin */
    spec = (struct signer_key){.name = "more", .use = SIGNER_COSIGN, .origin = ORIGIN};
    CHECK_INT(signer_keys_add(s, &spec, k.ed, &d), ERR_USAGE);
    spec.origin = NULL;
    CHECK_INT(signer_keys_add(s, &spec, k.rsa, &d), ERR_UNSUPPORTED_ALGORITHM);
    buf_free(&value);
    signer_keys_free(s);
}

TEST(raw_requests_that_must_not_be_signed)
{
    struct signer_keys *s = keys_new();
    static const uint8_t zeros[64];
    struct slice d32 = slice_of(zeros, 32), d64 = slice_of(zeros, 64);
    const struct {
        uint16_t type;
        struct signer_raw r;
        int code;
    } rows[] = {
        {SIGNER_HEAD, {.key = SLICE_LIT("tls-rsa"), .data = d32}, ERR_DENIED},
        {SIGNER_TLS, {.key = SLICE_LIT("head"), .data = d32}, ERR_DENIED},
        {SIGNER_TLS, {.key = SLICE_LIT("sign"), .data = d32}, ERR_DENIED},
        {SIGNER_MESSAGE, {.key = SLICE_LIT("sign"), .data = d32}, ERR_BAD_REQUEST},
        {SIGNER_VALUE, {.key = SLICE_LIT("tls-rsa"), .data = d32}, ERR_BAD_REQUEST},
        {999, {.key = SLICE_LIT("tls-rsa"), .data = d32}, ERR_BAD_REQUEST},
        {SIGNER_TLS, {.key = SLICE_LIT("tls-rs"), .data = d32}, ERR_KEY_NOT_FOUND},
        {SIGNER_TLS,
         {.key = SLICE_LIT("tls-rsa"), .digested = true, .digest = DIGEST_SHA256, .data = d64},
         ERR_BAD_REQUEST},
        {SIGNER_TLS,
         {.key = SLICE_LIT("tls-rsa"), .digest = DIGEST_SHA1, .data = d32},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_TLS,
         {.key = SLICE_LIT("tls-ec"), .pss = true, .digest = DIGEST_SHA256, .data = d32},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_HEAD,
         {.key = SLICE_LIT("head"), .digested = true, .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_HEAD,
         {.key = SLICE_LIT("head"), .digest = DIGEST_SHA512, .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_CONF,
         {.key = SLICE_LIT("conf"), .alg_uri = SLICE_LIT("urn:none"), .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_CONF,
         {.key = SLICE_LIT("conf"),
          .alg_uri = SLICE_LIT("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"),
          .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_CONF,
         {.key = SLICE_LIT("conf"),
          .alg_uri = SLICE_LIT("http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
          .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
        {SIGNER_CONF,
         {.key = SLICE_LIT("conf"),
          .alg_uri = SLICE_LIT("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
          .digest = DIGEST_SHA256,
          .data = d64},
         ERR_UNSUPPORTED_ALGORITHM},
    };
    struct buf value;
    buf_init(&value, 1024);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (raw(s, rows[i].type, &rows[i].r, &value) != rows[i].code || value.n != 0)
            FAIL("row %zu", i);
    buf_free(&value);
    signer_keys_free(s);
}

/* --- batches --- */

#define NOW_MS 1767607200123

struct answers {
    size_t n, failed;
    struct {
        void *line;
        uint64_t id;
        uint32_t batch;
    } of[64];
    const struct signer_message *asked; /* by id */
};

/* The document that the key should have signed, by the rules of the exchange, verified. */
static void check_result(const struct signer_message *m, struct slice body, uint32_t *batch)
{
    struct signer_result r;
    CHECK_INT(signer_get_result(body, &r), 0);
    bool rsa = slice_eq_str(m->member, OTHER);
    struct cert *cert = rsa ? k.rsa_parsed : k.p256_parsed;
    struct xades_spec spec = {.batch = r.result.n > 0,
                              .data = m->part[0],
                              .signing_time_ms = r.signing_time_ms,
                              .cert = cert,
                              .alg = sign_alg_for_key(cert->key)};
    if (spec.batch) {
        digest_of(DIGEST_SHA512, r.result, &spec.data);
        struct arena *a = arena_new(1 << 20);
        struct hashchain_input in[SIGNER_PARTS_MAX];
        struct hashchain_outcome out;
        struct diag d = {0};
        char names[SIGNER_PARTS_MAX][40];
        for (size_t i = 0; i < m->parts; i++) {
            snprintf(names[i], sizeof names[i], i == 0 ? "/message.xml" : "/attachment%zu", i);
            in[i] = (struct hashchain_input){slice_str(names[i]), true, m->part[i], false};
        }
        if (hashchain_verify(a, r.result, r.chain, SLICE_LIT("sig-hashchain.xml"), in, m->parts,
                             NULL, NULL, &out, &d) != 0)
            FAIL("%s: %s", d.where, d.text);
        CHECK_INT(out.n_open, 0);
        arena_free(a);
    }
    struct buf info, der;
    buf_init(&info, 65536);
    buf_init(&der, 1024);
    CHECK_INT(xades_signed_info(&spec, &info), 0);
    if (rsa)
        buf_slice(&der, r.value);
    else
        CHECK_INT(sign_raw_to_der(cert->key, r.value, &der), 0);
    check_value(cert->key, EVP_sha512(), false, buf_view(&info), buf_view(&der));
    buf_free(&info);
    buf_free(&der);
    *batch = r.batch;
}

static void take(void *ctx, void *to, uint64_t id, uint16_t type, struct slice body)
{
    struct answers *a = ctx;
    CHECK(a->n < ARRAY_LEN(a->of));
    a->of[a->n].line = to;
    a->of[a->n].id = id;
    if (type == SIGNER_MESSAGE_DONE)
        check_result(&a->asked[id], body, &a->of[a->n].batch);
    else
        a->failed++;
    a->n++;
}

static int ask(struct signer_batch *b, const struct signer_message *m, void *to, uint64_t id)
{
    struct buf body;
    struct diag d;
    buf_init(&body, 4096);
    signer_put_message(&body, m);
    int err = signer_batch_add(b, buf_view(&body), to, id, &d);
    buf_free(&body);
    return err;
}

TEST(keys_of_one_member_are_told_apart_by_their_certificates)
{
    struct signer_keys *s = keys_new();
    struct signer_key second = {
        "renewed", SIGNER_MESSAGE, MEMBER, slice_of(k.rsa_cert, (size_t)k.rsa_n), NULL, NULL};
    struct slice member = SLICE_LIT(MEMBER), ec = slice_of(k.p256_parsed->sha256, 32),
                 rsa = slice_of(k.rsa_parsed->sha256, 32);
    struct diag d = {0};
    size_t first = signer_keys_of_member(s, member, SLICE_NONE);
    CHECK(signer_keys_of_member(s, member, rsa) == SIZE_MAX);
    CHECK_INT(signer_keys_add(s, &second, k.rsa, &d), 0);
    CHECK_INT(signer_keys_of_member(s, member, SLICE_NONE), first);
    CHECK_INT(signer_keys_of_member(s, member, ec), first);
    CHECK_INT(signer_keys_of_member(s, member, rsa), signer_keys_count(s) - 1);
    CHECK(signer_keys_of_member(s, SLICE_LIT(OTHER), ec) == SIZE_MAX);
    struct signer_batch *b = signer_batch_new(s, 100);
    struct signer_message m = message(MEMBER, 1, 0);
    m.cert = rsa;
    CHECK_INT(ask(b, &m, NULL, 0), 0);
    m.cert = SLICE_LIT("01234567890123456789012345678901");
    CHECK_INT(ask(b, &m, NULL, 0), ERR_KEY_NOT_FOUND);
    m.cert = SLICE_LIT("short");
    CHECK_INT(ask(b, &m, NULL, 0), ERR_BAD_REQUEST);
    signer_batch_free(b);
    signer_keys_free(s);
}

TEST(keys_of_before_serve_for_a_while_who_names_their_certificate)
{
    setup();
    struct signer_keys *old = signer_keys_new(), *s = signer_keys_new();
    struct slice ec = slice_of(k.p256_cert, (size_t)k.p256_n),
                 rsa = slice_of(k.rsa_cert, (size_t)k.rsa_n), member = SLICE_LIT(MEMBER);
    struct signer_key was_tls = {"auth", SIGNER_TLS, NULL, ec, NULL, NULL},
                      now_tls = {"auth", SIGNER_TLS, NULL, rsa, NULL, NULL},
                      was = {"sign", SIGNER_MESSAGE, MEMBER, ec, NULL, NULL},
                      now = {"sign", SIGNER_MESSAGE, MEMBER, rsa, NULL, NULL};
    struct slice ec_sha = slice_of(k.p256_parsed->sha256, 32);
    struct diag d = {0};
    struct buf value;
    char hex[65];
    buf_init(&value, 4096);
    hex_print(ec_sha, hex);
    CHECK_INT(signer_keys_add(old, &was_tls, k.p256, &d), 0);
    CHECK_INT(signer_keys_add(old, &was, k.p256, &d), 0);
    CHECK_INT(signer_keys_add(s, &now_tls, k.rsa, &d), 0);
    CHECK_INT(signer_keys_add(s, &now, k.rsa, &d), 0);
    signer_keys_inherit(s, old, 1000);
    signer_keys_free(old);
    CHECK_INT(signer_keys_count(s), 4);
    CHECK_INT(signer_keys_of_member(s, member, SLICE_NONE), 1);
    CHECK(signer_keys_of_member(s, member, ec_sha) != SIZE_MAX);
    /* By name it is the new one, by certificate the old one: an RSA value is longer. */
    struct signer_raw r = {.key = SLICE_LIT("auth"), .data = SLICE_LIT("x")};
    CHECK_INT(raw(s, SIGNER_TLS, &r, &value), 0);
    CHECK_INT(value.n, EVP_PKEY_get_size(k.rsa));
    r.key = slice_str(hex);
    buf_reset(&value);
    CHECK_INT(raw(s, SIGNER_TLS, &r, &value), 0);
    CHECK(value.n > 0 && value.n <= (size_t)EVP_PKEY_get_size(k.p256));
    signer_keys_forget(s, 1000 + SIGNER_RETIRED_MS);
    CHECK(signer_keys_of_member(s, member, ec_sha) != SIZE_MAX);
    signer_keys_forget(s, 1001 + SIGNER_RETIRED_MS);
    CHECK(signer_keys_of_member(s, member, ec_sha) == SIZE_MAX);
    CHECK_INT(raw(s, SIGNER_TLS, &r, &value), ERR_KEY_NOT_FOUND);
    CHECK_INT(signer_keys_of_member(s, member, SLICE_NONE), 1);
    buf_free(&value);
    signer_keys_free(s);
}

TEST(a_message_alone_is_signed_singly_or_as_its_own_tree)
{
    struct signer_keys *s = keys_new();
    struct signer_batch *b = signer_batch_new(s, 100);
    struct signer_message asked[4] = {message(MEMBER, 1, 0), message(MEMBER, 2, 1),
                                      message(OTHER, 1, 2), message(OTHER, 16, 3)};
    struct answers a = {.asked = asked};
    for (uint64_t i = 0; i < 4; i++) {
        CHECK_INT(ask(b, &asked[i], &a, i), 0);
        signer_batch_sign(b, NOW_MS, take, &a);
        CHECK_INT(a.n, i + 1);
        CHECK_INT(a.of[i].batch, 1);
    }
    CHECK_INT(a.failed, 0);
    signer_batch_free(b);
    signer_keys_free(s);
}

TEST(messages_that_wait_share_a_signature_for_each_member)
{
    struct signer_keys *s = keys_new();
    struct signer_batch *b = signer_batch_new(s, 100);
    struct signer_message asked[23];
    struct answers a = {.asked = asked};
    int lines[2];
    for (uint64_t i = 0; i < 23; i++) {
        asked[i] = message(i % 3 == 0 ? OTHER : MEMBER, 1 + i % 4, (int)i);
        CHECK_INT(ask(b, &asked[i], &lines[i % 2], i), 0);
    }
    CHECK_INT(a.n, 0);
    signer_batch_sign(b, NOW_MS, take, &a);
    CHECK_INT(a.n, 23);
    CHECK_INT(a.failed, 0);
    bool seen[23] = {false};
    for (size_t i = 0; i < a.n; i++) {
        CHECK(!seen[a.of[i].id]);
        seen[a.of[i].id] = true;
        CHECK(a.of[i].line == &lines[a.of[i].id % 2]);
        CHECK_INT(a.of[i].batch, a.of[i].id % 3 == 0 ? 8 : 15);
    }
    signer_batch_sign(b, NOW_MS, take, &a);
    CHECK_INT(a.n, 23);
    signer_batch_free(b);
    signer_keys_free(s);
}

TEST(a_batch_has_its_maximum)
{
    struct signer_keys *s = keys_new();
    struct signer_batch *b = signer_batch_new(s, 4);
    struct signer_message asked[10];
    struct answers a = {.asked = asked};
    for (uint64_t i = 0; i < 10; i++) {
        asked[i] = message(MEMBER, 1, (int)i);
        CHECK_INT(ask(b, &asked[i], &a, i), 0);
    }
    signer_batch_sign(b, NOW_MS, take, &a);
    CHECK_INT(a.n, 10);
    for (size_t i = 0; i < 10; i++) {
        CHECK_INT(a.of[i].id, i);
        CHECK_INT(a.of[i].batch, i < 8 ? 4 : 2);
    }
    signer_batch_free(b);
    signer_keys_free(s);
}

TEST(a_line_that_is_gone_gets_no_answer_and_hinders_nobody)
{
    struct signer_keys *s = keys_new();
    struct signer_batch *b = signer_batch_new(s, 100);
    struct signer_message asked[6];
    struct answers a = {.asked = asked};
    int lines[2];
    for (uint64_t i = 0; i < 6; i++) {
        asked[i] = message(MEMBER, 1, (int)i);
        CHECK_INT(ask(b, &asked[i], &lines[i % 2], i), 0);
    }
    signer_batch_forget(b, &lines[0]);
    signer_batch_sign(b, NOW_MS, take, &a);
    CHECK_INT(a.n, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(a.of[i].line == &lines[1]);
    signer_batch_free(b);
    signer_keys_free(s);
}

static void count(void *ctx, void *to, uint64_t id, uint16_t type, struct slice body)
{
    (void)to, (void)id, (void)body;
    CHECK_INT(type, SIGNER_MESSAGE_DONE);
    ++*(size_t *)ctx;
}

TEST(what_waits_is_bounded_and_strangers_are_refused)
{
    struct signer_keys *s = keys_new();
    struct signer_batch *b = signer_batch_new(s, 16384);
    struct signer_message m = message("SILD/GOV/none", 1, 0);
    CHECK_INT(ask(b, &m, b, 1), ERR_KEY_NOT_FOUND);
    CHECK_INT(signer_batch_add(b, SLICE_LIT("xyz"), b, 1, NULL), ERR_BAD_REQUEST);
    m = message(MEMBER, 16, 0);
    size_t n = 0, answered = 0;
    int err;
    while ((err = ask(b, &m, b, n)) == 0 && n < 100000)
        n++;
    CHECK_INT(err, ERR_AGAIN);
    CHECK(n > 1000);
    signer_batch_sign(b, NOW_MS, count, &answered);
    CHECK_INT(answered, n);
    CHECK_INT(ask(b, &m, b, n), 0);
    signer_batch_free(b);
    signer_keys_free(s);
}

/* --- lines --- */

/* Appends a frame as it travels between processes. */
static void frame(struct buf *b, uint16_t type, uint64_t id, struct slice body)
{
    wr_u32(b, (uint32_t)body.n);
    wr_u16(b, type);
    wr_u16(b, 0);
    wr_u64(b, id);
    buf_slice(b, body);
}

/* One datagram with the messages from..to-1 of asked. */
static void post(int fd, const struct signer_message *asked, uint64_t from, uint64_t to)
{
    struct buf b, body;
    buf_init(&b, IPC_DATAGRAM_MAX);
    buf_init(&body, 4096);
    for (uint64_t i = from; i < to; i++) {
        buf_reset(&body);
        signer_put_message(&body, &asked[i]);
        frame(&b, SIGNER_MESSAGE, i, buf_view(&body));
    }
    CHECK_INT(send(fd, b.p, b.n, MSG_NOSIGNAL), b.n);
    buf_free(&b);
    buf_free(&body);
}

/* Reads n answers, in as many datagrams as they come. */
static void collect(int fd, struct answers *a, size_t n)
{
    static uint8_t datagram[IPC_DATAGRAM_MAX];
    size_t until = a->n + n;
    while (a->n < until) {
        ssize_t got = recv(fd, datagram, sizeof datagram, 0);
        CHECK(got > 0);
        struct rd r = rd_of(slice_of(datagram, (size_t)got));
        while (rd_left(&r) > 0) {
            uint32_t len = rd_u32(&r);
            uint16_t type = rd_u16(&r);
            rd_u16(&r);
            uint64_t id = rd_u64(&r);
            struct slice body = rd_bytes(&r, len);
            CHECK(!r.bad);
            take(a, NULL, id, type, body);
        }
    }
}

#define LINES 2

struct process {
    pid_t pid;
    int fd[LINES];  /* our ends */
    int end[LINES]; /* its ends */
};

static struct process lines_new(void)
{
    struct process p = {.pid = -1};
    for (int i = 0; i < LINES; i++) {
        int pair[2];
        CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        struct timeval patience = {.tv_sec = 20};
        CHECK_INT(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
        p.fd[i] = pair[0];
        p.end[i] = pair[1];
    }
    return p;
}

static void start(struct process *p)
{
    struct signer_keys *s = keys_new();
    p->pid = fork();
    CHECK(p->pid >= 0);
    if (p->pid == 0) {
        struct loop *l = loop_new();
        struct signer_lines *lines = signer_lines_new(l, s, 100);
        for (int i = 0; i < LINES; i++) {
            close(p->fd[i]);
            if (signer_lines_add(lines, p->end[i]) != 0)
                _exit(2);
        }
        loop_run(l);
        _exit(3);
    }
    for (int i = 0; i < LINES; i++)
        close(p->end[i]);
    signer_keys_free(s);
}

static void stop(struct process *p)
{
    int status;
    CHECK_INT(waitpid(p->pid, &status, WNOHANG), 0); /* it lives still */
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    for (int i = 0; i < LINES; i++)
        close(p->fd[i]);
}

TEST(messages_that_arrived_on_any_line_are_signed_together)
{
    struct process p = lines_new();
    struct signer_message asked[9];
    struct answers a = {.asked = asked};
    for (int i = 0; i < 9; i++)
        asked[i] = message(MEMBER, 1 + (size_t)i % 2, i);
    post(p.fd[0], asked, 0, 3);
    post(p.fd[0], asked, 3, 6);
    post(p.fd[1], asked, 6, 8);
    start(&p);
    collect(p.fd[0], &a, 6);
    collect(p.fd[1], &a, 2);
    CHECK_INT(a.failed, 0);
    for (size_t i = 0; i < a.n; i++) {
        CHECK_INT(a.of[i].id, i);
        CHECK_INT(a.of[i].batch, 8);
    }
    post(p.fd[1], asked, 8, 9);
    collect(p.fd[1], &a, 1);
    CHECK_INT(a.of[8].id, 8);
    CHECK_INT(a.of[8].batch, 1);
    stop(&p);
}

TEST(a_call_gets_its_value_or_its_reason)
{
    struct process p = lines_new();
    start(&p);
    struct signer_raw r = {.key = SLICE_LIT("head"), .data = SLICE_LIT(HEAD)};
    struct buf value;
    struct diag d = {0};
    buf_init(&value, 1024);
    CHECK_INT(signer_call(p.fd[0], SIGNER_HEAD, &r, &value, &d), 0);
    check_value(k.ed, NULL, false, r.data, buf_view(&value));
    CHECK_INT(signer_call(p.fd[0], SIGNER_TLS, &r, &value, &d), ERR_DENIED);
    CHECK_STR(d.text, "the key head is not for this use");
    r.key = SLICE_LIT("nobody");
    CHECK_INT(signer_call(p.fd[0], SIGNER_HEAD, &r, &value, &d), ERR_KEY_NOT_FOUND);
    static const uint8_t much[IPC_INLINE_MAX];
    r.key = SLICE_LIT("head");
    r.data = slice_of(much, sizeof much);
    CHECK_INT(signer_call(p.fd[0], SIGNER_HEAD, &r, &value, &d), ERR_TOO_LARGE);
    r.data = SLICE_LIT(HEAD);
    kill(p.pid, SIGKILL);
    waitpid(p.pid, NULL, 0);
    CHECK_INT(signer_call(p.fd[0], SIGNER_HEAD, &r, &value, &d), ERR_KEY_NOT_AVAILABLE);
    close(p.fd[0]);
    close(p.fd[1]);
    buf_free(&value);
}

TEST(a_malformed_request_fails_and_a_malformed_frame_ends_its_line)
{
    struct process p = lines_new();
    struct signer_message asked[2] = {message(MEMBER, 1, 0), message(MEMBER, 1, 1)};
    struct answers a = {.asked = asked};
    struct buf b;
    buf_init(&b, 4096);
    start(&p);
    frame(&b, SIGNER_MESSAGE, 0, SLICE_LIT("nonsense"));
    frame(&b, SIGNER_TLS, 0, SLICE_LIT("nonsense"));
    frame(&b, 4711, 0, SLICE_LIT("nonsense"));
    CHECK_INT(send(p.fd[0], b.p, b.n, 0), b.n);
    collect(p.fd[0], &a, 3);
    CHECK_INT(a.failed, 3);
    post(p.fd[0], asked, 0, 1);
    collect(p.fd[0], &a, 1);
    CHECK_INT(a.failed, 3);

    CHECK_INT(send(p.fd[0], "\xff\xff\xff\xff garbage", 12, 0), 12);
    uint8_t byte;
    CHECK_INT(recv(p.fd[0], &byte, 1, 0), 0);
    post(p.fd[1], asked, 1, 2);
    collect(p.fd[1], &a, 1);
    CHECK_INT(a.failed, 3);
    buf_free(&b);
    stop(&p);
}
