/* Socket addresses, and sockets that listen. */
#ifndef SILD_NET_NET_H
#define SILD_NET_NET_H

#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define NET_ADDR_TEXT 128

struct net_addr {
    struct sockaddr_storage sa;
    socklen_t len;
};
/* Numeric IPv4 or IPv6 text and port. ERR_SYNTAX. */
int net_addr_parse(const char *host, uint16_t port, struct net_addr *out) MUST_USE;
/* "127.0.0.1:8080" or "[::1]:8080", as configuration files have it. ERR_SYNTAX with a sentence. */
int net_addr_parse_text(struct slice text, struct net_addr *out, struct diag *d) MUST_USE;
/* Resolves a name, blocking: only where names may be resolved (parent, agent, tools).
 * ERR_UNKNOWN_HOST. */
int net_addr_resolve(const char *host, uint16_t port, struct net_addr *out, size_t max, size_t *n,
                     struct diag *d) MUST_USE;
/* "127.0.1.1:5500", "[::1]:5500", or a UNIX socket's path. NET_ADDR_TEXT is room for all but long
 * paths, which are cut. */
void net_addr_print(const struct net_addr *a, char *out, size_t cap);
/* ERR_TOO_LARGE when the path does not fit (107 bytes). */
int net_addr_unix(const char *path, struct net_addr *out) MUST_USE;

/* Binds and listens (SO_REUSEADDR, SO_REUSEPORT when shared). *fd is the caller's; it does not
 * block and is closed on exec. */
int net_listen(const struct net_addr *a, bool shared, int *fd, struct diag *d) MUST_USE;

#endif
