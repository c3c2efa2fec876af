/* Policies, and plain proof files under one of them: each vector gets its verdict. */
#include "ledger_vectors.h"

#include "base/base64.h"
#include "base/err.h"
#include "tlog/policy.h"
#include "tlog/proof.h"

static const char *why(const json_t *v)
{
    return json_string_value(json_object_get(v, "why"));
}

TEST(policies_of_the_vectors)
{
    json_t *j = ledger_vectors("policy.json"), *v, *yes;
    size_t i;
    const char *set;
    json_array_foreach(json_object_get(j, "policies"), i, v)
    {
        struct policy *p;
        struct diag d = {0};
        int rc = policy_parse(ledger_text(v, "policy"), &p, &d);
        if ((rc == 0) != slice_eq_str(ledger_text(v, "expect"), "ok"))
            FAIL("%s: %s", why(v), rc == 0 ? "ok" : d.text);
        if (rc != 0) {
            CHECK(p == NULL && d.text[0] != 0);
            continue;
        }
        /* The sets are of the keys w1 to w3, whatever their names here. */
        json_object_foreach(json_object_get(v, "accepts"), set, yes)
        {
            uint32_t bits = 0;
            for (size_t w = 0; w < p->n_witnesses; w++) {
                struct slice name = note_key_name(&p->witness[w].key);
                if (name.n > 1 && strchr(set, name.p[1]) != NULL && name.p[0] == 'w' &&
                    strcmp(set, "none") != 0)
                    bits |= UINT32_C(1) << w;
            }
            if (policy_satisfied(p, bits) != json_is_true(yes))
                FAIL("%s: witnesses %s", why(v), set);
        }
        unsigned least = 99;
        for (uint32_t bits = 0; bits < UINT32_C(1) << p->n_witnesses; bits++)
            if (policy_satisfied(p, bits) && (unsigned)__builtin_popcount(bits) < least)
                least = (unsigned)__builtin_popcount(bits);
        CHECK_INT(policy_needs(p), least);
        policy_free(p);
    }
    CHECK_INT(i, 25);
    json_decref(j);
}

static struct policy *two_of_three(void)
{
    json_t *j = ledger_vectors("policy.json");
    struct policy *p;
    struct diag d;
    CHECK_INT(policy_parse(ledger_text(json_array_get(json_object_get(j, "policies"), 0), "policy"),
                           &p, &d),
              0);
    json_decref(j);
    return p;
}

TEST(proofs_of_the_vectors)
{
    json_t *j = ledger_vectors("proof.json"), *v;
    struct policy *p = two_of_three();
    static struct proof proof;
    size_t i;
    json_array_foreach(json_object_get(j, "proofs"), i, v)
    {
        uint8_t data[64];
        struct merkle_hash leaf;
        struct policy_verdict verdict;
        struct diag d = {0};
        struct slice file = ledger_text(v, "proof");
        merkle_leaf(ledger_hex(v, "leaf_data", data, sizeof data), &leaf);
        int rc = proof_parse(file, &proof, &d);
        if (rc == 0) {
            struct buf b;
            buf_init(&b, PROOF_MAX);
            proof_print(&proof, &b);
            check_text(buf_view(&b), file);
            buf_free(&b);
            rc = proof_verify(&proof, &leaf, p, &verdict, &d);
        }
        if ((rc == 0) != slice_eq_str(ledger_text(v, "expect"), "ok"))
            FAIL("%s: %s", why(v), rc == 0 ? "ok" : d.text);
        if (rc == 0) {
            CHECK(verdict.time_s == 1767225601 || verdict.time_s == 1767225600);
            CHECK_INT(__builtin_popcount(verdict.witnesses), 2);
        }
    }
    CHECK_INT(i, 18);
    policy_free(p);
    json_decref(j);
}

TEST(the_example_file)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/ledger/example.tlog-proof", VECTORS());
    size_t n;
    unsigned char *bytes = test_file(path, &n);
    struct policy *p = two_of_three();
    static struct proof proof;
    struct policy_verdict v;
    struct diag d;
    struct merkle_hash leaf;
    uint8_t three = 3;
    merkle_leaf(slice_of(&three, 1), &leaf);
    CHECK_INT(proof_parse(slice_of(bytes, n), &proof, &d), 0);
    CHECK_INT(proof_verify(&proof, &leaf, p, &v, &d), 0);
    CHECK_INT(v.checkpoint.size, 7);
    free(bytes);
    policy_free(p);
}

