/* Signature documents: the worked example octet for octet, public vectors, live verification. */
#include "world.h"

#include "base/err.h"
#include "crypto/ocsp.h"
#include "evidence/xades.h"

#define SIGNING_TIME 1767607260000 /* 2026-01-05T10:01:00Z */
#define JUDGED_AT 1767607500000    /* 10:05 */

static struct cert *worked_cert(const char *name)
{
    struct slice pem = vector("worked/%s.cert.pem", name);
    struct diag d = {0};
    struct cert *c = cert_parse(pem, &d);
    vector_drop(pem);
    if (c == NULL)
        FAIL("%s: %s", name, d.text);
    return c;
}

static EVP_PKEY *worked_key(const char *name)
{
    struct slice pem = vector("worked/%s.key.pem", name);
    struct diag d = {0};
    EVP_PKEY *k = key_from_pem(pem, &d);
    vector_drop(pem);
    if (k == NULL)
        FAIL("%s: %s", name, d.text);
    return k;
}

/* The three signatures of the worked example. */
static const struct example {
    const char *dir, *data, *key, *section;
    bool batch;
} examples[] = {
    {"single-rsa", "message1.xml", "sign-rsa", "== single-rsa", false},
    {"single-ec", "message1.xml", "sign-ec", "== single-ec", false},
    {"batch-ec", "batch-ec/sig-hashchainresult.xml", "sign-ec", "== batch-ec", true},
};

static struct xades_spec spec_of(const struct example *e, struct cert *cert)
{
    struct slice data = vector("worked/%s", e->data);
    struct xades_spec s = {.batch = e->batch,
                           .signing_time_ms = SIGNING_TIME,
                           .cert = cert,
                           .alg = sign_alg_for_key(cert->key)};
    digest_of(DIGEST_SHA512, data, &s.data);
    vector_drop(data);
    return s;
}

static void check_octets(const struct buf *got, const char *dir, const char *name)
{
    struct slice want = vector("worked/%s/%s", dir, name);
    if (!slice_eq(buf_view(got), want))
        FAIL("%s/%s differs:\n%.*s", dir, name, SLICE_ARG(buf_view(got)));
    vector_drop(want);
}

TEST(octets_and_digests_of_the_worked_signatures)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        struct cert *cert = worked_cert(e->key);
        struct xades_spec s = spec_of(e, cert);
        struct digest want = vector_worked(e->section, "SHA-512(data)");
        CHECK(digest_eq(&s.data, &want));
        vector_check_digest(cert->der, e->section, "SHA-512(certificate DER)");
        struct buf b;
        buf_init(&b, 65536);
        CHECK_INT(xades_signed_properties(&s, &b), 0);
        check_octets(&b, e->dir, "signed-properties.c14n");
        vector_check_digest(buf_view(&b), e->section, "SHA-512(signed-properties.c14n)");
        buf_reset(&b);
        CHECK_INT(xades_signed_info(&s, &b), 0);
        check_octets(&b, e->dir, "signed-info.c14n");
        vector_check_digest(buf_view(&b), e->section, "SHA-512(signed-info.c14n)");
        buf_free(&b);
        cert_free(cert);
    }
}

static struct slice read_value(const struct example *e, struct arena *a)
{
    struct slice text = vector("worked/%s/signatures.xml", e->dir);
    struct xades *x = NULL;
    struct diag d = {0};
    if (xades_parse(a, text, true, &x, &d) != 0)
        FAIL("%s: %s", e->dir, d.text);
    vector_drop(text);
    struct slice value = xades_value(x);
    xades_free(x);
    return value;
}

static void print_example(const struct example *e, struct slice value, struct buf *out)
{
    struct cert *cert = worked_cert(e->key);
    struct xades_spec s = spec_of(e, cert);
    struct slice ocsp = vector("worked/%s.ocsp.der", e->key);
    CHECK_INT(xades_print(&s, value, NULL, 0, &ocsp, 1, out), 0);
    vector_drop(ocsp);
    cert_free(cert);
}

TEST(documents_around_the_worked_values_are_the_same_octets)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct arena *a = arena_new(1u << 20);
        struct buf out;
        buf_init(&out, 65536);
        print_example(&examples[i], read_value(&examples[i], a), &out);
        check_octets(&out, examples[i].dir, "signatures.xml");
        buf_free(&out);
        arena_free(a);
    }
}

