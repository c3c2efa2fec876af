#include "xroad/rest_lines.h"

#include "base/base64.h"
#include "base/err.h"
#include "wire/uri.h"

#include <string.h>

#define PROTOCOL "/r1/"
#define PATH_PIECES 8

static const char *const verbs[] = {"DELETE", "GET",  "HEAD", "OPTIONS",
                                    "PATCH",  "POST", "PUT",  "TRACE"};

static bool is_verb(struct slice s)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (slice_eq_str(s, verbs[i]))
            return true;
    return false;
}

/* Gives an error of a deeper function the code of this edge, and its place. */
static int at_edge(struct diag *d, int code, const char *where)
{
    diag_where(d, "%s", where);
    if (d != NULL)
        d->code = code;
    return code;
}

/* --- request --- */

/* Service id and service path of "/r1/i/c/m/s/service[/…]". */
static int decode_path(struct arena *a, struct rest_request *r, int code, struct diag *d)
{
    struct slice piece[PATH_PIECES], rest = r->path;
    size_t n = 0;
    if (!slice_starts(r->path, PROTOCOL))
        return diag_set(d, code, "the path does not begin with " PROTOCOL);
    while (n < PATH_PIECES - 1 && slice_next(&rest, '/', &piece[n]))
        n++;
    if (n < PATH_PIECES - 1)
        return diag_set(d, code,
                        "the path must be " PROTOCOL
                        "<instance>/<class>/<member>/<subsystem>/<service>[/<path>]");
    r->service_path = SLICE_LIT("");
    if (rest.p != NULL)
        r->service_path = slice_of(rest.p - 1, rest.n + 1);
    static const char *const names[] = {"instance", "member class", "member code", "subsystem code",
                                        "service code"};
    struct slice *to[] = {&r->service.provider.instance, &r->service.provider.member_class,
                          &r->service.provider.member_code, &r->service.provider.subsystem,
                          &r->service.code};
    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        if (id_part_parse(a, piece[i + 2], to[i], d) != 0)
            return at_edge(d, code, names[i]);
        if (id_part_is_blank(*to[i]))
            return diag_set(d, code, "the %s in the path is blank", names[i]);
    }
    r->service.version = SLICE_NONE;
    return 0;
}

/* "class/code" or "code". */
static int check_party(struct arena *a, struct slice value, int code, struct diag *d)
{
    struct slice piece, decoded;
    size_t n = 0;
    if (value.p == NULL)
        return 0;
    while (slice_next(&value, '/', &piece)) {
        if (++n > 2)
            return diag_set(d, code, "X-Road-Represented-Party has more than two segments");
        if (id_part_parse(a, piece, &decoded, d) != 0)
            return at_edge(d, code, "X-Road-Represented-Party");
    }
    return 0;
}

static int decode_headers(struct arena *a, struct rest_request *r, int code, struct diag *d)
{
    struct slice client = rest_lines_last(r->h, r->n, "x-road-client");
    if (client.p == NULL)
        return diag_set(d, code == ERR_BAD_REQUEST ? ERR_INVALID_CLIENT_ID : code,
                        "Required header X-Road-Client is missing");
    if (id_client_parse(a, client, &r->client, d) != 0)
        return at_edge(d, code, "X-Road-Client");
    struct slice server = rest_lines_last(r->h, r->n, "x-road-security-server");
    r->has_security_server = server.p != NULL;
    if (r->has_security_server && id_server_parse(a, server, &r->security_server, d) != 0)
        return at_edge(d, code, "X-Road-Security-Server");
    r->id = rest_lines_last(r->h, r->n, "x-road-id");
    if (r->id.p != NULL && r->id.n == 0)
        return diag_set(d, code, "X-Road-Id is empty");
    return check_party(a, rest_lines_last(r->h, r->n, "x-road-represented-party"), code, d);
}

