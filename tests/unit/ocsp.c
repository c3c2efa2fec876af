/*
 * OCSP: X-Road's rules on the worked example and on responses that the openssl command makes; our
 * responder's answers judged by the openssl command.
 */
#include "base/err.h"
#include "crypto/ocsp.h"
#include "openssl_tool.h"
#include "pki.h"
#include "test.h"

#include <time.h>

#define FRESH_MS 3600000

struct world {
    struct cert *ca, *ocsp, *tsa, *rsa, *ec;
    struct slice response;
    struct ocsp_trust trust;
};

static void world_make(struct world *w)
{
    *w = (struct world){.ca = vector_cert("xroad/worked/ca.cert.pem"),
                        .ocsp = vector_cert("xroad/worked/ocsp.cert.pem"),
                        .tsa = vector_cert("xroad/worked/tsa.cert.pem"),
                        .rsa = vector_cert("xroad/worked/sign-rsa.cert.pem"),
                        .ec = vector_cert("xroad/worked/sign-ec.cert.pem"),
                        .response = vector("xroad/worked/sign-ec.ocsp.der"),
                        .trust = {.freshness_ms = FRESH_MS, .verify_next_update = true}};
}

static void world_free(struct world *w)
{
    cert_free(w->ca);
    cert_free(w->ocsp);
    cert_free(w->tsa);
    cert_free(w->rsa);
    cert_free(w->ec);
    free((void *)w->response.p);
}

static void judge(struct slice response, const struct cert *c, const struct cert *issuer,
                  const char *at, const struct ocsp_trust *trust, int code, const char *text)
{
    struct diag d = {0};
    int rc = ocsp_verify(response, c, issuer, iso_ms(at), trust, NULL, NULL, &d);
    if (rc != code)
        FAIL("%s, not %s (%s)", err_name(rc), err_name(code), d.text);
    if (code != 0 && strstr(d.text, text) == NULL)
        FAIL("\"%s\" does not say \"%s\"", d.text, text);
}

TEST(worked_example)
{
    struct world w;
    world_make(&w);
    struct ocsp_info info;
    CHECK_INT(ocsp_parse(w.response, &info, NULL), 0);
    CHECK_INT(info.response_status, 0);
    CHECK_INT(info.status, OCSP_GOOD);
    CHECK_INT(info.produced_ms, iso_ms("2026-01-05T10:00:00Z"));
    CHECK_INT(info.this_update_ms, iso_ms("2026-01-05T10:00:00Z"));
    CHECK_INT(info.next_update_ms, 0);
    CHECK_INT(info.serial_len, 1);
    CHECK_INT(info.serial[0], 4);
    CHECK(ocsp_is_for(w.response, w.ec, w.ca));
    CHECK(!ocsp_is_for(w.response, w.rsa, w.ca));
    CHECK(!ocsp_is_for(w.response, w.ec, w.ocsp));

    int64_t until;
    struct cert *responder;
    int64_t at = iso_ms("2026-01-05T10:05:00Z");
    /* the responder's certificate is embedded, and issued by the CA with the right usage */
    CHECK_INT(ocsp_verify(w.response, w.ec, w.ca, at, &w.trust, &until, &responder, NULL), 0);
    CHECK_INT(until, iso_ms("2026-01-05T11:00:00Z"));
    CHECK(slice_eq(responder->der, w.ocsp->der));
    cert_free(responder);
    judge(w.response, w.ec, w.ca, "2026-01-05T11:00:00Z", &w.trust, 0, "");
    judge(w.response, w.ec, w.ca, "2026-01-05T11:00:00.001Z", &w.trust,
          ERR_INCORRECT_VALIDATION_INFO, "too old");
    judge(w.response, w.rsa, w.ca, "2026-01-05T10:05:00Z", &w.trust, ERR_CERT_VALIDATION,
          "Unable to find OCSP response");
    /* configured responders are found before the embedded one */
    w.trust.issuer_ocsp = w.trust.all_ocsp = &w.ocsp;
    w.trust.n_issuer_ocsp = w.trust.n_all_ocsp = 1;
    w.trust.all_ca = &w.ca;
    w.trust.n_all_ca = 1;
    CHECK_INT(ocsp_verify(w.response, w.ec, w.ca, at, &w.trust, &until, &responder, NULL), 0);
    CHECK(responder == w.ocsp);
    cert_free(responder);
    world_free(&w);
}

