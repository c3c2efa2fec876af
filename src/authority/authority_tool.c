/* What an operator says to an authority: make it, change it, show it, print its anchor. */
#include "authority/authority.h"
#include "authority/authority_conf.h"
#include "authority/state.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "crypto/cert.h"
#include "keys/keystore.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "submit/submit_key.h"
#include "wire/json.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define CALL_MS 10000

static int fail(const char *word, const struct diag *d)
{
    char who[64];
    snprintf(who, sizeof who, "authority %s", word);
    return command_fail(who, d, command_exit(d->code));
}

/* --- init --- */

/* A key and its container, a self-signed certificate of X-Road's kind (globalconf.md 6). */
static int make_key(const struct authority_conf *c, struct keystore *store, const char *name,
                    const char *cn, struct diag *d)
{
    const struct cert_rdn rdns[] = {{"2.5.4.3", cn}};
    struct cert_spec spec = {.purpose = CERT_CONF_SIGNING,
                             .rdns = rdns,
                             .rdn_count = 1,
                             .not_before_ms = 0,
                             .not_after_ms = 2145916800000}; /* 2038-01-01 */
    EVP_PKEY *key = NULL;
    struct buf der;
    char path[1200];
    buf_init(&der, 65536);
    if (RAND_bytes(spec.serial, sizeof spec.serial) != 1)
        return diag_set(d, ERR_INTERNAL, "no random bytes");
    spec.serial[0] = (uint8_t)((spec.serial[0] & 0x3F) | 0x40);
    int rc = keystore_generate(store, name, c->key, &key, d);
    rc = rc != 0 ? rc : cert_issue(&spec, key, NULL, key, &der, d);
    snprintf(path, sizeof path, "%s/certs/%s.der", c->dir, name);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&der), 0644, d);
    EVP_PKEY_free(key);
    buf_free(&der);
    return rc;
}

int authority_init(const char *config_path, struct diag *d)
{
    struct authority_conf c;
    struct keystore *store = NULL;
    char path[1200];
    int rc = authority_conf_read(config_path, &c, d);
    snprintf(path, sizeof path, "%s/certs", c.dir);
    rc = rc != 0 ? rc : fs_mkdirs(path, 0755, d);
    rc = rc != 0 ? rc : keystore_open(c.dir, true, &store, d);
    rc = rc != 0 ? rc : make_key(&c, store, "internal", "internalSigningKey", d);
    rc = rc != 0 ? rc : make_key(&c, store, "external", "externalSigningKey", d);
    rc = rc != 0 ? rc : submit_key_make(store, d);
    keystore_close(store);
    authority_conf_free(&c);
    return rc;
}

/* --- asking the running authority --- */

static int call(const char *word, const char *config, struct slice command)
{
    struct authority_conf c = {0};
    struct diag d = {0};
    int rc = config == NULL ? diag_set(&d, ERR_USAGE, "--config FILE is missing")
                            : authority_conf_read(config, &c, &d);
    if (rc != 0) {
        authority_conf_free(&c);
        return fail(word, &d);
    }
    int code = command_control("authority", c.dir, command, CALL_MS);
    authority_conf_free(&c);
    return code;
}

/* A certificate's file, DER or PEM, as base64 of its DER. */
static int add_file(struct json_out *j, const char *path, struct diag *d)
{
    struct buf bytes, text;
    struct cert *c = NULL;
    buf_init(&bytes, 65536);
    buf_init(&text, 131072);
    int rc = fs_read(path, &bytes, d);
    if (rc == 0 && (c = cert_parse(buf_view(&bytes), d)) == NULL)
        rc = diag_set(d, ERR_USAGE, "%s is no certificate, DER or PEM", path);
    if (rc == 0) {
        base64_append(&text, c->der);
        json_str(j, buf_view(&text));
    }
    cert_free(c);
    buf_free(&bytes);
    buf_free(&text);
    return rc;
}

static int change(const char *noun, const char *config, char **args)
{
    const struct state_verb *v = args[0] == NULL ? NULL : state_verb_find(noun, args[0]);
    struct buf b;
    struct json_out j;
    struct diag d = {0};
    int rc = 0, n = 0;
    while (args[n] != NULL)
        n++;
    if (v == NULL)
        rc = diag_set(&d, ERR_USAGE, "unknown words; see sild authority --help");
    else if (n - 1 < v->min || n - 1 > v->max)
        rc = diag_set(&d, ERR_USAGE, "%s %s wants %s", v->noun, v->verb, v->args);
    if (rc != 0)
        return fail(noun, &d);
    buf_init(&b, 262144);
    buf_str(&b, "log ");
    json_begin(&j, &b);
    json_open(&j, '[');
    json_str(&j, slice_str(noun));
    json_str(&j, slice_str(args[0]));
    for (int i = 1; rc == 0 && i < n; i++) {
        if (i - 1 == v->file)
            rc = add_file(&j, args[i], &d);
        else
            json_str(&j, slice_str(args[i]));
    }
    json_close(&j, ']');
    int code = rc == 0 ? call(noun, config, buf_view(&b)) : fail(noun, &d);
    buf_free(&b);
    return code;
}

/* init, show, anchor [internal|external] */
static int no_change(const char *word, const char *config, char **args)
{
    struct diag d = {0};
    bool anchor = strcmp(word, "anchor") == 0;
    bool external = anchor && args[0] != NULL && strcmp(args[0], "external") == 0;
    if (external || (anchor && args[0] != NULL && strcmp(args[0], "internal") == 0))
        args++;
    int rc = 0;
    if (args[0] != NULL)
        rc = diag_set(&d, ERR_USAGE, "\"%s\" is one word too many", args[0]);
    else if (config == NULL)
        rc = diag_set(&d, ERR_USAGE, "--config FILE is missing");
    else if (strcmp(word, "init") == 0)
        rc = authority_init(config, &d);
    if (rc != 0)
        return fail(word, &d);
    if (strcmp(word, "init") == 0)
        return EXIT_DONE;
    if (!anchor)
        return call(word, config, SLICE_LIT("log show"));
    return call(word, config,
                external ? SLICE_LIT("log anchor external") : SLICE_LIT("log anchor"));
}

int authority_tool_main(int argc, char **argv)
{
    const char *config = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "the role's configuration", &config, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild authority WORD … --config FILE",
        .text = "See sild authority --help for all words. Identifiers are CLASS/CODE,\n"
                "CLASS/CODE/SUBSYSTEM and CLASS/CODE/SERVER, within the own instance.",
        .opts = opts,
        .max_args = -1,
    };
    struct diag d = {0};
    if (strcmp(argv[0], "inspect") == 0)
        return inspect_main(argc, argv);
    char *args[argc + 1];
    int rc = opt_parse(&cmd, argc, argv, args, &d);
    if (rc == OPT_HELP)
        return command_help(&cmd);
    if (rc != 0)
        return fail(argv[0], &d);
    if (strcmp(argv[0], "init") == 0 || strcmp(argv[0], "show") == 0 ||
        strcmp(argv[0], "anchor") == 0)
        return no_change(argv[0], config, args);
    return change(argv[0], config, args);
}
