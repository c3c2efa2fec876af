/* A ledger and some journals on a disk in memory, for the tests of what survives. */
#ifndef SILD_TESTS_FAULT_LEDGER_KIT_H
#define SILD_TESTS_FAULT_LEDGER_KIT_H

#include "simdisk.h"
#include "test.h"

#include "base/err.h"
#include "crypto/sign.h"
#include "ledger/ledger_rounds.h"
#include "ledger/ledger_store.h"
#include "tlog/checkpoint.h"

#define DIR "l"
#define LOCK "k"
#define ORIGIN "ledger.test"
#define JOURNALS 3
#define SIZES 1000     /* of the ledger, in any test */
#define HEAD_SIZES 400 /* over all heads of any test */

struct kit {
    struct simdisk *disk;
    EVP_PKEY *pkey;
    struct note_key key;
    struct note_key journal[JOURNALS];
    struct ledger_rounds *r;
    int64_t now_ms;
    uint64_t signatures;
    uint64_t next_id;
    /* What the outside knows: root of each published size, size of each journal's answered head. */
    bool shown[SIZES];
    struct merkle_hash root[SIZES];
    uint64_t answered[JOURNALS], sent[JOURNALS];
};

__attribute__((unused)) static int kit_sign(void *ctx, struct slice text,
                                            uint8_t signature[NOTE_SIGNATURE], struct diag *d)
{
    struct kit *k = ctx;
    size_t n = NOTE_SIGNATURE;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = EVP_DigestSignInit(c, NULL, NULL, NULL, k->pkey) == 1 &&
             EVP_DigestSign(c, signature, &n, text.p, text.n) == 1;
    EVP_MD_CTX_free(c);
    k->signatures++;
    return ok ? 0 : diag_set(d, ERR_CRYPTO, "no signature");
}

__attribute__((unused)) static void kit_checkpoint(struct kit *k, uint64_t size,
                                                   const struct merkle_hash *root, struct buf *out)
{
    struct checkpoint cp = {.origin = SLICE_LIT(ORIGIN), .size = size, .root = *root};
    uint8_t signature[NOTE_SIGNATURE];
    struct buf text;
    struct diag d;
    buf_init(&text, 4096);
    checkpoint_print(&cp, &text);
    if (kit_sign(k, buf_view(&text), signature, &d) != 0)
        abort();
    note_print(buf_view(&text), &k->key, signature, out);
    buf_free(&text);
}

__attribute__((unused)) static void kit_init(struct kit *k)
{
    struct diag d = {0};
    uint8_t public[32];
    size_t n = sizeof public;
    struct merkle_hash empty;
    struct buf note;
    *k = (struct kit){.disk = simdisk_new(), .now_ms = 1000000};
    k->pkey = key_generate("ed25519", &d);
    if (k->pkey == NULL || EVP_PKEY_get_raw_public_key(k->pkey, public, &n) != 1 ||
        note_key_make(SLICE_LIT(ORIGIN), NOTE_ED25519, public, &k->key, &d) != 0)
        FAIL("no key: %s", d.text);
    for (int i = 0; i < JOURNALS; i++) {
        char name[32];
        snprintf(name, sizeof name, "TEST/server/j%d", i);
        public[0] = (uint8_t)(i + 1);
        if (note_key_make(slice_str(name), NOTE_ED25519, public, &k->journal[i], &d) != 0)
            FAIL("no key: %s", d.text);
    }
    merkle_empty(&empty);
    buf_init(&note, 4096);
    kit_checkpoint(k, 0, &empty, &note);
    struct io_disk above;
    if (io_init(&above, DIR, &simdisk_io, k->disk, &d) != 0 || io_mkdir(&above, "", &d) != 0 ||
        ledger_store_make(DIR, LOCK, &simdisk_io, k->disk, buf_view(&note), &d) != 0)
        FAIL("no ledger: %s: %s", d.where, d.text);
    buf_free(&note);
    k->shown[0] = true;
    k->root[0] = empty;
}

__attribute__((unused)) static void kit_free(struct kit *k)
{
    ledger_rounds_free(k->r);
    note_key_free(&k->key);
    for (int i = 0; i < JOURNALS; i++)
        note_key_free(&k->journal[i]);
    EVP_PKEY_free(k->pkey);
    simdisk_free(k->disk);
}

__attribute__((unused)) static int kit_open(struct kit *k, struct diag *d)
{
    struct ledger_rounds_options o = {.dir = DIR,
                                      .lock_dir = LOCK,
                                      .key = &k->key,
                                      .io = &simdisk_io,
                                      .io_ctx = k->disk,
                                      .sign = kit_sign,
                                      .sign_ctx = k};
    ledger_rounds_free(k->r);
    k->r = NULL;
    return ledger_rounds_open(&o, &k->r, d);
}

/* A journal's tree: leaf i is the number i and the journal's. */
struct kit_tree {
    uint8_t journal;
    uint8_t salt; /* another one: another tree */
};

__attribute__((unused)) static int kit_get(void *ctx, unsigned level, uint64_t index,
                                           struct merkle_hash *out)
{
    const struct kit_tree *t = ctx;
    if (level == 0) {
        uint8_t leaf[4] = {t->journal, t->salt, (uint8_t)(index >> 8), (uint8_t)index};
        merkle_leaf(slice_of(leaf, sizeof leaf), out);
        return 0;
    }
    struct merkle_hash left, right;
    if (kit_get(ctx, level - 1, 2 * index, &left) != 0 ||
        kit_get(ctx, level - 1, 2 * index + 1, &right) != 0)
        return ERR_INTERNAL;
    merkle_node(&left, &right, out);
    return 0;
}

/* Hands in a head; returns the decision. The entry lives in a static buffer. */
__attribute__((unused)) static struct ledger_decision kit_submit(struct kit *k, int journal,
                                                                 uint64_t old, uint64_t size,
                                                                 uint8_t salt, bool private,
                                                                 struct diag *d)
{
    struct kit_tree t = {(uint8_t)journal, salt};
    struct checkpoint cp = {.origin = note_key_name(&k->journal[journal]), .size = size};
    uint8_t signature[NOTE_SIGNATURE] = {1};
    struct ledger_submission s = {.kind = ENTRY_HEAD, .old = old, .is_private = private};
    struct merkle_hash proof[MERKLE_DEPTH];
    struct buf text, note, entry;
    buf_init(&text, 4096);
    buf_init(&note, 4096);
    buf_init(&entry, 4096);
    if (merkle_root_at(kit_get, &t, size, &cp.root) != 0 ||
        (old > 0 && old < size && merkle_consistency(kit_get, &t, old, size, proof, &s.n) != 0))
        FAIL("no tree");
    memcpy(s.proof, proof, s.n * sizeof proof[0]);
    checkpoint_print(&cp, &text);
    note_print(buf_view(&text), &k->journal[journal], signature, &note);
    entry_print(&k->journal[journal], buf_view(&note), &entry);
    s.entry = buf_view(&entry);
    struct ledger_waiter w = {(uint32_t)journal, ++k->next_id};
    struct ledger_decision v = ledger_rounds_submit(k->r, &s, w, k->now_ms, d);
    buf_free(&text);
    buf_free(&note);
    buf_free(&entry);
    return v;
}

/* What the ledger holds as a journal's last size: a head whose `old` cannot be right tells. */
__attribute__((unused)) static uint64_t kit_last(struct kit *k, int journal)
{
    struct diag d = {0};
    struct ledger_decision v = kit_submit(k, journal, HEAD_SIZES, HEAD_SIZES + 1, 0, false, &d);
    CHECK_INT(v.status, 409);
    return v.size;
}

#endif
