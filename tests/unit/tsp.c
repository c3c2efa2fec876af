/* Time-stamps: the vectors' tokens, and our own judged by the openssl command and it by us. */
#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/der.h"
#include "crypto/tsp.h"
#include "openssl_tool.h"
#include "pki.h"
#include "test.h"

static const uint8_t serial_16[16] = {0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* The TSA's certificate out of a global configuration. */
static struct cert *approved_tsa(const char *file)
{
    struct slice text = vector(file), rest = text;
    rest = slice_from(rest, slice_find_slice(rest, SLICE_LIT("approvedTSA>")));
    rest = slice_from(rest, slice_find_slice(rest, SLICE_LIT("<cert>")) + 6);
    struct buf der;
    buf_init(&der, 65536);
    CHECK_INT(base64_decode(&der, slice_sub(rest, 0, slice_find(rest, '<')), true), 0);
    struct cert *c = cert_parse(buf_view(&der), NULL);
    CHECK(c != NULL);
    buf_free(&der);
    free((void *)text.p);
    return c;
}

TEST(tokens_of_2012)
{
    struct cert *tsa = approved_tsa("xroad/globalconf/globalconf_good_v4/EE/shared-params.xml");
    struct cert *other = vector_cert("xroad/worked/tsa.cert.pem");
    struct cert *both[] = {other, tsa}, *signer = NULL;
    struct slice valid = vector("xroad/timestamps/valid");
    struct slice bad = vector("xroad/timestamps/invalid-signature");
    struct slice data = vector("xroad/timestamps/stamped-data");
    struct tsp_info info;
    struct diag d = {0};
    CHECK_INT(tsp_token_parse(valid, &info, &d), 0);
    CHECK_INT(info.time_ms, iso_ms("2012-11-29T13:10:04Z"));
    struct digest dg;
    digest_of(info.imprint.alg, data, &dg);
    CHECK_INT(dg.alg, DIGEST_SHA256);
    CHECK(digest_eq(&dg, &info.imprint));
    CHECK_INT(tsp_token_verify(valid, both, 2, &signer, &d), 0);
    CHECK(signer == tsa);
    /* It is in BER; what is stored is DER. */
    struct buf stored;
    buf_init(&stored, 65536);
    CHECK_INT(valid.p[1], 0x80);
    CHECK_INT(tsp_token_add_cert(valid, tsa, &stored), 0);
    CHECK(stored.p[1] == 0x82 && slice_find_slice(buf_view(&stored), tsa->der) != SIZE_MAX);
    CHECK_INT(tsp_token_verify(buf_view(&stored), both, 2, &signer, &d), 0);
    buf_free(&stored);
    CHECK_INT(tsp_token_verify(valid, &other, 1, NULL, &d), ERR_MLOG_TSP_CERT);
    CHECK_INT(tsp_token_verify(valid, NULL, 0, NULL, &d), ERR_MLOG_TSP_CERT);
    CHECK_INT(tsp_token_parse(bad, &info, &d), 0);
    CHECK_INT(tsp_token_verify(bad, both, 2, NULL, &d), ERR_MLOG_TS_SIGNER);
    free((void *)valid.p);
    free((void *)bad.p);
    free((void *)data.p);
    cert_free(tsa);
    cert_free(other);
}

static void check_worked(const char *name, const char *imprint)
{
    struct cert *tsa = vector_cert("xroad/worked/tsa.cert.pem");
    struct slice token = vector(name);
    struct tsp_info info;
    struct diag d = {0};
    CHECK_INT(tsp_token_parse(token, &info, &d), 0);
    CHECK_INT(info.time_ms, iso_ms("2026-01-05T10:02:00Z"));
    char hex[2 * DIGEST_MAX + 1];
    hex_print(digest_slice(&info.imprint), hex);
    CHECK(strncmp(hex, imprint, strlen(imprint)) == 0);
    if (tsp_token_verify(token, &tsa, 1, NULL, &d) != 0)
        FAIL("%s: %s", name, d.text);
    free((void *)token.p);
    cert_free(tsa);
}

TEST(tokens_of_the_worked_example)
{
    check_worked("xroad/worked/asic/single-rsa.tst", "31f61066b6e7af8a73b6b622d8ad304c");
    check_worked("xroad/worked/asic/batch.tst", "51e936e51baff1d76cdca5e7ac88275d");
}

TEST(a_changed_token_does_not_verify)
{
    struct cert *tsa = approved_tsa("xroad/globalconf/globalconf_good_v4/EE/shared-params.xml");
    struct slice valid = vector("xroad/timestamps/valid");
    /* The TSTInfo's 95 octets, and everything from the signed attributes on: the rest only says how
     * to verify. */
    size_t info = slice_find_slice(valid, SLICE_LIT("\x02\x01\x01\x06\x02\x2a\x03"));
    size_t attributes = slice_find_slice(valid, SLICE_LIT("\xa0\x81\x98"));
    CHECK(info != SIZE_MAX && attributes != SIZE_MAX);
    uint8_t *p = malloc(valid.n);
    for (size_t i = info; i < valid.n; i++) {
        if (i >= info + 95 && i < attributes)
            continue;
        memcpy(p, valid.p, valid.n);
        p[i] ^= 0x04;
        /* NULL parameters of an algorithm carry no meaning */
        struct diag d = {0};
        if (tsp_token_verify(slice_of(p, valid.n), &tsa, 1, NULL, &d) == 0 &&
            !(valid.p[i] == 5 && valid.p[i + 1] == 0) && !(valid.p[i] == 0 && valid.p[i - 1] == 5))
            FAIL("octet %zu may be changed", i);
    }
    for (size_t n = 0; n < valid.n; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, valid.p, n);
        CHECK_INT(tsp_token_verify(slice_of(cut, n), &tsa, 1, NULL, NULL), ERR_MLOG_TS_INVALID);
        free(cut);
    }
    free(p);
    free((void *)valid.p);
    cert_free(tsa);
}

