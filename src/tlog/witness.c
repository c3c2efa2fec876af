#include "tlog/witness.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"

/* --- the request --- */

static int bad(struct diag *d, const char *why)
{
    diag_set(d, ERR_SYNTAX, "no request to a witness: %s", why);
    diag_rule(d, "C2SP tlog-witness");
    return ERR_SYNTAX;
}

int witness_request_parse(struct slice body, struct witness_request *out, struct diag *d)
{
    struct slice rest = body;
    *out = (struct witness_request){0};
    if (body.n > WITNESS_REQUEST_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a request of more than %u bytes", WITNESS_REQUEST_MAX);
    if (!lines_take_number(&rest, SLICE_LIT("old "), &out->old))
        return bad(d, "the first line is not \"old\" and a size");
    if (!lines_take_hashes(&rest, out->proof, &out->n))
        return bad(d, "a line is no hash, more than 63 hashes, or no empty line after them");
    out->bytes = rest;
    int rc = note_parse(rest, &out->note, d);
    if (rc != 0)
        return rc;
    struct slice text = out->note.text;
    return lines_take(&text, &out->origin) ? 0 : bad(d, "a checkpoint without lines");
}

void witness_request_print(uint64_t old, const struct merkle_hash *proof, size_t n,
                           struct slice signed_checkpoint, struct buf *out)
{
    lines_put_number(out, "old ", old);
    lines_put_hashes(out, proof, n);
    buf_slice(out, signed_checkpoint);
}

int witness_request_open(struct witness_request *r, const struct note_key *const *keys,
                         size_t n_keys, struct diag *d)
{
    struct note_seen seen;
    if (n_keys == 0) {
        diag_set(d, ERR_NOT_FOUND, "no log of the origin \"%.*s\" is known",
                 SLICE_ARG(slice_sub(r->origin, 0, CHECKPOINT_ORIGIN_MAX)));
        return 404;
    }
    if (note_open(&r->note, keys, n_keys, &seen, d) != 0)
        return 403;
    if (checkpoint_parse(r->note.text, &r->cp, d) != 0)
        return 400;
    if (r->cp.extensions.n > 0) {
        diag_set(d, ERR_SYNTAX, "a checkpoint with extension lines is not cosigned");
        return 400;
    }
    if (r->old > r->cp.size) {
        diag_set(d, ERR_SYNTAX, "old is %" PRIu64 ", more than the checkpoint's size %" PRIu64,
                 r->old, r->cp.size);
        return 400;
    }
    return 200;
}

/* --- the rules --- */

void witness_state_init(struct witness_state *s)
{
    s->size = 0;
    merkle_empty(&s->root);
}

static int refuse(struct diag *d, const char *why)
{
    diag_set(d, ERR_INVALID_HASH_CHAIN, "not cosigned: %s", why);
    diag_rule(d, "C2SP tlog-witness");
    return 422;
}

int witness_judge_parts(const struct witness_state *stored, uint64_t old,
                        const struct merkle_hash *proof, size_t n, uint64_t size,
                        const struct merkle_hash *root, struct diag *d)
{
    if (old != stored->size) {
        diag_set(d, ERR_INCONSISTENT_RESPONSE, "the last size here is %" PRIu64 ", not %" PRIu64,
                 stored->size, old);
        return 409;
    }
    struct checkpoint c = {.size = size, .root = *root};
    if (!checkpoint_is_sound(&c))
        return refuse(d, "an empty tree with the root of something");
    /* From nothing everything grows: there is nothing to prove, and a proof given is a mistake. */
    if (old == 0)
        return n == 0 ? 200 : refuse(d, "a proof from size 0");
    if (old == size && memcmp(stored->root.b, root->b, MERKLE_HASH) != 0)
        return refuse(d, "two roots of one size");
    if (merkle_verify_consistency(old, &stored->root, size, root, proof, n) != 0)
        return refuse(d, "the proof does not lead from the last tree to this one");
    return 200;
}

int witness_judge(const struct witness_state *stored, const struct witness_request *r,
                  struct diag *d)
{
    return witness_judge_parts(stored, r->old, r->proof, r->n, r->cp.size, &r->cp.root, d);
}

/* --- the log's side --- */

/* The first line of the key that verifies. */
static int take_line(const struct note *n, const struct note_key *key, struct buf *lines,
                     uint64_t *time_s, struct diag *d)
{
    int rc = diag_set(d, ERR_MISSING_SIGNATURE, "no line of this witness");
    for (size_t i = 0; i < n->sigs; i++) {
        if (!note_sig_by(&n->sig[i], key))
            continue;
        rc = note_sig_verify(&n->sig[i], key, n->text, time_s);
        if (rc == 0) {
            buf_slice(lines, n->sig[i].line);
            return 0;
        }
        diag_set(d, rc, "the witness's line does not verify for this checkpoint");
    }
    return rc;
}

int witness_answer_take(struct slice body, struct slice text, const struct note_key *key,
                        struct buf *lines, uint64_t *time_s, struct diag *d)
{
    struct note n;
    struct buf whole;
    *time_s = 0;
    if (body.n > WITNESS_ANSWER_MAX)
        return diag_set(d, ERR_TOO_LARGE, "an answer of %zu bytes", body.n);
    buf_init(&whole, NOTE_MAX);
    buf_slice(&whole, text);
    buf_byte(&whole, '\n');
    buf_slice(&whole, body);
    int rc = whole.failed ? diag_set(d, ERR_TOO_LARGE, "checkpoint and answer are too large")
                          : note_parse(buf_view(&whole), &n, d);
    /* An empty line in the answer would move the end of the text. */
    if (rc == 0 && n.text.n != text.n)
        rc = diag_set(d, ERR_SYNTAX, "an answer with an empty line");
    if (rc == 0)
        rc = take_line(&n, key, lines, time_s, d);
    buf_free(&whole);
    return rc;
}

bool witness_conflict_size(struct slice body, uint64_t *size)
{
    struct slice line;
    return lines_take(&body, &line) && body.n == 0 && lines_number(line, size);
}

void witness_path(struct slice origin, char out[76])
{
    struct digest h;
    digest_of(DIGEST_SHA256, origin, &h);
    hex_print(digest_slice(&h), out);
    memcpy(out + 64, "/checkpoint", sizeof "/checkpoint");
}
