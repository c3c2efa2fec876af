/* Keys, certificates and signatures of a target's own, for what it verifies. */
#ifndef SILD_FUZZ_OWN_CERT_H
#define SILD_FUZZ_OWN_CERT_H

#include "crypto/cert.h"

#include <stdlib.h>

/* An Ed25519 key that is always the same: its private bytes are n, n + 1 and so on. */
static inline EVP_PKEY *own_key(uint8_t n)
{
    uint8_t seed[32];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = (uint8_t)(n + i);
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
}

/* Valid from 1970 to 2096; self-signed by issuer_key when issuer is NULL; never NULL. */
static inline struct cert *own_issued(enum cert_purpose purpose, const char *name, EVP_PKEY *key,
                                      const struct cert *issuer, EVP_PKEY *issuer_key)
{
    const struct cert_rdn rdn = {"2.5.4.3", name};
    const struct cert_spec spec = {.purpose = purpose,
                                   .rdns = &rdn,
                                   .rdn_count = 1,
                                   .serial = {1},
                                   .not_before_ms = 0,
                                   .not_after_ms = INT64_C(4000000000000)};
    struct buf der;
    buf_init(&der, 65536);
    if (key == NULL || cert_issue(&spec, key, issuer, issuer_key, &der, NULL) != 0)
        abort();
    struct cert *cert = cert_parse(buf_view(&der), NULL);
    buf_free(&der);
    if (cert == NULL)
        abort();
    return cert;
}

static inline struct cert *own_cert(enum cert_purpose purpose, const char *name, EVP_PKEY *key)
{
    return own_issued(purpose, name, key, NULL, key);
}

#endif