/* --- with the openssl command --- */

struct family {
    struct pki ca, tsa, other;
    struct tool t;
    struct digest imprint;
};

static void write_pem(struct tool *t, const char *name, const struct cert *c, EVP_PKEY *key)
{
    struct buf b;
    buf_init(&b, 100000);
    cert_der_to_pem(c->der, &b);
    if (key != NULL)
        CHECK_INT(key_to_pem(key, &b), 0);
    tool_write(t, name, buf_view(&b));
    buf_wipe(&b);
}

static void family_make(struct family *f, const char *kind)
{
    tool_open(&f->t);
    pki_make(&f->ca, CERT_CA, kind, "CA", NULL, 1);
    pki_make(&f->tsa, CERT_TSA, kind, "TSA", &f->ca, 2);
    pki_make(&f->other, CERT_TSA, kind, "Other", &f->ca, 3);
    write_pem(&f->t, "ca.pem", f->ca.cert, NULL);
    write_pem(&f->t, "tsa.pem", f->tsa.cert, f->tsa.key);
    tool_write(&f->t, "data", SLICE_LIT("what is stamped"));
    digest_of(DIGEST_SHA512, SLICE_LIT("what is stamped"), &f->imprint);
}

static void family_free(struct family *f)
{
    pki_free(&f->ca);
    pki_free(&f->tsa);
    pki_free(&f->other);
    tool_close(&f->t);
}

/* Answers q.tsq into r.tsr. */
static void respond(struct family *f, bool two_steps, const char *reason)
{
    struct slice req = tool_read(&f->t, "q.tsq");
    struct buf out, value;
    struct diag d = {0};
    int64_t now = iso_ms("2026-06-01T12:00:00.789Z");
    buf_init(&out, 65536);
    buf_init(&value, 1000);
    if (two_steps) {
        struct tsp_draft draft;
        bool refused;
        CHECK_INT(tsp_draft_make(req, f->tsa.cert, serial_16, now, &draft, &refused, &out, &d), 0);
        CHECK(!refused);
        struct digest dg;
        digest_of(draft.alg->digest, buf_view(&draft.attributes), &dg);
        CHECK_INT(sign_digest(f->tsa.key, draft.alg, &dg, &value), 0);
        CHECK_INT(tsp_draft_finish(&draft, f->tsa.cert, buf_view(&value), &out), 0);
        tsp_draft_free(&draft);
    } else {
        CHECK_INT(tsp_respond(req, f->tsa.cert, f->tsa.key, serial_16, now, &out, &d), 0);
    }
    if (reason != NULL && strstr(d.text, reason) == NULL)
        FAIL("\"%s\" does not say \"%s\"", d.text, reason);
    tool_write(&f->t, "r.tsr", buf_view(&out));
    buf_free(&out);
    buf_free(&value);
    free((void *)req.p);
}

