/* Signatures against the worked example, RFC 8032, and the openssl command as judge. */
#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/der.h"
#include "crypto/sign.h"
#include "test.h"
#include "openssl_tool.h"

#define RSA512 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
#define EC512 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"

static const struct sign_alg *alg_of(const char *uri)
{
    const struct sign_alg *a = sign_alg_from_uri(slice_str(uri));
    CHECK(a != NULL);
    return a;
}

static struct slice worked(const char *name)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/xroad/worked/%s", VECTORS(), name);
    size_t n;
    unsigned char *p = test_file(path, &n);
    return slice_of(p, n);
}

static EVP_PKEY *worked_key(const char *name)
{
    struct slice pem = worked(name);
    struct diag d;
    EVP_PKEY *key = key_from_pem(pem, &d);
    free((void *)pem.p);
    CHECK(key != NULL);
    return key;
}

/* Octets of the SignatureValue element of a signature document. */
static void signature_value(const char *document, struct buf *out)
{
    struct slice doc = worked(document);
    size_t at = slice_find_slice(doc, SLICE_LIT("<ds:SignatureValue"));
    CHECK(at != SIZE_MAX);
    struct slice text = slice_from(doc, at);
    text = slice_from(text, slice_find(text, '>') + 1);
    text = slice_sub(text, 0, slice_find(text, '<'));
    buf_init(out, 2048);
    int rc = base64_decode(out, text, true);
    free((void *)doc.p);
    CHECK_INT(rc, 0);
}

