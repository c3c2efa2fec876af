/*
 * Signature algorithms and key pairs. One table row an algorithm: URI, key type, digest, padding.
 * ECDSA values are DER inside ASN.1 formats and signed directories, raw r||s in XML signatures:
 * functions here take and give DER; sign_raw_* convert (signature.md section 2).
 */
#ifndef SILD_CRYPTO_SIGN_H
#define SILD_CRYPTO_SIGN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"

#include <openssl/evp.h>

enum sign_key {
    SIGN_RSA,
    SIGN_EC,
    SIGN_ED25519,
};
enum sign_padding {
    SIGN_PKCS1,
    SIGN_PSS,
    SIGN_NO_PADDING,
};

struct sign_alg {
    const char *uri;
    enum sign_key key;
    enum digest_alg digest;
    enum sign_padding padding;
};

/* The row of a URI; NULL when unknown. The rows live for ever. */
const struct sign_alg *sign_alg_from_uri(struct slice uri);
/* The row of a kind of key and a digest, for RSA that with PKCS#1; NULL when there is none. */
const struct sign_alg *sign_alg_of(enum sign_key key, enum digest_alg digest);
/* The default for a key: SHA-512 with PKCS#1 or ECDSA. NULL for keys that X-Road does not sign
 * with. */
const struct sign_alg *sign_alg_for_key(EVP_PKEY *key);

/* The row for ASN.1 formats (certificates, OCSP, time-stamps): SHA-512 for RSA and large curves,
 * SHA-256 for P-256, Ed25519 as it is. NULL for other keys. */
const struct sign_alg *sign_alg_for_asn1(EVP_PKEY *key);
/* Appends the AlgorithmIdentifier in DER. */
int sign_alg_der(const struct sign_alg *alg, struct buf *out) MUST_USE;
/* The row of an AlgorithmIdentifier in DER; NULL when unknown. */
const struct sign_alg *sign_alg_from_der(struct slice der);
/*
 * X.509's SIGNED form, SEQUENCE {tbs, algorithm, value}, of certificates and requests: the second
 * step where the key lives in another process. Appends DER.
 */
int sign_wrap(struct slice tbs, const struct sign_alg *alg, struct slice value,
              struct buf *der) MUST_USE;

/* Kinds of keys that `key_generate` makes, by name: rsa2048, rsa3072, p256, p384, ed25519. */
EVP_PKEY *key_generate(const char *kind,
                       struct diag *d); /* NULL on failure; freed by EVP_PKEY_free */
/* PEM (PKCS#8, unencrypted). The buffer holds a secret: buf_wipe it. */
int key_to_pem(EVP_PKEY *key, struct buf *out) MUST_USE;
EVP_PKEY *key_from_pem(struct slice pem, struct diag *d);

/* Signs data (hashed here) / a finished digest of alg->digest; appends the value (ECDSA: DER). */
int sign_data(EVP_PKEY *key, const struct sign_alg *alg, struct slice data,
              struct buf *value) MUST_USE;
int sign_digest(EVP_PKEY *key, const struct sign_alg *alg, const struct digest *dg,
                struct buf *value) MUST_USE;

/* 0, or ERR_INVALID_SIGNATURE_VALUE; ERR_UNSUPPORTED_ALGORITHM when key and alg do not fit. */
int verify_data(EVP_PKEY *key, const struct sign_alg *alg, struct slice data,
                struct slice value) MUST_USE;
int verify_digest(EVP_PKEY *key, const struct sign_alg *alg, const struct digest *dg,
                  struct slice value) MUST_USE;

/* DER to r||s, both of the curve's full width. */
int sign_raw_from_der(EVP_PKEY *key, struct slice der, struct buf *raw) MUST_USE;
/* r||s of any even length up to twice the curve's width, to DER. */
int sign_raw_to_der(EVP_PKEY *key, struct slice raw, struct buf *der) MUST_USE;

#endif
