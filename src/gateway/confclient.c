#include "gateway/confclient.h"
#include "base/err.h"
#include "net/http_client.h"
#include "proc/confdir.h"
#include "proc/confsource.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "submit/logged_conf.h"
#include "xroad/directory.h"
#include "xroad/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FETCH_MS 30000
#define PART_MAX (32u << 20)
#define ARENA_MAX (256u << 20)
#define LOCATIONS_MAX 32
#define CERTS_MAX 32
#define GOOD_MAX 64

struct confclient {
    char folder[2048], federations[1024];
    char last[2048];              /* own instance's location that worked, with its version */
    struct digest good[GOOD_MAX]; /* parts that were parsed and found good, the oldest replaced */
    size_t n_good;
    struct digest directories; /* of the last round, one after the other */
    bool changed;              /* what is on disk, since an image of it was made */
    bool demands;              /* a proof with each configuration */
    struct policy *policy;     /* by which it is judged; NULL: none that can be read */
};

struct location {
    char url[1024];
    const struct params_list *certs[2];
};

/* One source's download: own instance or a federated one. */
struct round {
    struct confclient *c;
    struct arena *a;
    struct slice instance;
    bool federated; /* only SHARED-PARAMETERS */
    int64_t now_ms;
    struct digest_ctx *directories; /* of this and the other instances */
    struct location at[LOCATIONS_MAX];
    size_t n;
};

struct confclient *confclient_new(const char *folder, const char *federations)
{
    struct confclient *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    snprintf(c->folder, sizeof c->folder, "%s", folder);
    snprintf(c->federations, sizeof c->federations, "%s", federations);
    c->changed = true;
    return c;
}

void confclient_free(struct confclient *c)
{
    if (c != NULL)
        policy_free(c->policy);
    free(c);
}

int confclient_demand(struct confclient *c, struct slice policy, struct diag *d)
{
    policy_free(c->policy);
    c->policy = NULL;
    c->demands = policy.n > 0;
    return c->demands ? policy_parse(policy, &c->policy, d) : 0;
}

/* --- where to look --- */

static void add_location(struct round *r, const char *scheme, struct slice rest,
                         const struct params_list *certs, const struct params_list *more)
{
    char url[1024];
    snprintf(url, sizeof url, "%s%.*s", scheme, SLICE_ARG(rest));
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->at[i].url, url) == 0)
            return;
    if (r->n == LOCATIONS_MAX)
        return;
    struct location *l = &r->at[r->n++];
    memcpy(l->url, url, sizeof url);
    l->certs[0] = certs;
    l->certs[1] = more;
}

/* The addresses that the stored parameters of the instance list, under the anchor's path. */
static void stored_locations(struct round *r, struct slice path)
{
    struct params_shared *p = arena_zalloc(r->a, sizeof *p);
    bool internal = slice_eq_str(path, "/internalconf"),
         external = slice_eq_str(path, "/externalconf");
    char rest[600];
    if (p == NULL || confdir_sources(r->a, r->c->folder, r->instance, p) != 0)
        return;
    for (int tls = 1; tls >= 0; tls--)
        for (size_t i = 0; i < p->n_sources; i++) {
            const struct params_source *s = &p->sources[i];
            snprintf(rest, sizeof rest, "%.*s%.*s", SLICE_ARG(s->address), SLICE_ARG(path));
            add_location(r, tls ? "https://" : "http://", slice_str(rest),
                         external ? &s->external_certs : &s->internal_certs,
                         internal || external ? NULL : &s->external_certs);
        }
}

static void find_locations(struct round *r, const struct params_anchor *anchor)
{
    struct slice path = SLICE_NONE;
    for (size_t i = 0; i < anchor->n_sources && path.n == 0; i++) {
        struct http_url u;
        if (slice_starts(anchor->sources[i].address, "http://") &&
            http_url_parse(anchor->sources[i].address, &u) == 0)
            path = u.path;
    }
    if (path.n > 0)
        stored_locations(r, path);
    for (int tls = 1; tls >= 0; tls--)
        for (size_t i = 0; i < anchor->n_sources; i++)
            if (slice_starts(anchor->sources[i].address, "http://"))
                add_location(r, tls ? "https://" : "http://",
                             slice_from(anchor->sources[i].address, 7),
                             &anchor->sources[i].internal_certs, NULL);
}

/* The one that worked last time is tried first. */
static void prefer_last(struct round *r)
{
    size_t len = strcspn(r->c->last, "?");
    for (size_t i = 1; !r->federated && len > 0 && i < r->n; i++) {
        if (strlen(r->at[i].url) != len || memcmp(r->at[i].url, r->c->last, len) != 0)
            continue;
        struct location t = r->at[0];
        r->at[0] = r->at[i];
        r->at[i] = t;
        return;
    }
}

