/*
 * The witness protocol: requests print as they were read; a witness that follows the rules never
 * cosigns two roots of one size, and never goes back; a log takes only lines that verify.
 */
#include "base/err.h"
#include "tlog/cosignature.h"
#include "tlog/witness.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct note_key log_key, witness_key;

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    must(note_key_parse(SLICE_LIT("ledger.sild.example/test+385bda7f+"
                                  "AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"),
                        &log_key, NULL) == 0);
    must(note_key_parse(
             SLICE_LIT("w1.sild.example+28d3047f+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"),
             &witness_key, NULL) == 0);
    return 0;
}

/* The small trees of the corpus: leaf i is the byte i. */
static void small_root(uint64_t size, struct merkle_hash *out)
{
    struct merkle_frontier f = {0};
    for (uint64_t i = 0; i < size; i++) {
        struct merkle_hash h;
        uint8_t b = (uint8_t)i;
        merkle_leaf(slice_of(&b, 1), &h);
        merkle_append(&f, &h);
    }
    merkle_root(&f, out);
}

static void judge(const struct witness_request *r)
{
    struct diag d = {0};
    struct witness_state s;
    for (s.size = 0; s.size <= 8; s.size++) {
        small_root(s.size, &s.root);
        int status = witness_judge(&s, r, &d);
        must(status == 200 || status == 409 || status == 422);
        must((status == 409) == (r->old != s.size));
        if (status != 200) {
            must(d.text[0] != 0);
            continue;
        }
        must(r->cp.size >= s.size);
        if (r->cp.size == s.size)
            must(memcmp(&r->cp.root, &s.root, sizeof s.root) == 0);
        if (r->cp.size == 0 || r->old == 0)
            must(r->n == 0);
    }
}

static void try_request(struct slice body)
{
    static struct witness_request r;
    struct diag d = {0};
    struct buf b;
    const struct note_key *keys[] = {&log_key};
    if (witness_request_parse(body, &r, &d) != 0) {
        must(d.code != 0 && d.text[0] != 0);
        return;
    }
    must(r.n <= LINES_HASHES && r.origin.n < r.note.text.n);
    buf_init(&b, WITNESS_REQUEST_MAX);
    witness_request_print(r.old, r.proof, r.n, r.bytes, &b);
    must(slice_eq(buf_view(&b), body));
    buf_free(&b);
    must(witness_request_open(&r, keys, 0, &d) == 404);
    int status = witness_request_open(&r, keys, 1, &d);
    must(status == 200 || status == 400 || status == 403);
    if (status == 200) {
        must(slice_eq(r.cp.origin, r.origin) && r.old <= r.cp.size && r.cp.extensions.n == 0);
        judge(&r);
    } else if (checkpoint_parse(r.note.text, &r.cp, &d) == 0) {
        judge(&r); /* the rules alone, for what nobody has signed */
    }
}

static void try_answer(struct slice body)
{
    const struct slice text = SLICE_LIT("ledger.sild.example/test\n7\n"
                                        "NWAZGAMChESyMgGKwEf9tWHAnCOnpodsheCLXk1I6fM=\n");
    struct buf lines;
    struct diag d = {0};
    uint64_t t, size;
    buf_init(&lines, NOTE_MAX);
    if (witness_answer_take(body, text, &witness_key, &lines, &t, &d) == 0)
        must(t > 0 && slice_find_slice(body, buf_view(&lines)) != SIZE_MAX);
    else
        must(t == 0 && lines.n == 0 && d.text[0] != 0);
    buf_reset(&lines);
    if (witness_conflict_size(body, &size)) {
        buf_printf(&lines, "%llu\n", (unsigned long long)size);
        must(slice_eq(buf_view(&lines), body));
    }
    buf_free(&lines);
    char path[76];
    witness_path(body, path);
    must(slice_ends(slice_str(path), "/checkpoint"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_request(slice_of(data, size));
    try_answer(slice_of(data, size));
    return 0;
}
