/* Notes, their keys, checkpoints and cosignatures: each vector gets its verdict. */
#include "ledger_vectors.h"
#include "ledger_world.h"

#include "base/err.h"
#include "tlog/checkpoint.h"
#include "tlog/cosignature.h"

/* The log and the three witnesses of the vectors. */
static struct note_key known[4];
static const struct note_key *const keys[4] = {&known[0], &known[1], &known[2], &known[3]};

static json_t *load(void)
{
    json_t *j = ledger_vectors("note.json");
    for (size_t i = 0; i < 4; i++) {
        struct diag d = {0};
        json_t *k = json_array_get(json_object_get(j, "keys"), i);
        if (note_key_parse(ledger_text(k, "vkey"), &known[i], &d) != 0)
            FAIL("key %zu: %s", i, d.text);
    }
    return j;
}

static void drop(json_t *j)
{
    for (size_t i = 0; i < 4; i++)
        note_key_free(&known[i]);
    json_decref(j);
}

static const char *verdict(struct slice bytes, struct note_seen *seen)
{
    static struct note n;
    struct diag d;
    *seen = (struct note_seen){0};
    if (note_parse(bytes, &n, &d) != 0)
        return "malformed";
    switch (note_open(&n, keys, 4, seen, &d)) {
    case 0:
        return "ok";
    case ERR_MISSING_SIGNATURE:
        return "unverified";
    case ERR_INVALID_SIGNATURE_VALUE:
        return "bad signature";
    default:
        return "?";
    }
}

TEST(keys_of_the_vectors)
{
    json_t *j = load(), *v;
    size_t i;
    struct diag d;
    json_array_foreach(json_object_get(j, "keys"), i, v)
    {
        struct note_key k, made;
        uint8_t public[32], id[4], type;
        struct buf b;
        buf_init(&b, NOTE_VKEY_MAX);
        CHECK_INT(note_key_parse(ledger_text(v, "vkey"), &k, &d), 0);
        check_text(note_key_name(&k), ledger_text(v, "name"));
        ledger_hex(v, "public", public, 32);
        ledger_hex(v, "key_id", id, 4);
        ledger_hex(v, "type", &type, 1);
        CHECK(k.type == type && memcmp(k.public, public, 32) == 0 && memcmp(k.id, id, 4) == 0);
        CHECK_INT(note_key_make(ledger_text(v, "name"), type, public, &made, &d), 0);
        CHECK(note_key_same(&k, &made) && memcmp(k.id, made.id, 4) == 0);
        note_key_print(&made, &b);
        check_text(buf_view(&b), ledger_text(v, "vkey"));
        buf_free(&b);
        note_key_free(&k);
        note_key_free(&made);
    }
    CHECK_INT(i, 6);
    json_array_foreach(json_object_get(j, "bad_vkeys"), i, v)
    {
        struct note_key k;
        if (note_key_parse(ledger_text(v, "vkey"), &k, &d) == 0)
            FAIL("accepted: %s", json_string_value(json_object_get(v, "why")));
    }
    CHECK_INT(i, 8);
    drop(j);
}

TEST(notes_of_the_vectors)
{
    json_t *j = load(), *v;
    size_t i;
    json_array_foreach(json_object_get(j, "cases"), i, v)
    {
        static uint8_t bytes[4096];
        struct note_seen seen;
        struct slice note = json_object_get(v, "note") != NULL
                                ? ledger_text(v, "note")
                                : ledger_hex(v, "note_hex", bytes, sizeof bytes);
        const char *got = verdict(note, &seen);
        if (!slice_eq_str(ledger_text(v, "expect"), got))
            FAIL("%s: %s", json_string_value(json_object_get(v, "why")), got);
    }
    CHECK_INT(i, 45);
    drop(j);
}

TEST(checkpoint_bodies_of_the_vectors)
{
    json_t *j = load(), *v;
    size_t i;
    json_array_foreach(json_object_get(j, "bodies"), i, v)
    {
        static struct note n;
        struct checkpoint c;
        struct diag d;
        struct buf b;
        buf_init(&b, 1024);
        bool ok = note_parse(ledger_text(v, "signed"), &n, &d) == 0;
        ok = ok && slice_eq(n.text, ledger_text(v, "body"));
        ok = ok && checkpoint_parse(n.text, &c, &d) == 0;
        if (ok != slice_eq_str(ledger_text(v, "expect"), "ok"))
            FAIL("%s: %s", json_string_value(json_object_get(v, "why")), ok ? "ok" : d.text);
        if (ok) {
            checkpoint_print(&c, &b);
            check_text(buf_view(&b), n.text);
            CHECK(checkpoint_is_sound(&c) == (strstr(json_string_value(json_object_get(v, "why")),
                                                     "not that of the empty tree") == NULL));
        }
        buf_free(&b);
    }
    CHECK_INT(i, 23);
    drop(j);
}

