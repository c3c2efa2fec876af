#include "gateway/serverconf.h"
#include "base/base64.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "gateway/peer_version.h"

#include <string.h>

#define S(section, key, kind, repeated, fallback, help)                                            \
    {                                                                                              \
        section, key, kind, repeated, fallback, help                                               \
    }

const struct conf_rule serverconf_rules[] = {
    S("gateway", "server", CONF_TEXT, false, NULL,
      "this security server: INSTANCE/CLASS/CODE/SERVER"),
    S("gateway", "dir", CONF_TEXT, false, ".", "folder of keys, certificates and the message log"),
    S("gateway", "user", CONF_TEXT, false, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
    S("gateway", "anchor", CONF_TEXT, false, "anchor.xml", "the configuration anchor's file"),
    S("gateway", "http", CONF_TEXT, false, "127.0.0.1:8080",
      "where information systems connect by HTTP"),
    S("gateway", "https", CONF_TEXT, false, NULL, "where information systems connect by HTTPS"),
    S("gateway", "peer", CONF_TEXT, false, "0.0.0.0:5500", "where other security servers connect"),
    S("gateway", "ocsp", CONF_TEXT, false, "0.0.0.0:5577", "where they fetch OCSP responses"),
    S("gateway", "health", CONF_TEXT, false, NULL,
      "where /healthz and /metrics are served, or off; port 4002 of http's loopback address, or of "
      "127.0.0.1, unless told"),
    S("gateway", "peer_port", CONF_NUMBER, false, "5500", "port of other security servers"),
    S("gateway", "ocsp_port", CONF_NUMBER, false, "5577", "their port for OCSP responses"),
    S("gateway", "workers", CONF_NUMBER, false, "2", "worker processes, one a core"),
    S("gateway", "config_interval", CONF_DURATION, false, "60s",
      "how often the global configuration is fetched"),
    S("gateway", "peer_timeout", CONF_DURATION, false, "5m",
      "longest wait for another security server's next bytes"),
    S("gateway", "federations", CONF_TEXT, false, "none",
      "federated instances that are known too: none, all, or a comma list"),
    S("gateway", "min_peer_version", CONF_TEXT, false, NULL,
      "oldest X-Road version of a client that is served"),
    S("gateway", "require_logged_configuration", CONF_BOOL, false, "no",
      "take no global configuration without the proof that it is in the ledger; wants [ledger] "
      "policy"),
    S("key", "use", CONF_TEXT, false, NULL, "authentication or signing"),
    S("key", "member", CONF_TEXT, false, NULL, "owner of a signing key: INSTANCE/CLASS/CODE"),
    S("key", "certificate", CONF_TEXT, false, NULL, "its certificate's file, DER or PEM"),
    S("log", "time_stamping", CONF_TEXT, true, NULL,
      "URL of a time-stamping authority, tried in order"),
    S("log", "stamp_interval", CONF_DURATION, false, "0s",
      "time between stamps, less when 4096 records wait; 0s: as the global configuration says"),
    S("log", "stamp_failure", CONF_DURATION, false, "4h",
      "stop exchanging when stamping has failed for this long; 0s: never"),
    S("log", "min_free", CONF_SIZE, false, "64M",
      "take no new message while less than this is free on the log's disk; 0: until it is full"),
    S("log", "body_max", CONF_SIZE, false, "10M",
      "largest body that is kept where a service keeps bodies"),
    S("log", "owner_key", CONF_TEXT, false, NULL,
      "public key (X25519, PEM or DER) that kept bodies are sealed to"),
    S("client", "status", CONF_TEXT, false, "registered", "registered, or disabled"),
    S("client", "connection", CONF_TEXT, false, "http", "http, https, or https-certificate"),
    S("client", "certificate", CONF_TEXT, true, NULL,
      "certificate of one of its information systems"),
    S("service", "type", CONF_TEXT, false, "REST", "REST or OPENAPI3"),
    S("service", "url", CONF_TEXT, true, NULL, "base address of the provider, tried in order"),
    S("service", "description", CONF_TEXT, false, NULL, "URL of its OpenAPI description"),
    S("service", "timeout", CONF_DURATION, false, "60s", "longest wait for the provider's answer"),
    S("service", "verify_tls", CONF_BOOL, false, "yes",
      "an https provider must show one of tls_certificate"),
    S("service", "tls_certificate", CONF_TEXT, true, NULL, "certificate of the provider's server"),
    S("service", "keep_bodies", CONF_BOOL, false, "no", "keep bodies in the message log, sealed"),
    S("service", "disabled", CONF_TEXT, false, NULL, "refuse calls, with this notice"),
    S("service", "endpoint", CONF_TEXT, true, NULL, "METHOD PATH, listed by listMethods"),
    S("service", "allow", CONF_TEXT, true, NULL,
      "SUBJECT [METHOD PATH]; a subject is a client's id, global:INSTANCE/GROUP or local:GROUP"),
    S("group", "member", CONF_TEXT, true, NULL,
      "a client's id; the section is [group PROVIDER GROUP]"),
    SUBMIT_RULES,
};
const size_t serverconf_rule_count = ARRAY_LEN(serverconf_rules);

struct builder {
    struct arena *a;
    struct conf conf;
    serverconf_load load;
    void *ctx;
    struct serverconf *out;
    struct diag *d;
    conf_tell tell; /* NULL: the first error ends it */
    void *tell_ctx;
};

static int bad(struct builder *b, unsigned line, const char *what, struct slice value)
{
    diag_set(b->d, ERR_MALFORMED_SERVER_CONF, "%s: %.*s", what, SLICE_ARG(value));
    diag_where(b->d, "line %u", line);
    return ERR_MALFORMED_SERVER_CONF;
}

/* A file's bytes: inlined as "base64:…", or loaded where files may be read. */
static int content(struct builder *b, struct slice name, unsigned line, struct slice *out)
{
    if (slice_starts(name, "base64:")) {
        struct buf t;
        buf_init(&t, name.n);
        int rc = base64_decode(&t, slice_from(name, 7), false);
        *out = arena_dup(b->a, buf_view(&t));
        buf_free(&t);
        return rc == 0 ? 0 : bad(b, line, "not base64", slice_sub(name, 0, 40));
    }
    if (b->load == NULL)
        return bad(b, line, "a file that is not inlined", name);
    int rc = b->load(b->ctx, arena_cstr(b->a, name), out, b->d);
    if (rc != 0)
        diag_where(b->d, "line %u", line);
    return rc;
}

/* The same, as a certificate's DER. */
static int certificate(struct builder *b, struct slice name, unsigned line, struct slice *der)
{
    struct slice bytes;
    int rc = content(b, name, line, &bytes);
    if (rc != 0)
        return rc;
    struct cert *c = cert_parse(bytes, b->d);
    if (c == NULL)
        return bad(b, line, "not a certificate", slice_sub(name, 0, 60));
    *der = arena_dup(b->a, c->der);
    cert_free(c);
    return 0;
}

static int certificates(struct builder *b, const struct conf_section *s, const char *key,
                        struct slice **out, size_t *n)
{
    size_t count = 0;
    for (const struct conf_entry *e = NULL; (e = conf_each(s, key, e)) != NULL;)
        count++;
    *out = arena_zalloc(b->a, count * sizeof **out);
    *n = 0;
    for (const struct conf_entry *e = NULL; *out != NULL && (e = conf_each(s, key, e)) != NULL;) {
        int rc = certificate(b, e->value, e->line, &(*out)[(*n)++]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_gateway(struct builder *b)
{
    struct serverconf *o = b->out;
    const struct conf *c = &b->conf;
    const struct conf_section *s = conf_find(c, "gateway", "");
    if (s == NULL)
        return diag_set(b->d, ERR_MALFORMED_SERVER_CONF, "there is no [gateway] section");
    struct slice server = conf_text(c, s, "server");
    if (id_server_from_short(server, &o->server) != 0)
        return bad(b, s->line, "server must be INSTANCE/CLASS/CODE/SERVER", server);
    o->owner = (struct id_client){o->server.instance, o->server.member_class, o->server.member_code,
                                  SLICE_NONE};
    o->dir = conf_text(c, s, "dir");
    o->user = conf_text(c, s, "user");
    o->anchor = conf_text(c, s, "anchor");
    o->http = conf_text(c, s, "http");
    o->https = conf_text(c, s, "https");
    o->peer = conf_text(c, s, "peer");
    o->ocsp = conf_text(c, s, "ocsp");
    o->health = conf_text(c, s, "health");
    struct peer_version oldest;
    o->federations = conf_text(c, s, "federations");
    o->min_peer_version = conf_text(c, s, "min_peer_version");
    if (o->min_peer_version.n > 0 && !peer_version_parse(o->min_peer_version, &oldest))
        return bad(b, s->line, "min_peer_version must be like 7.6.0", o->min_peer_version);
    o->peer_timeout_ms = conf_number(c, s, "peer_timeout");
    o->config_interval_ms = conf_number(c, s, "config_interval");
    int64_t peer_port = conf_number(c, s, "peer_port"), ocsp_port = conf_number(c, s, "ocsp_port");
    int64_t workers = conf_number(c, s, "workers");
    if (peer_port < 1 || peer_port > 65535 || ocsp_port < 1 || ocsp_port > 65535)
        return bad(b, s->line, "a port is 1 to 65535", server);
    if (workers < 1 || workers > 16)
        return bad(b, s->line, "workers must be 1 to 16", server);
    o->peer_port = (uint16_t)peer_port;
    o->ocsp_port = (uint16_t)ocsp_port;
    o->workers = (int)workers;
    return 0;
}

static int read_log(struct builder *b)
{
    struct serverconf *o = b->out;
    const struct conf_section *s = conf_find(&b->conf, "log", "");
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "time_stamping", e)) != NULL;) {
        struct http_url url;
        if (o->n_tsas == SERVERCONF_TSAS_MAX)
            return bad(b, e->line, "too many time-stamping authorities", e->value);
        if (http_url_parse(e->value, &url) != 0)
            return bad(b, e->line, "not an http or https URL", e->value);
        o->tsa[o->n_tsas++] = e->value;
    }
    o->stamp_interval_ms = conf_number(&b->conf, s, "stamp_interval");
    o->stamp_failure_ms = conf_number(&b->conf, s, "stamp_failure");
    o->min_free = (uint64_t)conf_number(&b->conf, s, "min_free");
    o->body_max = (uint64_t)conf_number(&b->conf, s, "body_max");
    const struct conf_entry *key = conf_each(s, "owner_key", NULL);
    return key == NULL ? 0 : content(b, key->value, key->line, &o->log_owner);
}

static int read_ledger(struct builder *b)
{
    struct serverconf *o = b->out;
    const struct conf_section *s = conf_find(&b->conf, "ledger", "");
    const struct conf_entry *policy = conf_each(s, "policy", NULL);
    struct buf origin;
    buf_init(&origin, 2048);
    id_server_short(&origin, &o->server);
    buf_str(&origin, "/messages");
    int rc = submit_conf_read(&b->conf, arena_dup(b->a, buf_view(&origin)), &o->ledger, b->d);
    buf_free(&origin);
    if (rc != 0) {
        b->d->code = ERR_MALFORMED_SERVER_CONF;
        return ERR_MALFORMED_SERVER_CONF;
    }
    rc = policy == NULL ? 0 : content(b, policy->value, policy->line, &o->ledger_policy);
    s = conf_find(&b->conf, "gateway", "");
    o->require_logged = conf_number(&b->conf, s, "require_logged_configuration") != 0;
    if (rc == 0 && o->require_logged && o->ledger_policy.n == 0)
        return bad(b, s == NULL ? 0 : s->line, "[ledger] policy is missing, which this wants",
                   SLICE_LIT("require_logged_configuration"));
    return rc;
}

static int read_key(struct builder *b, const struct conf_section *s)
{
    struct serverconf *o = b->out;
    if (o->n_keys == SERVERCONF_KEYS_MAX)
        return bad(b, s->line, "too many keys", s->name);
    struct serverconf_key *k = &o->keys[o->n_keys++];
    struct slice use = conf_text(&b->conf, s, "use"), member = conf_text(&b->conf, s, "member");
    k->name = s->name;
    k->signing = slice_eq_str(use, "signing");
    if (!k->signing && !slice_eq_str(use, "authentication"))
        return bad(b, s->line, "a key's use is authentication or signing", use);
    if (k->signing && (id_client_from_short(member, &k->member) != 0 || k->member.subsystem.n > 0))
        return bad(b, s->line, "a signing key wants member = INSTANCE/CLASS/CODE", member);
    const struct conf_entry *cert = conf_each(s, "certificate", NULL);
    if (cert == NULL)
        return 0;
    int rc = certificate(b, cert->value, cert->line, &k->cert);
    return rc == ERR_NOT_FOUND ? 0 : rc; /* the key waits for its certificate */
}

static int read_client(struct builder *b, const struct conf_section *s)
{
    static const struct {
        const char *text;
        enum serverconf_connection value;
    } kinds[] = {{"http", SERVERCONF_HTTP},
                 {"https", SERVERCONF_HTTPS},
                 {"https-certificate", SERVERCONF_MUTUAL}};
    struct serverconf_client *c = &b->out->clients[b->out->n_clients++];
    if (id_client_from_short(s->name, &c->id) != 0)
        return bad(b, s->line, "a client is INSTANCE/CLASS/CODE[/SUBSYSTEM]", s->name);
    struct slice how = conf_text(&b->conf, s, "connection");
    size_t i = 0;
    while (i < ARRAY_LEN(kinds) && !slice_eq_str(how, kinds[i].text))
        i++;
    if (i == ARRAY_LEN(kinds))
        return bad(b, s->line, "connection is http, https or https-certificate", how);
    c->connection = kinds[i].value;
    c->registered = slice_eq_str(conf_text(&b->conf, s, "status"), "registered");
    return certificates(b, s, "certificate", &c->certs, &c->n_certs);
}

/* "METHOD PATH" at the front of the rest of a value. */
static bool method_and_path(struct slice text, struct slice *method, struct slice *path)
{
    size_t blank = slice_find(text, ' ');
    if (blank == SIZE_MAX)
        return false;
    *method = slice_sub(text, 0, blank);
    *path = slice_trim(slice_from(text, blank));
    return method->n > 0 && path->n > 0 && slice_find(*path, ' ') == SIZE_MAX;
}

static int read_right(struct builder *b, const struct conf_entry *e, struct serverconf_right *r)
{
    struct slice v = e->value;
    size_t blank = slice_find(v, ' ');
    struct slice subject = slice_sub(v, 0, blank == SIZE_MAX ? v.n : blank);
    struct slice rest = slice_trim(slice_from(v, subject.n));
    r->method = SLICE_LIT("*");
    r->path = SLICE_LIT("**");
    if (rest.n > 0 && !method_and_path(rest, &r->method, &r->path))
        return bad(b, e->line, "expected SUBJECT [METHOD PATH]", v);
    if (slice_starts(subject, "local:")) {
        r->kind = SERVERCONF_SUBJECT_LOCAL_GROUP;
        r->group = slice_from(subject, 6);
        return r->group.n > 0 ? 0 : bad(b, e->line, "a local group without a name", v);
    }
    if (slice_starts(subject, "global:")) {
        struct slice s = slice_from(subject, 7);
        r->kind = SERVERCONF_SUBJECT_GLOBAL_GROUP;
        bool ok = slice_next(&s, '/', &r->client.instance) && slice_next(&s, '/', &r->group) &&
                  s.p == NULL && r->group.n > 0;
        return ok ? 0 : bad(b, e->line, "a global group is global:INSTANCE/GROUP", v);
    }
    r->kind = SERVERCONF_SUBJECT_CLIENT;
    if (id_client_from_short(subject, &r->client) != 0)
        return bad(b, e->line, "the subject is no client's id and no group", subject);
    return 0;
}

static size_t count(const struct conf_section *s, const char *key)
{
    size_t n = 0;
    for (const struct conf_entry *e = NULL; (e = conf_each(s, key, e)) != NULL;)
        n++;
    return n;
}

static int read_rights(struct builder *b, const struct conf_section *s,
                       struct serverconf_service *v)
{
    v->rights = arena_zalloc(b->a, count(s, "allow") * sizeof *v->rights);
    v->endpoints = arena_zalloc(b->a, count(s, "endpoint") * sizeof *v->endpoints);
    if (v->rights == NULL || v->endpoints == NULL)
        return diag_set(b->d, ERR_NOMEM, "no memory for access rights");
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "allow", e)) != NULL;) {
        int rc = read_right(b, e, &v->rights[v->n_rights++]);
        if (rc != 0)
            return rc;
    }
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "endpoint", e)) != NULL;) {
        struct serverconf_endpoint *p = &v->endpoints[v->n_endpoints++];
        if (!method_and_path(e->value, &p->method, &p->path))
            return bad(b, e->line, "an endpoint is METHOD PATH", e->value);
    }
    return 0;
}

