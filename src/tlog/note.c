#include "tlog/note.h"

#include <openssl/err.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "tlog/cosignature.h"

#define DASH "\xE2\x80\x94 " /* em dash and a blank: how a signature line begins */
#define ID 4                 /* bytes of a key id */
#define PUBLIC 32

/* --- names --- */

/* White space as Unicode has it; the same list as Go's, whose programs read our notes. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* The next character of well-formed UTF-8. */
static uint32_t next_char(const uint8_t *p, size_t *i)
{
    uint8_t c = p[(*i)++];
    if (c < 0x80)
        return c;
    unsigned more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    uint32_t v = c & (0x3Fu >> more);
    for (; more > 0; more--)
        v = v << 6 | (p[(*i)++] & 0x3F);
    return v;
}

/* For UTF-8 that was checked. */
static bool name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n;) {
        uint32_t c = next_char(name.p, &i);
        if (c < 0x20 || c == '+' || is_space(c))
            return false;
    }
    return name.n > 0;
}

bool note_is_name(struct slice name)
{
    return name.n <= NOTE_NAME_MAX && slice_is_utf8(name) && name_ok(name);
}

/* --- keys --- */

void note_key_id(struct slice name, enum note_type type, const uint8_t public[32], uint8_t id[4])
{
    uint8_t all[NOTE_NAME_MAX + 2 + PUBLIC];
    struct digest d;
    memcpy(all, name.p, name.n);
    all[name.n] = '\n';
    all[name.n + 1] = (uint8_t)type;
    memcpy(all + name.n + 2, public, PUBLIC);
    digest_of(DIGEST_SHA256, slice_of(all, name.n + 2 + PUBLIC), &d);
    memcpy(id, d.b, ID);
}

static int fill(struct slice name, enum note_type type, const uint8_t public[32],
                struct note_key *out, struct diag *d)
{
    *out = (struct note_key){.type = (uint8_t)type};
    if (!note_is_name(name))
        return diag_set(d, ERR_SYNTAX, "a key cannot have this name");
    memcpy(out->name, name.p, name.n);
    out->name_n = (uint8_t)name.n;
    memcpy(out->public, public, PUBLIC);
    note_key_id(name, type, public, out->id);
    return 0;
}

int note_key_read(struct slice vkey, struct note_key *out, struct diag *d)
{
    struct slice name, hex, rest = vkey;
    uint8_t id[ID], key[1 + PUBLIC];
    char again[2 * ID + 1];
    size_t n;
    *out = (struct note_key){0};
    if (!slice_until(&rest, '+', &name) || !slice_skip(&rest, SLICE_LIT("+")) ||
        !slice_until(&rest, '+', &hex) || !slice_skip(&rest, SLICE_LIT("+")))
        return diag_set(d, ERR_SYNTAX, "a key is name+id+base64");
    if (!hex_parse(hex, id, ID))
        return diag_set(d, ERR_SYNTAX, "the key's id is not eight hexadecimal digits");
    hex_print(slice_of(id, ID), again);
    if (!slice_eq_str(hex, again))
        return diag_set(d, ERR_SYNTAX, "the key's id is not in small letters");
    if (base64_into(rest, key, sizeof key, &n) != 0 || n < 1)
        return diag_set(d, ERR_SYNTAX, "the key is not base64");
    if (key[0] != NOTE_ED25519 && key[0] != NOTE_COSIGNATURE)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "keys of type %02x are not known", key[0]);
    if (n != sizeof key)
        return diag_set(d, ERR_SYNTAX, "the key has %zu bytes, not %d", n - 1, PUBLIC);
    int rc = fill(name, key[0], key + 1, out, d);
    if (rc == 0 && memcmp(id, out->id, ID) != 0)
        rc = diag_set(d, ERR_SYNTAX, "the key's id does not fit name and key");
    return rc;
}

int note_key_prepare(struct note_key *k, struct diag *d)
{
    if (k->pkey == NULL)
        k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->public, PUBLIC);
    ERR_clear_error();
    return k->pkey != NULL ? 0 : diag_set(d, ERR_CRYPTO, "no key can be made of these 32 bytes");
}

int note_key_parse(struct slice vkey, struct note_key *out, struct diag *d)
{
    int rc = note_key_read(vkey, out, d);
    return rc != 0 ? rc : note_key_prepare(out, d);
}

int note_key_make(struct slice name, enum note_type type, const uint8_t public[32],
                  struct note_key *out, struct diag *d)
{
    int rc = fill(name, type, public, out, d);
    return rc != 0 ? rc : note_key_prepare(out, d);
}

void note_key_free(struct note_key *k)
{
    EVP_PKEY_free(k->pkey);
    k->pkey = NULL;
}

void note_key_print(const struct note_key *k, struct buf *out)
{
    uint8_t key[1 + PUBLIC] = {k->type};
    memcpy(key + 1, k->public, PUBLIC);
    buf_slice(out, note_key_name(k));
    buf_byte(out, '+');
    hex_append(out, slice_of(k->id, ID));
    buf_byte(out, '+');
    base64_append(out, slice_of(key, sizeof key));
}

bool note_key_same(const struct note_key *a, const struct note_key *b)
{
    return a->type == b->type && memcmp(a->public, b->public, PUBLIC) == 0 &&
           slice_eq(note_key_name(a), note_key_name(b));
}