TEST(the_checkpoint_and_its_cosignatures)
{
    json_t *j = load(), *c = json_object_get(j, "checkpoint"), *lines;
    struct buf b;
    struct note_seen seen;
    uint8_t sig[64];
    buf_init(&b, NOTE_MAX);
    note_print(ledger_text(c, "body"), &known[0], ledger_hex(c, "ed25519_signature", sig, 64).p,
               &b);
    check_text(buf_view(&b), ledger_text(c, "signed"));
    buf_reset(&b);
    cosignature_message(ledger_number(c, "time_w1"), ledger_text(c, "body"), &b);
    check_text(buf_view(&b), ledger_text(c, "cosigned_message_w1"));
    buf_reset(&b);
    cosignature_line(&known[1], ledger_number(c, "time_w1"),
                     ledger_hex(c, "ed25519_signature_w1", sig, 64).p, &b);
    lines = json_object_get(c, "cosignature_lines");
    CHECK_STR(buf_cstr(&b), json_string_value(json_array_get(lines, 0)));
    buf_free(&b);
    CHECK_STR(verdict(ledger_text(c, "signed_and_cosigned"), &seen), "ok");
    CHECK_INT(seen.keys, 15);
    CHECK_INT(seen.times[0], 0);
    CHECK_INT(seen.times[1], 1767225600);
    CHECK_INT(seen.times[3], 1767225602);
    CHECK_STR(verdict(ledger_text(json_object_get(j, "empty_tree"), "signed"), &seen), "ok");
    CHECK_STR(
        verdict(ledger_text(json_object_get(j, "extension_line"), "signed_and_cosigned"), &seen),
        "ok");
    CHECK(seen.keys > 1);
    drop(j);
}

TEST(a_note_with_paragraphs)
{
    json_t *j = load(), *p = json_object_get(j, "plain");
    static struct note n;
    struct note_key k;
    struct note_seen seen;
    struct diag d;
    const struct note_key *one = &k;
    CHECK_INT(note_key_parse(ledger_text(p, "vkey"), &k, &d), 0);
    CHECK_INT(note_parse(ledger_text(p, "signed"), &n, &d), 0);
    check_text(n.text, ledger_text(p, "text"));
    CHECK_INT(note_open(&n, &one, 1, &seen, &d), 0);
    note_key_free(&k);
    drop(j);
}

TEST(a_key_counts_once_whatever_it_signs)
{
    json_t *j = load(), *v;
    size_t i, found = 0;
    json_array_foreach(json_object_get(j, "cases"), i, v)
    {
        struct note_seen seen;
        struct slice why = ledger_text(v, "why");
        if (!slice_eq_str(why, "same witness twice, two times"))
            continue;
        CHECK_STR(verdict(ledger_text(v, "note"), &seen), "ok");
        CHECK_INT(__builtin_popcountll(seen.keys >> 1), 1);
        found++;
    }
    CHECK_INT(found, 1);
    drop(j);
}

/* --- limits that no vector has --- */

TEST(limits_of_a_note)
{
    static struct note n;
    struct diag d;
    struct buf b;
    buf_init(&b, 2 * NOTE_MAX);
    static const uint8_t id[4] = {1, 2, 3, 4}, value[NOTE_VALUE + 1] = {0};
    buf_str(&b, "text\n\n");
    for (int i = 0; i < NOTE_SIGS; i++)
        note_sig_line(SLICE_LIT("someone"), id, slice_of(value, NOTE_VALUE), &b);
    CHECK_INT(note_parse(buf_view(&b), &n, &d), 0);
    CHECK_INT(n.sigs, NOTE_SIGS);
    note_sig_line(SLICE_LIT("someone"), id, slice_of(value, NOTE_VALUE), &b);
    CHECK_INT(note_parse(buf_view(&b), &n, &d), ERR_TOO_LARGE);
    note_sig_line(SLICE_LIT("someone"), id, slice_of(value, NOTE_VALUE + 1), &b);
    CHECK(b.failed);

    /* An unknown signature of 4 kB, as ML-DSA's will be, passes; 64 kB is the end of it. */
    for (size_t size = 4096; size <= NOTE_MAX; size += NOTE_MAX - 4096) {
        buf_reset(&b);
        buf_str(&b, "text\n\n\xE2\x80\x94 someone ");
        for (size_t i = 0; i < size / 4; i++)
            buf_str(&b, "AAAA");
        buf_str(&b, "\n");
        CHECK_INT(note_parse(buf_view(&b), &n, &d), size == 4096 ? 0 : ERR_TOO_LARGE);
        if (size == 4096)
            CHECK_INT(n.sig[0].value_n, 3072 - 4);
    }
    buf_free(&b);
}