TEST(any_changed_octet_of_the_signed_part_is_noticed)
{
    struct world w;
    world_make(&w);
    uint8_t *p = malloc(w.response.n);
    int64_t at = iso_ms("2026-01-05T10:05:00Z");
    /* The embedded certificate may be any that fits, so it is not in the range. */
    for (size_t i = 30; i < 430; i++) {
        memcpy(p, w.response.p, w.response.n);
        p[i] ^= 0x01;
        if (ocsp_verify(slice_of(p, w.response.n), w.ec, w.ca, at, &w.trust, NULL, NULL, NULL) == 0)
            FAIL("octet %zu may be changed", i);
    }
    for (size_t n = 0; n < w.response.n; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, w.response.p, n);
        struct ocsp_info info;
        CHECK_INT(ocsp_parse(slice_of(cut, n), &info, NULL), ERR_OCSP_PARSE);
        free(cut);
    }
    free(p);
    world_free(&w);
}

TEST(requests_are_what_openssl_reads)
{
    struct world w;
    world_make(&w);
    struct tool t;
    tool_open(&t);
    struct buf req;
    buf_init(&req, 1000);
    CHECK_INT(ocsp_request_make(w.ec, w.ca, &req), 0);
    tool_write(&t, "ours.der", buf_view(&req));
    tool_write(&t, "ca.der", w.ca->der);
    tool_write(&t, "c.der", w.ec->der);
    CHECK_INT(tool_run(&t, "x509 -inform DER -in ca.der -out ca.pem"), 0);
    CHECK_INT(tool_run(&t, "x509 -inform DER -in c.der -out c.pem"), 0);
    CHECK_INT(tool_run(&t, "ocsp -issuer ca.pem -cert c.pem -no_nonce -reqout theirs.der"), 0);
    struct slice theirs = tool_read(&t, "theirs.der");
    CHECK(slice_eq(theirs, buf_view(&req)));
    free((void *)theirs.p);
    buf_free(&req);
    tool_close(&t);
    world_free(&w);
}

/* --- a family of our own, openssl as responder --- */

struct family {
    struct pki ca, other_ca, ocsp, plain, leaf;
    struct tool t;
};

static void write_pem(struct tool *t, const char *name, const struct pki *p)
{
    struct buf b;
    char file[64];
    buf_init(&b, 100000);
    cert_der_to_pem(p->cert->der, &b);
    snprintf(file, sizeof file, "%s.pem", name);
    tool_write(t, file, buf_view(&b));
    buf_reset(&b);
    CHECK_INT(key_to_pem(p->key, &b), 0);
    snprintf(file, sizeof file, "%s.key", name);
    tool_write(t, file, buf_view(&b));
    buf_wipe(&b);
}

static void family_make(struct family *f, const char *kind)
{
    tool_open(&f->t);
    pki_make(&f->ca, CERT_CA, kind, "CA", NULL, 1);
    pki_make(&f->other_ca, CERT_CA, kind, "Other CA", NULL, 1);
    pki_make(&f->ocsp, CERT_OCSP, kind, "OCSP", &f->ca, 2);
    pki_make(&f->plain, CERT_SIGN, kind, "Plain", &f->ca, 3);
    pki_make(&f->leaf, CERT_SIGN, kind, "Leaf", &f->ca, 0x81);
    write_pem(&f->t, "ca", &f->ca);
    write_pem(&f->t, "other", &f->other_ca);
    write_pem(&f->t, "ocsp", &f->ocsp);
    write_pem(&f->t, "plain", &f->plain);
    write_pem(&f->t, "leaf", &f->leaf);
}

static void family_free(struct family *f)
{
    pki_free(&f->ca);
    pki_free(&f->other_ca);
    pki_free(&f->ocsp);
    pki_free(&f->plain);
    pki_free(&f->leaf);
    tool_close(&f->t);
}

/* A response of openssl's: status letter as in its index file, signer, more options. */
static struct slice theirs(struct family *f, const char *index, const char *signer,
                           const char *request, const char *options)
{
    tool_write(&f->t, "index.txt", slice_str(index));
    if (tool_run(&f->t, "ocsp -issuer ca.pem %s -cert leaf.pem -no_nonce -reqout req.der",
                 request) != 0 ||
        tool_run(&f->t,
                 "ocsp -index index.txt -CA ca.pem -rsigner %s.pem -rkey %s.key -reqin req.der "
                 "-respout resp.der %s",
                 signer, signer, options) != 0)
        FAIL("%s", f->t.output);
    return tool_read(&f->t, "resp.der");
}

