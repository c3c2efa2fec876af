/*
 * What the ledger's processes tell each other (proc/ipc.h); bodies are little-endian cursors.
 *
 *   HEAD        worker to log: a submission; the id comes back with its answer
 *   ANSWER      log to worker: flags are the status; 200: the answer's text; 409: the size, as it
 * is sent; else a sentence ASK         log to agent: cosign this checkpoint; id is its size; var
 * note PROOF       agent to log: u64 older size; id is the committed size PROOF_DONE  u64 older
 * size, hashes LINE        agent to log: u8 witness (of the policy), signature line; id is the size
 *   AHEAD       agent to log: u8 witness, u64 the size it claims, var checkpoint that shows it or
 *               nothing
 * and of an aggregator:
 *   HAND        log to agent: a signed aggregate note for the one above; the id comes back
 *   HANDED      agent to log: flags are the status (0: not reached), body the answer or a sentence
 */
#ifndef SILD_LEDGER_LEDGER_FRAMES_H
#define SILD_LEDGER_LEDGER_FRAMES_H

#include "ledger/ledger_rounds.h"

enum ledger_frame {
    LEDGER_FRAME_HEAD = 1,
    LEDGER_FRAME_ANSWER,
    LEDGER_FRAME_ASK,
    LEDGER_FRAME_PROOF,
    LEDGER_FRAME_PROOF_DONE,
    LEDGER_FRAME_LINE,
    LEDGER_FRAME_AHEAD,
    LEDGER_FRAME_HAND,
    LEDGER_FRAME_HANDED,
};

void ledger_frames_put_head(struct buf *b, const struct ledger_submission *s);
/* Slices borrowed. ERR_SYNTAX. */
int ledger_frames_get_head(struct slice body, struct ledger_submission *out) MUST_USE;
void ledger_frames_put_hashes(struct buf *b, const struct merkle_hash *h, size_t n);
/* At most MERKLE_DEPTH, to the end of the body. ERR_SYNTAX. */
int ledger_frames_get_hashes(struct slice body, struct merkle_hash h[MERKLE_DEPTH],
                             size_t *n) MUST_USE;

#endif