TEST(names_of_keys)
{
    static const char *const good[] = {"a", "ledger.sild.example/test", "SILD/GOV/1/ss/messages",
                                       "\xC3\xB5un", "\x7F"};
    static const char *const bad[] = {"",
                                      "a b",
                                      "a+b",
                                      "a\tb",
                                      "a\nb",
                                      "\xC2\x85",
                                      "\xE1\x9A\x80",
                                      "\xE2\x80\x80",
                                      "\xE2\x80\x8A",
                                      "\xE2\x80\xA8",
                                      "\xE2\x80\xAF",
                                      "\xE2\x81\x9F",
                                      "\xE3\x80\x80",
                                      "\xC2\xA0",
                                      "\xFF",
                                      "\x01"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK(note_is_name(slice_str(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (note_is_name(slice_str(bad[i])))
            FAIL("accepted: name %zu", i);
    static char name[257];
    memset(name, 'a', 256);
    CHECK(!note_is_name(slice_str(name)));
    CHECK(note_is_name(slice_of(name, 255)));
    struct note_key k, back;
    struct diag d;
    struct buf b;
    buf_init(&b, NOTE_VKEY_MAX);
    uint8_t public[32] = {1};
    CHECK_INT(note_key_make(slice_of(name, 255), NOTE_ED25519, public, &k, &d), 0);
    note_key_print(&k, &b);
    CHECK_INT(b.n, NOTE_VKEY_MAX);
    CHECK_INT(note_key_parse(buf_view(&b), &back, &d), 0);
    CHECK(note_key_same(&k, &back));
    note_key_free(&k);
    CHECK_INT(note_key_make(slice_of(name, 256), NOTE_ED25519, public, &k, &d), ERR_SYNTAX);
    note_key_free(&back);
    buf_free(&b);
}

TEST(origins_that_we_give)
{
    CHECK(checkpoint_is_origin(SLICE_LIT("SILD/GOV/70000001/state/messages")));
    CHECK(!checkpoint_is_origin(SLICE_LIT("")));
    CHECK(!checkpoint_is_origin(SLICE_LIT("a b")));
    CHECK(!checkpoint_is_origin(SLICE_LIT("a+b")));
    CHECK(!checkpoint_is_origin(SLICE_LIT("a\xC3\xB5")));
    static char name[256];
    memset(name, 'a', 256);
    CHECK(checkpoint_is_origin(slice_of(name, 255)));
    CHECK(!checkpoint_is_origin(slice_of(name, 256)));
}

TEST(each_byte_of_a_cosigned_checkpoint_means_something)
{
    struct ledger_world *w = ledger_world_new();
    struct buf b;
    static struct note n;
    struct diag d;
    struct note_seen seen;
    const struct note_key *all[4];
    buf_init(&b, NOTE_MAX);
    struct checkpoint c = {.origin = note_key_name(&w->log.key), .size = 7};
    ledger_world_checkpoint(w, &c, 3, &b);
    all[0] = &w->log.key;
    for (int i = 0; i < 3; i++)
        all[1 + i] = &w->witness[i].key;
    CHECK_INT(note_parse(buf_view(&b), &n, &d), 0);
    CHECK_INT(note_open(&n, all, 4, &seen, &d), 0);
    CHECK_INT(seen.keys, 15);
    for (size_t i = 0; i < b.n; i++) {
        static const uint8_t change[] = {0x01, 0x20, 0x80, 0xFF, 0x0A};
        for (size_t k = 0; k < ARRAY_LEN(change); k++) {
            b.p[i] ^= change[k];
            if (note_parse(buf_view(&b), &n, &d) == 0 && note_open(&n, all, 4, &seen, &d) == 0 &&
                seen.keys == 15)
                FAIL("byte %zu changed by %02x", i, change[k]);
            b.p[i] ^= change[k];
        }
    }
    buf_free(&b);
    ledger_world_free(w);
}