/* --- what the vectors do not have --- */

static void add_key(struct buf *b, unsigned i, enum note_type type)
{
    struct note_key k;
    struct diag d;
    char name[16];
    uint8_t public[32];
    /* Any 32 bytes are a key's form; whether they are a point shows when something is verified. */
    memset(public, (int)i + 1, sizeof public);
    snprintf(name, sizeof name, "n%u", i);
    CHECK_INT(note_key_make(slice_str(name), type, public, &k, &d), 0);
    note_key_print(&k, b);
    note_key_free(&k);
}

TEST(as_many_as_there_is_room_for)
{
    struct buf b;
    struct diag d;
    struct policy *p;
    for (unsigned n = POLICY_WITNESSES; n <= POLICY_WITNESSES + 1; n++) {
        buf_init(&b, POLICY_MAX);
        for (unsigned i = 0; i < n; i++) {
            buf_str(&b, "log ");
            add_key(&b, i, NOTE_ED25519);
            buf_str(&b, " https://log.example/\n");
        }
        for (unsigned i = 0; i < POLICY_WITNESSES; i++) {
            buf_printf(&b, "witness w%u ", i);
            add_key(&b, 100 + i, NOTE_COSIGNATURE);
            buf_str(&b, " https://w.example/\n");
        }
        buf_str(&b, "group g 32");
        for (unsigned i = 0; i < POLICY_WITNESSES; i++)
            buf_printf(&b, " w%u", i);
        buf_str(&b, "\nquorum g");
        CHECK_INT(policy_parse(buf_view(&b), &p, &d), n == POLICY_LOGS ? 0 : ERR_TOO_LARGE);
        buf_free(&b);
        if (n > POLICY_LOGS)
            break;
        CHECK(policy_satisfied(p, UINT32_MAX));
        CHECK(!policy_satisfied(p, UINT32_MAX >> 1));
        CHECK_INT(policy_needs(p), 32);
        check_text(p->witness[31].url, SLICE_LIT("https://w.example/"));
        policy_free(p);
    }
}

TEST(groups_of_groups)
{
    struct buf b;
    struct diag d;
    struct policy *p;
    buf_init(&b, POLICY_MAX);
    for (unsigned i = 0; i < 6; i++) {
        buf_printf(&b, "witness w%u ", i);
        add_key(&b, i, NOTE_COSIGNATURE);
        buf_str(&b, "\n");
    }
    buf_str(&b, "group a all w0 w1\ngroup b any w2 w3\ngroup c 2 a b w4\nquorum c\n");
    CHECK_INT(policy_parse(buf_view(&b), &p, &d), 0);
    for (uint32_t w = 0; w < 64; w++) {
        int a = (w & 3) == 3, o = (w & 12) != 0, f = (w & 16) != 0;
        CHECK_INT(policy_satisfied(p, w), a + o + f >= 2);
    }
    CHECK_INT(policy_needs(p), 2);
    policy_free(p);
    static const char *const bad[] = {"quorum w0 w1\n",
                                      "quorum\n",
                                      "log\nquorum none\n",
                                      "witness none\nquorum none\n",
                                      "group g\nquorum none\n",
                                      "group g any\nquorum none\n",
                                      "witness w0 x\nquorum none\n",
                                      "quorum none\nquorum none\n",
                                      "Quorum none\n",
                                      "\x7Fquorum none\n",
                                      "group g 01 w0\nquorum none\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (policy_parse(slice_str(bad[i]), &p, &d) == 0)
            FAIL("accepted: %s", bad[i]);
    /* Six witnesses, and then one line that is wrong by itself. */
    static const char *const last[] = {"group g 01 w0\n",     "group g 0 w0\n",
                                       "group g any w9\n",    "group w0 any w1\n",
                                       "group g any w0 w0\n", "group none any w0\n"};
    size_t six = slice_find_slice(buf_view(&b), SLICE_LIT("group"));
    for (size_t i = 0; i < ARRAY_LEN(last); i++) {
        b.n = six;
        buf_str(&b, last[i]);
        buf_str(&b, "quorum none\n");
        CHECK_INT(policy_parse(buf_view(&b), &p, &d), ERR_SYNTAX);
        CHECK_STR(d.where, "line 7");
    }
    buf_free(&b);
}
