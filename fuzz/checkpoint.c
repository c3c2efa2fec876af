/* Checkpoint texts: what parses prints as the same bytes. */
#include "tlog/checkpoint.h"
#include "tlog/cosignature.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct checkpoint c;
    struct diag d = {0};
    struct buf b;
    if (checkpoint_parse(text, &c, &d) != 0) {
        if (d.code == 0 || d.text[0] == 0)
            abort();
        return 0;
    }
    buf_init(&b, size + 64);
    checkpoint_print(&c, &b);
    if (!slice_eq(buf_view(&b), text) || c.size > INT64_MAX || c.origin.n == 0)
        abort();
    if (checkpoint_is_origin(c.origin) && (!note_is_name(c.origin) || c.origin.n > 255))
        abort();
    if (checkpoint_is_sound(&c) && c.size == 0) {
        struct merkle_hash empty;
        merkle_empty(&empty);
        if (memcmp(&empty, &c.root, sizeof empty) != 0)
            abort();
    }
    buf_free(&b);
    return 0;
}
