#include "cli/check.h"
#include "authority/authority_conf.h"
#include "base/err.h"
#include "base/timeval.h"
#include "gateway/gateway_check.h"
#include "ledger/aggregate_conf.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_lists.h"
#include "proc/command.h"
#include "proc/confdir.h"
#include "proc/fs.h"
#include "registry/registry_conf.h"
#include "submit/submit_conf.h"
#include "trust/trust_conf.h"
#include "wire/json.h"
#include "witness/witness_conf.h"
#include "witness/witness_logs.h"
#include "xroad/globalconf.h"
#include "xroad/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_MAX (1u << 20)
#define ARENA_MAX (16u << 20)
#define IMAGE_MAX (256u << 20)
#define ADDRESSES_MAX 4

/* --- roles whose file is one section --- */

static int read_authority(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct authority_conf c;
    int rc = authority_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    authority_conf_free(&c);
    return rc;
}

static int read_trust(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct trust_conf c;
    int rc = trust_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    trust_conf_free(&c);
    return rc;
}

static int read_registry(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct registry_conf c;
    int rc = registry_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    if (rc == 0 && !fs_exists(c.database))
        rc = diag_set(d, ERR_NOT_FOUND,
                      "there is no database %s; make it with: sild registry init --config %s",
                      c.database, path);
    registry_conf_free(&c);
    return rc;
}

static int read_ledger(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct ledger_conf c;
    struct ledger_lists lists;
    struct note_key own = {0};
    struct buf packed;
    buf_init(&packed, LEDGER_LISTS_MAX);
    int rc = ledger_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    rc = rc != 0 ? rc : ledger_conf_key(c.dir, LEDGER_KEY, c.origin, &own, d);
    rc = rc != 0 ? rc : ledger_lists_pack(c.journals, c.policy, &packed, d);
    if (rc == 0) {
        rc = ledger_lists_parse(buf_view(&packed), &own, &lists, d);
        ledger_lists_free(&lists);
    }
    note_key_free(&own);
    ledger_conf_free(&c);
    buf_free(&packed);
    return rc;
}

static int read_aggregate(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct aggregate_conf c;
    struct ledger_lists lists;
    struct note_key own = {0};
    struct buf packed;
    buf_init(&packed, LEDGER_LISTS_MAX);
    int rc = aggregate_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    rc = rc != 0 ? rc : ledger_conf_key(c.dir, AGGREGATE_KEY, c.name, &own, d);
    rc = rc != 0 ? rc : ledger_lists_pack(c.journals, NULL, &packed, d);
    if (rc == 0) {
        rc = ledger_lists_parse(buf_view(&packed), NULL, &lists, d);
        ledger_lists_free(&lists);
    }
    note_key_free(&own);
    aggregate_conf_free(&c);
    buf_free(&packed);
    return rc;
}

static int read_witness(const char *path, char *dir, size_t cap, struct diag *d)
{
    struct witness_conf c;
    struct witness_logs *logs = NULL;
    struct note_key key;
    struct diag list = {0};
    int rc = witness_conf_read(path, &c, d);
    snprintf(dir, cap, "%s", rc == 0 ? c.dir : "");
    if (rc == 0 && (rc = witness_logs_read(c.logs, &logs, &list)) != 0)
        rc = diag_set(d, rc, "%s: %s", list.where, list.text); /* a line of another file */
    witness_logs_free(logs);
    rc = rc != 0 ? rc : witness_conf_vkey(&c, &key, d);
    if (rc == 0)
        note_key_free(&key);
    witness_conf_free(&c);
    return rc;
}

struct simple {
    const char *role;
    const struct conf_rule *rules;
    const size_t *n;
    const char *addresses[ADDRESSES_MAX]; /* keys that hold one to listen on */
    /* The role's own reading; its folder. */
    int (*read)(const char *path, char *dir, size_t cap, struct diag *d);
    bool hands_in; /* has a journal whose heads go to a ledger: [ledger] url */
};

