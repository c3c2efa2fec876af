/* Heads as they are handed in, what a ledger answers to them, entries, rounds. */
#include "ledger_world.h"

#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"

/* --- entries --- */

static void head_note(const struct ledger_signer *s, uint64_t size, struct buf *out)
{
    struct checkpoint c = {.origin = note_key_name(&s->key), .size = size};
    if (size == 0)
        merkle_empty(&c.root);
    ledger_sign_checkpoint(s, &c, out);
}

TEST(entries_and_their_signatures)
{
    struct ledger_world *w = ledger_world_new();
    struct buf note, b;
    struct entry e;
    struct diag d;
    buf_init(&note, NOTE_MAX);
    buf_init(&b, ENTRY_MAX);
    head_note(&w->journal, 12, &note);
    entry_print(&w->journal.key, buf_view(&note), &b);
    CHECK_INT(entry_parse(buf_view(&b), &e, &d), 0);
    CHECK_INT(e.kind, ENTRY_HEAD);
    CHECK(slice_eq(e.name, note_key_name(&w->journal.key)) && e.head.size == 12);
    CHECK(slice_eq(e.note, buf_view(&note)));
    CHECK_INT(entry_heads(&e), 1);
    CHECK_INT(entry_verify(&e, NULL, &d), 0);
    CHECK_INT(entry_verify(&e, &w->journal.key, &d), 0);
    CHECK_INT(entry_verify(&e, &w->log.key, &d), 0); /* not the same: the entry's own is used */
    /* Every byte of it means something. */
    for (size_t i = 0; i < b.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            b.p[i] ^= (uint8_t)(1 << bit);
            if (entry_parse(buf_view(&b), &e, &d) == 0 && entry_verify(&e, NULL, &d) == 0)
                FAIL("byte %zu, bit %d", i, bit);
            b.p[i] ^= (uint8_t)(1 << bit);
        }

    /* What is to be private. */
    uint8_t salt[ENTRY_SALT] = {5};
    struct buf hidden;
    buf_init(&hidden, ENTRY_MAX);
    entry_commit(salt, buf_view(&b), &hidden);
    CHECK_INT(entry_parse(buf_view(&hidden), &e, &d), 0);
    CHECK_INT(e.kind, ENTRY_COMMITMENT);
    CHECK_INT(e.name.n, 0);
    CHECK_INT(entry_heads(&e), 1);
    CHECK_INT(entry_verify(&e, NULL, &d), ERR_MISSING_SIGNATURE);
    struct digest h;
    buf_reset(&note);
    buf_add(&note, salt, sizeof salt);
    buf_slice(&note, buf_view(&b));
    digest_of(DIGEST_SHA256, buf_view(&note), &h);
    CHECK(memcmp(e.commitment, h.b, 32) == 0);
    hidden.n--;
    CHECK_INT(entry_parse(buf_view(&hidden), &e, &d), ERR_SYNTAX);
    buf_free(&note);
    buf_free(&b);
    buf_free(&hidden);
    ledger_world_free(w);
}

TEST(entries_that_are_none)
{
    struct ledger_world *w = ledger_world_new();
    struct buf note, b, text;
    struct entry e;
    struct diag d;
    buf_init(&note, NOTE_MAX);
    buf_init(&text, NOTE_MAX);
    buf_init(&b, NOTE_MAX);
    struct slice name = note_key_name(&w->journal.key);
    const struct checkpoint bad[] = {
        {.origin = SLICE_LIT("another"), .size = 3},
        {.origin = name, .size = 3, .extensions = SLICE_LIT("more\n")},
        {.origin = name, .size = 0}, /* with a root of zeros */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_reset(&note);
        buf_reset(&b);
        ledger_sign_checkpoint(&w->journal, &bad[i], &note);
        entry_print(&w->journal.key, buf_view(&note), &b);
        CHECK_INT(entry_parse(buf_view(&b), &e, &d), ERR_SYNTAX);
    }
    /* A second signature, though it be good; another's key before the note; a cosigner's key. */
    buf_reset(&note);
    buf_reset(&b);
    head_note(&w->journal, 3, &note);
    struct slice line =
        slice_from(buf_view(&note), slice_find_slice(buf_view(&note), SLICE_LIT("\n\n")) + 2);
    buf_slice(&b, line);
    buf_slice(&note, buf_view(&b));
    buf_reset(&b);
    entry_print(&w->journal.key, buf_view(&note), &b);
    CHECK_INT(entry_parse(buf_view(&b), &e, &d), ERR_SYNTAX);
    buf_reset(&note);
    buf_reset(&b);
    head_note(&w->journal, 3, &note);
    entry_print(&w->log.key, buf_view(&note), &b);
    CHECK_INT(entry_parse(buf_view(&b), &e, &d), ERR_SYNTAX);
    buf_reset(&b);
    entry_print(&w->witness[0].key, buf_view(&note), &b);
    CHECK_INT(entry_parse(buf_view(&b), &e, &d), ERR_SYNTAX);
    buf_reset(&b);
    while (b.n <= ENTRY_MAX)
        buf_byte(&b, 'x');
    CHECK_INT(entry_parse(buf_view(&b), &e, &d), ERR_TOO_LARGE);
    buf_free(&note);
    buf_free(&text);
    buf_free(&b);
    ledger_world_free(w);
}

