/*
 * Verdicts that hold for other messages too, by the digest of all that they rest on. Only good
 * verdicts are kept, each with the times between which it holds. What a verdict rests on besides
 * its key is the global configuration: another one empties the cache.
 */
#ifndef SILD_EVIDENCE_XADES_CACHE_H
#define SILD_EVIDENCE_XADES_CACHE_H

#include "evidence/xades.h"

enum xades_verdict_kind {
    XADES_VERDICT_SIGNER,   /* certificate, its OCSP responses and member */
    XADES_VERDICT_DOCUMENT, /* a batch's signature document, result and sender */
    XADES_VERDICT_TOKEN,    /* a time-stamp token; a: its signer; time_ms, imprint: its content */
};

struct xades_verdict {
    uint8_t key[32];
    int64_t from_ms, until_ms; /* holds at from_ms and later, before until_ms */
    struct cert *a, *b;        /* signer: certificate and responder */
    int64_t time_ms;           /* signer: when the responder produced the response */
    struct digest imprint;
};

/* The key over these slices, each with its length. */
void xades_cache_key(struct xades_cache *c, enum xades_verdict_kind kind, const struct slice *parts,
                     size_t n, uint8_t key[32]);
/* A verdict that holds at this time; NULL when there is none. Valid until the next put. */
const struct xades_verdict *xades_cache_get(struct xades_cache *c, const struct globalconf *g,
                                            const uint8_t key[32], int64_t at_ms);
/* Copies the verdict and takes references to its certificates. */
void xades_cache_put(struct xades_cache *c, const struct globalconf *g,
                     const struct xades_verdict *v);

#endif
