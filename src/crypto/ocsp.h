/*
 * OCSP (RFC 6960) by X-Road's rules (signature.md section 7): SHA-1 CertIDs with NULL parameters,
 * only the first SingleResponse, explicit rules for who may sign.
 */
#ifndef SILD_CRYPTO_OCSP_H
#define SILD_CRYPTO_OCSP_H

#include "crypto/cert.h"

#define OCSP_SERIAL_MAX 21 /* octets */

enum ocsp_status {
    OCSP_GOOD,
    OCSP_REVOKED,
    OCSP_UNKNOWN,
};

/* DER request for one certificate, no nonce, unsigned. */
int ocsp_request_make(const struct cert *c, const struct cert *issuer, struct buf *out) MUST_USE;

/* What a response says, read without verifying anything. Slices are borrowed from the input. */
struct ocsp_info {
    int response_status; /* 0 successful */
    enum ocsp_status status;
    int64_t produced_ms, this_update_ms, next_update_ms /* 0: none */, revoked_ms;
    uint8_t serial[OCSP_SERIAL_MAX];
    size_t serial_len;
};
/* ERR_OCSP_PARSE. When response_status is not 0 there is nothing else. */
int ocsp_parse(struct slice der, struct ocsp_info *out, struct diag *d) MUST_USE;
/* Is the response's first CertID that of this certificate? */
bool ocsp_is_for(struct slice der, const struct cert *c, const struct cert *issuer);

/*
 * What the verifier knows of the world. The certificates must stay valid during the call.
 *   issuer_ocsp   responders that the configuration lists for the issuer
 *   all_ocsp      all responders of the configuration; all_ca: all CA certificates
 */
struct ocsp_trust {
    struct cert *const *issuer_ocsp;
    size_t n_issuer_ocsp;
    struct cert *const *all_ocsp;
    size_t n_all_ocsp;
    struct cert *const *all_ca;
    size_t n_all_ca;
    int64_t freshness_ms;
    bool verify_next_update;
};

/*
 * Rules 1 to 7. 0 only when the status is good. Errors: ERR_CERT_VALIDATION (not for this
 * certificate, or not good), ERR_INCORRECT_VALIDATION_INFO (everything else).
 * valid_until_ms (may be NULL): until when the same verdict holds (freshness, nextUpdate).
 * responder (may be NULL) gets a reference to the responder's certificate (cert_free it).
 */
int ocsp_verify(struct slice der, const struct cert *c, const struct cert *issuer, int64_t at_ms,
                const struct ocsp_trust *trust, int64_t *valid_until_ms, struct cert **responder,
                struct diag *d) MUST_USE;

/* The responder's side. */
#include "crypto/ocsp_respond.h"

#endif
