/*
 * First byte: a response when odd; second: the size of the pieces. The rest is a multipart body
 * with boundary "B". The events must be the same however it is cut.
 */
#include "xroad/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int told(struct slice body, bool response, size_t step, struct buf *out)
{
    struct message_reader *r;
    bool in_body = false;
    int err = message_reader_new(SLICE_LIT("multipart/mixed; boundary=B"), response, &r, NULL);
    for (size_t at = 0; at < body.n && err == 0; at += step) {
        struct slice in = slice_sub(body, at, step), piece;
        enum message_event event = MESSAGE_END;
        while (err == 0 && event != MESSAGE_MORE) {
            err = message_read(r, &in, &event, &piece, NULL);
            if (err != 0 || event == MESSAGE_MORE)
                continue;
            if (event != MESSAGE_BODY || !in_body)
                buf_byte(out, (uint8_t)event);
            in_body = event == MESSAGE_BODY;
            buf_slice(out, piece);
        }
    }
    if (err == 0)
        err = message_reader_eof(r, NULL);
    message_reader_free(r);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice body = slice_of(data + 2, size - 2);
    struct buf whole, cut;
    buf_init(&whole, 8 * size + 100);
    buf_init(&cut, 8 * size + 100);
    int err = told(body, (data[0] & 1) != 0, body.n + 1, &whole);
    int err_cut = told(body, (data[0] & 1) != 0, (size_t)data[1] + 1, &cut);
    if (err != err_cut || (err == 0 && !slice_eq(buf_view(&whole), buf_view(&cut))))
        abort();
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
