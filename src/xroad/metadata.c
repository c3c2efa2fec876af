#include "xroad/metadata.h"

#include "base/err.h"
#include "wire/json.h"
#include "wire/xml.h"

#include <stdlib.h>
#include <string.h>

#define OPENAPI_MAX (8u << 20)

/* --- listClients --- */

static void put_element(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "<%s>", name);
    xml_escape(out, text);
    buf_printf(out, "</%s>", name);
}

static const char *type_of(const struct id_client *id)
{
    return id->subsystem.n > 0 ? "SUBSYSTEM" : "MEMBER";
}

static void client_xml(struct buf *out, const struct id_client *id, struct slice member,
                       struct slice subsystem)
{
    buf_printf(out, "    <x:member>\n        <x:id id:objectType=\"%s\">", type_of(id));
    put_element(out, "id:xRoadInstance", id->instance);
    put_element(out, "id:memberClass", id->member_class);
    put_element(out, "id:memberCode", id->member_code);
    if (id->subsystem.n > 0)
        put_element(out, "id:subsystemCode", id->subsystem);
    buf_str(out, "</x:id>\n        ");
    put_element(out, "x:name", member);
    if (subsystem.n > 0)
        put_element(out, "x:subsystemName", subsystem);
    buf_str(out, "\n    </x:member>\n");
}

static void client_json(struct json_out *j, const struct id_client *id, struct slice member,
                        struct slice subsystem)
{
    json_open(j, '{');
    json_key(j, "id");
    json_open(j, '{');
    json_kslice(j, "member_class", id->member_class);
    json_kslice(j, "member_code", id->member_code);
    if (id->subsystem.n > 0)
        json_kslice(j, "subsystem_code", id->subsystem);
    json_kstr(j, "object_type", type_of(id));
    json_kslice(j, "xroad_instance", id->instance);
    json_close(j, '}');
    json_kslice(j, "name", member);
    if (subsystem.n > 0)
        json_kslice(j, "subsystem_name", subsystem);
    json_close(j, '}');
}

void metadata_list_clients(const struct globalconf *g, struct slice instance, bool json,
                           struct buf *out)
{
    struct id_client id;
    struct slice member, subsystem;
    struct json_out j;
    size_t at = 0;
    json_begin(&j, out);
    if (json) {
        json_open(&j, '{');
        json_key(&j, "member");
        json_open(&j, '[');
    } else {
        buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
                     "<x:clientList xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" "
                     "xmlns:id=\"http://x-road.eu/xsd/identifiers\">\n");
    }
    while (globalconf_each_client(g, instance, &at, &id, &member, &subsystem)) {
        if (json)
            client_json(&j, &id, member, subsystem);
        else
            client_xml(out, &id, member, subsystem);
    }
    if (json) {
        json_close(&j, ']');
        json_close(&j, '}');
    } else {
        buf_str(out, "</x:clientList>\n");
    }
}

/* --- listMethods, allowedMethods --- */

static void service_json(struct json_out *j, const struct metadata_service *s)
{
    const struct id_client *p = &s->id.provider;
    json_open(j, '{');
    json_kslice(j, "member_class", p->member_class);
    json_kslice(j, "member_code", p->member_code);
    json_kstr(j, "object_type", "SERVICE");
    json_kslice(j, "service_code", s->id.code);
    json_kstr(j, "service_type", s->openapi ? "OPENAPI" : "REST");
    if (p->subsystem.n > 0)
        json_kslice(j, "subsystem_code", p->subsystem);
    json_kslice(j, "xroad_instance", p->instance);
    json_key(j, "endpoint_list");
    json_open(j, '[');
    for (size_t i = 0; i < s->n; i++) {
        json_open(j, '{');
        json_kslice(j, "method", s->endpoints[i].method);
        json_kslice(j, "path", s->endpoints[i].path);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_close(j, '}');
}

void metadata_methods(const struct metadata_service *s, size_t n, struct buf *out)
{
    struct json_out j;
    json_begin(&j, out);
    json_open(&j, '{');
    json_key(&j, "service");
    json_open(&j, '[');
    for (size_t i = 0; i < n; i++)
        service_json(&j, &s[i]);
    json_close(&j, ']');
    json_close(&j, '}');
}

/* --- getOpenAPI: where a service really lives stays at home --- */

/* The path of a URL; the whole text when it holds variables, which stay as they are. */
static struct slice path_of(struct slice url)
{
    if (slice_find(url, '{') != SIZE_MAX && slice_find(url, '}') != SIZE_MAX)
        return url;
    size_t authority = slice_find_slice(url, SLICE_LIT("://"));
    struct slice path = url;
    if (authority != SIZE_MAX && authority < slice_find(url, '/'))
        path = slice_from(url, authority + 3);
    else if (slice_starts(url, "//"))
        path = slice_from(url, 2);
    if (path.p != url.p) {
        size_t slash = slice_find(path, '/');
        path = slash == SIZE_MAX ? slice_of(path.p, 0) : slice_from(path, slash);
    }
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '?' || path.p[i] == '#')
            return slice_sub(path, 0, i);
    return path;
}

static int bad_version(struct diag *d)
{
    return diag_set(d, ERR_INVALID_RESPONSE,
                    "Incompatible openapi version. Openapi version 3 or greater expected");
}

