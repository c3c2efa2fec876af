#include "registry/registry_api.h"
#include "base/err.h"
#include "registry/births.h"
#include "registry/country.h"
#include "registry/personcode.h"
#include "wire/http.h"
#include "wire/json.h"

#include <stdlib.h>

#define REPLY_MAX (1u << 20)

struct registry_api {
    struct people *people;
    struct births *births;
    struct buf value; /* a query parameter */
};

/* What one request is about. */
struct call {
    struct registry_api *a;
    const struct registry_request *q;
    struct slice tail, query;
    int64_t now_ms;
    struct registry_reply *r;
    struct diag *d;
};

struct route {
    const char *path;
    bool tail; /* one more segment follows */
    const char *method, *allow;
    int (*answer)(struct call *c);
};

void registry_reply_init(struct registry_reply *r)
{
    buf_init(&r->headers, 1024);
    buf_init(&r->body, REPLY_MAX);
}

void registry_reply_free(struct registry_reply *r)
{
    buf_free(&r->headers);
    buf_free(&r->body);
}

void registry_api_problem(struct registry_reply *r, int status, const char *error,
                          const char *detail)
{
    struct json_out j;
    buf_reset(&r->body);
    r->status = status;
    r->content_type = "application/problem+json";
    json_begin(&j, &r->body);
    json_open(&j, '{');
    json_kstr(&j, "type", "about:blank");
    json_kstr(&j, "title", http_reason(status));
    json_knum(&j, "status", status);
    json_kstr(&j, "error", error);
    json_kstr(&j, "detail", detail);
    json_close(&j, '}');
}

static int status_of(int code)
{
    switch (code) {
    case ERR_BAD_REQUEST:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
    case ERR_INVALID_REQUEST:
        return 409;
    case ERR_AGAIN:
    case ERR_DISK_FULL:
        return 503;
    default:
        return 500;
    }
}

/* The reply to a code from below. What a caller cannot change is told to the log only. */
static int failed(struct call *c, int code)
{
    int status = status_of(code);
    if (status < 500) {
        char text[768];
        diag_print(c->d, text, sizeof text);
        registry_api_problem(c->r, status, err_name(code), text);
        return 0;
    }
    if (status == 503)
        buf_str(&c->r->headers, "Retry-After: 5\r\n");
    registry_api_problem(c->r, status, err_name(code),
                         status == 503 ? "the register cannot take this now, try again"
                                       : "the register failed; its operator finds why in its log");
    return code;
}

static int check_code(struct call *c, struct slice code)
{
    struct personcode parsed;
    return personcode_parse(code, &parsed, c->d);
}

static int get_person(struct call *c)
{
    int rc = check_code(c, c->tail);
    return rc != 0 ? rc : people_person(c->a->people, c->tail, &c->r->body, c->d);
}

static int get_family(struct call *c)
{
    int rc = check_code(c, c->tail);
    return rc != 0 ? rc : people_family(c->a->people, c->tail, &c->r->body, c->d);
}

static int get_address(struct call *c)
{
    uint64_t id;
    if (!slice_u64(c->tail, &id) || id > INT64_MAX)
        return diag_set(c->d, ERR_BAD_REQUEST, "the number of an address is a decimal number");
    return people_address(c->a->people, (int64_t)id, &c->r->body, c->d);
}

static int get_residence(struct call *c)
{
    struct buf *code = &c->a->value;
    buf_reset(code);
    if (!http_query_get(c->query, "person", code) || code->failed)
        return diag_set(c->d, ERR_BAD_REQUEST, "name a person: /addresses?person=CODE");
    int rc = check_code(c, buf_view(code));
    return rc != 0 ? rc : people_residence(c->a->people, buf_view(code), &c->r->body, c->d);
}

static bool is_json(struct slice content_type)
{
    struct slice base;
    return slice_next(&content_type, ';', &base) &&
           slice_ieq_str(slice_trim(base), "application/json");
}

