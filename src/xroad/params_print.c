#include "xroad/params.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"
#include "wire/xml.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACES                                                                                 \
    " xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:id=\"http://x-road.eu/xsd/identifiers\">\n"

/* Characters that no XML document can hold make the whole print fail: sticky, as the buffer is. */
static void put_text(struct buf *out, struct slice text)
{
    if (!slice_is_utf8(text))
        out->failed = true;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 && text.p[i] != '\t' && text.p[i] != '\n' && text.p[i] != '\r')
            out->failed = true;
    xml_escape(out, text);
}

static void put(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "<%s>", name);
    put_text(out, text);
    buf_printf(out, "</%s>", name);
}

static void put_if(struct buf *out, const char *name, struct slice text)
{
    if (text.n > 0)
        put(out, name, text);
}

static void put_base64(struct buf *out, const char *name, struct slice bytes)
{
    buf_printf(out, "<%s>", name);
    base64_append(out, bytes);
    buf_printf(out, "</%s>", name);
}

static void put_list(struct buf *out, const char *name, const struct params_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        put_base64(out, name, list->v[i]);
}

static void put_client(struct buf *out, const char *name, const struct id_client *id)
{
    buf_printf(out, "<%s id:objectType=\"%s\">", name,
               id->subsystem.n > 0 ? "SUBSYSTEM" : "MEMBER");
    put(out, "id:xRoadInstance", id->instance);
    put(out, "id:memberClass", id->member_class);
    put(out, "id:memberCode", id->member_code);
    put_if(out, "id:subsystemCode", id->subsystem);
    buf_printf(out, "</%s>", name);
}

/* --- shared parameters --- */

static void put_ca(struct buf *out, const char *name, const struct params_ca *ca, int version)
{
    buf_printf(out, "    <%s>", name);
    put_base64(out, "cert", ca->cert);
    for (size_t i = 0; i < ca->n_ocsp; i++) {
        buf_str(out, "<ocsp>");
        put(out, "url", ca->ocsp[i].url);
        if (ca->ocsp[i].cert.n > 0)
            put_base64(out, "cert", ca->ocsp[i].cert);
        if (version >= 6)
            put_if(out, "costType", ca->ocsp[i].cost_type);
        buf_str(out, "</ocsp>");
    }
    buf_printf(out, "</%s>\n", name);
}

static void put_trust(struct buf *out, const struct params_shared *p, int version)
{
    for (size_t i = 0; version >= 3 && i < p->n_sources; i++) {
        buf_str(out, "  <source>");
        put(out, "address", p->sources[i].address);
        put_list(out, "internalVerificationCert", &p->sources[i].internal_certs);
        put_list(out, "externalVerificationCert", &p->sources[i].external_certs);
        buf_str(out, "</source>\n");
    }
    for (size_t i = 0; i < p->n_cas; i++) {
        const struct params_approved_ca *ca = &p->cas[i];
        buf_str(out, "  <approvedCA>");
        put(out, "name", ca->name);
        put(out, "authenticationOnly", slice_str(ca->authentication_only ? "true" : "false"));
        buf_byte(out, '\n');
        put_ca(out, "topCA", &ca->top, version);
        for (size_t k = 0; k < ca->n_intermediate; k++)
            put_ca(out, "intermediateCA", &ca->intermediate[k], version);
        buf_str(out, "    ");
        put(out, "certificateProfileInfo", ca->profile);
        if (version >= 6)
            put_if(out, "defaultCsrFormat", ca->csr_format);
        buf_str(out, "\n  </approvedCA>\n");
    }
    for (size_t i = 0; i < p->n_tsas; i++) {
        buf_str(out, "  <approvedTSA>");
        put(out, "name", p->tsas[i].name);
        put(out, "url", p->tsas[i].url);
        put_base64(out, "cert", p->tsas[i].cert);
        if (version >= 6)
            put_if(out, "costType", p->tsas[i].cost_type);
        buf_str(out, "</approvedTSA>\n");
    }
}

/* Ids go up in document order: a member, its subsystems, the next member. */
static void put_members(struct buf *out, const struct params_shared *p, int version)
{
    size_t id = 0;
    for (size_t i = 0; i < p->n_members; i++) {
        const struct params_member *m = &p->members[i];
        buf_printf(out, "  <member id=\"id%zu\"><memberClass>", id++);
        put(out, "code", m->member_class);
        put(out, "description", m->class_description);
        buf_str(out, "</memberClass>");
        put(out, "memberCode", m->code);
        put(out, "name", m->name);
        for (size_t k = 0; k < m->n_sub; k++) {
            buf_printf(out, "\n    <subsystem id=\"id%zu\">", id++);
            put(out, "subsystemCode", m->sub[k].code);
            if (version >= 5)
                put_if(out, "subsystemName", m->sub[k].name);
            buf_str(out, "</subsystem>");
        }
        buf_str(out, "</member>\n");
    }
}

static void put_server(struct buf *out, const struct params_server *s, const size_t *first,
                       int version)
{
    buf_printf(out, "  <securityServer><owner>id%zu</owner>", first[s->owner]);
    put(out, "serverCode", s->server_code);
    put_if(out, "address", s->address);
    put_list(out, "authCertHash", &s->auth_hashes);
    for (size_t i = 0; i < s->n_clients; i++) {
        const struct params_client_ref *c = &s->clients[i];
        /* how versions without the element say that a server is in maintenance */
        if (s->maintenance && version < 5 && c->sub >= 0)
            continue;
        buf_printf(out, "<client>id%zu</client>",
                   first[c->member] + (c->sub < 0 ? 0 : (size_t)c->sub + 1));
    }
    if (s->maintenance && version >= 5) {
        buf_str(out, "<inMaintenanceMode>");
        put_if(out, "message", s->maintenance_message);
        buf_str(out, "</inMaintenanceMode>");
    }
    buf_str(out, "</securityServer>\n");
}

