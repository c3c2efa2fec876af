#include "ledger/aggregate.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/keystore.h"
#include "keys/signer.h"
#include "ledger/aggregate_agent.h"
#include "ledger/aggregate_conf.h"
#include "ledger/aggregate_facts.h"
#include "ledger/aggregate_log.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_lists.h"
#include "ledger/ledger_worker.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "proc/report.h"

#include <stdio.h>
#include <string.h>

/* --- init --- */

static int make(const char *dir, const char *name, struct buf *vkey, struct diag *d)
{
    static const char *const folders[] = {"heads", "evidence"};
    struct keystore *store = NULL;
    struct note_key key = {0};
    EVP_PKEY *pkey = NULL;
    char path[1200];
    int rc = fs_mkdirs(dir, 0700, d);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        rc = fs_mkdirs(path, 0700, d);
    }
    rc = rc != 0 ? rc : keystore_open(dir, true, &store, d);
    rc = rc != 0 ? rc : keystore_generate(store, AGGREGATE_KEY, "ed25519", &pkey, d);
    rc = rc != 0 ? rc : ledger_conf_key(dir, AGGREGATE_KEY, name, &key, d);
    if (rc == 0)
        note_key_print(&key, vkey);
    note_key_free(&key);
    EVP_PKEY_free(pkey);
    keystore_close(store);
    return rc;
}

static int init(int argc, char **argv)
{
    const char *dir = NULL, *name = NULL;
    const struct opt opts[] = {
        {"--dir", "DIR", "the aggregator's folder", &dir, NULL},
        {"--name", "NAME", "the aggregator's name", &name, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger aggregate init --dir DIR --name NAME",
        .text = "Makes an aggregator's folder and key, and prints the key's public half (vkey):\n"
                "it belongs into the list of journals of the one above.",
        .opts = opts,
        .needs = "--dir",
    };
    struct diag d = {0};
    struct buf vkey;
    char *args[argc + 1];
    int code;
    if (!command_parse("ledger aggregate init", &cmd, argc, argv, args, &code))
        return code;
    buf_init(&vkey, NOTE_VKEY_MAX);
    int rc = name == NULL || !note_is_name(slice_str(name))
                 ? diag_set(&d, ERR_USAGE, "--name NAME is missing, or no name")
                 : make(dir, name, &vkey, &d);
    if (rc == 0)
        printf("%s\n", buf_cstr(&vkey));
    buf_free(&vkey);
    return rc == 0 ? EXIT_DONE : command_fail("ledger aggregate init", &d, command_exit(rc));
}

/* --- children --- */

static int key_run(struct group_self *self, const char *config_path)
{
    struct aggregate_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (aggregate_conf_read(config_path, &conf, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
    } else {
        const struct signer_key key = {
            .name = AGGREGATE_KEY, .use = SIGNER_AGGREGATE, .origin = conf.name};
        code = signer_run(self, conf.dir, &key, 1, 1);
    }
    aggregate_conf_free(&conf);
    return code;
}

static int worker_run(struct group_self *self, const char *config_path)
{
    struct aggregate_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (aggregate_conf_read(config_path, &conf, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
    } else {
        const struct ledger_worker_options o = {.journals = conf.journals};
        code = ledger_worker_serve(self, &o);
    }
    aggregate_conf_free(&conf);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &aggregate_facts_health);
}

static int on_reload(const char *config_path, const char *child, struct buf *out, struct diag *d)
{
    (void)child; /* all of them get the same */
    struct aggregate_conf conf;
    struct ledger_lists lists;
    size_t before = out->n; /* the command's own word */
    int rc = aggregate_conf_read(config_path, &conf, d);
    rc = rc != 0 ? rc : ledger_lists_pack(conf.journals, NULL, out, d);
    if (rc == 0) {
        rc = ledger_lists_parse(slice_from(buf_view(out), before), NULL, &lists, d);
        ledger_lists_free(&lists);
    }
    aggregate_conf_free(&conf);
    return rc;
}

/* --- the parent --- */

static int run(const char *config, const char *child)
{
    struct aggregate_conf conf;
    struct diag d = {0};
    int rc = aggregate_conf_read(config, &conf, &d);
    const struct group_child children[] = {
        {.name = "key", .count = 1, .run = key_run},
        {.name = "log", .count = 1, .peers = {"key!"}, .run = aggregate_log_run},
        {.name = "agent", .count = 1, .alone = true, .peers = {"log"}, .run = aggregate_agent_run},
        {.name = "worker",
         .count = rc == 0 ? conf.workers : 1,
         .alone = true,
         .reads_config = true,
         .peers = {"log"},
         .listens = {LEDGER_LISTEN},
         .run = worker_run},
        HEALTH_CHILD(admin_run),
    };
    struct group_listen listens[] = {{.name = LEDGER_LISTEN}, {.name = HEALTH_LISTEN}};
    bool health = false;
    struct group_spec spec = {.role = "aggregate",
                              .under = "ledger",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config,
                              .on_reload = on_reload};
    int code = EXIT_COULD_NOT;
    if (rc == 0 && child != NULL) {
        code = group_run_child(&spec, child);
    } else {
        rc = rc != 0 ? rc : net_addr_parse_text(slice_str(conf.listen), &listens[0].addr, &d);
        rc = rc != 0 ? rc
                     : health_addr(slice_str(conf.health), slice_str(conf.listen), 6,
                                   &listens[1].addr, &health, &d);
        spec.n_listens = health ? 2 : 1;
        spec.dir = conf.dir;
        spec.user = conf.user;
        code = rc == 0 ? group_run(&spec) : command_fail("ledger aggregate", &d, EXIT_COULD_NOT);
    }
    aggregate_conf_free(&conf);
    return code;
}

int aggregate_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the role", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger aggregate --config FILE | sild ledger aggregate init …",
        .text =
            "Runs an aggregator: it checks the heads of its journals, hands one signed subtree\n"
            "over them to the ledger or aggregator above, and answers each journal with its\n"
            "whole chain. The word init is a command of its own.",
        .opts = opts,
        .needs = "--config",
    };
    if (argc > 1 && strcmp(argv[1], "init") == 0)
        return init(argc - 1, argv + 1);
    char *args[argc + 1];
    int code;
    return command_parse("ledger aggregate", &cmd, argc, argv, args, &code) ? run(config, child)
                                                                            : code;
}
