/*
 * The chain from a journal's record to the ledger: the answer that a submitter gets, and the proof
 * file. Both are text in one canonical form; docs/ledger.md shows them whole.
 *
 * answer   sild/answer@v1, the head's entry, [private <salt>], aggregates, round, ledger
 * proof    sild/proof@v1, record and salt (or leaf), journal, the answer's parts, [anchor]
 *
 * Who trusts what: the policy names the ledger's key and the witnesses. From the record upwards
 * each step is a hash path into the next signed text, and the last is a checkpoint that the policy
 * believes. Nothing else is needed: no clock, no network, no list of journals.
 */
#ifndef SILD_TLOG_CHAIN_H
#define SILD_TLOG_CHAIN_H

#include "tlog/anchor.h"
#include "tlog/entry.h"
#include "tlog/policy.h"
#include "tlog/round.h"

#define CHAIN_AGGREGATES 8
#define CHAIN_ANSWER_MAX (256u << 10)
#define CHAIN_MAX (32u << 20) /* bytes of a proof file; its record alone may have 16 MiB */

struct chain_path {
    uint64_t index;
    uint64_t of; /* leaves of that tree; 0 where the tree's own signed text says it (journal,
                    ledger, anchor) */
    size_t n;
    struct merkle_hash h[MERKLE_DEPTH];
};

/* An aggregator's part: where the thing below stands in its subtree, and its own entry. */
struct chain_aggregate {
    struct chain_path path;
    struct slice entry;
};

/* Slices point into the text that was parsed. */
struct chain_answer {
    struct slice entry; /* of the head, or of an aggregate (an answer to add-aggregate) */
    bool is_private;    /* then the leaf is the commitment to the entry under this salt */
    uint8_t salt[ENTRY_SALT];
    size_t aggregates;
    struct chain_aggregate aggregate[CHAIN_AGGREGATES]; /* the lowest first */
    struct chain_path round;
    uint8_t record[ROUND_RECORD];
    struct chain_path ledger;
    struct slice checkpoint;
};

/* The form. ERR_SYNTAX, ERR_TOO_LARGE. */
int chain_answer_parse(struct slice text, struct chain_answer *out, struct diag *d) MUST_USE;
void chain_answer_print(const struct chain_answer *a, struct buf *out);
/* An aggregator's answer to its journal: the journal's entry, its path in the subtree, and all that
 * the upper answer says. Error: as chain_answer_parse of `upper`. */
int chain_answer_extend(struct slice entry, const uint8_t *salt, const struct chain_path *path,
                        struct slice upper, struct buf *out, struct diag *d) MUST_USE;

struct chain {
    bool has_record;
    struct slice record; /* base64 of what is hashed behind the salt */
    uint8_t salt[ENTRY_SALT];
    struct merkle_hash leaf; /* given, or computed from record and salt */
    struct chain_path journal;
    struct chain_answer answer;
    bool has_anchor;
    struct anchor anchor;
    struct slice anchor_text;
    struct chain_path anchor_path; /* of the round in the anchor's tree */
};

/* The form. Reads the record for its hash; ERR_SYNTAX, ERR_TOO_LARGE, ERR_NOMEM. */
int chain_parse(struct slice file, struct chain *out, struct diag *d) MUST_USE;
void chain_print(const struct chain *c, struct buf *out);
/* Appends the record's bytes; ERR_NOT_FOUND when the file has the leaf only. */
int chain_record(const struct chain *c, struct buf *out) MUST_USE;
/* The journal's leaf: merkle_leaf(salt ‖ record). ERR_TOO_LARGE. */
int chain_leaf(const uint8_t salt[ENTRY_SALT], struct slice record,
               struct merkle_hash *out) MUST_USE;

/* What a proof that holds says. Slices point into the file and into the policy. */
struct chain_verdict {
    struct slice origin; /* of the journal */
    bool is_private;     /* the ledger shows a commitment to the head, not the head */
    uint64_t head_size;  /* records in the journal when its head was signed */
    uint64_t index;      /* of the record; not set for an answer */
    uint64_t round, round_time_ms, round_entries, round_heads;
    size_t aggregators;
    struct slice aggregator[CHAIN_AGGREGATES];
    struct slice log; /* origin of the ledger */
    uint64_t ledger_size;
    bool by_policy; /* the fields of `policy` are filled */
    struct policy_verdict policy;
    bool by_anchor; /* the round stands in the anchor's tree */
    struct anchor anchor;
};

/*
 * Does the proof hold? policy NULL: the checkpoint's signatures are not asked for, and an anchor
 * must be given. anchor: what the reader holds in the hand; the file must then have a path into
 * that tree, or its checkpoint be that tree. ERR_USAGE when neither is given. Errors:
 * ERR_INVALID_HASH_CHAIN (with which step), ERR_INVALID_SIGNATURE_VALUE, and those of policy_check.
 */
int chain_verify(const struct chain *c, const struct policy *policy, const struct anchor *anchor,
                 struct chain_verdict *out, struct diag *d) MUST_USE;
/* The same for an answer: what a submitter checks before it keeps it. */
int chain_answer_verify(const struct chain_answer *a, const struct policy *policy,
                        struct chain_verdict *out, struct diag *d) MUST_USE;

/* Its ends as plain .tlog-proof files: the record in its journal's head, the round in the ledger.
 */
int chain_extract_journal(const struct chain *c, struct buf *out, struct diag *d) MUST_USE;
void chain_extract_ledger(const struct chain *c, struct buf *out);

#endif
