/*
 * A small X-Road of one instance, made for a test: CA with an intermediate one, OCSP responder,
 * TSA, a member with a subsystem, a security server, certificates of all kinds.
 */
#ifndef SILD_TESTS_UNIT_XROAD_WORLD_H
#define SILD_TESTS_UNIT_XROAD_WORLD_H

#include "base/timeval.h"
#include "crypto/cert_issue.h"
#include "crypto/ocsp_respond.h"
#include "test.h"
#include "xroad/globalconf.h"
#include "xroad/trust.h"

#define WORLD_NOW 1767607200000 /* 2026-01-05T10:00:00Z */
#define WORLD_YEAR (365LL * 86400 * 1000)
#define WORLD_PROFILE                                                                              \
    "ee.ria.xroad.common.certificateprofile.impl.EjbcaCertificateProfileInfoProvider"

struct world_key {
    EVP_PKEY *key;
    struct cert *cert;
};

static uint8_t world_serial = 1;

/* Issues a certificate; issuer NULL: self-signed. */
__attribute__((unused)) static struct world_key world_issue(enum cert_purpose purpose,
                                                            const struct cert_rdn *rdns, size_t n,
                                                            const struct world_key *issuer,
                                                            int64_t not_after_ms)
{
    struct diag d = {0};
    struct buf der;
    struct world_key k = {key_generate("p256", &d), NULL};
    struct cert_spec spec = {.purpose = purpose,
                             .rdns = rdns,
                             .rdn_count = n,
                             .serial = {1, world_serial++},
                             .not_before_ms = WORLD_NOW - WORLD_YEAR,
                             .not_after_ms = not_after_ms};
    CHECK(k.key != NULL);
    buf_init(&der, 10000);
    if (cert_issue(&spec, k.key, issuer == NULL ? NULL : issuer->cert,
                   issuer == NULL ? k.key : issuer->key, &der, &d) != 0)
        FAIL("cannot issue: %s", d.text);
    k.cert = cert_parse(buf_view(&der), &d);
    CHECK(k.cert != NULL);
    buf_free(&der);
    return k;
}

__attribute__((unused)) static struct world_key
world_named(enum cert_purpose purpose, const char *name, const struct world_key *issuer)
{
    const struct cert_rdn rdn = {"2.5.4.3", name};
    return world_issue(purpose, &rdn, 1, issuer, WORLD_NOW + WORLD_YEAR);
}

/* An OCSP response about c, signed by responder; appended to out (freed by the caller). */
__attribute__((unused)) static void world_ocsp(const struct cert *c, const struct cert *issuer,
                                               const struct world_key *responder,
                                               enum ocsp_status status, int64_t at_ms,
                                               struct buf *out)
{
    struct diag d = {0};
    struct buf query;
    struct ocsp_request req;
    struct ocsp_answer answer = {status, at_ms - 1000, -1};
    buf_init(&query, 10000);
    buf_init(out, 100000);
    CHECK(ocsp_request_make(c, issuer, &query) == 0);
    CHECK(ocsp_request_parse(buf_view(&query), &req, &d) == 0);
    CHECK(ocsp_response_make(&req, &answer, responder->cert, responder->key, at_ms,
                             at_ms + 3600 * 1000, out, &d) == 0);
    ocsp_request_free(&req);
    buf_free(&query);
}

struct world {
    struct world_key ca, inter, ocsp, tsa, auth, sign;
    struct buf image;
    struct globalconf *gc;
};

/* ZZ/GOV/100 with subsystem "client" at server ss1; ZZ/GOV/200 with "data", no server. */
__attribute__((unused)) static void world_open(struct world *w)
{
    const struct cert_rdn sign[] = {{"2.5.4.6", "ZZ"}, {"2.5.4.10", "GOV"}, {"2.5.4.3", "100"}};
    struct diag d = {0};
    memset(w, 0, sizeof *w);
    w->ca = world_named(CERT_CA, "Root", NULL);
    w->inter = world_named(CERT_INTERMEDIATE, "Intermediate", &w->ca);
    w->ocsp = world_named(CERT_OCSP, "OCSP", &w->ca);
    w->tsa = world_named(CERT_TSA, "TSA", &w->ca);
    w->auth = world_named(CERT_AUTH, "ss1", &w->ca);
    w->sign = world_issue(CERT_SIGN, sign, 3, &w->ca, WORLD_NOW + WORLD_YEAR);
    struct params_ocsp responder = {SLICE_LIT("http://ocsp"), w->ocsp.cert->der, SLICE_NONE};
    struct params_ca inter = {w->inter.cert->der, NULL, 0};
    struct params_approved_ca ca = {SLICE_LIT("CA"),
                                    SLICE_LIT(WORLD_PROFILE),
                                    SLICE_NONE,
                                    false,
                                    {w->ca.cert->der, &responder, 1},
                                    &inter,
                                    1};
    struct params_tsa tsa = {SLICE_LIT("TSA"), SLICE_LIT("http://tsa"), w->tsa.cert->der,
                             SLICE_NONE};
    struct params_subsystem client = {SLICE_LIT("client"), SLICE_LIT("The client")};
    struct params_subsystem data = {SLICE_LIT("data"), SLICE_NONE};
    struct params_member members[] = {
        {SLICE_LIT("GOV"), SLICE_LIT(""), SLICE_LIT("100"), SLICE_LIT("Hundred"), &client, 1},
        {SLICE_LIT("GOV"), SLICE_LIT(""), SLICE_LIT("200"), SLICE_LIT("Two hundred"), &data, 1}};
    struct params_client_ref ref = {0, 0};
    struct slice hash = slice_of(w->auth.cert->sha256, 32);
    struct params_server server = {
        0, SLICE_LIT("ss1"), SLICE_LIT("127.0.0.1"), {&hash, 1}, &ref, 1, false, SLICE_NONE};
    struct params_shared shared = {.version = 6,
                                   .instance = SLICE_LIT("ZZ"),
                                   .cas = &ca,
                                   .n_cas = 1,
                                   .tsas = &tsa,
                                   .n_tsas = 1,
                                   .members = members,
                                   .n_members = 2,
                                   .servers = &server,
                                   .n_servers = 1,
                                   .ocsp_freshness_s = 3600};
    const struct globalconf_input in = {&shared, WORLD_NOW + 600000, NULL, 0, true, 1200};
    buf_init(&w->image, 1u << 20);
    if (globalconf_compile(&in, 1, 0, &w->image, &d) != 0 ||
        globalconf_open(buf_view(&w->image), &w->gc, &d) != 0)
        FAIL("no world: %s", d.text);
}

__attribute__((unused)) static void world_free_key(struct world_key *k)
{
    EVP_PKEY_free(k->key);
    cert_free(k->cert);
}

__attribute__((unused)) static void world_close(struct world *w)
{
    struct world_key *const keys[] = {&w->ca, &w->inter, &w->ocsp, &w->tsa, &w->auth, &w->sign};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        world_free_key(keys[i]);
    globalconf_close(w->gc);
    buf_free(&w->image);
}

#endif
