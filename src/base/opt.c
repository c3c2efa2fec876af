#include "base/opt.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const struct opt *find(const struct opt *opts, const char *name, size_t n)
{
    for (; opts != NULL && opts->name != NULL; opts++)
        if (strlen(opts->name) == n && memcmp(opts->name, name, n) == 0)
            return opts;
    return NULL;
}

static int store(const struct opt *o, const char *value, struct diag *d)
{
    *o->value = value;
    if (o->all == NULL)
        return 0;
    for (int i = 0; i < OPT_REPEAT_MAX; i++) {
        if (o->all[i] == NULL) {
            o->all[i] = value;
            return 0;
        }
    }
    return diag_set(d, ERR_USAGE, "%s stands more than %d times", o->name, OPT_REPEAT_MAX);
}

/* One option at argv[*i]; takes the next argument where it needs a value. */
static int take_option(const struct opt_command *c, int argc, char **argv, int *i, struct diag *d)
{
    const char *a = argv[*i];
    const char *eq = strchr(a, '=');
    size_t n = eq == NULL ? strlen(a) : (size_t)(eq - a);
    const struct opt *o = find(c->opts, a, n);
    if (o == NULL)
        return diag_set(d, ERR_USAGE, "unknown option %s", a);
    if (o->arg == NULL)
        return eq != NULL ? diag_set(d, ERR_USAGE, "%s takes no value", o->name) : store(o, "", d);
    if (eq != NULL)
        return store(o, eq + 1, d);
    if (*i + 1 >= argc)
        return diag_set(d, ERR_USAGE, "%s wants a value: %s", o->name, o->arg);
    return store(o, argv[++*i], d);
}

static int check_needs(const struct opt_command *c, struct diag *d)
{
    for (const struct opt *o = c->opts; c->needs != NULL && o->name != NULL; o++)
        if (strcmp(o->name, c->needs) == 0 && *o->value == NULL)
            return diag_set(d, ERR_USAGE, "%s %s is missing", o->name, o->arg);
    return 0;
}

int opt_parse(const struct opt_command *c, int argc, char **argv, char **args, struct diag *d)
{
    int n = 0;
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (only_args || a[0] != '-' || a[1] == 0) {
            args[n++] = argv[i];
            continue;
        }
        if (strcmp(a, "--") == 0) {
            only_args = true;
            continue;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
            return OPT_HELP;
        int rc = take_option(c, argc, argv, &i, d);
        if (rc != 0)
            return rc;
    }
    args[n] = NULL;
    if (n < c->min_args)
        return diag_set(d, ERR_USAGE, "an argument is missing");
    if (c->max_args >= 0 && n > c->max_args)
        return diag_set(d, ERR_USAGE, "one argument too many: %s", args[c->max_args]);
    return check_needs(c, d);
}

void opt_help(const struct opt_command *c, struct buf *out)
{
    buf_printf(out, "usage: %s\n\n%s\n", c->usage, c->text);
    if (c->opts != NULL && c->opts->name != NULL)
        buf_str(out, "\noptions:\n");
    for (const struct opt *o = c->opts; o != NULL && o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", o->name, o->arg != NULL ? " " : "",
                 o->arg != NULL ? o->arg : "");
        buf_printf(out, "  %-26s %s\n", left, o->help);
    }
    buf_printf(out, "  %-26s %s\n", "--help", "this text");
}
