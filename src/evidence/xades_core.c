/* Core validation of XML signatures (signature.md 6 step 6, 6.1). */
#include "base/err.h"
#include "evidence/xades.h"
#include "evidence/xades_doc.h"

#define CANONICAL_MAX (1u << 20)

/* Digest of an element's canonical octets. */
static int digest_element(const struct xml_node *e, const struct xades_c14n *how,
                          enum digest_alg alg, struct digest *out, struct diag *d)
{
    struct buf b;
    buf_init(&b, CANONICAL_MAX);
    int rc = xml_canonical(e, how->how, how->prefixes, &b);
    if (rc == 0)
        digest_of(alg, buf_view(&b), out);
    buf_free(&b);
    return rc == 0 ? 0 : diag_set(d, rc, "cannot canonicalise %.*s", SLICE_ARG(e->local));
}

static int check_reference(const struct xades *x, const struct xades_reference *r,
                           xades_resolve resolve, void *ctx, struct diag *d)
{
    struct digest got;
    int rc;
    if (x->own_form && slice_eq_str(r->uri, "#signed-properties")) {
        digest_of(r->digest.alg, x->own_properties, &got);
    } else if (r->uri.n > 0 && r->uri.p[0] == '#') {
        const struct xml_node *e = xades_doc_by_id(x, slice_from(r->uri, 1));
        if (e == NULL)
            return diag_set(d, ERR_INVALID_REFERENCE, "no element has the Id that %.*s names",
                            SLICE_ARG(r->uri));
        rc = digest_element(e, &r->c14n, r->digest.alg, &got, d);
        if (rc != 0)
            return rc;
    } else {
        if (r->transforms)
            return diag_set(d, ERR_INVALID_REFERENCE, "reference %.*s has Transforms",
                            SLICE_ARG(r->uri));
        rc = resolve(ctx, r->uri, r->digest.alg, &got);
        if (rc != 0)
            return diag_set(d, rc, "Cannot resolve URI %.*s", SLICE_ARG(r->uri));
    }
    if (!digest_eq(&got, &r->digest))
        return diag_set(d, ERR_INVALID_SIGNATURE_VALUE,
                        "Signature is not valid: %.*s does not have the digest that was signed",
                        SLICE_ARG(r->uri));
    return 0;
}

/* XML signatures hold ECDSA values as r and s side by side. */
static int check_value(EVP_PKEY *key, const struct sign_alg *alg, const struct digest *dg,
                       struct slice value)
{
    if (alg->key != SIGN_EC)
        return verify_digest(key, alg, dg, value);
    if (!EVP_PKEY_is_a(key, "EC"))
        return ERR_UNSUPPORTED_ALGORITHM;
    struct buf der;
    buf_init(&der, 512);
    int rc = sign_raw_to_der(key, value, &der);
    if (rc == 0)
        rc = verify_digest(key, alg, dg, buf_view(&der));
    buf_free(&der);
    return rc;
}

int xades_verify_core(struct xades *x, xades_resolve resolve, void *ctx, struct diag *d)
{
    struct cert *cert = xades_cert(x);
    if (cert == NULL)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "Signature has no readable certificate");
    for (size_t i = 0; i < x->n_refs; i++) {
        int rc = check_reference(x, &x->ref[i], resolve, ctx, d);
        if (rc != 0)
            return rc;
    }
    struct digest dg;
    int rc = 0;
    if (x->own_form)
        digest_of(x->alg->digest, x->own_info, &dg);
    else
        rc = digest_element(x->signed_info, &x->c14n, x->alg->digest, &dg, d);
    if (rc != 0)
        return rc;
    rc = check_value(cert->key, x->alg, &dg, x->value);
    if (rc != 0)
        return diag_set(d, ERR_INVALID_SIGNATURE_VALUE, "Signature is not valid: %s",
                        rc == ERR_UNSUPPORTED_ALGORITHM
                            ? "its algorithm does not fit the certificate's key"
                            : "its value does not fit the signed octets and the certificate");
    return 0;
}
