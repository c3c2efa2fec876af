/* What an operator does with a CA: make it, issue, revoke, list. */
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "crypto/cert.h"
#include "crypto/sign.h"
#include "keys/keystore.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "submit/submit_key.h"
#include "trust/trust.h"
#include "trust/trust_conf.h"
#include "wire/json.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CALL_MS 10000

static int fail(const char *word, const struct diag *d)
{
    char who[64];
    snprintf(who, sizeof who, "trust %s", word);
    return command_fail(who, d, command_exit(d->code));
}

/* --- init --- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int make_one(const struct trust_conf *c, struct keystore *store, const char *name,
                    const char *kind, enum cert_purpose purpose, const char *cn, int64_t valid_ms,
                    const struct cert *issuer, EVP_PKEY *issuer_key, struct cert **out,
                    EVP_PKEY **key, struct diag *d)
{
    const struct cert_rdn rdns[] = {
        {"2.5.4.6", c->country}, {"2.5.4.10", c->name}, {"2.5.4.3", cn}};
    struct cert_spec spec = {.purpose = purpose,
                             .rdns = rdns,
                             .rdn_count = ARRAY_LEN(rdns),
                             .not_before_ms = now_ms() - 60000,
                             .not_after_ms = now_ms() + valid_ms,
                             .ocsp_url = issuer == NULL ? NULL : c->ocsp_url};
    struct buf der;
    char path[1200];
    if (RAND_bytes(spec.serial, sizeof spec.serial) != 1)
        return diag_set(d, ERR_INTERNAL, "no random bytes");
    buf_init(&der, 65536);
    spec.serial[0] = (uint8_t)((spec.serial[0] & 0x3F) | 0x40);
    int rc = keystore_generate(store, name, kind, key, d);
    rc =
        rc != 0 ? rc : cert_issue(&spec, *key, issuer, issuer == NULL ? *key : issuer_key, &der, d);
    snprintf(path, sizeof path, "%s/certs/%s.der", c->dir, name);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&der), 0644, d);
    if (rc == 0) {
        *out = cert_parse(buf_view(&der), d);
        rc = *out == NULL ? ERR_INTERNAL : 0;
    }
    buf_free(&der);
    return rc;
}

int trust_init(const char *config_path, struct diag *d)
{
    struct trust_conf c;
    struct keystore *store = NULL;
    struct cert *ca = NULL, *leaf = NULL;
    EVP_PKEY *ca_key = NULL, *key = NULL;
    char path[1200];
    int rc = trust_conf_read(config_path, &c, d);
    snprintf(path, sizeof path, "%s/certs", c.dir);
    rc = rc != 0 ? rc : fs_mkdirs(path, 0755, d);
    rc = rc != 0 ? rc : keystore_open(c.dir, true, &store, d);
    rc = rc != 0 ? rc
                 : make_one(&c, store, "ca", c.ca_key, CERT_CA, "Root CA", c.ca_ms, NULL, NULL, &ca,
                            &ca_key, d);
    rc = rc != 0 ? rc
                 : make_one(&c, store, "ocsp", c.service_key, CERT_OCSP, "OCSP responder",
                            c.service_ms, ca, ca_key, &leaf, &key, d);
    cert_free(leaf);
    EVP_PKEY_free(key);
    leaf = NULL;
    key = NULL;
    rc = rc != 0 ? rc
                 : make_one(&c, store, "tsa", c.service_key, CERT_TSA, "Time-stamp authority",
                            c.service_ms, ca, ca_key, &leaf, &key, d);
    rc = rc != 0 ? rc : submit_key_make(store, d);
    cert_free(leaf);
    EVP_PKEY_free(key);
    cert_free(ca);
    EVP_PKEY_free(ca_key);
    keystore_close(store);
    trust_conf_free(&c);
    return rc;
}

/* --- asking the running CA --- */

static int call(const char *word, const char *config, struct buf *command)
{
    struct trust_conf c = {0};
    struct diag d = {0};
    int rc = config == NULL ? diag_set(&d, ERR_USAGE, "--config FILE is missing")
                            : trust_conf_read(config, &c, &d);
    if (rc != 0) {
        trust_conf_free(&c);
        return fail(word, &d);
    }
    int code = command_control("trust", c.dir, buf_view(command), CALL_MS);
    trust_conf_free(&c);
    return code;
}

struct words {
    const char *config, *kind, *csr, *instance, *member_class, *code, *name, *server, *dns,
        *country, *profile, *reason;
};

