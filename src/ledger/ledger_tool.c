#include "ledger/ledger_tool.h"
#include "base/err.h"
#include "base/opt.h"
#include "crypto/sign.h"
#include "keys/keystore.h"
#include "ledger/ledger.h"
#include "ledger/ledger_conf.h"
#include "ledger/ledger_fsck.h"
#include "ledger/ledger_store.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/checkpoint.h"
#include "tlog/policy.h"

#include <stdio.h>
#include <string.h>

#define CALL_MS 10000

/* --- init --- */

static int note_key_of(EVP_PKEY *key, const char *origin, struct note_key *out, struct diag *d)
{
    uint8_t public[32];
    size_t n = sizeof public;
    if (EVP_PKEY_get_raw_public_key(key, public, &n) != 1 || n != sizeof public)
        return diag_set(d, ERR_CRYPTO, "the new key gives no public half");
    return note_key_make(slice_str(origin), NOTE_ED25519, public, out, d);
}

static int sign_first(EVP_PKEY *key, const struct note_key *name, struct buf *note, struct diag *d)
{
    struct checkpoint cp = {.origin = note_key_name(name)};
    uint8_t signature[NOTE_SIGNATURE];
    size_t n = sizeof signature;
    struct buf text;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    buf_init(&text, CHECKPOINT_TEXT_MAX);
    merkle_empty(&cp.root);
    checkpoint_print(&cp, &text);
    int rc = 0;
    if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(ctx, signature, &n, text.p, text.n) != 1)
        rc = diag_set(d, ERR_CRYPTO, "the new key does not sign");
    else
        note_print(buf_view(&text), name, signature, note);
    EVP_MD_CTX_free(ctx);
    buf_free(&text);
    return rc;
}

/* Where there is no policy yet: the ledger alone, no witness. */
static int write_policy(const char *dir, const char *vkey, const char *url, struct diag *d)
{
    char path[1200], text[1200];
    snprintf(path, sizeof path, "%s/policy", dir);
    snprintf(text, sizeof text, "log %s%s%s\nquorum none\n", vkey, url == NULL ? "" : " ",
             url == NULL ? "" : url);
    return fs_exists(path) ? 0 : fs_write(path, slice_str(text), 0644, d);
}

int ledger_init(const char *dir, const char *lock_dir, const char *origin, const char *url,
                char *vkey, struct diag *d)
{
    char lock[1200];
    struct keystore *store = NULL;
    struct note_key name = {0};
    EVP_PKEY *key = NULL;
    struct buf note, text;
    if (!checkpoint_is_origin(slice_str(origin)))
        return diag_set(d, ERR_USAGE,
                        "--origin: a name as ledger.example is wanted, printable ASCII without "
                        "spaces and '+'");
    buf_init(&note, LEDGER_CHECKPOINT_MAX);
    buf_init(&text, NOTE_VKEY_MAX);
    snprintf(lock, sizeof lock, "%s/lock", dir);
    int rc = fs_mkdirs(dir, 0700, d);
    rc = rc != 0 ? rc : keystore_open(dir, true, &store, d);
    rc = rc != 0 ? rc : keystore_generate(store, LEDGER_KEY, "ed25519", &key, d);
    rc = rc != 0 ? rc : note_key_of(key, origin, &name, d);
    rc = rc != 0 ? rc : sign_first(key, &name, &note, d);
    rc = rc != 0 ? rc
                 : ledger_store_make(dir, lock_dir == NULL ? lock : lock_dir, NULL, NULL,
                                     buf_view(&note), d);
    if (rc == 0) {
        note_key_print(&name, &text);
        snprintf(vkey, NOTE_VKEY_MAX + 1, "%s", buf_cstr(&text));
        rc = write_policy(dir, vkey, url, d);
    }
    note_key_free(&name);
    EVP_PKEY_free(key);
    keystore_close(store);
    buf_free(&note);
    buf_free(&text);
    return rc;
}

static int init(int argc, char **argv)
{
    const char *dir = NULL, *lock = NULL, *origin = NULL, *url = NULL;
    const struct opt opts[] = {
        {"--dir", "DIR", "the ledger's folder", &dir, NULL},
        {"--origin", "NAME", "the ledger's name in its checkpoints", &origin, NULL},
        {"--lock", "DIR", "folder of the lock (DIR/lock)", &lock, NULL},
        {"--url", "URL", "the ledger's address, for the policy", &url, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger init --dir DIR --origin NAME [--lock DIR] [--url URL]",
        .text = "Makes a new ledger: its key, and the checkpoint of the empty tree. Prints the\n"
                "key's public half (vkey). Where DIR has no policy yet, one without witnesses is\n"
                "written: add witnesses and a quorum to it.",
        .opts = opts,
        .needs = "--dir",
    };
    char vkey[NOTE_VKEY_MAX + 1];
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("ledger init", &cmd, argc, argv, args, &code))
        return code;
    int rc = origin == NULL ? diag_set(&d, ERR_USAGE, "--origin NAME is missing")
                            : ledger_init(dir, lock, origin, url, vkey, &d);
    if (rc != 0)
        return command_fail("ledger init", &d, command_exit(rc));
    printf("%s\n", vkey);
    return EXIT_DONE;
}

/* --- reload --- */

static int reload(int argc, char **argv)
{
    const char *config = NULL;
    const struct opt opts[] = {
        {"--config", "FILE", "configuration (see sild(1))", &config, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger reload --config FILE",
        .text = "The running ledger reads the lists of journals and witnesses again; when one of\n"
                "them is wrong, nothing changes.",
        .opts = opts,
        .needs = "--config",
    };
    struct ledger_conf c;
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("ledger reload", &cmd, argc, argv, args, &code))
        return code;
    code = ledger_conf_read(config, &c, &d) != 0
               ? command_fail("ledger reload", &d, command_exit(d.code))
               : command_control("ledger", c.dir, SLICE_LIT("reload"), CALL_MS);
    ledger_conf_free(&c);
    return code;
}

int ledger_tool_main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(int, char **);
    } words[] = {{"init", init}, {"reload", reload}, {"fsck", ledger_fsck_main}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(argv[0], words[i].word) == 0)
            return words[i].run(argc, argv);
    struct diag d = {0};
    diag_set(&d, ERR_USAGE, "there is no command \"%s\"; try sild ledger --help", argv[0]);
    return command_fail("ledger", &d, EXIT_USE);
}
