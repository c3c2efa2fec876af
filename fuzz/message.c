/*
 * First byte: a response when odd; second: the size of the pieces. The rest is a multipart body
 * with boundary "B", or, with bit 1
 * of the first byte, a line that is the content type and then the body. The events must be the same
 * however it is cut, and what was read, written by the encoder, must give the same events again.
 */
#include "xroad/message.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parts as the encoder takes them; none may follow a fault. */
struct copy {
    struct message_writer w;
    struct buf text;
};

static void write_again(struct copy *c, enum message_event event, struct slice piece, bool more,
                        bool response)
{
    static const char *const types[] = {
        [MESSAGE_OCSP] = "application/ocsp-response",
        [MESSAGE_BODY] = "application/x-road-rest-body",
        [MESSAGE_CHAIN_RESULT] = "application/hash-chain-result",
        [MESSAGE_CHAIN] = "application/hash-chain",
        [MESSAGE_SIGNATURE] = "signature/bdoc-1.0/ts",
        [MESSAGE_FAULT] = "text/xml",
    };
    if (more)
        buf_slice(&c->text, piece);
    else if (event == MESSAGE_HEAD)
        message_part(&c->w,
                     response ? "application/x-road-rest-response"
                              : "application/x-road-rest-request",
                     piece, &c->text);
    else if (event == MESSAGE_END)
        message_finish(&c->w, &c->text);
    else if (event < sizeof types / sizeof types[0] && types[event] != NULL)
        message_part(&c->w, types[event], piece, &c->text);
}

static int told(struct slice type, struct slice body, bool response, size_t step, struct buf *out,
                struct copy *copy)
{
    struct message_reader *r;
    bool in_body = false;
    int err = message_reader_new(type, response, &r, NULL);
    if (err != 0)
        return err;
    for (size_t at = 0; at < body.n && err == 0; at += step) {
        struct slice in = slice_sub(body, at, step), piece;
        enum message_event event = MESSAGE_END;
        while (err == 0 && event != MESSAGE_MORE) {
            err = message_read(r, &in, &event, &piece, NULL);
            if (err != 0 || event == MESSAGE_MORE)
                continue;
            if (event != MESSAGE_BODY || !in_body)
                buf_byte(out, (uint8_t)event);
            if (copy != NULL)
                write_again(copy, event, piece, event == MESSAGE_BODY && in_body, response);
            in_body = event == MESSAGE_BODY;
            buf_slice(out, piece);
        }
    }
    if (err == 0)
        err = message_reader_eof(r, NULL);
    message_reader_free(r);
    return err;
}

static void again(struct copy *copy, bool response, struct slice events)
{
    char type[100];
    struct buf third;
    buf_init(&third, copy->text.max);
    snprintf(type, sizeof type, "multipart/mixed; charset=UTF-8; boundary=%s", copy->w.boundary);
    int err = told(slice_str(type), buf_view(&copy->text), response, 100, &third, NULL);
    /* The encoder's boundary may stand in the data: then the copy is cut there. */
    if (slice_find_slice(events, slice_str(copy->w.boundary)) == SIZE_MAX &&
        (err != 0 || !slice_eq(buf_view(&third), events)))
        abort();
    buf_free(&third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t random[30] = {7, 1, 255, 99};
    if (size < 2)
        return 0;
    bool response = (data[0] & 1) != 0;
    struct slice body = slice_of(data + 2, size - 2),
                 type = SLICE_LIT("multipart/mixed;boundary=B");
    if ((data[0] & 2) != 0 && slice_next(&body, '\n', &type))
        type = slice_trim(type);
    struct buf whole, cut;
    struct copy copy = {.w = {.begun = false}};
    message_boundary(random, copy.w.boundary);
    buf_init(&whole, 8 * size + 100);
    buf_init(&cut, 8 * size + 100);
    buf_init(&copy.text, 100 * size + 1000);
    int err = told(type, body, response, body.n + 1, &whole, &copy);
    int err_cut = told(type, body, response, (size_t)data[1] + 1, &cut, NULL);
    if (err != err_cut || (err == 0 && !slice_eq(buf_view(&whole), buf_view(&cut))))
        abort();
    if (err == 0)
        again(&copy, response, buf_view(&whole));
    buf_free(&whole);
    buf_free(&cut);
    buf_free(&copy.text);
    return 0;
}
