/* Certificates: those of the vectors, and our own judged by the openssl command. */
#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/cert.h"
#include "openssl_tool.h"
#include "pki.h"
#include "test.h"

#include <openssl/x509v3.h>

#define AT "2026-06-01T12:00:00Z"

TEST(worked_example_certificates)
{
    struct cert *rsa = vector_cert("xroad/worked/sign-rsa.cert.pem");
    struct cert *ca = vector_cert("xroad/worked/ca.cert.pem");
    struct cert *ocsp = vector_cert("xroad/worked/ocsp.cert.pem");
    struct cert *tsa = vector_cert("xroad/worked/tsa.cert.pem");
    char hex[2 * DIGEST_MAX + 1];
    hex_print(digest_slice(&rsa->sha512), hex);
    hex[16] = 0;
    CHECK_STR(hex, "7a00c77b2af03844");
    CHECK_INT(rsa->not_before_ms, iso_ms("2026-01-01T00:00:00Z"));
    CHECK_INT(rsa->not_after_ms, iso_ms("2046-01-01T00:00:00Z"));
    CHECK(rsa->has_key_usage && rsa->non_repudiation && !rsa->digital_signature && !rsa->is_ca);
    CHECK(ca->is_ca && ca->key_cert_sign);
    CHECK(ocsp->eku_ocsp_signing && !ocsp->eku_client_auth && ocsp->digital_signature);
    CHECK(tsa->eku_time_stamping);
    CHECK(cert_issued_by(rsa, ca) && cert_issued_by(ca, ca) && !cert_issued_by(rsa, ocsp));
    bool yes;
    CHECK_INT(cert_is_signing(rsa, &yes, NULL), 0);
    CHECK(yes);
    CHECK_INT(cert_is_authentication(rsa, &yes, NULL), 0);
    CHECK(!yes);
    struct buf b;
    buf_init(&b, 1000);
    CHECK(cert_subject_field(rsa, "2.5.4.3", &b));
    CHECK_STR(buf_cstr(&b), "100");
    CHECK(!cert_subject_field(rsa, "2.5.4.5", &b));
    CHECK(!cert_ocsp_url(rsa, &b));
    buf_free(&b);
    cert_free(rsa);
    cert_free(ca);
    cert_free(ocsp);
    cert_free(tsa);
}

static struct slice between(struct slice s, const char *from)
{
    size_t at = slice_find_slice(s, slice_str(from));
    CHECK(at != SIZE_MAX);
    s = slice_from(s, at + strlen(from));
    return slice_sub(s, 0, slice_find(s, '<'));
}

/* What X-Road's own signature documents say of their certificate's issuer. */
TEST(issuer_name_and_serial_as_java_prints_them)
{
    static const char *const docs[] = {
        "xroad/signatures/batch-sig.xml", "xroad/signatures/extra-certs-missing-id.xml",
        "xroad/signatures/sign-0-schema-fail.xml", "xroad/worked/single-ec/signatures.xml"};
    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        struct slice doc = vector(docs[i]);
        struct buf der, text;
        buf_init(&der, 65536);
        buf_init(&text, 1000);
        /* "&#13;" is how the documents write a CR inside base64 */
        struct slice rest = between(doc, "<ds:X509Certificate>"), part;
        struct buf clean;
        buf_init(&clean, 65536);
        while (slice_next(&rest, '&', &part))
            buf_slice(&clean, slice_starts(part, "#13;") ? slice_from(part, 4) : part);
        CHECK_INT(base64_decode(&der, buf_view(&clean), true), 0);
        struct cert *c = cert_parse(buf_view(&der), NULL);
        CHECK(c != NULL);
        cert_name_rfc2253(X509_get_issuer_name(c->x509), &text);
        CHECK(slice_eq(buf_view(&text), between(doc, "<ds:X509IssuerName>")));
        buf_reset(&text);
        cert_serial_decimal(c, &text);
        CHECK(slice_eq(buf_view(&text), between(doc, "<ds:X509SerialNumber>")));
        cert_free(c);
        buf_free(&clean);
        buf_free(&der);
        buf_free(&text);
        free((void *)doc.p);
    }
}

