/* The chain from a record to the ledger: what holds, what each change of it breaks. */
#include "ledger_world.h"

#include "base/err.h"
#include "tlog/proof.h"

static const struct ledger_plan plans[] = {
    {.witnesses = 2},
    {.records = 1000, .index = 999, .others = 5, .rounds = 70, .round = 69, .witnesses = 3},
    {.records = 7, .index = 3, .others = 2, .aggregators = 1, .rounds = 9, .witnesses = 2},
    {.records = 7,
     .index = 6,
     .others = 1,
     .aggregators = CHAIN_AGGREGATES,
     .is_private = true,
     .rounds = 300,
     .round = 256,
     .witnesses = 2,
     .anchor = true},
    {.records = 64, .is_private = true, .leaf_only = true, .rounds = 4, .round = 3, .witnesses = 2},
};

static struct policy *policy_of(const struct ledger_world *w, unsigned k)
{
    struct buf b;
    struct policy *p;
    struct diag d = {0};
    buf_init(&b, POLICY_MAX);
    ledger_world_policy(w, k, &b);
    if (policy_parse(buf_view(&b), &p, &d) != 0)
        FAIL("the policy of the tests: %s", d.text);
    buf_free(&b);
    return p;
}

static int verify(struct slice file, const struct policy *p, const struct anchor *a,
                  struct chain_verdict *v, struct diag *d)
{
    static struct chain c;
    int rc = chain_parse(file, &c, d);
    return rc != 0 ? rc : chain_verify(&c, p, a, v, d);
}

TEST(proofs_that_hold)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        const struct ledger_plan *plan = &plans[i];
        struct ledger_case *k = ledger_case_new(w, plan);
        static struct chain c;
        static struct chain_answer a;
        struct chain_verdict v;
        struct diag d = {0};
        if (verify(buf_view(&k->file), p, NULL, &v, &d) != 0)
            FAIL("plan %zu: %s", i, d.text);
        CHECK(slice_eq(v.origin, note_key_name(&w->journal.key)));
        CHECK(slice_eq(v.log, note_key_name(&w->log.key)));
        CHECK_INT(v.head_size, plan->records == 0 ? 1 : plan->records);
        CHECK_INT(v.index, plan->index);
        CHECK_INT(v.round, plan->round);
        CHECK_INT(v.round_time_ms, (WORLD_TIME + plan->round) * 1000);
        CHECK_INT(v.round_entries, plan->others + 1);
        CHECK_INT(v.round_heads, 1 + plan->others * (plan->aggregators + 1));
        CHECK_INT(v.aggregators, plan->aggregators);
        CHECK_INT(v.is_private, plan->is_private);
        CHECK_INT(v.ledger_size, plan->rounds == 0 ? 1 : plan->rounds);
        CHECK(v.by_policy && !v.by_anchor);
        CHECK_INT(__builtin_popcount(v.policy.witnesses), plan->witnesses);
        CHECK_INT(v.policy.time_s, WORLD_TIME + 1);
        /* What parses prints as the same bytes. */
        struct buf b;
        buf_init(&b, CHAIN_MAX);
        CHECK_INT(chain_parse(buf_view(&k->file), &c, &d), 0);
        chain_print(&c, &b);
        CHECK(slice_eq(buf_view(&b), buf_view(&k->file)));
        buf_reset(&b);
        CHECK_INT(chain_answer_parse(buf_view(&k->answer), &a, &d), 0);
        chain_answer_print(&a, &b);
        CHECK(slice_eq(buf_view(&b), buf_view(&k->answer)));
        CHECK_INT(chain_answer_verify(&a, p, &v, &d), 0);
        CHECK_INT(v.round, plan->round);
        buf_free(&b);
        ledger_case_free(k);
    }
    policy_free(p);
    ledger_world_free(w);
}

TEST(the_record_comes_back)
{
    struct ledger_world *w = ledger_world_new();
    struct ledger_plan plan = {.records = 5, .index = 2, .witnesses = 2};
    struct ledger_case *k = ledger_case_new(w, &plan);
    struct buf got, want;
    uint8_t salt[ENTRY_SALT];
    struct merkle_hash leaf;
    buf_init(&got, 1024);
    buf_init(&want, 1024);
    ledger_record(2, &want, salt);
    CHECK_INT(chain_record(&k->chain, &got), 0);
    CHECK(slice_eq(buf_view(&got), buf_view(&want)));
    CHECK_INT(chain_leaf(salt, buf_view(&got), &leaf), 0);
    CHECK(memcmp(&leaf, &k->chain.leaf, sizeof leaf) == 0);
    k->chain.has_record = false;
    CHECK_INT(chain_record(&k->chain, &got), ERR_NOT_FOUND);
    buf_free(&got);
    buf_free(&want);
    ledger_case_free(k);
    ledger_world_free(w);
}

