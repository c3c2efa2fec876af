/*
 * Leaf data of a round's tree and of an aggregator's subtree. One of
 *   head        <vkey>\n<signed checkpoint of a journal>
 *   aggregate   <vkey>\n<signed aggregate note>
 *   commitment  sild/commitment@v1\n<base64 SHA-256(salt ‖ head entry)>\n
 * The note has exactly one signature, by that key. The vkey stands in the entry so that whoever
 * holds the ledger's policy needs no other list to check the signature.
 */
#ifndef SILD_TLOG_ENTRY_H
#define SILD_TLOG_ENTRY_H

#include "tlog/aggregate.h"
#include "tlog/checkpoint.h"
#include "tlog/note.h"

#define ENTRY_MAX 2048
#define ENTRY_SALT 32

enum entry_kind {
    ENTRY_HEAD,
    ENTRY_AGGREGATE,
    ENTRY_COMMITMENT,
};

/* Slices point into the entry. */
struct entry {
    enum entry_kind kind;
    struct slice vkey;
    struct slice name; /* of the key: what an entry is unique by; empty for a commitment */
    struct slice note; /* text, empty line, signature line */
    struct slice text;
    uint8_t signature[NOTE_SIGNATURE];
    struct checkpoint head;     /* ENTRY_HEAD */
    struct aggregate aggregate; /* ENTRY_AGGREGATE */
    uint8_t commitment[32];     /* ENTRY_COMMITMENT */
};

/* Form and texts; not yet the signature. ERR_SYNTAX, ERR_TOO_LARGE. */
int entry_parse(struct slice bytes, struct entry *out, struct diag *d) MUST_USE;
/* Appends the entry of a canonical note by that key. */
void entry_print(const struct note_key *k, struct slice note, struct buf *out);
/* The entry of what is to be kept private: whoever has salt and entry can show that they are its.
 */
void entry_commit(const uint8_t salt[ENTRY_SALT], struct slice entry, struct buf *out);
/*
 * The one signature, by the key of the entry itself, whose name is the origin or the aggregator's
 * name. ERR_INVALID_SIGNATURE_VALUE. A commitment has none: ERR_MISSING_SIGNATURE. When `key` is
 * not NULL it is used if it is the same key (a prepared one), else the vkey of the entry is parsed.
 */
int entry_verify(const struct entry *e, const struct note_key *key, struct diag *d) MUST_USE;
/* Journals' heads that the entry stands for: 1, or the aggregate's count. */
uint64_t entry_heads(const struct entry *e);

#endif
