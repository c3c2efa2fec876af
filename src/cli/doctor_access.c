/* May the client use the service, and by which rule? */
#include "base/err.h"
#include "cli/doctor_int.h"
#include "gateway/metadata_service.h"
#include "xroad/acl.h"

#include <stdio.h>
#include <string.h>

struct question {
    struct doctor *d;
    struct id_client client;
    struct id_service service;
    struct doctor_gateway *at, *to; /* of client and service; NULL: not among those examined */
    const struct globalconf *gc;
    char subject[160];
};

static struct doctor_finding *bad(struct question *q, const char *config, const char *what)
{
    struct doctor_finding *f =
        doctor_find_add(q->d, DOCTOR_ACCESS, q->subject, DOCTOR_FAIL, "%s may not use %s: %s",
                        q->d->client, q->d->service, what);
    if (config != NULL)
        doctor_find_since(f, doctor_find_mtime(config));
    return f;
}

static void next_authority(struct question *q, struct doctor_finding *f, const char *words,
                           const struct id_client *id, const struct id_server *at)
{
    if (q->d->dir != NULL && at != NULL)
        doctor_find_next(f,
                         "sild authority %s '%.*s/%.*s/%.*s' '%.*s/%.*s/%.*s' --config "
                         "'%s/authority/authority.conf'",
                         words, SLICE_ARG(at->member_class), SLICE_ARG(at->member_code),
                         SLICE_ARG(at->server_code), SLICE_ARG(id->member_class),
                         SLICE_ARG(id->member_code), SLICE_ARG(id->subsystem), q->d->dir);
    else
        doctor_find_next(f, "# have the authority register it for its gateway");
}

/* Is this party a client of its gateway, for the authority too? Tells when not. */
static bool is_party(struct question *q, const struct id_client *id, struct doctor_gateway *g,
                     const char *what)
{
    char text[300];
    struct globalconf_server servers[16];
    const struct serverconf_client *c = g == NULL ? NULL : serverconf_client(&g->file.conf, id);
    const struct id_server *own = g == NULL ? NULL : &g->file.conf.server;
    if (!globalconf_client_known(q->gc, id)) {
        snprintf(text, sizeof text, "the global configuration does not know the %s", what);
        next_authority(q, bad(q, NULL, text), "client add", id, own);
        return false;
    }
    if (g != NULL && (c == NULL || !c->registered)) {
        snprintf(text, sizeof text, "the %s is %s at %s", what,
                 c == NULL ? "no client" : "a disabled client", g->name);
        struct doctor_finding *f = bad(q, g->config, text);
        doctor_find_next(f, "grep -n -A3 '^.client' '%s'", g->config);
        return false;
    }
    size_t n = globalconf_servers_of(q->gc, id, servers, 16), i = 0;
    while (i < n && own != NULL && !id_server_eq(&servers[i].id, own))
        i++;
    if (n == 0 || (own != NULL && i == n)) {
        snprintf(text, sizeof text, "the %s is registered at no gateway that serves it", what);
        next_authority(q, bad(q, NULL, text), "client add", id, own);
        return false;
    }
    return true;
}

static bool fits(const struct doctor *d, const struct serverconf_right *r, struct slice path)
{
    return (d->method == NULL || acl_method_matches(r->method, slice_str(d->method))) &&
           (d->path == NULL || acl_path_matches(r->path, path));
}

static const char *by_whom(const struct serverconf_right *r)
{
    return r->kind == SERVERCONF_SUBJECT_CLIENT         ? "it"
           : r->kind == SERVERCONF_SUBJECT_GLOBAL_GROUP ? "the global group "
                                                        : "the local group ";
}

/* The right that would do: one of the service's endpoints where it says any, else what was asked.
 */
