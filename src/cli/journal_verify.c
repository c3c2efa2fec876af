#include "cli/journal_verify.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/opt.h"
#include "cli/globalconf_dir.h"
#include "crypto/tsp.h"
#include "evidence/xades.h"
#include "gateway/mlog_read.h"
#include "proc/command.h"
#include "wire/json.h"
#include "xroad/rest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX (64u << 20)
#define CACHE_ENTRIES 65536
#define RESULT_MAX (64u << 10)

struct tally {
    struct mlog_read *m;
    const struct globalconf *g;
    struct xades_cache *cache;
    struct arena *a, *one; /* of a record; of one message among those of a stamp */
    uint64_t messages, stamps, stamped;
    FILE *list; /* NULL: none is wanted */
    struct diag *d;
};

/* Who signed: the client of a request, the provider of a response. */
static int signer_of(struct tally *t, const struct record_message *r, struct id_client *out)
{
    if (!rest_part_is_response(r->head)) {
        struct rest_request *req = arena_zalloc(t->a, sizeof *req);
        int rc = req == NULL ? ERR_NOMEM : rest_request_parse(t->a, r->head, req, t->d);
        if (rc == 0)
            *out = req->client;
        return rc;
    }
    struct rest_response *resp = arena_zalloc(t->a, sizeof *resp);
    struct id_service service;
    int rc = resp == NULL ? ERR_NOMEM : rest_response_parse(r->head, resp, t->d);
    rc = rc != 0 ? rc : id_service_parse(t->a, resp->service, &service, t->d);
    if (rc == 0)
        *out = service.provider;
    return rc;
}

/* The signature as it was judged when the message passed: at the time of its record. */
static int check_message(struct tally *t, uint64_t seq)
{
    struct record_message r;
    struct id_client sender;
    int rc = mlog_read_message(t->m, seq, t->a, &r, t->d);
    rc = rc != 0 ? rc : signer_of(t, &r, &sender);
    if (rc != 0)
        return rc;
    struct xades_live live = {.signature = r.signature,
                              .result = r.result,
                              .chain = r.chain,
                              .parts = r.has_body ? 2 : 1,
                              .sender = &sender};
    digest_of(DIGEST_SHA512, r.head, &live.part[0]);
    live.part[1] = r.body_hash;
    t->messages++;
    if (t->list != NULL)
        fprintf(t->list, "message %llu %s %.*s\n", (unsigned long long)seq,
                r.response ? "response" : "request", SLICE_ARG(r.id));
    return xades_verify_live(t->g, t->cache, t->a, &live, r.time_ms, t->d);
}

/* The token's signer, its imprint over the tree of digests, and that these are those of the
 * messages. */
static int check_stamp(struct tally *t, const struct journal_record *rec)
{
    struct record_stamp st;
    struct tsp_info info;
    struct digest imprint;
    struct cert **tsas;
    struct buf result;
    int rc = record_stamp_get(t->a, arena_dup(t->a, rec->payload), &st, t->d);
    rc = rc != 0 ? rc : tsp_token_parse(st.token, &info, t->d);
    if (rc != 0)
        return rc;
    buf_init(&result, RESULT_MAX);
    rc = mlog_read_stamp_chain(&st, 0, &result, NULL, t->d);
    digest_of(info.imprint.alg, buf_view(&result), &imprint);
    buf_free(&result);
    if (rc == 0 && !digest_eq(&imprint, &info.imprint))
        rc = diag_set(t->d, ERR_MALFORMED_SIGNATURE, "Timestamp hashes do not match");
    size_t n = globalconf_all_tsas(t->g, &tsas);
    rc = rc != 0 ? rc : tsp_token_verify(st.token, tsas, n, NULL, t->d);
    for (size_t i = 0; rc == 0 && i < st.n; i++) {
        struct record_message r;
        arena_reset(t->one);
        rc = mlog_read_message(t->m, st.entry[i].seq, t->one, &r, t->d);
        if (rc == 0 && !digest_eq(&r.signature_hash, &st.entry[i].hash))
            rc = diag_set(t->d, ERR_MALFORMED_SIGNATURE,
                          "the stamp's digest of message %llu is not its signature's",
                          (unsigned long long)st.entry[i].seq);
        t->stamped++;
        if (t->list != NULL)
            fprintf(t->list, "stamped %llu\n", (unsigned long long)st.entry[i].seq);
    }
    t->stamps++;
    return rc;
}

static int check(void *ctx, const struct journal_record *r)
{
    struct tally *t = ctx;
    int rc = 0;
    arena_reset(t->a);
    if (r->type == RECORD_MESSAGE)
        rc = check_message(t, r->seq);
    else if (r->type == RECORD_STAMP)
        rc = check_stamp(t, r);
    if (rc != 0)
        diag_where(t->d, "record %llu", (unsigned long long)r->seq);
    return rc;
}

/* A second reader looks records up while the first one scans. */
static int check_signatures(const char *dir, const struct globalconf *g, struct tally *t,
                            struct diag *d)
{
    struct mlog_read *scan = NULL;
    t->g = g;
    t->d = d;
    t->a = arena_new(ARENA_MAX);
    t->one = arena_new(ARENA_MAX);
    t->cache = xades_cache_new(CACHE_ENTRIES);
    int rc = t->a == NULL || t->one == NULL || t->cache == NULL
                 ? diag_set(d, ERR_NOMEM, "no memory")
                 : 0;
    rc = rc != 0 ? rc : mlog_read_open(dir, NULL, &t->m, d);
    rc = rc != 0 ? rc : mlog_read_open(dir, NULL, &scan, d);
    if (rc == 0) {
        struct journal *j = mlog_read_journal(scan);
        rc = journal_scan(j, journal_first(j), check, t, d);
    }
    mlog_read_close(scan);
    mlog_read_close(t->m);
    xades_cache_free(t->cache);
    arena_free(t->one);
    arena_free(t->a);
    return rc;
}