int note_verify(const struct note_key *k, struct slice data, struct slice signature)
{
    if (signature.n != NOTE_SIGNATURE)
        return ERR_INVALID_SIGNATURE_VALUE;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ERR_NOMEM;
    int ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
             EVP_DigestVerify(ctx, signature.p, signature.n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : ERR_INVALID_SIGNATURE_VALUE;
}

/* --- the form --- */

static int bad_form(struct diag *d, const char *why)
{
    diag_set(d, ERR_SYNTAX, "malformed note: %s", why);
    diag_rule(d, "C2SP signed-note");
    return ERR_SYNTAX;
}

/* One signature line, without its 0A. */
static const char *parse_line(struct slice line, struct note_sig *out)
{
    uint8_t raw[ID + NOTE_VALUE];
    size_t n;
    if (!slice_skip(&line, SLICE_LIT(DASH)))
        return "a line below the text is no signature line";
    if (!slice_until(&line, ' ', &out->name) || !slice_skip(&line, SLICE_LIT(" ")))
        return "a signature line has no value";
    if (!name_ok(out->name))
        return "a signer's name is empty or holds '+' or a space";
    if (base64_into(line, raw, sizeof raw, &n) != 0)
        return "a signature is not canonical base64";
    if (n <= ID)
        return "a signature is empty";
    memcpy(out->id, raw, ID);
    out->value_n = n - ID;
    memcpy(out->value, raw + ID, n < sizeof raw ? n - ID : NOTE_VALUE);
    return NULL;
}

/* Where the last empty line stands: the offset of the first of its two 0A; SIZE_MAX: none. */
static size_t last_empty_line(struct slice s)
{
    for (size_t i = s.n; i-- > 1;)
        if (s.p[i] == '\n' && s.p[i - 1] == '\n')
            return i - 1;
    return SIZE_MAX;
}

static bool has_controls(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 && s.p[i] != '\n')
            return true;
    return false;
}

int note_parse(struct slice bytes, struct note *out, struct diag *d)
{
    out->sigs = 0;
    if (bytes.n > NOTE_MAX)
        return diag_set(d, ERR_TOO_LARGE, "a note of more than %u bytes", NOTE_MAX);
    if (!slice_is_utf8(bytes) || has_controls(bytes))
        return bad_form(d, "not UTF-8, or control characters");
    size_t end = last_empty_line(bytes);
    if (end == SIZE_MAX || bytes.p[bytes.n - 1] != '\n')
        return bad_form(d, "no empty line before signatures, or no line end at the end");
    out->text = slice_sub(bytes, 0, end + 1);
    out->lines = slice_from(bytes, end + 2);
    struct slice rest = out->lines, line;
    while (slice_until(&rest, '\n', &line)) {
        if (out->sigs == NOTE_SIGS)
            return diag_set(d, ERR_TOO_LARGE, "a note with more than %d signatures", NOTE_SIGS);
        struct note_sig *s = &out->sig[out->sigs++];
        const char *why = parse_line(line, s);
        if (why != NULL)
            return bad_form(d, why);
        s->line = slice_of(line.p, line.n + 1);
        rest = slice_from(rest, 1);
    }
    return out->sigs > 0 ? 0 : bad_form(d, "no signature");
}

/* --- opening --- */

bool note_sig_by(const struct note_sig *s, const struct note_key *k)
{
    return memcmp(s->id, k->id, ID) == 0 && slice_eq(s->name, note_key_name(k));
}

int note_sig_verify(const struct note_sig *s, const struct note_key *k, struct slice text,
                    uint64_t *time_s)
{
    *time_s = 0;
    if (s->value_n > NOTE_VALUE)
        return ERR_INVALID_SIGNATURE_VALUE;
    struct slice value = slice_of(s->value, s->value_n);
    if (k->type == NOTE_COSIGNATURE)
        return cosignature_verify(k, text, value, time_s);
    return note_verify(k, text, value);
}

int note_open(const struct note *n, const struct note_key *const *keys, size_t n_keys,
              struct note_seen *out, struct diag *d)
{
    *out = (struct note_seen){0};
    if (n_keys > NOTE_KEYS)
        return diag_set(d, ERR_TOO_LARGE, "more than %d keys", NOTE_KEYS);
    for (size_t i = 0; i < n->sigs; i++) {
        for (size_t k = 0; k < n_keys; k++) {
            uint64_t time_s, bit = UINT64_C(1) << k;
            if (!note_sig_by(&n->sig[i], keys[k]))
                continue;
            int rc = note_sig_verify(&n->sig[i], keys[k], n->text, &time_s);
            if (rc != 0)
                return diag_set(d, rc, "the signature by %.*s does not verify",
                                SLICE_ARG(n->sig[i].name));
            if ((out->keys & bit) == 0)
                out->times[k] = time_s;
            out->keys |= bit;
        }
    }
    return out->keys != 0 ? 0 : diag_set(d, ERR_MISSING_SIGNATURE, "no known key has signed");
}

/* --- writing --- */

void note_sig_line(struct slice name, const uint8_t id[4], struct slice value, struct buf *out)
{
    uint8_t raw[ID + NOTE_VALUE];
    if (value.n > NOTE_VALUE) {
        out->failed = true;
        return;
    }
    memcpy(raw, id, ID);
    memcpy(raw + ID, value.p, value.n);
    buf_str(out, DASH);
    buf_slice(out, name);
    buf_byte(out, ' ');
    base64_append(out, slice_of(raw, ID + value.n));
    buf_byte(out, '\n');
}

void note_print(struct slice text, const struct note_key *signer,
                const uint8_t signature[NOTE_SIGNATURE], struct buf *out)
{
    buf_slice(out, text);
    buf_byte(out, '\n');
    note_sig_line(note_key_name(signer), signer->id, slice_of(signature, NOTE_SIGNATURE), out);
}