#define SERIAL "10810000000000000000000000000000"
#define GOOD "V\t280101000000Z\t\t" SERIAL "\tunknown\t/CN=x\n"
#define REVOKED "R\t280101000000Z\t260301000000Z,keyCompromise\t" SERIAL "\tunknown\t/CN=x\n"

static void verify_now(struct family *f, struct slice response, const struct ocsp_trust *trust,
                       int64_t later_ms, int code, const char *text)
{
    char at[TIMEVAL_TEXT];
    timeval_print_iso((int64_t)time(NULL) * 1000 + later_ms, true, at);
    judge(response, f->leaf.cert, f->ca.cert, at, trust, code, text);
    free((void *)response.p);
}

TEST(rules_on_responses_of_openssl)
{
    struct family f;
    family_make(&f, "p256");
    struct ocsp_trust none = {.freshness_ms = FRESH_MS, .verify_next_update = true};
    struct ocsp_trust strict = none, listed = none, known = none;
    listed.issuer_ocsp = listed.all_ocsp = &f.plain.cert;
    listed.n_issuer_ocsp = listed.n_all_ocsp = 1;
    known.all_ocsp = &f.other_ca.cert;
    known.n_all_ocsp = 1;
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", ""), &strict, 0, 0, "");
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-resp_key_id"), &strict, 0, 0, "");
    verify_now(&f, theirs(&f, REVOKED, "ocsp", "-sha1", ""), &strict, 0, ERR_CERT_VALIDATION,
               "REVOKED (date: 2026-03-01T00:00:00Z)");
    verify_now(&f, theirs(&f, "", "ocsp", "-sha1", ""), &strict, 0, ERR_CERT_VALIDATION, "UNKNOWN");
    /* only SHA-1 CertIDs */
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha256", ""), &strict, 0, ERR_CERT_VALIDATION,
               "Unable to find");
    /* the issuer itself may sign */
    verify_now(&f, theirs(&f, GOOD, "ca", "-sha1", ""), &strict, 0, 0, "");
    /* a certificate of the CA without the usage may only when it is listed */
    verify_now(&f, theirs(&f, GOOD, "plain", "-sha1", ""), &strict, 0,
               ERR_INCORRECT_VALIDATION_INFO, "not authorized");
    verify_now(&f, theirs(&f, GOOD, "plain", "-sha1", ""), &listed, 0, 0, "");
    verify_now(&f, theirs(&f, GOOD, "other", "-sha1", ""), &known, 0, ERR_INCORRECT_VALIDATION_INFO,
               "not authorized");
    /* nobody knows the responder */
    verify_now(&f, theirs(&f, GOOD, "other", "-sha1", "-resp_no_certs"), &strict, 0,
               ERR_INCORRECT_VALIDATION_INFO, "Could not find");
    /* nextUpdate in ten minutes */
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-nmin 10"), &strict, 500000, 0, "");
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-nmin 10"), &strict, 700000,
               ERR_INCORRECT_VALIDATION_INFO, "too old");
    strict.verify_next_update = false;
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-nmin 10"), &strict, 700000, 0, "");
    family_free(&f);
}

TEST(digests_and_paddings_of_responses)
{
    struct family f;
    family_make(&f, "rsa2048");
    struct ocsp_trust none = {.freshness_ms = FRESH_MS, .verify_next_update = true};
    static const char *const options[] = {
        "-rmd sha1", "-rmd sha256", "-rmd sha384", "-rmd sha512",
        "-rmd sha256 -rsigopt rsa_padding_mode:pss -rsigopt rsa_pss_saltlen:32"};
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", options[i]), &none, 0, 0, "");
    /* another key under the responder's name */
    struct pki twin;
    pki_make(&twin, CERT_OCSP, "rsa2048", "OCSP", &f.ca, 9);
    struct ocsp_trust wrong = none;
    wrong.all_ocsp = &twin.cert;
    wrong.n_all_ocsp = 1;
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-resp_no_certs"), &wrong, 0,
               ERR_INCORRECT_VALIDATION_INFO, "Signature");
    /* and beside the right one: the right one counts */
    struct cert *both[] = {twin.cert, f.ocsp.cert};
    wrong.all_ocsp = both;
    wrong.n_all_ocsp = 2;
    verify_now(&f, theirs(&f, GOOD, "ocsp", "-sha1", "-resp_no_certs"), &wrong, 0, 0, "");
    pki_free(&twin);
    family_free(&f);
}

