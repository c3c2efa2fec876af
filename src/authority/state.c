#include "authority/state.h"
#include "base/base64.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "wire/json.h"
#include "xroad/trust.h"

#include <stdlib.h>
#include <string.h>

#define CHANGE_MAX 65536
#define TEXT_MAX 1000 /* octets of a name, a description, a URL */

/*
 * The state is one JSON object, so that it can be printed as it is:
 *   classes  {CODE: description}          members {"CLASS/CODE": {name, subsystems: {CODE: name}}}
 *   servers  {"CLASS/CODE/SERVER": {address, certs: [base64], clients: [short id], maintenance?}}
 *   groups   {CODE: {description, members: [short id]}}
 *   cas      {NAME: {cert, profile, ocsp_url, ocsp_cert?, cost?}}   tsas {NAME: {url, cert}}
 *   settings {KEY: value}
 * Objects keep the order of insertion, which is the order in the configuration.
 */
struct state {
    char *instance;
    json_t *j;
    json_t *holders; /* certificate to server: what the servers' lists say, the other way round */
};

#define WORDS_MAX 10
struct words {
    const char *w[WORDS_MAX];
    int n;
};

struct state *state_new(const char *instance)
{
    static const char *const tables[] = {"classes", "members", "servers", "groups",
                                         "cas",     "tsas",    "settings"};
    struct state *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->instance = strdup(instance);
    s->j = json_object();
    s->holders = json_object();
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (json_object_set_new(s->j, tables[i], json_object()) != 0) {
            state_free(s);
            return NULL;
        }
    return s;
}

void state_free(struct state *s)
{
    if (s == NULL)
        return;
    json_decref(s->j);
    json_decref(s->holders);
    free(s->instance);
    free(s);
}

void state_print(const struct state *s, struct buf *out)
{
    char *text = json_dumps(s->j, JSON_INDENT(2));
    if (text != NULL)
        buf_str(out, text);
    free(text);
    buf_byte(out, '\n');
}

json_t *state_table(const struct state *s, const char *name)
{
    return json_object_get(s->j, name);
}

const char *state_instance(const struct state *s)
{
    return s->instance;
}

/* --- checks that verbs share --- */

static int check_part(const char *what, const char *text, struct diag *d)
{
    if (text[0] == 0 || strlen(text) > 255 || !id_part_is_clean(slice_str(text)))
        return diag_set(d, ERR_USAGE,
                        "%s \"%s\" is empty, too long, or has a character that identifiers must "
                        "not have",
                        what, text);
    return 0;
}

/* Names and the like: what an XML document can hold, on one line. */
static int check_text(const char *what, const char *text, bool may_be_empty, struct diag *d)
{
    bool clean = (may_be_empty || text[0] != 0) && strlen(text) <= TEXT_MAX &&
                 strstr(text, "\xEF\xBF\xBE") == NULL && strstr(text, "\xEF\xBF\xBF") == NULL;
    for (const char *p = text; clean && *p != 0; p++)
        clean = (unsigned char)*p >= 0x20 && *p != 0x7F;
    return clean
               ? 0
               : diag_set(d, ERR_USAGE, "the %s is empty, over %d octets, or not one line of text",
                          what, TEXT_MAX);
}

/* A host name or an IP address, without port. */
static int check_address(const char *text, struct diag *d)
{
    if (check_text("address", text, false, d) != 0)
        return ERR_USAGE;
    return strlen(text) <= 255 && strpbrk(text, " \"#%/<>?@[\\]^`{|}") == NULL
               ? 0
               : diag_set(d, ERR_USAGE, "\"%.255s\" is no host name and no IP address", text);
}

static int check_url(const char *text, const char *scheme, const char *other, struct diag *d)
{
    size_t n = strncmp(text, scheme, strlen(scheme)) == 0 ? strlen(scheme)
               : strncmp(text, other, strlen(other)) == 0 ? strlen(other)
                                                          : 0;
    if (check_text("URL", text, false, d) != 0)
        return ERR_USAGE;
    return n > 0 && text[n] != 0 && text[n] != '/' && text[n] != ':' &&
                   strpbrk(text, " \"<>\\^`{|}") == NULL
               ? 0
               : diag_set(d, ERR_USAGE, "\"%.255s\" is no URL that begins with %s", text, scheme);
}

