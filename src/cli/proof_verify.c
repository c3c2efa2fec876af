#include "cli/proof_verify.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/proof_policy.h"
#include "cli/proof_say.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <stdlib.h>

struct wish {
    const char *policy, *dir, *anchor, *json;
};

/* One file on its way through; large, so on the heap. */
struct work {
    struct buf file;
    struct chain chain;
    struct chain_verdict verdict;
    struct policy *policy;
    char policy_path[PROOF_POLICY_PATH];
};

static struct work *work_new(struct diag *d)
{
    struct work *w = calloc(1, sizeof *w);
    if (w == NULL)
        diag_set(d, ERR_NOMEM, "no memory");
    else
        buf_init(&w->file, CHAIN_MAX);
    return w;
}

static void work_free(struct work *w)
{
    if (w == NULL)
        return;
    buf_free(&w->file);
    policy_free(w->policy);
    free(w);
}

static int read_file(struct work *k, const char *file, struct diag *d)
{
    int rc = fs_read(file, &k->file, d);
    return rc != 0 ? rc : chain_parse(buf_view(&k->file), &k->chain, d);
}

/* Which ledger the file speaks of, before anything of it is believed. */
static int origin_of(const struct chain *c, struct slice *origin, struct diag *d)
{
    struct note note;
    struct checkpoint cp;
    int rc = note_parse(c->answer.checkpoint, &note, d);
    rc = rc != 0 ? rc : checkpoint_parse(note.text, &cp, d);
    if (rc == 0)
        *origin = cp.origin;
    return rc;
}

/* *bad: it is the proof that is to blame, not what it is read with. */
static int verify(struct work *k, const char *file, const struct wish *w, bool *bad, struct diag *d)
{
    struct anchor anchor;
    struct slice origin;
    int rc = w->anchor == NULL ? 0 : anchor_read(slice_str(w->anchor), &anchor, d);
    if (rc != 0)
        return diag_where(d, "the anchor");
    rc = fs_read(file, &k->file, d);
    if (rc != 0)
        return rc;
    *bad = true;
    rc = chain_parse(buf_view(&k->file), &k->chain, d);
    rc = rc != 0 ? rc : origin_of(&k->chain, &origin, d);
    if (rc != 0)
        return rc;
    /* With an anchor alone, no key is asked for. */
    if (w->anchor == NULL || w->policy != NULL)
        rc = proof_policy_find(w->policy, w->dir, origin, &k->policy, k->policy_path, d);
    *bad = rc == 0;
    return rc != 0 ? rc
                   : chain_verify(&k->chain, k->policy, w->anchor == NULL ? NULL : &anchor,
                                  &k->verdict, d);
}

static int verify_one(const char *file, const struct wish *w)
{
    struct diag d = {0};
    bool bad = false;
    struct work *k = work_new(&d);
    int rc = k == NULL ? ERR_NOMEM : verify(k, file, w, &bad, &d), code = EXIT_DONE;
    if (rc == 0 && w->json != NULL)
        proof_say_json(file, &k->chain, &k->verdict, k->policy, k->policy_path);
    else if (rc == 0)
        proof_say(file, &k->chain, &k->verdict, k->policy, k->policy_path);
    else if (bad) {
        char text[1024];
        diag_print(&d, text, sizeof text);
        printf("%s: invalid: %s: %s\n", file, err_name(rc), text);
        code = EXIT_NO;
    } else {
        code = command_fail("proof verify", &d, rc == ERR_SYNTAX ? EXIT_USE : EXIT_COULD_NOT);
    }
    work_free(k);
    return code;
}

int cli_proof_verify(int argc, char **argv)
{
    struct wish w = {.dir = "./country.d"};
    const struct opt opts[] = {
        {"--policy", "FILE", "keys of ledger and witnesses, and how many are needed", &w.policy,
         NULL},
        {"--anchor", "STRING", "a printed anchor: proves age without any key", &w.anchor, NULL},
        {"--dir", "DIR", "a country whose policy is believed (./country.d)", &w.dir, NULL},
        {"--json", NULL, "as JSON, a line a file", &w.json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild proof verify FILE… [--policy FILE] [--anchor STRING] [--json]",
        .text = "Verifies proofs of records, offline: says what was recorded, in which journal,\n"
                "since when, and who saw it. Without --policy the country's is taken\n"
                "(DIR/ledger/policy), or the one that `sild proof get` pinned for this ledger in\n"
                "~/.config/sild/ledgers. Exit code 1 when a proof does not hold.",
        .opts = opts,
        .min_args = 1,
        .max_args = -1,
    };
    char *args[argc + 1];
    int code;
    if (!command_parse("proof verify", &cmd, argc, argv, args, &code))
        return code;
    code = EXIT_DONE;
    for (size_t i = 0; args[i] != NULL; i++) {
        int one = verify_one(args[i], &w);
        code = one > code ? one : code;
    }
    return code;
}

static int extract(const char *file, const char *journal, const char *ledger, struct diag *d)
{
    struct buf out;
    struct work *k = work_new(d);
    int rc = k == NULL ? ERR_NOMEM : read_file(k, file, d);
    buf_init(&out, CHAIN_MAX);
    if (rc == 0 && journal != NULL) {
        rc = chain_extract_journal(&k->chain, &out, d);
        rc = rc != 0 ? rc : fs_write(journal, buf_view(&out), 0644, d);
    }
    buf_reset(&out);
    if (rc == 0 && ledger != NULL) {
        chain_extract_ledger(&k->chain, &out);
        rc = fs_write(ledger, buf_view(&out), 0644, d);
    }
    buf_free(&out);
    work_free(k);
    return rc;
}

int cli_proof_extract(int argc, char **argv)
{
    const char *journal = NULL, *ledger = NULL;
    const struct opt opts[] = {
        {"--journal", "FILE", "write the record's proof in its journal's head", &journal, NULL},
        {"--ledger", "FILE", "write the round's proof in the ledger's checkpoint", &ledger, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild proof extract FILE [--journal FILE] [--ledger FILE]",
        .text = "Takes the ends of a proof out as plain .tlog-proof files (C2SP), for other tools.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
    };
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("proof extract", &cmd, argc, argv, args, &code))
        return code;
    int rc = journal == NULL && ledger == NULL
                 ? diag_set(&d, ERR_USAGE, "say --journal FILE, --ledger FILE, or both")
                 : extract(args[0], journal, ledger, &d);
    if (rc == 0)
        return EXIT_DONE;
    return command_fail("proof extract", &d, rc == ERR_SYNTAX ? EXIT_NO : command_exit(rc));
}
