/*
 * X.509 certificates as this project uses them: parsed once into a small struct of what decisions
 * need. Path rules are X-Road's (transport.md 3, signature.md 6 to 9), not OpenSSL's defaults.
 */
#ifndef SILD_CRYPTO_CERT_H
#define SILD_CRYPTO_CERT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct cert {
    X509 *x509;           /* owned */
    EVP_PKEY *key;        /* owned by x509 */
    struct slice der;     /* owned */
    struct slice subject; /* DER of the Name; borrowed from der */
    struct slice issuer;  /* DER of the Name; borrowed from der */
    int64_t not_before_ms, not_after_ms;
    uint8_t sha1[20], sha256[32];
    struct digest sha512; /* for XAdES CertDigest */
    bool has_key_usage;   /* extension present */
    bool digital_signature, non_repudiation, key_encipherment, data_encipherment, key_cert_sign;
    bool eku_client_auth, eku_ocsp_signing, eku_time_stamping;
    bool is_ca;
};

/* DER, or PEM text (first certificate). Trailing bytes are refused. NULL with d filled
 * (ERR_INCORRECT_CERTIFICATE). */
struct cert *cert_parse(struct slice bytes, struct diag *d);
void cert_free(struct cert *c);
struct cert *cert_ref(struct cert *c); /* shares it; freed as often */

/* transport.md 3.4. ERR_INCORRECT_CERTIFICATE "no key usage" where the reference says "an error".
 */
int cert_is_authentication(const struct cert *c, bool *yes, struct diag *d) MUST_USE;
int cert_is_signing(const struct cert *c, bool *yes, struct diag *d) MUST_USE;

/* Name and signature: was c issued by ca? */
bool cert_issued_by(const struct cert *c, const struct cert *ca);
/*
 * The path leaf → … → anchor at a time: signatures, validity (not the anchor's), basic constraints
 * of intermediates, unknown critical extensions. extra: candidates for intermediates.
 * path gets the certificates from leaf up to, without, the anchor (at most max); *n their number.
 * Errors: ERR_CANNOT_CREATE_CERT_PATH, ERR_CERT_VALIDITY_TIME, ERR_INVALID_CERT_PATH.
 */
int cert_path(struct cert *leaf, struct cert *const *extra, size_t n_extra, struct cert *anchor,
              int64_t at_ms, struct cert **path, size_t max, size_t *n, struct diag *d) MUST_USE;

/* Subject or issuer as Java prints it, RFC 2253 (signature.md section 2: last RDN first, ","
 * without blank). */
void cert_name_rfc2253(const X509_NAME *name, struct buf *out);
/* The serial number in decimal. */
void cert_serial_decimal(const struct cert *c, struct buf *out);
/* String value (UTF-8) of the first RDN of this type in the subject; false when absent. oid as
 * "2.5.4.5". */
bool cert_subject_field(const struct cert *c, const char *oid, struct buf *out);
/* First OCSP URL of the authority information access extension; false when absent. */
bool cert_ocsp_url(const struct cert *c, struct buf *out);

/* --- issuing (sild trust, sild authority, tests) --- */

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
    const char *ocsp_url; /* AIA; may be NULL */
    const char *alt_name; /* "DNS:…,IP:…" or NULL */
};

/*
 * Signs a certificate for `key` (public part) with the issuer's certificate and key; NULL issuer:
 * self-signed, by issuer_key. Digest SHA-512 (RSA, P-384) or SHA-256 (P-256)… by key. Appends DER.
 */
int cert_issue(const struct cert_spec *spec, EVP_PKEY *key, const struct cert *issuer,
               EVP_PKEY *issuer_key, struct buf *der, struct diag *d) MUST_USE;
/* "-----BEGIN CERTIFICATE-----" text of DER bytes. */
void cert_der_to_pem(struct slice der, struct buf *out);

/* PKCS#10: makes one / takes one apart (checks its own signature). *key is freed by the caller. */
int csr_make(EVP_PKEY *key, const struct cert_rdn *rdns, size_t n, struct buf *der,
             struct diag *d) MUST_USE;
int csr_parse(struct slice der_or_pem, EVP_PKEY **key, X509_NAME **subject,
              struct diag *d) MUST_USE;

#endif
