/*
 * The heads of a journal that the ledger accepted: a second journal beside it, one record an
 * answer, as the ledger gave it (text; its form is that of tlog/chain.h). The lines that are read
 * here are the first four: "sild/answer@v1", the vkey, and of the head its origin and size.
 *
 * Sizes ascend, so the head that covers a record is found by halving. One process writes; tools
 * read beside it.
 */
#ifndef SILD_JOURNAL_HEADS_H
#define SILD_JOURNAL_HEADS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

#define HEADS_FOLDER "heads"          /* beside the journal's own folder */
#define HEADS_ANSWER_MAX (256u << 10) /* of one answer */

struct heads;

/* Writing: makes the folder, takes the writer's lock, recovers as any journal does. Reading: sees
 * what is durable now; ERR_NOT_FOUND when there is no such folder. */
int heads_open(const char *dir, bool read_only, struct heads **out, struct diag *d) MUST_USE;
void heads_close(struct heads *h); /* NULL is harmless */

/*
 * An answer that was verified; durable when this returns 0. One of the size that is the last
 * already is not kept twice. ERR_SYNTAX when it is no answer, ERR_EXISTS when a later head is
 * kept.
 */
int heads_append(struct heads *h, int64_t time_ms, struct slice answer, struct diag *d) MUST_USE;

uint64_t heads_count(const struct heads *h);
/* Size of the last accepted head; 0: none yet. */
uint64_t heads_last(const struct heads *h);
/* The first accepted head that covers record seq (its size is larger) into answer (reset first).
 * ERR_NOT_FOUND: none does yet, or it was dropped. */
int heads_find(struct heads *h, uint64_t seq, struct buf *answer, struct diag *d) MUST_USE;
/* A reader beside the writer: notices what came since it was opened. */
int heads_refresh(struct heads *h, struct diag *d) MUST_USE;

/* Size of the head that an answer is about; false when its first lines are none. */
bool heads_size(struct slice answer, uint64_t *size);

#endif
