/*
 * The verifier. It begins at a leaf and goes up; at each step a path of hashes must lead from the
 * thing below to a root that stands in a signed text, and that text is the thing below of the next
 * step. What a size or root is, is never taken from the file's own numbers but from the signed text
 * (a path alone does not say how large its tree is).
 *
 *   record and salt          -> leaf of the journal
 *   leaf                     -> root in the journal's head, signed by the journal
 *   head's entry             -> root in an aggregate note, signed by the aggregator   (0 to 8
 * times) entry                    -> root in the round's record record                   -> root in
 * the checkpoint, believed by the policy or named by an anchor
 *
 * Signatures of journal and aggregators are by keys that the entries themselves carry: they say
 * that whoever held that key wrote this, and the ledger says since when it can be shown. Which key
 * is whose journal's, is the ledger's list to say (its `journals` file), not this proof's.
 */
#include "tlog/chain.h"

#include <inttypes.h>

#include "base/err.h"
#include "tlog/proof.h"

static int climb(const struct merkle_hash *from, const struct chain_path *p, uint64_t size,
                 const struct merkle_hash *root, const char *what, struct diag *d)
{
    if (merkle_verify_inclusion(from, p->index, size, p->h, p->n, root) == 0)
        return 0;
    diag_set(d, ERR_INVALID_HASH_CHAIN,
             "%s: the hashes do not lead from index %" PRIu64 " to the root of %" PRIu64 " leaves",
             what, p->index, size);
    diag_rule(d, "RFC 9162 2.1.3.2");
    return ERR_INVALID_HASH_CHAIN;
}

/* A number that the file repeats must be the signed one. */
static int agree(uint64_t here, uint64_t is, const char *what, struct diag *d)
{
    return here == is ? 0
                      : diag_set(d, ERR_INVALID_HASH_CHAIN,
                                 "%s: the proof says %" PRIu64 ", what was signed %" PRIu64, what,
                                 here, is);
}

static int open_entry(struct slice bytes, enum entry_kind kind, struct entry *e, struct diag *d)
{
    int rc = entry_parse(bytes, e, d);
    if (rc == 0 && e->kind != kind)
        rc = diag_set(d, ERR_SYNTAX, "an entry of another kind than its place has");
    return rc == 0 ? entry_verify(e, NULL, d) : rc;
}

/* From the first entry through the aggregators to the leaf of the round: *leaf. */
static int verify_aggregates(const struct chain_answer *a, struct merkle_hash *leaf,
                             struct chain_verdict *out, struct diag *d)
{
    for (size_t i = 0; i < a->aggregates; i++) {
        const struct chain_aggregate *step = &a->aggregate[i];
        struct entry e;
        int rc = open_entry(step->entry, ENTRY_AGGREGATE, &e, d);
        if (rc == 0)
            rc = agree(step->path.of, e.aggregate.entries, "entries of an aggregate", d);
        if (rc == 0)
            rc = climb(leaf, &step->path, e.aggregate.entries, &e.aggregate.root, "aggregate", d);
        if (rc != 0)
            return rc;
        out->aggregator[out->aggregators++] = e.name;
        merkle_leaf(step->entry, leaf);
    }
    return 0;
}

/* What stands in the round: the entry, or for a private journal the commitment to it. */
static int leaf_of_entry(const struct chain_answer *a, struct merkle_hash *leaf)
{
    if (!a->is_private) {
        merkle_leaf(a->entry, leaf);
        return 0;
    }
    struct buf b;
    buf_init(&b, ENTRY_MAX);
    entry_commit(a->salt, a->entry, &b);
    int rc = b.failed ? ERR_NOMEM : 0;
    if (rc == 0)
        merkle_leaf(buf_view(&b), leaf);
    buf_free(&b);
    return rc;
}

/* From *leaf, which stands in the round, to the ledger's leaf: *leaf again. */
static int verify_round(const struct chain_answer *a, struct merkle_hash *leaf,
                        struct chain_verdict *out, struct diag *d)
{
    struct round_record r;
    int rc = round_record_parse(slice_of(a->record, ROUND_RECORD), &r, d);
    if (rc == 0)
        rc = agree(a->round.of, r.entries, "entries of the round", d);
    if (rc == 0)
        rc = climb(leaf, &a->round, r.entries, &r.root, "round", d);
    if (rc == 0)
        rc = agree(a->ledger.index, r.round, "number of the round", d);
    if (rc != 0)
        return rc;
    out->round = r.round;
    out->round_time_ms = r.time_ms;
    out->round_entries = r.entries;
    out->round_heads = r.heads;
    merkle_leaf(slice_of(a->record, ROUND_RECORD), leaf);
    return 0;
}

/* The checkpoint: believed by the policy, or only read when an anchor is to stand for it. */
static int verify_ledger(const struct chain_answer *a, const struct merkle_hash *leaf,
                         const struct policy *policy, struct checkpoint *cp,
                         struct chain_verdict *out, struct diag *d)
{
    struct note n;
    int rc = note_parse(a->checkpoint, &n, d);
    if (rc == 0 && policy != NULL) {
        rc = policy_check(policy, &n, &out->policy, d);
        *cp = out->policy.checkpoint;
        out->by_policy = rc == 0;
    } else if (rc == 0) {
        rc = checkpoint_parse(n.text, cp, d);
    }
    if (rc != 0)
        return rc;
    out->log = cp->origin;
    out->ledger_size = cp->size;
    return climb(leaf, &a->ledger, cp->size, &cp->root, "ledger", d);
}