TEST(aggregates)
{
    struct aggregate a = {.name = SLICE_LIT("x"), .time_ms = 5, .entries = 2, .heads = 9}, got;
    struct buf b;
    struct diag d;
    buf_init(&b, 1024);
    aggregate_print(&a, &b);
    CHECK_INT(aggregate_parse(buf_view(&b), &got, &d), 0);
    CHECK(got.time_ms == 5 && got.entries == 2 && got.heads == 9 && slice_eq(got.name, a.name));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(aggregate_parse(slice_sub(buf_view(&b), 0, n), &got, &d), ERR_SYNTAX);
    buf_byte(&b, '\n');
    CHECK_INT(aggregate_parse(buf_view(&b), &got, &d), ERR_SYNTAX);
    static const uint64_t bad[][2] = {{2, 1}, {0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        buf_reset(&b);
        a.entries = bad[i][0];
        a.heads = bad[i][1];
        aggregate_print(&a, &b);
        CHECK_INT(aggregate_parse(buf_view(&b), &got, &d), ERR_SYNTAX);
    }
    buf_free(&b);
}

/* --- handing in --- */

TEST(requests_with_a_head)
{
    struct ledger_world *w = ledger_world_new();
    struct buf note, body, want, got;
    static struct head_request r;
    struct merkle_hash proof[3];
    struct diag d;
    uint8_t salt[ENTRY_SALT];
    memset(salt, 3, sizeof salt);
    memset(proof, 4, sizeof proof);
    buf_init(&note, NOTE_MAX);
    buf_init(&body, HEAD_REQUEST_MAX + 64);
    buf_init(&want, ENTRY_MAX);
    buf_init(&got, ENTRY_MAX);
    head_note(&w->journal, 12, &note);
    entry_print(&w->journal.key, buf_view(&note), &want);
    for (int is_private = 0; is_private < 2; is_private++) {
        buf_reset(&body);
        buf_reset(&got);
        head_request_print(is_private ? salt : NULL, 7, proof, 3, buf_view(&note), &body);
        CHECK_INT(head_request_parse(buf_view(&body), &r, &d), 0);
        CHECK(r.is_private == (is_private != 0) && r.w.old == 7 && r.w.n == 3);
        CHECK_INT(head_request_open(&r, &w->journal.key, &d), 200);
        CHECK_INT(r.w.cp.size, 12);
        head_request_entry(&r, &w->journal.key, &got);
        if (is_private) {
            struct buf hidden;
            buf_init(&hidden, ENTRY_MAX);
            entry_commit(salt, buf_view(&want), &hidden);
            CHECK(slice_eq(buf_view(&got), buf_view(&hidden)));
            buf_free(&hidden);
        } else {
            CHECK(slice_eq(buf_view(&got), buf_view(&want)));
        }
    }
    CHECK_INT(head_request_open(&r, NULL, &d), 404);
    CHECK_INT(head_request_open(&r, &w->log.key, &d), 403);
    note.p[0] ^= 1;
    buf_reset(&body);
    head_request_print(NULL, 7, proof, 3, buf_view(&note), &body);
    CHECK_INT(head_request_parse(buf_view(&body), &r, &d), 0);
    CHECK_INT(head_request_open(&r, &w->journal.key, &d), 403);
    note.p[0] ^= 1;
    /* old past the size; a second signature, which nobody could check. */
    buf_reset(&body);
    head_request_print(NULL, 13, proof, 0, buf_view(&note), &body);
    CHECK_INT(head_request_parse(buf_view(&body), &r, &d), 0);
    CHECK_INT(head_request_open(&r, &w->journal.key, &d), 400);
    buf_reset(&body);
    head_request_print(NULL, 7, proof, 0, buf_view(&note), &body);
    buf_str(&body, "\xE2\x80\x94 someone AAAAAAAA\n");
    CHECK_INT(head_request_parse(buf_view(&body), &r, &d), 0);
    CHECK_INT(head_request_open(&r, &w->journal.key, &d), 400);
    static const char *const bad[] = {"private \nold 0\n\n", "private AAAA\nold 0\n\n", "old 0\n",
                                      "Private x\n", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(head_request_parse(slice_str(bad[i]), &r, &d), ERR_SYNTAX);
    while (body.n <= HEAD_REQUEST_MAX)
        buf_byte(&body, 'x');
    CHECK_INT(head_request_parse(buf_view(&body), &r, &d), ERR_TOO_LARGE);
    buf_free(&note);
    buf_free(&body);
    buf_free(&want);
    buf_free(&got);
    ledger_world_free(w);
}

TEST(verdicts_on_heads)
{
    struct round_tree t;
    struct merkle_hash root[9], proof[MERKLE_DEPTH], other = {{1}};
    struct witness_state last;
    struct diag d;
    size_t n;
    CHECK_INT(round_tree_init(&t, 8), 0);
    for (uint64_t i = 0; i < 8; i++)
        round_tree_leaf(&t, i, slice_of(&i, sizeof i));
    round_tree_finish(&t);
    for (uint64_t i = 0; i <= 8; i++)
        CHECK_INT(merkle_root_at(round_tree_get, &t, i, &root[i]), 0);
    witness_state_init(&last);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 5, &root[5], &d), HEAD_ACCEPTED);
    CHECK_INT(head_judge(&last, false, 0, proof, 1, 5, &root[5], &d), HEAD_UNPROVEN);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 0, &other, &d), HEAD_UNSOUND);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 0, &root[0], &d), HEAD_AGAIN);

    last = (struct witness_state){5, root[5]};
    CHECK_INT(merkle_consistency(round_tree_get, &t, 5, 8, proof, &n), 0);
    CHECK_INT(head_judge(&last, false, 5, proof, n, 8, &root[8], &d), HEAD_ACCEPTED);
    CHECK_INT(head_judge(&last, false, 5, proof, n - 1, 8, &root[8], &d), HEAD_UNPROVEN);
    CHECK_INT(head_judge(&last, false, 5, proof, n, 8, &other, &d), HEAD_UNPROVEN);
    CHECK_INT(head_judge(&last, false, 4, proof, n, 8, &root[8], &d), HEAD_STALE);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 8, &root[8], &d), HEAD_STALE);
    /* Again, whatever old is: the answer was lost. Another root is a fork, whatever old is. */
    CHECK_INT(head_judge(&last, false, 3, proof, n, 5, &root[5], &d), HEAD_AGAIN);
    CHECK_INT(head_judge(&last, false, 5, NULL, 0, 5, &other, &d), HEAD_FORK);
    CHECK_INT(head_judge(&last, true, 0, NULL, 0, 5, &other, &d), HEAD_FORK);
    /* Smaller: an old one of ours, or one that was never seen. */
    CHECK_INT(head_judge(&last, true, 0, NULL, 0, 3, &root[3], &d), HEAD_STALE);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 3, &root[3], &d), HEAD_ROLLBACK);
    CHECK_INT(head_judge(&last, false, 0, NULL, 0, 0, &root[0], &d), HEAD_ROLLBACK);
    CHECK(d.text[0] != 0);
    CHECK_INT(head_status(HEAD_ACCEPTED), 200);
    CHECK_INT(head_status(HEAD_AGAIN), 200);
    CHECK_INT(head_status(HEAD_STALE), 409);
    for (int v = HEAD_FORK; v <= HEAD_UNSOUND; v++)
        CHECK_INT(head_status((enum head_verdict)v), 422);
    round_tree_free(&t);
}