static int openapi_json(struct slice text, struct buf *out, struct diag *d)
{
    struct diag why = {0};
    json_t *root = json_parse(text, OPENAPI_MAX, &why);
    if (root == NULL)
        return diag_set(d, ERR_INVALID_RESPONSE, "the service description is no JSON: %s",
                        why.text);
    json_t *version = json_object_get(root, "openapi"), *server;
    const char *number = json_string_value(version);
    if (version != NULL && (number == NULL || strncmp(number, "3.", 2) != 0)) {
        json_decref(root);
        return bad_version(d);
    }
    size_t i;
    json_array_foreach(json_object_get(root, "servers"), i, server)
    {
        const char *url = json_string_value(json_object_get(server, "url"));
        if (url == NULL)
            continue;
        struct slice path = path_of(slice_str(url));
        json_object_set_new(server, "url", json_stringn((const char *)path.p, path.n));
    }
    char *printed = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(root);
    if (printed == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a service description");
    buf_str(out, printed);
    free(printed);
    return out->failed ? diag_set(d, ERR_TOO_LARGE, "the service description is too large") : 0;
}

static size_t indent_of(struct slice line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] == ' ')
        n++;
    return n;
}

/* The value of "key:" at the line's start, the key quoted or not; p is NULL when it is another. */
static struct slice yaml_value(struct slice line, const char *key)
{
    static const char *const quotes[] = {"", "\"", "'"};
    struct buf want;
    struct slice value = SLICE_NONE;
    buf_init(&want, 64);
    for (size_t i = 0; i < ARRAY_LEN(quotes) && value.p == NULL; i++) {
        buf_reset(&want);
        buf_printf(&want, "%s%s%s", quotes[i], key, quotes[i]);
        struct slice rest = slice_from(line, want.n);
        while (rest.n > 0 && rest.p[0] == ' ')
            rest = slice_from(rest, 1);
        if (slice_starts(line, buf_cstr(&want)) && slice_starts(rest, ":") &&
            (rest.n == 1 || rest.p[1] == ' '))
            value = slice_trim(slice_from(rest, 1));
    }
    buf_free(&want);
    return value;
}

/* A scalar without its quotes and without a comment behind it. */
static struct slice yaml_scalar(struct slice value)
{
    if (value.n > 0 && (value.p[0] == '"' || value.p[0] == '\'')) {
        struct slice inner = slice_from(value, 1);
        size_t end = slice_find(inner, (char)value.p[0]);
        return end == SIZE_MAX ? inner : slice_sub(inner, 0, end);
    }
    size_t comment = slice_find_slice(value, SLICE_LIT(" #"));
    return slice_trim(comment == SIZE_MAX ? value : slice_sub(value, 0, comment));
}

/* One line inside "servers:". Forms that cannot be read by line are refused, not let through. */
static int yaml_server_line(struct slice line, struct buf *out, struct diag *d)
{
    size_t at = indent_of(line);
    struct slice rest = slice_from(line, at);
    while (slice_starts(rest, "- ")) {
        rest = slice_from(rest, 2);
        while (rest.n > 0 && rest.p[0] == ' ')
            rest = slice_from(rest, 1);
    }
    static const char odd[] = "{[&*!?|>";
    if (rest.n > 0 && memchr(odd, rest.p[0], sizeof odd - 1) != NULL)
        return diag_set(d, ERR_INVALID_RESPONSE,
                        "the servers of the service description are not in plain block style");
    struct slice value = yaml_value(rest, "url");
    if (value.p == NULL) {
        buf_slice(out, line);
        return 0;
    }
    if (value.n == 0 || memchr(odd, value.p[0], sizeof odd - 1) != NULL)
        return diag_set(d, ERR_INVALID_RESPONSE,
                        "a server's url in the service description is not on one line");
    struct slice path = path_of(yaml_scalar(value));
    buf_slice(out, slice_sub(line, 0, line.n - rest.n));
    buf_str(out, "url: \"");
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '"' || path.p[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, path.p[i]);
    }
    buf_byte(out, '"');
    return 0;
}

/* A top-level line: the version is checked, "servers:" opens its block. */
static int yaml_top_line(struct slice line, bool *in_servers, struct diag *d)
{
    struct slice version = yaml_value(line, "openapi"), servers = yaml_value(line, "servers");
    if (version.p != NULL && !slice_starts(yaml_scalar(version), "3."))
        return bad_version(d);
    *in_servers = servers.p != NULL;
    servers = yaml_scalar(servers);
    if (servers.n > 0 && !slice_eq_str(servers, "[]") && servers.p[0] != '#')
        return diag_set(d, ERR_INVALID_RESPONSE,
                        "the servers of the service description are not in plain block style");
    return 0;
}

static int openapi_yaml(struct slice text, struct buf *out, struct diag *d)
{
    struct slice rest = text, line;
    bool in_servers = false;
    if (slice_starts(slice_trim(text), "{"))
        return openapi_json(text, out, d);
    while (slice_next(&rest, '\n', &line)) {
        struct slice bare = line;
        if (bare.n > 0 && bare.p[bare.n - 1] == '\r')
            bare.n--;
        bool blank = slice_trim(bare).n == 0 || bare.p[indent_of(bare)] == '#';
        bool top = !blank && bare.p[0] != ' ' && bare.p[0] != '-';
        int err = top ? yaml_top_line(bare, &in_servers, d) : 0;
        if (err == 0 && in_servers && !top && !blank)
            err = yaml_server_line(bare, out, d);
        else
            buf_slice(out, bare);
        if (err != 0)
            return err;
        buf_slice(out, slice_from(line, bare.n));
        if (rest.p != NULL)
            buf_byte(out, '\n');
    }
    return out->failed ? diag_set(d, ERR_TOO_LARGE, "the service description is too large") : 0;
}

int metadata_openapi(struct slice text, bool json, struct buf *out, struct diag *d)
{
    if (text.n > OPENAPI_MAX)
        return diag_set(d, ERR_INVALID_RESPONSE, "the service description has more than %u bytes",
                        OPENAPI_MAX);
    return json ? openapi_json(text, out, d) : openapi_yaml(text, out, d);
}
