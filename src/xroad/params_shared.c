#include "xroad/params_walk.h"

#include "base/err.h"
#include "base/map.h"

#define IDS_MAX (1u << 20)
#define SECONDS_MAX 1000000000

/* A document being read: its version and the xs:ID values seen so far. */
struct reader {
    struct params_walk w;
    struct map *ids; /* to struct params_client_ref */
    int version;
    struct params_shared *p;
};

/* --- certification services --- */

static struct slice cost_type(struct reader *r, struct params_at *at)
{
    const struct xml_node *e = r->version < 6 ? NULL : params_walk_may(&r->w, at, "costType");
    struct slice s = params_walk_text(&r->w, e);
    if (e != NULL && r->w.err == 0 && !slice_eq_str(s, "FREE") && !slice_eq_str(s, "PAID") &&
        !slice_eq_str(s, "UNDEFINED"))
        params_walk_fail(&r->w, e, "the element must be FREE, PAID or UNDEFINED");
    return s;
}

static void read_ca(struct reader *r, const struct xml_node *e, struct params_ca *ca)
{
    struct params_at at = params_walk_enter(&r->w, e);
    ca->cert = params_walk_cert(&r->w, params_walk_must(&r->w, &at, "cert"));
    ca->n_ocsp = params_walk_count(&at, "ocsp");
    ca->ocsp = params_walk_array(&r->w, ca->n_ocsp, sizeof *ca->ocsp);
    for (size_t i = 0; i < ca->n_ocsp && r->w.err == 0; i++) {
        struct params_ocsp *o = &ca->ocsp[i];
        struct params_at in = params_walk_enter(&r->w, params_walk_must(&r->w, &at, "ocsp"));
        o->url = params_walk_text(&r->w, params_walk_must(&r->w, &in, "url"));
        o->cert = params_walk_cert(&r->w, params_walk_may(&r->w, &in, "cert"));
        o->cost_type = cost_type(r, &in);
        params_walk_close(&r->w, &in);
    }
    params_walk_close(&r->w, &at);
}

/* Checked for its form; certificates are ordered in another way here. */
static void read_acme(struct reader *r, const struct xml_node *e)
{
    if (e == NULL)
        return;
    struct params_at at = params_walk_enter(&r->w, e);
    params_walk_text(&r->w, params_walk_must(&r->w, &at, "directoryURL"));
    params_walk_text(&r->w, params_walk_may(&r->w, &at, "ipAddress"));
    if (r->version >= 4) {
        params_walk_text(&r->w, params_walk_may(&r->w, &at, "authenticationCertificateProfileId"));
        params_walk_text(&r->w, params_walk_may(&r->w, &at, "signingCertificateProfileId"));
    }
    params_walk_close(&r->w, &at);
}

static void read_approved_ca(struct reader *r, const struct xml_node *e,
                             struct params_approved_ca *ca)
{
    struct params_walk *w = &r->w;
    struct params_at at = params_walk_enter(w, e);
    ca->name = params_walk_text(w, params_walk_must(w, &at, "name"));
    ca->authentication_only = params_walk_bool(w, params_walk_may(w, &at, "authenticationOnly"));
    read_ca(r, params_walk_must(w, &at, "topCA"), &ca->top);
    ca->n_intermediate = params_walk_count(&at, "intermediateCA");
    ca->intermediate = params_walk_array(w, ca->n_intermediate, sizeof *ca->intermediate);
    for (size_t i = 0; i < ca->n_intermediate && w->err == 0; i++)
        read_ca(r, params_walk_must(w, &at, "intermediateCA"), &ca->intermediate[i]);
    ca->profile = params_walk_text(w, params_walk_must(w, &at, "certificateProfileInfo"));
    if (r->version >= 6) {
        const struct xml_node *format = params_walk_may(w, &at, "defaultCsrFormat");
        ca->csr_format = params_walk_text(w, format);
        if (format != NULL && w->err == 0 && !slice_eq_str(ca->csr_format, "PEM") &&
            !slice_eq_str(ca->csr_format, "DER"))
            params_walk_fail(w, format, "the element must be PEM or DER");
    }
    if (r->version >= 3)
        read_acme(r, params_walk_may(w, &at, "acmeServer"));
    params_walk_close(w, &at);
}