/* --- records and files --- */

TEST(records_of_rounds)
{
    struct round_record r = {.round = 0x0102030405060708, .time_ms = 9, .entries = 3, .heads = 4},
                        s;
    uint8_t a[ROUND_RECORD], b[ROUND_RECORD];
    char hex[2 * ROUND_RECORD + 1];
    struct diag d;
    memset(&r.root, 0xAB, sizeof r.root);
    memset(r.previous, 0xCD, sizeof r.previous);
    round_record_print(&r, a);
    hex_print(slice_of(a, sizeof a), hex);
    CHECK_STR(hex, "53525231"
                   "01"
                   "000000"
                   "0102030405060708"
                   "0000000000000009"
                   "0000000000000003"
                   "0000000000000004"
                   "abababababababababababababababababababababababababababababababab"
                   "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");
    CHECK_INT(round_record_parse(slice_of(a, sizeof a), &s, &d), 0);
    CHECK(s.round == r.round && s.time_ms == 9 && s.entries == 3 && s.heads == 4 &&
          memcmp(&s.root, &r.root, 32) == 0 && memcmp(s.previous, r.previous, 32) == 0);
    CHECK_INT(round_record_parse(slice_of(a, ROUND_RECORD - 1), &s, &d), ERR_SYNTAX);
    /* Magic, algorithm, zero bytes, numbers from 2^63 on, fewer heads than entries. */
    static const struct {
        size_t at;
        uint8_t value;
        int rc;
    } bad[] = {{0, 'X', ERR_SYNTAX},   {4, 2, ERR_UNSUPPORTED_ALGORITHM},
               {5, 1, ERR_SYNTAX},     {7, 1, ERR_SYNTAX},
               {8, 0x80, ERR_SYNTAX},  {16, 0x80, ERR_SYNTAX},
               {24, 0x80, ERR_SYNTAX}, {32, 0x80, ERR_SYNTAX},
               {39, 2, ERR_SYNTAX},    {31, 0, ERR_SYNTAX}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        memcpy(b, a, sizeof b);
        b[bad[i].at] = bad[i].value;
        if (round_record_parse(slice_of(b, sizeof b), &s, &d) != bad[i].rc)
            FAIL("byte %zu", bad[i].at);
    }
    r.round = 0; /* nothing was before the first */
    round_record_print(&r, b);
    CHECK_INT(round_record_parse(slice_of(b, sizeof b), &s, &d), ERR_SYNTAX);
}

