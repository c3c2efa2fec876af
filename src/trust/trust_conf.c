#include "trust/trust_conf.h"
#include "base/err.h"
#include "proc/command.h"

#include <stdio.h>
#include <string.h>

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "trust", key, kind, false, fallback, help                                                  \
    }

const struct conf_rule trust_conf_rules[] = {
    S("dir", CONF_TEXT, ".", "folder of keys, certificates and the journal"),
    S("user", CONF_TEXT, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
    S("name", CONF_TEXT, "Sild Trust", "organisation in the CA's name"),
    S("country", CONF_TEXT, "EE", "country in the CA's name"),
    S("profile", CONF_TEXT, "Ejbca",
      "certificate profile: Ejbca, Basic, BasicACME, FiVRK, Is, Fo, SkKlass3"),
    S("ocsp_listen", CONF_TEXT, "127.0.0.1:8888", "where the OCSP responder listens"),
    S("tsa_listen", CONF_TEXT, "127.0.0.1:8899", "where the time-stamp authority listens"),
    S("health", CONF_TEXT, NULL,
      "where /healthz and /metrics are served, or off; port 4004 of ocsp_listen's loopback "
      "address, "
      "or of 127.0.0.1, unless told"),
    S("ocsp_url", CONF_TEXT, NULL, "the responder's URL, put into certificates"),
    S("tsa_url", CONF_TEXT, NULL, "the time-stamp authority's URL"),
    S("ca_key", CONF_TEXT, "p384", "kind of the CA's key: rsa2048, rsa3072, p256, p384"),
    S("service_key", CONF_TEXT, "p256", "kind of the OCSP and time-stamp keys"),
    S("ca_validity", CONF_DURATION, "7300d", "how long the CA's certificate is valid"),
    S("service_validity", CONF_DURATION, "3650d", "the same for OCSP and time-stamp certificates"),
    S("leaf_validity", CONF_DURATION, "730d", "the same for certificates that are issued"),
    S("ocsp_next_update", CONF_DURATION, "1h", "nextUpdate after thisUpdate"),
    SUBMIT_RULES,
};
const size_t trust_conf_rule_count = ARRAY_LEN(trust_conf_rules);

int trust_conf_read(const char *path, struct trust_conf *out, struct diag *d)
{
    struct conf k;
    memset(out, 0, sizeof *out);
    out->a = arena_new(4u << 20);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(path, "trust", trust_conf_rules, trust_conf_rule_count, out->a, &k,
                            out->dir, sizeof out->dir, d);
    if (rc != 0)
        return rc;
    const struct conf_section *s = conf_find(&k, "trust", "");
    out->user = command_text(out->a, &k, "trust", "user");
    out->name = command_text(out->a, &k, "trust", "name");
    out->country = command_text(out->a, &k, "trust", "country");
    out->profile = command_text(out->a, &k, "trust", "profile");
    out->ocsp_listen = command_text(out->a, &k, "trust", "ocsp_listen");
    out->tsa_listen = command_text(out->a, &k, "trust", "tsa_listen");
    out->health = command_text(out->a, &k, "trust", "health");
    out->ocsp_url = command_text(out->a, &k, "trust", "ocsp_url");
    out->tsa_url = command_text(out->a, &k, "trust", "tsa_url");
    out->ca_key = command_text(out->a, &k, "trust", "ca_key");
    out->service_key = command_text(out->a, &k, "trust", "service_key");
    out->ca_ms = conf_number(&k, s, "ca_validity");
    out->service_ms = conf_number(&k, s, "service_validity");
    out->leaf_ms = conf_number(&k, s, "leaf_validity");
    out->ocsp_next_ms = conf_number(&k, s, "ocsp_next_update");
    /* A CA belongs to no instance: the file names its journal. */
    return submit_conf_read(&k, SLICE_NONE, &out->ledger, d);
}

void trust_conf_free(struct trust_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
