#include "authority/publish.h"
#include "authority/state_params.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/timeval.h"
#include "submit/logged_conf.h"
#include "xroad/directory.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define PART_MAX (32u << 20)

struct publication {
    const struct authority_conf *conf;
    const struct publish_keys *keys;
    struct arena *a;
    struct publish_set *out;
    int64_t now_ms;
    char stamp[32];
    struct diag *d;
};

/* UTC yyyyMMddHHmmss and the second's fraction as nine digits. */
static void make_stamp(int64_t now_ms, char out[32])
{
    struct timeval_parts t = timeval_split(now_ms);
    snprintf(out, 32, "%04d%02d%02d%02d%02d%02d%09d", t.year % 10000, t.month, t.day, t.hour,
             t.minute, t.second, t.ms * 1000000);
}

static int add_file(struct publication *p, struct slice bytes, const char *fmt, int version,
                    const char *name)
{
    if (p->out->n == PUBLISH_FILES_MAX)
        return diag_set(p->d, ERR_TOO_LARGE, "too many files in a generation");
    struct publish_file *f = &p->out->f[p->out->n++];
    snprintf(f->path, sizeof f->path, fmt, version, p->stamp, name);
    f->bytes = arena_dup(p->a, bytes);
    return arena_failed(p->a) ? diag_set(p->d, ERR_NOMEM, "no memory for a generation") : 0;
}

static int add_part(struct publication *p, int version, const char *identifier, const char *name,
                    struct slice bytes, struct directory_part *part)
{
    char *location = arena_printf(p->a, "/V%d/%s/%s", version, p->stamp, name);
    if (location == NULL)
        return diag_set(p->d, ERR_NOMEM, "no memory for a generation");
    *part = (struct directory_part){.identifier = slice_str(identifier),
                                    .instance = slice_str(p->conf->instance),
                                    .location = slice_str(location),
                                    .alg = DIGEST_SHA512};
    digest_of(DIGEST_SHA512, bytes, &part->hash);
    return add_file(p, bytes, "V%d/%s/%s", version, name);
}

static int boundary(char out[33], struct diag *d)
{
    uint8_t random[16];
    if (RAND_bytes(random, sizeof random) != 1)
        return diag_set(d, ERR_INTERNAL, "no random bytes");
    hex_print(slice_of(random, sizeof random), out);
    return 0;
}

static int add_directory(struct publication *p, int version, const char *name,
                         const struct directory_part *parts, size_t n, EVP_PKEY *key,
                         const struct cert *cert)
{
    const struct sign_alg *alg = sign_alg_for_key(cert->key);
    struct buf signed_bytes, value, doc;
    char inner[33], outer[33];
    buf_init(&signed_bytes, DIRECTORY_MAX);
    buf_init(&value, 4096);
    buf_init(&doc, DIRECTORY_MAX);
    int rc = boundary(inner, p->d);
    rc = rc != 0 ? rc : boundary(outer, p->d);
    if (rc == 0) {
        directory_signed_bytes(parts, n, p->now_ms + p->conf->expire_ms, version, inner,
                               &signed_bytes);
        rc = alg == NULL ? ERR_UNSUPPORTED_ALGORITHM
                         : sign_data(key, alg, buf_view(&signed_bytes), &value);
        if (rc != 0)
            diag_set(p->d, rc, "the configuration cannot be signed");
    }
    if (rc == 0) {
        directory_print(buf_view(&signed_bytes), outer, inner, alg->uri, &cert->sha512,
                        buf_view(&value), &doc);
        rc = add_file(p, buf_view(&doc), "V%d/%.0s%s", version, name);
    }
    buf_free(&signed_bytes);
    buf_free(&value);
    buf_free(&doc);
    return rc;
}

