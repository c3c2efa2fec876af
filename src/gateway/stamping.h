/*
 * Time-stamping of logged messages (logging.md 4): a queue of what is not stamped yet, oldest
 * first, handed to the agent in batches; the rule when to stop exchanging.
 */
#ifndef SILD_GATEWAY_STAMPING_H
#define SILD_GATEWAY_STAMPING_H

#include "crypto/digest.h"
#include "gateway/snapshot.h"
#include "journal/journal.h"
#include "net/loop.h"
#include "proc/ipc.h"

struct stamping;
/* The agent's line serves others, too: on_frame gets all frames that are no time-stamp's (and owns
 * their descriptor), on_line hears of a new line, or that there is none (NULL). */
struct stamping_others {
    void (*on_frame)(void *ctx, const struct ipc_frame *f);
    void (*on_line)(void *ctx, struct ipc *line);
    void *ctx;
};
struct stamping *stamping_new(struct loop *l, struct journal *j, const struct stamping_others *o);
void stamping_free(struct stamping *s);
/* Fills the queue from the journal: every message after the last one that a stamp covers. */
int stamping_recover(struct stamping *s, struct diag *d) MUST_USE;
void stamping_connect(struct stamping *s, int agent_fd);
void stamping_configure(struct stamping *s, const struct snapshot *snap);
/* A durable message record. */
void stamping_add(struct stamping *s, uint64_t seq, const struct digest *hash);
/* May another message be logged? ERR_MLOG_NO_TSP, ERR_TIMESTAMPING_FAILED. */
int stamping_may_log(const struct stamping *s, struct diag *d) MUST_USE;
/* Stamps everything queued at this moment, then calls done once. */
typedef void (*stamping_done)(void *ctx, uint64_t id, const struct diag *why);
void stamping_now(struct stamping *s, stamping_done done, void *ctx, uint64_t id);

#endif
