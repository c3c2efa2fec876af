#include "authority/state_params.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/map.h"
#include "crypto/cert.h"
#include "xroad/trust.h"

#include <string.h>

#define CERT_MAX 65536
#define MEMBERS_MAX (1u << 20)

struct maker {
    const struct state *s;
    struct map *places; /* "CLASS/CODE" to the member among p->members */
    struct arena *a;
    struct params_shared *p;
    int err;
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));
    return v == NULL ? "" : v;
}

static struct slice keep(struct maker *m, const char *text)
{
    return arena_dup(m->a, slice_str(text));
}

static struct slice der_of(struct maker *m, const char *base64)
{
    struct buf b;
    buf_init(&b, CERT_MAX);
    struct slice out = SLICE_NONE;
    struct cert *c = NULL;
    if (base64_decode(&b, slice_str(base64), true) == 0 &&
        (c = cert_parse(buf_view(&b), NULL)) != NULL)
        out = arena_dup(m->a, c->der);
    cert_free(c);
    buf_free(&b);
    return out;
}

static void make_cas(struct maker *m)
{
    const char *name;
    json_t *o;
    m->p->cas = arena_zalloc(m->a, json_object_size(state_table(m->s, "cas")) * sizeof *m->p->cas);
    m->p->tsas =
        arena_zalloc(m->a, json_object_size(state_table(m->s, "tsas")) * sizeof *m->p->tsas);
    if (m->p->cas == NULL || m->p->tsas == NULL)
        return;
    json_object_foreach(state_table(m->s, "cas"), name, o)
    {
        struct params_approved_ca *c = &m->p->cas[m->p->n_cas++];
        struct params_ocsp *ocsp = arena_zalloc(m->a, sizeof *ocsp);
        if (ocsp == NULL)
            return;
        c->name = keep(m, name);
        c->profile = keep(m, trust_profile_class(text_of(o, "profile")));
        c->top.cert = der_of(m, text_of(o, "cert"));
        ocsp->url = keep(m, text_of(o, "ocsp_url"));
        if (text_of(o, "ocsp_cert")[0] != 0)
            ocsp->cert = der_of(m, text_of(o, "ocsp_cert"));
        c->top.ocsp = ocsp;
        c->top.n_ocsp = 1;
    }
    json_object_foreach(state_table(m->s, "tsas"), name, o)
    {
        struct params_tsa *t = &m->p->tsas[m->p->n_tsas++];
        t->name = keep(m, name);
        t->url = keep(m, text_of(o, "url"));
        t->cert = der_of(m, text_of(o, "cert"));
    }
}

static void make_members(struct maker *m)
{
    const char *key, *code;
    json_t *o, *name;
    m->p->members =
        arena_zalloc(m->a, json_object_size(state_table(m->s, "members")) * sizeof *m->p->members);
    json_object_foreach(state_table(m->s, "members"), key, o)
    {
        if (m->p->members == NULL)
            return;
        struct params_member *p = &m->p->members[m->p->n_members++];
        json_t *subs = json_object_get(o, "subsystems");
        const char *slash = strchr(key, '/');
        m->err = m->err != 0 ? m->err : map_put(m->places, slice_str(key), p);
        p->member_class = arena_dup(m->a, slice_of(key, (size_t)(slash - key)));
        p->code = keep(m, slash + 1);
        p->name = keep(m, text_of(o, "name"));
        p->class_description =
            keep(m, text_of(state_table(m->s, "classes"), arena_cstr(m->a, p->member_class)));
        p->sub = arena_zalloc(m->a, json_object_size(subs) * sizeof *p->sub);
        json_object_foreach(subs, code, name)
        {
            if (p->sub != NULL)
                p->sub[p->n_sub++] =
                    (struct params_subsystem){keep(m, code), keep(m, json_string_value(name))};
        }
    }
}

/* Indexes of "CLASS/CODE[/SUB]" in the members made before. */
static struct params_client_ref find_ref(const struct maker *m, const char *id)
{
    const char *first = strchr(id, '/'), *second = first == NULL ? NULL : strchr(first + 1, '/');
    size_t n = second == NULL ? strlen(id) : (size_t)(second - id);
    const struct params_member *p = map_get(m->places, slice_of(id, n));
    struct params_client_ref ref = {-1, -1};
    if (p == NULL)
        return ref;
    ref.member = (int32_t)(p - m->p->members);
    for (size_t k = 0; second != NULL && k < p->n_sub; k++)
        if (slice_eq_str(p->sub[k].code, second + 1))
            ref.sub = (int32_t)k;
    return ref;
}

