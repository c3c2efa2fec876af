#include "authority/authority_conf.h"
#include "base/err.h"
#include "proc/command.h"
#include "xroad/id.h"

#include <stdio.h>
#include <string.h>

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "authority", key, kind, false, fallback, help                                              \
    }

const struct conf_rule authority_conf_rules[] = {
    S("dir", CONF_TEXT, ".", "folder of keys, certificates and the journal"),
    S("user", CONF_TEXT, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
    S("instance", CONF_TEXT, NULL, "the X-Road instance's identifier"),
    S("listen", CONF_TEXT, "0.0.0.0:80", "where the global configuration is served"),
    S("health", CONF_TEXT, NULL,
      "where /healthz and /metrics are served, or off; port 4003 of listen's loopback address, or "
      "of "
      "127.0.0.1, unless told"),
    S("address", CONF_TEXT, "127.0.0.1", "host name or address of this distributor"),
    S("url", CONF_TEXT, NULL, "http://host[:port] that anchors name; default: http://<address>"),
    S("key", CONF_TEXT, "rsa2048", "kind of the signing keys: rsa2048, rsa3072, p256, p384"),
    S("interval", CONF_DURATION, "60s", "how often the configuration is signed anew"),
    S("expire", CONF_DURATION, "10m", "for how long a signed configuration holds"),
    SUBMIT_RULES,
    {"ledger", "wait", CONF_DURATION, false, "5s",
     "how long a new configuration waits for the ledger, to be served with its proof; then it is "
     "served without; 0s: configurations are not logged"},
};
const size_t authority_conf_rule_count = ARRAY_LEN(authority_conf_rules);

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
    memset(out, 0, sizeof *out);
    out->a = arena_new(4u << 20);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(path, "authority", authority_conf_rules, authority_conf_rule_count,
                            out->a, &k, out->dir, sizeof out->dir, d);
    if (rc != 0)
        return rc;
    const struct conf_section *s = conf_find(&k, "authority", "");
    out->user = command_text(out->a, &k, "authority", "user");
    out->instance = command_text(out->a, &k, "authority", "instance");
    out->listen = command_text(out->a, &k, "authority", "listen");
    out->health = command_text(out->a, &k, "authority", "health");
    out->address = command_text(out->a, &k, "authority", "address");
    out->url = command_text(out->a, &k, "authority", "url");
    if (out->url == NULL)
        out->url = arena_printf(out->a, "http://%s", out->address);
    out->key = command_text(out->a, &k, "authority", "key");
    out->interval_ms = conf_number(&k, s, "interval");
    out->expire_ms = conf_number(&k, s, "expire");
    out->wait_ms = conf_number(&k, conf_find(&k, "ledger", ""), "wait");
    rc = check(out, path, d);
    if (rc == 0) {
        const char *name = arena_printf(out->a, "%s/authority/changes", out->instance);
        rc = submit_conf_read(&k, slice_str(name), &out->ledger, d);
    }
    return rc;
}

void authority_conf_free(struct authority_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
