#include "xroad/rest_lines.h"

#include "base/err.h"

/* Removes what the message's own headers replace, and appends those. */
static int finish_response(struct arena *a, const struct rest_request *req,
                           struct slice http_request_id, struct slice request_hash,
                           struct rest_response *out, struct diag *d)
{
    static const char *const own[] = {"x-road-id", "x-road-request-hash", "x-road-client",
                                      "x-road-request-id"};
    size_t kept = 0;
    for (size_t i = 0; i < out->n; i++) {
        bool drop = rest_lines_is_dropped(out->h[i].name);
        for (size_t k = 0; k < ARRAY_LEN(own); k++)
            drop = drop || slice_ieq_str(out->h[i].name, own[k]);
        if (!drop)
            out->h[kept++] = out->h[i];
    }
    out->n = kept;
    struct buf client, service;
    buf_init(&client, HTTP_HEAD_MAX * 3);
    buf_init(&service, HTTP_HEAD_MAX * 3);
    id_client_encode(&client, &req->client);
    id_service_encode(&service, &req->service);
    bool failed = client.failed || service.failed;
    out->id = arena_dup(a, req->id);
    out->client = arena_dup(a, buf_view(&client));
    out->service = arena_dup(a, buf_view(&service));
    out->request_id = arena_dup(a, http_request_id);
    out->request_hash = arena_dup(a, request_hash);
    buf_free(&client);
    buf_free(&service);
    if (failed || arena_failed(a))
        return rest_lines_no_memory(d);
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-id"), out->id);
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-client"), out->client);
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-service"), out->service);
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-request-id"), out->request_id);
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-request-hash"), out->request_hash);
    return 0;
}

int rest_response_from_http(struct arena *a, const struct http_head *head,
                            const struct rest_request *req, struct slice http_request_id,
                            struct slice request_hash, struct rest_response *out, struct diag *d)
{
    out->status = head->status;
    out->reason = rest_lines_widen(a, head->reason);
    out->n = 0;
    for (size_t i = 0; i < head->n; i++)
        rest_lines_add(out->h, &out->n, arena_dup(a, head->h[i].name),
                       rest_lines_widen(a, head->h[i].value));
    return finish_response(a, req, http_request_id, request_hash, out, d);
}

int rest_response_echo(struct arena *a, const struct rest_request *req,
                       struct slice http_request_id, struct slice request_hash,
                       struct slice content_type, struct rest_response *out, struct diag *d)
{
    out->status = 200;
    out->reason = SLICE_LIT("OK");
    out->n = 0;
    for (size_t i = 0; i < req->n && out->n < HTTP_HEADERS_MAX + 2; i++)
        rest_lines_add(out->h, &out->n, req->h[i].name, req->h[i].value);
    int err = finish_response(a, req, http_request_id, request_hash, out, d);
    if (err != 0)
        return err;
    rest_lines_add(out->h, &out->n, SLICE_LIT("Content-Type"), arena_dup(a, content_type));
    return arena_failed(a) ? rest_lines_no_memory(d) : 0;
}

void rest_response_print(const struct rest_response *r, struct buf *out)
{
    buf_printf(out, "%d\r\n", r->status);
    buf_slice(out, r->reason);
    buf_str(out, "\r\n");
    rest_lines_print(r->h, r->n, out);
}

static int response_lines(struct slice part, struct rest_response *r, struct diag *d)
{
    struct slice line, rest = part;
    uint64_t status;
    if (!slice_is_utf8(part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not UTF-8");
    int err = rest_lines_next(&rest, &line, "status", d);
    if (err != 0)
        return err;
    if (!slice_u64(line, &status) || status < 200 || status > 999)
        return diag_set(d, ERR_INTERNAL, "a REST response has no status from 200 to 999");
    r->status = (int)status;
    err = rest_lines_next(&rest, &r->reason, "reason", d);
    if (err == 0 && !rest_lines_is_value(r->reason))
        err = diag_set(d, ERR_INTERNAL, "the reason of a REST response holds control characters");
    return err == 0 ? rest_lines_headers(rest, r->h, ARRAY_LEN(r->h), &r->n, d) : err;
}

int rest_response_parse(struct slice part, struct rest_response *out, struct diag *d)
{
    int err = response_lines(part, out, d);
    if (err != 0)
        return err;
    out->id = rest_lines_last(out->h, out->n, "x-road-id");
    out->client = rest_lines_last(out->h, out->n, "x-road-client");
    out->service = rest_lines_last(out->h, out->n, "x-road-service");
    out->request_id = rest_lines_last(out->h, out->n, "x-road-request-id");
    out->request_hash = rest_lines_last(out->h, out->n, "x-road-request-hash");
    if (out->id.n == 0 || out->request_hash.n == 0)
        return diag_set(d, ERR_INTERNAL, "a REST response lacks %s",
                        out->id.n == 0 ? "x-road-id" : "x-road-request-hash");
    struct buf again;
    buf_init(&again, part.n + 16);
    rest_response_print(out, &again);
    err = rest_lines_same(&again, part, d);
    buf_free(&again);
    return err;
}

int rest_response_http_headers(const struct rest_response *r, struct buf *out)
{
    return rest_lines_http(r->h, r->n, out);
}

static bool ids_fit(struct arena *a, const struct rest_response *resp,
                    const struct rest_request *req, const char **which)
{
    struct id_client client;
    struct id_service service;
    *which = "x-road-client";
    if (id_client_parse(a, resp->client, &client, NULL) != 0 ||
        !id_client_eq(&client, &req->client))
        return false;
    *which = "x-road-service";
    return id_service_parse(a, resp->service, &service, NULL) == 0 &&
           id_client_eq(&service.provider, &req->service.provider) &&
           slice_eq(service.code, req->service.code);
}

int rest_response_check(const struct rest_response *resp, const struct rest_request *req,
                        struct slice request_hash_base64, struct diag *d)
{
    const char *which = NULL;
    struct arena *a = arena_new(64u << 10);
    if (a == NULL)
        return rest_lines_no_memory(d);
    bool fits = ids_fit(a, resp, req, &which);
    arena_free(a);
    if (fits && !slice_eq(resp->id, req->id)) {
        which = "x-road-id";
        fits = false;
    }
    if (fits && !slice_eq(resp->request_id, req->request_id)) {
        which = "x-road-request-id";
        fits = false;
    }
    if (fits && !slice_eq(resp->request_hash, request_hash_base64)) {
        which = "x-road-request-hash";
        fits = false;
    }
    if (fits)
        return 0;
    return diag_set(d, ERR_INCONSISTENT_RESPONSE, "%s of the response does not fit the request",
                    which);
}
