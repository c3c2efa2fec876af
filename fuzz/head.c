/*
 * Heads that are handed in, and entries of rounds: requests print as they were read; the entry that
 * a good head becomes parses and verifies; verdicts hold together.
 */
#include "base/err.h"
#include "tlog/head.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct note_key journal;

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* The journal of the corpus. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    must(note_key_parse(SLICE_LIT("SILD/GOV/70000001/state/messages+bbaa3166+"
                                  "AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"),
                        &journal, NULL) == 0);
    return 0;
}

static void judge(const struct head_request *r)
{
    struct diag d;
    struct witness_state last;
    witness_state_init(&last);
    for (int i = 0; i < 4; i++) {
        enum head_verdict v = head_judge(&last, (i & 1) != 0, r->w.old, r->w.proof, r->w.n,
                                         r->w.cp.size, &r->w.cp.root, &d);
        int status = head_status(v);
        must(status == 200 || status == 409 || status == 422);
        must(v != HEAD_ACCEPTED || (r->w.cp.size > last.size && r->w.old == last.size));
        must(v != HEAD_AGAIN || (r->w.cp.size == last.size &&
                                 memcmp(&r->w.cp.root, &last.root, sizeof last.root) == 0));
        must(status == 200 || d.text[0] != 0);
        /* Next: this very head was the last; then one larger and one smaller were. */
        last.size = r->w.cp.size + (i == 1) - (i == 2 && r->w.cp.size > 0);
        last.root = r->w.cp.root;
    }
}

static void try_request(struct slice body)
{
    static struct head_request r;
    struct diag d = {0};
    struct buf b;
    struct entry e;
    if (head_request_parse(body, &r, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    buf_init(&b, HEAD_REQUEST_MAX);
    head_request_print(r.is_private ? r.salt : NULL, r.w.old, r.w.proof, r.w.n, r.w.bytes, &b);
    must(slice_eq(buf_view(&b), body));
    buf_reset(&b);
    must(head_request_open(&r, NULL, &d) == 404);
    if (head_request_open(&r, &journal, &d) == 200) {
        judge(&r);
        head_request_entry(&r, &journal, &b);
        must(!b.failed);
        if (r.is_private || checkpoint_is_sound(&r.w.cp)) { /* else the judge says no */
            must(entry_parse(buf_view(&b), &e, &d) == 0);
            must((e.kind == ENTRY_COMMITMENT) == r.is_private);
            must(r.is_private || entry_verify(&e, &journal, &d) == 0);
        }
    } else {
        must(d.text[0] != 0);
    }
    buf_free(&b);
}

static void try_entry(struct slice bytes)
{
    struct entry e;
    struct diag d = {0};
    struct note_key k;
    struct buf b;
    static const uint8_t salt[ENTRY_SALT];
    if (entry_parse(bytes, &e, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    must(entry_heads(&e) >= 1);
    buf_init(&b, ENTRY_MAX);
    if (e.kind == ENTRY_COMMITMENT) {
        must(entry_verify(&e, NULL, &d) == ERR_MISSING_SIGNATURE);
    } else {
        must(note_key_read(e.vkey, &k, &d) == 0 && slice_eq(e.name, note_key_name(&k)));
        entry_print(&k, e.note, &b);
        must(slice_eq(buf_view(&b), bytes));
        must(e.kind == ENTRY_AGGREGATE ? slice_eq(e.aggregate.name, e.name)
                                       : slice_eq(e.head.origin, e.name));
        int rc = entry_verify(&e, NULL, &d);
        must(rc == entry_verify(&e, &journal, &d));
    }
    buf_reset(&b);
    entry_commit(salt, bytes, &b);
    must(entry_parse(buf_view(&b), &e, &d) == 0 && e.kind == ENTRY_COMMITMENT);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_request(slice_of(data, size));
    try_entry(slice_of(data, size));
    return 0;
}
