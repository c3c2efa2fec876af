/*
 * A small ledger world for tests: keys of a journal, an aggregator, a log and three witnesses (from
 * fixed seeds), and what they sign. Times and contents are arguments, so the same call gives the
 * same bytes each time.
 */
#ifndef SILD_TESTS_UNIT_LEDGER_WORLD_H
#define SILD_TESTS_UNIT_LEDGER_WORLD_H

#include "test.h"

#include "crypto/sign.h"
#include "tlog/checkpoint.h"
#include "tlog/cosignature.h"
#include "tlog/note.h"
#include "tlog/policy.h"

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

#endif