/*
 * Each byte changed in several ways, with exactly the quorum's cosigners in the file: every change
 * is refused.
 */
TEST(each_byte_of_a_proof_means_something)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    static const uint8_t changes[] = {0x01, 0x04, 0x20, 0x80};
    size_t tried = 0;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct ledger_plan plan = plans[i];
        if (plan.aggregators > 2)
            plan.aggregators = 2; /* more of the same, and it takes long */
        plan.witnesses = 2;
        struct ledger_case *k = ledger_case_new(w, &plan);
        struct chain_verdict v;
        struct diag d;
        for (size_t at = 0; at < k->file.n; at++) {
            for (size_t c = 0; c < ARRAY_LEN(changes); c++, tried++) {
                k->file.p[at] ^= changes[c];
                if (verify(buf_view(&k->file), p, NULL, &v, &d) == 0)
                    FAIL("plan %zu, byte %zu changed by %02x: still valid\n%.*s", i, at, changes[c],
                         (int)k->file.n, k->file.p);
                k->file.p[at] ^= changes[c];
            }
        }
        CHECK_INT(verify(buf_view(&k->file), p, NULL, &v, &d), 0);
        ledger_case_free(k);
    }
    CHECK(tried > 30000);
    policy_free(p);
    ledger_world_free(w);
}

TEST(a_proof_cut_short_or_with_bytes_left_over)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        struct ledger_plan plan = plans[i];
        plan.witnesses = 2;
        struct ledger_case *k = ledger_case_new(w, &plan);
        struct chain_verdict v;
        struct diag d;
        size_t whole = k->file.n, end = slice_find_slice(buf_view(&k->file), SLICE_LIT("anchor "));
        for (size_t n = 0; n < whole; n++) {
            if (verify(slice_sub(buf_view(&k->file), 0, n), p, NULL, &v, &d) != 0)
                continue;
            /* What is left without its anchor is a proof of its own. */
            if (end == SIZE_MAX || n + 1 != end)
                FAIL("plan %zu: valid with %zu of %zu bytes", i, n, whole);
        }
        static const char *const more[] = {"\n", " ", "x", "\n\n", "x\n", "\nanchor "};
        for (size_t m = 0; m < ARRAY_LEN(more); m++) {
            k->file.n = whole;
            buf_str(&k->file, more[m]);
            CHECK(verify(buf_view(&k->file), p, NULL, &v, &d) != 0);
        }
        ledger_case_free(k);
    }
    policy_free(p);
    ledger_world_free(w);
}

/* --- one part of another proof --- */

TEST(parts_of_other_proofs)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    struct ledger_plan one = plans[2], two = plans[2];
    two.records = 9;
    two.rounds = 12;
    two.round = 1;
    struct ledger_case *a = ledger_case_new(w, &one), *b = ledger_case_new(w, &two);
    struct chain_verdict v;
    struct diag d;
    for (int part = 0; part < 7; part++) {
        static struct chain c;
        c = a->chain;
        switch (part) {
        case 0:
            c.leaf = b->chain.leaf;
            c.leaf.b[0] ^= 1; /* records with one index are the same in both */
            break;
        case 1:
            c.journal = b->chain.journal;
            break;
        case 2:
            c.answer.entry = b->chain.answer.entry;
            break;
        case 3:
            c.answer.aggregate[0] = b->chain.answer.aggregate[0];
            break;
        case 4:
            memcpy(c.answer.record, b->chain.answer.record, ROUND_RECORD);
            break;
        case 5:
            c.answer.ledger = b->chain.answer.ledger;
            break;
        case 6:
            c.answer.checkpoint = b->chain.answer.checkpoint;
            break;
        }
        if (chain_verify(&c, p, NULL, &v, &d) == 0)
            FAIL("part %d of another proof was taken", part);
    }
    /* Claims beside the signed numbers. */
    static struct chain c;
    c = a->chain;
    c.answer.round.of++;
    CHECK_INT(chain_verify(&c, p, NULL, &v, &d), ERR_INVALID_HASH_CHAIN);
    c = a->chain;
    c.answer.aggregate[0].path.of++;
    CHECK_INT(chain_verify(&c, p, NULL, &v, &d), ERR_INVALID_HASH_CHAIN);
    c = a->chain;
    c.answer.ledger.index++;
    CHECK_INT(chain_verify(&c, p, NULL, &v, &d), ERR_INVALID_HASH_CHAIN);
    c = a->chain;
    c.answer.is_private = true;
    CHECK_INT(chain_verify(&c, p, NULL, &v, &d), ERR_INVALID_HASH_CHAIN);
    /* The aggregate's entry where the head should be: nobody's record stands in it. */
    c = a->chain;
    c.answer.entry = c.answer.aggregate[0].entry;
    CHECK_INT(chain_verify(&c, p, NULL, &v, &d), ERR_SYNTAX);
    ledger_case_free(a);
    ledger_case_free(b);
    policy_free(p);
    ledger_world_free(w);
}