static int register_birth(struct call *c)
{
    struct birth x;
    void *hold;
    char code[PERSONCODE_LEN + 1];
    if (!is_json(c->q->content_type)) {
        registry_api_problem(c->r, 415, "unsupported_media_type",
                             "a birth is reported as application/json");
        return 0;
    }
    int rc = births_parse(c->q->body, &x, &hold, c->d);
    if (rc == 0)
        rc = births_register(c->a->births, &x, c->now_ms, code, c->d);
    births_release(hold);
    if (rc == 0)
        rc = people_person(c->a->people, slice_str(code), &c->r->body, c->d);
    if (rc == 0)
        c->r->status = 201;
    if (rc == 0 || rc == ERR_EXISTS)
        buf_printf(&c->r->headers, "Location: /persons/%s\r\n", code);
    return rc;
}

static int get_health(struct call *c)
{
    struct json_out j;
    json_begin(&j, &c->r->body);
    json_open(&j, '{');
    json_kstr(&j, "status", "ok");
    json_kstr(&j, "register", people_about(c->a->people)->name);
    json_close(&j, '}');
    return 0;
}

static int get_openapi(struct call *c)
{
    buf_slice(&c->r->body, country_text("population.openapi.json"));
    return 0;
}

static const struct route routes[] = {
    {"/persons", true, "GET", "GET, HEAD", get_person},
    {"/families", true, "GET", "GET, HEAD", get_family},
    {"/addresses", true, "GET", "GET, HEAD", get_address},
    {"/addresses", false, "GET", "GET, HEAD", get_residence},
    {"/births", false, "POST", "POST", register_birth},
    {"/openapi.json", false, "GET", "GET, HEAD", get_openapi},
    {"/healthz", false, "GET", "GET, HEAD", get_health},
};

/* The route of a path; *tail is the segment behind it. */
static const struct route *find_route(struct slice path, struct slice *tail)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *t = &routes[i];
        struct slice rest = slice_from(path, slice_str(t->path).n);
        if (!slice_starts(path, t->path))
            continue;
        if (!t->tail && rest.n == 0)
            return t;
        *tail = slice_from(rest, 1);
        if (t->tail && tail->n > 0 && rest.p[0] == '/' && slice_find(*tail, '/') == SIZE_MAX)
            return t;
    }
    return NULL;
}

static bool allows(const struct route *t, struct slice method)
{
    return slice_eq_str(method, t->method) ||
           (slice_eq_str(method, "HEAD") && slice_eq_str(slice_str("GET"), t->method));
}

int registry_api_answer(struct registry_api *a, const struct registry_request *q, int64_t now_ms,
                        struct registry_reply *r, struct diag *d)
{
    struct call c = {.a = a, .q = q, .now_ms = now_ms, .r = r, .d = d};
    struct slice path;
    bool has_query;
    buf_reset(&r->headers);
    buf_reset(&r->body);
    r->status = 200;
    r->content_type = "application/json";
    http_target_split(q->target, &path, &c.query, &has_query);
    const struct route *t = find_route(path, &c.tail);
    if (t == NULL) {
        registry_api_problem(r, 404, "not_found", "no service has this path; see /openapi.json");
        return 0;
    }
    if (!allows(t, q->method)) {
        buf_printf(&r->headers, "Allow: %s\r\n", t->allow);
        registry_api_problem(r, 405, "invalid_http_method",
                             "this service does not have this method; the header Allow says which");
        return 0;
    }
    int rc = t->answer(&c);
    return rc == 0 ? 0 : failed(&c, rc);
}

struct registry_api *registry_api_new(struct people *p, struct diag *d)
{
    struct registry_api *a = calloc(1, sizeof *a);
    if (a == NULL) {
        people_close(p);
        diag_set(d, ERR_NOMEM, "no memory for the services");
        return NULL;
    }
    a->people = p;
    buf_init(&a->value, 256);
    a->births = births_new(people_db(p), d);
    if (a->births == NULL) {
        registry_api_free(a);
        return NULL;
    }
    return a;
}

void registry_api_free(struct registry_api *a)
{
    if (a == NULL)
        return;
    births_free(a->births);
    people_close(a->people);
    buf_free(&a->value);
    free(a);
}
