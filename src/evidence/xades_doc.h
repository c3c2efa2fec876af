/*
 * A signature document taken apart: what xades.c finds and xades_core.c, xades_certs.c and
 * xades_schema.c use. Not for other folders.
 */
#ifndef SILD_EVIDENCE_XADES_DOC_H
#define SILD_EVIDENCE_XADES_DOC_H

#include "evidence/xades.h"
#include "wire/xml.h"

#define XADES_DS "http://www.w3.org/2000/09/xmldsig#"
#define XADES_NS "http://uri.etsi.org/01903/v1.3.2#"

#define XADES_REFERENCES_MAX 30
#define XADES_IDS_MAX 256
#define XADES_OCSP_MAX 8
#define XADES_EXTRA_MAX 8

struct xades_c14n {
    enum xml_c14n how;
    struct slice prefixes; /* of InclusiveNamespaces */
};

struct xades_reference {
    struct slice uri;
    struct xades_c14n c14n;
    bool transforms; /* has Transforms */
    struct digest digest;
};

struct xades_id {
    struct slice id;
    const struct xml_node *node;
};

struct xades {
    struct arena *arena;
    /* A document of our own form has no tree, but its canonical parts; their digest's reference is
     * the second. */
    bool own_form;
    struct slice own_info, own_properties;
    const struct xml_node *signature, *signed_info;
    const struct xml_node *unsigned_properties; /* UnsignedSignatureProperties or NULL */
    struct xades_id id[XADES_IDS_MAX];
    size_t n_ids;
    struct xades_c14n c14n; /* of SignedInfo */
    const struct sign_alg *alg;
    struct xades_reference ref[XADES_REFERENCES_MAX];
    size_t n_refs;
    struct slice value, cert_der, timestamp;
    struct slice ocsp[XADES_OCSP_MAX];
    size_t n_ocsp;
    int64_t signing_time_ms;
    struct cert *cert; /* parsed when first asked for */
    struct cert *extra[XADES_EXTRA_MAX];
    size_t n_extra;
};

/* The element with this Id; NULL when there is none. */
const struct xml_node *xades_doc_by_id(const struct xades *x, struct slice id);
/* Child of the xades namespace under the literal prefix "xades"; NULL when there is none. */
const struct xml_node *xades_doc_child(const struct xml_node *e, const char *local);
/* An element's text as bytes out of base64, into the arena. ERR_MALFORMED_SIGNATURE. */
int xades_doc_bytes(struct xades *x, const struct xml_node *e, struct slice *out,
                    struct diag *d) MUST_USE;
/* DigestMethod and DigestValue: `method` is the element, the value its next. */
int xades_doc_digest(struct xades *x, const struct xml_node *method, struct digest *out,
                     struct diag *d) MUST_USE;

/* The content models of XAdES 1.3.2 and XML signatures for e and all below it.
 * ERR_MALFORMED_SIGNATURE. */
int xades_schema_check(const struct xml_node *e, struct diag *d) MUST_USE;

#endif