TEST(witnesses_and_policies)
{
    struct ledger_world *w = ledger_world_new();
    struct chain_verdict v;
    struct diag d;
    for (int have = 0; have <= WORLD_WITNESSES; have++) {
        struct ledger_plan plan = plans[1];
        plan.witnesses = have;
        struct ledger_case *k = ledger_case_new(w, &plan);
        for (unsigned need = 0; need <= WORLD_WITNESSES; need++) {
            struct policy *p = policy_of(w, need);
            int rc = verify(buf_view(&k->file), p, NULL, &v, &d);
            CHECK_INT(rc, (int)need <= have ? 0 : ERR_SIGNATURE_VERIFICATION);
            CHECK_INT(__builtin_popcount(v.policy.witnesses), have);
            if (rc == 0) /* the k-th signature's time */
                CHECK_INT(v.policy.time_s, need == 0 ? 0 : WORLD_TIME + need - 1);
            policy_free(p);
        }
        CHECK_INT(verify(buf_view(&k->file), NULL, NULL, &v, &d), ERR_USAGE);
        ledger_case_free(k);
    }
    /* Another country's ledger, whose key has the same name. */
    struct ledger_plan plan = plans[1];
    struct ledger_case *k = ledger_case_new(w, &plan);
    struct policy *p;
    ledger_signer_free(&w->log);
    ledger_signer_init(&w->log, "ledger.sild.example", NOTE_ED25519, 99);
    p = policy_of(w, 2);
    CHECK_INT(verify(buf_view(&k->file), p, NULL, &v, &d), ERR_MISSING_SIGNATURE);
    policy_free(p);
    ledger_case_free(k);
    ledger_world_free(w);
}

/* --- anchors --- */

TEST(an_anchor_stands_for_all_keys)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    struct ledger_case *k = ledger_case_new(w, &plans[3]);
    struct chain_verdict v;
    struct diag d = {0};
    struct anchor a = k->anchor;
    CHECK_INT(verify(buf_view(&k->file), NULL, &a, &v, &d), 0);
    CHECK(v.by_anchor && !v.by_policy);
    CHECK_INT(v.anchor.time_s, WORLD_TIME + 60);
    CHECK_INT(verify(buf_view(&k->file), p, &a, &v, &d), 0);
    CHECK(v.by_anchor && v.by_policy);
    a.root.b[3] ^= 1;
    CHECK_INT(verify(buf_view(&k->file), NULL, &a, &v, &d), ERR_INVALID_HASH_CHAIN);
    a = k->anchor;
    a.time_s++;
    CHECK_INT(verify(buf_view(&k->file), NULL, &a, &v, &d), ERR_INVALID_HASH_CHAIN);
    ledger_case_free(k);

    /* Without a path in the file: only the checkpoint itself can be the anchor. */
    struct ledger_plan plan = plans[3];
    plan.anchor = false;
    k = ledger_case_new(w, &plan);
    CHECK_INT(verify(buf_view(&k->file), NULL, &k->anchor, &v, &d), ERR_INVALID_HASH_CHAIN);
    CHECK_INT(verify(buf_view(&k->file), p, NULL, &v, &d), 0);
    a = (struct anchor){.size = v.ledger_size, .root = v.policy.checkpoint.root, .time_s = 5};
    anchor_origin(v.log, a.origin);
    CHECK_INT(verify(buf_view(&k->file), NULL, &a, &v, &d), 0);
    a.origin[0] ^= 1;
    CHECK_INT(verify(buf_view(&k->file), NULL, &a, &v, &d), ERR_INVALID_HASH_CHAIN);
    ledger_case_free(k);
    policy_free(p);
    ledger_world_free(w);
}

