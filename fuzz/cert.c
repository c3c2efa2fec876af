/*
 * Certificates and certificate requests, DER or PEM. A certificate that parses is printed, judged,
 * and set into paths with itself; one that is issued for a request's key must parse again.
 */
#include "crypto/cert.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_cert(struct cert *c)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    bool yes;
    int rc = cert_is_authentication(c, &yes, NULL);
    rc |= cert_is_signing(c, &yes, NULL);
    cert_name_rfc2253(X509_get_issuer_name(c->x509), &text);
    cert_name_rfc2253(X509_get_subject_name(c->x509), &text);
    cert_serial_decimal(c, &text);
    cert_subject_field(c, "2.5.4.3", &text);
    cert_ocsp_url(c, &text);
    if (text.failed)
        abort();
    struct cert *path[3];
    size_t n;
    struct diag d = {0};
    rc = cert_path(c, &c, 1, c, c->not_before_ms, path, 3, &n, &d);
    if ((rc == 0) != (n > 0) || (rc != 0 && d.text[0] == 0))
        abort();
    struct buf pem;
    buf_init(&pem, 1 << 18);
    cert_der_to_pem(c->der, &pem);
    struct cert *again = cert_parse(buf_view(&pem), NULL);
    if (pem.n <= 65536 && (again == NULL || !slice_eq(again->der, c->der)))
        abort();
    cert_free(again);
    buf_free(&pem);
    buf_free(&text);
}

static void use_request(EVP_PKEY *key, X509_NAME *subject)
{
    static EVP_PKEY *issuer;
    if (issuer == NULL)
        issuer = key_generate("ed25519", NULL);
    unsigned char *name = NULL;
    int n = i2d_X509_NAME(subject, &name);
    if (n <= 0)
        abort();
    struct cert_spec spec = {.purpose = CERT_SIGN,
                             .subject_der = slice_of(name, (size_t)n),
                             .serial = {1},
                             .not_after_ms = 1000};
    struct buf tbs;
    buf_init(&tbs, 1 << 18);
    if (cert_issue_tbs(&spec, key, NULL, sign_alg_for_asn1(issuer), &tbs, NULL) == 0 && tbs.failed)
        abort();
    buf_free(&tbs);
    OPENSSL_free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag d = {0};
    struct cert *c = cert_parse(slice_of(data, size), &d);
    if (c != NULL)
        use_cert(c);
    else if (d.code == 0 || d.text[0] == 0)
        abort();
    cert_free(c);
    EVP_PKEY *key;
    X509_NAME *subject;
    if (csr_parse(slice_of(data, size), &key, &subject, &d) == 0)
        use_request(key, subject);
    EVP_PKEY_free(key);
    X509_NAME_free(subject);
    return 0;
}
