/* The keys of a gateway, before it runs: made with a request for their certificate, or imported. */
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

static int run(const char *config, const char *word, const char *name, const char *what,
               struct diag *d)
{
    struct conffile file;
    struct keystore *store = NULL;
    char dir[2048];
    bool is_new = strcmp(word, "new") == 0;
    if (!is_new && strcmp(word, "import") != 0)
        return diag_set(d, ERR_USAGE, "say new or import");
    int rc = conffile_read(config, &file, d);
    if (rc == 0) {
        snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(file.conf.dir));
        rc = keystore_open(dir, true, &store, d);
    }
    if (rc == 0)
        rc = is_new         ? make(store, name, what == NULL ? "p256" : what, d)
             : what == NULL ? diag_set(d, ERR_USAGE, "import wants a FILE")
                            : import(store, name, what, d);
    keystore_close(store);
    conffile_free(&file);
    return rc;
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
                 "       sild gateway key import NAME FILE --config FILE",
        .text = "new makes a key (rsa2048, rsa3072, p256 or p384; p256 unless told) and prints a\n"
                "certificate signing request; import takes an unencrypted PEM file. Keys are kept\n"
                "sealed below the gateway's folder.",
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
    return rc == 0 ? EXIT_DONE : command_fail("gateway key", &d, command_exit(rc));
}
