#include "trust/trust.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/signer.h"
#include "proc/command.h"
#include "proc/group.h"
#include "proc/report.h"
#include "submit/submit_agent.h"
#include "trust/ca.h"
#include "trust/responder.h"
#include "trust/trust_conf.h"
#include "trust/trust_facts.h"

#include <stdio.h>
#include <string.h>

static int key_run(struct group_self *self, const char *config_path)
{
    struct signer_key keys[] = {
        {.name = "ca", .use = SIGNER_CERT, .cert_file = "certs/ca.der"},
        {.name = "ocsp", .use = SIGNER_OCSP, .cert_file = "certs/ocsp.der"},
        {.name = "tsa", .use = SIGNER_TSP, .cert_file = "certs/tsa.der"},
        {.name = SUBMIT_KEY, .use = SIGNER_HEAD},
    };
    struct trust_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (trust_conf_read(config_path, &conf, &d) != 0)
        report_diag(REPORT_ERROR, "start", NULL, &d);
    else {
        keys[ARRAY_LEN(keys) - 1].origin = arena_cstr(conf.a, conf.ledger.origin);
        code = signer_run(self, conf.dir, keys, ARRAY_LEN(keys) - (conf.ledger.url.n == 0), 1);
    }
    trust_conf_free(&conf);
    return code;
}

static int agent_run(struct group_self *self, const char *config_path)
{
    struct trust_conf conf;
    struct diag d = {0};
    int code = EXIT_COULD_NOT;
    if (trust_conf_read(config_path, &conf, &d) != 0)
        report_diag(REPORT_ERROR, "start", NULL, &d);
    else
        code = submit_agent_run(self, &conf.ledger, config_path);
    trust_conf_free(&conf);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &trust_facts_health);
}

static int run(const char *config, const char *child)
{
    struct group_child children[] = {
        {.name = "key", .count = 1, .run = key_run},
        {.name = "log", .count = 1, .peers = {"key!", "key"}, .run = ca_run},
        {.name = "worker",
         .count = 1,
         .alone = true,
         .peers = {"key!", "log"},
         .listens = {"ocsp", "tsa"},
         .run = responder_run},
        HEALTH_CHILD(admin_run),
        SUBMIT_AGENT_CHILD(agent_run),
    };
    struct group_listen listens[3] = {{.name = "ocsp"}, {.name = "tsa"}, {.name = HEALTH_LISTEN}};
    bool health = false;
    struct trust_conf conf;
    struct diag d = {0};
    struct group_spec spec = {.role = "trust",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config};
    if (child != NULL)
        return group_run_child(&spec, child);
    int rc = trust_conf_read(config, &conf, &d);
    if (rc == 0)
        rc = net_addr_parse_text(slice_str(conf.ocsp_listen), &listens[0].addr, &d);
    if (rc == 0)
        rc = net_addr_parse_text(slice_str(conf.tsa_listen), &listens[1].addr, &d);
    if (rc == 0)
        rc = health_addr(slice_str(conf.health), slice_str(conf.ocsp_listen), 2, &listens[2].addr,
                         &health, &d);
    spec.n_listens = health ? 3 : 2;
    if (rc == 0 && conf.ledger.url.n == 0)
        spec.n--; /* nobody to carry heads to */
    spec.dir = conf.dir;
    spec.user = conf.user;
    int code = rc == 0 ? group_run(&spec) : command_fail("trust", &d, EXIT_COULD_NOT);
    trust_conf_free(&conf);
    return code;
}

int trust_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the role", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild trust --config FILE | sild trust init|issue|revoke|list …",
        .text = "Runs a certification authority with its OCSP responder (RFC 6960) and a\n"
                "time-stamp authority (RFC 3161). The words init, issue, revoke and list are\n"
                "commands of their own: sild trust WORD --help.",
        .opts = opts,
        .needs = "--config",
    };
    if (argc > 1 && argv[1][0] != '-')
        return trust_tool_main(argc - 1, argv + 1);
    char *args[argc + 1];
    int code;
    return command_parse("trust", &cmd, argc, argv, args, &code) ? run(config, child) : code;
}
