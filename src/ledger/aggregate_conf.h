/* Configuration of sild ledger aggregate: one table, read by every child. */
#ifndef SILD_LEDGER_AGGREGATE_CONF_H
#define SILD_LEDGER_AGGREGATE_CONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"

#define AGGREGATE_KEY "aggregate" /* in the key store */

struct aggregate_conf {
    struct arena *a;
    char dir[1024];
    const char *user; /* NULL: none */
    const char *name;
    const char *journals; /* a path, below dir when relative */
    const char *upper;    /* URL of the ledger or aggregator above */
    const char *listen, *health;
    int workers;
    int64_t interval_ms;
};
/* ERR_SYNTAX with file and line. Free it also after a failure. */
int aggregate_conf_read(const char *path, struct aggregate_conf *out, struct diag *d) MUST_USE;
void aggregate_conf_free(struct aggregate_conf *c);
extern const struct conf_rule aggregate_conf_rules[];
extern const size_t aggregate_conf_rule_count;

#endif
