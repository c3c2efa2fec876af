#include "crypto/csr.h"

#include <openssl/err.h>

#include "base/base64.h"
#include "base/err.h"
#include "crypto/der.h"

#define CSR_MAX 65536

int csr_tbs(EVP_PKEY *key, const struct cert_rdn *rdns, size_t n, struct buf *tbs, struct diag *d)
{
    unsigned char *spki = NULL;
    int len = i2d_PUBKEY(key, &spki);
    ERR_clear_error();
    if (len <= 0)
        return diag_set(d, ERR_CRYPTO, "The key has no public part to certify.");
    size_t at = der_open(tbs, DER_SEQUENCE);
    der_uint(tbs, 0); /* v1 */
    int rc = cert_name_der(rdns, n, tbs, d);
    buf_add(tbs, spki, (size_t)len);
    der_put(tbs, DER_CONTEXT_CONSTRUCTED(0), SLICE_NONE); /* no attributes */
    der_close(tbs, at);
    OPENSSL_free(spki);
    if (rc == 0 && tbs->failed)
        rc = diag_set(d, ERR_TOO_LARGE, "The certificate request is larger than allowed.");
    return rc;
}

int csr_make(EVP_PKEY *key, const struct cert_rdn *rdns, size_t n, struct buf *der, struct diag *d)
{
    const struct sign_alg *alg = sign_alg_for_asn1(key);
    if (alg == NULL)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                        "The key is of a kind that signs no certificate requests here.");
    struct buf tbs, value;
    buf_init(&tbs, CSR_MAX);
    buf_init(&value, CSR_MAX);
    int rc = csr_tbs(key, rdns, n, &tbs, d);
    if (rc == 0 && sign_data(key, alg, buf_view(&tbs), &value) != 0)
        rc = diag_set(d, ERR_CANNOT_SIGN, "The key does not sign.");
    if (rc == 0)
        rc = sign_wrap(buf_view(&tbs), alg, buf_view(&value), der);
    buf_free(&tbs);
    buf_free(&value);
    return rc;
}

/* Both labels are in use: RFC 7468 section 7. */
static bool from_pem(struct slice text, struct buf *der)
{
    static const struct {
        const char *begin, *end;
    } labels[] = {
        {"-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"},
        {"-----BEGIN NEW CERTIFICATE REQUEST-----", "-----END NEW CERTIFICATE REQUEST-----"},
    };
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        struct slice begin = slice_str(labels[i].begin);
        size_t at = slice_find_slice(text, begin);
        if (at == SIZE_MAX)
            continue;
        struct slice body = slice_from(text, at + begin.n);
        size_t end = slice_find_slice(body, slice_str(labels[i].end));
        return end != SIZE_MAX && base64_decode(der, slice_sub(body, 0, end), true) == 0;
    }
    return false;
}

static int take_apart(struct slice der, EVP_PKEY **key, X509_NAME **subject, struct diag *d)
{
    const unsigned char *p = der.p;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.n);
    if (req == NULL || p != der.p + der.n) {
        X509_REQ_free(req);
        return diag_set(d, ERR_BAD_REQUEST, "The bytes are not a certificate request.");
    }
    int rc = 0;
    EVP_PKEY *public = X509_REQ_get0_pubkey(req);
    if (public == NULL)
        rc = diag_set(d, ERR_BAD_REQUEST, "The request's public key is of an unsupported kind.");
    else if (X509_REQ_verify(req, public) != 1)
        rc = diag_set(d, ERR_BAD_REQUEST, "The request is not signed with its own key.");
    if (rc == 0) {
        *key = X509_REQ_get_pubkey(req);
        *subject = X509_NAME_dup(X509_REQ_get_subject_name(req));
    }
    X509_REQ_free(req);
    return rc;
}

int csr_parse(struct slice der_or_pem, EVP_PKEY **key, X509_NAME **subject, struct diag *d)
{
    *key = NULL;
    *subject = NULL;
    if (der_or_pem.n == 0 || der_or_pem.n > CSR_MAX)
        return diag_set(d, ERR_BAD_REQUEST,
                        "A certificate request is empty or larger than 64 KiB.");
    int rc;
    if (der_or_pem.p[0] == DER_SEQUENCE) {
        rc = take_apart(der_or_pem, key, subject, d);
    } else {
        struct buf der;
        buf_init(&der, CSR_MAX);
        if (from_pem(der_or_pem, &der))
            rc = take_apart(buf_view(&der), key, subject, d);
        else
            rc = diag_set(d, ERR_BAD_REQUEST, "This is not a certificate request in PEM form.");
        buf_free(&der);
    }
    ERR_clear_error();
    return rc;
}