static int verify_answer(const struct chain_answer *a, const struct entry *first,
                         const struct policy *policy, struct merkle_hash *leaf,
                         struct checkpoint *cp, struct chain_verdict *out, struct diag *d)
{
    out->origin = first->name;
    out->is_private = a->is_private;
    if (a->is_private && first->kind != ENTRY_HEAD)
        return diag_set(d, ERR_SYNTAX, "only a journal's head can be private");
    int rc = leaf_of_entry(a, leaf);
    if (rc == 0)
        rc = verify_aggregates(a, leaf, out, d);
    if (rc == 0)
        rc = verify_round(a, leaf, out, d);
    return rc != 0 ? rc : verify_ledger(a, leaf, policy, cp, out, d);
}

static bool same_anchor(const struct anchor *a, const struct anchor *b)
{
    return a->size == b->size && a->time_s == b->time_s &&
           memcmp(&a->root, &b->root, sizeof a->root) == 0 &&
           memcmp(a->origin, b->origin, sizeof a->origin) == 0;
}

/* An anchor in the file must hold by itself; the one in the reader's hand must be that one, or be
 * the file's checkpoint. */
static int verify_anchor(const struct chain *c, const struct merkle_hash *round,
                         const struct checkpoint *cp, const struct anchor *held,
                         struct chain_verdict *out, struct diag *d)
{
    uint8_t origin[4];
    anchor_origin(cp->origin, origin);
    if (c->has_anchor) {
        int rc = agree(c->anchor_path.index, out->round, "number of the round", d);
        if (rc == 0)
            rc = climb(round, &c->anchor_path, c->anchor.size, &c->anchor.root, "anchor", d);
        if (rc != 0)
            return rc;
        if (memcmp(c->anchor.origin, origin, sizeof origin) != 0)
            return diag_set(d, ERR_INVALID_HASH_CHAIN, "the anchor is another ledger's");
    }
    if (held == NULL)
        return 0;
    bool is_checkpoint = held->size == cp->size &&
                         memcmp(&held->root, &cp->root, sizeof cp->root) == 0 &&
                         memcmp(held->origin, origin, sizeof origin) == 0;
    if (!is_checkpoint && !(c->has_anchor && same_anchor(held, &c->anchor)))
        return diag_set(d, ERR_INVALID_HASH_CHAIN, "the proof does not lead to this anchor");
    out->by_anchor = true;
    out->anchor = *held;
    return 0;
}

int chain_verify(const struct chain *c, const struct policy *policy, const struct anchor *anchor,
                 struct chain_verdict *out, struct diag *d)
{
    struct entry head;
    struct merkle_hash leaf;
    struct checkpoint cp;
    *out = (struct chain_verdict){0};
    if (policy == NULL && anchor == NULL)
        return diag_set(d, ERR_USAGE, "a policy or an anchor is needed");
    int rc = open_entry(c->answer.entry, ENTRY_HEAD, &head, d);
    if (rc == 0)
        rc = climb(&c->leaf, &c->journal, head.head.size, &head.head.root, "journal", d);
    if (rc != 0)
        return rc;
    out->head_size = head.head.size;
    out->index = c->journal.index;
    rc = verify_answer(&c->answer, &head, policy, &leaf, &cp, out, d);
    return rc != 0 ? rc : verify_anchor(c, &leaf, &cp, anchor, out, d);
}

int chain_answer_verify(const struct chain_answer *a, const struct policy *policy,
                        struct chain_verdict *out, struct diag *d)
{
    struct entry first;
    struct merkle_hash leaf;
    struct checkpoint cp;
    *out = (struct chain_verdict){0};
    int rc = entry_parse(a->entry, &first, d);
    if (rc == 0)
        rc = entry_verify(&first, NULL, d);
    if (rc != 0)
        return rc;
    out->head_size = first.kind == ENTRY_HEAD ? first.head.size : 0;
    return verify_answer(a, &first, policy, &leaf, &cp, out, d);
}

/* --- its ends as plain proof files --- */

static void extract(const struct chain_path *p, struct slice checkpoint, struct buf *out)
{
    struct proof proof = {.index = p->index, .n = p->n, .checkpoint = checkpoint};
    memcpy(proof.path, p->h, p->n * sizeof p->h[0]);
    proof_print(&proof, out);
}

int chain_extract_journal(const struct chain *c, struct buf *out, struct diag *d)
{
    struct entry head;
    int rc = entry_parse(c->answer.entry, &head, d);
    if (rc == 0)
        extract(&c->journal, head.note, out);
    return rc;
}

void chain_extract_ledger(const struct chain *c, struct buf *out)
{
    extract(&c->answer.ledger, c->answer.checkpoint, out);
}