static int need(json_t *where, const char *key, const char *what, json_t **out, struct diag *d)
{
    *out = json_object_get(where, key);
    return *out != NULL ? 0 : diag_set(d, ERR_NOT_FOUND, "there is no %s \"%s\"", what, key);
}

static int need_free(json_t *where, const char *key, const char *what, struct diag *d)
{
    if (json_object_get(where, key) == NULL)
        return 0;
    return diag_set(d, ERR_EXISTS, "%s \"%s\" exists already", what, key);
}

/* "CLASS/CODE" or "CLASS/CODE/SUBSYSTEM" that is registered. */
static int need_client(const struct state *s, const char *id, struct diag *d)
{
    char member[600];
    const char *first = strchr(id, '/'), *second = first == NULL ? NULL : strchr(first + 1, '/');
    json_t *m;
    if (first == NULL || strlen(id) >= sizeof member)
        return diag_set(d, ERR_USAGE, "a client is CLASS/CODE or CLASS/CODE/SUBSYSTEM, not \"%s\"",
                        id);
    snprintf(member, sizeof member, "%.*s", second == NULL ? (int)strlen(id) : (int)(second - id),
             id);
    int rc = need(state_table(s, "members"), member, "member", &m, d);
    if (rc != 0 || second == NULL)
        return rc;
    json_t *sub;
    return need(json_object_get(m, "subsystems"), second + 1, "subsystem", &sub, d);
}

/* A certificate's base64 of DER, that parses; *out is the parsed one when wanted. */
static int need_cert(const char *base64, struct cert **out, struct diag *d)
{
    struct buf der;
    buf_init(&der, CHANGE_MAX);
    int rc = base64_decode(&der, slice_str(base64), true);
    struct cert *c = rc == 0 ? cert_parse(buf_view(&der), d) : NULL;
    buf_free(&der);
    if (c == NULL)
        return diag_set(d, ERR_USAGE, "the file is no certificate, DER or PEM");
    if (out != NULL)
        *out = c;
    else
        cert_free(c);
    return 0;
}

static bool array_has(const json_t *array, const char *text, size_t *at)
{
    size_t i;
    json_t *v;
    json_array_foreach(array, i, v)
    {
        if (strcmp(json_string_value(v), text) != 0)
            continue;
        *at = i;
        return true;
    }
    return false;
}

static int array_add(json_t *array, const char *text, const char *what, struct diag *d)
{
    size_t at;
    if (array_has(array, text, &at))
        return diag_set(d, ERR_EXISTS, "%s is there already", what);
    return json_array_append_new(array, json_string(text)) == 0 ? 0 : ERR_NOMEM;
}

static int array_remove(json_t *array, const char *text, const char *what, struct diag *d)
{
    size_t at;
    if (!array_has(array, text, &at))
        return diag_set(d, ERR_NOT_FOUND, "%s is not there", what);
    return json_array_remove(array, at) == 0 ? 0 : ERR_INTERNAL;
}

static int put(json_t *where, const char *key, json_t *value)
{
    return value != NULL && json_object_set_new(where, key, value) == 0 ? 0 : ERR_NOMEM;
}

/* Is the client still named by a server, a group or a setting? */
static bool in_use(const struct state *s, const char *id)
{
    const char *key;
    json_t *o;
    size_t at;
    json_object_foreach(state_table(s, "servers"), key, o)
    {
        if (array_has(json_object_get(o, "clients"), id, &at))
            return true;
    }
    json_object_foreach(state_table(s, "groups"), key, o)
    {
        if (array_has(json_object_get(o, "members"), id, &at))
            return true;
    }
    const char *management =
        json_string_value(json_object_get(state_table(s, "settings"), "management"));
    return management != NULL && strcmp(management, id) == 0;
}

/* --- the verbs; w->w[0] is the first argument --- */

static int class_add(struct state *s, const struct words *w, struct diag *d)
{
    int rc = check_part("class", w->w[0], d);
    rc = rc != 0 ? rc : check_text("description", w->w[1], false, d);
    rc = rc != 0 ? rc : need_free(state_table(s, "classes"), w->w[0], "class", d);
    return rc != 0 ? rc : put(state_table(s, "classes"), w->w[0], json_string(w->w[1]));
}

