/* The configuration of `sild registry`: one section, [registry]. */
#ifndef SILD_REGISTRY_REGISTRY_CONF_H
#define SILD_REGISTRY_REGISTRY_CONF_H

#include "base/conf.h"
#include "registry/census.h"

struct registry_conf {
    struct arena *a; /* owns all text */
    const char *name, *host, *database, *dir;
    const char *user; /* NULL: none */
    const char *listen; /* host and port as they stand */
    const char *health; /* host:port, "off", or NULL: proc/health.h */
    uint16_t port;
    int workers;
    struct census census;
};

/* Keys, fallbacks and help, for `sild check` and the manual. */
extern const struct conf_rule registry_conf_rules[];
extern const size_t registry_conf_rule_count;

/* text: the file's. Errors: ERR_SYNTAX, ERR_USAGE with a sentence. registry_conf_free also after an
 * error. */
int registry_conf_parse(struct slice text, struct registry_conf *out, struct diag *d) MUST_USE;
/* The same from a file; the sentence names it. */
int registry_conf_read(const char *path, struct registry_conf *out, struct diag *d) MUST_USE;
void registry_conf_free(struct registry_conf *c);

#endif
