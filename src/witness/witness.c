#include "witness/witness.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "proc/command.h"
#include "proc/group.h"
#include "proc/report.h"
#include "witness/witness_conf.h"
#include "witness/witness_facts.h"
#include "witness/witness_keeper.h"
#include "witness/witness_logs.h"
#include "witness/witness_worker.h"

static int key_run(struct group_self *self, const char *config_path)
{
    static const struct signer_key keys[] = {{.name = WITNESS_KEY, .use = SIGNER_COSIGN}};
    struct witness_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (witness_conf_read(config_path, &conf, &d) != 0)
        report_diag(REPORT_ERROR, "start", NULL, &d);
    else
        code = signer_run(self, conf.dir, keys, ARRAY_LEN(keys), 1);
    witness_conf_free(&conf);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &witness_facts_health);
}

/* The list of logs, for the workers; one that is wrong reaches nobody. */
static int read_again(const char *config_path, const char *child, struct buf *out, struct diag *d)
{
    struct witness_conf conf;
    struct witness_logs *logs = NULL;
    struct buf text;
    (void)child; /* there is one kind that reads */
    buf_init(&text, WITNESS_LOGS_FILE);
    int rc = witness_conf_read(config_path, &conf, d);
    rc = rc != 0 ? rc : witness_logs_load(conf.logs, &text, d);
    if (rc == 0 && (rc = witness_logs_parse(buf_view(&text), &logs, d)) != 0)
        diag_where(d, "%s", conf.logs);
    if (rc == 0)
        buf_slice(out, buf_view(&text));
    witness_logs_free(logs);
    buf_free(&text);
    witness_conf_free(&conf);
    return rc;
}

/* What would keep its processes from starting is said at once. */
static int check(const struct witness_conf *conf, struct diag *d)
{
    struct note_key key;
    struct witness_logs *logs = NULL;
    int rc = witness_conf_vkey(conf, &key, d);
    if (rc == ERR_NOT_FOUND)
        return diag_set(d, rc,
                        "there is no witness in %s; make it with: sild ledger witness init --dir "
                        "%s --name %s",
                        conf->dir, conf->dir, conf->name);
    if (rc != 0)
        return rc;
    note_key_free(&key);
    rc = witness_logs_read(conf->logs, &logs, d);
    witness_logs_free(logs);
    return rc;
}

static int run(const char *config, const char *child)
{
    struct group_child children[] = {
        {.name = "key", .count = 1, .run = key_run},
        {.name = "log", .count = 1, .peers = {"key"}, .run = witness_keeper_run},
        {.name = "worker",
         .count = 2,
         .alone = true,
         .reads_config = true,
         .peers = {"log"},
         .listens = {"http"},
         .run = witness_worker_run},
        HEALTH_CHILD(admin_run),
    };
    struct group_listen listens[2] = {{.name = "http"}, {.name = HEALTH_LISTEN}};
    bool health = false;
    struct witness_conf conf;
    struct diag d = {0};
    struct group_spec spec = {.role = "witness",
                              .under = "ledger",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config,
                              .on_reload = read_again};
    if (child != NULL)
        return group_run_child(&spec, child);
    int rc = witness_conf_read(config, &conf, &d);
    rc = rc != 0 ? rc : check(&conf, &d);
    if (rc == 0)
        rc = net_addr_parse_text(slice_str(conf.listen), &listens[0].addr, &d);
    if (rc == 0)
        rc = health_addr(slice_str(conf.health), slice_str(conf.listen), 5, &listens[1].addr,
                         &health, &d);
    spec.n_listens = health ? 2 : 1;
    spec.dir = conf.dir;
    spec.user = conf.user;
    children[2].count = conf.workers;
    int code = rc == 0 ? group_run(&spec) : command_fail("ledger witness", &d, EXIT_COULD_NOT);
    witness_conf_free(&conf);
    return code;
}

int witness_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the role", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger witness --config FILE\n"
                 "       sild ledger witness init|vkey|add-log|logs|reload …",
        .text = "Runs a witness of transparency logs (C2SP tlog-witness): it cosigns a log's new\n"
                "checkpoint only when that is consistent with the last one it cosigned, and\n"
                "serves what it signed. The words init, vkey, add-log, logs and reload are\n"
                "commands of their own: sild ledger witness WORD --help.",
        .opts = opts,
        .needs = "--config",
    };
    if (argc > 1 && argv[1][0] != '-')
        return witness_tool_main(argc - 1, argv + 1);
    char *args[argc + 1];
    int code;
    return command_parse("ledger witness", &cmd, argc, argv, args, &code) ? run(config, child)
                                                                          : code;
}