static int read_service(struct builder *b, const struct conf_section *s)
{
    struct serverconf_service *v = &b->out->services[b->out->n_services++];
    const struct conf *c = &b->conf;
    if (id_service_from_short(s->name, &v->id) != 0)
        return bad(b, s->line, "a service is INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE", s->name);
    struct slice type = conf_text(c, s, "type");
    v->openapi = slice_eq_str(type, "OPENAPI3");
    if (!v->openapi && !slice_eq_str(type, "REST"))
        return bad(b, s->line, "a service's type is REST or OPENAPI3", type);
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "url", e)) != NULL;) {
        if (v->n_urls == SERVERCONF_URLS_MAX)
            return bad(b, e->line, "too many addresses of one service", e->value);
        if (http_url_parse(e->value, &v->parsed[v->n_urls]) != 0)
            return bad(b, e->line, "not an http or https URL", e->value);
        v->url[v->n_urls++] = e->value;
    }
    v->description = conf_text(c, s, "description");
    v->timeout_ms = conf_number(c, s, "timeout");
    v->verify_tls = conf_number(c, s, "verify_tls") != 0;
    v->keep_bodies = conf_number(c, s, "keep_bodies") != 0;
    v->disabled_notice = conf_text(c, s, "disabled");
    v->disabled = v->disabled_notice.p != NULL;
    v->provider = serverconf_client(b->out, &v->id.provider);
    if (v->provider == NULL)
        return bad(b, s->line, "the service's provider has no [client] section", s->name);
    int rc = certificates(b, s, "tls_certificate", &v->tls_certs, &v->n_tls_certs);
    return rc != 0 ? rc : read_rights(b, s, v);
}

