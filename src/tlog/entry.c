#include "tlog/entry.h"

#include "base/err.h"
#include "crypto/digest.h"
#include "tlog/lines.h"

#define COMMITMENT "sild/commitment@v1\n"

static int bad(struct diag *d, const char *why)
{
    return diag_set(d, ERR_SYNTAX, "no entry of a round: %s", why);
}

/* An aggregator with no entries hands in nothing, so an aggregate stands for one head or more. */
static int parse_text(struct entry *e, struct diag *d)
{
    struct slice rest = e->text;
    if (slice_skip(&rest, SLICE_LIT(AGGREGATE_FIRST_LINE))) {
        e->kind = ENTRY_AGGREGATE;
        int rc = aggregate_parse(e->text, &e->aggregate, d);
        if (rc == 0 && (e->aggregate.entries == 0 || !slice_eq(e->aggregate.name, e->name)))
            rc = bad(d, "an empty aggregate, or one of another name than its key's");
        return rc;
    }
    e->kind = ENTRY_HEAD;
    int rc = checkpoint_parse(e->text, &e->head, d);
    if (rc != 0)
        return rc;
    if (!checkpoint_is_origin(e->head.origin) || !slice_eq(e->head.origin, e->name))
        return bad(d, "a head whose origin is not the name of its key");
    if (e->head.extensions.n > 0 || !checkpoint_is_sound(&e->head))
        return bad(d, "a head with extension lines, or an empty one with the root of something");
    return 0;
}

int entry_parse(struct slice bytes, struct entry *out, struct diag *d)
{
    struct slice rest = bytes;
    struct note n;
    struct note_key key;
    *out = (struct entry){0};
    if (bytes.n > ENTRY_MAX)
        return diag_set(d, ERR_TOO_LARGE, "an entry of %zu bytes", bytes.n);
    if (slice_skip(&rest, SLICE_LIT(COMMITMENT))) {
        out->kind = ENTRY_COMMITMENT;
        return lines_take_bytes(&rest, SLICE_LIT(""), out->commitment, sizeof out->commitment) &&
                       rest.n == 0
                   ? 0
                   : bad(d, "a commitment is one hash");
    }
    if (!lines_take(&rest, &out->vkey))
        return bad(d, "no key");
    int rc = note_key_read(out->vkey, &key, d);
    if (rc != 0)
        return rc;
    out->note = rest;
    out->name = slice_sub(out->vkey, 0, key.name_n);
    if (key.type != NOTE_ED25519)
        return bad(d, "a cosigner's key");
    rc = note_parse(rest, &n, d);
    if (rc != 0)
        return rc;
    if (n.sigs != 1 || !note_sig_by(&n.sig[0], &key) || n.sig[0].value_n != NOTE_SIGNATURE)
        return bad(d, "not exactly one signature, by the entry's key");
    out->text = n.text;
    memcpy(out->signature, n.sig[0].value, NOTE_SIGNATURE);
    return parse_text(out, d);
}

void entry_print(const struct note_key *k, struct slice note, struct buf *out)
{
    note_key_print(k, out);
    buf_byte(out, '\n');
    buf_slice(out, note);
}

void entry_commit(const uint8_t salt[ENTRY_SALT], struct slice entry, struct buf *out)
{
    struct digest h;
    uint8_t all[ENTRY_SALT + ENTRY_MAX];
    if (entry.n > ENTRY_MAX) {
        out->failed = true;
        return;
    }
    memcpy(all, salt, ENTRY_SALT);
    memcpy(all + ENTRY_SALT, entry.p, entry.n);
    digest_of(DIGEST_SHA256, slice_of(all, ENTRY_SALT + entry.n), &h);
    lines_put_bytes(out, COMMITMENT, digest_slice(&h));
}

int entry_verify(const struct entry *e, const struct note_key *key, struct diag *d)
{
    struct note_key own;
    if (e->kind == ENTRY_COMMITMENT)
        return diag_set(d, ERR_MISSING_SIGNATURE, "a commitment carries no signature");
    int rc = note_key_read(e->vkey, &own, d);
    if (rc != 0)
        return rc;
    if (key == NULL || !note_key_same(key, &own)) {
        key = &own;
        rc = note_key_prepare(&own, d);
    }
    if (rc == 0) {
        rc = note_verify(key, e->text, slice_of(e->signature, NOTE_SIGNATURE));
        if (rc != 0)
            diag_set(d, rc, "the signature of %.*s does not verify", SLICE_ARG(e->name));
    }
    note_key_free(&own);
    return rc;
}

uint64_t entry_heads(const struct entry *e)
{
    return e->kind == ENTRY_AGGREGATE ? e->aggregate.heads : 1;
}