static const struct simple simple[] = {
    {"authority",
     authority_conf_rules,
     &authority_conf_rule_count,
     {"listen", "health"},
     read_authority,
     true},
    {"trust",
     trust_conf_rules,
     &trust_conf_rule_count,
     {"ocsp_listen", "tsa_listen", "health"},
     read_trust,
     true},
    {"registry",
     registry_conf_rules,
     &registry_conf_rule_count,
     {"listen", "health"},
     read_registry,
     false},
    {"ledger",
     ledger_conf_rules,
     &ledger_conf_rule_count,
     {"listen", "health"},
     read_ledger,
     false},
    {"aggregate",
     aggregate_conf_rules,
     &aggregate_conf_rule_count,
     {"listen", "health"},
     read_aggregate,
     false},
    {"witness",
     witness_conf_rules,
     &witness_conf_rule_count,
     {"listen", "health"},
     read_witness,
     false},
};

static void check_simple(const struct simple *r, const char *path, struct slice text,
                         struct complaints *c)
{
    struct conf conf;
    struct diag d = {0};
    char dir[2048] = "";
    struct arena *a = arena_new(ARENA_MAX);
    if (a == NULL) {
        complaints_add(c, false, 0, "no memory for the configuration");
        return;
    }
    int rc = conf_parse_all(a, text, r->rules, *r->n, &conf, complaints_diag, c);
    const struct conf_section *s = conf_find(&conf, r->role, "");
    if (rc == 0 && r->read(path, dir, sizeof dir, &d) != 0)
        complaints_diag(c, &d);
    for (size_t i = 0; i < ADDRESSES_MAX && r->addresses[i] != NULL; i++) {
        struct slice at = conf_text(&conf, s, r->addresses[i]);
        if (at.n > 0 && !slice_eq_str(at, "off"))
            complaints_address(c, complaints_line(s, r->addresses[i]), r->addresses[i], at);
    }
    if (dir[0] != 0)
        complaints_folder(c, complaints_line(s, "dir"), dir);
    struct submit_conf heads;
    if (dir[0] != 0 && r->hands_in && submit_conf_read(&conf, SLICE_LIT("-"), &heads, NULL) == 0)
        submit_conf_check(&conf, &heads, dir, c);
    arena_free(a);
}

/* --- other things that are configured --- */

static void check_anchor(struct slice xml, struct complaints *c)
{
    struct params_anchor p;
    struct diag d = {0};
    struct arena *a = arena_new(ARENA_MAX);
    if (a == NULL || params_anchor_parse(a, xml, &p, &d) != 0)
        complaints_add(c, false, 0, "it is no configuration anchor: %s", d.text);
    else
        for (size_t i = 0; i < p.n_sources; i++)
            complaints_url(c, 0, p.sources[i].address);
    arena_free(a);
}

static void check_folder(const char *path, int64_t now_ms, struct complaints *c)
{
    struct buf image;
    struct globalconf *g = NULL;
    struct diag d = {0};
    char when[TIMEVAL_TEXT];
    buf_init(&image, IMAGE_MAX);
    int rc = confdir_compile(path, &image, &d);
    rc = rc != 0 ? rc : globalconf_open(buf_view(&image), &g, &d);
    if (rc != 0) {
        complaints_add(c, false, 0, "%s", d.text);
    } else if (globalconf_check_valid(g, now_ms, &d) != 0) {
        timeval_print_iso(globalconf_expires(g), false, when);
        complaints_add(c, false, 0, "the global configuration expired at %s", when);
    }
    globalconf_close(g);
    buf_free(&image);
}

/* --- what is it? --- */

/* The kind of the first section that a role knows. */
static const char *kind_of(struct slice text)
{
    static const struct {
        const char *section, *kind;
    } known[] = {{"authority", "authority"}, {"trust", "trust"},     {"registry", "registry"},
                 {"gateway", "gateway"},     {"key", "gateway"},     {"log", "gateway"},
                 {"client", "gateway"},      {"service", "gateway"}, {"group", "gateway"},
                 {"ledger", "ledger"},       {"witness", "witness"}, {"aggregate", "aggregate"}};
    struct slice line;
    while (slice_next(&text, '\n', &line)) {
        line = slice_trim(line);
        if (line.n > 0 && line.p[0] == '<')
            return "anchor";
        if (line.n < 2 || line.p[0] != '[')
            continue;
        struct slice head = slice_sub(line, 1, line.n - 1);
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            size_t n = strlen(known[i].section);
            if (slice_starts(head, known[i].section) && head.n > n &&
                (head.p[n] == ']' || head.p[n] == ' '))
                return known[i].kind;
        }
    }
    return NULL;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* *kind: what it was taken for. */
