/* Time-stamps (RFC 3161) by X-Road's rules (signature.md section 8): SHA-512, no nonce, no policy.
 */
#ifndef SILD_CRYPTO_TSP_H
#define SILD_CRYPTO_TSP_H

#include "crypto/cert.h"

/* Client: a TimeStampReq for this imprint (certReq not set). */
int tsp_request_make(const struct digest *imprint, struct buf *out) MUST_USE;
/*
 * Client: takes the token (DER ContentInfo, borrowed from the response) out of a TimeStampResp and
 * checks status and imprint. ERR_MLOG_TS_NOT_GRANTED, ERR_MLOG_TS_INVALID.
 */
int tsp_response_token(struct slice resp, const struct digest *imprint, struct slice *token,
                       struct diag *d) MUST_USE;

struct tsp_info {
    int64_t time_ms;
    struct digest imprint;
};
/* Reads a token without verifying. ERR_MLOG_TS_INVALID. */
int tsp_token_parse(struct slice token, struct tsp_info *out, struct diag *d) MUST_USE;
/*
 * The signer must be one of `tsas` (by SignerIdentifier) and its CMS signature must verify.
 * ERR_MLOG_TSP_CERT, ERR_MLOG_TS_SIGNER. signer (may be NULL) gets the matching element.
 */
int tsp_token_verify(struct slice token, struct cert *const *tsas, size_t n, struct cert **signer,
                     struct diag *d) MUST_USE;
/* The token with this certificate put first into its certificate set (as X-Road stores it). */
int tsp_token_add_cert(struct slice token, const struct cert *signer, struct buf *out) MUST_USE;

/* Authority: answers a request. serial: 16 random bytes. Refuses in the protocol's own way. */
int tsp_respond(struct slice req, const struct cert *tsa, EVP_PKEY *key, const uint8_t serial[16],
                int64_t now_ms, struct buf *out, struct diag *d) MUST_USE;

#endif
