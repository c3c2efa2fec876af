/* The signature of a message that has just arrived (signature.md 6). */
#include "base/err.h"
#include "evidence/xades.h"
#include "evidence/xades_cache.h"
#include "evidence/xades_signer.h"

#define RESULT_URI "/sig-hashchainresult.xml"

static int resolve(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out)
{
    const struct xades_live *m = ctx;
    if (slice_eq_str(uri, RESULT_URI)) {
        if (m->result.n == 0)
            return ERR_INVALID_REFERENCE;
        digest_of(alg, m->result, out);
        return 0;
    }
    for (size_t i = 0; i < m->parts; i++) {
        if (!slice_eq_str(uri, hashchain_part_name(i)))
            continue;
        if (m->part[i].alg != alg)
            return ERR_INVALID_REFERENCE;
        *out = m->part[i];
        return 0;
    }
    return ERR_INVALID_REFERENCE;
}

static int verify_chain(struct arena *a, const struct xades_live *m, struct diag *d)
{
    struct hashchain_input in[HASHCHAIN_PARTS_MAX];
    for (size_t i = 0; i < m->parts; i++)
        in[i] =
            (struct hashchain_input){slice_str(hashchain_part_name(i)), true, m->part[i], false};
    struct hashchain_outcome out;
    int rc = hashchain_verify(a, m->result, m->chain, SLICE_LIT("sig-hashchain.xml"), in, m->parts,
                              NULL, NULL, &out, d);
    if (rc != 0) {
        diag_where(d, "hash chain");
        diag_rule(d, "malformed_signature");
    }
    return rc;
}

/* Without chain each part needs a reference of its own (6.2). */
static int check_covered(const struct xades *x, const struct xades_live *m, struct diag *d)
{
    for (size_t i = 0; i < m->parts; i++) {
        const char *uri = hashchain_part_name(i);
        if (!xades_references(x, uri))
            return diag_set(d, ERR_MALFORMED_SIGNATURE, "the signature does not cover %s", uri);
    }
    return 0;
}

/* `batch`: the signature signs the result, which is here; the chain covers the parts. */
static int verify_document(const struct globalconf *g, struct xades_cache *cache, struct arena *a,
                           const struct xades_live *m, int64_t now_ms, bool *batch,
                           struct xades_signer *signer, struct diag *d)
{
    struct xades *x = NULL;
    int rc = xades_parse(a, m->signature, true, &x, d);
    if (rc != 0)
        return rc;
    *batch = m->result.n > 0 && xades_references(x, RESULT_URI);
    rc = *batch ? verify_chain(a, m, d) : check_covered(x, m, d);
    if (rc == 0)
        rc = xades_signer_verify(g, cache, x, m->sender, now_ms, resolve, (void *)(uintptr_t)m,
                                 false, signer, d);
    xades_free(x);
    return rc;
}

int xades_verify_live(const struct globalconf *g, struct xades_cache *cache, struct arena *a,
                      const struct xades_live *m, int64_t now_ms, struct diag *d)
{
    if (m->parts == 0 || m->parts > HASHCHAIN_PARTS_MAX)
        return diag_set(d, ERR_USAGE, "a message has 1 to %d parts", HASHCHAIN_PARTS_MAX);
    if ((m->result.n == 0) != (m->chain.n == 0))
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "hash chain and its result must come together");

    /* The messages of a batch share document and result: who has seen one needs the chain only. */
    struct xades_verdict v = {.key = {0}};
    bool shared = cache != NULL && m->result.n > 0;
    if (shared) {
        struct slice part[] = {m->signature, m->result, m->sender->instance,
                               m->sender->member_class, m->sender->member_code};
        xades_cache_key(cache, XADES_VERDICT_DOCUMENT, part, ARRAY_LEN(part), v.key);
        if (xades_cache_get(cache, g, v.key, now_ms) != NULL)
            return verify_chain(a, m, d);
    }
    bool batch = false;
    struct xades_signer signer;
    int rc = verify_document(g, cache, a, m, now_ms, &batch, &signer, d);
    if (rc == 0 && shared && batch) {
        v.from_ms = signer.from_ms;
        v.until_ms = signer.until_ms;
        xades_cache_put(cache, g, &v);
    }
    return rc;
}
