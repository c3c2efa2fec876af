/*
 * The first line is the boundary, the second the places where the rest is cut. The events and the
 * data must be the same however the body is cut.
 */
#include "base/err.h"
#include "wire/mime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the body in pieces of the sizes that the bytes of `cuts` give, and tells what happened. */
static int told(struct mime_reader *r, struct slice body, struct slice cuts, struct buf *out)
{
    bool in_data = false;
    int err = 0;
    for (size_t at = 0, k = 0; at < body.n && err == 0; k++) {
        size_t step = cuts.n == 0 ? body.n : (size_t)cuts.p[k % cuts.n] + 1;
        struct slice in = slice_sub(body, at, step), piece;
        at += in.n;
        enum mime_event event = MIME_PART;
        while (err == 0 && (event != MIME_MORE || in.n > 0)) {
            err = mime_read(r, &in, &event, &piece, NULL);
            if (err != 0 || event == MIME_MORE)
                continue;
            if (event != MIME_DATA || !in_data)
                buf_byte(out, (uint8_t)event);
            in_data = event == MIME_DATA;
            buf_slice(out, event == MIME_PART ? mime_header(r, "content-type") : piece);
        }
    }
    buf_byte(out, mime_finished(r));
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), boundary, cuts;
    if (!slice_next(&rest, '\n', &boundary) || !slice_next(&rest, '\n', &cuts))
        return 0;
    struct mime_type type;
    struct slice value;
    if (mime_type_parse(rest, &type) == 0)
        mime_param(rest, "boundary", &value);
    struct mime_reader *r = mime_reader_new(boundary);
    if (r == NULL)
        return 0;
    struct buf whole, cut;
    buf_init(&whole, 8 * size + 100);
    buf_init(&cut, 8 * size + 100);
    int err = told(r, rest, SLICE_NONE, &whole);
    mime_reader_reset(r, boundary);
    int err_cut = told(r, rest, cuts, &cut);
    if (whole.failed || err != err_cut)
        abort();
    if (err == 0 && !slice_eq(buf_view(&whole), buf_view(&cut)))
        abort();
    mime_reader_free(r);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
