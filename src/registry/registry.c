#include "registry/registry.h"
#include "base/err.h"
#include "base/opt.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/health.h"
#include "proc/report.h"
#include "registry/date.h"
#include "registry/people.h"
#include "registry/registry_conf.h"
#include "registry/registry_worker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAMPLE_MAX 1000

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
        return command_fail("registry", &d, EXIT_COULD_NOT);
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
    return same ? EXIT_DONE : command_fail("registry", &d, EXIT_NO);
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
        return command_fail("registry", &d, EXIT_COULD_NOT);
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
        return command_fail("registry", &d, EXIT_USE);
    }
    if (people_open(c->database, DB_READ, &p, &d) != 0)
        return command_fail("registry", &d, EXIT_COULD_NOT);
    buf_init(&out, 1u << 20);
    int rc = people_sample(p, (int64_t)n, json, &out, &d);
    if (json)
        buf_byte(&out, '\n');
    int code = rc != 0 ? command_fail("registry", &d, EXIT_COULD_NOT) : print(&out);
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

static int admin_run(struct group_self *self, const char *config_path)
{
    static const struct health_spec spec = {.role = "registry"};
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &spec);
}

static int run(const struct registry_conf *c, const char *config_path, const char *child)
{
    struct diag d = {0};
    const struct group_child children[] = {
        {.name = "worker",
         .count = c->workers,
         .alone = true,
         .listens = {REGISTRY_LISTEN},
         .run = registry_worker_run},
        HEALTH_CHILD(admin_run),
    };
    struct group_listen listens[] = {{.name = REGISTRY_LISTEN}, {.name = HEALTH_LISTEN}};
    bool health;
    struct group_spec spec = {.role = "registry",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .n_listens = ARRAY_LEN(listens),
                              .dir = c->dir,
                              .user = c->user,
                              .config_path = config_path};
    if (net_addr_parse(c->host, c->port, &listens[0].addr) != 0) {
        diag_set(&d, ERR_USAGE, "listen: %s is not a numeric address", c->host);
        return command_fail("registry", &d, EXIT_USE);
    }
    if (child != NULL)
        return group_run_child(&spec, child);
    if (health_addr(slice_str(c->health), slice_str(c->listen), 3, &listens[1].addr, &health, &d) !=
        0)
        return command_fail("registry", &d, EXIT_USE);
    spec.n_listens = health ? 2 : 1;
    report_open("registry");
    if (check_database(c, &d) != 0)
        return command_fail("registry", &d, EXIT_COULD_NOT);
    return group_run(&spec);
}

struct options {
    const char *config, *child, *count, *json;
    const char *action; /* NULL: run */
};

/* False: there is nothing more to do, *code is the exit code. */
static bool read_options(int argc, char **argv, struct options *o, int *code)
{
    const struct opt opts[] = {
        {"--config", "FILE", "the configuration", &o->config, NULL},
        {"-n", "COUNT", "sample: how many people (5)", &o->count, NULL},
        {"--json", NULL, "sample: as JSON", &o->json, NULL},
        {"--child", "NAME", "used by the parent process", &o->child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command command = {
        .usage = "sild registry [init | sample] --config FILE",
        .text = "Serves a population register over REST. init makes its database of synthetic "
                "people;\n"
                "sample prints some of them, always the same.",
        .opts = opts,
        .max_args = 1,
        .needs = "--config",
    };
    struct diag d = {0};
    char *args[argc + 1];
    if (!command_parse("registry", &command, argc, argv, args, code))
        return false;
    o->action = args[0];
    if (o->action == NULL || strcmp(o->action, "init") == 0 || strcmp(o->action, "sample") == 0)
        return true;
    diag_set(&d, ERR_USAGE, "no such command: %s", o->action);
    *code = command_fail("registry", &d, EXIT_USE);
    return false;
}

int registry_main(int argc, char **argv)
{
    struct options o = {0};
    struct registry_conf c;
    struct diag d = {0};
    int code;
    if (!read_options(argc, argv, &o, &code))
        return code;
    if (registry_conf_read(o.config, &c, &d) != 0)
        code =
            command_fail("registry", &d,
                         d.code == ERR_SYNTAX || d.code == ERR_USAGE ? EXIT_USE : EXIT_COULD_NOT);
    else if (o.action == NULL)
        code = run(&c, o.config, o.child);
    else
        code = strcmp(o.action, "init") == 0 ? init(&c) : sample(&c, o.count, o.json != NULL);
    registry_conf_free(&c);
    return code;
}
