/*
 * Heads of requests and responses, chunked bodies, addresses, paths. A head that is accepted must
 * be accepted again from its own bytes alone, and no prefix of it may be taken for a whole one.
 */
#include "base/err.h"
#include "wire/http_reply.h"
#include "wire/uri.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void request(struct slice in)
{
    static struct http_head head;
    size_t used, again;
    if (http_parse_request(in, HTTP_HEAD_MAX, &head, &used, NULL) != 0 || used == 0)
        return;
    must(used <= in.n && head.method.n > 0 && head.target.n > 0);
    must(slice_ends(slice_sub(in, 0, used), "\r\n\r\n"));
    for (size_t i = 0; i < head.n; i++)
        must(http_is_token(head.h[i].name) && http_is_value(head.h[i].value));
    struct slice target = head.target, path, query;
    bool has_query;
    http_target_split(target, &path, &query, &has_query);
    must(http_parse_request(slice_sub(in, 0, used - 1), HTTP_HEAD_MAX, &head, &again, NULL) == 0);
    must(again == 0);
    must(http_parse_request(slice_sub(in, 0, used), HTTP_HEAD_MAX, &head, &again, NULL) == 0);
    must(again == used);
}

static int read_reply(struct slice in, size_t step, struct http_reply *r, struct buf *body)
{
    size_t used = 0;
    struct slice piece = SLICE_NONE;
    int rc = 0;
    http_reply_start(r, in.n % 2 == 0);
    for (struct slice rest = in; rest.n > 0 && rc == 0; rest = slice_from(rest, used)) {
        if (r->in_body && http_reply_over(r))
            break;
        struct slice part = slice_sub(rest, 0, rest.n < step ? rest.n : step);
        rc = r->in_body ? http_reply_body(r, part, &used, &piece, NULL)
                        : http_reply_head(r, part, &used, NULL);
        must(used <= part.n);
        buf_slice(body, piece);
        piece = SLICE_NONE;
    }
    return rc;
}

/* However a response is cut: the same head, body and verdict. */
static void response(struct slice in)
{
    static struct http_reply whole, bytes;
    struct buf a, b;
    buf_init(&a, in.n);
    buf_init(&b, in.n);
    http_reply_init(&whole, 65536);
    http_reply_init(&bytes, 65536);
    int rc = read_reply(in, SIZE_MAX, &whole, &a);
    must(rc == read_reply(in, 1, &bytes, &b));
    must(whole.in_body == bytes.in_body && slice_eq(buf_view(&a), buf_view(&b)));
    if (whole.in_body)
        must(slice_eq(buf_view(&whole.raw), buf_view(&bytes.raw)) &&
             http_reply_over(&whole) == http_reply_over(&bytes));
    http_reply_free(&whole);
    http_reply_free(&bytes);
    buf_free(&a);
    buf_free(&b);
}

/* The whole at once and byte by byte give the same data and the same verdict. */
static void chunked(struct slice in)
{
    struct buf whole, bytes;
    struct http_chunked a, b;
    size_t used, at = 0;
    struct slice piece;
    int err = 0, err_b = 0;
    buf_init(&whole, in.n);
    buf_init(&bytes, in.n);
    http_chunked_init(&a);
    http_chunked_init(&b);
    for (struct slice rest = in; rest.n > 0 && !a.done && err == 0; rest = slice_from(rest, used)) {
        err = http_chunked_feed(&a, rest, &used, &piece, NULL);
        buf_slice(&whole, piece);
    }
    for (; at < in.n && !b.done && err_b == 0; at += used) {
        err_b = http_chunked_feed(&b, slice_sub(in, at, 1), &used, &piece, NULL);
        buf_slice(&bytes, piece);
    }
    must(err == err_b && a.done == b.done && slice_eq(buf_view(&whole), buf_view(&bytes)));
    buf_free(&whole);
    buf_free(&bytes);
}

static void uris(struct slice in)
{
    struct buf b, c, again;
    struct http_url url;
    buf_init(&b, 3 * in.n);
    buf_init(&c, 3 * in.n);
    buf_init(&again, in.n);
    if (uri_path_normalise(in, &b, NULL) == 0)
        must(slice_find_slice(buf_view(&b), SLICE_LIT("..")) == SIZE_MAX);
    buf_reset(&b);
    if (uri_segment_decode(in, &b) == 0) {
        uri_segment_encode(buf_view(&b), &c);
        must(uri_segment_decode(buf_view(&c), &again) == 0);
        must(slice_eq(buf_view(&again), buf_view(&b)));
    }
    if (uri_target_check(in, NULL) == 0)
        must(in.n > 0 && in.p[0] == '/' && slice_find(in, '#') == SIZE_MAX);
    if (http_url_parse(in, &url) == 0)
        must(url.port > 0 && url.host.n > 0 && url.path.n > 0);
    buf_reset(&b);
    if (!http_query_get(in, "a", &b))
        must(b.n == 0);
    buf_free(&b);
    buf_free(&c);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    request(in);
    response(in);
    chunked(in);
    uris(in);
    return 0;
}