/* The raw value of a fresh signature over an example's SignedInfo. */
static void sign_example(const struct example *e, struct buf *raw)
{
    struct cert *cert = worked_cert(e->key);
    EVP_PKEY *key = worked_key(e->key);
    struct xades_spec s = spec_of(e, cert);
    struct buf info, value;
    buf_init(&info, 65536);
    buf_init(&value, 4096);
    CHECK_INT(xades_signed_info(&s, &info), 0);
    CHECK_INT(sign_data(key, s.alg, buf_view(&info), &value), 0);
    if (s.alg->key == SIGN_EC)
        CHECK_INT(sign_raw_from_der(key, buf_view(&value), raw), 0);
    else
        buf_slice(raw, buf_view(&value));
    buf_free(&info);
    buf_free(&value);
    EVP_PKEY_free(key);
    cert_free(cert);
}

TEST(signing_again_with_rsa_gives_the_same_document)
{
    struct buf raw, out;
    buf_init(&raw, 4096);
    buf_init(&out, 65536);
    sign_example(&examples[0], &raw);
    print_example(&examples[0], buf_view(&raw), &out);
    check_octets(&out, "single-rsa", "signatures.xml");
    buf_free(&raw);
    buf_free(&out);
}

/* Resolves /message.xml and /attachment1 from files, /sig-hashchainresult.xml likewise. */
struct files {
    struct slice message, attachment, result;
};

static int resolve(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out)
{
    const struct files *f = ctx;
    struct slice bytes = SLICE_NONE;
    if (slice_eq_str(uri, "/message.xml"))
        bytes = f->message;
    else if (slice_eq_str(uri, "/attachment1"))
        bytes = f->attachment;
    else if (slice_eq_str(uri, "/sig-hashchainresult.xml"))
        bytes = f->result;
    if (bytes.p == NULL)
        return ERR_INVALID_REFERENCE;
    digest_of(alg, bytes, out);
    return 0;
}

static int core(struct slice text, bool strict, struct files *f, struct diag *d)
{
    struct arena *a = arena_new(4u << 20);
    struct xades *x = NULL;
    int rc = xades_parse(a, text, strict, &x, d);
    if (rc == 0)
        rc = xades_verify_core(x, resolve, f, d);
    xades_free(x);
    arena_free(a);
    return rc;
}

TEST(fresh_signatures_verify)
{
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        struct buf raw, out;
        buf_init(&raw, 4096);
        buf_init(&out, 65536);
        sign_example(&examples[i], &raw);
        print_example(&examples[i], buf_view(&raw), &out);
        struct slice data = vector("worked/%s", examples[i].data);
        struct files f = {.message = data, .result = data};
        struct diag d = {0};
        if (core(buf_view(&out), true, &f, &d) != 0)
            FAIL("%s: %s", examples[i].dir, d.text);
        vector_drop(data);
        buf_free(&raw);
        buf_free(&out);
    }
}

