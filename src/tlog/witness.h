/*
 * C2SP tlog-witness, both sides: the body of POST add-checkpoint, the rules by which a witness
 * answers, and what the log takes from the answer.
 * Body: "old <size>\n", base64 hashes a line (0 to 63), an empty line, the signed checkpoint.
 */
#ifndef SILD_TLOG_WITNESS_H
#define SILD_TLOG_WITNESS_H

#include "tlog/checkpoint.h"
#include "tlog/lines.h"
#include "tlog/note.h"

#define WITNESS_REQUEST_MAX (NOTE_MAX + 4096)
#define WITNESS_ANSWER_MAX (16u << 10)

struct witness_request {
    uint64_t old;
    size_t n;
    struct merkle_hash proof[LINES_HASHES];
    struct slice bytes;   /* the signed checkpoint as it came */
    struct slice origin;  /* its first line: which log's keys open it */
    struct note note;     /* the same, parsed */
    struct checkpoint cp; /* filled by witness_request_open */
};

/* 400 of the protocol: ERR_SYNTAX, ERR_TOO_LARGE. */
int witness_request_parse(struct slice body, struct witness_request *out, struct diag *d) MUST_USE;
void witness_request_print(uint64_t old, const struct merkle_hash *proof, size_t n,
                           struct slice signed_checkpoint, struct buf *out);
/*
 * What needs no store: signature by a key of the origin, checkpoint text, old <= size. Returns the
 * status: 200 (go on with witness_judge), 400, 403, 404 (n_keys is 0: the origin is not known).
 * A checkpoint with extension lines is 400: cosignatures do not cover them everywhere.
 */
int witness_request_open(struct witness_request *r, const struct note_key *const *keys,
                         size_t n_keys, struct diag *d) MUST_USE;

struct witness_state {
    uint64_t size; /* last one cosigned; none yet: 0 and the root of the empty tree */
    struct merkle_hash root;
};
void witness_state_init(struct witness_state *s);
/*
 * The rules, to be asked in the transaction that then writes (r->cp.size, r->cp.root): 200, 409
 * (old is not what is stored; the answer's body is the stored size), 422 (refused: keep the request
 * as evidence, the log's signature is on it). Takes what witness_request_open filled.
 */
int witness_judge(const struct witness_state *stored, const struct witness_request *r,
                  struct diag *d) MUST_USE;
/* The same rules on the parts. */
int witness_judge_parts(const struct witness_state *stored, uint64_t old,
                        const struct merkle_hash *proof, size_t n, uint64_t size,
                        const struct merkle_hash *root, struct diag *d) MUST_USE;

/*
 * The log's side: takes from the body of a 200 the lines of this key that verify for exactly this
 * text, and appends the first of them to `lines`; ignores all else. ERR_SYNTAX (not signature lines
 * at all), ERR_TOO_LARGE, ERR_INVALID_SIGNATURE_VALUE (lines of the key, none verifies),
 * ERR_MISSING_SIGNATURE (none of the key).
 */
int witness_answer_take(struct slice body, struct slice text, const struct note_key *key,
                        struct buf *lines, uint64_t *time_s, struct diag *d) MUST_USE;
/* The body of a 409 with text/x.tlog.size: a size and 0A. False for anything else. */
bool witness_conflict_size(struct slice body, uint64_t *size);
/* "<hex SHA-256(origin)>/checkpoint": where a witness serves what it last signed. */
void witness_path(struct slice origin, char out[76]);

#endif
