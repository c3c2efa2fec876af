#include "gateway/metadata_service.h"
#include "base/err.h"
#include "xroad/acl.h"
#include "xroad/metadata.h"

#define LIST_MAX (32u << 20)

/* An Accept value, parameters ignored, that asks for JSON. */
static bool wants_json(const struct http_head *h)
{
    struct slice value, item;
    for (size_t at = 0; http_each(h, "accept", &at, &value);)
        while (slice_next(&value, ',', &item)) {
            size_t semi = slice_find(item, ';');
            if (slice_ieq_str(slice_trim(slice_sub(item, 0, semi)), "application/json"))
                return true;
        }
    return false;
}

bool metadata_service_local(struct worker *w, struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    struct slice path, query;
    struct diag d = {0};
    struct buf instance, out;
    bool has_query;
    http_target_split(h->target, &path, &query, &has_query);
    if (!slice_eq_str(h->method, "GET") || !slice_eq_str(path, "/listClients"))
        return false;
    if (globalconf_check_valid(w->snap->gc, loop_wall_ms(w->loop), &d) != 0) {
        http_reply(x, 500, "text/plain; charset=UTF-8", SLICE_NONE, slice_str(d.text));
        return true;
    }
    buf_init(&instance, 256);
    buf_init(&out, LIST_MAX);
    if (!has_query || !http_query_get(query, "xRoadInstance", &instance))
        buf_slice(&instance, globalconf_instance(w->snap->gc));
    bool json = wants_json(h);
    if (!globalconf_has_instance(w->snap->gc, buf_view(&instance), loop_wall_ms(w->loop))) {
        http_reply(x, 404, "text/plain; charset=UTF-8", SLICE_NONE,
                   SLICE_LIT("This X-Road instance is not known here"));
    } else {
        metadata_list_clients(w->snap->gc, buf_view(&instance), json, &out);
        http_reply(x, 200, json ? "application/json; charset=utf-8" : "text/xml; charset=utf-8",
                   SLICE_NONE, buf_view(&out));
    }
    buf_free(&instance);
    buf_free(&out);
    return true;
}

enum metadata_kind metadata_service_kind(const struct rest_request *r)
{
    static const struct {
        const char *code;
        enum metadata_kind kind;
    } codes[] = {{"listMethods", METADATA_LIST_METHODS},
                 {"allowedMethods", METADATA_ALLOWED_METHODS},
                 {"getOpenAPI", METADATA_GET_OPENAPI}};
    if (!slice_eq_str(r->verb, "GET"))
        return METADATA_NONE;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (slice_eq_str(r->service.code, codes[i].code))
            return codes[i].kind;
    return METADATA_NONE;
}

static bool in_local_group(const struct serverconf_client *c, struct slice code,
                           const struct id_client *client)
{
    for (size_t i = 0; i < c->n_groups; i++) {
        if (!slice_eq(c->groups[i].code, code))
            continue;
        for (size_t k = 0; k < c->groups[i].n_members; k++)
            if (id_client_eq(&c->groups[i].members[k], client))
                return true;
    }
    return false;
}

bool metadata_service_subject(const struct globalconf *g, const struct serverconf_service *v,
                              const struct serverconf_right *r, const struct id_client *client)
{
    switch (r->kind) {
    case SERVERCONF_SUBJECT_CLIENT:
        return id_client_eq(&r->client, client);
    case SERVERCONF_SUBJECT_GLOBAL_GROUP:
        return globalconf_in_group(g, r->client.instance, r->group, client);
    case SERVERCONF_SUBJECT_LOCAL_GROUP:
        return in_local_group(v->provider, r->group, client);
    }
    return false;
}

/* Is the endpoint covered by one of the client's rights? */
static bool covered(const struct snapshot *s, const struct serverconf_service *v,
                    const struct serverconf_endpoint *e, const struct id_client *client)
{
    for (size_t i = 0; i < v->n_rights; i++)
        if (acl_covers(v->rights[i].method, v->rights[i].path, e->method, e->path) &&
            metadata_service_subject(s->gc, v, &v->rights[i], client))
            return true;
    return false;
}

static bool has_any_right(const struct snapshot *s, const struct serverconf_service *v,
                          const struct id_client *client)
{
    for (size_t i = 0; i < v->n_rights; i++)
        if (metadata_service_subject(s->gc, v, &v->rights[i], client))
            return true;
    return false;
}

int metadata_service_methods(const struct snapshot *s, const struct rest_request *r, bool allowed,
                             struct buf *out, struct diag *d)
{
    struct arena *a = arena_new(8u << 20);
    struct metadata_service *list =
        a == NULL ? NULL : arena_zalloc(a, s->conf.n_services * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list != NULL && i < s->conf.n_services; i++) {
        const struct serverconf_service *v = &s->conf.services[i];
        if (!id_client_eq(&v->id.provider, &r->service.provider) ||
            (allowed && !has_any_right(s, v, &r->client)))
            continue;
        struct metadata_endpoint *e = arena_alloc(a, v->n_endpoints * sizeof *e);
        struct metadata_service *m = &list[n++];
        *m = (struct metadata_service){.id = v->id, .openapi = v->openapi, .endpoints = e};
        for (size_t k = 0; e != NULL && k < v->n_endpoints; k++)
            if (!allowed || covered(s, v, &v->endpoints[k], &r->client))
                e[m->n++] =
                    (struct metadata_endpoint){v->endpoints[k].method, v->endpoints[k].path};
    }
    bool full = a == NULL || arena_failed(a);
    if (!full)
        metadata_methods(list, n, out);
    arena_free(a);
    return full || out->failed ? diag_set(d, ERR_TOO_LARGE, "the list of services is too large")
                               : 0;
}

int metadata_service_described(const struct snapshot *s, const struct rest_request *r,
                               const struct serverconf_service **out, struct diag *d)
{
    struct buf code;
    buf_init(&code, 1024);
    if (!r->has_query || !http_query_get(r->query, "serviceCode", &code) || code.n == 0) {
        buf_free(&code);
        return diag_set(d, ERR_INVALID_REQUEST, "Missing serviceCode in request");
    }
    struct id_service id = {.provider = r->service.provider, .code = buf_view(&code)};
    *out = serverconf_service(&s->conf, &id);
    int rc = 0;
    if (*out == NULL)
        rc = diag_set(d, ERR_INTERNAL, "Service not found: %s", buf_cstr(&code));
    else if (!(*out)->openapi)
        rc = diag_set(d, ERR_INTERNAL, "Invalid service type: REST");
    buf_free(&code);
    return rc;
}
