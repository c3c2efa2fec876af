/*
 * First byte 'H': an HTTP request head; what the consumer's edge makes of it, a provider must be
 * able to read. First byte 'R': an HTTP response head, which the provider's edge makes an answer
 * that the consumer must be able to read, and that fits its request alone. Otherwise a received
 * request or response part: what is taken prints as it came.
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

static void response(struct slice part)
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

#define PART                                                                                       \
    "GET\r\n/r1/ZZ/GOV/1/Sub/svc/a?b=c\r\nx-road-client:ZZ/COM/2/Sub\r\nx-road-id:id-1\r\n"        \
    "x-road-request-id:request-1\r\n"

/* A request that an answer may be for. */
static void one_request(struct arena *a)
{
    if (rest_request_parse(a, SLICE_LIT(PART), &req, NULL) != 0)
        abort();
}

/* What was made for one_request with this hash is read, and fits that request and no other. */
static void answer(struct arena *a, struct slice hash)
{
    static struct rest_response again;
    struct buf part, lines;
    buf_init(&part, 1u << 20);
    buf_init(&lines, 1u << 20);
    rest_response_print(&resp, &part);
    if (rest_response_parse(buf_view(&part), &again, NULL) == 0) {
        if (rest_response_check(&again, &req, hash, NULL) != 0 ||
            rest_response_check(&again, &req, SLICE_LIT("other"), NULL) == 0 ||
            rest_response_http_headers(&again, &lines) != 0)
            abort();
        req.id = SLICE_LIT("id-2");
        if (rest_response_check(&again, &req, hash, NULL) == 0)
            abort();
        one_request(a);
        req.client.subsystem = SLICE_LIT("Other");
        if (rest_response_check(&again, &req, hash, NULL) == 0)
            abort();
        one_request(a);
        req.service.code = SLICE_LIT("other");
        if (rest_response_check(&again, &req, hash, NULL) == 0)
            abort();
    } else if (resp.status >= 200) {
        abort();
    }
    buf_free(&part);
    buf_free(&lines);
}

static void response_head(struct arena *a, struct slice text)
{
    static struct http_head h;
    struct digest digest;
    char hash[89];
    size_t used = 0;
    digest_of(DIGEST_SHA512, text, &digest);
    rest_request_hash(&digest, text.n % 2 == 0 ? NULL : &digest, hash);
    one_request(a);
    if (http_parse_response(text, HTTP_HEAD_MAX, false, &h, &used, NULL) == 0 && used > 0 &&
        rest_response_from_http(a, &h, &req, req.request_id, slice_str(hash), &resp, NULL) == 0)
        answer(a, slice_str(hash));
    one_request(a);
    if (rest_response_echo(a, &req, req.request_id, slice_str(hash), SLICE_LIT("text/plain"), &resp,
                           NULL) == 0)
        answer(a, slice_str(hash));
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
    else if (slice_starts(text, "R"))
        response_head(a, slice_from(text, 1));
    else if (rest_part_is_response(text))
        response(text);
    else
        request(a, text, false);
    arena_free(a);
    return 0;
}