static bool is_escape(struct slice s, size_t at)
{
    uint64_t v;
    return s.p[at] == '%' && at + 2 < s.n && slice_hex64(slice_sub(s, at + 1, 2), &v);
}

/* What X-Road's URI parser refuses in a received URL, and bytes beyond ASCII in its path. */
static int check_url(const struct rest_request *r, struct diag *d)
{
    struct slice path = r->path, query = r->query;
    for (size_t i = 0; i < path.n; i++) {
        uint8_t c = path.p[i];
        if (c <= 0x20 || c >= 0x7F || strchr("{}|\\^<>\"`[]#?", c) != NULL ||
            (c == '%' && !is_escape(path, i)))
            return diag_set(d, ERR_INTERNAL, "the path has an illegal byte 0x%02X at position %zu",
                            c, i + 1);
    }
    for (size_t i = 0; r->has_query && i < query.n; i++) {
        uint8_t c = query.p[i];
        if (c <= 0x20 || c == 0x7F || strchr("{}|\\^<>\"`#", c) != NULL ||
            (c == '%' && !is_escape(query, i)))
            return diag_set(d, ERR_INTERNAL, "the query has an illegal byte 0x%02X at position %zu",
                            c, i + 1);
    }
    return 0;
}

/* Raw characters beyond ASCII: Java's URI takes them but for control characters and spaces. */
static bool query_is_readable(struct slice query)
{
    static const char *const spaces[] = {"\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
                                         "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
    if (!slice_is_utf8(query))
        return false;
    for (size_t i = 0; i + 1 < query.n; i++) {
        struct slice rest = slice_from(query, i);
        if (rest.p[0] == 0xC2 && rest.p[1] <= 0xA0)
            return false;
        if (slice_starts(rest, "\xE2\x80") && rest.p[2] <= 0x8A)
            return false;
        for (size_t k = 0; k < ARRAY_LEN(spaces); k++)
            if (slice_starts(rest, spaces[k]))
                return false;
    }
    return true;
}

/* Path and query; the authority of an absolute form must be that of the Host header. */
static int take_target(struct arena *a, const struct http_head *head, struct rest_request *r,
                       struct diag *d)
{
    struct slice target = head->target;
    if (slice_istarts(target, "http://") || slice_istarts(target, "https://")) {
        struct slice rest = slice_from(target, slice_find(target, '/') + 2);
        size_t end = slice_find(rest, '/');
        struct slice authority = slice_sub(rest, 0, end == SIZE_MAX ? rest.n : end);
        if (!slice_ieq(authority, http_get(head, "host")))
            return diag_set(d, ERR_BAD_REQUEST,
                            "the URL's authority is not that of the Host header");
        target = slice_from(rest, authority.n);
    }
    int err = uri_target_check(target, d);
    if (err != 0)
        return at_edge(d, ERR_BAD_REQUEST, "URL");
    http_target_split(arena_dup(a, target), &r->path, &r->query, &r->has_query);
    if (!query_is_readable(r->query))
        return diag_set(d, ERR_BAD_REQUEST, "the query holds bytes that must be percent-encoded");
    return 0;
}

int rest_request_from_http(struct arena *a, const struct http_head *head, const char *request_id,
                           struct slice own_instance, const char *fallback_uuid,
                           struct rest_request *out, struct diag *d)
{
    if (!is_verb(head->method))
        return diag_set(d, ERR_BAD_REQUEST,
                        "method \"%.*s\" is not one of those that X-Road carries",
                        SLICE_ARG(slice_sub(head->method, 0, 32)));
    out->verb = arena_dup(a, head->method);
    int err = take_target(a, head, out, d);
    if (err != 0)
        return err;
    out->n = 0;
    for (size_t i = 0; i < head->n; i++) {
        struct slice name = head->h[i].name;
        if (rest_lines_is_dropped(name) || slice_ieq_str(name, "x-road-request-id") ||
            slice_ieq_str(name, "x-road-request-hash"))
            continue;
        rest_lines_add(out->h, &out->n, arena_dup(a, name), rest_lines_widen(a, head->h[i].value));
    }
    out->request_id = arena_dup(a, slice_str(request_id));
    rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-request-id"), out->request_id);
    if (arena_failed(a))
        return rest_lines_no_memory(d);
    err = decode_path(a, out, ERR_BAD_REQUEST, d);
    if (err == 0)
        err = decode_headers(a, out, ERR_BAD_REQUEST, d);
    if (err != 0)
        return err;
    if (out->id.p == NULL) {
        out->id = slice_str(arena_printf(a, "%.*s-%s", SLICE_ARG(own_instance), fallback_uuid));
        rest_lines_add(out->h, &out->n, SLICE_LIT("x-road-id"), out->id);
    }
    return arena_failed(a) ? rest_lines_no_memory(d) : 0;
}

void rest_request_print(const struct rest_request *r, struct buf *out)
{
    buf_slice(out, r->verb);
    buf_str(out, "\r\n");
    buf_slice(out, r->path);
    if (r->has_query) {
        buf_byte(out, '?');
        buf_slice(out, r->query);
    }
    buf_str(out, "\r\n");
    rest_lines_print(r->h, r->n, out);
}

static int request_lines(struct arena *a, struct slice part, struct rest_request *r, struct diag *d)
{
    struct slice line, rest = part;
    if (!slice_is_utf8(part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not UTF-8");
    int err = rest_lines_next(&rest, &r->verb, "request line", d);
    if (err != 0)
        return err;
    if (!is_verb(r->verb))
        return diag_set(d, ERR_INTERNAL, "a REST message has an unknown verb");
    err = rest_lines_next(&rest, &line, "URL", d);
    if (err != 0)
        return err;
    http_target_split(line, &r->path, &r->query, &r->has_query);
    err = check_url(r, d);
    if (err == 0)
        err = rest_lines_headers(rest, r->h, ARRAY_LEN(r->h), &r->n, d);
    if (err == 0)
        err = decode_path(a, r, ERR_INTERNAL, d);
    return err == 0 ? decode_headers(a, r, ERR_INTERNAL, d) : err;
}

/* This one header is compared with its case, as X-Road's parser does; the last one counts. */
static struct slice request_id_of(const struct rest_request *r)
{
    for (size_t i = r->n; i-- > 0;)
        if (slice_eq_str(r->h[i].name, "x-road-request-id"))
            return r->h[i].value;
    return SLICE_NONE;
}

int rest_request_parse(struct arena *a, struct slice part, struct rest_request *out, struct diag *d)
{
    int err = request_lines(a, part, out, d);
    if (err != 0)
        return err;
    out->request_id = request_id_of(out);
    if (out->request_id.n == 0)
        return diag_set(d, ERR_INTERNAL, "a REST message has no x-road-request-id");
    if (out->id.p == NULL)
        return diag_set(d, ERR_INTERNAL, "a REST message has no x-road-id");
    struct buf again;
    buf_init(&again, part.n + 16);
    rest_request_print(out, &again);
    err = rest_lines_same(&again, part, d);
    buf_free(&again);
    return err;
}

int rest_request_http_headers(const struct rest_request *r, struct buf *out)
{
    return rest_lines_http(r->h, r->n, out);
}

/* --- both --- */

void rest_request_hash(const struct digest *request_part, const struct digest *body, char out[89])
{
    uint8_t both[2 * DIGEST_MAX];
    struct digest outer = *request_part;
    if (body != NULL) {
        memcpy(both, request_part->b, request_part->n);
        memcpy(both + request_part->n, body->b, body->n);
        digest_of(DIGEST_SHA512, slice_of(both, (size_t)request_part->n + body->n), &outer);
    }
    base64_print(digest_slice(&outer), out);
}

bool rest_part_is_response(struct slice part)
{
    return part.n > 0 && part.p[0] >= '1' && part.p[0] <= '9';
}