TEST(one_round_after_another)
{
    struct round_record r = {.time_ms = 1000}, s = {.round = 1, .time_ms = 1001};
    uint8_t a[ROUND_RECORD], b[ROUND_RECORD];
    struct diag d;
    merkle_empty(&r.root);
    merkle_empty(&s.root);
    round_record_print(&r, a);
    round_record_digest(a, s.previous);
    round_record_print(&s, b);
    CHECK_INT(round_follows(a, b, &d), 0);
    CHECK_INT(round_follows(b, b, &d), ERR_INVALID_HASH_CHAIN);
    s.time_ms = 1000;
    round_record_print(&s, b);
    CHECK_INT(round_follows(a, b, &d), ERR_INVALID_HASH_CHAIN);
    s.time_ms = 1001;
    s.round = 2;
    round_record_print(&s, b);
    CHECK_INT(round_follows(a, b, &d), ERR_INVALID_HASH_CHAIN);
    s.round = 1;
    s.previous[31] ^= 1;
    round_record_print(&s, b);
    CHECK_INT(round_follows(a, b, &d), ERR_INVALID_HASH_CHAIN);
    a[0] ^= 1;
    CHECK_INT(round_follows(a, b, &d), ERR_SYNTAX);
    CHECK_INT(round_follows(b, a, &d), ERR_SYNTAX);
}

static int seen(void *ctx, uint64_t index, struct slice bytes, const struct entry *e)
{
    uint64_t *n = ctx;
    CHECK(index == (*n)++ && bytes.n > 0);
    struct diag d;
    return entry_verify(e, NULL, &d);
}

