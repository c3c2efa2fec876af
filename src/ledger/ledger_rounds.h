/*
 * The rounds of a ledger: which heads are accepted, how a round is closed, and what a start finds.
 * One writer. The order of a round, each step durable before the next begins:
 *
 *     1  new tiles, bundle and round file in a staging file       ledger_rounds_commit
 *     2  checkpoint signed and swapped into the lock
 *        ── from here the round exists: a restart finishes it, never makes it anew ──
 *     3  tiles published from the staging file                    ledger_rounds_spread
 *     4  cosignatures collected, checkpoint published             ledger_rounds_publish
 *     5  journals answered, staging file dropped                  ledger_rounds_answer
 *
 * It reads no clock and knows no process: times come in, signatures through a function, waiters are
 * numbers. So tests run it on a disk that fails.
 */
#ifndef SILD_LEDGER_LEDGER_ROUNDS_H
#define SILD_LEDGER_LEDGER_ROUNDS_H

#include "journal/io.h"
#include "ledger/ledger_heads.h"
#include "tlog/note.h"
#include "tlog/proof.h"
#include "tlog/tile.h"

#define LEDGER_ROUND_ENTRIES 100000 /* in one round; more wait for the next */
#define LEDGER_ROUND_BYTES (64u << 20)
#define LEDGER_WAITERS 200000 /* of all heads that wait */

struct ledger_rounds;

/* Signs a checkpoint's text with the ledger's key. */
typedef int (*ledger_sign)(void *ctx, struct slice text, uint8_t signature[NOTE_SIGNATURE],
                           struct diag *d);

struct ledger_rounds_options {
    const char *dir, *lock_dir;
    const struct note_key *key;  /* the ledger's own; its name is the origin. Kept by address */
    const struct journal_io *io; /* NULL: the real disk */
    void *io_ctx;
    ledger_sign sign;
    void *sign_ctx;
    uint64_t seed; /* of the table of names */
};

/*
 * Reads what is there and finishes a round that was committed and not published, up to its
 * checkpoint. Stops (ERR_CORRUPT, ERR_EXISTS, with what to do) where a person must decide: the
 * published checkpoint is ahead of the lock, both have one size and two roots, the staging file of
 * a committed round is gone, the tiles do not give the root.
 */
int ledger_rounds_open(const struct ledger_rounds_options *o, struct ledger_rounds **out,
                       struct diag *d) MUST_USE;
void ledger_rounds_free(struct ledger_rounds *r);

/* --- heads --- */

struct ledger_submission {
    enum entry_kind kind; /* ENTRY_HEAD or ENTRY_AGGREGATE */
    bool is_private;
    uint8_t salt[ENTRY_SALT];
    uint64_t old; /* of a head */
    size_t n;
    struct merkle_hash proof[PROOF_HASHES];
    struct slice entry; /* its signature is verified already */
};

/* Who waits for a head's answer. */
struct ledger_waiter {
    uint32_t worker;
    uint64_t id;
};

struct ledger_decision {
    int status;    /* 200: the head waits for its round; 409, 422, 403, 503 */
    uint64_t size; /* 409: of the last accepted head */
};
/* Judges a head and, when it is accepted, puts it into the open round. A fork or rollback is kept
 * as evidence with both notes; now_ms goes into that. */
struct ledger_decision ledger_rounds_submit(struct ledger_rounds *r,
                                            const struct ledger_submission *s,
                                            struct ledger_waiter w, int64_t now_ms, struct diag *d);
/* Answers of this worker are not wanted any more: it is gone. */
void ledger_rounds_forget(struct ledger_rounds *r, uint32_t worker);

/* --- a round, in this order --- */

enum ledger_phase {
    LEDGER_IDLE,   /* all that was committed is published */
    LEDGER_SPREAD, /* committed; its tiles are to be published */
    LEDGER_SHOWN,  /* tiles are published, the checkpoint waits for cosignatures */
    LEDGER_DONE,   /* published: the journals are to be answered */
};
enum ledger_phase ledger_rounds_phase(const struct ledger_rounds *r);

/* The time of the last round; a new one must be later. */
uint64_t ledger_rounds_time(const struct ledger_rounds *r);

/*
 * Steps 1 and 2. On an error nothing has happened and the heads wait, unless *unknown: then nobody
 * knows whether the round exists, and the process must end, so that the start finds out. ERR_AGAIN:
 * the clock is not past the last round's time. ERR_EXISTS: another writer.
 */
int ledger_rounds_commit(struct ledger_rounds *r, int64_t now_ms, bool *unknown,
                         struct diag *d) MUST_USE;
/* Step 3. Repeatable. ERR_CORRUPT: a published file has other bytes; for a person. */
int ledger_rounds_spread(struct ledger_rounds *r, struct diag *d) MUST_USE;
/* Step 4: the checkpoint with these cosignature lines. Also again, with later ones, while the next
 * round is not committed. */
int ledger_rounds_publish(struct ledger_rounds *r, struct slice lines, struct diag *d) MUST_USE;
/* Step 5. answer: called for each waiter, text borrowed. */
typedef void (*ledger_answer)(void *ctx, struct ledger_waiter w, struct slice text);
int ledger_rounds_answer(struct ledger_rounds *r, ledger_answer answer, void *ctx,
                         struct diag *d) MUST_USE;

/* --- what is there --- */

/* The committed checkpoint: its signed note without cosignatures, size and root. */
struct slice ledger_rounds_note(const struct ledger_rounds *r);
struct slice ledger_rounds_text(const struct ledger_rounds *r);
uint64_t ledger_rounds_size(const struct ledger_rounds *r);
const struct merkle_hash *ledger_rounds_root(const struct ledger_rounds *r);
/* Lines of cosignatures that the published checkpoint has. */
struct slice ledger_rounds_lines(const struct ledger_rounds *r);
/* Consistency of an older size with the committed one. ERR_USAGE: older is larger, or 0. */
int ledger_rounds_proof(struct ledger_rounds *r, uint64_t older,
                        struct merkle_hash proof[MERKLE_DEPTH], size_t *n, struct diag *d) MUST_USE;

struct ledger_counts {
    uint64_t journals, waiting, forks, rollbacks, entries, heads; /* the last round's two */
};
void ledger_rounds_counts(const struct ledger_rounds *r, struct ledger_counts *out);

/* --- upkeep --- */

/* A file that may change: public/journals, public/policy. */
int ledger_rounds_replace(struct ledger_rounds *r, const char *path, struct slice bytes,
                          struct diag *d) MUST_USE;
/* Writes the snapshot of the heads. */
int ledger_rounds_snapshot(struct ledger_rounds *r, struct diag *d) MUST_USE;
/*
 * Removes partial tiles whose full tile is older than partial_ms, and round files older than
 * rounds_ms that the snapshot covers; a bounded number a call.
 */
int ledger_rounds_tidy(struct ledger_rounds *r, int64_t now_ms, int64_t partial_ms,
                       int64_t rounds_ms, struct diag *d) MUST_USE;

#endif
