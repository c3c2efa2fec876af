/* Time-stamps (RFC 3161) by X-Road's rules (signature.md section 8): SHA-512, no nonce, no policy.
 */
#ifndef SILD_CRYPTO_TSP_H
#define SILD_CRYPTO_TSP_H

#include "crypto/cert.h"

/* Client: a TimeStampReq for this imprint (certReq not set). */
int tsp_request_make(const struct digest *imprint, struct buf *out) MUST_USE;
/*
 * Client: takes the token (ContentInfo as it stands, borrowed from the response) out of a
 * TimeStampResp and checks status and imprint. ERR_MLOG_TS_NOT_GRANTED, ERR_MLOG_TS_INVALID.
 */
int tsp_response_token(struct slice resp, const struct digest *imprint, struct slice *token,
                       struct diag *d) MUST_USE;

struct tsp_info {
    int64_t time_ms;
    struct digest imprint;
};
/* Reads a token without verifying; tokens in BER are taken too. ERR_MLOG_TS_INVALID, also when it
 * has not exactly one signer (RFC 3161 2.4.2). */
int tsp_token_parse(struct slice token, struct tsp_info *out, struct diag *d) MUST_USE;
/*
 * The signer must be one of `tsas` (by SignerIdentifier) and its CMS signature must verify.
 * ERR_MLOG_TSP_CERT, ERR_MLOG_TS_SIGNER. signer (may be NULL) gets the matching element.
 */
int tsp_token_verify(struct slice token, struct cert *const *tsas, size_t n, struct cert **signer,
                     struct diag *d) MUST_USE;
/* The token with this certificate put first into its certificate set (as X-Road stores it). Appends
 * DER. ERR_MLOG_TS_INVALID when it is no token. */
int tsp_token_add_cert(struct slice token, const struct cert *signer, struct buf *out) MUST_USE;

/* The authority's side. */
#include "crypto/tsp_respond.h"

#endif
