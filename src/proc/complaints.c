#include "proc/complaints.h"

#include "base/attr.h"
#include "net/net.h"
#include "wire/http.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_CAP 4400

void complaints_add(struct complaints *c, bool warning, unsigned line, const char *fmt, ...)
{
    va_list ap;
    if (c->n == COMPLAINTS_MAX) {
        c->more++;
        return;
    }
    struct complaint *k = &c->at[c->n];
    k->line = line;
    k->warning = warning;
    va_start(ap, fmt);
    vsnprintf(k->text, sizeof k->text, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < c->n; i++)
        if (c->at[i].line == line && strcmp(c->at[i].text, k->text) == 0)
            return; /* two checks found the same */
    c->n++;
}

void complaints_diag(void *ctx, const struct diag *d)
{
    unsigned line = 0;
    const char *where = strstr(d->where, "line ");
    if (where != NULL)
        sscanf(where, "line %u", &line);
    complaints_add(ctx, false, line, "%s", d->text);
}

size_t complaints_errors(const struct complaints *c)
{
    size_t n = c->more;
    for (size_t i = 0; i < c->n; i++)
        n += !c->at[i].warning;
    return n;
}

unsigned complaints_line(const struct conf_section *s, const char *key)
{
    const struct conf_entry *e = conf_each(s, key, NULL);
    return e != NULL ? e->line : s != NULL ? s->line : 0;
}

/* Any port serves to see whether the address is this machine's; the real one may be in use by the
 * role itself. */
void complaints_address(struct complaints *c, unsigned line, const char *key, struct slice text)
{
    struct net_addr a;
    struct diag d = {0};
    if (net_addr_parse_text(text, &a, &d) != 0) {
        complaints_add(c, false, line, "%s: %s", key, d.text);
        return;
    }
    if (a.sa.ss_family == AF_INET)
        ((struct sockaddr_in *)&a.sa)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&a.sa)->sin6_port = 0;
    int fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&a.sa, a.len) != 0 && errno == EADDRNOTAVAIL)
        complaints_add(c, false, line, "%s: this machine has no address %.*s", key,
                       SLICE_ARG(text));
    if (fd >= 0)
        close(fd);
}

void complaints_url(struct complaints *c, unsigned line, struct slice url)
{
    struct http_url u;
    struct net_addr a;
    char host[256];
    size_t n;
    if (http_url_parse(url, &u) != 0)
        complaints_add(c, false, line, "not an http or https URL: %.*s", SLICE_ARG(url));
    else if (!slice_cstr(u.host, host, sizeof host) ||
             (net_addr_parse(host, 1, &a) != 0 && net_addr_resolve(host, 1, &a, 1, &n, NULL) != 0))
        complaints_add(c, true, line, "the host %.*s has no address now", SLICE_ARG(u.host));
}

static void closed(struct complaints *c, unsigned line, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        complaints_add(c, false, line, "%s cannot be looked at: %s", path, strerror(errno));
    else if ((st.st_mode & 077) != 0)
        complaints_add(c, false, line,
                       "%s is open to others than its owner (mode %04o): chmod 600 it", path,
                       (unsigned)st.st_mode & 07777);
    else if (access(path, R_OK) != 0)
        complaints_add(c, false, line, "%s cannot be read by this user: %s", path, strerror(errno));
}

void complaints_folder(struct complaints *c, unsigned line, const char *dir)
{
    char path[PATH_CAP];
    struct stat st;
    if (stat(dir, &st) != 0) {
        complaints_add(c, false, line, "dir: %s: %s", dir, strerror(errno));
        return;
    }
    if (!S_ISDIR(st.st_mode) || access(dir, W_OK | X_OK) != 0)
        complaints_add(c, false, line, "dir: %s is no folder that this user can write in", dir);
    snprintf(path, sizeof path, "%s/seal", dir);
    if (access(path, F_OK) == 0)
        closed(c, line, path);
    snprintf(path, sizeof path, "%s/keys", dir);
    DIR *keys = opendir(path);
    struct dirent *e;
    while (keys != NULL && (e = readdir(keys)) != NULL) {
        snprintf(path, sizeof path, "%s/keys/%s", dir, e->d_name);
        if (slice_ends(slice_str(e->d_name), ".key"))
            closed(c, line, path);
    }
    if (keys != NULL)
        closedir(keys);
}
