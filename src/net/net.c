#include "net/net.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

int net_addr_parse(const char *host, uint16_t port, struct net_addr *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    *out = (struct net_addr){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&out->sa, &v4, sizeof v4);
        out->len = sizeof v4;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&out->sa, &v6, sizeof v6);
        out->len = sizeof v6;
        return 0;
    }
    return ERR_SYNTAX;
}

int net_addr_parse_text(struct slice text, struct net_addr *out, struct diag *d)
{
    char host[256];
    uint64_t port;
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ':')
            colon = i;
    struct slice h = slice_sub(text, 0, colon == SIZE_MAX ? 0 : colon);
    if (h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = slice_sub(h, 1, h.n - 2);
    if (colon == SIZE_MAX || !slice_u64(slice_from(text, colon + 1), &port) || port == 0 ||
        port > 65535 || !slice_cstr(h, host, sizeof host) ||
        net_addr_parse(host, (uint16_t)port, out) != 0)
        return diag_set(d, ERR_SYNTAX, "not an address like 127.0.0.1:8080: %.*s", SLICE_ARG(text));
    return 0;
}

int net_addr_resolve(const char *host, uint16_t port, struct net_addr *out, size_t max, size_t *n,
                     struct diag *d)
{
    char service[8];
    struct addrinfo *list;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    snprintf(service, sizeof service, "%u", port);
    int r = getaddrinfo(host, service, &hints, &list);
    if (r != 0)
        return diag_set(d, ERR_UNKNOWN_HOST, "cannot resolve %s: %s", host, gai_strerror(r));
    *n = 0;
    for (const struct addrinfo *a = list; a != NULL && *n < max; a = a->ai_next) {
        out[*n] = (struct net_addr){.len = a->ai_addrlen};
        memcpy(&out[*n].sa, a->ai_addr, a->ai_addrlen);
        (*n)++;
    }
    freeaddrinfo(list);
    return *n > 0 ? 0 : diag_set(d, ERR_UNKNOWN_HOST, "%s has no address", host);
}

void net_addr_print(const struct net_addr *a, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    switch (a->sa.ss_family) {
    case AF_INET:
        memcpy(&v4, &a->sa, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        snprintf(out, cap, "%s:%u", host, ntohs(v4.sin_port));
        return;
    case AF_INET6:
        memcpy(&v6, &a->sa, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
        snprintf(out, cap, "[%s]:%u", host, ntohs(v6.sin6_port));
        return;
    case AF_UNIX:
        memcpy(&un, &a->sa, sizeof un);
        snprintf(out, cap, "%.*s", (int)sizeof un.sun_path, un.sun_path);
        return;
    default:
        snprintf(out, cap, "unknown address");
    }
}

int net_addr_unix(const char *path, struct net_addr *out)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof un.sun_path)
        return ERR_TOO_LARGE;
    memcpy(un.sun_path, path, n);
    *out = (struct net_addr){.len = sizeof un};
    memcpy(&out->sa, &un, sizeof un);
    return 0;
}

static int listen_fail(const struct net_addr *a, const char *what, int fd, struct diag *d)
{
    char text[NET_ADDR_TEXT];
    int e = errno;
    net_addr_print(a, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return diag_set(d, e == EADDRINUSE ? ERR_EXISTS : ERR_NETWORK, "cannot %s %s: %s", what, text,
                    strerror(e));
}

int net_listen(const struct net_addr *a, bool shared, int *fd, struct diag *d)
{
    const int on = 1;
    int s = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return listen_fail(a, "make a socket for", s, d);
    if (a->sa.ss_family != AF_UNIX) {
        if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
            (shared && setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0))
            return listen_fail(a, "set options for", s, d);
        if (a->sa.ss_family == AF_INET6 &&
            setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
            return listen_fail(a, "set options for", s, d);
    }
    if (bind(s, (const struct sockaddr *)&a->sa, a->len) < 0)
        return listen_fail(a, "bind", s, d);
    if (listen(s, BACKLOG) < 0)
        return listen_fail(a, "listen on", s, d);
    *fd = s;
    return 0;
}