static void must_say(struct tool *t, const char *text)
{
    if (strstr(t->output, text) == NULL)
        FAIL("openssl does not say \"%s\" but: %s", text, t->output);
}

static void openssl_verifies(struct family *f, const char *options)
{
    if (tool_run(&f->t,
                 "ts -verify -queryfile q.tsq -in r.tsr -CAfile ca.pem -attime 1780000000 %s",
                 options) != 0 ||
        strstr(f->t.output, "Verification: OK") == NULL)
        FAIL("openssl: %s", f->t.output);
}

static void we_verify(struct family *f)
{
    struct slice resp = tool_read(&f->t, "r.tsr"), token;
    struct diag d = {0};
    struct cert *tsas[] = {f->other.cert, f->tsa.cert}, *signer;
    if (tsp_response_token(resp, &f->imprint, &token, &d) != 0 ||
        tsp_token_verify(token, tsas, 2, &signer, &d) != 0)
        FAIL("%s", d.text);
    CHECK(signer == f->tsa.cert);
    CHECK_INT(tsp_token_verify(token, &f->other.cert, 1, NULL, &d), ERR_MLOG_TSP_CERT);
    struct digest wrong = f->imprint;
    wrong.b[0] ^= 1;
    CHECK_INT(tsp_response_token(resp, &wrong, &token, &d), ERR_MLOG_TS_INVALID);
    free((void *)resp.p);
}

static void judge_authority(const char *kind)
{
    struct family f;
    family_make(&f, kind);
    struct buf req;
    buf_init(&req, 1000);
    CHECK_INT(tsp_request_make(&f.imprint, &req), 0);
    tool_write(&f.t, "ours.tsq", buf_view(&req));
    buf_free(&req);
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -no_nonce -out q.tsq"), 0);
    struct slice ours = tool_read(&f.t, "ours.tsq"), theirs = tool_read(&f.t, "q.tsq");
    CHECK(slice_eq(ours, theirs));
    free((void *)ours.p);
    free((void *)theirs.p);

    respond(&f, false, NULL);
    openssl_verifies(&f, "-untrusted tsa.pem");
    we_verify(&f);
    CHECK_INT(tool_run(&f.t, "ts -reply -in r.tsr -text"), 0);
    must_say(&f.t, "Time stamp: Jun  1 12:00:00 2026 GMT");
    must_say(&f.t, "Serial number: 0xF00102030405060708090A0B0C0D0E0F");
    must_say(&f.t, "Policy OID: 2.999.3161.1");
    must_say(&f.t, "Nonce: unspecified");

    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -cert -tspolicy 2.999.3161.1 "
                             "-out q.tsq"),
              0);
    respond(&f, true, NULL);
    openssl_verifies(&f, ""); /* with the nonce, and the certificate out of the token */
    we_verify(&f);
    /* CMS as a whole, by another part of OpenSSL */
    CHECK_INT(tool_run(&f.t, "ts -reply -in r.tsr -token_out -out t.tst"), 0);
    CHECK_INT(tool_run(&f.t, "cms -verify -inform DER -in t.tst -CAfile ca.pem -purpose "
                             "timestampsign -attime 1780000000 -out info"),
              0);
    /* another nonce */
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -cert -out q.tsq"), 0);
    CHECK(tool_run(&f.t, "ts -verify -queryfile q.tsq -in r.tsr -CAfile ca.pem -attime "
                         "1780000000") != 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(tool_run(&f.t, "ts -query -data data -%s -cert -out q.tsq",
                           i == 0 ? "sha256" : "sha384"),
                  0);
        respond(&f, false, NULL);
        openssl_verifies(&f, "");
    }
    family_free(&f);
}

