/*
 * The log child's half of sending heads: it takes size, root and consistency proof of the journal,
 * has the key child sign them, hands the request to the agent (submit/courier.h), and keeps the
 * ledger's answer beside the journal (journal/heads.h). One head at a time is under way; what is
 * appended meanwhile goes with the next one.
 *
 * Exchange never waits for it. While the ledger is away heads wait: it is asked again, at longest
 * every five seconds. What goes wrong stands in the process's page (submit/submit_facts.h).
 */
#ifndef SILD_SUBMIT_SUBMITTER_H
#define SILD_SUBMIT_SUBMITTER_H

#include "journal/heads.h"
#include "journal/journal.h"
#include "proc/ipc.h"
#include "submit/submit_conf.h"

struct submitter;

/*
 * Before the process narrows itself: reads the public half of the key SUBMIT_KEY below `dir`, the
 * role's folder, and opens <dir>/heads, which must then be among the folders that it may use.
 * *out is NULL when conf names no ledger; every function here takes NULL for that.
 */
int submitter_new(struct loop *l, struct journal *j, const char *dir,
                  const struct submit_conf *conf, struct submitter **out, struct diag *d) MUST_USE;
void submitter_free(struct submitter *s);

/* The path that submitter_new uses, made if need be. */
int submitter_folder(const char *dir, char *out, size_t cap, struct diag *d) MUST_USE;

/* A line to the key child, taken over. */
void submitter_key(struct submitter *s, int fd);
/* A line to the agent, taken over. */
void submitter_connect(struct submitter *s, int fd);
/* Instead, where that line serves others too: borrowed; NULL: it is gone. Its owner gives frames of
 * SUBMIT_ANSWER to submitter_frame. */
void submitter_agent(struct submitter *s, struct ipc *line);
void submitter_frame(struct submitter *s, const struct ipc_frame *f);

/* Looks now whether the journal has grown, without waiting for the interval. */
void submitter_now(struct submitter *s);
/* Called after each head that was accepted and kept. */
void submitter_watch(struct submitter *s, void (*accepted)(void *ctx), void *ctx);
/* What is kept; NULL without a ledger. */
struct heads *submitter_heads(struct submitter *s);

#endif
