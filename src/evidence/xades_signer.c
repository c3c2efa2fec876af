#include "evidence/xades_signer.h"

#include "base/err.h"
#include "evidence/xades_cache.h"
#include "evidence/xades_doc.h"

#include <string.h>

/* When the response for the signer's own certificate was produced. */
static int64_t produced_ms(const struct globalconf *g, struct xades *x,
                           const struct id_client *sender)
{
    const struct cert *cert = xades_cert(x);
    const struct globalconf_ca *ca = globalconf_ca(g, sender->instance, cert->issuer);
    for (size_t i = 0; ca != NULL && i < x->n_ocsp; i++) {
        struct ocsp_info info;
        if (ocsp_is_for(x->ocsp[i], cert, ca->cert) && ocsp_parse(x->ocsp[i], &info, NULL) == 0)
            return info.produced_ms;
    }
    return 0;
}

static int verify_cert(const struct globalconf *g, struct xades *x, const struct id_client *sender,
                       int64_t at_ms, bool want_responder, struct xades_signer *out, struct diag *d)
{
    if (xades_cert(x) == NULL)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "Signature has no readable certificate");
    struct cert *const *extra;
    size_t n_extra;
    int rc = xades_extra(x, &extra, &n_extra, d);
    if (rc != 0)
        return rc;
    rc = trust_sign_cert(g, sender, xades_cert(x), extra, n_extra, x->ocsp, x->n_ocsp, at_ms,
                         &out->until_ms, want_responder ? &out->responder : NULL, d);
    if (rc != 0)
        return rc;
    out->from_ms = at_ms;
    if (want_responder)
        out->ocsp_produced_ms = produced_ms(g, x, sender);
    return 0;
}

/* The verdict on the certificate rests on it, on the OCSP responses and on the member; a signature
 * with additional certificates is judged anew each time. */
static bool verdict_key(struct xades_cache *cache, const struct xades *x,
                        const struct id_client *sender, uint8_t key[32])
{
    if (cache == NULL || x->cert_der.n == 0 ||
        xades_doc_child(x->unsigned_properties, "CompleteCertificateRefs") != NULL)
        return false;
    struct slice part[4 + XADES_OCSP_MAX] = {x->cert_der, sender->instance, sender->member_class,
                                             sender->member_code};
    memcpy(part + 4, x->ocsp, x->n_ocsp * sizeof x->ocsp[0]);
    xades_cache_key(cache, XADES_VERDICT_SIGNER, part, 4 + x->n_ocsp, key);
    return true;
}

static int verify_cert_cached(const struct globalconf *g, struct xades_cache *cache,
                              struct xades *x, const struct id_client *sender, int64_t at_ms,
                              bool want_responder, struct xades_signer *out, struct diag *d)
{
    struct xades_verdict v = {.key = {0}};
    if (!verdict_key(cache, x, sender, v.key))
        return verify_cert(g, x, sender, at_ms, want_responder, out, d);
    const struct xades_verdict *known = xades_cache_get(cache, g, v.key, at_ms);
    if (known != NULL) {
        xades_use_cert(x, known->a);
        out->from_ms = known->from_ms;
        out->until_ms = known->until_ms;
        if (want_responder && known->b != NULL)
            out->responder = cert_ref(known->b);
        out->ocsp_produced_ms = known->time_ms;
        return 0;
    }
    int rc = verify_cert(g, x, sender, at_ms, true, out, d);
    if (rc != 0)
        return rc;
    v.from_ms = out->from_ms;
    v.until_ms = out->until_ms;
    v.a = xades_cert(x);
    v.b = out->responder;
    v.time_ms = out->ocsp_produced_ms;
    xades_cache_put(cache, g, &v);
    if (!want_responder) {
        cert_free(out->responder);
        out->responder = NULL;
    }
    return 0;
}

/* Errors of the certificate that X-Road finds before it looks at the signature's value. */
static bool comes_first(int rc)
{
    switch (rc) {
    case ERR_MALFORMED_SIGNATURE:
    case ERR_INCORRECT_CERTIFICATE:
    case ERR_INVALID_CERTIFICATE:
    case ERR_INTERNAL:
        return true;
    default:
        return false;
    }
}

int xades_signer_verify(const struct globalconf *g, struct xades_cache *cache, struct xades *x,
                        const struct id_client *sender, int64_t at_ms, xades_resolve resolve,
                        void *ctx, bool want_responder, struct xades_signer *out, struct diag *d)
{
    *out = (struct xades_signer){0};
    struct diag why = {0};
    int cert_rc = verify_cert_cached(g, cache, x, sender, at_ms, want_responder, out, &why);
    if (!comes_first(cert_rc)) {
        int rc = xades_verify_core(x, resolve, ctx, d);
        if (rc != 0) {
            cert_free(out->responder);
            out->responder = NULL;
            return rc;
        }
    }
    if (cert_rc != 0 && d != NULL)
        *d = why;
    return cert_rc;
}
