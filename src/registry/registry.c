#include "registry/registry.h"
#include "base/err.h"
#include "base/opt.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "registry/date.h"
#include "registry/people.h"
#include "registry/registry_conf.h"
#include "registry/registry_worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAMPLE_MAX 1000

static int complain(int exit_code, const struct diag *d)
{
    char text[1024];
    diag_print(d, text, sizeof text);
    fprintf(stderr, "sild registry: %s\n", text);
    return exit_code;
}

/* Prints all of it, or says that it could not. */
static int print(const struct buf *out)
{
    if (!out->failed && fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0)
        return EXIT_DONE;
    fprintf(stderr, "sild registry: cannot write the output\n");
    return EXIT_COULD_NOT;
}

/* The database is there: the one that the configuration describes? */
static int found(const struct registry_conf *c)
{
    struct people *p;
    struct diag d = {0};
    char as_of[DATE_TEXT];
    if (people_open(c->database, DB_READ, &p, &d) != 0)
        return complain(EXIT_COULD_NOT, &d);
    const struct people_about *about = people_about(p);
    date_print(c->census.as_of, as_of);
    bool same = strcmp(about->name, c->name) == 0 && about->people == c->census.people &&
                about->seed == (int64_t)c->census.seed && strcmp(about->made_as_of, as_of) == 0;
    if (same)
        printf("%s is there already: %lld people\n", c->database, (long long)about->people);
    else
        diag_set(&d, ERR_EXISTS,
                 "%s is there already, made otherwise (register %s, %lld people, seed %lld, date"
                 " %s); remove it to make it anew",
                 c->database, about->name, (long long)about->people, (long long)about->seed,
                 about->made_as_of);
    people_close(p);
    return same ? EXIT_DONE : complain(EXIT_NO, &d);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int init(const struct registry_conf *c)
{
    struct diag d = {0};
    if (fs_exists(c->database))
        return found(c);
    int64_t start = now_ms();
    int rc = fs_mkdirs(c->dir, 0700, &d);
    if (rc == 0)
        rc = census_make(c->database, &c->census, &d);
    if (rc != 0)
        return complain(EXIT_COULD_NOT, &d);
    printf("%s: %u people in %lld ms\n", c->database, (unsigned)c->census.people,
           (long long)(now_ms() - start));
    return EXIT_DONE;
}

static int sample(const struct registry_conf *c, const char *count, bool json)
{
    struct people *p;
    struct diag d = {0};
    struct buf out;
    uint64_t n = 5;
    if (count != NULL && (!slice_u64(slice_str(count), &n) || n == 0 || n > SAMPLE_MAX)) {
        diag_set(&d, ERR_USAGE, "-n: 1 to %d", SAMPLE_MAX);
        return complain(EXIT_USE, &d);
    }
    if (people_open(c->database, DB_READ, &p, &d) != 0)
        return complain(EXIT_COULD_NOT, &d);
    buf_init(&out, 1u << 20);
    int rc = people_sample(p, (int64_t)n, json, &out, &d);
    if (json)
        buf_byte(&out, '\n');
    int code = rc != 0 ? complain(EXIT_COULD_NOT, &d) : print(&out);
    buf_free(&out);
    people_close(p);
    return code;
}

/* A register that cannot be served is told before any process starts. */
static int check_database(const struct registry_conf *c, struct diag *d)
{
    struct people *p;
    if (!fs_exists(c->database))
        return diag_set(d, ERR_NOT_FOUND,
                        "there is no database %s; make it with: sild registry init --config FILE",
                        c->database);
    int rc = people_open(c->database, DB_READ, &p, d);
    if (rc != 0)
        return rc;
    report(REPORT_INFO, "serving", "%s, %lld people, http://%s:%u", people_about(p)->name,
           (long long)people_about(p)->people, c->host, (unsigned)c->port);
    people_close(p);
    return 0;
}

static int run(const struct registry_conf *c, const char *config_path, const char *child)
{
    struct diag d = {0};
    const struct group_child children[] = {{.name = "worker",
                                            .count = c->workers,
                                            .alone = true,
                                            .listens = {REGISTRY_LISTEN},
                                            .run = registry_worker_run}};
    struct group_listen listens[] = {{.name = REGISTRY_LISTEN}};
    const struct group_spec spec = {.role = "registry",
                                    .children = children,
                                    .n = ARRAY_LEN(children),
                                    .listens = listens,
                                    .n_listens = ARRAY_LEN(listens),
                                    .dir = c->dir,
                                    .config_path = config_path};
    if (net_addr_parse(c->host, c->port, &listens[0].addr) != 0) {
        diag_set(&d, ERR_USAGE, "listen: %s is not a numeric address", c->host);
        return complain(EXIT_USE, &d);
    }
    if (child != NULL)
        return group_run_child(&spec, child);
    report_open("registry");
    if (check_database(c, &d) != 0)
        return complain(EXIT_COULD_NOT, &d);
    return group_run(&spec);
}

struct options {
    const char *config, *child, *count, *json;
    const char *action; /* NULL: run */
};

/* Returns -1 to go on, or an exit code. */
static int read_options(int argc, char **argv, struct options *o, struct diag *d)
{
    const struct opt opts[] = {
        {"--config", "FILE", "the configuration", &o->config, NULL},
        {"-n", "COUNT", "sample: how many people (5)", &o->count, NULL},
        {"--json", NULL, "sample: as JSON", &o->json, NULL},
        {"--child", "NAME", "used by the parent process", &o->child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command command = {
        "sild registry [init | sample] --config FILE",
        "Serves a population register over REST. init makes its database of synthetic people;\n"
        "sample prints some of them, always the same.",
        opts, 0, 1};
    char *args[16];
    if (argc >= (int)ARRAY_LEN(args)) {
        diag_set(d, ERR_USAGE, "too many arguments");
        return complain(EXIT_USE, d);
    }
    int rc = opt_parse(&command, argc, argv, args, d);
    if (rc == OPT_HELP) {
        struct buf help;
        buf_init(&help, 8192);
        opt_help(&command, &help);
        int code = print(&help);
        buf_free(&help);
        return code;
    }
    if (rc == 0 && o->config == NULL)
        rc = diag_set(d, ERR_USAGE, "--config FILE is missing");
    o->action = args[0];
    if (rc == 0 && o->action != NULL && strcmp(o->action, "init") != 0 &&
        strcmp(o->action, "sample") != 0)
        rc = diag_set(d, ERR_USAGE, "no such command: %s", o->action);
    return rc != 0 ? complain(EXIT_USE, d) : -1;
}

int registry_main(int argc, char **argv)
{
    struct options o = {0};
    struct registry_conf c;
    struct diag d = {0};
    int code = read_options(argc, argv, &o, &d);
    if (code >= 0)
        return code;
    if (registry_conf_read(o.config, &c, &d) != 0)
        code =
            complain(d.code == ERR_SYNTAX || d.code == ERR_USAGE ? EXIT_USE : EXIT_COULD_NOT, &d);
    else if (o.action == NULL)
        code = run(&c, o.config, o.child);
    else
        code = strcmp(o.action, "init") == 0 ? init(&c) : sample(&c, o.count, o.json != NULL);
    registry_conf_free(&c);
    return code;
}
