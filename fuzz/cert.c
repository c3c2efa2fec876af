/*
 * Certificates and certificate requests, DER or PEM. A certificate that parses is printed, judged,
 * and set into paths with itself; one that is issued for a request's key must parse again. First
 * byte 'T': the rest is a TBSCertificate, which a root signs here; it is set into paths between
 * that root and a certificate issued under it. First byte 'N': two lines that become the names of a
 * request and a certificate.
 */
#include "own_cert.h"

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

/* From the root over what was signed to a leaf under it; what a path has must be in order. */
static void path_over(struct cert *root, struct cert *middle, EVP_PKEY *key)
{
    const struct cert_rdn rdn = {"2.5.4.3", "leaf"};
    const struct cert_spec spec = {.purpose = CERT_SIGN,
                                   .rdns = &rdn,
                                   .rdn_count = 1,
                                   .serial = {2},
                                   .not_after_ms = INT64_C(4000000000000)};
    struct cert *extra[2] = {root, middle}, *path[3];
    size_t n;
    struct buf der;
    struct diag d = {0};
    int64_t at = middle->not_before_ms;
    buf_init(&der, 1 << 18);
    if (cert_path(middle, extra, 2, root, at, path, 3, &n, &d) == 0 &&
        (n == 0 || path[0] != middle || !cert_issued_by(path[n - 1], root)))
        abort();
    if (cert_issue(&spec, key, middle, key, &der, NULL) == 0) {
        struct cert *leaf = cert_parse(buf_view(&der), &d);
        if (leaf == NULL && der.n <= 65536)
            abort();
        if (leaf != NULL && cert_path(leaf, extra, 2, root, at, path, 3, &n, &d) == 0) {
            bool over = n == 2 && path[1] == middle && middle->is_ca &&
                        (!middle->has_key_usage || middle->key_cert_sign);
            if (!over && !(n == 1 && slice_eq(middle->subject, root->subject)))
                abort();
        }
        cert_free(leaf);
    }
    buf_free(&der);
}

static void use_tbs(struct slice tbs)
{
    static EVP_PKEY *key;
    static struct cert *root;
    if (root == NULL) {
        key = own_key(0);
        root = own_cert(CERT_CA, "Root", key);
    }
    struct buf value, der;
    buf_init(&value, 1000);
    buf_init(&der, 1 << 18);
    const struct sign_alg *alg = sign_alg_for_asn1(key);
    if (sign_data(key, alg, tbs, &value) != 0 || sign_wrap(tbs, alg, buf_view(&value), &der) != 0)
        abort();
    struct cert *c = cert_parse(buf_view(&der), NULL);
    if (c != NULL) {
        use_cert(c);
        path_over(root, c, key);
    }
    cert_free(c);
    buf_free(&value);
    buf_free(&der);
}

static void use_names(struct slice text)
{
    static const char *const oids[] = {"2.5.4.3", "2.5.4.6", "2.5.4.5", "2.5.4.10"};
    static EVP_PKEY *key;
    char one[300], two[300];
    struct slice first;
    if (key == NULL)
        key = own_key(0);
    if (!slice_next(&text, '\n', &first) || !slice_cstr(first, one, sizeof one) ||
        !slice_cstr(text, two, sizeof two))
        return;
    const struct cert_rdn rdns[] = {{oids[first.n % 4], one}, {oids[text.n % 4], two}};
    struct buf der;
    EVP_PKEY *got;
    X509_NAME *subject;
    buf_init(&der, 1 << 16);
    if (csr_make(key, rdns, 2, &der, NULL) == 0) {
        if (csr_parse(buf_view(&der), &got, &subject, NULL) == 0) {
            if (EVP_PKEY_eq(got, key) != 1 || X509_NAME_entry_count(subject) != 2)
                abort();
            use_request(got, subject);
        } else if (one[0] != 0 && two[0] != 0) {
            abort();
        }
        EVP_PKEY_free(got);
        X509_NAME_free(subject);
    }
    buf_free(&der);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 && size < 60000 && data[0] == 'T')
        use_tbs(slice_of(data + 1, size - 1));
    if (size > 1 && data[0] == 'N')
        use_names(slice_of(data + 1, size - 1));
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
