/* The keys of a gateway: made with a request for their certificate, or imported; and their
 * certificates put in place. */
#include "base/base64.h"
#include "base/err.h"
#include "base/opt.h"
#include "crypto/cert.h"
#include "crypto/sign.h"
#include "gateway/conffile.h"
#include "gateway/gateway.h"
#include "keys/keystore.h"
#include "proc/command.h"
#include "proc/fs.h"

#include <stdio.h>
#include <string.h>

#define RELOAD_MS 60000

/* The CA puts the subject in by its profile; the request's own subject only names the key. */
static int make(struct keystore *store, const char *name, const char *kind, struct diag *d)
{
    const struct cert_rdn rdns[] = {{"2.5.4.3", name}};
    EVP_PKEY *key = NULL;
    struct buf der, text;
    buf_init(&der, 65536);
    buf_init(&text, 131072);
    int rc = keystore_generate(store, name, kind, &key, d);
    rc = rc != 0 ? rc : csr_make(key, rdns, 1, &der, d);
    if (rc == 0) {
        base64_append(&text, buf_view(&der));
        printf("-----BEGIN CERTIFICATE REQUEST-----\n");
        for (size_t i = 0; i < text.n; i += 64)
            printf("%.*s\n", SLICE_ARG(slice_sub(buf_view(&text), i, 64)));
        printf("-----END CERTIFICATE REQUEST-----\n");
    }
    EVP_PKEY_free(key);
    buf_free(&der);
    buf_free(&text);
    return rc;
}

static int import(struct keystore *store, const char *name, const char *path, struct diag *d)
{
    struct buf pem;
    buf_init(&pem, 65536);
    int rc = fs_read(path, &pem, d);
    EVP_PKEY *key = rc == 0 ? key_from_pem(buf_view(&pem), d) : NULL;
    if (rc == 0 && key == NULL)
        rc = ERR_KEY_NOT_AVAILABLE;
    rc = rc != 0 ? rc : keystore_import(store, name, key, d);
    EVP_PKEY_free(key);
    buf_wipe(&pem);
    return rc;
}

/* --- a certificate --- */