TEST(rfc2253_escapes)
{
    static const struct cert_rdn rdns[] = {{"2.5.4.10", " a,b+c\"d\\e<f>g;h "},
                                           {"2.5.4.3", "#x=y"},
                                           {"2.5.4.11", "Rahvastikuregister \xc3\xb5\xc3\xa4"},
                                           {"2.5.4.15", "GOV"}};
    struct buf der, text;
    buf_init(&der, 1000);
    buf_init(&text, 1000);
    CHECK_INT(cert_name_der(rdns, 4, &der, NULL), 0);
    const unsigned char *p = der.p;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der.n);
    CHECK(name != NULL);
    cert_name_rfc2253(name, &text);
    CHECK_STR(buf_cstr(&text), "2.5.4.15=#0c03474f56,OU=Rahvastikuregister \xc3\xb5\xc3\xa4,"
                               "CN=\\#x\\=y,O=\\ a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\ ");
    X509_NAME_free(name);
    buf_free(&der);
    buf_free(&text);
}

TEST(bad_bytes_are_refused)
{
    struct slice pem = vector("xroad/worked/ca.cert.pem");
    struct cert *ca = cert_parse(pem, NULL);
    CHECK(ca != NULL);
    struct buf b;
    buf_init(&b, 65536);
    struct diag d = {0};
    buf_slice(&b, ca->der);
    CHECK(cert_parse(SLICE_NONE, &d) == NULL);
    CHECK_INT(d.code, ERR_INCORRECT_CERTIFICATE);
    buf_byte(&b, 0);
    CHECK(cert_parse(buf_view(&b), &d) == NULL);
    CHECK_STR(d.text, "Bytes follow after the certificate.");
    for (size_t n = 0; n < ca->der.n; n += 7)
        CHECK(cert_parse(slice_sub(ca->der, 0, n), &d) == NULL);
    CHECK(cert_parse(SLICE_LIT("-----BEGIN CERTIFICATE-----\nMII*\n-----END CERTIFICATE-----"),
                     &d) == NULL);
    CHECK(cert_parse(SLICE_LIT("-----BEGIN CERTIFICATE-----\nMIIB"), &d) == NULL);
    /* the first of several, with text around */
    buf_reset(&b);
    buf_str(&b, "subject: somebody\n");
    buf_slice(&b, pem);
    buf_slice(&b, pem);
    struct cert *first = cert_parse(buf_view(&b), &d);
    CHECK(first != NULL && slice_eq(first->der, ca->der));
    CHECK(cert_ref(first) == first);
    cert_free(first);
    cert_free(first);
    cert_free(ca);
    buf_free(&b);
    free((void *)pem.p);
}

TEST(certificates_of_people_parse)
{
    struct cert *c = vector_cert("identity/certs/TEST_of_ESTEID2018.cer");
    CHECK(c->is_ca);
    cert_free(c);
    c = vector_cert("identity/certs/bad-no-key-usage.der");
    bool yes;
    struct diag d = {0};
    CHECK(!c->has_key_usage);
    CHECK_INT(cert_is_signing(c, &yes, &d), ERR_INCORRECT_CERTIFICATE);
    cert_free(c);
    c = vector_cert("identity/certs/joeorg-auth-2021.der");
    CHECK_INT(cert_is_authentication(c, &yes, &d), 0);
    CHECK(yes && c->eku_client_auth);
    cert_free(c);
}

/* More certificates than are kept at hand; each parse gives the right one, also after the first
 * user has let go of it. */