static int read_group(struct builder *b, const struct conf_section *s, struct serverconf_client *c)
{
    struct serverconf_local_group *g = &c->groups[c->n_groups++];
    size_t blank = slice_find(s->name, ' ');
    g->code = slice_trim(slice_from(s->name, blank));
    g->members = arena_zalloc(b->a, count(s, "member") * sizeof *g->members);
    if (g->members == NULL)
        return diag_set(b->d, ERR_NOMEM, "no memory for a group");
    for (const struct conf_entry *e = NULL; (e = conf_each(s, "member", e)) != NULL;)
        if (id_client_from_short(e->value, &g->members[g->n_members++]) != 0)
            return bad(b, e->line, "not a client's id", e->value);
    return 0;
}

static bool group_is_of(const struct conf_section *s, const struct serverconf_client *c)
{
    struct id_client id;
    size_t blank = slice_find(s->name, ' ');
    return blank != SIZE_MAX && id_client_from_short(slice_sub(s->name, 0, blank), &id) == 0 &&
           id_client_eq(&id, &c->id);
}

static size_t sections(const struct conf *c, const char *kind)
{
    size_t n = 0;
    for (const struct conf_section *s = c->sections; s != NULL; s = s->next)
        n += slice_eq_str(s->kind, kind);
    return n;
}

