/* Configuration of sild authority: one table, read by every child. */
#ifndef SILD_AUTHORITY_AUTHORITY_CONF_H
#define SILD_AUTHORITY_AUTHORITY_CONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"
#include "submit/submit_conf.h"

struct authority_conf {
    const char *health; /* host:port, "off", or NULL: proc/health.h */
    struct arena *a;
    char dir[1024];
    const char *user; /* NULL: none */
    const char *instance;
    const char *listen;  /* host:port of the distributor */
    const char *address; /* host that clients reach it by: the `source` of the shared parameters */
    const char *url;     /* "http://host[:port]": what anchors say */
    const char *key;     /* kind of the signing keys */
    int64_t interval_ms, expire_ms;
    struct submit_conf ledger;
    int64_t wait_ms; /* for the proof of a new configuration; 0: none is made */
};
/* ERR_SYNTAX with file and line. Free it also after a failure. */
int authority_conf_read(const char *path, struct authority_conf *out, struct diag *d) MUST_USE;
void authority_conf_free(struct authority_conf *c);
extern const struct conf_rule authority_conf_rules[];
extern const size_t authority_conf_rule_count;

#endif
