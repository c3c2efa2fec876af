#include "authority/authority.h"
#include "authority/authority_conf.h"
#include "authority/authority_facts.h"
#include "authority/distributor.h"
#include "authority/registrar.h"
#include "authority/state.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "proc/command.h"
#include "proc/group.h"
#include "proc/report.h"
#include "submit/submit_agent.h"

#include <stdio.h>
#include <string.h>

static int key_run(struct group_self *self, const char *config_path)
{
    struct signer_key keys[] = {
        {.name = "internal", .use = SIGNER_CONF, .cert_file = "certs/internal.der"},
        {.name = "external", .use = SIGNER_CONF, .cert_file = "certs/external.der"},
        {.name = SUBMIT_KEY, .use = SIGNER_HEAD},
    };
    struct authority_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (authority_conf_read(config_path, &conf, &d) != 0)
        report_diag(REPORT_ERROR, "start", NULL, &d);
    else {
        keys[ARRAY_LEN(keys) - 1].origin = arena_cstr(conf.a, conf.ledger.origin);
        code = signer_run(self, conf.dir, keys, ARRAY_LEN(keys) - (conf.ledger.url.n == 0), 1);
    }
    authority_conf_free(&conf);
    return code;
}

static int agent_run(struct group_self *self, const char *config_path)
{
    struct authority_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (authority_conf_read(config_path, &conf, &d) != 0)
        report_diag(REPORT_ERROR, "start", NULL, &d);
    else
        code = submit_agent_run(self, &conf.ledger, config_path);
    authority_conf_free(&conf);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &authority_facts_health);
}

static int run(const char *config, const char *child)
{
    struct group_child children[] = {
        {.name = "key", .count = 1, .run = key_run},
        {.name = "log", .count = 1, .peers = {"key!", "key"}, .run = registrar_run},
        {.name = "worker",
         .count = 1,
         .alone = true,
         .peers = {"log"},
         .listens = {"http"},
         .run = distributor_run},
        HEALTH_CHILD(admin_run),
        SUBMIT_AGENT_CHILD(agent_run),
    };
    struct group_listen listens[2] = {{.name = "http"}, {.name = HEALTH_LISTEN}};
    bool health = false;
    struct authority_conf conf;
    struct diag d = {0};
    struct group_spec spec = {.role = "authority",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config};
    if (child != NULL)
        return group_run_child(&spec, child);
    int rc = authority_conf_read(config, &conf, &d);
    if (rc == 0)
        rc = net_addr_parse_text(slice_str(conf.listen), &listens[0].addr, &d);
    if (rc == 0)
        rc = health_addr(slice_str(conf.health), slice_str(conf.listen), 1, &listens[1].addr,
                         &health, &d);
    spec.n_listens = health ? 2 : 1;
    if (rc == 0 && conf.ledger.url.n == 0)
        spec.n--; /* nobody to carry heads to */
    spec.dir = conf.dir;
    spec.user = conf.user;
    int code = rc == 0 ? group_run(&spec) : command_fail("authority", &d, EXIT_COULD_NOT);
    authority_conf_free(&conf);
    return code;
}

static int help(const struct opt_command *cmd)
{
    struct buf text;
    buf_init(&text, 65536);
    opt_help(cmd, &text);
    buf_str(&text, "\nwords:\n  init, show, anchor [external], inspect (each with --help)\n");
    for (size_t i = 0; i < state_verb_count; i++) {
        char left[120];
        snprintf(left, sizeof left, "%s %s %s", state_verbs[i].noun, state_verbs[i].verb,
                 state_verbs[i].args);
        buf_printf(&text, "  %-58s %s\n", left, state_verbs[i].help);
    }
    fputs(buf_cstr(&text), stdout);
    buf_free(&text);
    return EXIT_DONE;
}

int authority_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the role", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild authority --config FILE | sild authority WORD … --config FILE",
        .text = "Runs the central server: who belongs, who is trusted, as a signed global\n"
                "configuration that is renewed before it expires. With a word it changes or\n"
                "shows what the running authority knows.",
        .opts = opts,
        .needs = "--config",
    };
    struct diag d = {0};
    if (argc > 1 && argv[1][0] != '-')
        return authority_tool_main(argc - 1, argv + 1);
    char *args[argc + 1];
    int rc = opt_parse(&cmd, argc, argv, args, &d);
    if (rc == OPT_HELP)
        return help(&cmd);
    return rc != 0 ? command_fail("authority", &d, EXIT_USE) : run(config, child);
}
