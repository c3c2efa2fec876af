/*
 * The agent's half of sending heads: takes a request from the log child, posts it to the ledger,
 * verifies the answer, and gives it back. It waits for the ledger (an answer comes when its round
 * is published) without keeping the agent from anything else.
 */
#ifndef SILD_SUBMIT_COURIER_H
#define SILD_SUBMIT_COURIER_H

#include "base/diag.h"
#include "base/slice.h"
#include "net/loop.h"
#include "proc/ipc.h"

struct courier;

/* NULL without memory. */
struct courier *courier_new(struct loop *l);
void courier_free(struct courier *c);
/*
 * From now on: url as [ledger] url says (empty: none), policy the bytes of a policy file (empty:
 * answers are verified up to the checkpoint, and whoever signed that). Copied. A policy that cannot
 * be read is reported, and no answer is taken until there is a good one. ERR_SYNTAX.
 */
int courier_configure(struct courier *c, struct slice url, struct slice policy,
                      struct diag *d) MUST_USE;
/* True when the frame was a head, which is on its way now. Its answer goes to `line`. */
bool courier_frame(struct courier *c, struct ipc *line, const struct ipc_frame *f);
/* The line is gone: nothing more is sent to it. */
void courier_forget(struct courier *c, const struct ipc *line);

#endif