static void read_tsa(struct reader *r, const struct xml_node *e, struct params_tsa *tsa)
{
    struct params_at at = params_walk_enter(&r->w, e);
    tsa->name = params_walk_text(&r->w, params_walk_must(&r->w, &at, "name"));
    tsa->url = params_walk_text(&r->w, params_walk_must(&r->w, &at, "url"));
    tsa->cert = params_walk_cert(&r->w, params_walk_must(&r->w, &at, "cert"));
    tsa->cost_type = cost_type(r, &at);
    params_walk_close(&r->w, &at);
}

static void read_source(struct reader *r, const struct xml_node *e, struct params_source *s)
{
    struct params_at at = params_walk_enter(&r->w, e);
    s->address = params_walk_text(&r->w, params_walk_must(&r->w, &at, "address"));
    params_walk_certs(&r->w, &at, "internalVerificationCert", &s->internal_certs);
    params_walk_certs(&r->w, &at, "externalVerificationCert", &s->external_certs);
    params_walk_close(&r->w, &at);
}

/* --- members, servers, groups --- */

/* Remembers the xs:ID of a member or subsystem. */
static void remember(struct reader *r, const struct xml_node *e, int32_t member, int32_t sub)
{
    struct slice id = slice_trim(xml_attr(e, "", "id"));
    if (r->w.err != 0 || id.n == 0)
        return;
    if (map_get(r->ids, id) != NULL) {
        params_walk_fail(&r->w, e, "id \"%.*s\" stands twice", SLICE_ARG(slice_sub(id, 0, 40)));
        return;
    }
    struct params_client_ref *ref = params_walk_array(&r->w, 1, sizeof *ref);
    if (ref == NULL)
        return;
    *ref = (struct params_client_ref){member, sub};
    if (map_put(r->ids, arena_dup(r->w.a, id), ref) != 0)
        params_walk_fail(&r->w, e, "there are more than %u ids", IDS_MAX);
}

static struct params_client_ref resolve(struct reader *r, const struct xml_node *e)
{
    static const struct params_client_ref none = {-1, -1};
    struct slice id = slice_trim(params_walk_text(&r->w, e));
    if (r->w.err != 0 || e == NULL)
        return none;
    const struct params_client_ref *ref = map_get(r->ids, id);
    if (ref != NULL)
        return *ref;
    params_walk_fail(&r->w, e, "there is no member or subsystem with id \"%.*s\"",
                     SLICE_ARG(slice_sub(id, 0, 40)));
    return none;
}

static void read_class(struct reader *r, const struct xml_node *e, struct slice *code,
                       struct slice *description)
{
    struct params_at at = params_walk_enter(&r->w, e);
    *code = params_walk_filled(&r->w, params_walk_must(&r->w, &at, "code"));
    *description = params_walk_text(&r->w, params_walk_must(&r->w, &at, "description"));
    params_walk_close(&r->w, &at);
}

static void read_member(struct reader *r, const struct xml_node *e, int32_t index)
{
    struct params_walk *w = &r->w;
    struct params_member *m = &r->p->members[index];
    struct params_at at = params_walk_enter(w, e);
    read_class(r, params_walk_must(w, &at, "memberClass"), &m->member_class, &m->class_description);
    m->code = params_walk_filled(w, params_walk_must(w, &at, "memberCode"));
    m->name = params_walk_text(w, params_walk_must(w, &at, "name"));
    m->n_sub = params_walk_count(&at, "subsystem");
    m->sub = params_walk_array(w, m->n_sub, sizeof *m->sub);
    remember(r, e, index, -1);
    for (size_t i = 0; i < m->n_sub && w->err == 0; i++) {
        const struct xml_node *sub = params_walk_must(w, &at, "subsystem");
        struct params_at in = params_walk_enter(w, sub);
        m->sub[i].code = params_walk_filled(w, params_walk_must(w, &in, "subsystemCode"));
        if (r->version >= 5)
            m->sub[i].name = params_walk_text(w, params_walk_may(w, &in, "subsystemName"));
        params_walk_close(w, &in);
        remember(r, sub, index, (int32_t)i);
    }
    params_walk_close(w, &at);
}