/* --- our responder, openssl as judge --- */

static void answer(struct family *f, const struct ocsp_answer *a, bool two_steps)
{
    struct slice der = tool_read(&f->t, "req.der");
    struct ocsp_request req;
    struct diag d = {0};
    CHECK_INT(ocsp_request_parse(der, &req, &d), 0);
    free((void *)der.p);
    CHECK_INT(req.n, 1);
    CHECK(ocsp_query_is_of(&req.q[0], f->ca.cert));
    CHECK(!ocsp_query_is_of(&req.q[0], f->other_ca.cert));
    CHECK(slice_eq(slice_of(req.q[0].serial, req.q[0].serial_len), f->leaf.cert->serial));
    int64_t now = (int64_t)time(NULL) * 1000;
    struct buf out, tbs, value;
    buf_init(&out, 65536);
    buf_init(&tbs, 65536);
    buf_init(&value, 1000);
    if (two_steps) {
        const struct sign_alg *alg = sign_alg_for_asn1(f->ocsp.key);
        struct digest dg;
        CHECK_INT(ocsp_response_tbs(&req, a, f->ocsp.cert, now, now + 600000, &tbs), 0);
        digest_of(alg->digest, buf_view(&tbs), &dg);
        CHECK_INT(sign_digest(f->ocsp.key, alg, &dg, &value), 0);
        CHECK_INT(ocsp_response_finish(buf_view(&tbs), f->ocsp.cert, alg, buf_view(&value), &out),
                  0);
    } else {
        CHECK_INT(
            ocsp_response_make(&req, a, f->ocsp.cert, f->ocsp.key, now, now + 600000, &out, &d), 0);
    }
    ocsp_request_free(&req);
    tool_write(&f->t, "resp.der", buf_view(&out));
    buf_free(&out);
    buf_free(&tbs);
    buf_free(&value);
}

#define AT "-attime 1780000000" /* for certificates; updates are compared with the clock */

/* With the request at hand openssl compares the nonces, with the certificate it prints the status.
 */
static void openssl_must_say(struct family *f, const char *options, const char *text)
{
    if (tool_run(&f->t, "ocsp -reqin req.der -no_nonce -respin resp.der -CAfile ca.pem " AT) != 0 ||
        strstr(f->t.output, "Response verify OK") == NULL)
        FAIL("openssl: %s", f->t.output);
    if (tool_run(&f->t,
                 "ocsp -issuer ca.pem %s -cert leaf.pem -no_nonce -respin resp.der "
                 "-CAfile ca.pem " AT,
                 options) != 0 ||
        strstr(f->t.output, "Response verify OK") == NULL || strstr(f->t.output, text) == NULL)
        FAIL("openssl does not say \"%s\" but: %s", text, f->t.output);
}

static void judge_responder(const char *kind)
{
    struct family f;
    family_make(&f, kind);
    struct ocsp_answer good = {OCSP_GOOD, 0, -1}, unknown = {OCSP_UNKNOWN, 0, -1};
    struct ocsp_answer revoked = {OCSP_REVOKED, iso_ms("2026-03-01T10:11:12Z"), 1};
    static const char *const hashes[] = {"-sha1", "-sha256", "-sha512"};
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        CHECK_INT(
            tool_run(&f.t, "ocsp -issuer ca.pem %s -cert leaf.pem -reqout req.der", hashes[i]), 0);
        answer(&f, &good, false);
        openssl_must_say(&f, hashes[i], "leaf.pem: good");
    }
    answer(&f, &revoked, true);
    openssl_must_say(&f, "-sha512", "leaf.pem: revoked");
    openssl_must_say(&f, "-sha512", "Reason: keyCompromise");
    openssl_must_say(&f, "-sha512", "Revocation Time: Mar  1 10:11:12 2026 GMT");
    answer(&f, &unknown, false);
    openssl_must_say(&f, "-sha512", "leaf.pem: unknown");
    /* another nonce than asked for */
    CHECK_INT(tool_run(&f.t, "ocsp -issuer ca.pem -sha512 -cert leaf.pem -reqout req.der"), 0);
    CHECK_INT(tool_run(&f.t, "ocsp -reqin req.der -no_nonce -respin resp.der -CAfile ca.pem " AT),
              1);
    CHECK(strstr(f.t.output, "Nonce Verify error") != NULL);
    /* and our own client takes what our responder gives, without nonce */
    struct buf req;
    buf_init(&req, 1000);
    CHECK_INT(ocsp_request_make(f.leaf.cert, f.ca.cert, &req), 0);
    tool_write(&f.t, "req.der", buf_view(&req));
    answer(&f, &good, false);
    struct ocsp_trust none = {.freshness_ms = FRESH_MS, .verify_next_update = true};
    verify_now(&f, tool_read(&f.t, "resp.der"), &none, 0, 0, "");
    buf_free(&req);
    family_free(&f);
}