static void make_server(struct maker *m, const char *key, json_t *o)
{
    struct params_server *v = &m->p->servers[m->p->n_servers++];
    const char *last = strrchr(key, '/');
    json_t *certs = json_object_get(o, "certs"), *clients = json_object_get(o, "clients"), *e;
    size_t i;
    char *owner = arena_cstr(m->a, slice_of(key, (size_t)(last - key)));
    if (owner == NULL)
        return;
    v->owner = find_ref(m, owner).member;
    v->server_code = keep(m, last + 1);
    v->address = keep(m, text_of(o, "address"));
    v->auth_hashes.v = arena_zalloc(m->a, json_array_size(certs) * sizeof *v->auth_hashes.v);
    v->clients = arena_zalloc(m->a, json_array_size(clients) * sizeof *v->clients);
    if (v->auth_hashes.v == NULL || v->clients == NULL)
        return;
    json_array_foreach(certs, i, e)
    {
        struct slice der = der_of(m, json_string_value(e));
        struct digest dg;
        digest_of(DIGEST_SHA256, der, &dg);
        v->auth_hashes.v[v->auth_hashes.n++] = arena_dup(m->a, digest_slice(&dg));
    }
    json_array_foreach(clients, i, e)
    {
        v->clients[v->n_clients++] = find_ref(m, json_string_value(e));
    }
    v->maintenance = json_object_get(o, "maintenance") != NULL;
    v->maintenance_message = keep(m, text_of(o, "maintenance"));
}

static void make_servers(struct maker *m)
{
    const char *key;
    json_t *o;
    m->p->servers =
        arena_zalloc(m->a, json_object_size(state_table(m->s, "servers")) * sizeof *m->p->servers);
    json_object_foreach(state_table(m->s, "servers"), key, o)
    {
        if (m->p->servers != NULL)
            make_server(m, key, o);
    }
}

static void client_id(struct maker *m, const char *text, struct id_client *out)
{
    char *full = arena_printf(m->a, "%s/%s", state_instance(m->s), text);
    if (full == NULL || id_client_from_short(slice_str(full), out) != 0)
        memset(out, 0, sizeof *out);
}

static void make_groups(struct maker *m)
{
    const char *code;
    json_t *o, *e;
    size_t i;
    m->p->groups =
        arena_zalloc(m->a, json_object_size(state_table(m->s, "groups")) * sizeof *m->p->groups);
    json_object_foreach(state_table(m->s, "groups"), code, o)
    {
        if (m->p->groups == NULL)
            return;
        struct params_group *g = &m->p->groups[m->p->n_groups++];
        json_t *members = json_object_get(o, "members");
        g->code = keep(m, code);
        g->description = keep(m, text_of(o, "description"));
        g->members = arena_zalloc(m->a, json_array_size(members) * sizeof *g->members);
        json_array_foreach(members, i, e)
        {
            if (g->members != NULL)
                client_id(m, json_string_value(e), &g->members[g->n_members++]);
        }
    }
}

static void make_classes(struct maker *m)
{
    const char *code;
    json_t *o;
    m->p->classes =
        arena_zalloc(m->a, json_object_size(state_table(m->s, "classes")) * sizeof *m->p->classes);
    json_object_foreach(state_table(m->s, "classes"), code, o)
    {
        if (m->p->classes != NULL)
            m->p->classes[m->p->n_classes++] =
                (struct params_class){keep(m, code), keep(m, json_string_value(o))};
    }
}

static int64_t setting(const struct state *s, const char *key, int64_t fallback)
{
    uint64_t n;
    const char *text = text_of(state_table(s, "settings"), key);
    return slice_u64(slice_str(text), &n) ? (int64_t)n : fallback;
}

int state_params(const struct state *s, struct arena *a, struct params_shared *shared,
                 struct params_private *priv, struct diag *d)
{
    struct maker m = {.s = s, .places = map_new(MEMBERS_MAX, 0), .a = a, .p = shared};
    json_t *settings = state_table(s, "settings");
    memset(shared, 0, sizeof *shared);
    memset(priv, 0, sizeof *priv);
    if (m.places == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the parameters");
    shared->instance = keep(&m, state_instance(s));
    make_cas(&m);
    make_members(&m);
    make_servers(&m);
    map_free(m.places);
    make_groups(&m);
    make_classes(&m);
    shared->ocsp_freshness_s = setting(s, "ocsp_freshness", 3600);
    priv->instance = shared->instance;
    priv->timestamping_s = setting(s, "timestamping", 60);
    priv->reg_address = keep(&m, text_of(settings, "registration_address"));
    client_id(&m, text_of(settings, "management"), &priv->management);
    if (priv->management.member_code.n == 0 || priv->reg_address.n == 0)
        return diag_set(d, ERR_NOT_FOUND,
                        "the settings management and registration_address must be set first");
    return arena_failed(a) || m.err != 0 ? diag_set(d, ERR_NOMEM, "no memory for the parameters")
                                         : 0;
}