static void read_server(struct reader *r, const struct xml_node *e, struct params_server *s)
{
    struct params_walk *w = &r->w;
    struct params_at at = params_walk_enter(w, e);
    const struct xml_node *owner = params_walk_must(w, &at, "owner");
    struct params_client_ref ref = resolve(r, owner);
    if (w->err == 0 && ref.sub >= 0)
        params_walk_fail(w, owner, "a subsystem cannot own a security server");
    s->owner = ref.member;
    s->server_code = params_walk_filled(w, params_walk_must(w, &at, "serverCode"));
    s->address = slice_trim(params_walk_text(w, params_walk_may(w, &at, "address")));
    params_walk_hashes(w, &at, "authCertHash", &s->auth_hashes);
    s->n_clients = params_walk_count(&at, "client");
    s->clients = params_walk_array(w, s->n_clients, sizeof *s->clients);
    for (size_t i = 0; i < s->n_clients && w->err == 0; i++)
        s->clients[i] = resolve(r, params_walk_must(w, &at, "client"));
    const struct xml_node *pause =
        r->version < 5 ? NULL : params_walk_may(w, &at, "inMaintenanceMode");
    s->maintenance = pause != NULL;
    if (pause != NULL) {
        struct params_at in = params_walk_enter(w, pause);
        s->maintenance_message = params_walk_text(w, params_walk_may(w, &in, "message"));
        params_walk_close(w, &in);
    }
    params_walk_close(w, &at);
}

/*
 * A MEMBER with a subsystem code or a SUBSYSTEM without. The schema lets it pass, and X-Road drops
 * such a group member without a word.
 */
static bool is_mistyped(const struct xml_node *e)
{
    size_t n = 0;
    if (e == NULL)
        return false;
    for (const struct xml_node *c = xml_first_element(e); c != NULL; c = xml_next_element(c))
        n++;
    bool coded = xml_child(e, ID_NS, "subsystemCode") != NULL;
    struct slice type = xml_attr(e, ID_NS, "objectType");
    return (slice_eq_str(type, "MEMBER") && n == 4 && coded) ||
           (slice_eq_str(type, "SUBSYSTEM") && n == 3 && !coded);
}

static void read_group(struct reader *r, const struct xml_node *e, struct params_group *g)
{
    struct params_walk *w = &r->w;
    struct params_at at = params_walk_enter(w, e);
    g->code = params_walk_filled(w, params_walk_must(w, &at, "groupCode"));
    g->description = params_walk_text(w, params_walk_must(w, &at, "description"));
    size_t n = params_walk_count(&at, "groupMember");
    g->members = params_walk_array(w, n, sizeof *g->members);
    for (size_t i = 0; i < n && w->err == 0; i++) {
        const struct xml_node *member = params_walk_must(w, &at, "groupMember");
        if (is_mistyped(member))
            continue;
        params_walk_client(w, member, &g->members[g->n_members++]);
    }
    params_walk_close(w, &at);
}

static void read_settings(struct reader *r, const struct xml_node *e)
{
    struct params_walk *w = &r->w;
    struct params_shared *p = r->p;
    struct params_at at = params_walk_enter(w, e);
    p->n_classes = params_walk_count(&at, "memberClass");
    p->classes = params_walk_array(w, p->n_classes, sizeof *p->classes);
    for (size_t i = 0; i < p->n_classes && w->err == 0; i++)
        read_class(r, params_walk_must(w, &at, "memberClass"), &p->classes[i].code,
                   &p->classes[i].description);
    p->ocsp_freshness_s =
        params_walk_int(w, params_walk_must(w, &at, "ocspFreshnessSeconds"), 0, SECONDS_MAX);
    params_walk_close(w, &at);
}

/* --- the document --- */

/* The document's children are pieces: each is read before the next one is asked for. */
static void read_sources(struct reader *r, struct params_at *at)
{
    struct params_walk *w = &r->w;
    struct params_shared *p = r->p;
    const struct xml_node *e;
    if (r->version < 3)
        return;
    for (e = params_walk_must(w, at, "source"); e != NULL; e = params_walk_may(w, at, "source")) {
        p->sources = params_walk_more(w, p->sources, p->n_sources, sizeof *p->sources);
        if (p->sources != NULL)
            read_source(r, e, &p->sources[p->n_sources++]);
    }
}