/* --- fetching --- */

/* What failed, with its address. */
static int named(int rc, const char *url, struct diag *d)
{
    if (rc != 0)
        diag_set(d, ERR_GC_CONNECTION, "%s: %s", url, d->text[0] != 0 ? d->text : err_text(rc));
    return rc == 0 ? 0 : ERR_GC_CONNECTION;
}

/* --- the proof that it is in the ledger --- */

/* "http://host/internalconf.proof?version=6" */
static void proof_url(const char *directory, char out[CONFSOURCE_URL])
{
    size_t n = strcspn(directory, "?");
    snprintf(out, CONFSOURCE_URL, "%.*s.proof%s", (int)n, directory, directory + n);
}

static int check_proof(struct round *r, const char *directory_url, struct slice directory,
                       struct diag *d)
{
    char url[CONFSOURCE_URL];
    struct http_result res;
    if (r->c->policy == NULL)
        return diag_set(d, ERR_SYNTAX, "[ledger] policy cannot be read");
    proof_url(directory_url, url);
    int rc = named(
        http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, LOGGED_CONF_PROOF_MAX, FETCH_MS, &res, d),
        url, d);
    if (rc != 0)
        return rc;
    if (res.status != 200)
        rc = diag_set(d, ERR_GC_UNPROVEN,
                      "the authority has no proof that this configuration is in the ledger (%s: "
                      "status %d): it is not taken",
                      url, res.status);
    rc = rc != 0 ? rc
                 : logged_conf_verify(directory, buf_view(&res.body), r->c->policy, r->instance, d);
    http_result_free(&res);
    if (rc != 0 && rc != ERR_GC_UNPROVEN)
        diag_where(d, "the proof that this configuration is in the ledger does not hold, so it is "
                      "not taken");
    return rc;
}

/* Directory and proof. A new one may come between the two: then both are fetched once more. */
static int get_proven(struct round *r, const char *base, char url[CONFSOURCE_URL],
                      struct slice *body, struct diag *d)
{
    struct http_result res;
    int rc = ERR_INCORRECT_VALIDATION_INFO;
    for (int i = 0; i < 2 && rc == ERR_INCORRECT_VALIDATION_INFO; i++) {
        rc = named(confsource_get(base, DIRECTORY_MAX, FETCH_MS, url, &res, d), url, d);
        if (rc != 0)
            return rc;
        *body = arena_dup(r->a, buf_view(&res.body));
        http_result_free(&res);
        if (!r->federated && r->c->demands)
            rc = check_proof(r, url, *body, d);
    }
    if (rc != 0 && d != NULL)
        d->code = ERR_GC_UNPROVEN;
    return rc == 0 ? 0 : ERR_GC_UNPROVEN;
}

/* "http://host:port" of the location and the part's own path. */
static void part_url(const char *location, struct slice part, char *out, size_t cap)
{
    const char *host = strstr(location, "://");
    host = host == NULL ? location : host + 3;
    size_t origin = (size_t)(host - location) + strcspn(host, "/?");
    if (slice_starts(part, "http://") || slice_starts(part, "https://"))
        snprintf(out, cap, "%.*s", SLICE_ARG(part));
    else
        snprintf(out, cap, "%.*s%s%.*s", (int)origin, location,
                 part.n > 0 && part.p[0] == '/' ? "" : "/", SLICE_ARG(part));
}

/* stored: the part is on disk already. */
static int get_part(struct round *r, const char *location, const struct directory_part *p,
                    struct slice *bytes, bool *stored, struct diag *d)
{
    struct http_result res;
    char url[2048];
    *stored = confdir_read(r->a, r->c->folder, p->instance.n > 0 ? p->instance : r->instance,
                           p->file_name, bytes) == 0 &&
              directory_check_part(p, *bytes, NULL) == 0;
    if (*stored)
        return 0;
    part_url(location, p->location, url, sizeof url);
    int rc =
        named(http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, PART_MAX, FETCH_MS, &res, d), url, d);
    if (rc != 0)
        return diag_set(d, ERR_GC_PART_DOWNLOAD, "%s cannot be downloaded", url);
    *bytes = arena_dup(r->a, buf_view(&res.body));
    int status = res.status;
    http_result_free(&res);
    if (status != 200)
        return diag_set(d, ERR_GC_PART_DOWNLOAD, "%s: status %d", url, status);
    if (arena_failed(r->a))
        return diag_set(d, ERR_TOO_LARGE, "the global configuration is too large");
    return directory_check_part(p, *bytes, d);
}

