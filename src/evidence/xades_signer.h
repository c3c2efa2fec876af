/* Who signed, and could he: the part of verification that live messages and containers share. */
#ifndef SILD_EVIDENCE_XADES_SIGNER_H
#define SILD_EVIDENCE_XADES_SIGNER_H

#include "evidence/xades.h"

struct xades_signer {
    int64_t from_ms, until_ms; /* the verdict holds between them */
    struct cert *responder;    /* a reference; cert_free it. NULL when not wanted */
    int64_t ocsp_produced_ms;  /* 0: not wanted */
};
/*
 * signature.md 6 steps 4 to 6, 8, 9 in X-Road's order of errors: certificate and member, core,
 * path and OCSP. cache may be NULL. want_responder: fill responder and ocsp_produced_ms.
 */
int xades_signer_verify(const struct globalconf *g, struct xades_cache *cache, struct xades *x,
                        const struct id_client *sender, int64_t at_ms, xades_resolve resolve,
                        void *ctx, bool want_responder, struct xades_signer *out,
                        struct diag *d) MUST_USE;

#endif
