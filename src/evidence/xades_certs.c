/*
 * Certificates of a signature document: the signer's, and those between it and the authority's top
 * (CompleteCertificateRefs, each with its value and digest; signature.md 6 step 8).
 */
#include "base/err.h"
#include "evidence/xades.h"
#include "evidence/xades_doc.h"

struct cert *xades_cert(struct xades *x)
{
    if (x->cert == NULL && x->cert_der.n > 0)
        x->cert = cert_parse(x->cert_der, NULL);
    return x->cert;
}

void xades_use_cert(struct xades *x, struct cert *cert)
{
    cert_free(x->cert);
    x->cert = cert_ref(cert);
}

static int read_extra(struct xades *x, const struct xml_node *ref, struct diag *d)
{
    struct slice uri = xml_attr(ref, "", "URI");
    const struct xml_node *value =
        slice_starts(uri, "#") ? xades_doc_by_id(x, slice_from(uri, 1)) : NULL;
    if (value == NULL || !xml_is(value, XADES_NS, "EncapsulatedX509Certificate"))
        return diag_set(d, ERR_MALFORMED_SIGNATURE,
                        "an additional certificate is referenced but not there");
    struct slice der;
    int rc = xades_doc_bytes(x, value, &der, d);
    if (rc != 0)
        return rc;
    const struct xml_node *named = xades_doc_child(ref, "CertDigest");
    struct digest want, got;
    rc = xades_doc_digest(x, named == NULL ? NULL : xml_first_element(named), &want, d);
    if (rc != 0)
        return rc;
    digest_of(want.alg, der, &got);
    if (!digest_eq(&got, &want))
        return diag_set(d, ERR_MALFORMED_SIGNATURE,
                        "an additional certificate does not have the digest of its reference");
    x->extra[x->n_extra] = cert_parse(der, d);
    if (x->extra[x->n_extra] == NULL)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "an additional certificate is not readable");
    x->n_extra++;
    return 0;
}

int xades_extra(struct xades *x, struct cert *const **out, size_t *n, struct diag *d)
{
    *out = x->extra;
    *n = x->n_extra;
    if (x->n_extra > 0)
        return 0;
    const struct xml_node *refs = xades_doc_child(
        xades_doc_child(x->unsigned_properties, "CompleteCertificateRefs"), "CertRefs");
    if (refs == NULL)
        return 0;
    for (const struct xml_node *e = xades_doc_child(refs, "Cert"); e != NULL;
         e = xml_next(e, XADES_NS, "Cert")) {
        if (x->n_extra == XADES_EXTRA_MAX)
            return diag_set(d, ERR_MALFORMED_SIGNATURE, "more than %d additional certificates",
                            XADES_EXTRA_MAX);
        int rc = read_extra(x, e, d);
        if (rc != 0)
            return rc;
    }
    *n = x->n_extra;
    return 0;
}
