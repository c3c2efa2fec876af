/* What an operator does with a witness: make it, tell its key, add logs, list them. */
#include "base/err.h"
#include "base/opt.h"
#include "base/timeval.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "keys/keystore.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "wire/json.h"
#include "witness/witness.h"
#include "witness/witness_conf.h"
#include "witness/witness_logs.h"
#include "witness/witness_memory.h"

#include <stdio.h>
#include <string.h>

#define CALL_MS 10000
#define LIST_MAX (16u << 20)
#define CONFIG_NAME "witness.conf"

struct words {
    const char *config, *dir, *name, *key, *listen, *json;
};

static int fail(const char *word, const struct diag *d)
{
    char who[64];
    snprintf(who, sizeof who, "ledger witness %s", word);
    return command_fail(who, d, d->code == ERR_EXISTS ? EXIT_NO : command_exit(d->code));
}

/* --- init --- */

/* The PEM file's key, or a new one when path is NULL. */
static int take_key(struct keystore *store, const char *path, EVP_PKEY **out, struct diag *d)
{
    struct buf pem;
    if (path == NULL)
        return keystore_generate(store, WITNESS_KEY, "ed25519", out, d);
    buf_init(&pem, 65536);
    int rc = fs_read(path, &pem, d);
    *out = rc == 0 ? key_from_pem(buf_view(&pem), d) : NULL;
    buf_wipe(&pem);
    if (rc == 0 && *out == NULL)
        rc = ERR_KEY_NOT_AVAILABLE;
    if (rc == 0 && !EVP_PKEY_is_a(*out, "ED25519"))
        rc = diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "%s: a witness's key is of Ed25519", path);
    return rc != 0 ? rc : keystore_import(store, WITNESS_KEY, *out, d);
}

static int make_key(const char *dir, const char *name, const char *path, struct buf *vkey,
                    struct diag *d)
{
    struct keystore *store = NULL;
    struct note_key key;
    EVP_PKEY *pkey = NULL;
    uint8_t public[32];
    size_t n = sizeof public;
    int rc = keystore_open(dir, true, &store, d);
    rc = rc != 0 ? rc : take_key(store, path, &pkey, d);
    keystore_close(store);
    if (rc == 0 && EVP_PKEY_get_raw_public_key(pkey, public, &n) != 1)
        rc = diag_set(d, ERR_CRYPTO, "OpenSSL does not give the public key");
    rc = rc != 0 ? rc : note_key_make(slice_str(name), NOTE_COSIGNATURE, public, &key, d);
    if (rc == 0) {
        note_key_print(&key, vkey);
        note_key_free(&key);
    }
    EVP_PKEY_free(pkey);
    return rc;
}

int witness_init(const char *dir, const char *name, const char *key, struct diag *d)
{
    static const char *const folders[] = {WITNESS_STORE_DIR, WITNESS_REFUSED_DIR};
    char path[2048];
    struct buf vkey;
    buf_init(&vkey, NOTE_VKEY_MAX + 2);
    int rc = witness_conf_check_name(name, d);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        rc = fs_mkdirs(path, 0700, d);
    }
    rc = rc != 0 ? rc : make_key(dir, name, key, &vkey, d);
    snprintf(path, sizeof path, "%s/%s", dir, WITNESS_STORE);
    rc = rc != 0 ? rc : witness_store_make(path, buf_cstr(&vkey), d);
    buf_byte(&vkey, '\n');
    snprintf(path, sizeof path, "%s/%s", dir, WITNESS_VKEY);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&vkey), 0644, d);
    buf_free(&vkey);
    return rc;
}

static int write_config(const struct words *w, struct diag *d)
{
    char path[2048];
    struct buf b;
    snprintf(path, sizeof path, "%s/%s", w->dir, CONFIG_NAME);
    if (fs_exists(path))
        return 0;
    buf_init(&b, 4096);
    buf_printf(&b, "[witness]\nname = %s\n", w->name);
    if (w->listen != NULL)
        buf_printf(&b, "listen = %s\n", w->listen);
    int rc = fs_write(path, buf_view(&b), 0644, d);
    buf_free(&b);
    return rc;
}

