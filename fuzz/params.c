/*
 * The first byte is the version, as a digit; the rest is XML. What is read as shared parameters and
 * can be printed must be read again.
 */
#include "xroad/params.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void shared(struct arena *a, struct slice xml, int version)
{
    struct params_shared p;
    struct buf out;
    if (params_shared_parse(a, xml, version, &p, NULL) != 0)
        return;
    buf_init(&out, 1u << 20);
    if (params_shared_print(&p, version, &out, NULL) == 0 &&
        params_shared_parse(a, buf_view(&out), version, &p, NULL) != 0)
        abort();
    buf_free(&out);
}

static void rest(struct arena *a, struct slice xml, int version)
{
    struct params_private p;
    struct params_anchor anchor;
    struct buf out;
    buf_init(&out, 1u << 20);
    if (params_private_parse(a, xml, version, &p, NULL) == 0) {
        params_private_print(&p, version, &out);
        if (!out.failed && params_private_parse(a, buf_view(&out), version, &p, NULL) != 0)
            abort();
    }
    buf_reset(&out);
    if (params_anchor_parse(a, xml, &anchor, NULL) == 0) {
        params_anchor_print(&anchor, &out);
        if (!out.failed && params_anchor_parse(a, buf_view(&out), &anchor, NULL) != 0)
            abort();
    }
    buf_free(&out);
    params_next_update(a, xml);
    params_fetch_interval(a, xml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena *a = arena_new(64u << 20);
    struct slice xml = slice_of(data + 1, size - 1);
    shared(a, xml, data[0] - '0');
    rest(a, xml, data[0] - '0');
    arena_free(a);
    return 0;
}