TEST(openssl_accepts_our_tokens_of_rsa)
{
    judge_authority("rsa2048");
}

TEST(openssl_accepts_our_tokens_of_p256)
{
    judge_authority("p256");
}

TEST(openssl_accepts_our_tokens_of_p384)
{
    judge_authority("p384");
}

static void must_refuse(struct family *f, const char *info, const char *reason)
{
    respond(f, false, reason);
    CHECK_INT(tool_run(&f->t, "ts -reply -in r.tsr -text"), 0);
    must_say(&f->t, "Status: Rejected.");
    must_say(&f->t, info);
    must_say(&f->t, reason);
    struct slice resp = tool_read(&f->t, "r.tsr"), token;
    struct diag d = {0};
    CHECK_INT(tsp_response_token(resp, &f->imprint, &token, &d), ERR_MLOG_TS_NOT_GRANTED);
    CHECK(strstr(d.text, reason) != NULL);
    free((void *)resp.p);
}

TEST(refusals_in_the_protocols_way)
{
    struct family f;
    family_make(&f, "p256");
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha1 -out q.tsq"), 0);
    must_refuse(&f, "unrecognized or unsupported algorithm", "Only SHA-256");
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha3-256 -out q.tsq"), 0);
    must_refuse(&f, "unrecognized or unsupported algorithm", "Only SHA-256");
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -tspolicy 1.2.3 -out q.tsq"), 0);
    must_refuse(&f, "policy", "2.999.3161.1");
    tool_write(&f.t, "q.tsq", SLICE_LIT("no request"));
    must_refuse(&f, "the data submitted has the wrong format", "not a time-stamp request");
    /* SHA-512 by name, 32 octets of value */
    struct digest dg;
    digest_of(DIGEST_SHA256, SLICE_LIT("x"), &dg);
    dg.alg = DIGEST_SHA512;
    struct buf req;
    buf_init(&req, 1000);
    CHECK_INT(tsp_request_make(&dg, &req), 0);
    tool_write(&f.t, "q.tsq", buf_view(&req));
    must_refuse(&f, "the data submitted has the wrong format", "length");
    /* an extension */
    buf_reset(&req);
    struct buf good;
    buf_init(&good, 1000);
    CHECK_INT(tsp_request_make(&f.imprint, &good), 0);
    struct slice in = buf_view(&good), body;
    CHECK(der_next(&in, DER_SEQUENCE, &body, NULL));
    size_t at = der_open(&req, DER_SEQUENCE);
    buf_slice(&req, body);
    der_put(&req, DER_CONTEXT_CONSTRUCTED(0),
            SLICE_LIT("\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x05\x00"));
    der_close(&req, at);
    tool_write(&f.t, "q.tsq", buf_view(&req));
    must_refuse(&f, "extension", "Extensions are not supported");
    buf_free(&req);
    buf_free(&good);
    family_free(&f);
}

/* openssl as authority, in the forms that are about: old and new digests, with and without
 * certificates. */
TEST(we_accept_tokens_of_openssl)
{
    static const char *const kinds[] = {"rsa2048", "p256"};
    static const char *const digests[] = {"sha1", "sha256", "sha384", "sha512"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
            struct family f;
            family_make(&f, kinds[k]);
            char conf[1024];
            snprintf(conf, sizeof conf,
                     "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ncrypto_device = builtin\n"
                     "signer_cert = tsa.pem\nsigner_key = tsa.pem\nsigner_digest = %s\n"
                     "default_policy = 1.2.3\ndigests = sha256, sha512\naccuracy = millisecs:5\n"
                     "ess_cert_id_alg = %s\n",
                     digests[i], digests[i]);
            tool_write(&f.t, "conf", slice_str(conf));
            tool_write(&f.t, "serial", SLICE_LIT("01\n"));
            CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 %s -out q.tsq",
                               i % 2 == 0 ? "-cert" : "-no_nonce"),
                      0);
            if (tool_run(&f.t, "ts -reply -config conf -queryfile q.tsq -out r.tsr") != 0)
                FAIL("%s", f.t.output);
            we_verify(&f);
            family_free(&f);
        }
}

