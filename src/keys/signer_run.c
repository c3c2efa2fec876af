#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "keys/keystore.h"
#include "keys/signer_lines.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define CERT_MAX 65536
#define SEALED_MAX 65536
#define TEXT_MAX 1024

struct run {
    struct group_self *self;
    struct keystore *store; /* its seal opens the keys that a reload brings */
    struct signer_keys *keys;
    struct signer_lines *lines;
    struct loop_timer *forget;
};

static void on_peer(void *ctx, const char *name, int fd)
{
    struct run *r = ctx;
    int err = signer_lines_add(r->lines, fd);
    if (err != 0)
        report(REPORT_ERROR, "key_line", "No line to %s: %s.", name, err_text(err));
}

/* --- other keys, while it runs: u32 n, each u16 use, var name, var member or origin, var
 * certificate, var sealed key --- */

int signer_put_keys(struct buf *b, const char *keys_dir, const struct signer_key *keys, size_t n,
                    struct diag *d)
{
    struct buf sealed;
    int err = 0;
    buf_init(&sealed, SEALED_MAX);
    wr_u32(b, (uint32_t)n);
    for (size_t i = 0; err == 0 && i < n; i++) {
        buf_reset(&sealed);
        err = keystore_read_sealed(keys_dir, keys[i].name, &sealed, d);
        wr_u16(b, (uint16_t)keys[i].use);
        wr_var(b, slice_str(keys[i].name));
        wr_var(b, slice_str(keys[i].member != NULL ? keys[i].member : keys[i].origin));
        wr_var(b, keys[i].cert);
        wr_var(b, buf_view(&sealed));
    }
    buf_free(&sealed);
    return err != 0 || !b->failed ? err : diag_set(d, ERR_TOO_LARGE, "too many keys");
}

static int take_key(struct run *r, struct rd *in, struct signer_keys *into, struct diag *d)
{
    char name[TEXT_MAX + 1], owner[TEXT_MAX + 1];
    EVP_PKEY *key;
    struct signer_key k = {.use = (enum signer_type)rd_u16(in), .name = name};
    struct slice name_text = rd_var(in, TEXT_MAX), owner_text = rd_var(in, TEXT_MAX);
    k.cert = rd_var(in, CERT_MAX);
    struct slice sealed = rd_var(in, SEALED_MAX);
    if (in->bad || !slice_cstr(name_text, name, sizeof name) ||
        !slice_cstr(owner_text, owner, sizeof owner))
        return diag_set(d, ERR_CORRUPT, "keys were handed over incomplete");
    k.member = k.use == SIGNER_MESSAGE ? owner : NULL;
    k.origin = k.use == SIGNER_HEAD || k.use == SIGNER_AGGREGATE ? owner : NULL;
    int err = keystore_unseal(r->store, name, sealed, &key, d);
    err = err != 0 ? err : signer_keys_add(into, &k, key, d);
    EVP_PKEY_free(key);
    return err;
}

static void forget(void *ctx)
{
    struct run *r = ctx;
    r->forget = NULL;
    signer_keys_forget(r->keys, loop_mono_ms(group_loop(r->self)));
}

/* All of them, or those of before stay; without memory for that the process ends, and all start
 * anew. */
static int take_keys(struct run *r, struct slice packed, struct diag *d)
{
    struct loop *l = group_loop(r->self);
    struct rd in = rd_of(packed);
    struct signer_keys *next = signer_keys_new();
    uint32_t n = rd_u32(&in);
    int err = next == NULL ? diag_set(d, ERR_NOMEM, "no memory for keys") : 0;
    for (uint32_t i = 0; err == 0 && i < n; i++)
        err = take_key(r, &in, next, d);
    if (err == 0 && !rd_done(&in))
        err = diag_set(d, ERR_CORRUPT, "keys were handed over incomplete");
    if (err != 0) {
        signer_keys_free(next);
        return err;
    }
    if (signer_lines_rekey(r->lines, next) != 0)
        abort();
    signer_keys_free(r->keys);
    r->keys = next;
    loop_timer_cancel(r->forget);
    r->forget = loop_timer_start(l, SIGNER_RETIRED_MS + 1000, forget, r);
    return 0;
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct run *r = ctx;
    struct diag d = {0};
    struct slice word, packed = command;
    slice_next(&packed, '\n', &word);
    if (slice_eq_str(command, "reload")) { /* its keys are those of the start */
        group_answer(r->self, id, EXIT_DONE, SLICE_NONE);
    } else if (slice_eq_str(word, "reload")) {
        bool taken = take_keys(r, packed, &d) == 0;
        if (!taken)
            report_diag(REPORT_ERROR, "reload", NULL, &d);
        group_answer(r->self, id, taken ? EXIT_DONE : EXIT_NO, slice_str(d.text));
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

static int open_keys(struct run *r, const char *keys_dir, const struct signer_key *keys, size_t n,
                     struct diag *d)
{
    int err = keystore_open(keys_dir, false, &r->store, d);
    if (err != 0)
        return err;
    r->keys = signer_keys_new();
    return r->keys == NULL ? diag_set(d, ERR_NOMEM, "no memory for keys")
                           : load(r->keys, r->store, keys_dir, keys, n, d);
}

/* Serves until stopped, with everything open that it needs. */
static void serve(struct run *r)
{
    static const struct group_events events = {on_peer, on_command, on_stop};
    group_begin(r->self, &events, r);
    group_ready(r->self);
    loop_run(group_loop(r->self));
    loop_timer_cancel(r->forget);
}

int signer_run(struct group_self *self, const char *keys_dir, const struct signer_key *keys,
               size_t n, size_t batch_max)
{
    struct diag d = {0};
    struct run r = {.self = self};
    /* No core file and no other process of the same user sees the keys. */
    prctl(PR_SET_DUMPABLE, 0);
    int err = open_keys(&r, keys_dir, keys, n, &d);
    if (err == 0) {
        r.lines = signer_lines_new(group_loop(self), r.keys, batch_max);
        if (r.lines == NULL)
            err = diag_set(&d, ERR_NOMEM, "no memory for the key process");
    }
    /* Rights end here: what is open is all that this process will use. */
    if (err == 0)
        err = sandbox_enter(SANDBOX_KEY, NULL, &d);
    if (err == 0)
        serve(&r);
    else
        report_diag(REPORT_ERROR, "key_start", NULL, &d);
    signer_lines_free(r.lines);
    signer_keys_free(r.keys);
    keystore_close(r.store);
    return err == 0 ? EXIT_DONE : EXIT_COULD_NOT;
}
