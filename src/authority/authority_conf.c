#include "authority/authority_conf.h"
#include "base/err.h"
#include "proc/fs.h"
#include "xroad/id.h"

#include <stdio.h>
#include <string.h>

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "authority", key, kind, false, fallback, help                                              \
    }

const struct conf_rule authority_conf_rules[] = {
    S("dir", CONF_TEXT, ".", "folder of keys, certificates and the journal"),
    S("instance", CONF_TEXT, NULL, "the X-Road instance's identifier"),
    S("listen", CONF_TEXT, "0.0.0.0:80", "where the global configuration is served"),
    S("address", CONF_TEXT, "127.0.0.1", "host name or address of this distributor"),
    S("url", CONF_TEXT, NULL, "http://host[:port] that anchors name; default: http://<address>"),
    S("key", CONF_TEXT, "rsa2048", "kind of the signing keys: rsa2048, rsa3072, p256, p384"),
    S("interval", CONF_DURATION, "60s", "how often the configuration is signed anew"),
    S("expire", CONF_DURATION, "10m", "for how long a signed configuration holds"),
};
const size_t authority_conf_rule_count = ARRAY_LEN(authority_conf_rules);

static const char *text(struct authority_conf *c, const struct conf *k, const char *key)
{
    struct slice s = conf_text(k, conf_find(k, "authority", ""), key);
    return s.p == NULL ? NULL : arena_cstr(c->a, s);
}

static int check(const struct authority_conf *c, const char *path, struct diag *d)
{
    if (c->instance == NULL || !id_part_is_clean(slice_str(c->instance)))
        return diag_set(d, ERR_SYNTAX,
                        "%s: [authority] instance is missing, or no identifier that X-Road takes",
                        path);
    if (c->expire_ms <= c->interval_ms)
        return diag_set(d, ERR_SYNTAX,
                        "%s: [authority] expire must be longer than interval, or the configuration "
                        "is outdated before it is renewed",
                        path);
    return 0;
}

int authority_conf_read(const char *path, struct authority_conf *out, struct diag *d)
{
    struct conf k;
    struct buf file;
    memset(out, 0, sizeof *out);
    out->a = arena_new(4u << 20);
    buf_init(&file, 1u << 20);
    int rc = out->a == NULL ? ERR_NOMEM : fs_read(path, &file, d);
    if (rc == 0)
        rc = conf_parse(out->a, buf_view(&file), authority_conf_rules, authority_conf_rule_count,
                        &k, d);
    buf_free(&file);
    if (rc != 0) {
        diag_where(d, "%s", path);
        return rc;
    }
    const struct conf_section *s = conf_find(&k, "authority", "");
    struct slice dir = conf_text(&k, s, "dir");
    const char *slash = strrchr(path, '/');
    if (dir.n > 0 && dir.p[0] == '/')
        snprintf(out->dir, sizeof out->dir, "%.*s", SLICE_ARG(dir));
    else
        snprintf(out->dir, sizeof out->dir, "%.*s/%.*s", slash == NULL ? 1 : (int)(slash - path),
                 slash == NULL ? "." : path, SLICE_ARG(dir));
    out->instance = text(out, &k, "instance");
    out->listen = text(out, &k, "listen");
    out->address = text(out, &k, "address");
    out->url = text(out, &k, "url");
    if (out->url == NULL)
        out->url = arena_printf(out->a, "http://%s", out->address);
    out->key = text(out, &k, "key");
    out->interval_ms = conf_number(&k, s, "interval");
    out->expire_ms = conf_number(&k, s, "expire");
    return check(out, path, d);
}

void authority_conf_free(struct authority_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