/* The file that [key NAME] names, and whether the key signs. */
static int find_place(const char *config, const char *name, char *path, size_t cap, bool *signing,
                      struct diag *d)
{
    char dir[2048];
    struct conf conf;
    struct arena *a = arena_new(1u << 20);
    if (a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the configuration");
    int rc = command_config(config, "gateway", serverconf_rules, serverconf_rule_count, a, &conf,
                            dir, sizeof dir, d);
    const struct conf_section *s = rc == 0 ? conf_find(&conf, "key", name) : NULL;
    const struct conf_entry *e = s == NULL ? NULL : conf_each(s, "certificate", NULL);
    const char *slash = strrchr(config, '/');
    if (rc == 0 && e == NULL)
        rc = diag_set(d, ERR_KEY_NOT_FOUND, "%s has no [key %s] with a certificate", config, name);
    if (rc == 0 && (e->value.p[0] == '/' || slash == NULL))
        snprintf(path, cap, "%.*s", SLICE_ARG(e->value));
    else if (rc == 0)
        snprintf(path, cap, "%.*s/%.*s", (int)(slash - config), config, SLICE_ARG(e->value));
    *signing = rc == 0 && slice_eq_str(conf_text(&conf, s, "use"), "signing");
    arena_free(a);
    return rc;
}

/* The certificate is of the key itself, or of its successor NAME-new, which then takes its place.
 */
static int settle_key(struct keystore *store, const char *dir, const char *name,
                      const struct cert *c, struct diag *d)
{
    char next[128];
    if (keystore_check(dir, name, c->key, d) == 0)
        return 0;
    snprintf(next, sizeof next, "%s-new", name);
    if (keystore_check(dir, next, c->key, NULL) == 0)
        return keystore_replace(store, next, name, d);
    return diag_set(d, ERR_INCORRECT_CERTIFICATE,
                    "the certificate is neither of the key %s nor of a key %s", name, next);
}

static int certify(struct keystore *store, const char *config, const char *dir, const char *name,
                   const char *from, struct diag *d)
{
    char path[2048], control[2100];
    bool signing = false, fits = false;
    struct buf bytes;
    struct cert *c = NULL;
    buf_init(&bytes, 65536);
    int rc = find_place(config, name, path, sizeof path, &signing, d);
    rc = rc != 0 ? rc : fs_read(from, &bytes, d);
    if (rc == 0 && (c = cert_parse(buf_view(&bytes), d)) == NULL)
        rc = ERR_INCORRECT_CERTIFICATE;
    if (rc == 0)
        rc = signing ? cert_is_signing(c, &fits, d) : cert_is_authentication(c, &fits, d);
    if (rc == 0 && !fits)
        rc = diag_set(d, ERR_WRONG_CERT_USAGE, "%s is no certificate for %s", from,
                      signing ? "signing" : "authentication");
    rc = rc != 0 ? rc : settle_key(store, dir, name, c, d);
    rc = rc != 0 ? rc
                 : fs_write(path, slice_ends(slice_str(path), ".der") ? c->der : buf_view(&bytes),
                            0644, d);
    cert_free(c);
    buf_free(&bytes);
    snprintf(control, sizeof control, "%s/control.sock", dir);
    if (rc != 0 || !fs_exists(control))
        return rc;
    return command_control("gateway key", dir, SLICE_LIT("reload"), RELOAD_MS) == EXIT_DONE
               ? 0
               : diag_set(d, ERR_INVALID_REQUEST,
                          "the certificate is in place, but the running gateway did not take it");
}

static int run(const char *config, const char *word, const char *name, const char *what,
               struct diag *d)
{
    struct conffile file;
    struct keystore *store = NULL;
    char dir[2048];
    bool is_new = strcmp(word, "new") == 0, is_import = strcmp(word, "import") == 0;
    if (!is_new && !is_import && strcmp(word, "certificate") != 0)
        return diag_set(d, ERR_USAGE, "say new, import or certificate");
    if (!is_new && what == NULL)
        return diag_set(d, ERR_USAGE, "%s wants a FILE", word);
    int rc = conffile_read(config, &file, d);
    if (rc == 0) {
        snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
        rc = keystore_open(dir, true, &store, d);
    }
    if (rc == 0)
        rc = is_new      ? make(store, name, what == NULL ? "p256" : what, d)
             : is_import ? import(store, name, what, d)
                         : certify(store, config, dir, name, what, d);
    keystore_close(store);
    conffile_free(&file);
    return rc;
}

/* A certificate that does not fit is a no, not a failure. */
static int exit_code(int rc)
{
    switch (rc) {
    case ERR_WRONG_CERT_USAGE:
    case ERR_INCORRECT_CERTIFICATE:
    case ERR_KEY_NOT_FOUND:
    case ERR_INVALID_REQUEST:
        return EXIT_NO;
    default:
        return command_exit(rc);
    }
}

int gateway_key_main(int argc, char **argv)
{
    const char *config = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "the gateway's configuration", &config, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild gateway key new NAME [KIND] --config FILE\n"
                 "       sild gateway key import NAME FILE --config FILE\n"
                 "       sild gateway key certificate NAME FILE --config FILE",
        .text =
            "new makes a key (rsa2048, rsa3072, p256 or p384; p256 unless told) and prints a\n"
            "certificate signing request; import takes an unencrypted PEM file. Keys are kept\n"
            "sealed below the gateway's folder. certificate puts a certificate where [key NAME]\n"
            "wants it, and a running gateway uses it at once; when it is of the key NAME-new,\n"
            "that key first takes the place of NAME.",
        .opts = opts,
        .min_args = 2,
        .max_args = 3,
        .needs = "--config",
    };
    struct diag d = {0};
    char *args[argc + 1];
    int rc, code;
    if (!command_parse("gateway key", &cmd, argc, argv, args, &code))
        return code;
    rc = run(config, args[0], args[1], args[2], &d);
    return rc == 0 ? EXIT_DONE : command_fail("gateway key", &d, exit_code(rc));
}
