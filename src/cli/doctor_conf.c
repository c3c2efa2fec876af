/* The global configuration: can it be fetched, does the anchor verify it, do the gateways have it?
 */
#include "base/err.h"
#include "base/timeval.h"
#include "cli/doctor_int.h"
#include "net/http_client.h"
#include "proc/confdir.h"
#include "proc/confsource.h"
#include "proc/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MAX (256u << 20)
#define CERTS_MAX 32
#define SLOW_ROUNDS 4 /* so many fetches may be missed */

/* What one gateway's anchor leads to. */
struct led {
    struct arena *a;
    char path[2048], url[1024];
    struct params_anchor anchor;
    struct directory *dir;
};

/* Reads the anchor; the address that it names. */
static int find_source(const struct doctor_gateway *g, struct led *l, struct diag *why)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    snprintf(l->path, sizeof l->path, "%.*s", SLICE_ARG(g->file.conf.anchor));
    char *real = realpath(l->path, NULL); /* without "state/../" in what is to be pasted */
    if (real != NULL)
        snprintf(l->path, sizeof l->path, "%s", real);
    free(real);
    int rc = fs_read(l->path, &text, why);
    rc =
        rc != 0 ? rc : params_anchor_parse(l->a, arena_dup(l->a, buf_view(&text)), &l->anchor, why);
    buf_free(&text);
    for (size_t i = 0; rc == 0 && l->url[0] == 0 && i < l->anchor.n_sources; i++)
        if (!slice_cstr(l->anchor.sources[i].address, l->url, sizeof l->url))
            l->url[0] = 0;
    if (rc == 0 && l->url[0] == 0)
        rc = diag_set(why, ERR_MALFORMED_ANCHOR, "it names no address to fetch from");
    return rc;
}

/* "Mon, 05 Jan 2026 10:00:00 GMT"; 0 when it is no such date. */
static int64_t parse_date(struct slice text)
{
    char date[64];
    struct tm t = {.tm_year = 0};
    if (!slice_cstr(text, date, sizeof date) ||
        strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &t) == NULL)
        return 0;
    return (int64_t)timegm(&t) * 1000;
}

int doctor_conf_date(const struct doctor_gateway *g, int64_t *time_ms, int64_t *asked_ms)
{
    static const struct doctor here = {.dir = NULL};
    struct led l = {.a = arena_new(ARENA_MAX)};
    struct http_result r;
    struct http_head head;
    size_t used;
    *time_ms = 0;
    if (l.a == NULL || find_source(g, &l, NULL) != 0) {
        arena_free(l.a);
        return ERR_NOT_FOUND;
    }
    int64_t before = doctor_find_now(&here);
    int rc =
        http_fetch(l.url, "GET", SLICE_NONE, SLICE_NONE, DIRECTORY_MAX, DOCTOR_CALL_MS, &r, NULL);
    *asked_ms = before + (doctor_find_now(&here) - before) / 2;
    if (rc == 0 && http_parse_response(buf_view(&r.head), HTTP_CLIENT_HEAD_MAX, false, &head, &used,
                                       NULL) == 0)
        *time_ms = parse_date(http_get(&head, "date"));
    http_result_free(&r);
    arena_free(l.a);
    return *time_ms != 0 ? 0 : ERR_NOT_FOUND;
}

static const char *iso(int64_t ms, char out[TIMEVAL_TEXT])
{
    timeval_print_iso(ms, false, out);
    return out;
}

/* The authority prints its anchor; taken into place only when it is whole. */
static void next_anchor(struct doctor *d, struct doctor_finding *f, const struct doctor_gateway *g,
                        const char *path)
{
    if (d->dir != NULL) {
        doctor_find_next(f,
                         "sild authority anchor --config '%s/authority/authority.conf' > '%s.new' "
                         "&& mv '%s.new' '%s'",
                         d->dir, path, path, path);
    } else {
        doctor_find_next(f,
                         "# fetch the anchor from the authority's operator, compare its hash "
                         "with them, put it at %s",
                         path);
    }
    doctor_find_next(f, "sild gateway refresh --config '%s'", g->config);
}

static bool read_anchor(struct doctor *d, struct doctor_gateway *g, struct led *l)
{
    struct diag why = {0};
    if (find_source(g, l, &why) == 0)
        return true;
    struct doctor_finding *f = doctor_find_add(d, DOCTOR_ANCHOR, g->name, DOCTOR_FAIL,
                                               "the anchor %s is of no use: %s", l->path, why.text);
    doctor_find_since(f, doctor_find_mtime(l->path));
    next_anchor(d, f, g, l->path);
    return false;
}

/* --- the authority --- */

/* Told once for each address; several gateways have one authority. */
static bool is_told(const struct doctor *d)
{
    for (size_t i = 0; i < d->n_found; i++)
        if (d->found[i].link == DOCTOR_AUTHORITY)
            return true;
    return false;
}

static void next_authority(struct doctor *d, struct doctor_finding *f, const char *url)
{
    if (d->dir != NULL) {
        doctor_find_next(f, "sild down --role authority --dir '%s'", d->dir);
        doctor_find_next(f, "sild up --role authority --dir '%s'", d->dir);
    } else {
        doctor_find_next(f, "curl -sSI --max-time 10 '%s'", url);
    }
}

