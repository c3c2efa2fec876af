#include "xroad/rest.h"

#include "base/base64.h"
#include "base/err.h"
#include "wire/uri.h"

#include <stdio.h>
#include <string.h>

#define PROTOCOL "/r1/"
#define PATH_PIECES 8

static const char *const verbs[] = {"DELETE", "GET",  "HEAD", "OPTIONS",
                                    "PATCH",  "POST", "PUT",  "TRACE"};

/* Hop-by-hop and connection headers: never in a message (transport.md 5.6). */
static const char *const dropped[] = {"transfer-encoding",
                                      "keep-alive",
                                      "proxy-authenticate",
                                      "proxy-authorization",
                                      "te",
                                      "trailer",
                                      "upgrade",
                                      "connection",
                                      "user-agent",
                                      "host",
                                      "content-length",
                                      "server",
                                      "expect"};

static bool is_dropped(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (slice_ieq_str(name, dropped[i]))
            return true;
    return false;
}

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

static int no_memory(struct diag *d)
{
    return diag_set(d, ERR_NOMEM, "no memory for a REST message");
}

/* --- header values: ISO 8859-1 in HTTP, UTF-8 in the message --- */

static size_t count_high(struct slice v)
{
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++)
        n += v.p[i] >= 0x80;
    return n;
}

/* A copy in the arena, each byte from 0x80 on as two bytes of UTF-8. */
static struct slice widen(struct arena *a, struct slice v)
{
    size_t high = count_high(v), n = 0;
    if (high == 0)
        return arena_dup(a, v);
    uint8_t *to = arena_alloc(a, v.n + high + 1);
    if (to == NULL)
        return SLICE_NONE;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] >= 0x80) {
            to[n++] = (uint8_t)(0xC0 | v.p[i] >> 6);
            to[n++] = (uint8_t)(0x80 | (v.p[i] & 0x3F));
        } else {
            to[n++] = v.p[i];
        }
    }
    to[n] = 0;
    return slice_of(to, n);
}

/* The reverse. Values were checked when they came in: nothing past U+00FF. */
static void narrow(struct slice v, struct buf *out)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if (c >= 0x80 && i + 1 < v.n)
            c = (uint8_t)((c & 3) << 6 | (v.p[++i] & 0x3F));
        buf_byte(out, c);
    }
}

/* UTF-8 of characters that an HTTP header can hold. */
static bool value_is_good(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F || c > 0xC3)
            return false;
    }
    return true;
}

static int http_headers(const struct rest_header *h, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_slice(out, h[i].name);
        buf_str(out, ": ");
        narrow(h[i].value, out);
        buf_str(out, "\r\n");
    }
    return out->failed ? ERR_TOO_LARGE : 0;
}

static void print_headers(const struct rest_header *h, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_slice(out, h[i].name);
        buf_byte(out, ':');
        buf_slice(out, h[i].value);
        buf_str(out, "\r\n");
    }
}

/* The last header of that name; p is NULL when absent. */
static struct slice last(const struct rest_header *h, size_t n, const char *name)
{
    while (n > 0) {
        n--;
        if (slice_ieq_str(h[n].name, name))
            return h[n].value.p != NULL ? h[n].value : SLICE_LIT("");
    }
    return SLICE_NONE;
}

/* --- lines of a part --- */

static int next_line(struct slice *rest, struct slice *line, const char *what, struct diag *d)
{
    size_t end = slice_find_slice(*rest, SLICE_LIT("\r\n"));
    if (end == SIZE_MAX)
        return diag_set(d, ERR_INTERNAL, "the %s of a REST message does not end with CR LF", what);
    *line = slice_sub(*rest, 0, end);
    *rest = slice_from(*rest, end + 2);
    if (slice_find(*line, '\r') != SIZE_MAX || slice_find(*line, '\n') != SIZE_MAX)
        return diag_set(d, ERR_INTERNAL, "the %s of a REST message holds a bare CR or LF", what);
    return 0;
}

