#include "submit/logged_conf.h"
#include "base/base64.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "journal/journal_record.h"
#include "tlog/chain.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "sild/configuration@v1"
#define HASH_TEXT BASE64_LEN(32)

void logged_conf_begin(struct buf *record)
{
    buf_str(record, HEAD "\n");
}

static void hash_text(struct slice directory, char out[HASH_TEXT + 1])
{
    struct digest hash;
    digest_of(DIGEST_SHA256, directory, &hash);
    base64_print(digest_slice(&hash), out);
}

void logged_conf_add(struct buf *record, const char *name, struct slice directory)
{
    char hash[HASH_TEXT + 1];
    hash_text(directory, hash);
    buf_printf(record, "%s %s\n", hash, name);
}

/* Does the record's text name the directory? */
static bool names(struct slice text, struct slice directory)
{
    char hash[HASH_TEXT + 1];
    struct slice line;
    hash_text(directory, hash);
    if (!slice_next(&text, '\n', &line) || !slice_eq_str(line, HEAD))
        return false;
    while (slice_next(&text, '\n', &line))
        if (slice_starts(line, hash) && line.n > HASH_TEXT && line.p[HASH_TEXT] == ' ')
            return true;
    return false;
}

static int check_record(const struct chain *c, struct slice directory, struct diag *d)
{
    struct journal_record r;
    struct buf raw;
    uint64_t id;
    buf_init(&raw, LOGGED_CONF_PROOF_MAX);
    int rc = !c->has_record
                 ? diag_set(d, ERR_INCORRECT_VALIDATION_INFO, "the proof holds no record")
                 : chain_record(c, &raw);
    rc = rc != 0 ? rc : journal_record_get(buf_view(&raw), &r, &id, d);
    if (rc == 0 && r.type != LOGGED_CONF_RECORD)
        rc = diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                      "the proof is of a record that is about no configuration");
    if (rc == 0 && !names(r.payload, directory))
        rc = diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                      "the proof is of another configuration than the one that is served");
    buf_free(&raw);
    return rc;
}

/* Whose journal is it? */
static int check_origin(struct slice origin, struct slice instance, struct diag *d)
{
    struct slice rest = origin;
    if (slice_skip(&rest, instance) && slice_skip(&rest, SLICE_LIT("/authority/")))
        return 0;
    return diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                    "the proof is of the journal %.*s, which is not the authority's",
                    SLICE_ARG(origin));
}

int logged_conf_verify(struct slice directory, struct slice proof, const struct policy *policy,
                       struct slice instance, struct diag *d)
{
    struct chain *c = calloc(1, sizeof *c);
    struct chain_verdict *v = calloc(1, sizeof *v);
    int rc = c == NULL || v == NULL ? diag_set(d, ERR_NOMEM, "no memory for a proof")
             : proof.n > LOGGED_CONF_PROOF_MAX
                 ? diag_set(d, ERR_TOO_LARGE, "the proof is too large")
                 : chain_parse(proof, c, d);
    rc = rc != 0 ? rc : chain_verify(c, policy, NULL, v, d);
    rc = rc != 0 ? rc : check_origin(v->origin, instance, d);
    rc = rc != 0 ? rc : check_record(c, directory, d);
    free(c);
    free(v);
    return rc;
}
