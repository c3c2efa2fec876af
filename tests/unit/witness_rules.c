/* The witness protocol: the vectors' requests in their order; what a log takes from an answer. */
#include "ledger_vectors.h"
#include "ledger_world.h"

#include "base/err.h"
#include "tlog/witness.h"

/* A witness of one log, as small as it can be. */
struct witness {
    struct note_key log;
    struct ledger_signer key;
    struct witness_state stored;
};

static int ask(struct witness *w, struct slice body, struct buf *answer, struct diag *d)
{
    static struct witness_request r;
    const struct note_key *keys[] = {&w->log};
    buf_reset(answer);
    if (witness_request_parse(body, &r, d) != 0)
        return 400;
    bool known = slice_eq(r.origin, note_key_name(&w->log));
    int status = witness_request_open(&r, keys, known ? 1 : 0, d);
    if (status == 200)
        status = witness_judge(&w->stored, &r, d);
    if (status == 409)
        buf_printf(answer, "%" PRIu64 "\n", w->stored.size);
    if (status != 200)
        return status;
    w->stored.size = r.cp.size;
    w->stored.root = r.cp.root;
    ledger_cosign(&w->key, WORLD_TIME, r.note.text, answer);
    return 200;
}

TEST(requests_of_the_vectors_in_order)
{
    json_t *j = ledger_vectors("witness.json"), *notes = ledger_vectors("note.json"), *v;
    json_t *w1 = json_array_get(json_object_get(notes, "keys"), 1);
    struct witness w = {0};
    struct diag d;
    struct buf answer;
    uint8_t seed[32];
    size_t i;
    buf_init(&answer, 4096);
    witness_state_init(&w.stored);
    CHECK_INT(note_key_parse(ledger_text(json_array_get(json_object_get(notes, "keys"), 0), "vkey"),
                             &w.log, &d),
              0);
    CHECK_INT(note_key_parse(ledger_text(w1, "vkey"), &w.key.key, &d), 0);
    w.key.secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                ledger_hex(w1, "seed", seed, 32).p, sizeof seed);
    json_array_foreach(json_object_get(j, "steps"), i, v)
    {
        d = (struct diag){0};
        int status = ask(&w, ledger_text(v, "body"), &answer, &d);
        if (status != (int)ledger_number(v, "status"))
            FAIL("%s: %d (%s)", json_string_value(json_object_get(v, "why")), status, d.text);
        CHECK_INT(w.stored.size, ledger_number(v, "size_after"));
        if (json_object_get(v, "response") != NULL)
            check_text(buf_view(&answer), ledger_text(v, "response"));
        CHECK(status == 200 || d.text[0] != 0);
    }
    CHECK_INT(i, 34);
    buf_free(&answer);
    note_key_free(&w.log);
    ledger_signer_free(&w.key);
    json_decref(j);
    json_decref(notes);
}

TEST(a_request_is_read_as_it_is_written)
{
    struct ledger_world *w = ledger_world_new();
    struct buf note, body;
    static struct witness_request r;
    struct merkle_hash proof[LINES_HASHES + 1];
    struct diag d;
    const struct note_key *keys[] = {&w->log.key};
    buf_init(&note, NOTE_MAX);
    buf_init(&body, WITNESS_REQUEST_MAX + 64);
    memset(proof, 7, sizeof proof);
    struct checkpoint c = {.origin = note_key_name(&w->log.key), .size = INT64_MAX};
    ledger_sign_checkpoint(&w->log, &c, &note);
    for (size_t n = 0; n <= LINES_HASHES + 1; n += 32) {
        buf_reset(&body);
        witness_request_print(INT64_MAX, proof, n, buf_view(&note), &body);
        int rc = witness_request_parse(buf_view(&body), &r, &d);
        CHECK_INT(rc, n <= LINES_HASHES ? 0 : ERR_SYNTAX);
        if (rc != 0)
            continue;
        CHECK(r.old == INT64_MAX && r.n == n && memcmp(r.proof, proof, n * 32) == 0);
        CHECK(slice_eq(r.bytes, buf_view(&note)) && slice_eq(r.origin, c.origin));
        CHECK_INT(witness_request_open(&r, keys, 1, &d), 200);
        CHECK_INT(r.cp.size, INT64_MAX);
        CHECK_INT(witness_request_open(&r, keys, 0, &d), 404);
    }
    /* Extension lines are not cosigned. */
    buf_reset(&note);
    buf_reset(&body);
    c.extensions = SLICE_LIT("more\n");
    ledger_sign_checkpoint(&w->log, &c, &note);
    witness_request_print(0, NULL, 0, buf_view(&note), &body);
    CHECK_INT(witness_request_parse(buf_view(&body), &r, &d), 0);
    CHECK_INT(witness_request_open(&r, keys, 1, &d), 400);
    while (body.n <= WITNESS_REQUEST_MAX)
        buf_byte(&body, 'x');
    CHECK_INT(witness_request_parse(buf_view(&body), &r, &d), ERR_TOO_LARGE);
    buf_free(&note);
    buf_free(&body);
    ledger_world_free(w);
}

