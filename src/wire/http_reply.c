#include "wire/http_reply.h"

#include "base/err.h"

#define HEAD_STEP 4096 /* bytes copied at a time while a head is looked for */

void http_reply_init(struct http_reply *r, size_t head_max)
{
    *r = (struct http_reply){.head_max = head_max};
    buf_init(&r->raw, head_max);
}

void http_reply_free(struct http_reply *r)
{
    buf_free(&r->raw);
}

void http_reply_start(struct http_reply *r, bool head_request)
{
    r->head_request = head_request;
    r->in_body = false;
    buf_reset(&r->raw);
}

int http_reply_head(struct http_reply *r, struct slice data, size_t *used, struct diag *d)
{
    size_t before = r->raw.n, whole = 0, room = r->head_max - before;
    struct slice step = slice_sub(data, 0, room < HEAD_STEP ? room : HEAD_STEP);
    *used = 0;
    buf_slice(&r->raw, step);
    if (r->raw.failed)
        return diag_set(d, ERR_NOMEM, "no memory for a response");
    int rc =
        http_parse_response(buf_view(&r->raw), r->head_max, r->head_request, &r->head, &whole, d);
    if (rc != 0)
        return rc;
    if (whole == 0 && r->raw.n == r->head_max)
        return diag_set(d, ERR_TOO_LARGE, "the response's head is larger than %zu bytes",
                        r->head_max);
    if (whole == 0) {
        *used = step.n;
        return 0;
    }
    if (r->head.status == 101)
        return diag_set(d, ERR_INVALID_RESPONSE, "the server switches to another protocol");
    *used = whole - before;
    r->raw.n = whole;
    if (r->head.status < 200) {
        buf_reset(&r->raw);
        return 0;
    }
    r->in_body = true;
    r->left = r->head.length;
    http_chunked_init(&r->chunked);
    return 0;
}

int http_reply_body(struct http_reply *r, struct slice data, size_t *used, struct slice *piece,
                    struct diag *d)
{
    if (r->head.body == HTTP_BODY_CHUNKED)
        return http_chunked_feed(&r->chunked, data, used, piece, d);
    *piece = data;
    if (r->head.body == HTTP_BODY_LENGTH) {
        *piece = slice_sub(data, 0, r->left < data.n ? (size_t)r->left : data.n);
        r->left -= piece->n;
    }
    *used = piece->n;
    return 0;
}

bool http_reply_over(const struct http_reply *r)
{
    switch (r->head.body) {
    case HTTP_BODY_NONE:
        return true;
    case HTTP_BODY_LENGTH:
        return r->left == 0;
    case HTTP_BODY_CHUNKED:
        return r->chunked.done;
    default:
        return false;
    }
}
