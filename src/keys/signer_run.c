#include "base/err.h"
#include "base/opt.h"
#include "keys/keystore.h"
#include "keys/signer_lines.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>

#define CERT_MAX 65536

struct run {
    struct group_self *self;
    struct signer_lines *lines;
};

static void on_peer(void *ctx, const char *name, int fd)
{
    struct run *r = ctx;
    int err = signer_lines_add(r->lines, fd);
    if (err != 0)
        report(REPORT_ERROR, "key_line", "No line to %s: %s.", name, err_text(err));
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct run *r = ctx;
    if (slice_eq_str(command, "reload")) { /* its keys are those of the start */
        group_answer(r->self, id, EXIT_DONE, SLICE_NONE);
    } else if (slice_eq_str(command, "restart")) { /* the group starts anew, with other keys */
        loop_stop(group_loop(r->self));
    } else {
        group_answer(r->self, id, EXIT_USE, SLICE_LIT("The key process takes no commands.\n"));
    }
}

static void on_stop(void *ctx)
{
    struct run *r = ctx;
    loop_stop(group_loop(r->self)); /* every request was answered in the turn it came in */
}

/* Adds a key, checked against its certificate's file when one is named. */
static int add(struct signer_keys *into, const char *keys_dir, const struct signer_key *k,
               EVP_PKEY *key, struct diag *d)
{
    char path[PATH_MAX];
    struct signer_key with = *k;
    struct buf der;
    if (k->cert_file == NULL)
        return signer_keys_add(into, k, key, d);
    buf_init(&der, CERT_MAX);
    snprintf(path, sizeof path, "%s/%s", keys_dir, k->cert_file);
    int err = fs_read(path, &der, d);
    with.cert = buf_view(&der);
    err = err != 0 ? err : signer_keys_add(into, &with, key, d);
    buf_free(&der);
    return err;
}

static int load(struct signer_keys *into, struct keystore *store, const char *keys_dir,
                const struct signer_key *keys, size_t n, struct diag *d)
{
    for (size_t i = 0; i < n; i++) {
        EVP_PKEY *key;
        int err = keystore_load(store, keys[i].name, &key, d);
        if (err != 0)
            return err;
        err = add(into, keys_dir, &keys[i], key, d);
        EVP_PKEY_free(key);
        if (err != 0)
            return err;
    }
    return 0;
}

static int open_keys(const char *keys_dir, const struct signer_key *keys, size_t n,
                     struct signer_keys **out, struct diag *d)
{
    *out = NULL;
    struct keystore *store;
    int err = keystore_open(keys_dir, false, &store, d);
    if (err != 0)
        return err;
    struct signer_keys *into = signer_keys_new();
    err = into == NULL ? diag_set(d, ERR_NOMEM, "no memory for keys")
                       : load(into, store, keys_dir, keys, n, d);
    keystore_close(store);
    if (err != 0) {
        signer_keys_free(into);
        return err;
    }
    *out = into;
    return 0;
}

/* Serves until stopped, with everything open that it needs. */
static void serve(struct group_self *self, struct signer_lines *lines)
{
    static const struct group_events events = {on_peer, on_command, on_stop};
    struct run r = {self, lines};
    group_begin(self, &events, &r);
    group_ready(self);
    loop_run(group_loop(self));
}

int signer_run(struct group_self *self, const char *keys_dir, const struct signer_key *keys,
               size_t n, size_t batch_max)
{
    struct diag d = {0};
    struct signer_keys *held = NULL;
    struct signer_lines *lines = NULL;
    /* No core file and no other process of the same user sees the keys. */
    prctl(PR_SET_DUMPABLE, 0);
    int err = open_keys(keys_dir, keys, n, &held, &d);
    if (err == 0) {
        lines = signer_lines_new(group_loop(self), held, batch_max);
        if (lines == NULL)
            err = diag_set(&d, ERR_NOMEM, "no memory for the key process");
    }
    /* Rights end here: what is open is all that this process will use. */
    if (err == 0)
        err = sandbox_enter(SANDBOX_KEY, NULL, &d);
    if (err == 0)
        serve(self, lines);
    else
        report_diag(REPORT_ERROR, "key_start", NULL, &d);
    signer_lines_free(lines);
    signer_keys_free(held);
    return err == 0 ? EXIT_DONE : EXIT_COULD_NOT;
}