static int print_vkey(const char *dir, struct diag *d)
{
    char path[2048];
    struct buf text;
    buf_init(&text, 4096);
    snprintf(path, sizeof path, "%s/%s", dir, WITNESS_VKEY);
    int rc = fs_read(path, &text, d);
    if (rc == 0)
        fputs(buf_cstr(&text), stdout);
    buf_free(&text);
    return rc;
}

static int init(const struct words *w, struct diag *d)
{
    if (w->dir == NULL || w->name == NULL)
        return diag_set(d, ERR_USAGE, "--dir DIR and --name NAME are needed");
    int rc = witness_init(w->dir, w->name, w->key, d);
    rc = rc != 0 ? rc : write_config(w, d);
    return rc != 0 ? rc : print_vkey(w->dir, d);
}

/* --- logs --- */

static int reload(const struct witness_conf *c, struct diag *d)
{
    char control[2048];
    snprintf(control, sizeof control, "%s/control.sock", c->dir);
    if (!fs_exists(control))
        return 0;
    return command_control("ledger witness", c->dir, SLICE_LIT("reload"), CALL_MS) == EXIT_DONE
               ? 0
               : diag_set(d, ERR_INVALID_REQUEST,
                          "the list is written, but the running witness did not take it");
}

static int add_log(const struct witness_conf *c, const char *vkey, struct diag *d)
{
    struct witness_logs *logs = NULL;
    struct buf text;
    buf_init(&text, WITNESS_LOGS_FILE);
    int rc = witness_logs_load(c->logs, &text, d);
    if (text.n > 0 && text.p[text.n - 1] != '\n')
        buf_byte(&text, '\n');
    buf_str(&text, vkey);
    buf_byte(&text, '\n');
    rc = rc != 0 ? rc : witness_logs_parse(buf_view(&text), &logs, d);
    witness_logs_free(logs);
    rc = rc != 0 ? rc : fs_write(c->logs, buf_view(&text), 0644, d);
    buf_free(&text);
    return rc != 0 ? rc : reload(c, d);
}

struct listing {
    const struct witness_logs *logs;
    struct buf *out;
    bool json;
    struct json_out j;
};

static void list_one(struct listing *l, const struct witness_entry *e, struct slice vkey)
{
    char when[TIMEVAL_TEXT] = "-";
    if (e != NULL)
        timeval_print_iso(e->time_s * 1000, false, when);
    if (!l->json) {
        if (e == NULL)
            buf_printf(l->out, "%12s  %-20s  ", "-", when);
        else
            buf_printf(l->out, "%12llu  %-20s  ", (unsigned long long)e->state.size, when);
        buf_slice(l->out, vkey);
        buf_byte(l->out, '\n');
        return;
    }
    json_open(&l->j, '{');
    json_kslice(&l->j, "vkey", vkey);
    if (e != NULL) {
        json_knum(&l->j, "size", (int64_t)e->state.size);
        json_kstr(&l->j, "time", when);
    }
    json_close(&l->j, '}');
}

static void list_all(struct listing *l, const struct witness_memory *held)
{
    json_begin(&l->j, l->out);
    if (l->json)
        json_open(&l->j, '[');
    for (size_t i = 0; i < witness_logs_count(l->logs); i++) {
        const struct note_key *k = witness_logs_at(l->logs, i);
        struct digest id;
        struct buf vkey;
        buf_init(&vkey, NOTE_VKEY_MAX);
        note_key_print(k, &vkey);
        digest_of(DIGEST_SHA256, note_key_name(k), &id);
        list_one(l, witness_memory_find(held, id.b), buf_view(&vkey));
        buf_free(&vkey);
    }
    if (l->json) {
        json_close(&l->j, ']');
        buf_byte(l->out, '\n');
    }
}