static int parse_headers(struct slice rest, struct rest_header *h, size_t max, size_t *n,
                         struct diag *d)
{
    *n = 0;
    while (rest.n > 0) {
        struct slice line;
        int err = next_line(&rest, &line, "header", d);
        if (err != 0)
            return err;
        size_t colon = slice_find(line, ':');
        if (colon == SIZE_MAX)
            return diag_set(d, ERR_INTERNAL, "a header line of a REST message has no colon");
        struct rest_header got = {slice_sub(line, 0, colon), slice_from(line, colon + 1)};
        if (!http_is_token(got.name))
            return diag_set(d, ERR_INTERNAL, "a header of a REST message has an impossible name");
        if (is_dropped(got.name))
            return diag_set(d, ERR_INTERNAL, "header \"%.*s\" must not be in a REST message",
                            SLICE_ARG(got.name));
        if (!value_is_good(got.value))
            return diag_set(d, ERR_INTERNAL,
                            "header \"%.*s\" holds a character that no HTTP header can hold",
                            SLICE_ARG(got.name));
        if (*n == max)
            return diag_set(d, ERR_INTERNAL, "a REST message has more than %zu headers", max);
        h[(*n)++] = got;
    }
    return 0;
}

/* The receiver hashes its own print of what it has parsed: another form would get another hash. */
static int same_again(const struct buf *printed, struct slice part, struct diag *d)
{
    if (printed->failed)
        return no_memory(d);
    if (!slice_eq(buf_view(printed), part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not in its canonical form");
    return 0;
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
    struct slice client = last(r->h, r->n, "x-road-client");
    if (client.p == NULL)
        return diag_set(d, code == ERR_BAD_REQUEST ? ERR_INVALID_CLIENT_ID : code,
                        "Required header X-Road-Client is missing");
    if (id_client_parse(a, client, &r->client, d) != 0)
        return at_edge(d, code, "X-Road-Client");
    struct slice server = last(r->h, r->n, "x-road-security-server");
    r->has_security_server = server.p != NULL;
    if (r->has_security_server && id_server_parse(a, server, &r->security_server, d) != 0)
        return at_edge(d, code, "X-Road-Security-Server");
    r->id = last(r->h, r->n, "x-road-id");
    if (r->id.p != NULL && r->id.n == 0)
        return diag_set(d, code, "X-Road-Id is empty");
    return check_party(a, last(r->h, r->n, "x-road-represented-party"), code, d);
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

static void add(struct rest_header *h, size_t *n, struct slice name, struct slice value)
{
    h[(*n)++] = (struct rest_header){name, value};
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
        if (is_dropped(name) || slice_ieq_str(name, "x-road-request-id") ||
            slice_ieq_str(name, "x-road-request-hash"))
            continue;
        add(out->h, &out->n, arena_dup(a, name), widen(a, head->h[i].value));
    }
    out->request_id = arena_dup(a, slice_str(request_id));
    add(out->h, &out->n, SLICE_LIT("x-road-request-id"), out->request_id);
    if (arena_failed(a))
        return no_memory(d);
    err = decode_path(a, out, ERR_BAD_REQUEST, d);
    if (err == 0)
        err = decode_headers(a, out, ERR_BAD_REQUEST, d);
    if (err != 0)
        return err;
    if (out->id.p == NULL) {
        out->id = slice_str(arena_printf(a, "%.*s-%s", SLICE_ARG(own_instance), fallback_uuid));
        add(out->h, &out->n, SLICE_LIT("x-road-id"), out->id);
    }
    return arena_failed(a) ? no_memory(d) : 0;
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
    print_headers(r->h, r->n, out);
}

static int request_lines(struct arena *a, struct slice part, struct rest_request *r, struct diag *d)
{
    struct slice line, rest = part;
    if (!slice_is_utf8(part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not UTF-8");
    int err = next_line(&rest, &r->verb, "request line", d);
    if (err != 0)
        return err;
    if (!is_verb(r->verb))
        return diag_set(d, ERR_INTERNAL, "a REST message has an unknown verb");
    err = next_line(&rest, &line, "URL", d);
    if (err != 0)
        return err;
    http_target_split(line, &r->path, &r->query, &r->has_query);
    err = check_url(r, d);
    if (err == 0)
        err = parse_headers(rest, r->h, ARRAY_LEN(r->h), &r->n, d);
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
    err = same_again(&again, part, d);
    buf_free(&again);
    return err;
}

int rest_request_http_headers(const struct rest_request *r, struct buf *out)
{
    return http_headers(r->h, r->n, out);
}

/* --- response --- */

/* Removes what the message's own headers replace, and appends those. */
static int finish_response(struct arena *a, const struct rest_request *req,
                           struct slice http_request_id, struct slice request_hash,
                           struct rest_response *out, struct diag *d)
{
    static const char *const own[] = {"x-road-id", "x-road-request-hash", "x-road-client",
                                      "x-road-request-id"};
    size_t kept = 0;
    for (size_t i = 0; i < out->n; i++) {
        bool drop = is_dropped(out->h[i].name);
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
        return no_memory(d);
    add(out->h, &out->n, SLICE_LIT("x-road-id"), out->id);
    add(out->h, &out->n, SLICE_LIT("x-road-client"), out->client);
    add(out->h, &out->n, SLICE_LIT("x-road-service"), out->service);
    add(out->h, &out->n, SLICE_LIT("x-road-request-id"), out->request_id);
    add(out->h, &out->n, SLICE_LIT("x-road-request-hash"), out->request_hash);
    return 0;
}

int rest_response_from_http(struct arena *a, const struct http_head *head,
                            const struct rest_request *req, struct slice http_request_id,
                            struct slice request_hash, struct rest_response *out, struct diag *d)
{
    out->status = head->status;
    out->reason = widen(a, head->reason);
    out->n = 0;
    for (size_t i = 0; i < head->n; i++)
        add(out->h, &out->n, arena_dup(a, head->h[i].name), widen(a, head->h[i].value));
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
        add(out->h, &out->n, req->h[i].name, req->h[i].value);
    int err = finish_response(a, req, http_request_id, request_hash, out, d);
    if (err != 0)
        return err;
    add(out->h, &out->n, SLICE_LIT("Content-Type"), arena_dup(a, content_type));
    return arena_failed(a) ? no_memory(d) : 0;
}

void rest_response_print(const struct rest_response *r, struct buf *out)
{
    buf_printf(out, "%d\r\n", r->status);
    buf_slice(out, r->reason);
    buf_str(out, "\r\n");
    print_headers(r->h, r->n, out);
}

static int response_lines(struct slice part, struct rest_response *r, struct diag *d)
{
    struct slice line, rest = part;
    uint64_t status;
    if (!slice_is_utf8(part))
        return diag_set(d, ERR_INTERNAL, "a REST message is not UTF-8");
    int err = next_line(&rest, &line, "status", d);
    if (err != 0)
        return err;
    if (!slice_u64(line, &status) || status < 200 || status > 999)
        return diag_set(d, ERR_INTERNAL, "a REST response has no status from 200 to 999");
    r->status = (int)status;
    err = next_line(&rest, &r->reason, "reason", d);
    if (err == 0 && !value_is_good(r->reason))
        err = diag_set(d, ERR_INTERNAL, "the reason of a REST response holds control characters");
    return err == 0 ? parse_headers(rest, r->h, ARRAY_LEN(r->h), &r->n, d) : err;
}

int rest_response_parse(struct arena *a, struct slice part, struct rest_response *out,
                        struct diag *d)
{
    (void)a;
    int err = response_lines(part, out, d);
    if (err != 0)
        return err;
    out->id = last(out->h, out->n, "x-road-id");
    out->client = last(out->h, out->n, "x-road-client");
    out->service = last(out->h, out->n, "x-road-service");
    out->request_id = last(out->h, out->n, "x-road-request-id");
    out->request_hash = last(out->h, out->n, "x-road-request-hash");
    if (out->id.n == 0 || out->request_hash.n == 0)
        return diag_set(d, ERR_INTERNAL, "a REST response lacks %s",
                        out->id.n == 0 ? "x-road-id" : "x-road-request-hash");
    struct buf again;
    buf_init(&again, part.n + 16);
    rest_response_print(out, &again);
    err = same_again(&again, part, d);
    buf_free(&again);
    return err;
}

int rest_response_http_headers(const struct rest_response *r, struct buf *out)
{
    return http_headers(r->h, r->n, out);
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
        return no_memory(d);
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