static void put_rest(struct buf *out, const struct params_shared *p)
{
    for (size_t i = 0; i < p->n_groups; i++) {
        buf_str(out, "  <globalGroup>");
        put(out, "groupCode", p->groups[i].code);
        put(out, "description", p->groups[i].description);
        for (size_t k = 0; k < p->groups[i].n_members; k++)
            put_client(out, "groupMember", &p->groups[i].members[k]);
        buf_str(out, "</globalGroup>\n");
    }
    buf_str(out, "  <globalSettings>");
    for (size_t i = 0; i < p->n_classes; i++) {
        buf_str(out, "<memberClass>");
        put(out, "code", p->classes[i].code);
        put(out, "description", p->classes[i].description);
        buf_str(out, "</memberClass>");
    }
    buf_printf(out, "<ocspFreshnessSeconds>%lld</ocspFreshnessSeconds></globalSettings>\n",
               (long long)p->ocsp_freshness_s);
}

static bool ref_is_good(const struct params_shared *p, const struct params_client_ref *c)
{
    return c->member >= 0 && (size_t)c->member < p->n_members &&
           (c->sub < 0 || (size_t)c->sub < p->members[c->member].n_sub);
}

/* What the printer relies on, and what the version cannot say. */
static int check(const struct params_shared *p, int version, struct diag *d)
{
    size_t hash = version < 3 ? 20 : 32;
    if (version < PARAMS_VERSION_MIN || version > PARAMS_VERSION_MAX)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF, "there is no version %d", version);
    if (version >= 3 && p->n_sources == 0)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF, "version %d needs a source", version);
    for (size_t i = 0; i < p->n_servers; i++) {
        const struct params_server *s = &p->servers[i];
        const struct params_client_ref owner = {s->owner, -1};
        bool good = ref_is_good(p, &owner);
        for (size_t k = 0; good && k < s->n_clients; k++)
            good = ref_is_good(p, &s->clients[k]);
        if (!good)
            return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                            "server \"%.*s\" refers to a member that is not there",
                            SLICE_ARG(s->server_code));
        for (size_t k = 0; k < s->auth_hashes.n; k++)
            if (s->auth_hashes.v[k].n != hash)
                return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                                "server \"%.*s\" has a certificate hash of %zu bytes, not %zu",
                                SLICE_ARG(s->server_code), s->auth_hashes.v[k].n, hash);
    }
    return 0;
}

int params_shared_print(const struct params_shared *p, int version, struct buf *out, struct diag *d)
{
    int err = check(p, version, d);
    if (err != 0)
        return err;
    struct arena *a = arena_new((p->n_members + 1) * sizeof(size_t));
    size_t *first = a == NULL ? NULL : arena_alloc(a, (p->n_members + 1) * sizeof *first);
    if (first == NULL) {
        arena_free(a);
        return diag_set(d, ERR_NOMEM, "no memory for the parameters");
    }
    first[0] = 0;
    for (size_t i = 0; i < p->n_members; i++)
        first[i + 1] = first[i] + 1 + p->members[i].n_sub;
    buf_str(out, HEAD "<x:conf" NAMESPACES "  ");
    put(out, "instanceIdentifier", p->instance);
    buf_byte(out, '\n');
    put_trust(out, p, version);
    put_members(out, p, version);
    for (size_t i = 0; i < p->n_servers; i++)
        put_server(out, &p->servers[i], first, version);
    put_rest(out, p);
    buf_str(out, "</x:conf>\n");
    arena_free(a);
    if (out->failed)
        return diag_set(d, ERR_MALFORMED_GLOBAL_CONF,
                        "the parameters are too large or hold characters that XML cannot hold");
    return 0;
}

/* --- anchors and private parameters --- */

static void put_anchor(struct buf *out, const struct params_anchor *p)
{
    char time[TIMEVAL_TEXT];
    if (p->generated_ms != 0) {
        timeval_print_iso(p->generated_ms, false, time);
        put(out, "generatedAt", slice_str(time));
    }
    put(out, "instanceIdentifier", p->instance);
    for (size_t i = 0; i < p->n_sources; i++) {
        buf_str(out, "\n  <source>");
        put(out, "downloadURL", p->sources[i].address);
        put_list(out, "verificationCert", &p->sources[i].internal_certs);
        buf_str(out, "</source>");
    }
    buf_byte(out, '\n');
}

void params_anchor_print(const struct params_anchor *p, struct buf *out)
{
    buf_str(out, HEAD "<x:configurationAnchor xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\">");
    put_anchor(out, p);
    buf_str(out, "</x:configurationAnchor>\n");
}

void params_private_print(const struct params_private *p, int version, struct buf *out)
{
    (void)version; /* all versions hold the same */
    buf_str(out, HEAD "<x:conf" NAMESPACES "  ");
    put(out, "instanceIdentifier", p->instance);
    buf_byte(out, '\n');
    for (size_t i = 0; i < p->n_anchors; i++) {
        buf_str(out, "  <configurationAnchor>");
        put_anchor(out, &p->anchors[i]);
        buf_str(out, "  </configurationAnchor>\n");
    }
    buf_str(out, "  <managementService>");
    put(out, "authCertRegServiceAddress", p->reg_address);
    if (p->reg_cert.n > 0)
        put_base64(out, "authCertRegServiceCert", p->reg_cert);
    put_client(out, "managementRequestServiceProviderId", &p->management);
    buf_printf(out,
               "</managementService>\n  <timeStampingIntervalSeconds>%lld"
               "</timeStampingIntervalSeconds>\n</x:conf>\n",
               (long long)p->timestamping_s);
}