static void next_right(struct question *q, const struct serverconf_service *v,
                       struct doctor_finding *f, struct slice path)
{
    struct slice method = slice_str(q->d->method == NULL ? "*" : q->d->method);
    if (q->d->path == NULL)
        path = SLICE_LIT("**");
    for (size_t i = v->n_endpoints; i > 0; i--) {
        const struct serverconf_endpoint *e = &v->endpoints[i - 1];
        struct serverconf_right r = {.method = e->method, .path = e->path};
        if (!fits(q->d, &r, path))
            continue;
        method = e->method;
        path = e->path;
    }
    doctor_find_next(f, "sed -i 's|^\\[service %s\\]$|&\\nallow = %s %.*s %.*s|' '%s'",
                     q->d->service, q->d->client, SLICE_ARG(method), SLICE_ARG(path),
                     q->to->config);
    doctor_find_next(f, "sild gateway reload --config '%s'", q->to->config);
}

static void judge_rights(struct question *q, const struct serverconf_service *v)
{
    struct buf path;
    struct diag why = {0};
    buf_init(&path, 16384);
    if (q->d->path != NULL && acl_normalise(slice_str(q->d->path), &path, &why) != 0) {
        bad(q, NULL, why.text);
        buf_free(&path);
        return;
    }
    size_t i = 0;
    while (i < v->n_rights && !(metadata_service_subject(q->gc, v, &v->rights[i], &q->client) &&
                                fits(q->d, &v->rights[i], buf_view(&path))))
        i++;
    if (i < v->n_rights) {
        const struct serverconf_right *r = &v->rights[i];
        doctor_find_add(q->d, DOCTOR_ACCESS, q->subject, DOCTOR_OK,
                        "%s may use %s: rule %zu allows %s%.*s %.*s %.*s", q->d->client,
                        q->d->service, i + 1, by_whom(r), SLICE_ARG(r->group), SLICE_ARG(r->method),
                        SLICE_ARG(r->path));
    } else {
        next_right(q, v,
                   bad(q, q->to->config,
                       v->n_rights == 0 ? "the service has no rule that allows anybody"
                                        : "none of the service's rules fits"),
                   buf_view(&path));
    }
    buf_free(&path);
}

static void judge_service(struct question *q)
{
    const struct serverconf_service *v = serverconf_service(&q->to->file.conf, &q->service);
    char text[300];
    if (v == NULL) {
        struct doctor_finding *f = bad(q, q->to->config, "its gateway has no such service");
        doctor_find_next(f, "grep -n '^.service' '%s'", q->to->config);
    } else if (v->disabled) {
        snprintf(text, sizeof text, "the service is disabled: %.*s", SLICE_ARG(v->disabled_notice));
        struct doctor_finding *f = bad(q, q->to->config, text);
        doctor_find_next(f, "sed -i '\\|^\\[service %s\\]$|,/^\\[/{/^disabled /d}' '%s'",
                         q->d->service, q->to->config);
        doctor_find_next(f, "sild gateway reload --config '%s'", q->to->config);
    } else {
        judge_rights(q, v);
    }
}

static struct doctor_gateway *gateway_of(struct doctor *d, const struct id_client *id)
{
    for (size_t i = 0; i < d->n; i++)
        if (serverconf_client(&d->gateway[i].file.conf, id) != NULL)
            return &d->gateway[i];
    return NULL;
}

void doctor_access(struct doctor *d)
{
    struct question q = {.d = d};
    if (d->client == NULL || d->service == NULL ||
        id_client_from_short(slice_str(d->client), &q.client) != 0 ||
        id_service_from_short(slice_str(d->service), &q.service) != 0)
        return;
    q.at = gateway_of(d, &q.client);
    q.to = gateway_of(d, &q.service.provider);
    q.gc = q.to != NULL   ? q.to->conf
           : q.at != NULL ? q.at->conf
           : d->n > 0     ? d->gateway[0].conf
                          : NULL;
    if (q.gc == NULL)
        return;
    snprintf(q.subject, sizeof q.subject, "%s/%s", q.at == NULL ? "?" : q.at->name,
             q.to == NULL ? "?" : q.to->name);
    if (!is_party(&q, &q.client, q.at, "client") ||
        !is_party(&q, &q.service.provider, q.to, "provider"))
        return;
    if (q.to != NULL)
        judge_service(&q);
    else
        doctor_find_add(d, DOCTOR_ACCESS, q.subject, DOCTOR_OK,
                        "both are registered; the rules are kept by the provider's gateway");
}
