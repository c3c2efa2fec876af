/*
 * Signature documents (signature.md 1, 2, 6): made from templates that are canonical already, read
 * and verified with exact octets.
 */
#ifndef SILD_EVIDENCE_XADES_H
#define SILD_EVIDENCE_XADES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/cert.h"
#include "crypto/sign.h"
#include "evidence/hashchain.h"
#include "xroad/trust.h"

/* Everything of a document but the value. */
struct xades_spec {
    bool batch;         /* signs /sig-hashchainresult.xml, else /message.xml */
    struct digest data; /* SHA-512 of the signed data; ERR_USAGE for another algorithm */
    int64_t signing_time_ms;
    const struct cert *cert; /* signing certificate */
    const struct sign_alg *alg;
};
/* The octets that the key signs: canonical SignedInfo. Deterministic. */
int xades_signed_info(const struct xades_spec *s, struct buf *out) MUST_USE;
/* The canonical SignedProperties, digested for reference 1. */
int xades_signed_properties(const struct xades_spec *s, struct buf *out) MUST_USE;
/* The whole document around the raw value. extra: intermediates; ocsp: 1 to 8 responses, the
 * signing certificate's first. */
int xades_print(const struct xades_spec *s, struct slice raw_value, struct cert *const *extra,
                size_t n_extra, const struct slice *ocsp, size_t n_ocsp, struct buf *out) MUST_USE;

/* A document taken apart; memory in the arena, certificates freed by xades_free. */
struct xades;
/* ERR_MALFORMED_SIGNATURE, ERR_INVALID_XML with a sentence: literal prefixes, structure of
 * signature.md 6.4. strict: XAdES structure checked (live), else as containers want it. */
int xades_parse(struct arena *a, struct slice text, bool strict, struct xades **out,
                struct diag *d) MUST_USE;
void xades_free(struct xades *x);
struct cert *xades_cert(struct xades *x); /* the signer's; NULL: absent or unreadable */
/* For whoever has the certificate of just these bytes parsed already; takes a reference. */
void xades_use_cert(struct xades *x, struct cert *cert);
/* Additional certificates, checked against their references. ERR_MALFORMED_SIGNATURE. */
int xades_extra(struct xades *x, struct cert *const **out, size_t *n, struct diag *d) MUST_USE;
struct slice xades_value(const struct xades *x); /* decoded SignatureValue */
struct slice
xades_timestamp(const struct xades *x); /* decoded EncapsulatedTimeStamp; empty: none */
size_t xades_ocsp(const struct xades *x, const struct slice **out);
bool xades_references(const struct xades *x, const char *uri);
int64_t xades_signing_time(const struct xades *x); /* 0: absent or unreadable */

/* How references other than "#…" are resolved: digest of the named data under alg.
 * ERR_INVALID_REFERENCE. */
typedef int (*xades_resolve)(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out);
/* Core validation: all references and the value. ERR_INVALID_SIGNATURE_VALUE,
 * ERR_INVALID_REFERENCE. */
int xades_verify_core(struct xades *x, xades_resolve resolve, void *ctx, struct diag *d) MUST_USE;

/* A live message's signature, whole (signature.md 6). */
struct xades_live {
    struct slice signature, result, chain; /* result and chain empty: single */
    size_t parts;
    struct digest part[HASHCHAIN_PARTS_MAX]; /* SHA-512 of message, attachment1, … */
    const struct id_client *sender;
};
/* What may be remembered between messages: see xades_cache_new. */
struct xades_cache;
struct xades_cache *xades_cache_new(size_t entries);
void xades_cache_free(struct xades_cache *c);
void xades_cache_clear(struct xades_cache *c); /* a new configuration came */
/*
 * Every part must be covered (6.2). cache: verdicts keyed by the digest of document, sender and
 * generation, until the earliest of their times; a batch's value is checked once. Errors as in
 * signature.md 6, without the prefix signature_verification; malformed_signature prefixes of chain
 * errors go to d->rule.
 */
int xades_verify_live(const struct globalconf *g, struct xades_cache *cache, struct arena *a,
                      const struct xades_live *m, int64_t now_ms, struct diag *d) MUST_USE;

#endif
