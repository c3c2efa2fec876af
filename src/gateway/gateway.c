#include "gateway/gateway.h"
#include "base/err.h"
#include "base/opt.h"
#include "gateway/agent.h"
#include "gateway/conffile.h"
#include "gateway/facts.h"
#include "gateway/mlog.h"
#include "gateway/worker.h"
#include "keys/keystore.h"
#include "keys/signer.h"
#include "proc/command.h"
#include "proc/group.h"
#include "proc/report.h"

#include <stdio.h>
#include <string.h>

#define BATCH_MAX 64
#define KEYS_MAX (SERVERCONF_KEYS_MAX + 1) /* and the journal's */

/* The keys that have a certificate, and the journal's, for the key process; how many. */
static size_t list_keys(const struct conffile *file, struct signer_key keys[KEYS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < file->conf.n_keys; i++) {
        const struct serverconf_key *k = &file->conf.keys[i];
        struct buf member;
        if (k->cert.n == 0)
            continue; /* a key that waits for its certificate signs nothing yet */
        buf_init(&member, 1024);
        id_client_short(&member, &k->member);
        keys[n] = (struct signer_key){.name = arena_cstr(file->a, k->name),
                                      .use = k->signing ? SIGNER_MESSAGE : SIGNER_TLS,
                                      .member = k->signing ? arena_cstr(file->a, buf_view(&member))
                                                           : NULL,
                                      .cert = k->cert};
        n++;
        buf_free(&member);
    }
    if (file->conf.ledger.url.n > 0)
        keys[n++] = (struct signer_key){.name = SUBMIT_KEY,
                                        .use = SIGNER_HEAD,
                                        .origin = arena_cstr(file->a, file->conf.ledger.origin)};
    return n;
}

static int key_run(struct group_self *self, const char *config_path)
{
    struct conffile file;
    struct diag d = {0};
    struct signer_key keys[KEYS_MAX];
    char dir[2048];
    if (conffile_read(config_path, &file, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
    int code = signer_run(self, dir, keys, list_keys(&file, keys), BATCH_MAX);
    conffile_free(&file);
    return code;
}

static int admin_run(struct group_self *self, const char *config_path)
{
    (void)config_path; /* it judges what the others tell */
    return health_run(self, &facts_health);
}

static int listeners(const struct serverconf *c, struct group_listen *out, size_t *n,
                     struct diag *d)
{
    const struct {
        const char *name;
        struct slice addr;
    } all[] = {{"http", c->http}, {"https", c->https}, {"peer", c->peer}, {"ocsp", c->ocsp}};
    *n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].addr.n == 0)
            continue;
        out[*n].name = all[i].name;
        int rc = net_addr_parse_text(all[i].addr, &out[*n].addr, d);
        if (rc != 0)
            return rc;
        ++*n;
    }
    bool on;
    out[*n].name = HEALTH_LISTEN;
    int rc = health_addr(c->health, c->http, 0, &out[*n].addr, &on, d);
    *n += rc == 0 && on;
    return rc;
}

/* A key process that could not start with these keys would take the gateway down with it. */
static int check_keys(const struct serverconf *c, struct diag *d)
{
    char dir[2048], name[128];
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(c->dir));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->n_keys; i++) {
        if (c->keys[i].cert.n == 0)
            continue;
        struct cert *cert = cert_parse(c->keys[i].cert, d);
        rc = cert == NULL ? ERR_INCORRECT_CERTIFICATE : 0;
        if (rc == 0 && !slice_cstr(c->keys[i].name, name, sizeof name))
            rc = diag_set(d, ERR_KEY_NOT_FOUND, "a key's name is too long");
        rc = rc != 0 ? rc : keystore_check(dir, name, cert->key, d);
        cert_free(cert);
    }
    return rc;
}

/* For the key process the keys, sealed as they are; for the agent all but these. */
static int read_again(const char *config, const char *child, struct buf *out, struct diag *d)
{
    struct conffile file;
    struct signer_key keys[KEYS_MAX];
    char dir[2048];
    int rc = conffile_read(config, &file, d);
    rc = rc != 0 ? rc : check_keys(&file.conf, d);
    if (rc == 0 && strcmp(child, "key") == 0) {
        snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
        rc = signer_put_keys(out, dir, keys, list_keys(&file, keys), d);
    } else if (rc == 0) {
        rc = conffile_pack(config, out, d);
    }
    conffile_free(&file);
    return rc;
}

static int anchor_path(const char *config, char *path, size_t cap, struct diag *d)
{
    struct conffile file;
    int rc = conffile_read(config, &file, d);
    if (rc == 0 && !slice_cstr(file.conf.anchor, path, cap))
        rc = diag_set(d, ERR_TOO_LARGE, "the anchor's path is too long");
    conffile_free(&file);
    return rc;
}

static int run(const char *config, const char *child)
{
    struct group_child children[] = {
        {.name = "key", .count = 1, .reads_config = true, .reloads_first = true, .run = key_run},
        {.name = "agent",
         .count = 1,
         .alone = true,
         .reads_config = true,
         .peers = {"log"},
         .run = agent_run},
        {.name = "log", .count = 1, .peers = {"key"}, .run = mlog_run},
        {.name = "worker",
         .count = 2,
         .alone = true,
         .peers = {"key", "key!", "log", "agent"},
         .listens = {"http", "https", "peer", "ocsp"},
         .run = worker_run},
        HEALTH_CHILD(admin_run),
    };
    struct group_listen listens[5];
    struct conffile file;
    struct diag d = {0};
    struct group_spec spec = {.role = "gateway",
                              .children = children,
                              .n = ARRAY_LEN(children),
                              .listens = listens,
                              .config_path = config,
                              .on_reload = read_again,
                              .watched = anchor_path,
                              .watches_for = "agent"};
    if (child != NULL)
        return group_run_child(&spec, child);
    int rc = conffile_read(config, &file, &d);
    rc = rc != 0 ? rc : listeners(&file.conf, listens, &spec.n_listens, &d);
    if (rc != 0) {
        conffile_free(&file);
        return command_fail("gateway", &d, EXIT_COULD_NOT);
    }
    char dir[2048], user[64];
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
    snprintf(user, sizeof user, "%.*s", SLICE_ARG(file.conf.user));
    spec.dir = dir;
    spec.user = user[0] != 0 ? user : NULL;
    children[3].count = file.conf.workers;
    int code = group_run(&spec);
    conffile_free(&file);
    return code;
}

int gateway_main(int argc, char **argv)
{
    const char *config = NULL, *child = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {"--child", "NAME", "internal: run as this child of the gateway", &child, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage =
            "sild gateway --config FILE | sild gateway key …|reload|refresh|stamp --config FILE",
        .text =
            "Runs a gateway (security server): exchanges signed messages for the information\n"
            "systems behind it. Stops on SIGTERM or Ctrl-C after what is in hand. The word key\n"
            "makes its keys; reload, refresh and stamp are said to the running one: each with "
            "--help.",
        .opts = opts,
        .needs = "--config",
    };
    if (argc > 1 && strcmp(argv[1], "key") == 0)
        return gateway_key_main(argc - 1, argv + 1);
    if (argc > 1 && gateway_tell_knows(argv[1]))
        return gateway_tell_main(argc - 1, argv + 1);
    char *args[argc + 1];
    int code;
    return command_parse("gateway", &cmd, argc, argv, args, &code) ? run(config, child) : code;
}