/* Fetched, and verified by the anchor; what is amiss is told. True when l->dir can be used. */
static bool ask_authority(struct doctor *d, struct doctor_gateway *g, struct led *l)
{
    struct slice certs[CERTS_MAX];
    char url[CONFSOURCE_URL];
    struct http_result res;
    struct diag why = {0};
    size_t n = 0;
    if (confsource_get(l->url, DIRECTORY_MAX, DOCTOR_CALL_MS, url, &res, &why) != 0) {
        if (!is_told(d)) {
            struct doctor_finding *f = doctor_find_add(
                d, DOCTOR_AUTHORITY, "authority", DOCTOR_FAIL,
                "the global configuration cannot be fetched from %s: %s", l->url, why.text);
            next_authority(d, f, l->url);
        }
        return false;
    }
    struct slice body = arena_dup(l->a, buf_view(&res.body));
    http_result_free(&res);
    for (size_t i = 0; i < l->anchor.n_sources; i++)
        for (size_t k = 0; k < l->anchor.sources[i].internal_certs.n && n < CERTS_MAX; k++)
            certs[n++] = l->anchor.sources[i].internal_certs.v[k];
    l->dir = arena_zalloc(l->a, sizeof *l->dir);
    int rc = l->dir == NULL
                 ? ERR_NOMEM
                 : directory_verify(l->a, body, certs, n, l->anchor.instance, 0, l->dir, &why);
    if (rc == 0) {
        doctor_find_add(d, DOCTOR_ANCHOR, g->name, DOCTOR_OK,
                        "the anchor's certificate verifies what %s serves", l->url);
        return true;
    }
    struct doctor_finding *f = doctor_find_add(d, DOCTOR_ANCHOR, g->name, DOCTOR_FAIL,
                                               "the anchor %s does not verify what %s serves: %s",
                                               l->path, l->url, why.text);
    doctor_find_since(f, doctor_find_mtime(l->path));
    next_anchor(d, f, g, l->path);
    return false;
}

static void judge_served(struct doctor *d, const struct led *l)
{
    char when[TIMEVAL_TEXT];
    if (is_told(d))
        return;
    iso(l->dir->expires_ms, when);
    if (l->dir->expires_ms > doctor_find_now(d)) {
        doctor_find_add(d, DOCTOR_AUTHORITY, "authority", DOCTOR_OK,
                        "the authority serves a configuration that holds until %s", when);
        return;
    }
    struct doctor_finding *f =
        doctor_find_add(d, DOCTOR_AUTHORITY, "authority", DOCTOR_FAIL,
                        "the authority serves a configuration that expired at %s: it signs "
                        "nothing anew",
                        when);
    doctor_find_since(f, l->dir->expires_ms);
    next_authority(d, f, l->url);
}

/* --- what the gateway keeps --- */

/* Are the stored parts those that the directory names? */
static bool is_newest(const struct led *l, const char *folder)
{
    for (size_t i = 0; i < l->dir->n; i++) {
        const struct directory_part *p = &l->dir->part[i];
        struct slice bytes;
        if (confdir_read(l->a, folder, p->instance.n > 0 ? p->instance : l->anchor.instance,
                         p->file_name, &bytes) != 0 ||
            directory_check_part(p, bytes, NULL) != 0)
            return false;
    }
    return true;
}

static void judge_stored(struct doctor *d, struct doctor_gateway *g, const struct led *l)
{
    char folder[DOCTOR_PATH + 32], when[TIMEVAL_TEXT];
    struct diag why = {0};
    struct doctor_finding *f;
    snprintf(folder, sizeof folder, "%s/globalconf", g->dir);
    if (cli_globalconf_load(folder, &g->stored, &why) != 0) {
        f = doctor_find_add(d, DOCTOR_CONFIGURATION, g->name, DOCTOR_FAIL,
                            "%s keeps no global configuration that can be read: %s", g->name,
                            why.text);
        doctor_find_next(f, "sild gateway refresh --config '%s'", g->config);
        return;
    }
    g->conf = g->stored.g;
    int64_t expires = globalconf_expires(g->stored.g), now = doctor_find_now(d);
    iso(expires, when);
    int64_t behind = l->dir == NULL ? 0 : l->dir->expires_ms - expires;
    if (expires <= now) {
        f = doctor_find_add(d, DOCTOR_CONFIGURATION, g->name, DOCTOR_FAIL,
                            "the configuration that %s keeps expired at %s", g->name, when);
        doctor_find_since(f, expires);
    } else if (l->dir != NULL && behind > SLOW_ROUNDS * g->file.conf.config_interval_ms &&
               !is_newest(l, folder)) {
        f = doctor_find_add(d, DOCTOR_CONFIGURATION, g->name, DOCTOR_FAIL,
                            "%s keeps an older configuration than the authority serves; it holds "
                            "until %s",
                            g->name, when);
        doctor_find_since(f, doctor_find_mtime(folder));
    } else {
        doctor_find_add(d, DOCTOR_CONFIGURATION, g->name, DOCTOR_OK,
                        "%s keeps a configuration that holds until %s", g->name, when);
        return;
    }
    doctor_find_next(f, "sild gateway refresh --config '%s'", g->config);
}

/* Who is who is judged by the newest configuration that any of them keeps: gateways fetch one after
 * the other. */
static void share_newest(struct doctor *d)
{
    const struct globalconf *newest = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const struct globalconf *own = d->gateway[i].stored.g;
        if (own != NULL && (newest == NULL || globalconf_expires(own) > globalconf_expires(newest)))
            newest = own;
    }
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        if (g->stored.g == NULL ||
            slice_eq(globalconf_instance(newest), globalconf_instance(g->stored.g)))
            g->conf = newest;
    }
}

void doctor_conf(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        struct led l = {.a = arena_new(ARENA_MAX)};
        if (l.a == NULL)
            return;
        if (read_anchor(d, g, &l) && ask_authority(d, g, &l))
            judge_served(d, &l);
        else
            l.dir = NULL;
        judge_stored(d, g, &l);
        arena_free(l.a);
    }
    share_newest(d);
}
