#include "cli/asic_get.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/pick.h"
#include "cli/proof_get.h"
#include "crypto/sign.h"
#include "evidence/asic.h"
#include "gateway/mlog_read.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (64u << 20)
#define STAMP_MS 30000
#define PROOF_WAIT_MS 5000 /* for the ledger to accept a head over the record */

struct wish {
    struct pick_wish message;
    const char *out, *owner, *proof;
};

static int read_owner(const char *path, EVP_PKEY **key, struct diag *d)
{
    struct buf pem;
    *key = NULL;
    if (path == NULL)
        return 0;
    buf_init(&pem, 65536);
    int rc = fs_read(path, &pem, d);
    if (rc == 0 && (*key = key_from_pem(buf_view(&pem), d)) == NULL)
        rc = ERR_KEY_NOT_AVAILABLE;
    buf_wipe(&pem);
    return rc;
}

/* Stamps what is not stamped yet, where the gateway runs. */
static int stamp_now(const struct pick *c, struct diag *d)
{
    struct buf answer;
    int code = 0;
    buf_init(&answer, 65536);
    int rc = control_call(c->control, SLICE_LIT("log stamp"), STAMP_MS, &code, &answer, d);
    if (rc != 0)
        rc = diag_set(d, ERR_TIMESTAMPING_FAILED,
                      "the message is not time-stamped yet, and its gateway does not run");
    else if (code != 0)
        rc = diag_set(d, ERR_TIMESTAMPING_FAILED, "the message cannot be time-stamped: %s",
                      buf_cstr(&answer));
    buf_free(&answer);
    return rc;
}

static int export(const struct pick *c, EVP_PKEY *owner, struct buf *out,
                  struct record_message *about, struct arena *a, struct diag *d)
{
    struct mlog_read *m;
    int rc = mlog_read_open(c->log, NULL, &m, d);
    if (rc != 0)
        return rc;
    rc = mlog_read_container(m, c->seq, owner, out, about, a, d);
    if (rc == ERR_NOT_FOUND) {
        rc = stamp_now(c, d);
        buf_reset(out);
        rc = rc != 0 ? rc : mlog_read_refresh(m, d);
        rc = rc != 0 ? rc : mlog_read_container(m, c->seq, owner, out, about, a, d);
    }
    mlog_read_close(m);
    return rc;
}

/* The ledger's proof of the record, in a file beside the container. */
static int put_proof(const struct pick *c, const char *container, struct diag *d)
{
    struct buf proof, name;
    buf_init(&proof, CHAIN_MAX);
    buf_init(&name, 4200);
    buf_printf(&name, "%s.proof", container);
    int rc = proof_get_record(c->log, c->seq, PROOF_WAIT_MS, &proof, d);
    rc = rc != 0 ? rc : fs_write(buf_cstr(&name), buf_view(&proof), 0600, d);
    if (rc == 0)
        printf("%s: its proof\n", buf_cstr(&name));
    buf_free(&proof);
    buf_free(&name);
    return rc;
}

static int get(const struct wish *w, struct diag *d)
{
    struct pick c = {.found = false};
    struct record_message about;
    struct buf file, name;
    EVP_PKEY *owner = NULL;
    struct arena *a = arena_new(ARENA_MAX);
    buf_init(&file, ARENA_MAX);
    buf_init(&name, 4096);
    int rc = a == NULL ? diag_set(d, ERR_NOMEM, "no memory") : pick_message(&w->message, &c, d);
    rc = rc != 0 ? rc : read_owner(w->owner, &owner, d);
    rc = rc != 0 ? rc : export(&c, owner, &file, &about, a, d);
    if (rc == 0) {
        if (w->out != NULL)
            buf_str(&name, w->out);
        else
            asic_file_name(about.id, about.response, c.seq, &name);
        rc = fs_write(buf_cstr(&name), buf_view(&file), 0600, d); /* personal data */
    }
    if (rc == 0)
        printf("%s: %s of %.*s, message %.*s\n", buf_cstr(&name),
               about.response ? "response" : "request", SLICE_ARG(about.party),
               SLICE_ARG(about.id));
    if (rc == 0 && w->proof != NULL)
        rc = put_proof(&c, buf_cstr(&name), d);
    EVP_PKEY_free(owner);
    buf_free(&file);
    buf_free(&name);
    arena_free(a);
    return rc;
}

int cli_asic_get(int argc, char **argv)
{
    struct wish w = {.message.dir = "./country.d"};
    const char *last = NULL;
    const struct opt opts[] = {
        {"--last", NULL, "the newest message (of the consumer's side, the response)", &last, NULL},
        {"--id", "ID", "the message with this X-Road-Id", &w.message.id, NULL},
        {"--request", NULL, "the request instead of the response", &w.message.request, NULL},
        {"--side", "SIDE", "consumer (default) or provider", &w.message.side, NULL},
        {"--out", "FILE", "where to write; default: a name as X-Road gives it", &w.out, NULL},
        {"--dir", "DIR", "the country (./country.d)", &w.message.dir, NULL},
        {"--gateway", "NAME", "only this gateway of it", &w.message.gateway, NULL},
        {"--log", "DIR", "a message log's folder, of any gateway", &w.message.log, NULL},
        {"--proof", NULL, "also the ledger's proof of the record, in FILE.proof", &w.proof, NULL},
        {"--owner-key", "FILE", "private key that opens kept bodies", &w.owner, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild asic get --last|--id ID [--request] [--side provider] [--out FILE]",
        .text = "Exports a logged message as an ASiC-E container. What is not time-stamped yet is\n"
                "stamped first, where the gateway runs; otherwise nothing needs to run.",
        .opts = opts,
    };
    struct diag d = {0};
    char *args[argc + 1];
    int rc = 0, code;
    if (!command_parse("asic get", &cmd, argc, argv, args, &code))
        return code;
    if ((last == NULL) == (w.message.id == NULL))
        rc = diag_set(&d, ERR_USAGE, "say either --last or --id ID");
    rc = rc != 0 ? rc : get(&w, &d);
    if (rc == 0)
        return EXIT_DONE;
    return command_fail("asic get", &d,
                        rc == ERR_MLOG_RECORD_NOT_FOUND ? EXIT_NO : command_exit(rc));
}
