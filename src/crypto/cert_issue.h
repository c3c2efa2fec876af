/* Making certificates (sild trust, sild authority, tests). RFC 5280. */
#ifndef SILD_CRYPTO_CERT_ISSUE_H
#define SILD_CRYPTO_CERT_ISSUE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/sign.h"

struct cert;

struct cert_rdn {
    const char *oid;   /* "2.5.4.3" */
    const char *value; /* UTF-8 */
};

enum cert_purpose {
    CERT_CA, /* root: self-signed */
    CERT_INTERMEDIATE,
    CERT_SIGN,         /* nonRepudiation */
    CERT_AUTH,         /* digitalSignature, keyEncipherment; EKU clientAuth, serverAuth */
    CERT_OCSP,         /* EKU OCSPSigning, noCheck */
    CERT_TSA,          /* critical EKU timeStamping */
    CERT_CONF_SIGNING, /* global configuration: nonRepudiation and keyCertSign, self-signed */
    CERT_TLS_SERVER,   /* internal TLS: serverAuth and clientAuth, subjectAltName from dns/ip */
};

struct cert_spec {
    enum cert_purpose purpose;
    const struct cert_rdn *rdns; /* in order of the DN */
    size_t rdn_count;
    uint8_t serial[16]; /* random, positive */
    int64_t not_before_ms, not_after_ms;
    const char *ocsp_url;     /* AIA; may be NULL */
    const char *alt_name;     /* "DNS:…,IP:…" or NULL */
    struct slice subject_der; /* a whole Name in DER (of a request) instead of rdns; or empty */
};

/*
 * Signs a certificate for `key` (public part) with the issuer's certificate and key; NULL issuer:
 * self-signed, by issuer_key. The algorithm is sign_alg_for_asn1's. Appends DER. The signature is
 * checked with the issuer's public key before it is given out (ERR_CANNOT_SIGN).
 * Texts become UTF8String, country and serial number PrintableString where their characters allow.
 */
int cert_issue(const struct cert_spec *spec, EVP_PKEY *key, const struct cert *issuer,
               EVP_PKEY *issuer_key, struct buf *der, struct diag *d) MUST_USE;
/*
 * The same in two steps, for an issuer's key that lives in another process: the octets to be signed
 * with `alg`; sign_wrap makes the certificate. issuer NULL: self-signed by `key`.
 */
int cert_issue_tbs(const struct cert_spec *spec, EVP_PKEY *key, const struct cert *issuer,
                   const struct sign_alg *alg, struct buf *tbs, struct diag *d) MUST_USE;
/* Appends the Name of these parts in DER. ERR_USAGE for text that is not UTF-8 or empty. */
int cert_name_der(const struct cert_rdn *rdns, size_t n, struct buf *out, struct diag *d) MUST_USE;
/* "-----BEGIN CERTIFICATE-----" text of DER bytes. */
void cert_der_to_pem(struct slice der, struct buf *out);

#endif
