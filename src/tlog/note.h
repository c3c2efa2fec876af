/*
 * C2SP signed notes and their keys: text, an empty line, signature lines
 * "— name base64(key id ‖ signature)". Two kinds of key: Ed25519 (01) signs the text, a cosigner
 * (04) signs time and checkpoint (cosignature.h). Others pass through as unknown.
 */
#ifndef SILD_TLOG_NOTE_H
#define SILD_TLOG_NOTE_H

#include "base/buf.h"
#include "base/diag.h"

#include <openssl/evp.h>

#define NOTE_MAX (64u << 10) /* bytes of a note */
#define NOTE_SIGS 64         /* signature lines of a note */
#define NOTE_KEYS 64         /* keys that note_open takes at once */
#define NOTE_NAME_MAX 255
#define NOTE_VKEY_MAX (NOTE_NAME_MAX + 1 + 8 + 1 + 44) /* characters of a vkey */
#define NOTE_SIGNATURE 64                              /* bytes: Ed25519 */
#define NOTE_VALUE 72                                  /* bytes that are kept of a value: type 04 */
#define NOTE_LINE_MAX (3 + 1 + NOTE_NAME_MAX + 1 + 104 + 1) /* of a line by types 01 and 04 */

enum note_type {
    NOTE_ED25519 = 1,
    NOTE_COSIGNATURE = 4,
};

/* A key that signatures are checked with. Holds memory: note_key_free. */
struct note_key {
    uint8_t type; /* enum note_type */
    uint8_t id[4];
    uint8_t public[32];
    uint8_t name_n;
    char name[NOTE_NAME_MAX + 1];
    EVP_PKEY *pkey;
};

static inline struct slice note_key_name(const struct note_key *k)
{
    return slice_of(k->name, k->name_n);
}

/* "name+hex id+base64(type ‖ key)"; ERR_SYNTAX, ERR_UNSUPPORTED_ALGORITHM (another type). */
int note_key_parse(struct slice vkey, struct note_key *out, struct diag *d) MUST_USE;
/* The same in two steps, for whoever reads many vkeys and uses few: read leaves pkey NULL, and
 * nothing can be verified before prepare, which does nothing the second time. ERR_CRYPTO. */
int note_key_read(struct slice vkey, struct note_key *out, struct diag *d) MUST_USE;
int note_key_prepare(struct note_key *k, struct diag *d) MUST_USE;
/* From its parts; computes the id. ERR_SYNTAX: a name that no key may have. */
int note_key_make(struct slice name, enum note_type type, const uint8_t public[32],
                  struct note_key *out, struct diag *d) MUST_USE;
void note_key_free(struct note_key *k);
/* Same name, type and key. */
bool note_key_same(const struct note_key *a, const struct note_key *b);
/* Appends the vkey, without a line end. */
void note_key_print(const struct note_key *k, struct buf *out);
/* First 4 bytes of SHA-256(name ‖ 0A ‖ type ‖ key). */
void note_key_id(struct slice name, enum note_type type, const uint8_t public[32], uint8_t id[4]);
/* Not empty, at most 255 bytes, UTF-8, no '+', no space of Unicode, no control characters. */
bool note_is_name(struct slice name);

/* One Ed25519 signature over data; ERR_INVALID_SIGNATURE_VALUE. S < L is required. */
int note_verify(const struct note_key *k, struct slice data, struct slice signature) MUST_USE;

struct note_sig {
    struct slice name;
    uint8_t id[4];
    size_t value_n;            /* bytes behind the id, at least 1; may be more than are kept */
    uint8_t value[NOTE_VALUE]; /* the first of them */
    struct slice line;         /* with its 0A */
};

/* Slices point into the bytes that were parsed. */
struct note {
    struct slice text;  /* what is signed; ends in 0A */
    struct slice lines; /* all signature lines */
    size_t sigs;
    struct note_sig sig[NOTE_SIGS];
};

/* The form alone; ERR_SYNTAX, ERR_TOO_LARGE. */
int note_parse(struct slice bytes, struct note *out, struct diag *d) MUST_USE;

/* Which of the keys signed, as bits, and for cosigners when (seconds; 0 for others; the first line
 * of a key counts). */
struct note_seen {
    uint64_t keys;
    uint64_t times[NOTE_KEYS];
};
/*
 * Verifies each line whose name and id match a key. ERR_INVALID_SIGNATURE_VALUE: one of them does
 * not verify, so the note is bad whoever else signed it; ERR_MISSING_SIGNATURE: no known key signed
 * and the text must not be used. n at most NOTE_KEYS.
 */
int note_open(const struct note *n, const struct note_key *const *keys, size_t n_keys,
              struct note_seen *out, struct diag *d) MUST_USE;
/* One line and one key: do name and id match; does it verify over the text (*time_s: of a cosigner,
 * else 0)? */
bool note_sig_by(const struct note_sig *s, const struct note_key *k);
int note_sig_verify(const struct note_sig *s, const struct note_key *k, struct slice text,
                    uint64_t *time_s) MUST_USE;

/* Appends "— name base64(id ‖ value)\n". */
void note_sig_line(struct slice name, const uint8_t id[4], struct slice value, struct buf *out);
/* Appends text, empty line, one signature line: the canonical note of one signer. */
void note_print(struct slice text, const struct note_key *signer,
                const uint8_t signature[NOTE_SIGNATURE], struct buf *out);

#endif
