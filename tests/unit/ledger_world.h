/*
 * A small ledger world for tests: keys of a journal, an aggregator, a log and three witnesses (from
 * fixed seeds), and what they sign. Times and contents are arguments, so the same call gives the
 * same bytes each time.
 */
#ifndef SILD_TESTS_UNIT_LEDGER_WORLD_H
#define SILD_TESTS_UNIT_LEDGER_WORLD_H

#include "test.h"

#include "base/base64.h"

#include "crypto/sign.h"
#include "tlog/chain.h"
#include "tlog/checkpoint.h"
#include "tlog/cosignature.h"
#include "tlog/head.h"
#include "tlog/note.h"
#include "tlog/policy.h"
#include "tlog/tile.h"

#define WORLD_TIME UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define WORLD_WITNESSES 3

/* A key that signs, and its other half that verifies. */
struct ledger_signer {
    struct note_key key;
    EVP_PKEY *secret;
};

struct ledger_world {
    struct ledger_signer journal, aggregator, log, witness[WORLD_WITNESSES];
};

/* The key of 32 times the byte `seed`. */
__attribute__((unused)) static void ledger_signer_init(struct ledger_signer *s, const char *name,
                                                       enum note_type type, uint8_t seed)
{
    uint8_t secret[32], public[32];
    size_t n = sizeof public;
    struct diag d;
    memset(secret, seed, sizeof secret);
    s->secret = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof secret);
    if (s->secret == NULL || EVP_PKEY_get_raw_public_key(s->secret, public, &n) != 1 ||
        note_key_make(slice_str(name), type, public, &s->key, &d) != 0)
        FAIL("no key for %s", name);
}

__attribute__((unused)) static void ledger_signer_free(struct ledger_signer *s)
{
    EVP_PKEY_free(s->secret);
    note_key_free(&s->key);
}

__attribute__((unused)) static void ledger_sign(const struct ledger_signer *s, struct slice data,
                                                uint8_t out[NOTE_SIGNATURE])
{
    size_t n = NOTE_SIGNATURE;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c != NULL && EVP_DigestSignInit(c, NULL, NULL, NULL, s->secret) == 1 &&
              EVP_DigestSign(c, out, &n, data.p, data.n) == 1;
    EVP_MD_CTX_free(c);
    if (!ok)
        FAIL("cannot sign");
}

/* Appends the note of one signer over a text. */
__attribute__((unused)) static void ledger_sign_note(const struct ledger_signer *s,
                                                     struct slice text, struct buf *out)
{
    uint8_t sig[NOTE_SIGNATURE];
    ledger_sign(s, text, sig);
    note_print(text, &s->key, sig, out);
}

/* Appends a checkpoint signed by s. */
__attribute__((unused)) static void
ledger_sign_checkpoint(const struct ledger_signer *s, const struct checkpoint *c, struct buf *out)
{
    struct buf text;
    buf_init(&text, NOTE_MAX);
    checkpoint_print(c, &text);
    ledger_sign_note(s, buf_view(&text), out);
    buf_free(&text);
}

/* Appends the line of a witness for a checkpoint's text. */
__attribute__((unused)) static void ledger_cosign(const struct ledger_signer *s, uint64_t time_s,
                                                  struct slice text, struct buf *out)
{
    struct buf message;
    uint8_t sig[NOTE_SIGNATURE];
    buf_init(&message, NOTE_MAX);
    cosignature_message(time_s, text, &message);
    ledger_sign(s, buf_view(&message), sig);
    buf_free(&message);
    cosignature_line(&s->key, time_s, sig, out);
}

__attribute__((unused)) static struct ledger_world *ledger_world_new(void)
{
    struct ledger_world *w = calloc(1, sizeof *w);
    if (w == NULL)
        FAIL("no memory");
    ledger_signer_init(&w->log, "ledger.sild.example", NOTE_ED25519, 1);
    ledger_signer_init(&w->journal, "SILD/GOV/70000001/state/messages", NOTE_ED25519, 2);
    ledger_signer_init(&w->aggregator, "aggregate.sild.example/1", NOTE_ED25519, 3);
    for (int i = 0; i < WORLD_WITNESSES; i++) {
        char name[32];
        snprintf(name, sizeof name, "w%d.sild.example", i + 1);
        ledger_signer_init(&w->witness[i], name, NOTE_COSIGNATURE, (uint8_t)(10 + i));
    }
    return w;
}

