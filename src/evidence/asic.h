/*
 * ASiC-E containers of logged messages (asic.md): written as X-Road's message log does, verified
 * offline against a global configuration.
 */
#ifndef SILD_EVIDENCE_ASIC_H
#define SILD_EVIDENCE_ASIC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "evidence/xades.h"

struct asic_content {
    struct slice message, signature;
    struct slice result, chain;       /* batch signature, else empty */
    struct slice ts_result, ts_chain; /* batch time-stamp, else empty */
    struct slice
        timestamp; /* DER token of a batch time-stamp; empty when it is inside the signature */
    struct slice attachment; /* REST body; used when has_attachment */
    bool has_attachment;
    int64_t time_ms;
};
int asic_print(const struct asic_content *c, struct buf *out, struct diag *d) MUST_USE;
/* "<queryId>-request-<seq base 32>.asice" */
void asic_file_name(struct slice query_id, bool response, uint64_t seq, struct buf *out);

#define ASIC_ATTACHMENTS_MAX 64
struct asic_attachment {
    struct slice name;    /* "/attachment1" */
    struct digest digest; /* as it was signed; DIGEST_NONE: in the container, but not signed */
    bool verified;        /* the container holds the bytes that were signed */
};
struct asic_report {
    bool response;
    struct id_client signer;           /* who signed */
    struct id_client client;           /* who asked */
    struct id_service service;         /* whom */
    struct slice message_id;           /* x-road-id; empty when SOAP has none readable */
    struct cert *cert;                 /* signing certificate; freed by asic_report_free */
    struct cert *ocsp_responder, *tsa; /* likewise */
    int64_t ocsp_produced_ms, timestamp_ms;
    struct asic_attachment att[ASIC_ATTACHMENTS_MAX];
    size_t n_att;
};
/*
 * asic.md section 2, all steps. The arena holds what the report points to. d->where names the part
 * at fault: "container", "message", "time-stamp", "hash chain", "signature".
 */
int asic_verify(const struct globalconf *g, struct arena *a, struct slice file,
                struct asic_report *out, struct diag *d) MUST_USE;
/* The same for many containers: verdicts on certificates and time-stamps are remembered in cache
 * (may be NULL). */
int asic_verify_cached(const struct globalconf *g, struct xades_cache *cache, struct arena *a,
                       struct slice file, struct asic_report *out, struct diag *d) MUST_USE;
void asic_report_free(struct asic_report *r);
/* Text as a person reads it (valid, who to whom, when, attachments), or JSON. */
void asic_report_print(const struct asic_report *r, bool json, struct buf *out);

/*
 * A batch time-stamp over signature documents: the result document (what is stamped) and the chain
 * of document `which`; either may be NULL. The same digests always give the same octets.
 */
int asic_timestamp_tree(const struct digest *signature_hashes, size_t n, size_t which,
                        struct buf *result, struct buf *chain) MUST_USE;

#endif