static int member_add(struct state *s, const struct words *w, struct diag *d)
{
    char key[600];
    json_t *c;
    int rc = need(state_table(s, "classes"), w->w[0], "class", &c, d);
    rc = rc != 0 ? rc : check_part("member code", w->w[1], d);
    rc = rc != 0 ? rc : check_text("name", w->w[2], false, d);
    if (rc != 0)
        return rc;
    snprintf(key, sizeof key, "%s/%s", w->w[0], w->w[1]);
    rc = need_free(state_table(s, "members"), key, "member", d);
    return rc != 0 ? rc
                   : put(state_table(s, "members"), key,
                         json_pack("{s:s,s:{}}", "name", w->w[2], "subsystems"));
}

static int member_remove(struct state *s, const struct words *w, struct diag *d)
{
    json_t *m;
    const char *key;
    json_t *o;
    size_t n = strlen(w->w[0]);
    int rc = need(state_table(s, "members"), w->w[0], "member", &m, d);
    if (rc != 0)
        return rc;
    if (json_object_size(json_object_get(m, "subsystems")) > 0 || in_use(s, w->w[0]))
        return diag_set(
            d, ERR_EXISTS,
            "member %s still has subsystems, is a client, in a group, or the provider of "
            "management services",
            w->w[0]);
    json_object_foreach(state_table(s, "servers"), key, o)
    {
        if (strncmp(key, w->w[0], n) == 0 && key[n] == '/')
            return diag_set(d, ERR_EXISTS, "member %s still owns server %s", w->w[0], key);
    }
    return json_object_del(state_table(s, "members"), w->w[0]) == 0 ? 0 : ERR_INTERNAL;
}

static int subsystem_add(struct state *s, const struct words *w, struct diag *d)
{
    json_t *m;
    int rc = need(state_table(s, "members"), w->w[0], "member", &m, d);
    rc = rc != 0 ? rc : check_part("subsystem", w->w[1], d);
    rc = rc != 0 ? rc : check_text("name", w->n > 2 ? w->w[2] : "", true, d);
    rc = rc != 0 ? rc : need_free(json_object_get(m, "subsystems"), w->w[1], "subsystem", d);
    return rc != 0 ? rc
                   : put(json_object_get(m, "subsystems"), w->w[1],
                         json_string(w->n > 2 ? w->w[2] : ""));
}

static int subsystem_remove(struct state *s, const struct words *w, struct diag *d)
{
    char id[900];
    json_t *m, *sub;
    int rc = need(state_table(s, "members"), w->w[0], "member", &m, d);
    rc = rc != 0 ? rc : need(json_object_get(m, "subsystems"), w->w[1], "subsystem", &sub, d);
    if (rc != 0)
        return rc;
    snprintf(id, sizeof id, "%s/%s", w->w[0], w->w[1]);
    if (in_use(s, id))
        return diag_set(d, ERR_EXISTS,
                        "subsystem %s is still a client, in a group, or the provider of management "
                        "services",
                        id);
    return json_object_del(json_object_get(m, "subsystems"), w->w[1]) == 0 ? 0 : ERR_INTERNAL;
}

static int server_add(struct state *s, const struct words *w, struct diag *d)
{
    char key[900];
    json_t *m;
    int rc = need(state_table(s, "members"), w->w[0], "member", &m, d);
    rc = rc != 0 ? rc : check_part("server code", w->w[1], d);
    rc = rc != 0 ? rc : check_address(w->w[2], d);
    if (rc != 0)
        return rc;
    snprintf(key, sizeof key, "%s/%s", w->w[0], w->w[1]);
    rc = need_free(state_table(s, "servers"), key, "server", d);
    return rc != 0 ? rc
                   : put(state_table(s, "servers"), key,
                         json_pack("{s:s,s:[],s:[]}", "address", w->w[2], "certs", "clients"));
}

static int server_remove(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v, *cert;
    size_t i;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    if (rc != 0)
        return rc;
    json_array_foreach(json_object_get(v, "certs"), i, cert)
        json_object_del(s->holders, json_string_value(cert));
    return json_object_del(state_table(s, "servers"), w->w[0]) == 0 ? 0 : ERR_INTERNAL;
}

