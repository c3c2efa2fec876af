#include "ledger/ledger.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "ledger/ledger_agent.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_facts.h"
#include "ledger/ledger_lists.h"
#include "ledger/ledger_tool.h"
#include "ledger/ledger_worker.h"
#include "ledger/sequencer.h"
#include "proc/command.h"
#include "proc/group.h"
#include "proc/report.h"

#include <stdio.h>
#include <string.h>

static int key_run(struct group_self *self, const char *config_path)
{
    struct ledger_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (ledger_conf_read(config_path, &conf, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
    } else {
        const struct signer_key key = {
            .name = LEDGER_KEY, .use = SIGNER_HEAD, .origin = conf.origin};
        code = signer_run(self, conf.dir, &key, 1, 1);
    }
    ledger_conf_free(&conf);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &ledger_facts_health);
}

/* What the children that may open no files are to use from now on. */
static int on_reload(const char *config_path, const char *child, struct buf *out, struct diag *d)
{
    struct ledger_conf conf;
    struct ledger_lists lists;
    struct note_key own = {0};
    (void)child;            /* all of them get the same */
    size_t before = out->n; /* the command's own word */
    int rc = ledger_conf_read(config_path, &conf, d);
    rc = rc != 0 ? rc : ledger_conf_key(conf.dir, LEDGER_KEY, conf.origin, &own, d);
    rc = rc != 0 ? rc : ledger_lists_pack(conf.journals, conf.policy, out, d);
    if (rc == 0) {
        rc = ledger_lists_parse(slice_from(buf_view(out), before), &own, &lists, d);
        ledger_lists_free(&lists);
    }
    note_key_free(&own);
    ledger_conf_free(&conf);
    return rc;
}

static int run(const char *config, const char *child)
{
    struct ledger_conf conf;
    struct diag d = {0};
    int rc = ledger_conf_read(config, &conf, &d);
    const struct group_child children[] = {
        {.name = "key", .count = 1, .run = key_run},
        {.name = "log", .count = 1, .reads_config = true, .peers = {"key!"}, .run = sequencer_run},
        {.name = "agent",
         .count = 1,
         .alone = true,
         .reads_config = true,
         .peers = {"log"},
         .run = ledger_agent_run},
        {.name = "worker",
         .count = rc == 0 ? conf.workers : 1,
         .alone = true,
         .reads_config = true,
         .peers = {"log"},
         .listens = {LEDGER_LISTEN},
         .run = ledger_worker_run},
        HEALTH_CHILD(admin_run),
    };
    struct group_listen listens[] = {{.name = LEDGER_LISTEN}, {.name = HEALTH_LISTEN}};
    bool health = false;
    struct group_spec spec = {.role = "ledger",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config,
                              .on_reload = on_reload};
    if (child != NULL) {
        int code =
            rc == 0 ? group_run_child(&spec, child) : command_fail("ledger", &d, EXIT_COULD_NOT);
        ledger_conf_free(&conf);
        return code;
    }
    rc = rc != 0 ? rc : net_addr_parse_text(slice_str(conf.listen), &listens[0].addr, &d);
    rc = rc != 0 ? rc
                 : health_addr(slice_str(conf.health), slice_str(conf.listen), 4, &listens[1].addr,
                               &health, &d);
    spec.n_listens = health ? 2 : 1;
    spec.dir = conf.dir;
    spec.user = conf.user;
    int code = rc == 0 ? group_run(&spec) : command_fail("ledger", &d, EXIT_COULD_NOT);
    ledger_conf_free(&conf);
    return code;
}

int ledger_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the role", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger --config FILE | sild ledger init|reload|fsck …",
        .text = "Runs a ledger: it takes the signed heads of journals, closes a round over them\n"
                "each second, has witnesses cosign it, and serves all of it as plain files\n"
                "(tlog-tiles) that anyone can check. The words init, reload and fsck are\n"
                "commands of their own: sild ledger WORD --help.",
        .opts = opts,
        .needs = "--config",
    };
    if (argc > 1 && argv[1][0] != '-')
        return ledger_tool_main(argc - 1, argv + 1);
    char *args[argc + 1];
    int code;
    return command_parse("ledger", &cmd, argc, argv, args, &code) ? run(config, child) : code;
}
