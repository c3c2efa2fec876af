#include "cli/ledger_anchor.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/timeval.h"
#include "crypto/tsp.h"
#include "net/http_fetch.h"
#include "net/tile_source.h"
#include "proc/command.h"
#include "proc/fs.h"
#include "tlog/anchor.h"
#include "tlog/policy.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 10000
#define TOKEN_MAX (64u << 10)
#define PATH_CAP 1500

struct wish {
    const char *policy, *out, *tsa;
};

struct work {
    struct buf note, token;
    struct policy *policy;
    struct policy_verdict verdict;
    struct anchor anchor;
    char text[ANCHOR_TEXT];
};

/* Only what the policy believes is worth printing. */
static int read_checkpoint(struct work *k, const char *where, const char *policy, struct diag *d)
{
    struct tile_source source;
    struct note note;
    struct buf text;
    buf_init(&text, POLICY_MAX);
    int rc = fs_read(policy, &text, d);
    rc = rc != 0 ? rc : policy_parse(buf_view(&text), &k->policy, d);
    buf_free(&text);
    rc = rc != 0 ? rc : tile_source_init(&source, where, TIMEOUT_MS, d);
    rc = rc != 0 ? rc : tile_source_get(&source, "checkpoint", NOTE_MAX, &k->note, d);
    rc = rc != 0 ? rc : note_parse(buf_view(&k->note), &note, d);
    rc = rc != 0 ? rc : policy_check(k->policy, &note, &k->verdict, d);
    if (rc == 0 && k->verdict.time_s == 0)
        rc = diag_set(d, ERR_SIGNATURE_VERIFICATION,
                      "no witness gave the checkpoint a time: an anchor would prove no age");
    if (rc != 0)
        return rc;
    k->anchor = (struct anchor){.size = k->verdict.checkpoint.size,
                                .time_s = k->verdict.time_s,
                                .root = k->verdict.checkpoint.root};
    anchor_origin(k->verdict.checkpoint.origin, k->anchor.origin);
    anchor_print(&k->anchor, k->text);
    return 0;
}

static int stamp(struct work *k, const char *tsa, struct diag *d)
{
    struct digest imprint;
    struct buf request;
    struct slice token;
    struct http_result r = {.status = 0};
    buf_init(&request, 1024);
    digest_of(DIGEST_SHA512, buf_view(&k->note), &imprint);
    int rc = tsp_request_make(&imprint, &request);
    rc = rc != 0
             ? rc
             : http_fetch(tsa, "POST", SLICE_LIT("Content-Type: application/timestamp-query\r\n"),
                          buf_view(&request), TOKEN_MAX, TIMEOUT_MS, &r, d);
    if (rc == 0 && r.status != 200)
        rc = diag_set(d, ERR_MLOG_TS_STATUS, "%s answers with status %d", tsa, r.status);
    rc = rc != 0 ? rc : tsp_response_token(buf_view(&r.body), &imprint, &token, d);
    if (rc == 0)
        buf_slice(&k->token, token);
    http_result_free(&r);
    buf_free(&request);
    return rc;
}

static int keep(const struct work *k, const char *dir, struct diag *d)
{
    char name[TIMEVAL_TEXT], path[PATH_CAP + 64];
    struct buf line;
    timeval_print_iso((int64_t)k->anchor.time_s * 1000, false, name);
    buf_init(&line, ANCHOR_TEXT + 1);
    buf_printf(&line, "%s\n", k->text);
    int rc = fs_mkdirs(dir, 0755, d);
    snprintf(path, sizeof path, "%s/%s.checkpoint", dir, name);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&k->note), 0644, d);
    snprintf(path, sizeof path, "%s/%s.anchor", dir, name);
    rc = rc != 0 ? rc : fs_write(path, buf_view(&line), 0644, d);
    snprintf(path, sizeof path, "%s/%s.tst", dir, name);
    if (rc == 0 && k->token.n > 0)
        rc = fs_write(path, buf_view(&k->token), 0644, d);
    if (rc == 0)
        printf("kept: %s/%s.*\n", dir, name);
    buf_free(&line);
    return rc;
}

static int anchor(const char *where, const struct wish *w, struct diag *d)
{
    struct work *k = calloc(1, sizeof *k);
    char at[TIMEVAL_TEXT];
    if (k == NULL)
        return diag_set(d, ERR_NOMEM, "no memory");
    buf_init(&k->note, NOTE_MAX);
    buf_init(&k->token, TOKEN_MAX);
    int rc = read_checkpoint(k, where, w->policy, d);
    rc = rc == 0 && w->tsa != NULL ? stamp(k, w->tsa, d) : rc;
    if (rc == 0) {
        timeval_print_iso((int64_t)k->anchor.time_s * 1000, false, at);
        printf("%s\n%.*s, %llu rounds, %s\n", k->text, SLICE_ARG(k->verdict.checkpoint.origin),
               (unsigned long long)k->anchor.size, at);
    }
    rc = rc == 0 && w->out != NULL ? keep(k, w->out, d) : rc;
    buf_free(&k->note);
    buf_free(&k->token);
    policy_free(k->policy);
    free(k);
    return rc;
}

int cli_ledger_anchor(int argc, char **argv)
{
    struct wish w = {.policy = NULL};
    const struct opt opts[] = {
        {"--policy", "FILE", "keys of the ledger and its witnesses", &w.policy, NULL},
        {"--out", "DIR", "keep checkpoint, string and token there", &w.out, NULL},
        {"--tsa", "URL", "have the checkpoint time-stamped (RFC 3161, SHA-512) there", &w.tsa,
         NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger anchor URL|DIR --policy FILE [--tsa URL] [--out DIR]",
        .text = "Prints the ledger's checkpoint as a short checked string: for the official\n"
                "gazette, for paper, for another country. Who holds it can prove later the age\n"
                "of all that is under it, without any key: sild proof extend, then sild proof\n"
                "verify --anchor. Meant for once a month; packaging has a timer.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
        .needs = "--policy",
    };
    struct diag d = {0};
    char *args[argc + 1];
    int code;
    if (!command_parse("ledger anchor", &cmd, argc, argv, args, &code))
        return code;
    int rc = anchor(args[0], &w, &d);
    return rc == 0 ? EXIT_DONE : command_fail("ledger anchor", &d, command_exit(rc));
}