__attribute__((unused)) static void ledger_world_free(struct ledger_world *w)
{
    ledger_signer_free(&w->log);
    ledger_signer_free(&w->journal);
    ledger_signer_free(&w->aggregator);
    for (int i = 0; i < WORLD_WITNESSES; i++)
        ledger_signer_free(&w->witness[i]);
    free(w);
}

/* Appends a checkpoint signed by the log and by the first `witnesses` witnesses, one second apart
 * from WORLD_TIME on. */
__attribute__((unused)) static void ledger_world_checkpoint(const struct ledger_world *w,
                                                            const struct checkpoint *c,
                                                            int witnesses, struct buf *out)
{
    struct buf text;
    buf_init(&text, NOTE_MAX);
    checkpoint_print(c, &text);
    ledger_sign_note(&w->log, buf_view(&text), out);
    for (int i = 0; i < witnesses; i++)
        ledger_cosign(&w->witness[i], WORLD_TIME + (uint64_t)i, buf_view(&text), out);
    buf_free(&text);
}

/* Appends the policy of this world: its log, and k of the three witnesses. */
__attribute__((unused)) static void ledger_world_policy(const struct ledger_world *w, unsigned k,
                                                        struct buf *out)
{
    buf_str(out, "log ");
    note_key_print(&w->log.key, out);
    buf_str(out, " http://127.0.1.1:2025\n");
    for (int i = 0; i < WORLD_WITNESSES; i++) {
        buf_printf(out, "witness w%d ", i + 1);
        note_key_print(&w->witness[i].key, out);
        buf_printf(out, " http://127.0.1.%d:2025\n", i + 2);
    }
    if (k == 0)
        buf_str(out, "quorum none\n");
    else
        buf_printf(out, "group most %u w1 w2 w3\nquorum most\n", k);
}

/* --- a whole proof --- */

/* What ledger_case_new makes; zeros mean the smallest thing there is. */
struct ledger_plan {
    uint64_t records; /* of the journal; 0: one */
    uint64_t index;   /* of the record that is proven */
    unsigned others;  /* heads beside it in the round, and beside each thing in each subtree */
    unsigned aggregators;
    bool is_private;
    bool leaf_only;  /* no record and no salt in the file */
    uint64_t rounds; /* of the ledger; 0: one */
    uint64_t round;
    int witnesses;
    bool anchor; /* with a path into the tree of two rounds more */
};

struct ledger_case {
    struct chain chain; /* points into what is below */
    struct anchor anchor;
    struct buf entry, aggregate[CHAIN_AGGREGATES], record64, checkpoint, file, answer;
    char anchor_text[ANCHOR_TEXT];
};

/* Record i of the journal, and its salt. */
__attribute__((unused)) static void ledger_record(uint64_t i, struct buf *record,
                                                  uint8_t salt[ENTRY_SALT])
{
    memset(salt, (int)(i % 251), ENTRY_SALT);
    buf_printf(record, "record %llu of the journal", (unsigned long long)i);
}

/* Appends the entry of a head of `size` and root, signed by s. */
__attribute__((unused)) static void ledger_head_entry(const struct ledger_signer *s, uint64_t size,
                                                      const struct merkle_hash *root,
                                                      struct buf *out)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    struct checkpoint c = {.origin = note_key_name(&s->key), .size = size, .root = *root};
    ledger_sign_checkpoint(s, &c, &note);
    entry_print(&s->key, buf_view(&note), out);
    buf_free(&note);
}

__attribute__((unused)) static int ledger_by_bytes(const void *a, const void *b)
{
    const struct buf *x = a, *y = b;
    return round_order(buf_view(x), buf_view(y));
}

/* The tree of one entry and of `others` journals' heads beside it, sorted; where the entry stands
 * in it. Appends the file of it as a round to `file` when that is not NULL. */