TEST(anchor_strings)
{
    struct anchor a = {.size = 31500000, .time_s = WORLD_TIME, .origin = {1, 2, 3, 4}}, b;
    char text[ANCHOR_TEXT], typed[2 * ANCHOR_TEXT];
    struct diag d;
    for (int i = 0; i < 32; i++)
        a.root.b[i] = (uint8_t)(i * 7);
    anchor_print(&a, text);
    CHECK_INT(strlen(text), ANCHOR_TEXT - 1);
    CHECK_INT(anchor_parse(slice_str(text), &b, &d), 0);
    CHECK(b.size == a.size && b.time_s == a.time_s && memcmp(&b.root, &a.root, 32) == 0 &&
          memcmp(b.origin, a.origin, 4) == 0);
    for (size_t i = 0; text[i] != 0; i++) {
        for (int c = 1; c < 256; c++) {
            char was = text[i];
            if (was == (char)c)
                continue;
            text[i] = (char)c;
            CHECK(anchor_parse(slice_str(text), &b, &d) != 0);
            text[i] = was;
        }
        CHECK(anchor_parse(slice_of(text, i), &b, &d) != 0);
    }
    /* As a person types it: small letters, blanks for hyphens, over two lines. */
    size_t n = 0;
    for (size_t i = 0; text[i] != 0; i++) {
        typed[n++] = text[i] == '-'   ? (i % 4 == 0 ? '\n' : ' ')
                     : text[i] >= 'A' ? (char)(text[i] + 32)
                                      : text[i];
        if (i == 30)
            typed[n++] = '\t';
    }
    CHECK_INT(anchor_read(slice_of(typed, n), &b, &d), 0);
    CHECK_INT(b.size, a.size);
    CHECK_INT(anchor_parse(slice_of(typed, n), &b, &d), ERR_SYNTAX);
    typed[n++] = 'a';
    CHECK_INT(anchor_read(slice_of(typed, n), &b, &d), ERR_SYNTAX);
    CHECK_INT(anchor_read(SLICE_LIT(""), &b, &d), ERR_SYNTAX);
}

/* --- aggregators and plain proof files --- */

TEST(an_aggregator_extends_an_answer)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2);
    for (int is_private = 0; is_private < 2; is_private++) {
        struct ledger_plan plan = plans[3];
        plan.is_private = is_private != 0;
        struct ledger_case *k = ledger_case_new(w, &plan);
        const struct chain_answer *a = &k->chain.answer;
        static struct chain_answer upper, got;
        struct buf text, made;
        struct diag d = {0};
        struct chain_verdict v;
        buf_init(&text, CHAIN_ANSWER_MAX);
        buf_init(&made, CHAIN_ANSWER_MAX);
        upper = *a;
        upper.entry = a->aggregate[0].entry;
        upper.is_private = false;
        upper.aggregates--;
        memmove(&upper.aggregate[0], &a->aggregate[1], upper.aggregates * sizeof a->aggregate[0]);
        chain_answer_print(&upper, &text);
        CHECK_INT(chain_answer_parse(buf_view(&text), &got, &d), 0);
        CHECK_INT(chain_answer_verify(&got, p, &v, &d), 0);
        CHECK(slice_eq(v.origin, note_key_name(&w->aggregator.key)));
        CHECK_INT(chain_answer_extend(a->entry, is_private ? a->salt : NULL, &a->aggregate[0].path,
                                      buf_view(&text), &made, &d),
                  0);
        CHECK(slice_eq(buf_view(&made), buf_view(&k->answer)));
        CHECK_INT(
            chain_answer_extend(a->entry, NULL, &a->aggregate[0].path, buf_view(&made), &text, &d),
            ERR_SYNTAX);
        buf_free(&text);
        buf_free(&made);
        ledger_case_free(k);
    }
    policy_free(p);
    ledger_world_free(w);
}

TEST(its_ends_are_plain_proof_files)
{
    struct ledger_world *w = ledger_world_new();
    struct policy *p = policy_of(w, 2), *own;
    struct ledger_case *k = ledger_case_new(w, &plans[1]);
    static struct proof proof;
    struct policy_verdict v;
    struct merkle_hash leaf;
    struct diag d = {0};
    struct buf b;
    buf_init(&b, PROOF_MAX);
    chain_extract_ledger(&k->chain, &b);
    CHECK_INT(proof_parse(buf_view(&b), &proof, &d), 0);
    merkle_leaf(slice_of(k->chain.answer.record, ROUND_RECORD), &leaf);
    CHECK_INT(proof_verify(&proof, &leaf, p, &v, &d), 0);
    buf_reset(&b);
    /* The journal's head under a policy of its own key alone. */
    buf_str(&b, "log ");
    note_key_print(&w->journal.key, &b);
    buf_str(&b, "\nquorum none\n");
    CHECK_INT(policy_parse(buf_view(&b), &own, &d), 0);
    buf_reset(&b);
    CHECK_INT(chain_extract_journal(&k->chain, &b, &d), 0);
    CHECK_INT(proof_parse(buf_view(&b), &proof, &d), 0);
    CHECK_INT(proof_verify(&proof, &k->chain.leaf, own, &v, &d), 0);
    CHECK_INT(proof_verify(&proof, &leaf, own, &v, &d), ERR_INVALID_HASH_CHAIN);
    buf_free(&b);
    policy_free(own);
    policy_free(p);
    ledger_case_free(k);
    ledger_world_free(w);
}