TEST(rsa_of_the_worked_example_to_the_octet)
{
    EVP_PKEY *key = worked_key("sign-rsa.key.pem");
    struct slice info = worked("single-rsa/signed-info.c14n");
    struct buf want, got;
    signature_value("single-rsa/signatures.xml", &want);
    buf_init(&got, 2048);
    CHECK(sign_alg_for_key(key) == alg_of(RSA512));
    CHECK_INT(sign_data(key, alg_of(RSA512), info, &got), 0);
    CHECK(slice_eq(buf_view(&got), buf_view(&want)));
    struct digest dg;
    digest_of(DIGEST_SHA512, info, &dg);
    buf_reset(&got);
    CHECK_INT(sign_digest(key, alg_of(RSA512), &dg, &got), 0);
    CHECK(slice_eq(buf_view(&got), buf_view(&want)));
    CHECK_INT(verify_data(key, alg_of(RSA512), info, buf_view(&want)), 0);
    /* the second time from the cache */
    CHECK_INT(verify_digest(key, alg_of(RSA512), &dg, buf_view(&want)), 0);
    dg.b[5] ^= 4;
    CHECK_INT(verify_digest(key, alg_of(RSA512), &dg, buf_view(&want)),
              ERR_INVALID_SIGNATURE_VALUE);
    dg.b[5] ^= 4;
    CHECK_INT(verify_digest(key, alg_of(RSA512), &dg, slice_from(buf_view(&want), 1)),
              ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(verify_digest(key, alg_of(RSA512), &dg, SLICE_NONE), ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(verify_digest(key, alg_of(RSA512), &dg, buf_view(&want)), 0);
    buf_free(&got);
    buf_free(&want);
    free((void *)info.p);
    EVP_PKEY_free(key);
}

TEST(p256_of_the_worked_example)
{
    EVP_PKEY *key = worked_key("sign-ec.key.pem");
    static const char *const docs[] = {"single-ec/signatures.xml",
                                       "single-ec/signatures-short-value.xml",
                                       "batch-ec/signatures.xml"};
    static const char *const infos[] = {"single-ec/signed-info.c14n", "single-ec/signed-info.c14n",
                                        "batch-ec/signed-info.c14n"};
    static const size_t widths[] = {64, 62, 64};
    for (int i = 0; i < 3; i++) {
        struct buf raw, der, back;
        signature_value(docs[i], &raw);
        CHECK_INT(raw.n, widths[i]);
        struct slice info = worked(infos[i]);
        buf_init(&der, 256);
        buf_init(&back, 256);
        CHECK_INT(sign_raw_to_der(key, buf_view(&raw), &der), 0);
        CHECK_INT(verify_data(key, alg_of(EC512), info, buf_view(&der)), 0);
        CHECK_INT(sign_raw_from_der(key, buf_view(&der), &back), 0);
        CHECK_INT(back.n, 64);
        size_t cut = (64 - widths[i]) / 2;
        CHECK(slice_eq(slice_sub(buf_view(&back), cut, widths[i] / 2),
                       slice_sub(buf_view(&raw), 0, widths[i] / 2)));
        der.p[der.n - 1] ^= 1;
        CHECK_INT(verify_data(key, alg_of(EC512), info, buf_view(&der)),
                  ERR_INVALID_SIGNATURE_VALUE);
        buf_free(&raw);
        buf_free(&der);
        buf_free(&back);
        free((void *)info.p);
    }
    EVP_PKEY_free(key);
}

TEST(raw_and_der_edges)
{
    struct diag d;
    EVP_PKEY *p256 = key_generate("p256", &d), *rsa = key_generate("rsa2048", &d);
    struct buf out;
    buf_init(&out, 512);
    uint8_t raw[66] = {0};
    CHECK_INT(sign_raw_to_der(p256, slice_of(raw, 66), &out), ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(sign_raw_to_der(p256, slice_of(raw, 63), &out), ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(sign_raw_to_der(p256, slice_of(raw, 0), &out), ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(sign_raw_to_der(rsa, slice_of(raw, 64), &out), ERR_UNSUPPORTED_ALGORITHM);
    CHECK_INT(out.n, 0);
    /* r = 0x80…, s = 1: a zero octet before r, none before s */
    raw[0] = 0x80;
    raw[63] = 1;
    CHECK_INT(sign_raw_to_der(p256, slice_of(raw, 64), &out), 0);
    CHECK_INT(out.n, 2 + 35 + 3);
    CHECK(memcmp(out.p, "\x30\x26\x02\x21\x00\x80", 6) == 0);
    CHECK(memcmp(out.p + 37, "\x02\x01\x01", 3) == 0);
    struct buf back;
    buf_init(&back, 512);
    CHECK_INT(sign_raw_from_der(p256, buf_view(&out), &back), 0);
    CHECK(slice_eq(buf_view(&back), slice_of(raw, 64)));
    buf_byte(&out, 0);
    CHECK_INT(sign_raw_from_der(p256, buf_view(&out), &back), ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(sign_raw_from_der(p256, SLICE_LIT("\x30\x06\x02\x01\xff\x02\x01\x01"), &back),
              ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(sign_raw_from_der(p256, SLICE_NONE, &back), ERR_INVALID_SIGNATURE_VALUE);
    buf_free(&out);
    buf_free(&back);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(rsa);
}

TEST(every_algorithm_is_accepted_by_openssl)
{
    static const struct {
        const char *kind, *uri, *args;
    } cases[] = {
        {"rsa2048", RSA512, "-sha512"},
        {"rsa2048", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "-sha384"},
        {"rsa2048", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "-sha256"},
        {"rsa2048", "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "-sha1"},
        {"rsa3072", "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
         "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64"},
        {"rsa2048", "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
         "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48"},
        {"rsa2048", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
         "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"},
        {"p256", EC512, "-sha512"},
        {"p384", EC512, "-sha512"},
        {"p384", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "-sha384"},
        {"p256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "-sha256"},
        {"p256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224", "-sha224"},
        {"p256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1", "-sha1"},
    };
    struct tool t;
    tool_open(&t);
    tool_write(&t, "data", SLICE_LIT("what is signed"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diag d;
        EVP_PKEY *key = key_generate(cases[i].kind, &d);
        CHECK(key != NULL);
        const struct sign_alg *alg = alg_of(cases[i].uri);
        struct buf sig, pem;
        buf_init(&sig, 2048);
        buf_init(&pem, 16384);
        CHECK_INT(sign_data(key, alg, SLICE_LIT("what is signed"), &sig), 0);
        CHECK_INT(key_to_pem(key, &pem), 0);
        CHECK(slice_starts(buf_view(&pem), "-----BEGIN PRIVATE KEY-----"));
        tool_write(&t, "key.pem", buf_view(&pem));
        tool_write(&t, "sig", buf_view(&sig));
        if (tool_run(&t, "dgst %s -prverify key.pem -signature sig data", cases[i].args) != 0)
            FAIL("openssl refuses %s with %s: %s", cases[i].uri, cases[i].kind, t.output);
        /* And the other way round: openssl signs, we verify. */
        CHECK_INT(tool_run(&t, "dgst %s -sign key.pem -out sig2 data", cases[i].args), 0);
        struct slice theirs = tool_read(&t, "sig2");
        CHECK_INT(verify_data(key, alg, SLICE_LIT("what is signed"), theirs), 0);
        CHECK_INT(verify_data(key, alg, SLICE_LIT("what is Signed"), theirs),
                  ERR_INVALID_SIGNATURE_VALUE);
        free((void *)theirs.p);
        EVP_PKEY *again = key_from_pem(buf_view(&pem), &d);
        CHECK(again != NULL && EVP_PKEY_eq(again, key) == 1);
        EVP_PKEY_free(again);
        EVP_PKEY_free(key);
        buf_free(&sig);
        buf_wipe(&pem);
    }
    tool_close(&t);
}

TEST(pss_with_another_salt_length_is_refused)
{
    struct tool t;
    tool_open(&t);
    struct diag d;
    EVP_PKEY *key = key_generate("rsa2048", &d);
    struct buf pem;
    buf_init(&pem, 16384);
    CHECK_INT(key_to_pem(key, &pem), 0);
    tool_write(&t, "key.pem", buf_view(&pem));
    tool_write(&t, "data", SLICE_LIT("x"));
    CHECK_INT(tool_run(&t, "dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20 "
                           "-sign key.pem -out sig data"),
              0);
    struct slice sig = tool_read(&t, "sig");
    CHECK_INT(verify_data(key, alg_of("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
                          SLICE_LIT("x"), sig),
              ERR_INVALID_SIGNATURE_VALUE);
    free((void *)sig.p);
    buf_wipe(&pem);
    EVP_PKEY_free(key);
    tool_close(&t);
}

TEST(ed25519_of_rfc_8032)
{
    /* 7.1 test 2 */
    uint8_t seed[32], pub[32], want[64];
    CHECK(hex_parse(SLICE_LIT("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
                    seed, 32));
    CHECK(hex_parse(SLICE_LIT("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
                    pub, 32));
    CHECK(hex_parse(SLICE_LIT("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                              "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
                    want, 64));
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, 32);
    const struct sign_alg *alg = alg_of("http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519");
    struct buf sig;
    buf_init(&sig, 64);
    CHECK_INT(sign_data(key, alg, SLICE_LIT("\x72"), &sig), 0);
    CHECK(slice_eq(buf_view(&sig), slice_of(want, 64)));
    CHECK_INT(verify_data(public, alg, SLICE_LIT("\x72"), slice_of(want, 64)), 0);
    CHECK_INT(verify_data(public, alg, SLICE_LIT("\x73"), slice_of(want, 64)),
              ERR_INVALID_SIGNATURE_VALUE);
    struct digest dg;
    digest_of(DIGEST_SHA512, SLICE_LIT("\x72"), &dg);
    CHECK_INT(verify_digest(public, alg, &dg, slice_of(want, 64)), ERR_UNSUPPORTED_ALGORITHM);
    CHECK(sign_alg_for_key(key) == NULL);
    buf_free(&sig);
    EVP_PKEY_free(key);
    EVP_PKEY_free(public);
}

TEST(misfits_are_named)
{
    struct diag d;
    EVP_PKEY *rsa = key_generate("rsa2048", &d), *ec = key_generate("p256", &d);
    struct buf out;
    buf_init(&out, 2048);
    CHECK_INT(sign_data(rsa, alg_of(EC512), SLICE_LIT("x"), &out), ERR_UNSUPPORTED_ALGORITHM);
    CHECK_INT(verify_data(ec, alg_of(RSA512), SLICE_LIT("x"), SLICE_LIT("y")),
              ERR_UNSUPPORTED_ALGORITHM);
    struct digest dg;
    digest_of(DIGEST_SHA256, SLICE_LIT("x"), &dg);
    CHECK_INT(sign_digest(rsa, alg_of(RSA512), &dg, &out), ERR_UNSUPPORTED_ALGORITHM);
    struct buf small;
    buf_init(&small, 10);
    CHECK_INT(sign_data(rsa, alg_of(RSA512), SLICE_LIT("x"), &small), ERR_TOO_LARGE);
    CHECK(sign_alg_from_uri(SLICE_LIT("http://www.w3.org/2001/04/xmldsig-more#rsa-md5")) == NULL);
    CHECK(key_generate("dsa", &d) == NULL);
    CHECK_INT(d.code, ERR_USAGE);
    CHECK(key_from_pem(SLICE_LIT("no key"), &d) == NULL);
    CHECK_INT(d.code, ERR_CRYPTO);
    buf_free(&out);
    buf_free(&small);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
}

TEST(an_encrypted_key_is_refused_without_asking)
{
    struct tool t;
    tool_open(&t);
    CHECK_INT(tool_run(&t, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 "
                           "-pass pass:secret -out key.pem"),
              0);
    struct slice pem = tool_read(&t, "key.pem");
    struct diag d;
    CHECK(key_from_pem(pem, &d) == NULL);
    free((void *)pem.p);
    tool_close(&t);
}

/* More keys than the cache holds, each used twice in turns: no verdict may come from another key.
 */
TEST(many_keys_do_not_mix)
{
    enum { KEYS = 40 };
    EVP_PKEY *keys[KEYS];
    struct buf sigs[KEYS];
    struct diag d;
    for (int i = 0; i < KEYS; i++) {
        keys[i] = key_generate("p256", &d);
        buf_init(&sigs[i], 256);
        CHECK_INT(sign_data(keys[i], alg_of(EC512), SLICE_LIT("m"), &sigs[i]), 0);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < KEYS; i++) {
            CHECK_INT(verify_data(keys[i], alg_of(EC512), SLICE_LIT("m"), buf_view(&sigs[i])), 0);
            CHECK_INT(verify_data(keys[i], alg_of(EC512), SLICE_LIT("m"),
                                  buf_view(&sigs[(i + 1) % KEYS])),
                      ERR_INVALID_SIGNATURE_VALUE);
        }
    for (int i = 0; i < KEYS; i++) {
        EVP_PKEY_free(keys[i]);
        buf_free(&sigs[i]);
    }
}

/* OpenSSL's own encoding of the algorithm in a certificate that it made. */
TEST(algorithm_identifiers_as_openssl_writes_them)
{
    static const struct {
        const char *newkey, *args, *uri;
    } cases[] = {
        {"rsa:2048", "-sha512", RSA512},
        {"rsa:2048", "-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
        {"rsa:2048", "-sha1", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
        {"rsa:2048",
         "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt "
         "rsa_mgf1_md:sha256",
         "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"},
        {"rsa:2048",
         "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64 -sigopt "
         "rsa_mgf1_md:sha512",
         "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"},
        {"ec -pkeyopt ec_paramgen_curve:P-256", "-sha256",
         "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"},
        {"ec -pkeyopt ec_paramgen_curve:P-384", "-sha512", EC512},
        {"ed25519", "", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"},
    };
    struct tool t;
    tool_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (tool_run(&t,
                     "req -x509 -newkey %s -nodes -keyout k.pem -subj /CN=x %s -outform DER "
                     "-out c.der",
                     cases[i].newkey, cases[i].args) != 0)
            FAIL("%s", t.output);
        struct slice file = tool_read(&t, "c.der"), in = file, cert, alg;
        CHECK(der_next(&in, DER_SEQUENCE, &cert, NULL));
        CHECK(der_next(&cert, DER_SEQUENCE, NULL, NULL));
        CHECK(der_next(&cert, DER_SEQUENCE, NULL, &alg));
        struct buf ours;
        buf_init(&ours, 100);
        CHECK_INT(sign_alg_der(alg_of(cases[i].uri), &ours), 0);
        CHECK(slice_eq(buf_view(&ours), alg));
        CHECK(sign_alg_from_der(alg) == alg_of(cases[i].uri));
        buf_free(&ours);
        free((void *)file.p);
    }
    tool_close(&t);
    CHECK(sign_alg_from_der(SLICE_LIT("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")) ==
          alg_of(RSA512));
    CHECK(sign_alg_from_der(SLICE_LIT("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04")) ==
          NULL);
    CHECK(sign_alg_from_der(SLICE_NONE) == NULL);
}
