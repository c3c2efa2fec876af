#include "cli/doctor.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"ok", "warn", "FAIL"};

/* --- whom to examine --- */

static int add_gateway(struct doctor *d, const char *config, const char *name, struct diag *why)
{
    if (d->n == DOCTOR_GATEWAYS_MAX)
        return diag_set(why, ERR_TOO_LARGE, "too many gateways");
    struct doctor_gateway *g = &d->gateway[d->n];
    snprintf(g->config, sizeof g->config, "%s", config);
    int rc = conffile_read(config, &g->file, why);
    if (rc != 0) {
        conffile_free(&g->file);
        return rc;
    }
    d->n++;
    const struct id_server *s = &g->file.conf.server;
    if (name != NULL)
        snprintf(g->name, sizeof g->name, "%s", name);
    else
        snprintf(g->name, sizeof g->name, "%.*s", SLICE_ARG(s->server_code));
    /* "./x/." reads badly in what is printed */
    struct slice dir = g->file.conf.dir;
    if (slice_ends(dir, "/."))
        dir.n -= 2;
    snprintf(g->dir, sizeof g->dir, "%.*s", SLICE_ARG(dir));
    return 0;
}

static bool is_named(char **names, const char *name)
{
    if (names[0] == NULL)
        return true;
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* One gateway that cannot be examined hides the others not. */
static void no_file(struct doctor *d, const char *config, const char *name, const struct diag *why)
{
    struct doctor_finding *f =
        doctor_find_add(d, DOCTOR_FILE, name, DOCTOR_FAIL, "%s: %s", why->where, why->text);
    doctor_find_since(f, doctor_find_mtime(config));
    doctor_find_next(f, "sild gateway reload --config '%s'", config);
}

static int add_country(struct doctor *d, char **names, struct diag *why)
{
    char path[DOCTOR_PATH];
    snprintf(path, sizeof path, "%s/founded", d->dir);
    if (!fs_exists(path))
        return diag_set(why, ERR_NOT_FOUND,
                        "there is no country in %s (see sild up), and no --config FILE names a "
                        "gateway",
                        d->dir);
    for (int i = 0; i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        snprintf(path, sizeof path, "%s/%s/%s.conf", d->dir, r->name, r->name);
        if (strcmp(r->role, "gateway") == 0 && is_named(names, r->name) &&
            add_gateway(d, path, r->name, why) != 0)
            no_file(d, path, r->name, why);
    }
    size_t wanted = 0;
    while (names[wanted] != NULL)
        wanted++;
    return wanted > d->n + d->n_found
               ? diag_set(why, ERR_USAGE, "the country has not all of these gateways")
               : 0;
}

/* --- what is printed --- */

static void print_text(const struct doctor *d, const struct doctor_finding *culprit)
{
    char when[TIMEVAL_TEXT];
    for (size_t i = 0; i < d->n_found; i++) {
        const struct doctor_finding *f = &d->found[i];
        printf("%-4s  %-13s %-14s  %s", state_names[f->state], doctor_find_table[f->link].name,
               f->subject, f->text);
        if (f->caused != NULL)
            printf(" (follows from %s %s)", doctor_find_table[f->caused->link].name,
                   f->caused->subject);
        printf("\n");
        if (f->state == DOCTOR_OK || f->caused != NULL)
            continue;
        if (f->since_ms != 0) {
            timeval_print_iso(f->since_ms, false, when);
            printf("      since %s\n", when);
        }
        struct slice rest = buf_view(&f->next), line;
        while (rest.n > 0 && slice_next(&rest, '\n', &line))
            printf("      $ %.*s\n", SLICE_ARG(line));
    }
    if (culprit == NULL) {
        printf("\nThe chain holds.\n");
        return;
    }
    printf("\nThe culprit: %s %s. %s.\n", doctor_find_table[culprit->link].name, culprit->subject,
           culprit->text);
}

static void put_finding(struct json_out *j, const struct doctor_finding *f)
{
    char when[TIMEVAL_TEXT], cause[256];
    json_open(j, '{');
    json_kstr(j, "link", doctor_find_table[f->link].name);
    json_kstr(j, "subject", f->subject);
    json_kstr(j, "state", state_names[f->state]);
    json_kstr(j, "text", f->text);
    json_key(j, "since");
    if (f->since_ms != 0) {
        timeval_print_iso(f->since_ms, true, when);
        json_str(j, slice_str(when));
    } else {
        json_none(j);
    }
    json_key(j, "next");
    json_open(j, '[');
    struct slice rest = buf_view(&f->next), line;
    while (rest.n > 0 && slice_next(&rest, '\n', &line))
        if (line.n > 0)
            json_str(j, line);
    json_close(j, ']');
    json_key(j, "follows_from");
    if (f->caused != NULL) {
        snprintf(cause, sizeof cause, "%s/%s", doctor_find_table[f->caused->link].name,
                 f->caused->subject);
        json_str(j, slice_str(cause));
    } else {
        json_none(j);
    }
    json_close(j, '}');
}

static void print_json(const struct doctor *d, const struct doctor_finding *culprit)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 16u << 20);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_key(&j, "healthy");
    json_bool(&j, culprit == NULL);
    json_key(&j, "culprit");
    if (culprit == NULL)
        json_none(&j);
    else
        put_finding(&j, culprit);
    json_key(&j, "links");
    json_open(&j, '[');
    for (size_t i = 0; i < d->n_found; i++)
        put_finding(&j, &d->found[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    printf("%s\n", buf_cstr(&b));
    buf_free(&b);
}

static int run(struct doctor *d, bool json)
{
    doctor_process(d);
    doctor_clock(d);
    doctor_conf(d);
    doctor_cert(d);
    doctor_log(d);
    doctor_health(d);
    doctor_peer(d);
    doctor_access(d);
    doctor_ledger(d);
    const struct doctor_finding *culprit = doctor_find_culprit(d);
    if (json)
        print_json(d, culprit);
    else
        print_text(d, culprit);
    return culprit == NULL ? EXIT_DONE : EXIT_NO;
}

static void release(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        cli_globalconf_free(&d->gateway[i].stored);
        conffile_free(&d->gateway[i].file);
    }
    doctor_find_free(d);
    free(d);
}