/* A CSR file, PEM or DER, as base64 of its DER or PEM text. */
static int add_csr(struct json_out *j, const char *path, struct diag *d)
{
    struct buf file, text;
    buf_init(&file, 65536);
    buf_init(&text, 131072);
    int rc =
        path == NULL ? diag_set(d, ERR_USAGE, "--csr FILE is missing") : fs_read(path, &file, d);
    base64_append(&text, buf_view(&file));
    if (rc == 0)
        json_kslice(j, "csr", buf_view(&text));
    buf_free(&file);
    buf_free(&text);
    return rc;
}

static int issue(const struct words *w)
{
    const struct {
        const char *key, *value;
    } fields[] = {{"kind", w->kind}, {"instance", w->instance}, {"class", w->member_class},
                  {"code", w->code}, {"name", w->name},         {"server", w->server},
                  {"dns", w->dns},   {"country", w->country},   {"profile", w->profile}};
    struct buf b;
    struct json_out j;
    struct diag d = {0};
    buf_init(&b, 131072);
    buf_str(&b, "log ");
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "do", "issue");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].value != NULL)
            json_kstr(&j, fields[i].key, fields[i].value);
    int rc = add_csr(&j, w->csr, &d);
    json_close(&j, '}');
    int code = rc != 0 ? fail("issue", &d) : call("issue", w->config, &b);
    buf_free(&b);
    return code;
}

static int simple(const char *word, const struct words *w, const char *serial)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 4096);
    buf_str(&b, "log ");
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "do", word);
    if (serial != NULL)
        json_kstr(&j, "serial", serial);
    if (w->reason != NULL)
        json_kstr(&j, "reason", w->reason);
    json_close(&j, '}');
    int code = call(word, w->config, &b);
    buf_free(&b);
    return code;
}

static int do_init(const struct words *w)
{
    struct diag d = {0};
    int rc = w->config == NULL ? diag_set(&d, ERR_USAGE, "--config FILE is missing")
                               : trust_init(w->config, &d);
    return rc == 0 ? EXIT_DONE : fail("init", &d);
}

int trust_tool_main(int argc, char **argv)
{
    struct words w = {0};
    const struct opt opts[] = {
        {"--config", "FILE", "the role's configuration", &w.config, NULL},
        {"--kind", "KIND", "issue: sign or auth", &w.kind, NULL},
        {"--csr", "FILE", "issue: certificate signing request, PEM or DER", &w.csr, NULL},
        {"--instance", "ID", "issue: X-Road instance", &w.instance, NULL},
        {"--class", "CLASS", "issue: member class", &w.member_class, NULL},
        {"--code", "CODE", "issue: member code", &w.code, NULL},
        {"--name", "NAME", "issue: member name", &w.name, NULL},
        {"--server", "CODE", "issue: security server code", &w.server, NULL},
        {"--dns", "NAME", "issue: DNS name of the server", &w.dns, NULL},
        {"--country", "CC", "issue: country, where the profile has one", &w.country, NULL},
        {"--profile", "NAME", "issue: certificate profile, default the role's", &w.profile, NULL},
        {"--reason", "NAME", "revoke: keyCompromise, superseded, …", &w.reason, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild trust init|list --config FILE\n"
                 "       sild trust issue --config FILE --kind sign|auth --csr FILE …\n"
                 "       sild trust revoke --config FILE SERIAL [--reason NAME]",
        .text = "init makes keys and certificates of a new CA; issue prints a certificate (PEM);\n"
                "revoke is durable before it answers; list prints every serial with its status.",
        .opts = opts,
        .max_args = 1,
    };
    struct diag d = {0};
    char *args[argc + 1];
    int rc = opt_parse(&cmd, argc, argv, args, &d);
    if (rc == OPT_HELP)
        return command_help(&cmd);
    if (rc == 0 && (args[0] != NULL) != (strcmp(argv[0], "revoke") == 0))
        rc = diag_set(&d, ERR_USAGE,
                      args[0] == NULL ? "the SERIAL of a certificate is missing"
                                      : "\"%s\" is one word too many",
                      args[0]);
    if (rc != 0)
        return fail(argv[0], &d);
    if (strcmp(argv[0], "init") == 0)
        return do_init(&w);
    if (strcmp(argv[0], "issue") == 0)
        return issue(&w);
    if (strcmp(argv[0], "revoke") == 0 || strcmp(argv[0], "list") == 0)
        return simple(argv[0], &w, args[0]);
    diag_set(&d, ERR_USAGE, "unknown word; see sild trust --help");
    return fail(argv[0], &d);
}
