/*
 * C2SP tlog-checkpoint: the text of a note that commits to a tree.
 * "origin\nsize\nbase64(root)\n", then lines of extensions, of which ours have none.
 */
#ifndef SILD_TLOG_CHECKPOINT_H
#define SILD_TLOG_CHECKPOINT_H

#include "base/buf.h"
#include "base/diag.h"
#include "crypto/merkle.h"

#define CHECKPOINT_ORIGIN_MAX 255
#define CHECKPOINT_TEXT_MAX (CHECKPOINT_ORIGIN_MAX + 1 + 19 + 1 + 44 + 1) /* without extensions */

struct checkpoint {
    struct slice origin; /* points into the text */
    uint64_t size;       /* at most 2^63-1 */
    struct merkle_hash root;
    struct slice extensions; /* lines behind the third; empty in all that we sign or cosign */
};

/* The text of a note. ERR_SYNTAX. */
int checkpoint_parse(struct slice text, struct checkpoint *out, struct diag *d) MUST_USE;
/* Appends the text, extensions too. */
void checkpoint_print(const struct checkpoint *c, struct buf *out);
/* An origin that we give or cosign: printable ASCII without spaces and '+', 1 to 255 bytes. */
bool checkpoint_is_origin(struct slice origin);
/* Size 0 has the root of the empty tree; any other size may have any root. */
bool checkpoint_is_sound(const struct checkpoint *c);

#endif
