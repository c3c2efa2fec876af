/*
 * First byte 'H': an HTTP request head; what the consumer's edge makes of it, a provider must be
 * able to read. Otherwise a received request or response part: what is taken prints as it came.
 */
#include "xroad/acl.h"
#include "xroad/rest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rest_request req;
static struct rest_response resp;

static void request(struct arena *a, struct slice part, bool must)
{
    struct buf again;
    if (rest_request_parse(a, part, &req, NULL) != 0) {
        if (must)
            abort();
        return;
    }
    buf_init(&again, 1u << 20);
    rest_request_print(&req, &again);
    if (!slice_eq(buf_view(&again), part))
        abort();
    if (rest_request_http_headers(&req, &again) != 0)
        abort();
    buf_reset(&again);
    if (acl_normalise(req.service_path, &again, NULL) == 0 &&
        !acl_path_matches(SLICE_LIT("**"), buf_view(&again)))
        abort();
    acl_path_matches(req.query, buf_view(&again));
    buf_free(&again);
}

static void response(struct arena *a, struct slice part)
{
    struct buf again;
    if (rest_response_parse(part, &resp, NULL) != 0)
        return;
    buf_init(&again, 1u << 20);
    rest_response_print(&resp, &again);
    if (!slice_eq(buf_view(&again), part) || rest_response_http_headers(&resp, &again) != 0)
        abort();
    buf_free(&again);
}

static void head(struct arena *a, struct slice text)
{
    static struct http_head h;
    struct buf part;
    size_t used = 0;
    if (http_parse_request(text, HTTP_HEAD_MAX, &h, &used, NULL) != 0 || used == 0)
        return;
    if (rest_request_from_http(a, &h, "uuid", SLICE_LIT("ZZ"), "other", &req, NULL) != 0)
        return;
    buf_init(&part, 1u << 20);
    rest_request_print(&req, &part);
    request(a, buf_view(&part), true);
    buf_free(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1u << 20);
    struct slice text = slice_of(data, size);
    if (slice_starts(text, "H"))
        head(a, slice_from(text, 1));
    else if (rest_part_is_response(text))
        response(a, text);
    else
        request(a, text, false);
    arena_free(a);
    return 0;
}