static void read_trust(struct reader *r, struct params_at *at)
{
    struct params_walk *w = &r->w;
    struct params_shared *p = r->p;
    const struct xml_node *e;
    while ((e = params_walk_may(w, at, "approvedCA")) != NULL) {
        p->cas = params_walk_more(w, p->cas, p->n_cas, sizeof *p->cas);
        if (p->cas != NULL)
            read_approved_ca(r, e, &p->cas[p->n_cas++]);
    }
    while ((e = params_walk_may(w, at, "approvedTSA")) != NULL) {
        p->tsas = params_walk_more(w, p->tsas, p->n_tsas, sizeof *p->tsas);
        if (p->tsas != NULL)
            read_tsa(r, e, &p->tsas[p->n_tsas++]);
    }
}

static void read_registry(struct reader *r, struct params_at *at)
{
    struct params_walk *w = &r->w;
    struct params_shared *p = r->p;
    const struct xml_node *e;
    while ((e = params_walk_may(w, at, "member")) != NULL) {
        p->members = params_walk_more(w, p->members, p->n_members, sizeof *p->members);
        if (p->members != NULL)
            read_member(r, e, (int32_t)p->n_members++);
    }
    while ((e = params_walk_may(w, at, "securityServer")) != NULL) {
        p->servers = params_walk_more(w, p->servers, p->n_servers, sizeof *p->servers);
        if (p->servers != NULL)
            read_server(r, e, &p->servers[p->n_servers++]);
    }
    while ((e = params_walk_may(w, at, "globalGroup")) != NULL) {
        p->groups = params_walk_more(w, p->groups, p->n_groups, sizeof *p->groups);
        if (p->groups != NULL)
            read_group(r, e, &p->groups[p->n_groups++]);
    }
}

/* sources_only: what comes after them is not looked at. */
static void read_conf(struct reader *r, struct params_at *at, bool sources_only)
{
    struct params_walk *w = &r->w;
    r->p->instance = params_walk_filled(w, params_walk_must(w, at, "instanceIdentifier"));
    read_sources(r, at);
    if (sources_only)
        return;
    read_trust(r, at);
    read_registry(r, at);
    while (params_walk_may(w, at, "centralService") != NULL) {
        /* obsolete, ignored by all readers */
    }
    read_settings(r, params_walk_must(w, at, "globalSettings"));
    if (r->version < 3) {
        params_walk_close(w, at);
        return;
    }
    while (params_walk_any(w, at)) {
        /* beyond the schema; but the document must end well */
    }
}

static int parse(struct arena *a, struct slice xml, int version, bool sources_only,
                 struct params_shared *out, struct diag *d)
{
    struct reader r = {
        .w = {.a = a, .d = d, .code = ERR_MALFORMED_GLOBAL_CONF}, .version = version, .p = out};
    *out = (struct params_shared){.version = version};
    if (version < PARAMS_VERSION_MIN || version > PARAMS_VERSION_MAX)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                        "version %d of the global configuration is not one of %d to %d", version,
                        PARAMS_VERSION_MIN, PARAMS_VERSION_MAX);
    if (xml.n > PARAMS_BYTES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "shared parameters of more than %u bytes",
                        PARAMS_BYTES_MAX);
    r.ids = map_new(IDS_MAX, 0);
    if (r.ids == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the parameters");
    struct params_at at = params_walk_begin(&r.w, xml, "conf");
    read_conf(&r, &at, sources_only);
    params_walk_end(&r.w);
    map_free(r.ids);
    return r.w.err;
}

int params_shared_parse(struct arena *a, struct slice xml, int version, struct params_shared *out,
                        struct diag *d)
{
    return parse(a, xml, version, false, out, d);
}

int params_shared_sources(struct arena *a, struct slice xml, int version, struct params_shared *out,
                          struct diag *d)
{
    return parse(a, xml, version, true, out, d);
}