static int server_address(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    rc = rc != 0 ? rc : check_address(w->w[1], d);
    return rc != 0 ? rc : put(v, "address", json_string(w->w[1]));
}

static int maintenance_on(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    rc = rc != 0 ? rc : check_text("message", w->n > 1 ? w->w[1] : "", true, d);
    return rc != 0 ? rc : put(v, "maintenance", json_string(w->n > 1 ? w->w[1] : ""));
}

static int maintenance_off(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    if (rc == 0 && json_object_del(v, "maintenance") != 0)
        rc = diag_set(d, ERR_NOT_FOUND, "server %s is not in maintenance mode", w->w[0]);
    return rc;
}

/* A certificate says which server its holder is: one, then. */
static int need_single(const struct state *s, const char *cert, struct diag *d)
{
    const char *server = json_string_value(json_object_get(s->holders, cert));
    return server == NULL
               ? 0
               : diag_set(d, ERR_EXISTS, "this certificate is registered for server %s already",
                          server);
}

static int cert_change(struct state *s, const struct words *w, bool add, struct diag *d)
{
    json_t *v;
    struct cert *c;
    bool auth = false;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    rc = rc != 0 ? rc : need_cert(w->w[1], &c, d);
    if (rc != 0)
        return rc;
    if (cert_is_authentication(c, &auth, d) != 0 || !auth)
        rc = diag_set(d, ERR_USAGE, "this is no authentication certificate");
    cert_free(c);
    if (rc != 0)
        return rc;
    json_t *certs = json_object_get(v, "certs");
    rc = add ? need_single(s, w->w[1], d) : 0;
    if (rc != 0)
        return rc;
    rc = add ? array_add(certs, w->w[1], "this certificate", d)
             : array_remove(certs, w->w[1], "this certificate", d);
    if (rc != 0)
        return rc;
    return add ? put(s->holders, w->w[1], json_string(w->w[0]))
               : json_object_del(s->holders, w->w[1]);
}

static int cert_add(struct state *s, const struct words *w, struct diag *d)
{
    return cert_change(s, w, true, d);
}

static int cert_remove(struct state *s, const struct words *w, struct diag *d)
{
    return cert_change(s, w, false, d);
}

static int client_add(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v;
    size_t n = strlen(w->w[1]);
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    rc = rc != 0 ? rc : need_client(s, w->w[1], d);
    if (rc == 0 && strncmp(w->w[0], w->w[1], n) == 0 && w->w[0][n] == '/' &&
        strchr(w->w[0] + n + 1, '/') == NULL)
        rc = diag_set(d, ERR_EXISTS, "%s owns the server: an owner is no client of its own",
                      w->w[1]);
    return rc != 0 ? rc : array_add(json_object_get(v, "clients"), w->w[1], "this client", d);
}

static int client_remove(struct state *s, const struct words *w, struct diag *d)
{
    json_t *v;
    int rc = need(state_table(s, "servers"), w->w[0], "server", &v, d);
    return rc != 0 ? rc : array_remove(json_object_get(v, "clients"), w->w[1], "this client", d);
}

static int group_add(struct state *s, const struct words *w, struct diag *d)
{
    int rc = check_part("group", w->w[0], d);
    rc = rc != 0 ? rc : check_text("description", w->w[1], false, d);
    rc = rc != 0 ? rc : need_free(state_table(s, "groups"), w->w[0], "group", d);
    return rc != 0 ? rc
                   : put(state_table(s, "groups"), w->w[0],
                         json_pack("{s:s,s:[]}", "description", w->w[1], "members"));
}

static int group_join(struct state *s, const struct words *w, struct diag *d)
{
    json_t *g;
    int rc = need(state_table(s, "groups"), w->w[0], "group", &g, d);
    rc = rc != 0 ? rc : need_client(s, w->w[1], d);
    return rc != 0 ? rc : array_add(json_object_get(g, "members"), w->w[1], "this client", d);
}

static int group_leave(struct state *s, const struct words *w, struct diag *d)
{
    json_t *g;
    int rc = need(state_table(s, "groups"), w->w[0], "group", &g, d);
    return rc != 0 ? rc : array_remove(json_object_get(g, "members"), w->w[1], "this client", d);
}