/* --- judging and keeping --- */

/* What makes a part good or bad: its bytes, and what they are read as. */
static int identity(const struct round *r, const struct directory *dir,
                    const struct directory_part *p, struct digest *out)
{
    struct digest_ctx *c = digest_ctx_new();
    uint64_t head[3] = {(uint64_t)dir->version, r->instance.n, p->identifier.n};
    if (c == NULL)
        return ERR_NOMEM;
    digest_begin(c, DIGEST_SHA256);
    digest_add(c, slice_of(head, sizeof head));
    digest_add(c, r->instance);
    digest_add(c, p->identifier);
    digest_add(c, digest_slice(&p->hash));
    digest_end(c, out);
    digest_ctx_free(c);
    return 0;
}

static int parse_part(struct round *r, const struct directory *dir, const struct directory_part *p,
                      struct slice bytes, struct diag *d)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct slice inside = r->instance;
    int rc = a == NULL ? diag_set(d, ERR_NOMEM, "no memory for a part") : 0;
    if (rc == 0 && slice_eq_str(p->identifier, "SHARED-PARAMETERS")) {
        struct params_shared *s = arena_zalloc(a, sizeof *s);
        rc = s == NULL ? ERR_NOMEM : params_shared_parse(a, bytes, dir->version, s, d);
        inside = rc == 0 ? s->instance : inside;
    } else if (rc == 0 && slice_eq_str(p->identifier, "PRIVATE-PARAMETERS")) {
        struct params_private *s = arena_zalloc(a, sizeof *s);
        rc = s == NULL ? ERR_NOMEM : params_private_parse(a, bytes, dir->version, s, d);
        inside = rc == 0 ? s->instance : inside;
    }
    if (rc == 0 && !slice_eq(inside, r->instance))
        rc = diag_set(d, ERR_GC_INSTANCE, "%.*s is of instance '%.*s'", SLICE_ARG(p->identifier),
                      SLICE_ARG(inside));
    arena_free(a);
    return rc;
}

/* The same bytes are not parsed again in each round. */
static int check_part(struct round *r, const struct directory *dir, const struct directory_part *p,
                      struct slice bytes, struct diag *d)
{
    struct confclient *c = r->c;
    struct digest id;
    int rc = identity(r, dir, p, &id);
    if (rc != 0)
        return diag_set(d, rc, "no memory for a part");
    for (size_t i = 0; i < c->n_good && i < GOOD_MAX; i++)
        if (digest_eq(&c->good[i], &id))
            return 0;
    rc = parse_part(r, dir, p, bytes, d);
    if (rc == 0)
        c->good[c->n_good++ % GOOD_MAX] = id;
    return rc;
}

static bool wanted(const struct round *r, const struct directory_part *p)
{
    return !r->federated || slice_eq_str(p->identifier, "SHARED-PARAMETERS");
}

/* An older directory that has not yet expired must not come back. */
static int check_newer(struct round *r, const struct directory *dir, struct diag *d)
{
    int64_t stored = confdir_expires(r->a, r->c->folder, r->instance);
    if (stored == INT64_MAX || dir->expires_ms >= stored)
        return 0;
    return diag_set(d, ERR_GC_OUTDATED,
                    "the directory expires before the one that is stored: an old one was replayed");
}

static int keep_parts(struct round *r, const struct directory *dir, const struct slice *bytes,
                      const bool *stored, struct diag *d)
{
    struct slice names[DIRECTORY_PARTS_MAX];
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dir->n; i++) {
        if (!wanted(r, &dir->part[i]))
            continue;
        r->c->changed = r->c->changed || !stored[i];
        rc = confdir_write(r->c->folder, r->instance, &dir->part[i],
                           stored[i] ? SLICE_NONE : bytes[i], dir->expires_ms, dir->version, d);
        names[kept++] = dir->part[i].file_name;
    }
    if (rc == 0)
        confdir_keep(r->c->folder, r->instance, names, kept);
    return rc;
}

