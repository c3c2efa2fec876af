#include "wire/http_url.h"

#include "base/err.h"

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits and the marks of names and IPv4 addresses; no escapes, no user part. */
static bool is_name(struct slice host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!is_alnum(host.p[i]) && host.p[i] != '.' && host.p[i] != '-' && host.p[i] != '_')
            return false;
    return host.n > 0;
}

static bool is_ipv6(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!hex && c != ':' && c != '.')
            return false;
    }
    return host.n > 1;
}

static bool is_path(struct slice path)
{
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= ' ' || path.p[i] >= 0x7F || path.p[i] == '#' || path.p[i] == '\\')
            return false;
    return path.n > 0 && path.p[0] == '/';
}

static int port_of(struct slice text, uint16_t *port)
{
    uint64_t n = 0;
    if (text.n > 5 || !slice_u64(text, &n) || n == 0 || n > UINT16_MAX)
        return ERR_SYNTAX;
    *port = (uint16_t)n;
    return 0;
}

int http_url_parse(struct slice url, struct http_url *out)
{
    *out = (struct http_url){.path = SLICE_LIT("/")};
    out->tls = slice_istarts(url, "https://");
    if (!out->tls && !slice_istarts(url, "http://"))
        return ERR_SYNTAX;
    out->port = out->tls ? 443 : 80;
    struct slice rest = slice_from(url, out->tls ? 8 : 7);
    size_t slash = slice_find(rest, '/');
    struct slice authority = slash == SIZE_MAX ? rest : slice_sub(rest, 0, slash);
    if (slash != SIZE_MAX)
        out->path = slice_from(rest, slash);
    if (!is_path(out->path))
        return ERR_SYNTAX;

    bool brackets = slice_starts(authority, "[");
    size_t end = slice_find(authority, brackets ? ']' : ':');
    if (brackets && end == SIZE_MAX)
        return ERR_SYNTAX;
    out->host = slice_sub(authority, brackets ? 1 : 0, brackets ? end - 1 : end);
    if (brackets ? !is_ipv6(out->host) : !is_name(out->host))
        return ERR_SYNTAX;
    struct slice port =
        end == SIZE_MAX ? SLICE_NONE : slice_from(authority, end + (brackets ? 1 : 0));
    if (port.n == 0)
        return 0;
    return port.p[0] == ':' ? port_of(slice_from(port, 1), &out->port) : ERR_SYNTAX;
}
