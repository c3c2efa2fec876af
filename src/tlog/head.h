/*
 * POST add-head (a journal's head) and add-aggregate (an aggregator's note), and the rules by which
 * a ledger or aggregator answers.
 * add-head: ["private <base64 salt>\n"] then the form of witness.h.
 * add-aggregate: the signed aggregate note alone.
 */
#ifndef SILD_TLOG_HEAD_H
#define SILD_TLOG_HEAD_H

#include "tlog/entry.h"
#include "tlog/witness.h"

#define HEAD_REQUEST_MAX 8192
#define HEAD_SIZE_TYPE "text/x.tlog.size" /* content type of a 409 */

struct head_request {
    bool is_private;
    uint8_t salt[ENTRY_SALT];
    struct witness_request w;
};

/* ERR_SYNTAX, ERR_TOO_LARGE: 400. */
int head_request_parse(struct slice body, struct head_request *out, struct diag *d) MUST_USE;
/* salt: NULL for a head that is public. */
void head_request_print(const uint8_t *salt, uint64_t old, const struct merkle_hash *proof,
                        size_t n, struct slice signed_head, struct buf *out);
/*
 * What needs no store: exactly one signature, by this key, in canonical form; a checkpoint of its
 * name; old <= size. key NULL: the journal is not known. Returns 200, 400, 403, 404; on 200 r->w.cp
 * is filled.
 */
int head_request_open(struct head_request *r, const struct note_key *key, struct diag *d) MUST_USE;
/* The leaf data that this head becomes: its entry, or the commitment to it. */
void head_request_entry(const struct head_request *r, const struct note_key *key, struct buf *out);

enum head_verdict {
    HEAD_ACCEPTED, /* 200 */
    HEAD_AGAIN,    /* 200: the last accepted one once more; or the very first, of size 0 */
    HEAD_STALE,    /* 409: old is not the last size, or a head that was accepted before */
    HEAD_FORK,     /* 422: same size, another root: the two notes are proof of it */
    HEAD_ROLLBACK, /* 422: a signed size below the last one, never accepted */
    HEAD_UNPROVEN, /* 422: larger, and the proof does not lead there from the last one */
    HEAD_UNSOUND,  /* 422: size 0 with the root of something */
};
int head_status(enum head_verdict v); /* 200, 409 or 422 */

/* last: the journal's last accepted size and root (witness_state_init: none yet). accepted_lately:
 * the caller has this size and root among those it accepted before the last. Fills d when refused.
 */
enum head_verdict head_judge(const struct witness_state *last, bool accepted_lately, uint64_t old,
                             const struct merkle_hash *proof, size_t n, uint64_t size,
                             const struct merkle_hash *root, struct diag *d);

#endif