TEST(parsing_again)
{
    enum { MANY = 300 };
    struct pki ca;
    pki_make(&ca, CERT_CA, "p256", "Root", NULL, 1);
    struct cert *certs[MANY];
    for (int i = 0; i < MANY; i++) {
        const struct cert_rdn rdns[] = {{"2.5.4.3", "x"}};
        struct cert_spec spec = {.purpose = CERT_SIGN,
                                 .rdns = rdns,
                                 .rdn_count = 1,
                                 .serial = {1, (uint8_t)i, (uint8_t)(i >> 8)},
                                 .not_before_ms = iso_ms("2026-01-01T00:00:00Z"),
                                 .not_after_ms = iso_ms("2028-01-01T00:00:00Z")};
        struct buf der;
        buf_init(&der, 65536);
        CHECK_INT(cert_issue(&spec, ca.key, ca.cert, ca.key, &der, NULL), 0);
        certs[i] = cert_parse(buf_view(&der), NULL);
        CHECK(certs[i] != NULL);
        struct cert *again = cert_parse(buf_view(&der), NULL);
        CHECK(again == certs[i]);
        cert_free(again);
        buf_free(&der);
    }
    for (int i = 0; i < MANY; i++) {
        struct cert *again = cert_parse(certs[i]->der, NULL);
        CHECK(again != NULL && slice_eq(again->der, certs[i]->der));
        CHECK(again->serial.p[1] == (uint8_t)i && again->serial.p[2] == (uint8_t)(i >> 8));
        cert_free(certs[i]);
        CHECK(EVP_PKEY_eq(again->key, ca.key) == 1);
        cert_free(again);
    }
    pki_free(&ca);
}

/* --- issuing --- */

static void write_cert(struct tool *t, const char *name, const struct cert *c)
{
    struct buf pem;
    buf_init(&pem, 100000);
    cert_der_to_pem(c->der, &pem);
    CHECK(!pem.failed);
    tool_write(t, name, buf_view(&pem));
    buf_free(&pem);
}

static void must(struct tool *t, const char *args)
{
    if (tool_run(t, "%s", args) != 0)
        FAIL("openssl %s: %s", args, t->output);
}

static void judge_family(const char *kind)
{
    static const struct {
        enum cert_purpose purpose;
        const char *name, *options;
    } leaves[] = {
        {CERT_SIGN, "sign", "-x509_strict"},
        {CERT_AUTH, "auth", "-x509_strict -purpose sslclient"},
        {CERT_AUTH, "auth2", "-x509_strict -purpose sslserver"},
        {CERT_OCSP, "ocsp", "-x509_strict"},
        {CERT_TSA, "tsa", "-x509_strict -purpose timestampsign"},
        {CERT_TLS_SERVER, "tls", "-x509_strict -purpose sslserver -verify_hostname gw.example"},
        {CERT_TLS_SERVER, "tls2", "-x509_strict -purpose sslclient -verify_ip 127.0.0.1"},
    };
    struct tool t;
    tool_open(&t);
    struct pki ca, sub, leaf;
    pki_make(&ca, CERT_CA, kind, "Root", NULL, 1);
    pki_make(&sub, CERT_INTERMEDIATE, kind, "Sub", &ca, 2);
    write_cert(&t, "ca.pem", ca.cert);
    write_cert(&t, "sub.pem", sub.cert);
    must(&t, "verify -x509_strict -check_ss_sig -attime 1780000000 -CAfile ca.pem ca.pem");
    must(&t, "verify -x509_strict -attime 1780000000 -CAfile ca.pem sub.pem");
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        pki_make(&leaf, leaves[i].purpose, kind, leaves[i].name, &sub, (uint8_t)(10 + i));
        write_cert(&t, "leaf.pem", leaf.cert);
        if (tool_run(&t, "verify %s -attime 1780000000 -CAfile ca.pem -untrusted sub.pem leaf.pem",
                     leaves[i].options) != 0)
            FAIL("%s %s: %s", kind, leaves[i].name, t.output);
        CHECK_INT(tool_run(&t, "verify -attime 1850000000 -CAfile ca.pem -untrusted sub.pem "
                               "leaf.pem"),
                  2);
        pki_free(&leaf);
    }
    pki_make(&leaf, CERT_CONF_SIGNING, kind, "internalSigningKey", NULL, 30);
    write_cert(&t, "conf.pem", leaf.cert);
    must(&t, "verify -x509_strict -check_ss_sig -attime 1780000000 -CAfile conf.pem conf.pem");
    CHECK(leaf.cert->non_repudiation && leaf.cert->key_cert_sign);
    pki_free(&leaf);
    pki_make(&leaf, CERT_TLS_SERVER, kind, "own", NULL, 31);
    write_cert(&t, "own.pem", leaf.cert);
    must(&t, "verify -check_ss_sig -attime 1780000000 -CAfile own.pem own.pem");
    pki_free(&leaf);
    pki_free(&ca);
    pki_free(&sub);
    tool_close(&t);
}