static int list(const struct witness_conf *c, bool json, struct diag *d)
{
    char path[1200];
    struct witness_logs *logs = NULL;
    struct witness_store *store = NULL;
    struct witness_memory *held = NULL;
    struct note_key key;
    struct buf out, vkey;
    buf_init(&out, LIST_MAX);
    buf_init(&vkey, NOTE_VKEY_MAX);
    witness_conf_path(c, WITNESS_STORE, path, sizeof path);
    int rc = witness_conf_vkey(c, &key, d);
    if (rc != 0)
        return rc;
    note_key_print(&key, &vkey);
    note_key_free(&key);
    rc = witness_logs_read(c->logs, &logs, d);
    rc = rc != 0 ? rc : witness_store_open(path, buf_cstr(&vkey), false, &store, d);
    rc = rc != 0 ? rc : witness_memory_new(store, &held, d);
    if (rc == 0) {
        struct listing l = {.logs = logs, .out = &out, .json = json};
        list_all(&l, held);
        fputs(buf_cstr(&out), stdout);
    }
    witness_memory_free(held);
    witness_store_close(store);
    witness_logs_free(logs);
    buf_free(&out);
    buf_free(&vkey);
    return rc;
}

/* --- words --- */

static int with_config(const char *word, const struct words *w, const char *vkey, struct diag *d)
{
    struct witness_conf c = {0};
    if (w->config == NULL)
        return diag_set(d, ERR_USAGE, "--config FILE is missing");
    int rc = witness_conf_read(w->config, &c, d);
    if (rc == 0 && strcmp(word, "vkey") == 0)
        rc = print_vkey(c.dir, d);
    else if (rc == 0 && strcmp(word, "logs") == 0)
        rc = list(&c, w->json != NULL, d);
    else if (rc == 0 && strcmp(word, "add-log") == 0)
        rc = add_log(&c, vkey, d);
    else if (rc == 0)
        rc = reload(&c, d);
    witness_conf_free(&c);
    return rc;
}

int witness_tool_main(int argc, char **argv)
{
    static const char *const known[] = {"init", "vkey", "logs", "add-log", "reload"};
    struct words w = {0};
    const struct opt opts[] = {
        {"--config", "FILE", "the witness's configuration", &w.config, NULL},
        {"--dir", "DIR", "init: its folder", &w.dir, NULL},
        {"--name", "NAME", "init: its name, such as w1.example.org", &w.name, NULL},
        {"--key", "FILE", "init: an Ed25519 key that there is already, PEM", &w.key, NULL},
        {"--listen", "HOST:PORT", "init: where it will listen", &w.listen, NULL},
        {"--json", NULL, "logs: as JSON", &w.json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage =
            "sild ledger witness init --dir DIR --name NAME [--key FILE] [--listen HOST:PORT]\n"
            "       sild ledger witness vkey|logs|reload --config FILE\n"
            "       sild ledger witness add-log VKEY --config FILE",
        .text = "init makes key, store and DIR/witness.conf of a new witness and prints its vkey, "
                "which\n"
                "vkey prints again. add-log adds a log by its vkey, at once where the witness "
                "runs; logs\n"
                "lists them, each with the size that was cosigned last, and when. reload reads the "
                "list\n"
                "again.",
        .opts = opts,
        .max_args = 1,
    };
    struct diag d = {0};
    char *args[argc + 1];
    bool is_known = false;
    int rc = opt_parse(&cmd, argc, argv, args, &d);
    if (rc == OPT_HELP)
        return command_help(&cmd);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        is_known |= strcmp(argv[0], known[i]) == 0;
    if (rc == 0 && !is_known)
        rc = diag_set(&d, ERR_USAGE, "unknown word; see sild ledger witness --help");
    if (rc == 0 && (args[0] != NULL) != (strcmp(argv[0], "add-log") == 0))
        rc = diag_set(&d, ERR_USAGE,
                      args[0] == NULL ? "the VKEY of a log is missing"
                                      : "\"%s\" is one word too many",
                      args[0]);
    if (rc == 0)
        rc = strcmp(argv[0], "init") == 0 ? init(&w, &d) : with_config(argv[0], &w, args[0], &d);
    return rc == 0 ? EXIT_DONE : fail(argv[0], &d);
}
