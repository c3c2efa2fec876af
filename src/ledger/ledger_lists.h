/*
 * The two files that a ledger's configuration names: the keys of journals and aggregators, and the
 * policy of witnesses. The parent reads them, also on reload; to children that may open no files
 * they come packed: var journals, var policy (base/cursor.h).
 */
#ifndef SILD_LEDGER_LEDGER_LISTS_H
#define SILD_LEDGER_LEDGER_LISTS_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/map.h"
#include "tlog/note.h"
#include "tlog/policy.h"

#define LEDGER_LISTS_MAX (30u << 20)
#define LEDGER_LISTS_KEYS 200000

struct ledger_lists {
    struct buf bytes;                   /* packed */
    struct slice journals, policy_text; /* in it */
    struct note_key *key;
    size_t n;
    struct map *by_name;
    struct policy *policy; /* NULL: none was packed */
};

/* Reads both files. A missing list of journals is an empty one; policy NULL: none is wanted. */
int ledger_lists_pack(const char *journals, const char *policy, struct buf *out,
                      struct diag *d) MUST_USE;
/* Free it also after a failure. own: the ledger's key, which the policy must name; NULL: not asked.
 */
int ledger_lists_parse(struct slice packed, const struct note_key *own, struct ledger_lists *out,
                       struct diag *d) MUST_USE;
void ledger_lists_free(struct ledger_lists *l);
/* The key of that name, NULL when it is not known. */
const struct note_key *ledger_lists_key(const struct ledger_lists *l, struct slice name);

#endif
