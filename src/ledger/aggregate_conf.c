#include "ledger/aggregate_conf.h"
#include "base/err.h"
#include "proc/command.h"
#include "tlog/checkpoint.h"
#include "wire/http_url.h"

#include <string.h>

#define DAY_MS ((int64_t)86400000)
#define WORKERS_MAX 16

#define S(key, kind, fallback, help)                                                               \
    {                                                                                              \
        "aggregate", key, kind, false, fallback, help                                              \
    }

const struct conf_rule aggregate_conf_rules[] = {
    S("dir", CONF_TEXT, ".", "folder of the aggregator: key, heads, evidence"),
    S("user", CONF_TEXT, NULL,
      "the user that all processes but the parent run as when started as root; else unchanged"),
    S("name", CONF_TEXT, NULL, "the aggregator's name, and its key's"),
    S("upper", CONF_TEXT, NULL, "address of the ledger or aggregator that it hands its notes to"),
    S("listen", CONF_TEXT, "127.0.0.1:2026", "where the aggregator listens"),
    S("health", CONF_TEXT, NULL,
      "where /healthz and /metrics are served, or off; port 4008 of listen's loopback address, or "
      "of 127.0.0.1, unless told"),
    S("journals", CONF_TEXT, "journals",
      "file with the keys (vkeys, one a line) of the journals and aggregators below it"),
    S("interval_ms", CONF_NUMBER, "1000", "from one subtree to the next, in milliseconds"),
    S("workers", CONF_NUMBER, "1", "processes that serve HTTP, 1 to 16"),
};
const size_t aggregate_conf_rule_count = ARRAY_LEN(aggregate_conf_rules);

static int check(const struct aggregate_conf *c, struct diag *d)
{
    struct http_url u;
    if (c->name == NULL || !checkpoint_is_origin(slice_str(c->name)))
        return diag_set(d, ERR_SYNTAX,
                        "[aggregate] name: the aggregator's name is wanted: printable ASCII "
                        "without spaces and '+'");
    if (c->upper == NULL || http_url_parse(slice_str(c->upper), &u) != 0)
        return diag_set(d, ERR_SYNTAX,
                        "[aggregate] upper: an address as http://ledger.example:2025/ is wanted");
    if (c->workers < 1 || c->workers > WORKERS_MAX)
        return diag_set(d, ERR_SYNTAX, "[aggregate] workers: 1 to %d", WORKERS_MAX);
    if (c->interval_ms < 10 || c->interval_ms > DAY_MS)
        return diag_set(d, ERR_SYNTAX, "[aggregate] interval_ms: 10 ms to a day");
    return 0;
}

int aggregate_conf_read(const char *path, struct aggregate_conf *out, struct diag *d)
{
    struct conf k;
    memset(out, 0, sizeof *out);
    out->a = arena_new(4u << 20);
    if (out->a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(path, "aggregate", aggregate_conf_rules, aggregate_conf_rule_count,
                            out->a, &k, out->dir, sizeof out->dir, d);
    if (rc != 0)
        return rc;
    const struct conf_section *s = conf_find(&k, "aggregate", "");
    out->user = command_text(out->a, &k, "aggregate", "user");
    out->name = command_text(out->a, &k, "aggregate", "name");
    out->upper = command_text(out->a, &k, "aggregate", "upper");
    out->listen = command_text(out->a, &k, "aggregate", "listen");
    out->health = command_text(out->a, &k, "aggregate", "health");
    const char *journals = command_text(out->a, &k, "aggregate", "journals");
    out->journals =
        journals[0] == '/' ? journals : arena_printf(out->a, "%s/%s", out->dir, journals);
    int64_t workers = conf_number(&k, s, "workers");
    out->workers = workers > WORKERS_MAX ? WORKERS_MAX + 1 : (int)workers;
    out->interval_ms = conf_number(&k, s, "interval_ms");
    rc = check(out, d);
    if (rc != 0)
        diag_where(d, "%s", path);
    return rc;
}

void aggregate_conf_free(struct aggregate_conf *c)
{
    arena_free(c->a);
    c->a = NULL;
}