__attribute__((unused)) static void ledger_subtree(struct slice entry, unsigned others,
                                                   unsigned seed, struct chain_path *path,
                                                   struct merkle_hash *root, struct buf *file)
{
    static struct buf e[300];
    struct round_tree t;
    if (others + 1 > ARRAY_LEN(e) || round_tree_init(&t, others + 1) != 0)
        FAIL("too many entries");
    for (unsigned i = 0; i < others; i++) {
        struct ledger_signer s;
        char name[64];
        snprintf(name, sizeof name, "SILD/COM/%u/other/messages", 10000 * (seed + 1) + i);
        ledger_signer_init(&s, name, NOTE_ED25519, (uint8_t)(100 + i));
        struct merkle_hash any;
        memset(&any, (int)i, sizeof any);
        buf_init(&e[i], ENTRY_MAX);
        ledger_head_entry(&s, i + 1, &any, &e[i]);
        ledger_signer_free(&s);
    }
    buf_init(&e[others], ENTRY_MAX);
    buf_slice(&e[others], entry);
    qsort(e, others + 1, sizeof e[0], ledger_by_bytes);
    for (unsigned i = 0; i <= others; i++) {
        if (slice_eq(buf_view(&e[i]), entry))
            path->index = i;
        if (file != NULL && tile_bundle_add(file, buf_view(&e[i])) != 0)
            FAIL("no room");
        round_tree_leaf(&t, i, buf_view(&e[i]));
        buf_free(&e[i]);
    }
    round_tree_finish(&t);
    path->of = others + 1;
    if (merkle_inclusion(round_tree_get, &t, path->index, path->of, path->h, &path->n) != 0 ||
        merkle_root_at(round_tree_get, &t, path->of, root) != 0)
        FAIL("no proof");
    round_tree_free(&t);
}

__attribute__((unused)) static void ledger_case_journal(const struct ledger_world *w,
                                                        const struct ledger_plan *p,
                                                        struct ledger_case *k)
{
    struct chain *c = &k->chain;
    struct round_tree t;
    struct merkle_hash root;
    uint64_t n = p->records == 0 ? 1 : p->records;
    if (round_tree_init(&t, n) != 0)
        FAIL("too many records");
    for (uint64_t i = 0; i < n; i++) {
        struct buf b, record;
        uint8_t salt[ENTRY_SALT];
        buf_init(&b, 1024);
        buf_init(&record, 1024);
        ledger_record(i, &record, salt);
        buf_add(&b, salt, sizeof salt);
        buf_slice(&b, buf_view(&record));
        round_tree_leaf(&t, i, buf_view(&b));
        if (i == p->index) {
            base64_append(&k->record64, buf_view(&record));
            memcpy(c->salt, salt, sizeof salt);
            merkle_leaf(buf_view(&b), &c->leaf);
        }
        buf_free(&record);
        buf_free(&b);
    }
    round_tree_finish(&t);
    c->has_record = !p->leaf_only;
    c->record = buf_view(&k->record64);
    c->journal.index = p->index;
    if (merkle_root_at(round_tree_get, &t, n, &root) != 0 ||
        merkle_inclusion(round_tree_get, &t, p->index, n, c->journal.h, &c->journal.n) != 0)
        FAIL("no proof in the journal");
    round_tree_free(&t);
    ledger_head_entry(&w->journal, n, &root, &k->entry);
    c->answer.entry = buf_view(&k->entry);
}

/* Through the aggregators to the round; the round's record. */
__attribute__((unused)) static void
ledger_case_round(const struct ledger_world *w, const struct ledger_plan *p, struct ledger_case *k)
{
    struct chain_answer *a = &k->chain.answer;
    struct merkle_hash root;
    struct buf leaf, text;
    uint64_t heads = p->others + 1;
    buf_init(&leaf, ENTRY_MAX);
    buf_init(&text, ENTRY_MAX);
    a->is_private = p->is_private;
    memset(a->salt, 77, sizeof a->salt);
    if (p->is_private)
        entry_commit(a->salt, a->entry, &leaf);
    else
        buf_slice(&leaf, a->entry);
    for (unsigned i = 0; i < p->aggregators; i++) {
        struct chain_aggregate *up = &a->aggregate[a->aggregates++];
        ledger_subtree(buf_view(&leaf), p->others, i, &up->path, &root, NULL);
        struct aggregate note = {.name = note_key_name(&w->aggregator.key),
                                 .time_ms = WORLD_TIME * 1000,
                                 .entries = p->others + 1,
                                 .heads = heads,
                                 .root = root};
        heads += p->others;
        buf_reset(&text);
        buf_reset(&leaf);
        aggregate_print(&note, &text);
        ledger_sign_note(&w->aggregator, buf_view(&text), &leaf);
        entry_print(&w->aggregator.key, buf_view(&leaf), &k->aggregate[i]);
        up->entry = buf_view(&k->aggregate[i]);
        buf_reset(&leaf);
        buf_slice(&leaf, up->entry);
    }
    struct round_record r = {.round = p->round,
                             .time_ms = (WORLD_TIME + p->round) * 1000,
                             .entries = p->others + 1,
                             .heads = heads};
    memset(r.previous, p->round == 0 ? 0 : 9, sizeof r.previous);
    ledger_subtree(buf_view(&leaf), p->others, 20, &a->round, &r.root, NULL);
    round_record_print(&r, a->record);
    buf_free(&leaf);
    buf_free(&text);
}

