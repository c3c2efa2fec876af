/* Input: a signature document; read strictly and not, its references and value checked. */
#include "base/err.h"
#include "evidence/xades.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int resolve(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out)
{
    (void)ctx;
    digest_of(alg, uri, out);
    return 0;
}

static void run(struct arena *a, struct slice text, bool strict)
{
    struct diag d;
    struct xades *x = NULL;
    arena_reset(a);
    if (xades_parse(a, text, strict, &x, &d) != 0)
        return;
    struct cert *const *extra;
    size_t n;
    (void)!xades_extra(x, &extra, &n, &d);
    (void)!xades_verify_core(x, resolve, NULL, &d);
    xades_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    if (a == NULL)
        a = arena_new(16u << 20);
    run(a, slice_of(data, size), true);
    run(a, slice_of(data, size), false);
    return 0;
}