static int ca_add(struct state *s, const struct words *w, struct diag *d)
{
    struct cert *c = NULL;
    int rc = check_text("name", w->w[0], false, d);
    rc = rc != 0 ? rc : need_free(state_table(s, "cas"), w->w[0], "certification authority", d);
    rc = rc != 0 ? rc : need_cert(w->w[1], &c, d);
    if (rc == 0 && !c->is_ca)
        rc = diag_set(d, ERR_USAGE, "this is no certificate of a certification authority");
    cert_free(c);
    rc = rc != 0 ? rc : check_url(w->w[3], "http://", "https://", d);
    if (rc == 0 && trust_profile_class(w->w[2]) == NULL)
        rc = diag_set(d, ERR_USAGE, "unknown certificate profile \"%s\"", w->w[2]);
    return rc != 0 ? rc
                   : put(state_table(s, "cas"), w->w[0],
                         json_pack("{s:s,s:s,s:s}", "cert", w->w[1], "profile", w->w[2], "ocsp_url",
                                   w->w[3]));
}

static int ca_ocsp(struct state *s, const struct words *w, struct diag *d)
{
    json_t *c;
    int rc = need(state_table(s, "cas"), w->w[0], "certification authority", &c, d);
    rc = rc != 0 ? rc : need_cert(w->w[1], NULL, d);
    return rc != 0 ? rc : put(c, "ocsp_cert", json_string(w->w[1]));
}

static int ca_remove(struct state *s, const struct words *w, struct diag *d)
{
    json_t *c;
    int rc = need(state_table(s, "cas"), w->w[0], "certification authority", &c, d);
    if (rc != 0)
        return rc;
    return json_object_del(state_table(s, "cas"), w->w[0]) == 0 ? 0 : ERR_INTERNAL;
}

static int tsa_add(struct state *s, const struct words *w, struct diag *d)
{
    int rc = check_text("name", w->w[0], false, d);
    rc = rc != 0 ? rc : check_url(w->w[2], "http://", "https://", d);
    rc = rc != 0 ? rc : need_free(state_table(s, "tsas"), w->w[0], "time-stamping authority", d);
    rc = rc != 0 ? rc : need_cert(w->w[1], NULL, d);
    return rc != 0 ? rc
                   : put(state_table(s, "tsas"), w->w[0],
                         json_pack("{s:s,s:s}", "url", w->w[2], "cert", w->w[1]));
}

static int tsa_remove(struct state *s, const struct words *w, struct diag *d)
{
    json_t *c;
    int rc = need(state_table(s, "tsas"), w->w[0], "time-stamping authority", &c, d);
    if (rc != 0)
        return rc;
    return json_object_del(state_table(s, "tsas"), w->w[0]) == 0 ? 0 : ERR_INTERNAL;
}

static int set_value(struct state *s, const struct words *w, struct diag *d)
{
    uint64_t n;
    bool number = strcmp(w->w[0], "ocsp_freshness") == 0 || strcmp(w->w[0], "timestamping") == 0;
    if (number && (!slice_u64(slice_str(w->w[1]), &n) || n < 1 || n > 1000000))
        return diag_set(d, ERR_USAGE, "%s is a number of seconds", w->w[0]);
    if (strcmp(w->w[0], "management") == 0) {
        int rc = need_client(s, w->w[1], d);
        if (rc != 0)
            return rc;
    } else if (strcmp(w->w[0], "registration_address") == 0) {
        int rc = check_url(w->w[1], "https://", "https://", d);
        if (rc != 0)
            return rc;
    } else if (!number) {
        return diag_set(d, ERR_USAGE, "unknown setting \"%s\"", w->w[0]);
    }
    return put(state_table(s, "settings"), w->w[0], json_string(w->w[1]));
}

