/*
 * The text of answers and proof files. Layout (every part ends in an empty line, but the
 * checkpoint):
 *
 *   sild/proof@v1                 sild/answer@v1
 *   record <base64>               <vkey of the head's key>
 *   salt <base64>                 <signed head>
 *
 *   journal                       [private <base64 salt>
 *   index <i>
 *   <hashes>                      ]{aggregate
 *                                 index <i> of <n>
 *   <the answer's lines           <hashes>
 *    from its second on>
 *                                 <vkey of the aggregator>
 *   [anchor <string>              <signed aggregate note>
 *   index <i>
 *   <hashes>                      }*round
 *                                 index <i> of <n>
 *   ]                             <hashes>
 *
 *                                 <base64 of the record>
 *
 *                                 ledger
 *                                 index <i>
 *                                 <hashes>
 *
 *                                 <signed checkpoint>
 *
 * "leaf <base64>" may stand for record and salt. There is one way to write each thing: what parses
 * prints as the same bytes.
 */
#include "tlog/chain.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/err.h"
#include "tlog/lines.h"

#define ANSWER "sild/answer@v1\n"
#define PROOF "sild/proof@v1\n"
#define ANCHOR "\nanchor "

static int bad(struct diag *d, const char *what, const char *why)
{
    return diag_set(d, ERR_SYNTAX, "no %s: %s", what, why);
}

/* "index <i> of <n>" or "index <i>", then hashes. */
static bool take_path(struct slice *rest, bool with_size, struct chain_path *p)
{
    struct slice line, index;
    if (!lines_take(rest, &line) || !slice_skip(&line, SLICE_LIT("index ")))
        return false;
    p->of = 0;
    index = line;
    if (with_size && (!slice_until(&line, ' ', &index) || !slice_skip(&line, SLICE_LIT(" of ")) ||
                      !lines_number(line, &p->of)))
        return false;
    return lines_number(index, &p->index) && lines_take_hashes(rest, p->h, &p->n);
}

static void put_path(struct buf *b, const struct chain_path *p, bool with_size)
{
    buf_printf(b, "index %" PRIu64, p->index);
    if (with_size)
        buf_printf(b, " of %" PRIu64, p->of);
    buf_byte(b, '\n');
    lines_put_hashes(b, p->h, p->n);
}

/* A key's line, a text without empty lines, an empty line, one signature line; an empty line. */
static bool take_entry(struct slice *rest, struct slice *entry)
{
    struct slice all = *rest, line;
    size_t end = slice_find_slice(all, SLICE_LIT("\n\n"));
    if (end == SIZE_MAX)
        return false;
    *rest = slice_from(all, end + 2);
    if (!lines_take(rest, &line))
        return false;
    *entry = slice_of(all.p, (size_t)(rest->p - all.p));
    return slice_skip(rest, SLICE_LIT("\n"));
}

static void put_entry(struct buf *b, struct slice entry)
{
    buf_slice(b, entry);
    buf_byte(b, '\n');
}

static int take_aggregates(struct slice *rest, struct chain_answer *out, struct diag *d)
{
    while (slice_skip(rest, SLICE_LIT("aggregate\n"))) {
        if (out->aggregates == CHAIN_AGGREGATES)
            return diag_set(d, ERR_TOO_LARGE, "more than %d aggregators", CHAIN_AGGREGATES);
        struct chain_aggregate *a = &out->aggregate[out->aggregates++];
        if (!take_path(rest, true, &a->path) || !take_entry(rest, &a->entry))
            return bad(d, "answer", "an aggregate is an index, hashes and a signed note");
    }
    return 0;
}

/* All of an answer but its first line. */
static int take_answer(struct slice rest, struct chain_answer *out, struct diag *d)
{
    if (!take_entry(&rest, &out->entry))
        return bad(d, "answer", "it has no entry");
    out->is_private = slice_starts(rest, "private ");
    if (out->is_private &&
        (!lines_take_bytes(&rest, SLICE_LIT("private "), out->salt, sizeof out->salt) ||
         !slice_skip(&rest, SLICE_LIT("\n"))))
        return bad(d, "answer", "a salt is the base64 of 32 bytes");
    int rc = take_aggregates(&rest, out, d);
    if (rc != 0)
        return rc;
    if (!slice_skip(&rest, SLICE_LIT("round\n")) || !take_path(&rest, true, &out->round) ||
        !lines_take_bytes(&rest, SLICE_LIT(""), out->record, ROUND_RECORD) ||
        !slice_skip(&rest, SLICE_LIT("\n")))
        return bad(d, "answer", "a round is an index, hashes and a record");
    if (!slice_skip(&rest, SLICE_LIT("ledger\n")) || !take_path(&rest, false, &out->ledger))
        return bad(d, "answer", "the ledger's part is an index, hashes and a checkpoint");
    out->checkpoint = rest;
    return 0;
}

static void put_answer(const struct chain_answer *a, struct buf *out)
{
    put_entry(out, a->entry);
    if (a->is_private) {
        lines_put_bytes(out, "private ", slice_of(a->salt, sizeof a->salt));
        buf_byte(out, '\n');
    }
    for (size_t i = 0; i < a->aggregates; i++) {
        buf_str(out, "aggregate\n");
        put_path(out, &a->aggregate[i].path, true);
        put_entry(out, a->aggregate[i].entry);
    }
    buf_str(out, "round\n");
    put_path(out, &a->round, true);
    lines_put_bytes(out, "", slice_of(a->record, sizeof a->record));
    buf_str(out, "\nledger\n");
    put_path(out, &a->ledger, false);
    buf_slice(out, a->checkpoint);
}

