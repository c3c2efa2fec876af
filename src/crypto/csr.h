/* Certificate requests, PKCS#10 (RFC 2986). */
#ifndef SILD_CRYPTO_CSR_H
#define SILD_CRYPTO_CSR_H

#include "crypto/cert_issue.h"

#include <openssl/x509.h>

/* Makes one, signed with sign_alg_for_asn1's algorithm. Appends DER. */
int csr_make(EVP_PKEY *key, const struct cert_rdn *rdns, size_t n, struct buf *der,
             struct diag *d) MUST_USE;
/* The octets to be signed, for a key that lives in another process; sign_wrap makes the request. */
int csr_tbs(EVP_PKEY *key, const struct cert_rdn *rdns, size_t n, struct buf *tbs,
            struct diag *d) MUST_USE;
/*
 * Takes one apart, DER or PEM, and checks its own signature. *key is freed with EVP_PKEY_free,
 * *subject with X509_NAME_free, both by the caller. ERR_BAD_REQUEST, with both NULL.
 */
int csr_parse(struct slice der_or_pem, EVP_PKEY **key, X509_NAME **subject,
              struct diag *d) MUST_USE;

#endif