static void print_report(const char *dir, const struct journal_report *r, const struct tally *t,
                         bool signatures, bool json)
{
    char root[65];
    hex_print(slice_of(r->root.b, 32), root);
    if (json) {
        struct buf b;
        struct json_out j;
        buf_init(&b, 16384);
        json_begin(&j, &b);
        json_open(&j, '{');
        json_knum(&j, "records", (int64_t)r->records);
        json_knum(&j, "segments", (int64_t)r->segments);
        json_knum(&j, "first", (int64_t)r->first);
        json_knum(&j, "erased_salts", (int64_t)r->erased_salts);
        json_kstr(&j, "root", root);
        if (signatures) {
            json_knum(&j, "messages", (int64_t)t->messages);
            json_knum(&j, "stamps", (int64_t)t->stamps);
            json_knum(&j, "stamped", (int64_t)t->stamped);
        }
        json_close(&j, '}');
        printf("%s\n", buf_cstr(&b));
        buf_free(&b);
        return;
    }
    printf("%s: whole, %llu records in %llu segments, root %s\n", dir,
           (unsigned long long)r->records, (unsigned long long)r->segments, root);
    if (r->erased_salts > 0 || r->first > 0)
        printf("  %llu salts erased, records before %llu dropped\n",
               (unsigned long long)r->erased_salts, (unsigned long long)r->first);
    if (signatures)
        printf("  signatures of %llu messages hold; %llu of them are under %llu time-stamps\n",
               (unsigned long long)t->messages, (unsigned long long)t->stamped,
               (unsigned long long)t->stamps);
}

/* ERR_IO when not all of the list could be written. */
static int close_list(FILE *list, const char *path, struct diag *d)
{
    bool bad = list != NULL && ferror(list) != 0;
    bad = (list != NULL && fclose(list) != 0) || bad;
    return bad ? diag_set(d, ERR_IO, "%s cannot be written", path) : 0;
}

static int is_damaged(const struct diag *d)
{
    int code = command_fail("journal verify", d, EXIT_NO);
    fputs("Next step: keep the folder as it is for an inquiry, and put a copy made before in its "
          "place.\n",
          stderr);
    return code;
}

static int verify(const char *dir, const char *conf_dir, bool signatures, const char *list_path,
                  bool json)
{
    const struct journal_options o = {.read_only = true};
    struct journal *j = NULL;
    struct journal_report report;
    struct cli_globalconf conf = {.g = NULL};
    struct tally t = {.messages = 0};
    struct diag d = {0};
    char beside[2048];
    int rc = journal_open(dir, &o, &j, &d);
    rc = rc != 0 ? rc : journal_verify(j, &report, &d);
    journal_close(j);
    if (rc == ERR_NOT_FOUND || rc == ERR_IO)
        return command_fail("journal verify", &d, EXIT_COULD_NOT);
    if (rc != 0)
        return is_damaged(&d);
    if (signatures) {
        snprintf(beside, sizeof beside, "%s/../globalconf", dir);
        if (cli_globalconf_load(conf_dir != NULL ? conf_dir : beside, &conf, &d) != 0)
            return command_fail("journal verify", &d, EXIT_COULD_NOT);
        if (list_path != NULL && (t.list = fopen(list_path, "we")) == NULL)
            rc = diag_set(&d, ERR_IO, "%s cannot be written: %s", list_path, strerror(errno));
        rc = rc != 0 ? rc : check_signatures(dir, conf.g, &t, &d);
        int closed = close_list(t.list, list_path, &d);
        rc = rc != 0 ? rc : closed;
        cli_globalconf_free(&conf);
    }
    if (rc == ERR_IO)
        return command_fail("journal verify", &d, EXIT_COULD_NOT);
    if (rc != 0)
        return is_damaged(&d);
    print_report(dir, &report, &t, signatures, json);
    return EXIT_DONE;
}

int cli_journal_verify(int argc, char **argv)
{
    const char *signatures = NULL, *conf = NULL, *json = NULL, *list = NULL;
    const struct opt opts[] = {
        {"--signatures", NULL, "a message log: also verify every signature and time-stamp",
         &signatures, NULL},
        {"--globalconf", "DIR", "global configuration for it (default: DIR/../globalconf)", &conf,
         NULL},
        {"--list", "FILE", "--signatures, and what was found, message by message, as lines", &list,
         NULL},
        {"--json", NULL, "as JSON", &json, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild journal verify DIR [--signatures] [--globalconf DIR] [--list FILE] [--json]",
        .text =
            "Reads a whole journal: checksums, order, salts, and the tree's hashes. May run\n"
            "beside its writer. Exit code 1 says what is damaged and where. A line of --list is\n"
            "\"message RECORD request|response ID\" or \"stamped RECORD\".",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
    };
    char *args[argc + 1];
    int code;
    return command_parse("journal verify", &cmd, argc, argv, args, &code)
               ? verify(args[0], conf, signatures != NULL || list != NULL, list, json != NULL)
               : code;
}
