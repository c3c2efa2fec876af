/* A self-signed certificate for what a target verifies. */
#ifndef SILD_FUZZ_OWN_CERT_H
#define SILD_FUZZ_OWN_CERT_H

#include "crypto/cert.h"

#include <stdlib.h>

/* Valid from 1970 to 2096; never NULL. */
static inline struct cert *own_cert(enum cert_purpose purpose, const char *name, EVP_PKEY *key)
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
    if (key == NULL || cert_issue(&spec, key, NULL, key, &der, NULL) != 0)
        abort();
    struct cert *cert = cert_parse(buf_view(&der), NULL);
    buf_free(&der);
    if (cert == NULL)
        abort();
    return cert;
}

#endif
