/*
 * An aggregator's work: heads come in as to a ledger (ledger_rounds.h), a subtree is closed over
 * them, its signed note goes to the ledger or aggregator above, and each journal gets what was
 * answered there, with its own piece of path before it.
 *
 * What was accepted is kept: heads/<time ms> holds the heads of the subtree that was closed then,
 * before its note goes out; heads/snapshot those up to a time.
 */
#ifndef SILD_LEDGER_LEDGER_SUBTREE_H
#define SILD_LEDGER_LEDGER_SUBTREE_H

#include "ledger/ledger_rounds.h"

struct ledger_subtree;

struct ledger_subtree_options {
    const char *dir;
    const struct note_key *key;  /* the aggregator's; kept by address */
    const struct journal_io *io; /* NULL: the real disk */
    void *io_ctx;
    ledger_sign sign;
    void *sign_ctx;
    uint64_t seed;
};

int ledger_subtree_open(const struct ledger_subtree_options *o, struct ledger_subtree **out,
                        struct diag *d) MUST_USE;
void ledger_subtree_free(struct ledger_subtree *s);

/* For ledger_rounds_submit, ledger_rounds_forget, ledger_rounds_counts: nothing else of it. */
struct ledger_rounds *ledger_subtree_intake(struct ledger_subtree *s);

/* The signed note that waits for its answer; empty when there is none. */
struct slice ledger_subtree_note(const struct ledger_subtree *s);
/* Closes a subtree over the heads that wait, when there are any and no note waits. On an error they
 * wait on. ERR_AGAIN: the clock is not past the last subtree. */
int ledger_subtree_close(struct ledger_subtree *s, int64_t now_ms, struct diag *d) MUST_USE;
/* The answer of the one above: each waiter gets its own. ERR_SYNTAX, ERR_INVALID_RESPONSE (it is
 * for another note): then the note goes on waiting. */
int ledger_subtree_answer(struct ledger_subtree *s, struct slice upper, ledger_answer answer,
                          void *ctx, struct diag *d) MUST_USE;
/* The one above wants a later time: the same heads go into another subtree. */
void ledger_subtree_again(struct ledger_subtree *s);
/* Writes the snapshot; the files of single subtrees go. */
int ledger_subtree_snapshot(struct ledger_subtree *s, struct diag *d) MUST_USE;

#endif
