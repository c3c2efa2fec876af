/* Input: u16 length of the result document, the result, the chain. */
#include "base/err.h"
#include "evidence/hashchain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file(void *ctx, struct slice name, struct slice *bytes)
{
    if (slice_eq_str(name, "/hashchain2.xml")) {
        *bytes = *(const struct slice *)ctx;
        return 0;
    }
    return ERR_NOT_FOUND;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *a;
    if (a == NULL)
        a = arena_new(4u << 20);
    if (size < 2)
        return 0;
    size_t n = data[0] | (size_t)data[1] << 8;
    struct slice rest = slice_of(data + 2, size - 2);
    struct slice result = slice_sub(rest, 0, n), chain = slice_from(rest, result.n);
    struct hashchain_input in[2] = {
        {SLICE_LIT("/message.xml"), true, {DIGEST_SHA512, 64, {1}}, false},
        {SLICE_LIT("/attachment1"), true, {DIGEST_SHA512, 64, {2}}, false},
    };
    struct hashchain_outcome out;
    struct diag d;
    arena_reset(a);
    (void)!hashchain_verify(a, result, chain, SLICE_LIT("sig-hashchain.xml"), in, 2, NULL, NULL,
                            &out, &d);
    arena_reset(a);
    (void)!hashchain_verify(a, result, chain, SLICE_LIT("sig-hashchain.xml"), in, 0, file, &chain,
                            &out, &d);
    return 0;
}
