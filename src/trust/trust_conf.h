/* Configuration of sild trust: one table, read by every child. */
#ifndef SILD_TRUST_TRUST_CONF_H
#define SILD_TRUST_TRUST_CONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"
#include "submit/submit_conf.h"

struct trust_conf {
    struct arena *a;
    char dir[1024];   /* absolute or relative to the working folder */
    const char *user; /* NULL: none */
    const char *name, *country, *profile;
    const char *ocsp_listen, *tsa_listen; /* host:port */
    const char *health;                   /* the same, "off", or NULL: proc/health.h */
    const char *ocsp_url, *tsa_url;       /* as written into certificates and for operators */
    const char *ca_key, *service_key;     /* kinds of keys */
    int64_t ca_ms, service_ms, leaf_ms;   /* validity of certificates */
    int64_t ocsp_next_ms;                 /* nextUpdate after thisUpdate */
    struct submit_conf ledger;
};
/* ERR_SYNTAX with file and line. Free it also after a failure. */
int trust_conf_read(const char *path, struct trust_conf *out, struct diag *d) MUST_USE;
void trust_conf_free(struct trust_conf *c);
extern const struct conf_rule trust_conf_rules[];
extern const size_t trust_conf_rule_count;

#endif