static int one_version(struct publication *p, int version, const struct params_shared *shared,
                       const struct params_private *priv)
{
    struct directory_part part[2];
    struct buf shared_xml, private_xml;
    buf_init(&shared_xml, PART_MAX);
    buf_init(&private_xml, PART_MAX);
    int rc = params_shared_print(shared, version, &shared_xml, p->d);
    params_private_print(priv, version, &private_xml);
    if (rc == 0 && (shared_xml.failed || private_xml.failed))
        rc = diag_set(p->d, ERR_TOO_LARGE, "the parameters are over 32 MiB");
    rc = rc != 0 ? rc
                 : add_part(p, version, "PRIVATE-PARAMETERS", "private-params.xml",
                            buf_view(&private_xml), &part[0]);
    rc = rc != 0 ? rc
                 : add_part(p, version, "SHARED-PARAMETERS", "shared-params.xml",
                            buf_view(&shared_xml), &part[1]);
    rc = rc != 0 ? rc
                 : add_directory(p, version, "internalconf", part, 2, p->keys->internal,
                                 p->keys->internal_cert);
    rc = rc != 0 ? rc
                 : add_directory(p, version, "externalconf", part + 1, 1, p->keys->external,
                                 p->keys->external_cert);
    buf_free(&shared_xml);
    buf_free(&private_xml);
    return rc;
}

int publish_make(const struct authority_conf *conf, const struct state *s,
                 const struct publish_keys *keys, int64_t now_ms, struct arena *a,
                 struct publish_set *out, struct diag *d)
{
    struct publication p = {
        .conf = conf, .keys = keys, .a = a, .out = out, .now_ms = now_ms, .d = d};
    struct params_shared shared;
    struct params_private priv;
    struct slice internal = keys->internal_cert->der, external = keys->external_cert->der;
    struct params_source source = {.address = slice_str(conf->address),
                                   .internal_certs = {&internal, 1},
                                   .external_certs = {&external, 1}};
    out->n = 0;
    make_stamp(now_ms, p.stamp);
    int rc = state_params(s, a, &shared, &priv, d);
    shared.sources = &source;
    shared.n_sources = 1;
    for (int v = PUBLISH_VERSION_MAX; rc == 0 && v >= PUBLISH_VERSION_MIN; v--)
        rc = one_version(&p, v, &shared, &priv);
    return rc;
}

/* "V6/internalconf"; parts have a folder of their own. */
static bool is_directory(const struct publish_file *f)
{
    return slice_ends(slice_str(f->path), "conf");
}

void publish_record(const struct publish_set *set, struct buf *out)
{
    logged_conf_begin(out);
    for (size_t i = 0; i < set->n; i++)
        if (is_directory(&set->f[i]))
            logged_conf_add(out, set->f[i].path, set->f[i].bytes);
}

int publish_add_proof(struct publish_set *set, struct slice proof, struct arena *a, struct diag *d)
{
    struct slice bytes = arena_dup(a, proof);
    size_t n = set->n;
    for (size_t i = 0; i < n; i++) {
        if (!is_directory(&set->f[i]))
            continue;
        if (set->n == PUBLISH_FILES_MAX)
            return diag_set(d, ERR_TOO_LARGE, "too many files in a generation");
        struct publish_file *f = &set->f[set->n++];
        snprintf(f->path, sizeof f->path, "%.100s" PUBLISH_PROOF, set->f[i].path);
        f->bytes = bytes;
    }
    return arena_failed(a) ? diag_set(d, ERR_NOMEM, "no memory for a proof") : 0;
}

int publish_anchor(const struct authority_conf *conf, const struct publish_keys *keys,
                   bool external, int64_t now_ms, struct buf *out, struct diag *d)
{
    char url[1200];
    struct slice cert = external ? keys->external_cert->der : keys->internal_cert->der;
    snprintf(url, sizeof url, "%s/%s", conf->url, external ? "externalconf" : "internalconf");
    struct params_source source = {.address = slice_str(url), .internal_certs = {&cert, 1}};
    struct params_anchor anchor = {.generated_ms = now_ms,
                                   .instance = slice_str(conf->instance),
                                   .sources = &source,
                                   .n_sources = 1};
    params_anchor_print(&anchor, out);
    return out->failed ? diag_set(d, ERR_TOO_LARGE, "the anchor is too large") : 0;
}
