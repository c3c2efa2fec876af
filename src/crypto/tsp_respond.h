/* Time-stamps (RFC 3161), the authority's side. */
#ifndef SILD_CRYPTO_TSP_RESPOND_H
#define SILD_CRYPTO_TSP_RESPOND_H

#include "crypto/cert.h"

/*
 * The one policy that tokens are made under: an identifier from the arc for examples (2.999), since
 * no published policy is claimed. A request for another policy is refused.
 */
#define TSP_POLICY "2.999.3161.1"

/*
 * Answers a request: a token when it asks for SHA-256, SHA-384 or SHA-512 under our policy and
 * without extensions, with the certificate in it when asked; otherwise a TimeStampResp that says
 * why not, and the reason in d. Both are 0. serial: 16 random bytes. Times are whole seconds, with
 * an accuracy of one second. RSA and EC keys; anything OpenSSL can sign with. Appends DER.
 */
int tsp_respond(struct slice req, const struct cert *tsa, EVP_PKEY *key, const uint8_t serial[16],
                int64_t now_ms, struct buf *out, struct diag *d) MUST_USE;

/* The same in two steps, for a key that lives in another process. */
struct tsp_draft {
    const struct sign_alg *alg; /* to sign with */
    struct buf attributes;      /* what is to be signed, DER */
    struct buf info;            /* TSTInfo in DER */
    bool with_cert;
};
/*
 * 0: *draft is filled (free it), or the request is refused: then *refused is true, the response is
 * appended to out and there is nothing to free. ERR_UNSUPPORTED_ALGORITHM, ERR_TOO_LARGE.
 */
int tsp_draft_make(struct slice req, const struct cert *tsa, const uint8_t serial[16],
                   int64_t now_ms, struct tsp_draft *draft, bool *refused, struct buf *out,
                   struct diag *d) MUST_USE;
int tsp_draft_finish(const struct tsp_draft *draft, const struct cert *tsa, struct slice value,
                     struct buf *out) MUST_USE;
void tsp_draft_free(struct tsp_draft *draft);

#endif