TEST(openssl_accepts_our_responses_of_rsa)
{
    judge_responder("rsa2048");
}

TEST(openssl_accepts_our_responses_of_p256)
{
    judge_responder("p256");
}

TEST(openssl_accepts_our_responses_of_p384)
{
    judge_responder("p384");
}

TEST(several_queries_in_one_request)
{
    struct family f;
    family_make(&f, "p256");
    CHECK_INT(tool_run(&f.t, "ocsp -issuer ca.pem -sha1 -cert leaf.pem -cert plain.pem -cert "
                             "ocsp.pem -reqout req.der"),
              0);
    struct slice der = tool_read(&f.t, "req.der");
    struct ocsp_request req;
    struct diag d = {0};
    CHECK_INT(ocsp_request_parse(der, &req, &d), 0);
    CHECK_INT(req.n, 3);
    struct ocsp_answer answers[] = {
        {OCSP_GOOD, 0, -1}, {OCSP_REVOKED, 0, -1}, {OCSP_UNKNOWN, 0, -1}};
    struct buf out;
    buf_init(&out, 65536);
    CHECK_INT(ocsp_response_make(&req, answers, f.ocsp.cert, f.ocsp.key, (int64_t)time(NULL) * 1000,
                                 0, &out, &d),
              0);
    tool_write(&f.t, "resp.der", buf_view(&out));
    CHECK_INT(tool_run(&f.t, "ocsp -issuer ca.pem -sha1 -cert leaf.pem -cert plain.pem -cert "
                             "ocsp.pem -no_nonce -respin resp.der -CAfile ca.pem " AT),
              0);
    CHECK(strstr(f.t.output, "leaf.pem: good") != NULL);
    CHECK(strstr(f.t.output, "plain.pem: revoked") != NULL);
    CHECK(strstr(f.t.output, "ocsp.pem: unknown") != NULL);
    ocsp_request_free(&req);
    buf_free(&out);
    free((void *)der.p);
    family_free(&f);
}

TEST(bad_requests_and_refusals)
{
    struct family f;
    family_make(&f, "p256");
    CHECK_INT(tool_run(&f.t, "ocsp -issuer ca.pem -sha1 -cert leaf.pem -reqout req.der"), 0);
    struct slice der = tool_read(&f.t, "req.der");
    struct ocsp_request req;
    struct diag d = {0};
    for (size_t n = 0; n < der.n; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut, der.p, n);
        CHECK_INT(ocsp_request_parse(slice_of(cut, n), &req, &d), ERR_BAD_REQUEST);
        free(cut);
    }
    /* seventeen queries */
    char many[1024] = "ocsp -issuer ca.pem -no_nonce -reqout req.der";
    for (int i = 0; i < 17; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), " -serial %d", i + 1);
    CHECK_INT(tool_run(&f.t, "%s", many), 0);
    struct slice big = tool_read(&f.t, "req.der");
    CHECK_INT(ocsp_request_parse(big, &req, &d), ERR_BAD_REQUEST);
    /* what openssl makes of our refusals */
    struct buf out;
    buf_init(&out, 100);
    CHECK_INT(ocsp_response_error(1, &out), 0);
    tool_write(&f.t, "resp.der", buf_view(&out));
    tool_run(&f.t, "ocsp -respin resp.der -noverify");
    CHECK(strstr(f.t.output, "malformedrequest (1)") != NULL);
    struct ocsp_info info;
    CHECK_INT(ocsp_parse(buf_view(&out), &info, &d), 0);
    CHECK_INT(info.response_status, 1);
    struct ocsp_trust none = {.freshness_ms = FRESH_MS};
    judge(buf_view(&out), f.leaf.cert, f.ca.cert, "2026-06-01T00:00:00Z", &none,
          ERR_INCORRECT_VALIDATION_INFO, "refusal");
    buf_free(&out);
    free((void *)big.p);
    free((void *)der.p);
    family_free(&f);
}