TEST(what_a_log_takes_from_an_answer)
{
    struct ledger_world *w = ledger_world_new();
    struct buf text, other, body, lines;
    struct diag d;
    uint64_t t;
    buf_init(&text, NOTE_MAX);
    buf_init(&other, NOTE_MAX);
    buf_init(&body, 2 * WITNESS_ANSWER_MAX);
    buf_init(&lines, NOTE_MAX);
    struct checkpoint c = {.origin = note_key_name(&w->log.key), .size = 7};
    checkpoint_print(&c, &text);
    c.size = 8;
    checkpoint_print(&c, &other);
    const struct note_key *k = &w->witness[0].key;
    const struct slice mine = buf_view(&text);

    ledger_cosign(&w->witness[0], 99, mine, &body);
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d), 0);
    CHECK_INT(t, 99);
    CHECK(slice_eq(buf_view(&lines), buf_view(&body)));

    /* Lines of others before it, and one of its own that is bad, stop nothing. */
    buf_reset(&body);
    buf_reset(&lines);
    ledger_cosign(&w->witness[1], 98, mine, &body);
    ledger_cosign(&w->witness[0], 97, buf_view(&other), &body);
    ledger_cosign(&w->witness[0], 96, mine, &body);
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d), 0);
    CHECK_INT(t, 96);

    /* For another checkpoint; of another witness; a log's key's line; nonsense. */
    buf_reset(&body);
    buf_reset(&lines);
    ledger_cosign(&w->witness[0], 97, buf_view(&other), &body);
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d),
              ERR_INVALID_SIGNATURE_VALUE);
    CHECK_INT(t, 0);
    buf_reset(&body);
    ledger_cosign(&w->witness[1], 97, mine, &body);
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d), ERR_MISSING_SIGNATURE);
    static const char *const nonsense[] = {"",     "\n",  "<html>\n",
                                           "\n\n", "7\n", "\xE2\x80\x94 x y\n"};
    for (size_t i = 0; i < ARRAY_LEN(nonsense); i++)
        CHECK_INT(witness_answer_take(slice_str(nonsense[i]), mine, k, &lines, &t, &d), ERR_SYNTAX);
    /* Another note whole, whose text a careless reader would sign off. */
    buf_reset(&body);
    buf_slice(&body, buf_view(&other));
    buf_byte(&body, '\n');
    ledger_cosign(&w->witness[0], 97, mine, &body);
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d), ERR_SYNTAX);
    while (body.n <= WITNESS_ANSWER_MAX)
        buf_byte(&body, 'x');
    CHECK_INT(witness_answer_take(buf_view(&body), mine, k, &lines, &t, &d), ERR_TOO_LARGE);
    CHECK_INT(lines.n, 0);
    buf_free(&text);
    buf_free(&other);
    buf_free(&body);
    buf_free(&lines);
    ledger_world_free(w);
}

TEST(small_texts)
{
    uint64_t n;
    CHECK(witness_conflict_size(SLICE_LIT("17\n"), &n) && n == 17);
    static const char *const bad[] = {
        "", "17", "\n", "017\n", "17\n\n", " 17\n", "17\r\n", "9223372036854775808\n", "-1\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!witness_conflict_size(slice_str(bad[i]), &n));
    char path[76];
    witness_path(SLICE_LIT(""), path);
    CHECK_STR(path, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/checkpoint");
}
