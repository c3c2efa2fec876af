/*
 * Proof files, answers and anchors: what parses prints as the same bytes, and what is believed
 * leads to a checkpoint that was signed. The keys of the corpus are in proof.policy.
 */
#include "base/err.h"
#include "proc/fs.h"
#include "tlog/chain.h"
#include "tlog/proof.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy *policy;

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct buf b;
    (void)argc;
    (void)argv;
    buf_init(&b, POLICY_MAX);
    must(fs_read(FUZZ_DIR "/proof.policy", &b, NULL) == 0);
    must(policy_parse(buf_view(&b), &policy, NULL) == 0);
    buf_free(&b);
    return 0;
}

static void same(struct buf *b, struct slice text)
{
    must(slice_eq(buf_view(b), text));
    buf_reset(b);
}

static void try_plain(struct slice text, struct buf *b)
{
    static struct proof p;
    struct policy_verdict v;
    struct merkle_hash leaf;
    struct diag d = {0};
    if (proof_parse(text, &p, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    proof_print(&p, b);
    same(b, text);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t one = (uint8_t)i;
        merkle_leaf(slice_of(&one, 1), &leaf);
        /* Of the trees of the corpus leaf i is the byte i. */
        if (proof_verify(&p, &leaf, policy, &v, &d) == 0)
            must(p.index == i && i < v.checkpoint.size);
    }
}

static void check_verdict(const struct chain *c, const struct chain_verdict *v)
{
    must(v->by_policy || v->by_anchor);
    must(v->index < v->head_size && v->round < v->ledger_size && v->round_entries > 0);
    must(v->aggregators == c->answer.aggregates && v->origin.n > 0);
    must(!v->by_policy || v->policy.checkpoint.size == v->ledger_size);
}

static void try_chain(struct slice text, struct buf *b)
{
    static struct chain c;
    struct chain_verdict v;
    struct merkle_hash leaf;
    struct diag d = {0};
    if (chain_parse(text, &c, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    chain_print(&c, b);
    same(b, text);
    if (chain_record(&c, b) == 0) {
        must(chain_leaf(c.salt, buf_view(b), &leaf) == 0);
        must(memcmp(&leaf, &c.leaf, sizeof leaf) == 0);
        buf_reset(b);
    }
    if (chain_verify(&c, policy, NULL, &v, &d) == 0)
        check_verdict(&c, &v);
    if (chain_verify(&c, NULL, c.has_anchor ? &c.anchor : NULL, &v, &d) == 0) {
        must(c.has_anchor);
        check_verdict(&c, &v);
    }
    chain_extract_ledger(&c, b);
    struct buf other;
    buf_init(&other, CHAIN_MAX);
    try_plain(buf_view(b), &other);
    buf_free(&other);
    buf_reset(b);
    if (chain_extract_journal(&c, b, &d) == 0)
        must(b->n > 0);
    buf_reset(b);
}

static void try_answer(struct slice text, struct buf *b)
{
    static struct chain_answer a;
    struct chain_verdict v;
    struct diag d = {0};
    if (chain_answer_parse(text, &a, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    chain_answer_print(&a, b);
    same(b, text);
    if (chain_answer_verify(&a, policy, &v, &d) == 0)
        must(v.by_policy && v.round < v.ledger_size);
    if (chain_answer_extend(a.entry, NULL, &a.round, text, b, &d) == 0) {
        static struct chain_answer longer;
        must(chain_answer_parse(buf_view(b), &longer, &d) == 0);
        must(longer.aggregates == a.aggregates + 1 && slice_eq(longer.entry, a.entry));
    }
    buf_reset(b);
}

static void try_anchor(struct slice text)
{
    struct anchor a, again;
    char out[ANCHOR_TEXT];
    struct diag d = {0};
    if (anchor_read(text, &a, &d) != 0) {
        must(d.text[0] != 0);
        return;
    }
    anchor_print(&a, out);
    must(anchor_parse(slice_str(out), &again, &d) == 0 && again.size == a.size);
    must(anchor_parse(text, &again, &d) != 0 || slice_eq_str(text, out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf b;
    struct slice text = slice_of(data, size);
    buf_init(&b, CHAIN_MAX);
    try_plain(text, &b);
    try_chain(text, &b);
    try_answer(text, &b);
    try_anchor(text);
    buf_free(&b);
    return 0;
}