__attribute__((unused)) static void
ledger_case_ledger(const struct ledger_world *w, const struct ledger_plan *p, struct ledger_case *k)
{
    struct chain_answer *a = &k->chain.answer;
    uint64_t n = p->rounds == 0 ? 1 : p->rounds, more = n + 2;
    struct round_tree t, longer;
    if (round_tree_init(&t, n) != 0 || round_tree_init(&longer, more) != 0)
        FAIL("too many rounds");
    for (uint64_t i = 0; i < more; i++) {
        struct slice leaf = i == p->round ? slice_of(a->record, ROUND_RECORD)
                                          : slice_of(&i, sizeof i); /* no matter what */
        if (i < n)
            round_tree_leaf(&t, i, leaf);
        round_tree_leaf(&longer, i, leaf);
    }
    round_tree_finish(&t);
    round_tree_finish(&longer);
    struct checkpoint cp = {.origin = note_key_name(&w->log.key), .size = n};
    k->anchor = (struct anchor){.size = more, .time_s = WORLD_TIME + 60};
    anchor_origin(cp.origin, k->anchor.origin);
    a->ledger.index = p->round;
    k->chain.anchor_path.index = p->round;
    struct chain_path *up = &k->chain.anchor_path;
    if (merkle_root_at(round_tree_get, &t, n, &cp.root) != 0 ||
        merkle_inclusion(round_tree_get, &t, p->round, n, a->ledger.h, &a->ledger.n) != 0 ||
        merkle_root_at(round_tree_get, &longer, more, &k->anchor.root) != 0 ||
        merkle_inclusion(round_tree_get, &longer, p->round, more, up->h, &up->n) != 0)
        FAIL("no proof in the ledger");
    round_tree_free(&t);
    round_tree_free(&longer);
    ledger_world_checkpoint(w, &cp, p->witnesses, &k->checkpoint);
    a->checkpoint = buf_view(&k->checkpoint);
    anchor_print(&k->anchor, k->anchor_text);
    k->chain.has_anchor = p->anchor;
    k->chain.anchor = k->anchor;
    k->chain.anchor_text = slice_str(k->anchor_text);
}

/* A proof that holds, its file and the answer that the journal had. */
__attribute__((unused)) static struct ledger_case *ledger_case_new(const struct ledger_world *w,
                                                                   const struct ledger_plan *p)
{
    struct ledger_case *k = calloc(1, sizeof *k);
    if (k == NULL)
        FAIL("no memory");
    buf_init(&k->entry, ENTRY_MAX);
    for (int i = 0; i < CHAIN_AGGREGATES; i++)
        buf_init(&k->aggregate[i], ENTRY_MAX);
    buf_init(&k->record64, CHAIN_MAX);
    buf_init(&k->checkpoint, NOTE_MAX);
    buf_init(&k->file, CHAIN_MAX);
    buf_init(&k->answer, CHAIN_ANSWER_MAX);
    ledger_case_journal(w, p, k);
    ledger_case_round(w, p, k);
    ledger_case_ledger(w, p, k);
    chain_print(&k->chain, &k->file);
    chain_answer_print(&k->chain.answer, &k->answer);
    return k;
}

__attribute__((unused)) static void ledger_case_free(struct ledger_case *k)
{
    buf_free(&k->entry);
    for (int i = 0; i < CHAIN_AGGREGATES; i++)
        buf_free(&k->aggregate[i]);
    buf_free(&k->record64);
    buf_free(&k->checkpoint);
    buf_free(&k->file);
    buf_free(&k->answer);
    free(k);
}

#endif
