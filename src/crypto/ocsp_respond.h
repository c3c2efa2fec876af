/*
 * OCSP (RFC 6960), the responder's side: takes requests apart, builds and signs responses.
 */
#ifndef SILD_CRYPTO_OCSP_RESPOND_H
#define SILD_CRYPTO_OCSP_RESPOND_H

#include "crypto/ocsp.h"

#define OCSP_QUERY_MAX 16

struct ocsp_query {
    uint8_t issuer_name_hash[DIGEST_MAX], issuer_key_hash[DIGEST_MAX];
    size_t hash_len;
    enum digest_alg hash_alg; /* DIGEST_NONE: one that we do not know */
    uint8_t serial[OCSP_SERIAL_MAX];
    size_t serial_len;
    struct slice cert_id; /* the CertID in DER as it was asked; borrowed from the request */
};

struct ocsp_request {
    struct ocsp_query q[OCSP_QUERY_MAX];
    size_t n;
    struct slice nonce; /* the extension's value; borrowed from the request; empty when absent */
    void *handle;       /* the request's own copy of the bytes, freed by ocsp_request_free */
};

/*
 * Copies der, which need not outlive the call. ERR_BAD_REQUEST, with nothing to free: not a
 * request, more than OCSP_QUERY_MAX queries, a nonce that is empty or longer than 128 octets (RFC
 * 9654), an unknown critical extension. A signature of the request is not looked at.
 */
int ocsp_request_parse(struct slice der, struct ocsp_request *out, struct diag *d) MUST_USE;
void ocsp_request_free(struct ocsp_request *r);
/* Does a query ask for a certificate of this CA? (any of the digests) */
bool ocsp_query_is_of(const struct ocsp_query *q, const struct cert *ca);

struct ocsp_answer {
    enum ocsp_status status;
    int64_t revoked_ms;
    int revocation_reason; /* CRLReason, -1: none */
};

/*
 * Builds and signs the response: answers[i] belongs to q[i]. The CertIDs are echoed as asked, and
 * the nonce. next_update_ms 0: none. The key is anything OpenSSL can sign with. The responder names
 * itself by key hash; its certificate is embedded. Appends DER.
 */
int ocsp_response_make(const struct ocsp_request *req, const struct ocsp_answer *answers,
                       const struct cert *responder, EVP_PKEY *key, int64_t now_ms,
                       int64_t next_update_ms, struct buf *out, struct diag *d) MUST_USE;
/*
 * The same in two steps, for a key that lives in another process: the octets to be signed (with
 * sign_alg_for_asn1 of the responder's key), then the response around them and the value.
 */
int ocsp_response_tbs(const struct ocsp_request *req, const struct ocsp_answer *answers,
                      const struct cert *responder, int64_t now_ms, int64_t next_update_ms,
                      struct buf *tbs) MUST_USE;
int ocsp_response_finish(struct slice tbs, const struct cert *responder, const struct sign_alg *alg,
                         struct slice value, struct buf *out) MUST_USE;
/* An unsigned refusal: status 1 malformedRequest, 2 internalError, 3 tryLater, 6 unauthorized. */
int ocsp_response_error(int status, struct buf *out) MUST_USE;

#endif
