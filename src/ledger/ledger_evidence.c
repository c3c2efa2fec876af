/*
 * Refused heads, kept with what they contradict: evidence/<first 32 hex digits of the SHA-256 of
 * the refused entry>, so that one that is sent again makes no second file. Text:
 *
 *     sild/evidence@v1
 *     <fork|rollback> <time ms> <why>
 *     (empty line)
 *     accepted
 *     <entry of the last accepted head>
 *     refused
 *     <entry of the refused one>
 *     [old <size>
 *     <hashes of the proof that came with it, base64>]
 */
#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "ledger/ledger_rounds_int.h"
#include "proc/report.h"

#include <stdio.h>

#define EVIDENCE_FILES 1000
#define EVIDENCE_MAX (16u << 10)
#define NAME_BYTES 16

static void print_evidence(const char *kind, const struct ledger_known *k,
                           const struct ledger_submission *s, int64_t now_ms,
                           const struct diag *why, struct buf *out)
{
    buf_printf(out, "sild/evidence@v1\n%s %lld %s\n\naccepted\n", kind, (long long)now_ms,
               why->text);
    buf_slice(out, k->entry);
    buf_str(out, "refused\n");
    buf_slice(out, s->entry);
    buf_printf(out, "old %llu\n", (unsigned long long)s->old);
    for (size_t i = 0; i < s->n; i++) {
        base64_append(out, slice_of(s->proof[i].b, MERKLE_HASH));
        buf_byte(out, '\n');
    }
}

void ledger_rounds_evidence(struct ledger_rounds *r, const char *kind, const struct ledger_known *k,
                            const struct ledger_submission *s, int64_t now_ms,
                            const struct diag *why)
{
    char name[2 * NAME_BYTES + 1], path[LEDGER_PATH_MAX];
    struct digest sum;
    struct diag d = {0};
    struct buf there, text;
    digest_of(DIGEST_SHA256, s->entry, &sum);
    hex_print(slice_of(sum.b, NAME_BYTES), name);
    snprintf(path, sizeof path, "evidence/%.32s", name);
    buf_init(&there, EVIDENCE_MAX);
    buf_init(&text, EVIDENCE_MAX);
    int rc = ledger_store_read(r->store, path, &there, NULL);
    if (rc != 0) {
        report(REPORT_ERROR, kind, "%.*s: %s; both heads are kept in %s", SLICE_ARG(k->name),
               why->text, path);
        print_evidence(kind, k, s, now_ms, why, &text);
        if (r->evidence >= EVIDENCE_FILES || text.failed)
            rc = diag_set(&d, ERR_TOO_LARGE, "there is evidence enough: this is not kept");
        else
            rc = ledger_store_replace(r->store, path, buf_view(&text), &d);
        if (rc == 0)
            r->evidence++;
        else
            report_diag(REPORT_ERROR, "evidence", NULL, &d);
    }
    buf_free(&there);
    buf_free(&text);
}