TEST(the_signers_certificate_is_put_first)
{
    struct family f;
    family_make(&f, "p256");
    CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -no_nonce -out q.tsq"), 0);
    for (int with_cert = 0; with_cert < 2; with_cert++) {
        if (with_cert)
            CHECK_INT(tool_run(&f.t, "ts -query -data data -sha512 -cert -no_nonce -out q.tsq"), 0);
        respond(&f, false, NULL);
        struct slice resp = tool_read(&f.t, "r.tsr"), token;
        CHECK_INT(tsp_response_token(resp, &f.imprint, &token, NULL), 0);
        struct buf out, twice;
        buf_init(&out, 65536);
        buf_init(&twice, 65536);
        CHECK_INT(tsp_token_add_cert(token, f.tsa.cert, &out), 0);
        CHECK_INT(tsp_token_verify(buf_view(&out), &f.tsa.cert, 1, NULL, NULL), 0);
        /* once more changes nothing */
        CHECK_INT(tsp_token_add_cert(buf_view(&out), f.tsa.cert, &twice), 0);
        CHECK(slice_eq(buf_view(&out), buf_view(&twice)));
        buf_reset(&twice);
        CHECK_INT(tsp_token_add_cert(buf_view(&out), f.other.cert, &twice), 0);
        size_t first = slice_find_slice(buf_view(&twice), f.other.cert->der);
        size_t second = slice_find_slice(buf_view(&twice), f.tsa.cert->der);
        CHECK(first != SIZE_MAX && second == first + f.other.cert->der.n);
        tool_write(&f.t, "t.tst", buf_view(&out));
        if (tool_run(&f.t, "ts -verify -data data -token_in -in t.tst -CAfile ca.pem -attime "
                           "1780000000") != 0)
            FAIL("openssl: %s", f.t.output);
        CHECK_INT(tsp_token_add_cert(resp, f.tsa.cert, &out), ERR_MLOG_TS_INVALID);
        buf_free(&out);
        buf_free(&twice);
        free((void *)resp.p);
    }
    family_free(&f);
}

/* Signed by the right key, but data of another kind than a TSTInfo. */
TEST(other_signed_data_is_no_token)
{
    struct family f;
    family_make(&f, "p256");
    CHECK_INT(tool_run(&f.t, "cms -sign -binary -nodetach -in data -signer tsa.pem -outform DER "
                             "-out t.tst"),
              0);
    struct slice cms = tool_read(&f.t, "t.tst");
    struct tsp_info info;
    CHECK_INT(tsp_token_parse(cms, &info, NULL), ERR_MLOG_TS_INVALID);
    CHECK_INT(tsp_token_verify(cms, &f.tsa.cert, 1, NULL, NULL), ERR_MLOG_TS_INVALID);
    free((void *)cms.p);
    /* and a TSTInfo by its type, whose content is none */
    CHECK_INT(tool_run(&f.t, "cms -sign -binary -nodetach -in data -signer tsa.pem -outform DER "
                             "-econtent_type 1.2.840.113549.1.9.16.1.4 -out t.tst"),
              0);
    cms = tool_read(&f.t, "t.tst");
    CHECK_INT(tsp_token_verify(cms, &f.tsa.cert, 1, NULL, NULL), 0);
    CHECK_INT(tsp_token_parse(cms, &info, NULL), ERR_MLOG_TS_INVALID);
    free((void *)cms.p);
    /* a signer known by its key identifier */
    CHECK_INT(tool_run(&f.t, "cms -sign -keyid -binary -nodetach -in data -signer tsa.pem -outform "
                             "DER -econtent_type 1.2.840.113549.1.9.16.1.4 -out t.tst"),
              0);
    cms = tool_read(&f.t, "t.tst");
    CHECK_INT(tsp_token_verify(cms, &f.tsa.cert, 1, NULL, NULL), 0);
    CHECK_INT(tsp_token_verify(cms, &f.other.cert, 1, NULL, NULL), ERR_MLOG_TSP_CERT);
    free((void *)cms.p);
    family_free(&f);
}
