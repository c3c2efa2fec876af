/* A small certification authority for the tests, and files of the vectors. */
#ifndef SILD_TESTS_UNIT_PKI_H
#define SILD_TESTS_UNIT_PKI_H

#include "base/timeval.h"
#include "crypto/cert.h"
#include "test.h"

struct pki {
    EVP_PKEY *key;
    struct cert *cert;
};

__attribute__((unused)) static int64_t iso_ms(const char *text)
{
    int64_t ms;
    if (!timeval_parse_iso(slice_str(text), &ms))
        FAIL("no time: %s", text);
    return ms;
}

/* Free with free((void *)s.p). */
__attribute__((unused)) static struct slice vector(const char *name)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", VECTORS(), name);
    size_t n;
    unsigned char *p = test_file(path, &n);
    return slice_of(p, n);
}

__attribute__((unused)) static struct cert *vector_cert(const char *name)
{
    struct slice s = vector(name);
    struct diag d = {0};
    struct cert *c = cert_parse(s, &d);
    free((void *)s.p);
    if (c == NULL)
        FAIL("%s: %s", name, d.text);
    return c;
}

/* Valid in 2026 and 2027. */
__attribute__((unused)) static void pki_make(struct pki *out, enum cert_purpose purpose,
                                             const char *kind, const char *cn,
                                             const struct pki *issuer, uint8_t serial)
{
    const struct cert_rdn rdns[] = {{"2.5.4.6", "EE"}, {"2.5.4.10", "Test"}, {"2.5.4.3", cn}};
    struct cert_spec spec = {.purpose = purpose,
                             .rdns = rdns,
                             .rdn_count = 3,
                             .serial = {0x10, serial},
                             .not_before_ms = iso_ms("2026-01-01T00:00:00Z"),
                             .not_after_ms = iso_ms("2028-01-01T00:00:00Z"),
                             .ocsp_url = "http://127.0.0.1:8888/ocsp",
                             .alt_name =
                                 purpose == CERT_TLS_SERVER ? "DNS:gw.example,IP:127.0.0.1" : NULL};
    struct diag d = {0};
    struct buf der;
    buf_init(&der, 65536);
    out->key = key_generate(kind, &d);
    CHECK(out->key != NULL);
    if (cert_issue(&spec, out->key, issuer != NULL ? issuer->cert : NULL,
                   issuer != NULL ? issuer->key : out->key, &der, &d) != 0)
        FAIL("%s", d.text);
    out->cert = cert_parse(buf_view(&der), &d);
    buf_free(&der);
    if (out->cert == NULL)
        FAIL("%s", d.text);
}

__attribute__((unused)) static void pki_free(struct pki *p)
{
    cert_free(p->cert);
    EVP_PKEY_free(p->key);
}

#endif