const struct state_verb state_verbs[] = {
    {"class", "add", "CLASS DESCRIPTION", 2, 2, -1, "a member class"},
    {"member", "add", "CLASS CODE NAME", 3, 3, -1, "a member"},
    {"member", "remove", "CLASS/CODE", 1, 1, -1, "take a member out"},
    {"subsystem", "add", "CLASS/CODE SUBSYSTEM [NAME]", 2, 3, -1, "a member's subsystem"},
    {"subsystem", "remove", "CLASS/CODE SUBSYSTEM", 2, 2, -1, "take it out"},
    {"server", "add", "CLASS/CODE SERVER ADDRESS", 3, 3, -1, "a security server and its owner"},
    {"server", "address", "CLASS/CODE/SERVER ADDRESS", 2, 2, -1, "its new address"},
    {"server", "remove", "CLASS/CODE/SERVER", 1, 1, -1, "take it out"},
    {"maintenance", "on", "CLASS/CODE/SERVER [MESSAGE]", 1, 2, -1, "announce maintenance"},
    {"maintenance", "off", "CLASS/CODE/SERVER", 1, 1, -1, "it is back"},
    {"cert", "add", "CLASS/CODE/SERVER FILE", 2, 2, 1, "a server's authentication certificate"},
    {"cert", "remove", "CLASS/CODE/SERVER FILE", 2, 2, 1, "no longer valid for it"},
    {"client", "add", "CLASS/CODE/SERVER CLASS/CODE[/SUBSYSTEM]", 2, 2, -1, "register a client"},
    {"client", "remove", "CLASS/CODE/SERVER CLASS/CODE[/SUBSYSTEM]", 2, 2, -1, "unregister it"},
    {"group", "add", "GROUP DESCRIPTION", 2, 2, -1, "a global group"},
    {"group", "join", "GROUP CLASS/CODE[/SUBSYSTEM]", 2, 2, -1, "a client joins"},
    {"group", "leave", "GROUP CLASS/CODE[/SUBSYSTEM]", 2, 2, -1, "a client leaves"},
    {"ca", "add", "NAME FILE PROFILE OCSP-URL", 4, 4, 1, "approve a certification authority"},
    {"ca", "ocsp", "NAME FILE", 2, 2, 1, "certificate of its OCSP responder"},
    {"ca", "remove", "NAME", 1, 1, -1, "no longer approved"},
    {"tsa", "add", "NAME FILE URL", 3, 3, 1, "approve a time-stamping authority"},
    {"tsa", "remove", "NAME", 1, 1, -1, "no longer approved"},
    {"setting", "set", "KEY VALUE", 2, 2, -1,
     "ocsp_freshness, timestamping, management, registration_address"},
};
const size_t state_verb_count = ARRAY_LEN(state_verbs);

static int (*const actions[ARRAY_LEN(state_verbs)])(struct state *, const struct words *,
                                                    struct diag *) = {
    class_add,      member_add,    member_remove,  subsystem_add,   subsystem_remove, server_add,
    server_address, server_remove, maintenance_on, maintenance_off, cert_add,         cert_remove,
    client_add,     client_remove, group_add,      group_join,      group_leave,      ca_add,
    ca_ocsp,        ca_remove,     tsa_add,        tsa_remove,      set_value,
};

const struct state_verb *state_verb_find(const char *noun, const char *verb)
{
    for (size_t i = 0; i < state_verb_count; i++)
        if (strcmp(state_verbs[i].noun, noun) == 0 && strcmp(state_verbs[i].verb, verb) == 0)
            return &state_verbs[i];
    return NULL;
}

int state_apply(struct state *s, struct slice change, struct diag *d)
{
    struct words all = {.n = 0}, args = {.n = 0};
    json_t *j = json_parse(change, 1u << 20, d), *v;
    size_t i;
    bool fit = json_array_size(j) <= WORDS_MAX;
    json_array_foreach(j, i, v)
    {
        fit = fit && json_string_value(v) != NULL;
        if (fit)
            all.w[all.n++] = json_string_value(v);
    }
    const struct state_verb *verb = !fit || all.n < 2 ? NULL : state_verb_find(all.w[0], all.w[1]);
    int rc;
    if (verb == NULL) {
        rc = diag_set(d, ERR_USAGE, "unknown change; see sild authority --help");
    } else if (all.n - 2 < verb->min || all.n - 2 > verb->max) {
        rc = diag_set(d, ERR_USAGE, "%s %s wants %s", verb->noun, verb->verb, verb->args);
    } else {
        memcpy(args.w, all.w + 2, (size_t)(all.n - 2) * sizeof args.w[0]);
        args.n = all.n - 2;
        rc = actions[verb - state_verbs](s, &args, d);
    }
    json_decref(j);
    return rc;
}