TEST(files_of_rounds)
{
    struct ledger_world *w = ledger_world_new();
    static const unsigned counts[] = {0, 1, 2, 255, 256};
    struct buf note, entry, file;
    struct diag d;
    buf_init(&note, NOTE_MAX);
    buf_init(&entry, ENTRY_MAX);
    buf_init(&file, 1u << 20);
    head_note(&w->journal, 12, &note);
    entry_print(&w->journal.key, buf_view(&note), &entry);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct round_record r = {.entries = counts[i] + 1, .heads = counts[i] + 1};
        struct chain_path path;
        uint64_t n = 0;
        buf_reset(&file);
        ledger_subtree(buf_view(&entry), counts[i], 3, &path, &r.root, &file);
        CHECK_INT(round_check(buf_view(&file), &r, seen, &n, &d), 0);
        CHECK_INT(n, counts[i] + 1);
        r.heads++;
        CHECK_INT(round_check(buf_view(&file), &r, NULL, NULL, &d), ERR_CORRUPT);
        r.heads--;
        r.entries++;
        CHECK_INT(round_check(buf_view(&file), &r, NULL, NULL, &d), ERR_CORRUPT);
        r.entries--;
        r.root.b[0] ^= 1;
        CHECK_INT(round_check(buf_view(&file), &r, NULL, NULL, &d), ERR_INVALID_HASH_CHAIN);
        r.root.b[0] ^= 1;
        file.n--;
        CHECK_INT(round_check(buf_view(&file), &r, NULL, NULL, &d), ERR_CORRUPT);
    }
    struct round_record none = {0};
    merkle_empty(&none.root);
    CHECK_INT(round_check(SLICE_NONE, &none, NULL, NULL, &d), 0);
    /* One journal twice, with two sizes or with two keys; out of order. */
    struct ledger_signer again;
    ledger_signer_init(&again, w->journal.key.name, NOTE_ED25519, 50);
    for (int which = 0; which < 3; which++) {
        struct buf e[2];
        for (int k = 0; k < 2; k++) {
            buf_init(&e[k], ENTRY_MAX);
            buf_reset(&note);
            const struct ledger_signer *s = k == 0 ? &w->journal : which == 1 ? &again : &w->log;
            if (which == 0)
                s = &w->journal;
            head_note(s, 12 + (uint64_t)k, &note);
            entry_print(&s->key, buf_view(&note), &e[k]);
        }
        qsort(e, 2, sizeof e[0], ledger_by_bytes);
        CHECK_INT(round_same_name(buf_view(&e[0]), buf_view(&e[1])), which < 2);
        struct round_record r = {.entries = 2, .heads = 2};
        buf_reset(&file);
        CHECK_INT(tile_bundle_add(&file, buf_view(&e[which == 2])), 0);
        CHECK_INT(tile_bundle_add(&file, buf_view(&e[which != 2])), 0);
        CHECK_INT(round_check(buf_view(&file), &r, NULL, NULL, &d), ERR_CORRUPT);
        CHECK(strstr(d.text, which < 2 ? "twice" : "order") != NULL);
        buf_free(&e[0]);
        buf_free(&e[1]);
    }
    ledger_signer_free(&again);
    buf_free(&note);
    buf_free(&entry);
    buf_free(&file);
    ledger_world_free(w);
}

static void check_tree(uint64_t n)
{
    struct round_tree t;
    struct merkle_frontier f = {0};
    struct merkle_hash h, root, proof[MERKLE_DEPTH];
    size_t len;
    CHECK_INT(round_tree_init(&t, n), 0);
    for (uint64_t i = 0; i < n; i++) {
        round_tree_leaf(&t, i, slice_of(&i, sizeof i));
        merkle_leaf(slice_of(&i, sizeof i), &h);
        merkle_append(&f, &h);
    }
    round_tree_finish(&t);
    merkle_root(&f, &root);
    CHECK_INT(merkle_root_at(round_tree_get, &t, n, &h), 0);
    CHECK(memcmp(&h, &root, sizeof h) == 0);
    for (uint64_t i = 0; i < n; i += 1 + n / 300) {
        CHECK_INT(merkle_inclusion(round_tree_get, &t, i, n, proof, &len), 0);
        CHECK_INT(round_tree_get(&t, 0, i, &h), 0);
        CHECK_INT(merkle_verify_inclusion(&h, i, n, proof, len, &root), 0);
    }
    CHECK_INT(round_tree_get(&t, 0, n, &h), ERR_NOT_FOUND);
    CHECK_INT(round_tree_get(&t, 64, 0, &h), ERR_NOT_FOUND);
    round_tree_free(&t);
}

TEST(trees_of_rounds)
{
    struct round_tree t;
    for (uint64_t n = 0; n < 40; n++)
        check_tree(n);
    check_tree(256);
    check_tree(257);
    check_tree(65537);
    CHECK_INT(round_tree_init(&t, UINT64_MAX), ERR_TOO_LARGE);
}
