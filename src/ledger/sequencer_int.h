/* What the files of the sequencer share. */
#ifndef SILD_LEDGER_SEQUENCER_INT_H
#define SILD_LEDGER_SEQUENCER_INT_H

#include "ledger/ledger_conf.h"
#include "ledger/ledger_facts.h"
#include "ledger/ledger_frames.h"
#include "ledger/ledger_lists.h"
#include "proc/group.h"

#define SEQUENCER_WORKERS 16

struct sequencer {
    struct group_self *self;
    struct loop *loop;
    struct ledger_conf conf;
    struct note_key key;
    struct ledger_lists lists;
    struct ledger_rounds *rounds;
    int key_line;
    struct ipc *worker[SEQUENCER_WORKERS];
    struct ipc *agent;
    struct loop_timer *timer;

    bool confirmed;           /* the witnesses know nothing beyond our last checkpoint */
    bool person;              /* nothing is signed any more */
    bool asked;               /* the agent has what is to be cosigned */
    int64_t asked_ms;         /* since when, monotonic */
    struct buf lines;         /* cosignatures of the committed checkpoint */
    uint32_t witnesses;       /* whose they are */
    int64_t began_ms;         /* of the round in hand, monotonic */
    int64_t wall_ms, mono_ms; /* when the clock was last looked at */
    unsigned since_snapshot, since_tidy;
};

/* The next look at what is to be done. */
void sequencer_again_in(struct sequencer *s, int64_t ms);
/* No round is closed, and why. */
void sequencer_stop(struct sequencer *s, enum ledger_stop stop, const struct diag *d);

/* --- witnesses: sequencer_witnesses.c --- */

/* Has the agent ask them for the committed checkpoint, and again after a while. */
void sequencer_ask(struct sequencer *s);
/* Another checkpoint is to be cosigned. */
void sequencer_collect(struct sequencer *s);
/* Have enough signed? */
bool sequencer_enough(const struct sequencer *s);
/* A frame of the agent. */
void sequencer_agent_frame(struct sequencer *s, const struct ipc_frame *f);

#endif
