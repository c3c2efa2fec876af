/*
 * C2SP tlog-proof: one file that proves a leaf offline. Format:
 * "c2sp.org/tlog-proof@v1\n[extra <base64>\n]index <i>\n<base64 hash>\n…\n<signed checkpoint>".
 */
#ifndef SILD_TLOG_PROOF_H
#define SILD_TLOG_PROOF_H

#include "tlog/lines.h"
#include "tlog/policy.h"

#define PROOF_HASHES LINES_HASHES
#define PROOF_MAX (128u << 10)

struct proof {
    bool has_extra;
    struct slice extra; /* base64 text, not authenticated; may be empty */
    uint64_t index;
    size_t n;
    struct merkle_hash path[PROOF_HASHES];
    struct slice checkpoint; /* the signed note */
};

/* The form; the checkpoint is left to proof_verify. ERR_SYNTAX, ERR_TOO_LARGE. */
int proof_parse(struct slice file, struct proof *out, struct diag *d) MUST_USE;
void proof_print(const struct proof *p, struct buf *out);
/* The leaf stands at the index in the tree of the file's own checkpoint, which the policy believes.
 * Errors as policy_check, and ERR_INVALID_HASH_CHAIN. */
int proof_verify(const struct proof *p, const struct merkle_hash *leaf, const struct policy *policy,
                 struct policy_verdict *out, struct diag *d) MUST_USE;

#endif