static int check(const char *path, struct complaints *c, const char **kind, struct diag *d)
{
    struct stat st;
    struct buf text;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        *kind = "global configuration";
        check_folder(path, now_ms(), c);
        return 0;
    }
    buf_init(&text, FILE_MAX);
    int rc = fs_read(path, &text, d);
    *kind = rc == 0 ? kind_of(buf_view(&text)) : "none";
    if (rc == 0 && *kind == NULL)
        rc = diag_set(
            d, ERR_USAGE,
            "%s is no role's configuration: it has none of the sections [gateway], "
            "[authority], [trust], [ledger], [aggregate], [registry], [witness]; and no anchor",
            path);
    else if (rc == 0 && strcmp(*kind, "gateway") == 0)
        rc = gateway_check(path, now_ms(), c, d);
    else if (rc == 0 && strcmp(*kind, "anchor") == 0)
        check_anchor(buf_view(&text), c);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(simple); i++)
        if (strcmp(*kind, simple[i].role) == 0)
            check_simple(&simple[i], path, buf_view(&text), c);
    buf_free(&text);
    return rc;
}

/* --- telling --- */

static int by_line(const void *a, const void *b)
{
    const struct complaint *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void print_text(const char *path, const char *kind, const struct complaints *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct complaint *k = &c->at[i];
        printf("%s:", path);
        if (k->line > 0)
            printf("%u:", k->line);
        printf(" %s: %s\n", k->warning ? "warning" : "error", k->text);
    }
    if (c->more > 0)
        printf("%s: error: %zu more are not shown\n", path, c->more);
    if (complaints_errors(c) == 0)
        printf("%s: %s: no errors%s\n", path, kind, c->n > 0 ? ", but see above" : "");
}

static void print_json(const char *path, const char *kind, const struct complaints *c)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 1u << 20);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "file", path);
    json_kstr(&j, "kind", kind);
    json_key(&j, "ok");
    json_bool(&j, complaints_errors(c) == 0);
    json_key(&j, "problems");
    json_open(&j, '[');
    for (size_t i = 0; i < c->n; i++) {
        json_open(&j, '{');
        if (c->at[i].line > 0)
            json_knum(&j, "line", c->at[i].line);
        json_kstr(&j, "level", c->at[i].warning ? "warning" : "error");
        json_kstr(&j, "text", c->at[i].text);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    puts(buf_cstr(&b));
    buf_free(&b);
}

int cli_check(int argc, char **argv)
{
    const char *json = NULL, *kind = "none";
    const struct opt opts[] = {
        {"--json", NULL, "as JSON", &json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild check FILE [--json]",
        .text = "Says what is wrong with a role's configuration file, every error with its line,\n"
                "and with what it names: keys, certificates, addresses. FILE may also be a\n"
                "configuration anchor, or a folder with a global configuration. Changes nothing.\n"
                "Exit code 1 when there is an error; warnings alone are none.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1};
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("check", &cmd, argc, argv, args, &code))
        return code;
    struct complaints *c = calloc(1, sizeof *c);
    if (c == NULL)
        return EXIT_COULD_NOT;
    if (check(args[0], c, &kind, &d) != 0) {
        free(c);
        return command_fail("check", &d, d.code == ERR_USAGE ? EXIT_USE : EXIT_COULD_NOT);
    }
    qsort(c->at, c->n, sizeof c->at[0], by_line);
    if (json != NULL)
        print_json(args[0], kind, c);
    else
        print_text(args[0], kind, c);
    code = complaints_errors(c) == 0 ? EXIT_DONE : EXIT_NO;
    free(c);
    return code;
}