static int try_location(struct round *r, const struct location *l, struct diag *d)
{
    struct slice certs[CERTS_MAX], bytes[DIRECTORY_PARTS_MAX];
    bool stored[DIRECTORY_PARTS_MAX];
    struct directory *dir = arena_zalloc(r->a, sizeof *dir);
    struct slice body;
    char url[CONFSOURCE_URL];
    size_t n = 0;
    for (size_t k = 0; k < 2 && l->certs[k] != NULL; k++)
        for (size_t i = 0; i < l->certs[k]->n && n < CERTS_MAX; i++)
            certs[n++] = l->certs[k]->v[i];
    int rc = dir == NULL ? ERR_NOMEM : get_proven(r, l->url, url, &body, d);
    if (rc != 0)
        return rc;
    rc = directory_verify(r->a, body, certs, n, r->instance, r->now_ms, dir, d);
    rc = rc != 0 ? rc : check_newer(r, dir, d);
    for (size_t i = 0; rc == 0 && i < dir->n; i++) {
        if (!wanted(r, &dir->part[i]))
            continue;
        rc = get_part(r, url, &dir->part[i], &bytes[i], &stored[i], d);
        rc = rc != 0 ? rc : check_part(r, dir, &dir->part[i], bytes[i], d);
    }
    rc = rc != 0 ? rc : keep_parts(r, dir, bytes, stored, d);
    if (rc == 0)
        digest_add(r->directories, body);
    if (rc == 0 && !r->federated)
        snprintf(r->c->last, sizeof r->c->last, "%s", url);
    return rc;
}

static int download(struct round *r, const struct params_anchor *anchor, struct diag *d)
{
    r->instance = anchor->instance;
    find_locations(r, anchor);
    prefer_last(r);
    if (r->n == 0)
        return diag_set(d, ERR_GC_CONNECTION, "the anchor has no http:// address to download from");
    struct diag told = {.code = 0};
    for (size_t i = 0; i < r->n; i++) {
        struct diag one = {0};
        int rc = try_location(r, &r->at[i], &one);
        if (rc == 0)
            return 0;
        report_diag(REPORT_DEBUG, "globalconf", NULL, &one);
        if (told.code == 0 || (told.code == ERR_GC_CONNECTION && rc != ERR_GC_CONNECTION))
            told = one; /* what is wrong with a configuration says more than what is not there */
    }
    *d = told;
    return told.code;
}

/* --- federated instances --- */

static bool federation_allowed(const struct confclient *c, struct slice instance)
{
    struct slice list = slice_str(c->federations), item;
    bool all = false, named = false;
    while (slice_next(&list, ',', &item)) {
        item = slice_trim(item);
        if (slice_ieq_str(item, "none"))
            return false;
        all = all || slice_ieq_str(item, "all");
        named = named || slice_ieq(item, instance);
    }
    return all || named;
}

static void federated(struct round *own, struct diag *d)
{
    struct params_private *p = arena_zalloc(own->a, sizeof *p);
    struct slice xml;
    if (p == NULL ||
        confdir_read(own->a, own->c->folder, own->instance, SLICE_LIT("private-params.xml"),
                     &xml) != 0 ||
        params_private_parse(own->a, xml, PARAMS_VERSION_MAX, p, d) != 0)
        return;
    for (size_t i = 0; i < p->n_anchors; i++) {
        struct round *r = arena_zalloc(own->a, sizeof *r);
        if (r == NULL || !federation_allowed(own->c, p->anchors[i].instance))
            continue;
        r->c = own->c;
        r->a = own->a;
        r->federated = true;
        r->directories = own->directories;
        r->now_ms = own->now_ms;
        if (download(r, &p->anchors[i], d) != 0)
            report_diag(REPORT_WARN, "federation", NULL, d);
    }
}

int confclient_round(struct confclient *c, struct slice text, int64_t now_ms, struct diag *d)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct round *r = a == NULL ? NULL : arena_zalloc(a, sizeof *r);
    struct params_anchor anchor = {0};
    struct digest directories;
    int rc = r == NULL || (r->directories = digest_ctx_new()) == NULL
                 ? diag_set(d, ERR_NOMEM, "no memory for a configuration round")
                 : 0;
    if (rc == 0 && text.n == 0)
        rc = diag_set(d, ERR_ANCHOR_NOT_FOUND,
                      "there is no configuration anchor: put it where anchor = says");
    rc = rc != 0 ? rc : params_anchor_parse(a, text, &anchor, d);
    if (rc == 0) {
        r->c = c;
        r->a = a;
        r->now_ms = now_ms;
        digest_begin(r->directories, DIGEST_SHA256);
        rc = download(r, &anchor, d);
    }
    rc = rc != 0 ? rc : confdir_own(c->folder, anchor.instance, d);
    if (rc == 0) {
        federated(r, d);
        digest_end(r->directories, &directories);
        c->changed = c->changed || !digest_eq(&directories, &c->directories);
        c->directories = directories;
    }
    if (r != NULL)
        digest_ctx_free(r->directories);
    arena_free(a);
    return rc;
}

bool confclient_changed(const struct confclient *c)
{
    return c->changed;
}

int confclient_image(struct confclient *c, struct buf *image, struct diag *d)
{
    int rc = confdir_compile(c->folder, image, d);
    c->changed = c->changed && rc != 0;
    return rc;
}