TEST(openssl_accepts_a_family_of_rsa)
{
    judge_family("rsa2048");
}

TEST(openssl_accepts_a_family_of_p256)
{
    judge_family("p256");
}

TEST(openssl_accepts_families_of_p384_and_ed25519)
{
    judge_family("p384");
    judge_family("ed25519");
}

static void must_say(struct tool *t, const char *text)
{
    if (strstr(t->output, text) == NULL)
        FAIL("openssl does not say \"%s\" but: %s", text, t->output);
}

TEST(what_openssl_reads_in_them)
{
    struct tool t;
    tool_open(&t);
    struct pki ca, leaf;
    pki_make(&ca, CERT_CA, "p256", "Root", NULL, 1);
    pki_make(&leaf, CERT_OCSP, "p256", "OCSP", &ca, 2);
    write_cert(&t, "c.pem", leaf.cert);
    must(&t, "x509 -in c.pem -noout -text -nameopt RFC2253,show_type");
    must_say(&t, "ecdsa-with-SHA256");
    must_say(&t, "X509v3 Key Usage: critical\n                Digital Signature\n");
    must_say(&t, "OCSP No Check");
    must_say(&t, "Subject: CN=UTF8STRING:OCSP,O=UTF8STRING:Test,C=PRINTABLESTRING:EE");
    must_say(&t, "OCSP - URI:http://127.0.0.1:8888/ocsp");
    must_say(&t, "Not After : Jan  1 00:00:00 2028 GMT");
    pki_free(&leaf);
    pki_make(&leaf, CERT_TSA, "p256", "TSA", &ca, 3);
    write_cert(&t, "c.pem", leaf.cert);
    must(&t, "x509 -in c.pem -noout -text");
    must_say(&t, "X509v3 Extended Key Usage: critical\n                Time Stamping\n");
    struct buf url;
    buf_init(&url, 100);
    CHECK(cert_ocsp_url(leaf.cert, &url));
    CHECK_STR(buf_cstr(&url), "http://127.0.0.1:8888/ocsp");
    buf_free(&url);
    pki_free(&leaf);
    pki_make(&leaf, CERT_AUTH, "p256", "auth", &ca, 4);
    bool yes;
    CHECK_INT(cert_is_authentication(leaf.cert, &yes, NULL), 0);
    CHECK(yes);
    CHECK_INT(cert_is_signing(leaf.cert, &yes, NULL), 0);
    CHECK(!yes);
    pki_free(&leaf);
    pki_free(&ca);
    tool_close(&t);
}

TEST(two_steps_give_a_certificate_too)
{
    struct pki ca;
    pki_make(&ca, CERT_CA, "rsa2048", "Root", NULL, 1);
    struct diag d = {0};
    EVP_PKEY *key = key_generate("p256", &d);
    const struct cert_rdn rdns[] = {{"2.5.4.3", "leaf"}};
    struct cert_spec spec = {.purpose = CERT_SIGN,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .serial = {0x80, 1},
                             .not_before_ms = iso_ms("2026-01-01T00:00:00Z"),
                             .not_after_ms = iso_ms("2060-01-01T00:00:00Z")};
    const struct sign_alg *alg = sign_alg_for_asn1(ca.key);
    struct buf tbs, value, der;
    buf_init(&tbs, 65536);
    buf_init(&value, 1000);
    buf_init(&der, 65536);
    CHECK_INT(cert_issue_tbs(&spec, key, ca.cert, alg, &tbs, &d), 0);
    struct digest dg;
    digest_of(alg->digest, buf_view(&tbs), &dg);
    CHECK_INT(sign_digest(ca.key, alg, &dg, &value), 0);
    CHECK_INT(sign_wrap(buf_view(&tbs), alg, buf_view(&value), &der), 0);
    struct cert *c = cert_parse(buf_view(&der), &d);
    CHECK(c != NULL && cert_issued_by(c, ca.cert));
    CHECK_INT(c->not_after_ms, spec.not_after_ms);
    CHECK(EVP_PKEY_eq(c->key, key) == 1);
    cert_free(c);
    buf_free(&tbs);
    buf_free(&value);
    buf_free(&der);
    EVP_PKEY_free(key);
    pki_free(&ca);
}