static int read_groups(struct builder *b)
{
    size_t total = sections(&b->conf, "group"), placed = 0;
    for (size_t i = 0; i < b->out->n_clients; i++) {
        struct serverconf_client *c = &b->out->clients[i];
        c->groups = arena_zalloc(b->a, total * sizeof *c->groups);
        if (c->groups == NULL)
            return diag_set(b->d, ERR_NOMEM, "no memory for groups");
        for (const struct conf_section *s = b->conf.sections; s != NULL; s = s->next) {
            if (!slice_eq_str(s->kind, "group") || !group_is_of(s, c))
                continue;
            placed++;
            int rc = read_group(b, s, c);
            if (rc != 0)
                return rc;
        }
    }
    if (placed != total)
        return diag_set(b->d, ERR_MALFORMED_SERVER_CONF,
                        "a [group PROVIDER GROUP] section names no [client]");
    return 0;
}

/* Tells what was wrong, when somebody wants to hear all of it. */
static int go_on(struct builder *b, int rc)
{
    if (rc == 0 || b->tell == NULL)
        return rc;
    b->tell(b->tell_ctx, b->d);
    return 0;
}

static int each(struct builder *b, const char *kind,
                int (*read)(struct builder *, const struct conf_section *))
{
    for (const struct conf_section *s = b->conf.sections; s != NULL; s = s->next) {
        if (!slice_eq_str(s->kind, kind))
            continue;
        int rc = go_on(b, read(b, s));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int build(struct builder *b);

int serverconf_parse(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                     struct serverconf *out, struct diag *d)
{
    struct builder b = {.a = a, .load = load, .ctx = ctx, .out = out, .d = d};
    memset(out, 0, sizeof *out);
    int rc = conf_parse(a, text, serverconf_rules, serverconf_rule_count, &b.conf, d);
    if (rc != 0)
        return rc;
    return rc != 0 ? rc : build(&b);
}

int serverconf_check(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                     struct serverconf *out, conf_tell tell, void *tell_ctx)
{
    struct diag d = {0};
    struct builder b = {
        .a = a, .load = load, .ctx = ctx, .out = out, .d = &d, .tell = tell, .tell_ctx = tell_ctx};
    memset(out, 0, sizeof *out);
    int rc =
        conf_parse_all(a, text, serverconf_rules, serverconf_rule_count, &b.conf, tell, tell_ctx);
    return rc != 0 && rc != ERR_SYNTAX ? rc : build(&b);
}

static int build(struct builder *b)
{
    struct serverconf *out = b->out;
    out->clients = arena_zalloc(b->a, sections(&b->conf, "client") * sizeof *out->clients);
    out->services = arena_zalloc(b->a, sections(&b->conf, "service") * sizeof *out->services);
    if (out->clients == NULL || out->services == NULL)
        return diag_set(b->d, ERR_NOMEM, "no memory for the configuration");
    int rc = go_on(b, read_gateway(b));
    rc = rc != 0 ? rc : go_on(b, read_log(b));
    rc = rc != 0 ? rc : go_on(b, read_ledger(b));
    rc = rc != 0 ? rc : each(b, "key", read_key);
    rc = rc != 0 ? rc : each(b, "client", read_client);
    rc = rc != 0 ? rc : each(b, "service", read_service);
    return rc != 0 ? rc : go_on(b, read_groups(b));
}

/* Keys whose value is a file's name. */
static bool names_file(struct slice key)
{
    return slice_eq_str(key, "certificate") || slice_eq_str(key, "tls_certificate") ||
           slice_eq_str(key, "owner_key") || slice_eq_str(key, "policy");
}

int serverconf_inline(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                      struct buf *out, struct diag *d)
{
    struct slice line;
    while (slice_next(&text, '\n', &line)) {
        size_t eq = slice_find(line, '=');
        struct slice key = slice_trim(slice_sub(line, 0, eq == SIZE_MAX ? 0 : eq));
        if (!names_file(key)) {
            buf_slice(out, line);
            buf_byte(out, '\n');
            continue;
        }
        struct slice bytes;
        int rc = load(ctx, arena_cstr(a, slice_trim(slice_from(line, eq + 1))), &bytes, d);
        if (rc == ERR_NOT_FOUND)
            continue; /* serverconf_parse lets only a key's certificate be absent */
        if (rc != 0)
            return rc;
        buf_printf(out, "%.*s = base64:", SLICE_ARG(key));
        base64_append(out, bytes);
        buf_byte(out, '\n');
    }
    return out->failed ? diag_set(d, ERR_TOO_LARGE, "the configuration is too large") : 0;
}

const struct serverconf_client *serverconf_client(const struct serverconf *c,
                                                  const struct id_client *id)
{
    for (size_t i = 0; i < c->n_clients; i++)
        if (id_client_eq(&c->clients[i].id, id))
            return &c->clients[i];
    return NULL;
}

const struct serverconf_service *serverconf_service(const struct serverconf *c,
                                                    const struct id_service *id)
{
    for (size_t i = 0; i < c->n_services; i++)
        if (id_client_eq(&c->services[i].id.provider, &id->provider) &&
            slice_eq(c->services[i].id.code, id->code))
            return &c->services[i];
    return NULL;
}

const struct serverconf_key *serverconf_auth_key(const struct serverconf *c)
{
    for (size_t i = 0; i < c->n_keys; i++)
        if (!c->keys[i].signing && c->keys[i].cert.n > 0)
            return &c->keys[i];
    return NULL;
}
