#include "cli/proof_get.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/pick.h"
#include "cli/proof_policy.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "submit/prove.h"
#include "tlog/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_S_MAX 3600
#define LOOK_MS 100

struct wish {
    struct pick_wish message;
    const char *journal, *record, *out, *wait, *hash_only;
};

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* One look: both are read as they are now. */
static int look(const char *journal, const char *beside, uint64_t seq, struct buf *out,
                struct diag *d)
{
    const struct journal_options o = {.read_only = true};
    struct journal *j = NULL;
    struct heads *h = NULL;
    int rc = journal_open(journal, &o, &j, d);
    if (rc == 0 && seq >= journal_durable(j))
        rc = diag_set(d, ERR_MLOG_RECORD_NOT_FOUND, "%s has no record %llu", journal,
                      (unsigned long long)seq);
    rc = rc != 0 ? rc : heads_open(beside, true, &h, d);
    rc = rc != 0 ? rc : prove_record(j, h, seq, out, d);
    heads_close(h);
    journal_close(j);
    return rc;
}

int proof_get_record(const char *journal, uint64_t seq, int64_t wait_ms, struct buf *out,
                     struct diag *d)
{
    char beside[PICK_PATH + sizeof "/../" HEADS_FOLDER];
    snprintf(beside, sizeof beside, "%s/../" HEADS_FOLDER, journal);
    for (;; wait_ms -= LOOK_MS, sleep_ms(LOOK_MS)) {
        struct diag own = {0};
        buf_reset(out);
        int rc = look(journal, beside, seq, out, &own);
        if (rc == 0)
            return 0;
        if (rc != ERR_NOT_FOUND || wait_ms <= 0) {
            if (d != NULL)
                *d = own;
            return rc;
        }
    }
}

/* Without the record only its hash is shown: for who may not see what it says. */
static int without_record(struct buf *file, struct diag *d)
{
    struct chain *c = calloc(1, sizeof *c);
    struct buf out;
    if (c == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    buf_init(&out, CHAIN_MAX);
    int rc = chain_parse(buf_view(file), c, d);
    if (rc == 0) {
        c->has_record = false;
        chain_print(c, &out);
        buf_free(file);
        *file = out;
    } else {
        buf_free(&out);
    }
    free(c);
    return rc;
}

/* What the reader will need besides the file: the keys. Never a failure of the command. */
static void pin(struct slice file, const char *dir)
{
    char from[PROOF_POLICY_PATH], path[PROOF_POLICY_PATH];
    struct chain *c = calloc(1, sizeof *c);
    struct note note;
    struct checkpoint cp;
    struct diag d = {0};
    bool pinned = false;
    snprintf(from, sizeof from, "%s/ledger/policy", dir);
    if (c != NULL && fs_exists(from) && chain_parse(file, c, &d) == 0 &&
        note_parse(c->answer.checkpoint, &note, &d) == 0 &&
        checkpoint_parse(note.text, &cp, &d) == 0) {
        if (proof_policy_pin(cp.origin, from, path, &pinned, &d) != 0)
            fprintf(stderr, "note: %s\n", d.text);
        else if (pinned)
            printf("The keys of the ledger %.*s and its witnesses are kept in %s\n",
                   SLICE_ARG(cp.origin), path);
    }
    free(c);
}

static int which(const struct wish *w, struct pick *p, struct diag *d)
{
    if (w->record == NULL)
        return pick_message(&w->message, p, d);
    const char *journal = w->journal != NULL ? w->journal : w->message.log;
    if (!slice_u64(slice_str(w->record), &p->seq))
        return diag_set(d, ERR_USAGE, "--record wants a record's number in its journal");
    if (journal == NULL)
        return diag_set(d, ERR_USAGE, "--record wants --journal DIR");
    snprintf(p->log, sizeof p->log, "%s", journal);
    return 0;
}

static int get(const struct wish *w, struct diag *d)
{
    struct pick p = {.found = false};
    struct buf file;
    char name[64];
    uint64_t wait_s = 5;
    if (w->wait != NULL && (!slice_u64(slice_str(w->wait), &wait_s) || wait_s > WAIT_S_MAX))
        return diag_set(d, ERR_USAGE, "--wait wants seconds, at most %d", WAIT_S_MAX);
    int rc = which(w, &p, d);
    if (rc != 0)
        return rc;
    buf_init(&file, CHAIN_MAX);
    rc = proof_get_record(p.log, p.seq, (int64_t)wait_s * 1000, &file, d);
    rc = rc == 0 && w->hash_only != NULL ? without_record(&file, d) : rc;
    snprintf(name, sizeof name, "record-%llu.proof", (unsigned long long)p.seq);
    const char *to = w->out != NULL ? w->out : name;
    rc = rc != 0 ? rc : fs_write(to, buf_view(&file), 0600, d); /* personal data may be in it */
    if (rc == 0) {
        printf("%s: record %llu of %s, %zu bytes\n", to, (unsigned long long)p.seq, p.log, file.n);
        pin(buf_view(&file), w->message.dir);
    }
    buf_free(&file);
    return rc;
}

int cli_proof_get(int argc, char **argv)
{
    struct wish w = {.message.dir = "./country.d"};
    const char *last = NULL;
    const struct opt opts[] = {
        {"--last", NULL, "the newest message (of the consumer's side, the response)", &last, NULL},
        {"--id", "ID", "the message with this X-Road-Id", &w.message.id, NULL},
        {"--record", "N", "record N of the journal of --journal", &w.record, NULL},
        {"--request", NULL, "the request instead of the response", &w.message.request, NULL},
        {"--side", "SIDE", "consumer (default) or provider", &w.message.side, NULL},
        {"--out", "FILE", "where to write (record-N.proof)", &w.out, NULL},
        {"--hash-only", NULL, "leave out what the record says, show its hash", &w.hash_only, NULL},
        {"--wait", "S", "how long to wait for the ledger (5)", &w.wait, NULL},
        {"--dir", "DIR", "the country (./country.d)", &w.message.dir, NULL},
        {"--gateway", "NAME", "only this gateway of it", &w.message.gateway, NULL},
        {"--log", "DIR", "a message log's folder, of any gateway", &w.message.log, NULL},
        {"--journal", "DIR", "any journal's folder, with --record", &w.journal, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild proof get --last|--id ID|--record N [--out FILE]",
        .text =
            "Writes one file that proves that a record was in its journal, unchanged, and since\n"
            "when: sild proof verify reads it anywhere, offline. Nothing needs to run when the\n"
            "ledger has accepted a head over the record. The file holds the record itself\n"
            "unless --hash-only is given.",
        .opts = opts,
    };
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("proof get", &cmd, argc, argv, args, &code))
        return code;
    int rc = (last != NULL) + (w.message.id != NULL) + (w.record != NULL) == 1
                 ? get(&w, &d)
                 : diag_set(&d, ERR_USAGE, "say one of --last, --id ID, --record N");
    if (rc == 0)
        return EXIT_DONE;
    bool no = rc == ERR_MLOG_RECORD_NOT_FOUND || rc == ERR_NOT_FOUND;
    return command_fail("proof get", &d, no ? EXIT_NO : command_exit(rc));
}
