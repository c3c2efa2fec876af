/*
 * What our parser makes of the request in each file named, one line of JSON a file: {"method",
 * "target", "headers", "body", "whole"} with the body's length, or {"refused"} with the sentence,
 * or
 * {"more": true} when the head has no end. For the test that compares it with another parser.
 */
#include "proc/fs.h"
#include "wire/http.h"

#include <jansson.h>
#include <stdio.h>

static json_t *text(struct slice s)
{
    /* Octets as characters of ISO 8859-1, as the other parser gives them. */
    json_t *list = json_array();
    for (size_t i = 0; i < s.n; i++)
        json_array_append_new(list, json_integer(s.p[i]));
    return list;
}

/* Body octets in `in`; *whole tells whether its end is there. False when it is malformed. */
static bool read_body(const struct http_head *h, struct slice in, size_t *n, bool *whole)
{
    struct http_chunked c;
    struct slice piece;
    size_t used = 1;
    *n = 0;
    if (h->body != HTTP_BODY_CHUNKED) {
        *n = h->body == HTTP_BODY_NONE ? 0 : h->length < in.n ? (size_t)h->length : in.n;
        *whole = h->body == HTTP_BODY_NONE || *n == h->length;
        return true;
    }
    http_chunked_init(&c);
    while (used > 0 && !c.done) {
        if (http_chunked_feed(&c, in, &used, &piece, NULL) != 0)
            return false;
        *n += piece.n;
        in = slice_from(in, used);
    }
    *whole = c.done;
    return true;
}

static json_t *verdict(struct slice in)
{
    static struct http_head h;
    struct diag d = {0};
    size_t used, body;
    bool whole;
    if (http_parse_request(in, HTTP_HEAD_MAX, &h, &used, &d) != 0)
        return json_pack("{s:s}", "refused", d.text);
    if (used == 0)
        return json_pack("{s:b}", "more", 1);
    if (!read_body(&h, slice_from(in, used), &body, &whole))
        return json_pack("{s:s}", "refused", "a malformed chunk");
    return json_pack("{s:o s:o s:I s:I s:b}", "method", text(h.method), "target", text(h.target),
                     "headers", (json_int_t)h.n, "body", (json_int_t)body, "whole", (int)whole);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct buf b;
        struct diag d;
        buf_init(&b, 1u << 20);
        if (fs_read(argv[i], &b, &d) != 0)
            return 3;
        json_t *v = verdict(buf_view(&b));
        if (v == NULL || json_dumpf(v, stdout, JSON_COMPACT) != 0)
            return 3;
        putchar('\n');
        json_decref(v);
        buf_free(&b);
    }
    return 0;
}
