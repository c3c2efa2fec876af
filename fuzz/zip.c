/* Containers: what is accepted lies within the file, without overlap, and unpacks or is refused. */
#include "base/err.h"
#include "wire/zip.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zip_file zip;
    struct diag d;
    if (zip_parse(slice_of(data, size), &zip, &d) != 0)
        return 0;
    const uint8_t *at = data;
    for (size_t i = 0; i < zip.n; i++) {
        const struct zip_entry *e = &zip.e[i];
        if (e->packed.p < at || e->packed.n > size || e->packed.p + e->packed.n > data + size)
            abort();
        if (!zip_is_name(e->name))
            abort();
        at = e->packed.p + e->packed.n;
        struct arena *a = arena_new(1 << 20);
        struct slice out;
        if (zip_read(a, e, &out, &d) == 0 && out.n != e->size)
            abort();
        arena_free(a);
    }
    return 0;
}
