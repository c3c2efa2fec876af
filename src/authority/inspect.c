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

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PART_MAX (32u << 20)
#define ARENA_MAX (256u << 20)
#define FETCH_MS 30000
#define CERTS_MAX 64

struct inspection {
    struct arena *a;
    const char *where; /* file or URL of the directory */
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
        return rc;
    }
    rc = http_fetch(where, "GET", SLICE_NONE, SLICE_NONE, max, FETCH_MS, &r, d);
    if (rc != 0)
        return rc;
    *out = arena_dup(n->a, buf_view(&r.body));
    if (r.status != 200)
        rc = diag_set(d, ERR_GC_CONNECTION, "%s: status %d", where, r.status);
    http_result_free(&r);
    return rc;
}

/* Beside a URL: its origin and the location. Beside a file: the location below a folder above it.
 */
static int get_part(struct inspection *n, const struct directory_part *p, struct slice *out,
                    struct diag *d)
{
    char path[4096], base[2048];
    int rc = ERR_NOT_FOUND;
    snprintf(base, sizeof base, "%s", n->where);
    if (is_url(base)) {
        char *host = strstr(base, "://") + 3;
        host[strcspn(host, "/?")] = 0;
        snprintf(path, sizeof path, "%s%.*s", base, SLICE_ARG(p->location));
        return get(n, path, PART_MAX, out, d);
    }
    for (int up = 0; rc != 0 && up < 3; up++) {
        char *slash = strrchr(base, '/');
        if (slash != NULL)
            *slash = 0;
        snprintf(path, sizeof path, "%s/%.*s", slash == NULL ? "." : base, SLICE_ARG(p->location));
        rc = get(n, path, PART_MAX, out, d);
        if (slash == NULL)
            break;
    }
    return rc == 0 ? 0
                   : diag_set(d, ERR_GC_PART_DOWNLOAD, "the part %.*s is not beside the directory",
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
    rc = rc != 0 ? rc : get(n, n->where, DIRECTORY_MAX, &body, d);
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
static int exit_code(int rc)
{
    if (rc == 0)
        return EXIT_DONE;
    return rc == ERR_NOT_FOUND || rc == ERR_IO || rc == ERR_NETWORK || rc == ERR_GC_CONNECTION ||
                   rc == ERR_TIMEOUT || rc == ERR_DENIED
               ? EXIT_COULD_NOT
               : EXIT_NO;
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
    };
    struct diag d = {0};
    struct timespec now;
    char *args[argc + 1], text[900];
    int rc = opt_parse(&cmd, argc, argv, args, &d);
    if (rc == OPT_HELP)
        return command_help(&cmd);
    struct inspection *n = NULL;
    struct arena *a = arena_new(ARENA_MAX);
    if (a != NULL)
        n = arena_zalloc(a, sizeof *n);
    clock_gettime(CLOCK_REALTIME, &now);
    if (rc == 0 && anchor == NULL)
        rc = diag_set(&d, ERR_USAGE, "--anchor FILE is missing");
    if (rc == 0 && n == NULL)
        rc = diag_set(&d, ERR_NOMEM, "no memory");
    if (rc == 0) {
        n->a = a;
        n->where = args[0];
        n->at_ms = (int64_t)now.tv_sec * 1000;
        if (at != NULL && !timeval_parse_iso(slice_str(at), &n->at_ms))
            rc = diag_set(&d, ERR_USAGE, "--at is no time like 2026-01-05T10:00:00Z");
    }
    bool usage = rc != 0;
    rc = rc != 0 ? rc : inspect(n, anchor, &d);
    if (rc != 0) {
        diag_print(&d, text, sizeof text);
        fprintf(usage ? stderr : stdout, "%s: %s\n", usage ? "sild authority inspect" : "not good",
                text);
    } else {
        printf("good\n");
    }
    arena_free(a);
    return usage ? EXIT_USE : exit_code(rc);
}
