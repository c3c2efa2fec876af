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
    struct slice subject; /* DER of the Name; owned by x509 */
    struct slice issuer;  /* DER of the Name; owned by x509 */
    struct slice serial;  /* content octets of the INTEGER; borrowed from der */
    int64_t not_before_ms, not_after_ms;
    uint8_t sha1[20], sha256[32];
    struct digest sha512; /* for XAdES CertDigest */
    /* of subject and of the public key's bits, as OCSP names certificates */
    uint8_t subject_sha1[20], key_sha1[20];
    bool has_key_usage; /* extension present */
    bool digital_signature, non_repudiation, key_encipherment, data_encipherment, key_cert_sign;
    bool eku_client_auth, eku_ocsp_signing, eku_time_stamping;
    bool is_ca;
    int path_len;  /* of the basic constraints; -1: no limit */
    unsigned refs; /* see cert_ref */
};

/* DER, or PEM text (first certificate). Trailing bytes are refused. NULL with d filled
 * (ERR_INCORRECT_CERTIFICATE). Certificates are immutable: the same bytes may give the same one
 * again, which is freed as often as it was given out. */
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
 * They are borrowed from leaf and extra. At most 16 candidates. The anchor is taken as it is.
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

/* The octets of the public key's BIT STRING; borrowed. */
struct slice cert_key_bits(const struct cert *c);

/* Making certificates and requests. */
#include "crypto/cert_issue.h"
#include "crypto/csr.h"

#endif
