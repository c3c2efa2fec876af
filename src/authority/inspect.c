/* sild authority inspect: is a distributed configuration good, ours or another's, and what is in
 * it. */
#include "authority/authority.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/timeval.h"
#include "net/http_client.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "xroad/directory.h"
#include "xroad/params.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PART_MAX (32u << 20)
#define ARENA_MAX (256u << 20)
#define FETCH_MS 30000
#define CERTS_MAX 64
#define VERSION_MIN 2
#define VERSION_MAX 6

struct inspection {
    struct arena *a;
    const char *where; /* file or URL of the directory */
    bool could_not;    /* reading failed: nothing is said of what could not be read */
    int64_t at_ms;
    struct directory dir;
    struct params_anchor anchor;
};

static bool is_url(const char *s)
{
    return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0;
}

static int get(struct inspection *n, const char *where, size_t max, struct slice *out,
               struct diag *d)
{
    struct buf b;
    struct http_result r;
    int rc;
    if (!is_url(where)) {
        buf_init(&b, max);
        rc = fs_read(where, &b, d);
        *out = arena_dup(n->a, buf_view(&b));
        buf_free(&b);
        n->could_not = rc != 0 && rc != ERR_TOO_LARGE;
        return rc;
    }
    rc = http_fetch(where, "GET", SLICE_NONE, SLICE_NONE, max, FETCH_MS, &r, d);
    n->could_not = rc != 0 && rc != ERR_TOO_LARGE;
    if (rc != 0)
        return rc;
    *out = arena_dup(n->a, buf_view(&r.body));
    if (r.status != 200) {
        n->could_not = true;
        rc = r.status == 404 ? diag_set(d, ERR_NOT_FOUND, "%s: there is no such file", where)
                             : diag_set(d, ERR_GC_CONNECTION, "%s: status %d", where, r.status);
    }
    http_result_free(&r);
    return rc;
}

/* As X-Road's client asks: the newest version that is there (globalconf.md 3). */
static int get_directory(struct inspection *n, struct slice *out, struct diag *d)
{
    char url[2048];
    int rc = ERR_NOT_FOUND;
    if (!is_url(n->where) || strstr(n->where, "version=") != NULL)
        return get(n, n->where, DIRECTORY_MAX, out, d);
    for (int v = VERSION_MAX; rc == ERR_NOT_FOUND && v >= VERSION_MIN; v--) {
        snprintf(url, sizeof url, "%s%cversion=%d", n->where,
                 strchr(n->where, '?') == NULL ? '?' : '&', v);
        rc = get(n, url, DIRECTORY_MAX, out, d);
    }
    return rc;
}

static struct slice trim_slash(struct slice s)
{
    return slice_starts(s, "/") ? slice_from(s, 1) : s;
}

/* Beside a URL: its origin and the location. Beside a file: the location below a folder above it.
 */
static int find_part(struct inspection *n, const struct directory_part *p, struct slice *out,
                     struct diag *d)
{
    char path[2 * PATH_MAX], base[PATH_MAX];
    int rc = ERR_NOT_FOUND;
    snprintf(base, sizeof base, "%s", n->where);
    if (slice_starts(p->location, "http://") || slice_starts(p->location, "https://")) {
        snprintf(path, sizeof path, "%.*s", SLICE_ARG(p->location));
        return get(n, path, PART_MAX, out, d);
    }
    if (is_url(base)) {
        char *host = strstr(base, "://") + 3;
        host[strcspn(host, "/?")] = 0;
        snprintf(path, sizeof path, "%s/%.*s", base, SLICE_ARG(trim_slash(p->location)));
        return get(n, path, PART_MAX, out, d);
    }
    if (realpath(n->where, base) == NULL)
        return diag_set(d, err_from_errno(errno), "%s: %s", n->where, strerror(errno));
    char *slash = strrchr(base, '/');
    for (int up = 0; rc != 0 && slash != NULL && up < 3; up++) {
        *slash = 0;
        snprintf(path, sizeof path, "%s/%.*s", base, SLICE_ARG(trim_slash(p->location)));
        rc = get(n, path, PART_MAX, out, d);
        slash = strrchr(base, '/');
    }
    return rc;
}

/* A part that is not there makes a configuration bad; one that cannot be asked for does not. */
static int get_part(struct inspection *n, const struct directory_part *p, struct slice *out,
                    struct diag *d)
{
    int rc = find_part(n, p, out, d);
    if (rc != ERR_NOT_FOUND)
        return rc;
    n->could_not = false;
    return diag_set(d, ERR_GC_PART_DOWNLOAD, "the part %.*s is not beside the directory",
                    SLICE_ARG(p->location));
}

static void tell_shared(const struct params_shared *s)
{
    size_t subs = 0, clients = 0;
    for (size_t i = 0; i < s->n_members; i++)
        subs += s->members[i].n_sub;
    for (size_t i = 0; i < s->n_servers; i++)
        clients += s->servers[i].n_clients;
    printf("  members %zu, subsystems %zu, security servers %zu, clients %zu, groups %zu\n",
           s->n_members, subs, s->n_servers, clients, s->n_groups);
    for (size_t i = 0; i < s->n_cas; i++)
        printf("  approved CA %.*s, profile %.*s\n", SLICE_ARG(s->cas[i].name),
               SLICE_ARG(s->cas[i].profile));
    for (size_t i = 0; i < s->n_tsas; i++)
        printf("  approved TSA %.*s at %.*s\n", SLICE_ARG(s->tsas[i].name),
               SLICE_ARG(s->tsas[i].url));
    for (size_t i = 0; i < s->n_servers; i++)
        printf("  security server %.*s at %.*s%s\n", SLICE_ARG(s->servers[i].server_code),
               SLICE_ARG(s->servers[i].address),
               s->servers[i].maintenance ? ", in maintenance" : "");
    printf("  OCSP responses are fresh for %lld s\n", (long long)s->ocsp_freshness_s);
}