int chain_answer_parse(struct slice text, struct chain_answer *out, struct diag *d)
{
    *out = (struct chain_answer){0};
    if (text.n > CHAIN_ANSWER_MAX)
        return diag_set(d, ERR_TOO_LARGE, "an answer of %zu bytes", text.n);
    if (!slice_skip(&text, SLICE_LIT(ANSWER)))
        return bad(d, "answer", "the first line is another");
    return take_answer(text, out, d);
}

void chain_answer_print(const struct chain_answer *a, struct buf *out)
{
    buf_str(out, ANSWER);
    put_answer(a, out);
}

int chain_answer_extend(struct slice entry, const uint8_t *salt, const struct chain_path *path,
                        struct slice upper, struct buf *out, struct diag *d)
{
    struct chain_answer a;
    int rc = chain_answer_parse(upper, &a, d);
    if (rc != 0)
        return rc;
    if (a.is_private || a.aggregates == CHAIN_AGGREGATES)
        return bad(d, "answer to an aggregator", "it is private, or there are too many above");
    buf_str(out, ANSWER);
    put_entry(out, entry);
    if (salt != NULL) {
        lines_put_bytes(out, "private ", slice_of(salt, ENTRY_SALT));
        buf_byte(out, '\n');
    }
    buf_str(out, "aggregate\n");
    put_path(out, path, true);
    buf_slice(out, slice_from(upper, sizeof ANSWER - 1)); /* begins with the aggregate's entry */
    return 0;
}

/* --- the proof file --- */

int chain_record(const struct chain *c, struct buf *out)
{
    return c->has_record ? base64_decode(out, c->record, false) : ERR_NOT_FOUND;
}

int chain_leaf(const uint8_t salt[ENTRY_SALT], struct slice record, struct merkle_hash *out)
{
    struct buf b;
    buf_init(&b, CHAIN_MAX);
    buf_add(&b, salt, ENTRY_SALT);
    buf_slice(&b, record);
    int rc = b.failed ? ERR_TOO_LARGE : 0;
    if (rc == 0)
        merkle_leaf(buf_view(&b), out);
    buf_wipe(&b);
    return rc;
}

static int take_record(struct slice *rest, struct chain *out, struct diag *d)
{
    if (slice_starts(*rest, "leaf ")) {
        if (lines_take_bytes(rest, SLICE_LIT("leaf "), out->leaf.b, MERKLE_HASH))
            return 0;
        return bad(d, "proof", "a leaf is the base64 of 32 bytes");
    }
    struct buf record;
    out->has_record = true;
    if (!slice_skip(rest, SLICE_LIT("record ")) || !lines_take(rest, &out->record) ||
        !lines_take_bytes(rest, SLICE_LIT("salt "), out->salt, sizeof out->salt))
        return bad(d, "proof", "a record with its salt, or a leaf, is needed");
    buf_init(&record, CHAIN_MAX);
    int rc = chain_record(out, &record);
    if (rc == 0 && record.n == 0)
        rc = ERR_SYNTAX;
    if (rc != 0)
        diag_set(d, rc, "the record is not base64");
    else if ((rc = chain_leaf(out->salt, buf_view(&record), &out->leaf)) != 0)
        diag_set(d, rc, "the record is too large");
    buf_wipe(&record);
    return rc;
}

/* What stands behind the checkpoint, which ends where this begins. */
static int take_anchor(struct chain *out, struct diag *d)
{
    struct slice *cp = &out->answer.checkpoint;
    size_t at = slice_find_slice(*cp, SLICE_LIT("\n" ANCHOR));
    if (at == SIZE_MAX)
        return 0;
    struct slice rest =
        slice_from(*cp, at + sizeof ANCHOR); /* its length, and the line end before */
    *cp = slice_sub(*cp, 0, at + 1);
    out->has_anchor = true;
    if (!lines_take(&rest, &out->anchor_text) || !take_path(&rest, false, &out->anchor_path) ||
        rest.n > 0)
        return bad(d, "proof", "an anchor is a string, an index and hashes, and then the end");
    return anchor_parse(out->anchor_text, &out->anchor, d);
}

int chain_parse(struct slice file, struct chain *out, struct diag *d)
{
    struct slice rest = file;
    *out = (struct chain){0};
    if (file.n > CHAIN_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a proof of more than %u bytes", CHAIN_MAX);
    if (!slice_skip(&rest, SLICE_LIT(PROOF)))
        return bad(d, "proof", "the first line is another");
    int rc = take_record(&rest, out, d);
    if (rc != 0)
        return rc;
    if (!slice_skip(&rest, SLICE_LIT("\njournal\n")) || !take_path(&rest, false, &out->journal))
        return bad(d, "proof", "the journal's part is an index and hashes");
    rc = take_answer(rest, &out->answer, d);
    return rc != 0 ? rc : take_anchor(out, d);
}

void chain_print(const struct chain *c, struct buf *out)
{
    buf_str(out, PROOF);
    if (c->has_record) {
        buf_str(out, "record ");
        buf_slice(out, c->record);
        lines_put_bytes(out, "\nsalt ", slice_of(c->salt, sizeof c->salt));
    } else {
        lines_put_bytes(out, "leaf ", slice_of(c->leaf.b, MERKLE_HASH));
    }
    buf_str(out, "\njournal\n");
    put_path(out, &c->journal, false);
    put_answer(&c->answer, out);
    if (c->has_anchor) {
        buf_str(out, ANCHOR);
        buf_slice(out, c->anchor_text);
        buf_byte(out, '\n');
        put_path(out, &c->anchor_path, false);
    }
}