static const struct {
    const char *name, *message, *attachment, *result;
    bool strict;
    int want;
} documents[] = {
    {"worked/single-rsa/signatures.xml", "worked/message1.xml", NULL, NULL, true, 0},
    {"worked/single-ec/signatures.xml", "worked/message1.xml", NULL, NULL, true, 0},
    {"worked/single-ec/signatures-short-value.xml", "worked/message1.xml", NULL, NULL, true, 0},
    {"worked/single-ec/signatures.xml", "worked/message3.xml", NULL, NULL, true,
     ERR_INVALID_SIGNATURE_VALUE},
    {"worked/batch-ec/signatures.xml", NULL, NULL, "worked/batch-ec/sig-hashchainresult.xml", true,
     0},
    {"worked/batch-ec/signatures.xml", NULL, NULL, NULL, true, ERR_INVALID_REFERENCE},
    {"signatures/common/sign-0.xml", "signatures/common/message-0.xml", NULL, NULL, true, 0},
    {"signatures/common/sign-0-old-format.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     0},
    {"signatures/batch-sig.xml", NULL, NULL, "signatures/hash-chain-result.xml", true, 0},
    {"signatures/non-batch-sig/signatures.xml", "signatures/non-batch-sig/message.xml",
     "signatures/non-batch-sig/attachment1", NULL, true, 0},
    {"signatures/non-batch-sig/signatures.xml", "signatures/non-batch-sig/message.xml",
     "signatures/non-batch-sig/message.xml", NULL, true, ERR_INVALID_SIGNATURE_VALUE},
    {"signatures/empty.xml", NULL, NULL, NULL, true, ERR_INVALID_XML},
    {"signatures/sign-0-malformed-xml.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     ERR_INVALID_XML},
    {"signatures/sign-0-no-signature.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     ERR_MALFORMED_SIGNATURE},
    {"signatures/sign-0-no-objectcontainer.xml", "signatures/common/message-0.xml", NULL, NULL,
     true, ERR_MALFORMED_SIGNATURE},
    {"signatures/sign-0-no-signing-cert.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     ERR_MALFORMED_SIGNATURE},
    {"signatures/sign-0-schema-fail.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     ERR_MALFORMED_SIGNATURE},
    {"signatures/sign-0-ocsp-no-responses.xml", "signatures/common/message-0.xml", NULL, NULL, true,
     ERR_MALFORMED_SIGNATURE},
    {"signatures/sign-0-invalid-signature-value.xml", "signatures/common/message-0.xml", NULL, NULL,
     true, ERR_INVALID_SIGNATURE_VALUE},
};

static struct slice maybe(const char *name)
{
    return name == NULL ? SLICE_NONE : vector("%s", name);
}

TEST(documents_have_their_verdicts)
{
    int wrong = 0;
    printf("# %-48s %-24s %s\n", "document", "expected", "got");
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        struct slice text = vector("%s", documents[i].name);
        struct files f = {maybe(documents[i].message), maybe(documents[i].attachment),
                          maybe(documents[i].result)};
        struct diag d = {0};
        int rc = core(text, documents[i].strict, &f, &d), want = documents[i].want;
        printf("# %-48s %-24s %s\n", documents[i].name, want == 0 ? "valid" : err_name(want),
               rc == 0 ? "valid" : err_name(rc));
        if (rc != want)
            printf("#   %s\n", d.text);
        wrong += rc != want;
        vector_drop(text);
        vector_drop(f.message);
        vector_drop(f.attachment);
        vector_drop(f.result);
    }
    CHECK_INT(wrong, 0);
}

TEST(additional_certificates_are_checked_against_their_references)
{
    static const char *const names[] = {"missing-id", "missing-cert", "digest-invalid"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct slice text = vector("signatures/extra-certs-%s.xml", names[i]);
        struct arena *a = arena_new(4u << 20);
        struct xades *x = NULL;
        struct diag d = {0};
        if (xades_parse(a, text, false, &x, &d) != 0)
            FAIL("%s: %s", names[i], d.text);
        struct cert *const *extra;
        size_t n;
        if (xades_extra(x, &extra, &n, &d) != ERR_MALFORMED_SIGNATURE)
            FAIL("%s: accepted", names[i]);
        xades_free(x);
        arena_free(a);
        vector_drop(text);
    }
}

TEST(facts_of_a_document)
{
    struct slice text = vector("worked/single-rsa/signatures.xml");
    struct slice ocsp = vector("worked/sign-rsa.ocsp.der");
    struct arena *a = arena_new(4u << 20);
    struct xades *x = NULL;
    CHECK_INT(xades_parse(a, text, true, &x, NULL), 0);
    CHECK_INT(xades_signing_time(x), SIGNING_TIME);
    CHECK(xades_references(x, "/message.xml"));
    CHECK(!xades_references(x, "/sig-hashchainresult.xml"));
    const struct slice *responses;
    CHECK_INT(xades_ocsp(x, &responses), 1);
    CHECK(slice_eq(responses[0], ocsp));
    CHECK_INT(xades_timestamp(x).n, 0);
    xades_free(x);
    arena_free(a);
    vector_drop(text);
    vector_drop(ocsp);
}

/* --- documents changed by hand --- */

/* The worked RSA document with the first `what` replaced. */
static int core_with(const char *what, const char *by, bool strict, struct diag *d)
{
    struct slice text = vector("worked/single-rsa/signatures.xml");
    struct files f = {.message = vector("worked/message1.xml")};
    size_t at = slice_find_slice(text, slice_str(what));
    if (at == SIZE_MAX)
        FAIL("the document does not hold %s", what);
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_slice(&b, slice_sub(text, 0, at));
    buf_str(&b, by);
    buf_slice(&b, slice_from(text, at + strlen(what)));
    int rc = core(buf_view(&b), strict, &f, d);
    buf_free(&b);
    vector_drop(text);
    vector_drop(f.message);
    return rc;
}

TEST(changed_documents_are_refused)
{
    static const struct {
        const char *what, *by;
        bool strict;
        int want;
        const char *says;
    } t[] = {
        {"<ds:Object>", "<ds:Object Id=\"signature\">", false, ERR_MALFORMED_SIGNATURE, "twice"},
        {"?><asic", "?><!DOCTYPE x [<!ENTITY e \"f\">]><asic", false, ERR_INVALID_XML, ""},
        {"URI=\"#signed-properties\"", "URI=\"#signed-properties\" x=\"y\"", false,
         ERR_INVALID_SIGNATURE_VALUE, "value"},
        {"URI=\"#signed-properties\"", "URI=\"#other\"", false, ERR_INVALID_REFERENCE, "#other"},
        {"URI=\"#signed-properties\"", "URI=\"\"", false, ERR_INVALID_REFERENCE, "URI"},
        {"10:01:00.000Z", "10:01:01.000Z", false, ERR_INVALID_SIGNATURE_VALUE,
         "#signed-properties"},
        {"<ds:KeyInfo>", "<ds:KeyInfo/><ds:KeyInfo>", true, ERR_MALFORMED_SIGNATURE, "misplaced"},
        {"<ds:Signature Id=\"signature\">", "<x/><ds:Signature Id=\"signature\">", true,
         ERR_MALFORMED_SIGNATURE, "first"},
        {"<xades:Cert>", "text<xades:Cert>", true, ERR_MALFORMED_SIGNATURE, "text"},
        {"<xades:RevocationValues>", "<xades:Foo/><xades:RevocationValues>", true,
         ERR_MALFORMED_SIGNATURE, "unknown child"},
        {"TR/2001/REC-xml-c14n-20010315\"", "TR/2001/REC-xml-c14n-20010315#WithComments\"", false,
         ERR_MALFORMED_SIGNATURE, "CanonicalizationMethod"},
        {"rsa-sha512", "rsa-md5", false, ERR_MALFORMED_SIGNATURE, "algorithm"},
        {"rsa-sha512", "ecdsa-sha512", false, ERR_INVALID_SIGNATURE_VALUE, "key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct diag d = {0};
        int rc = core_with(t[i].what, t[i].by, t[i].strict, &d);
        if (rc != t[i].want || strstr(d.text, t[i].says) == NULL)
            FAIL("%s: %s \"%s\"", t[i].by, err_name(rc), d.text);
    }
}

/* Both readers, that of our own form and the XML parser, must see each change of what is signed. */
TEST(no_byte_of_what_is_signed_can_be_changed)
{
    struct slice text = vector("worked/single-ec/signatures.xml");
    struct files f = {.message = vector("worked/message1.xml")};
    uint8_t *p = (uint8_t *)(uintptr_t)text.p;
    static const char *const begin[] = {"<ds:SignedInfo>", "<xades:SignedProperties "};
    static const char *const end[] = {"</ds:SignatureValue>", "</xades:SignedProperties>"};
    for (size_t i = 0; i < ARRAY_LEN(begin); i++) {
        size_t at = slice_find_slice(text, slice_str(begin[i]));
        size_t stop = slice_find_slice(text, slice_str(end[i]));
        CHECK(at != SIZE_MAX && stop != SIZE_MAX);
        for (; at < stop; at += 3) {
            uint8_t old = p[at];
            p[at] = old == '=' || old == '"' ? '/' : old ^ 1;
            struct diag d = {0};
            if (core(text, false, &f, &d) == 0)
                FAIL("octet %zu, '%c' for '%c'", at, p[at], old);
            p[at] = old;
        }
    }
    vector_drop(text);
    vector_drop(f.message);
}

TEST(comments_and_other_quotes_change_nothing)
{
    struct diag d = {0};
    CHECK_INT(core_with("<ds:SignatureMethod ", "<!-- c --><ds:SignatureMethod ", true, &d), 0);
    CHECK_INT(core_with("Id=\"signed-properties\"", "Id = 'signed-properties' ", true, &d), 0);
    CHECK_INT(core_with("<ds:KeyInfo>", "\n <ds:KeyInfo>\n", true, &d), 0);
}

TEST(more_than_thirty_references_are_refused)
{
    struct buf b;
    buf_init(&b, 1u << 16);
    for (int i = 0; i < 29; i++)
        buf_printf(&b,
                   "<ds:Reference URI=\"/attachment%d\"><ds:DigestMethod Algorithm="
                   "\"http://www.w3.org/2000/09/xmldsig#sha1\"/><ds:DigestValue>"
                   "AAAAAAAAAAAAAAAAAAAAAAAAAAA=</ds:DigestValue></ds:Reference>",
                   i);
    buf_str(&b, "</ds:SignedInfo>");
    struct diag d = {0};
    CHECK_INT(core_with("</ds:SignedInfo>", buf_cstr(&b), true, &d), ERR_MALFORMED_SIGNATURE);
    CHECK(strstr(d.text, "30 references") != NULL);
    buf_free(&b);
}

/* --- live messages --- */

static struct id_client sender(void)
{
    return (struct id_client){SLICE_LIT("ZZ"), SLICE_LIT("GOV"), SLICE_LIT("100"),
                              SLICE_LIT("registry")};
}

/* A message of the worked example; batch: number 1 to 3, single: 0 with the key's folder. */
static struct xades_live live_of(const struct id_client *from, const char *dir, int number)
{
    struct xades_live m = {.sender = from, .parts = 1};
    m.signature = vector("worked/%s/signatures.xml", dir);
    struct slice message = vector(number == 2 ? "worked/message2.txt" : "worked/message%d.xml",
                                  number == 0 ? 1 : number);
    digest_of(DIGEST_SHA512, message, &m.part[0]);
    vector_drop(message);
    if (number == 0)
        return m;
    m.result = vector("worked/batch-ec/sig-hashchainresult.xml");
    m.chain = vector("worked/batch-ec/message%d.sig-hashchain.xml", number);
    if (number == 2) {
        struct slice body = vector("worked/message2.attachment1");
        digest_of(DIGEST_SHA512, body, &m.part[m.parts++]);
        vector_drop(body);
    }
    return m;
}

static void live_drop(struct xades_live *m)
{
    vector_drop(m->signature);
    vector_drop(m->result);
    vector_drop(m->chain);
}

static int live_at(struct world *w, struct xades_cache *c, const struct xades_live *m, int64_t at,
                   struct diag *d)
{
    arena_reset(w->a);
    return xades_verify_live(w->g, c, w->a, m, at, d);
}

TEST(worked_messages_verify_live_with_and_without_cache)
{
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    struct id_client from = sender();
    struct xades_cache *cache = xades_cache_new(64);
    for (int round = 0; round < 2; round++) {
        for (int i = -1; i <= 3; i++) {
            struct xades_live m = i <= 0 ? live_of(&from, i < 0 ? "single-rsa" : "single-ec", 0)
                                         : live_of(&from, "batch-ec", i);
            struct diag d = {0};
            if (live_at(&w, NULL, &m, JUDGED_AT, &d) != 0 ||
                live_at(&w, cache, &m, JUDGED_AT, &d) != 0)
                FAIL("message %d, round %d: %s", i, round, d.text);
            live_drop(&m);
        }
    }
    xades_cache_free(cache);
    world_close(&w);
}

TEST(live_messages_with_a_fault_are_refused_and_a_cache_changes_no_verdict)
{
    struct world w;
    world_open(&w, "worked/globalconf", "ZZ");
    struct id_client from = sender();
    struct xades_cache *caches[] = {NULL, xades_cache_new(64)};
    for (size_t k = 0; k < ARRAY_LEN(caches); k++) {
        struct xades_live good = live_of(&from, "batch-ec", 2),
                          single = live_of(&from, "single-ec", 0);
        struct diag d = {0};
        CHECK_INT(live_at(&w, caches[k], &good, JUDGED_AT, &d), 0);

        struct xades_live m = good; /* a changed body */
        m.part[1].b[0] ^= 1;
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_INVALID_HASH_CHAIN);
        CHECK_STR(d.rule, "malformed_signature");

        m = good; /* a body that nobody signed */
        m.part[m.parts++] = m.part[0];
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_HASHCHAIN_UNUSED_INPUTS);

        m = single; /* likewise, without chain */
        m.part[m.parts++] = m.part[0];
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_MALFORMED_SIGNATURE);
        CHECK(strstr(d.text, "/attachment1") != NULL);

        m = single; /* a chain beside a signature that does not sign it covers nothing */
        m.result = good.result;
        m.chain = good.chain;
        m.part[1] = good.part[1];
        m.parts = 2;
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_MALFORMED_SIGNATURE);

        m = good; /* no chain */
        m.chain = SLICE_NONE;
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_MALFORMED_SIGNATURE);

        struct id_client other = from; /* another member's name */
        other.member_code = SLICE_LIT("200");
        m = good;
        m.sender = &other;
        CHECK_INT(live_at(&w, caches[k], &m, JUDGED_AT, &d), ERR_INCORRECT_CERTIFICATE);

        /* one hour after the OCSP response it is as old as allowed, and then too old */
        CHECK_INT(live_at(&w, caches[k], &good, JUDGED_AT + 54 * 60000, &d), 0);
        CHECK_INT(live_at(&w, caches[k], &good, JUDGED_AT + 56 * 60000, &d),
                  ERR_INCORRECT_VALIDATION_INFO);
        CHECK_INT(live_at(&w, caches[k], &good, JUDGED_AT, &d), 0);
        live_drop(&good);
        live_drop(&single);
    }
    xades_cache_free(caches[1]);
    world_close(&w);
}