static int look_inside(struct inspection *n, const struct directory_part *p, struct slice bytes,
                       struct diag *d)
{
    int rc = 0;
    if (slice_eq_str(p->identifier, "SHARED-PARAMETERS")) {
        struct params_shared *s = arena_zalloc(n->a, sizeof *s);
        rc = s == NULL ? ERR_NOMEM : params_shared_parse(n->a, bytes, n->dir.version, s, d);
        if (rc == 0 && !slice_eq(s->instance, p->instance))
            rc = diag_set(d, ERR_GC_INSTANCE, "the part is of instance %.*s",
                          SLICE_ARG(s->instance));
        if (rc == 0)
            tell_shared(s);
    } else if (slice_eq_str(p->identifier, "PRIVATE-PARAMETERS")) {
        struct params_private *s = arena_zalloc(n->a, sizeof *s);
        rc = s == NULL ? ERR_NOMEM : params_private_parse(n->a, bytes, n->dir.version, s, d);
        if (rc == 0 && !slice_eq(s->instance, p->instance))
            rc = diag_set(d, ERR_GC_INSTANCE, "the part is of instance %.*s",
                          SLICE_ARG(s->instance));
        if (rc == 0)
            printf("  time-stamping every %lld s, federated instances %zu\n",
                   (long long)s->timestamping_s, s->n_anchors);
    }
    return rc;
}

static int check_parts(struct inspection *n, struct diag *d)
{
    for (size_t i = 0; i < n->dir.n; i++) {
        const struct directory_part *p = &n->dir.part[i];
        struct slice bytes;
        int rc = get_part(n, p, &bytes, d);
        rc = rc != 0 ? rc : directory_check_part(p, bytes, d);
        if (rc == 0)
            printf("part %.*s: good, %zu octets\n", SLICE_ARG(p->identifier), bytes.n);
        rc = rc != 0 ? rc : look_inside(n, p, bytes, d);
        if (rc != 0) {
            diag_where(d, "part %.*s", SLICE_ARG(p->identifier));
            return rc;
        }
    }
    return 0;
}

static int inspect(struct inspection *n, const char *anchor_path, struct diag *d)
{
    struct slice certs[CERTS_MAX], text, body;
    size_t count = 0;
    char when[TIMEVAL_TEXT];
    int rc = get(n, anchor_path, 1u << 20, &text, d);
    rc = rc != 0 ? rc : params_anchor_parse(n->a, text, &n->anchor, d);
    rc = rc != 0 ? rc : get_directory(n, &body, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n->anchor.n_sources; i++)
        for (size_t k = 0; k < n->anchor.sources[i].internal_certs.n && count < CERTS_MAX; k++)
            certs[count++] = n->anchor.sources[i].internal_certs.v[k];
    rc = directory_verify(n->a, body, certs, count, n->anchor.instance, 0, &n->dir, d);
    if (rc != 0)
        return rc;
    timeval_print_iso(n->dir.expires_ms, false, when);
    printf("signature: good\ninstance %.*s, version %d, expires %s\n",
           SLICE_ARG(n->anchor.instance), n->dir.version, when);
    if (n->dir.expires_ms < n->at_ms)
        return diag_set(d, ERR_GC_OUTDATED, "the directory expired at %s", when);
    return check_parts(n, d);
}

/* The answer is no when the configuration is bad; reading it may also fail. */
static int tell(const struct inspection *n, int rc, const struct diag *d)
{
    char text[900];
    if (rc == 0) {
        printf("good\n");
        return EXIT_DONE;
    }
    diag_print(d, text, sizeof text);
    if (n->could_not) {
        fprintf(stderr, "sild authority inspect: %s\n", text);
        return EXIT_COULD_NOT;
    }
    printf("not good: %s\n", text);
    return EXIT_NO;
}

static int inspect_all(const char *where, const char *anchor, int64_t at_ms)
{
    struct diag d = {0};
    struct arena *a = arena_new(ARENA_MAX);
    struct inspection *n = a == NULL ? NULL : arena_zalloc(a, sizeof *n);
    if (n == NULL) {
        fprintf(stderr, "sild authority inspect: no memory\n");
        arena_free(a);
        return EXIT_COULD_NOT;
    }
    n->a = a;
    n->where = where;
    n->at_ms = at_ms;
    int code = tell(n, inspect(n, anchor, &d), &d);
    arena_free(a);
    return code;
}

int inspect_main(int argc, char **argv)
{
    const char *anchor = NULL, *at = NULL;
    const struct opt opts[] = {
        {"--anchor", "FILE", "the configuration anchor to trust", &anchor, NULL},
        {"--at", "TIME", "judge the expiry at this time (2026-01-05T10:00:00Z), default now", &at,
         NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild authority inspect --anchor ANCHOR FILE|URL",
        .text =
            "Says of a distributed global configuration whether it is good and what is in it.\n"
            "FILE is a signed directory (internalconf) with its parts below a folder above it.\n"
            "Exit code 0: good, 1: not good.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
        .needs = "--anchor",
    };
    struct diag d = {0};
    struct timespec now;
    char *args[argc + 1];
    int code;
    if (!command_parse("authority inspect", &cmd, argc, argv, args, &code))
        return code;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t at_ms = (int64_t)now.tv_sec * 1000;
    if (at != NULL && !timeval_parse_iso(slice_str(at), &at_ms)) {
        diag_set(&d, ERR_USAGE, "--at is no time like 2026-01-05T10:00:00Z");
        return command_fail("authority inspect", &d, EXIT_USE);
    }
    return inspect_all(args[0], anchor, at_ms);
}
