#include "tlog/head.h"

#include <inttypes.h>

#include "base/err.h"

int head_request_parse(struct slice body, struct head_request *out, struct diag *d)
{
    struct slice rest = body;
    *out = (struct head_request){0};
    if (body.n > HEAD_REQUEST_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a request of more than %u bytes", HEAD_REQUEST_MAX);
    out->is_private = slice_starts(body, "private ");
    if (out->is_private &&
        !lines_take_bytes(&rest, SLICE_LIT("private "), out->salt, sizeof out->salt))
        return diag_set(d, ERR_SYNTAX, "a salt is the base64 of %d bytes", ENTRY_SALT);
    return witness_request_parse(rest, &out->w, d);
}

void head_request_print(const uint8_t *salt, uint64_t old, const struct merkle_hash *proof,
                        size_t n, struct slice signed_head, struct buf *out)
{
    if (salt != NULL)
        lines_put_bytes(out, "private ", slice_of(salt, ENTRY_SALT));
    witness_request_print(old, proof, n, signed_head, out);
}

int head_request_open(struct head_request *r, const struct note_key *key, struct diag *d)
{
    int status = witness_request_open(&r->w, &key, key == NULL ? 0 : 1, d);
    if (status != 200)
        return status;
    /* What is published is the note as it came, so there must be nothing in it but what was
     * checked. */
    if (r->w.note.sigs != 1) {
        diag_set(d, ERR_SYNTAX, "a head has exactly one signature, its journal's");
        return 400;
    }
    if (!checkpoint_is_origin(r->w.origin) || !slice_eq(r->w.origin, note_key_name(key))) {
        diag_set(d, ERR_SYNTAX, "the head's origin is not its key's name");
        return 403;
    }
    return 200;
}

void head_request_entry(const struct head_request *r, const struct note_key *key, struct buf *out)
{
    if (!r->is_private) {
        entry_print(key, r->w.bytes, out);
        return;
    }
    struct buf open;
    buf_init(&open, ENTRY_MAX);
    entry_print(key, r->w.bytes, &open);
    if (open.failed)
        out->failed = true;
    else
        entry_commit(r->salt, buf_view(&open), out);
    buf_free(&open);
}

static const struct {
    int status;
    const char *text;
} verdicts[] = {
    [HEAD_ACCEPTED] = {200, ""},
    [HEAD_AGAIN] = {200, ""},
    [HEAD_STALE] = {409, "old is not the size that was accepted last"},
    [HEAD_FORK] = {422, "fork: another root for the size that was accepted last"},
    [HEAD_ROLLBACK] = {422, "rollback: a smaller size than the last, signed and never accepted"},
    [HEAD_UNPROVEN] = {422, "the proof does not lead from the last head to this one"},
    [HEAD_UNSOUND] = {422, "an empty journal with the root of something"},
};

int head_status(enum head_verdict v)
{
    return verdicts[v].status;
}

static enum head_verdict judge(const struct witness_state *last, bool accepted_lately, uint64_t old,
                               const struct merkle_hash *proof, size_t n, uint64_t size,
                               const struct merkle_hash *root)
{
    struct checkpoint c = {.size = size, .root = *root};
    if (!checkpoint_is_sound(&c))
        return HEAD_UNSOUND;
    /* What the signed head says is judged before what its sender says beside it: a fork stays one
     * whatever `old` is, and a head once accepted is answered again, since the answer may be lost.
     */
    if (size == last->size)
        return memcmp(root->b, last->root.b, MERKLE_HASH) == 0 ? HEAD_AGAIN : HEAD_FORK;
    if (size < last->size)
        return accepted_lately ? HEAD_STALE : HEAD_ROLLBACK;
    if (old != last->size)
        return HEAD_STALE;
    struct diag d;
    return witness_judge_parts(last, old, proof, n, size, root, &d) == 200 ? HEAD_ACCEPTED
                                                                           : HEAD_UNPROVEN;
}

enum head_verdict head_judge(const struct witness_state *last, bool accepted_lately, uint64_t old,
                             const struct merkle_hash *proof, size_t n, uint64_t size,
                             const struct merkle_hash *root, struct diag *d)
{
    enum head_verdict v = judge(last, accepted_lately, old, proof, n, size, root);
    if (head_status(v) == 200)
        return v;
    diag_set(d, v == HEAD_STALE ? ERR_INCONSISTENT_RESPONSE : ERR_INVALID_HASH_CHAIN,
             "%s (last size %" PRIu64 ", this one %" PRIu64 ", old %" PRIu64 ")", verdicts[v].text,
             last->size, size, old);
    return v;
}