TEST(wrong_orders_are_refused)
{
    struct diag d = {0};
    EVP_PKEY *key = key_generate("p256", &d), *other = key_generate("p256", &d);
    const struct cert_rdn rdns[] = {{"2.5.4.3", "x"}}, latin[] = {{"2.5.4.3", "\xe4"}};
    struct cert_spec good = {.purpose = CERT_SIGN,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .serial = {1},
                             .not_before_ms = 0,
                             .not_after_ms = 1000};
    struct buf der;
    buf_init(&der, 65536);
    struct cert_spec bad = good;
    bad.not_after_ms = 0;
    CHECK_INT(cert_issue(&bad, key, NULL, key, &der, &d), ERR_USAGE);
    bad = good;
    bad.serial[0] = 0;
    CHECK_INT(cert_issue(&bad, key, NULL, key, &der, &d), ERR_USAGE);
    bad = good;
    bad.rdns = latin;
    CHECK_INT(cert_issue(&bad, key, NULL, key, &der, &d), ERR_USAGE);
    bad = good;
    bad.alt_name = "DNS:ok.example,IP:300.1.1.1";
    CHECK_INT(cert_issue(&bad, key, NULL, key, &der, &d), ERR_USAGE);
    CHECK_INT(cert_issue(&good, key, NULL, other, &der, &d), ERR_CANNOT_SIGN);
    CHECK_INT(der.n, 0);
    buf_free(&der);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

/* --- requests --- */

TEST(requests_both_ways)
{
    struct tool t;
    tool_open(&t);
    static const char *const kinds[] = {"rsa2048", "p256", "p384", "ed25519"};
    const struct cert_rdn rdns[] = {{"2.5.4.6", "EE"}, {"2.5.4.3", "p\xc3\xa4ring"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct diag d = {0};
        EVP_PKEY *key = key_generate(kinds[i], &d), *public;
        X509_NAME *subject;
        struct buf der, name;
        buf_init(&der, 65536);
        buf_init(&name, 1000);
        CHECK_INT(csr_make(key, rdns, 2, &der, &d), 0);
        tool_write(&t, "req.der", buf_view(&der));
        must(&t, "req -inform DER -in req.der -verify -noout");
        CHECK_INT(csr_parse(buf_view(&der), &public, &subject, &d), 0);
        CHECK(EVP_PKEY_eq(public, key) == 1);
        cert_name_rfc2253(subject, &name);
        CHECK_STR(buf_cstr(&name), "CN=p\xc3\xa4ring,C=EE");
        EVP_PKEY_free(public);
        X509_NAME_free(subject);
        der.p[der.n - 5] ^= 1;
        CHECK_INT(csr_parse(buf_view(&der), &public, &subject, &d), ERR_BAD_REQUEST);
        CHECK(public == NULL && subject == NULL);
        buf_free(&der);
        buf_free(&name);
        EVP_PKEY_free(key);
    }
    must(&t, "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem "
             "-subj /C=EE/CN=theirs -out req.pem");
    struct slice pem = tool_read(&t, "req.pem");
    EVP_PKEY *public;
    X509_NAME *subject;
    struct diag d = {0};
    CHECK_INT(csr_parse(pem, &public, &subject, &d), 0);
    /* and a certificate for it, with the subject as asked */
    unsigned char *name = NULL;
    int n = i2d_X509_NAME(subject, &name);
    struct pki ca;
    pki_make(&ca, CERT_CA, "p256", "Root", NULL, 1);
    struct cert_spec spec = {.purpose = CERT_SIGN,
                             .subject_der = slice_of(name, (size_t)n),
                             .serial = {7},
                             .not_before_ms = iso_ms("2026-01-01T00:00:00Z"),
                             .not_after_ms = iso_ms("2028-01-01T00:00:00Z")};
    struct buf der;
    buf_init(&der, 65536);
    CHECK_INT(cert_issue(&spec, public, ca.cert, ca.key, &der, &d), 0);
    struct cert *c = cert_parse(buf_view(&der), &d);
    CHECK(c != NULL && slice_eq(c->subject, spec.subject_der));
    write_cert(&t, "ca.pem", ca.cert);
    write_cert(&t, "c.pem", c);
    must(&t, "verify -x509_strict -attime 1780000000 -CAfile ca.pem c.pem");
    cert_free(c);
    pki_free(&ca);
    buf_free(&der);
    OPENSSL_free(name);
    EVP_PKEY_free(public);
    X509_NAME_free(subject);
    free((void *)pem.p);
    tool_close(&t);
}

/* --- paths --- */

TEST(paths_over_intermediates)
{
    struct pki root, a, b, leaf, stranger;
    pki_make(&root, CERT_CA, "p256", "Root", NULL, 1);
    pki_make(&a, CERT_INTERMEDIATE, "p256", "A", &root, 2);
    pki_make(&b, CERT_INTERMEDIATE, "p256", "B", &a, 3);
    pki_make(&leaf, CERT_SIGN, "p256", "leaf", &b, 4);
    pki_make(&stranger, CERT_CA, "p256", "Root", NULL, 5);
    struct cert *extra[] = {leaf.cert, root.cert, stranger.cert, a.cert, b.cert}, *path[5];
    size_t n;
    struct diag d = {0};
    int64_t at = iso_ms(AT);
    CHECK_INT(cert_path(leaf.cert, extra, 5, root.cert, at, path, 5, &n, &d), 0);
    CHECK_INT(n, 3);
    CHECK(path[0] == leaf.cert && path[1] == b.cert && path[2] == a.cert);
    /* the direct issuer as anchor: the leaf alone */
    CHECK_INT(cert_path(leaf.cert, NULL, 0, b.cert, at, path, 5, &n, &d), 0);
    CHECK_INT(n, 1);
    CHECK_INT(cert_path(leaf.cert, extra, 4, root.cert, at, path, 5, &n, &d),
              ERR_CANNOT_CREATE_CERT_PATH);
    CHECK_INT(cert_path(leaf.cert, extra, 5, root.cert, at, path, 2, &n, &d),
              ERR_CANNOT_CREATE_CERT_PATH);
    /* same name, other key */
    CHECK_INT(cert_path(leaf.cert, extra, 5, stranger.cert, at, path, 5, &n, &d),
              ERR_CANNOT_CREATE_CERT_PATH);
    CHECK_INT(
        cert_path(leaf.cert, extra, 5, root.cert, iso_ms("2028-01-01T00:00:01Z"), path, 5, &n, &d),
        ERR_CERT_VALIDITY_TIME);
    CHECK_INT(
        cert_path(leaf.cert, extra, 5, root.cert, iso_ms("2028-01-01T00:00:00Z"), path, 5, &n, &d),
        0);
    CHECK_INT(cert_path(leaf.cert, extra, 5, root.cert, iso_ms("2025-12-31T23:59:59.999Z"), path, 5,
                        &n, &d),
              ERR_CERT_VALIDITY_TIME);
    pki_free(&root);
    pki_free(&a);
    pki_free(&b);
    pki_free(&leaf);
    pki_free(&stranger);
}

TEST(a_leaf_is_no_issuer)
{
    struct pki root, sign, leaf;
    pki_make(&root, CERT_CA, "p256", "Root", NULL, 1);
    pki_make(&sign, CERT_SIGN, "p256", "A", &root, 2);
    pki_make(&leaf, CERT_SIGN, "p256", "leaf", &sign, 4);
    struct cert *path[5];
    size_t n;
    struct diag d = {0};
    CHECK_INT(cert_path(leaf.cert, &sign.cert, 1, root.cert, iso_ms(AT), path, 5, &n, &d),
              ERR_INVALID_CERT_PATH);
    CHECK(strstr(d.text, "CN=A") != NULL);
    pki_free(&root);
    pki_free(&sign);
    pki_free(&leaf);
}

static struct cert *issue_with_tool(struct tool *t, const char *name, const char *issuer,
                                    const char *extensions)
{
    char ext[512];
    snprintf(ext, sizeof ext, "%s.ext", name);
    tool_write(t, ext, slice_str(extensions));
    char args[1024];
    snprintf(args, sizeof args,
             "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key "
             "-subj /CN=%s -out %s.req",
             name, name, name);
    must(t, args);
    if (strcmp(name, issuer) == 0)
        snprintf(args, sizeof args,
                 "x509 -req -in %s.req -signkey %s.key -extfile %s -days 30 -out %s.pem", name,
                 name, ext, name);
    else
        snprintf(args, sizeof args,
                 "x509 -req -in %s.req -CA %s.pem -CAkey %s.key -CAcreateserial -extfile %s "
                 "-days 30 -out %s.pem",
                 name, issuer, issuer, ext, name);
    must(t, args);
    snprintf(args, sizeof args, "%s.pem", name);
    struct slice pem = tool_read(t, args);
    struct diag d = {0};
    struct cert *c = cert_parse(pem, &d);
    free((void *)pem.p);
    if (c == NULL)
        FAIL("%s: %s", name, d.text);
    return c;
}

TEST(constraints_of_intermediates)
{
    struct tool t;
    tool_open(&t);
    const char *ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    struct cert *root = issue_with_tool(&t, "root", "root", ca);
    struct cert *a = issue_with_tool(
        &t, "a", "root", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign\n");
    struct cert *b = issue_with_tool(&t, "b", "a", ca);
    struct cert *nosign = issue_with_tool(
        &t, "nosign", "root", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n");
    struct cert *odd = issue_with_tool(&t, "odd", "root", "1.2.3.4=critical,ASN1:NULL\n");
    struct cert *noted = issue_with_tool(&t, "noted", "root", "1.2.3.4=ASN1:NULL\n");
    struct cert *under_a = issue_with_tool(&t, "ua", "a", "keyUsage=nonRepudiation\n");
    struct cert *under_b = issue_with_tool(&t, "ub", "b", "keyUsage=nonRepudiation\n");
    struct cert *under_n = issue_with_tool(&t, "un", "nosign", "keyUsage=nonRepudiation\n");
    struct cert *extra[] = {a, b, nosign}, *path[4];
    size_t n;
    struct diag d = {0};
    int64_t at = root->not_before_ms + 60000;
    CHECK_INT(a->path_len, 0);
    CHECK_INT(root->path_len, -1);
    CHECK_INT(cert_path(under_a, extra, 3, root, at, path, 4, &n, &d), 0);
    CHECK_INT(cert_path(under_b, extra, 3, root, at, path, 4, &n, &d), ERR_INVALID_CERT_PATH);
    CHECK(strstr(d.text, "length") != NULL);
    CHECK_INT(cert_path(under_n, extra, 3, root, at, path, 4, &n, &d), ERR_INVALID_CERT_PATH);
    CHECK_INT(cert_path(odd, extra, 3, root, at, path, 4, &n, &d), ERR_INVALID_CERT_PATH);
    CHECK(strstr(d.text, "critical") != NULL);
    CHECK_INT(cert_path(noted, extra, 3, root, at, path, 4, &n, &d), 0);
    struct cert *all[] = {root, a, b, nosign, odd, noted, under_a, under_b, under_n};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        cert_free(all[i]);
    tool_close(&t);
}