/* --- the command --- */

static int list(void)
{
    for (int i = 0; i < DOCTOR_LINKS; i++)
        printf("%-13s  %s\n%15s%s\n", doctor_find_table[i].name, doctor_find_table[i].checks, "",
               doctor_find_table[i].advice);
    return EXIT_DONE;
}

static int examine(struct doctor *d, const char *config, char **args, bool json)
{
    struct diag why = {0};
    int rc = config != NULL && args[0] != NULL
                 ? diag_set(&why, ERR_USAGE, "--config names the gateway already")
             : config != NULL ? add_gateway(d, config, NULL, &why)
                              : add_country(d, args, &why);
    int code = rc == 0 ? run(d, json)
                       : command_fail("doctor", &why, rc == ERR_USAGE ? EXIT_USE : EXIT_COULD_NOT);
    release(d);
    return code;
}

int cli_doctor(int argc, char **argv)
{
    const char *dir = "./country.d", *json = NULL, *config = NULL, *links = NULL;
    struct doctor *d = calloc(1, sizeof *d);
    if (d == NULL)
        return EXIT_COULD_NOT;
    const struct opt opts[] = {
        {"--dir", "DIR", "where the country lives (./country.d)", &dir, NULL},
        {"--config", "FILE", "one gateway by its configuration, in place of a country", &config,
         NULL},
        {"--client", "ID", "may this client …", &d->client, NULL},
        {"--service", "ID", "… use this service, and by which rule", &d->service, NULL},
        {"--method", "METHOD", "with this method", &d->method, NULL},
        {"--path", "PATH", "at this path below the service", &d->path, NULL},
        {"--links", NULL, "list the links, what each checks, and what helps", &links, NULL},
        {"--json", NULL, "as JSON", &json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild doctor [--dir DIR | --config FILE] [--json] [GATEWAY …]",
        .text = "Walks the chain of trust from the client's edge to the provider's registry. One\n"
                "line a link; for one that fails also since when, and what to do next. Exit code\n"
                "1 when a link fails.",
        .opts = opts,
        .max_args = -1};
    char *args[argc + 1];
    int code;
    if (!command_parse("doctor", &cmd, argc, argv, args, &code) || links != NULL) {
        free(d);
        return links != NULL ? list() : code;
    }
    if (config == NULL) {
        d->dir = dir;
        d->client = d->client == NULL ? COUNTRY_CLIENT : d->client;
        d->service = d->service == NULL ? COUNTRY_SERVICE : d->service;
    }
    return examine(d, config, args, json != NULL);
}
