/*
 * What a log child tells of its journal's heads (base/tally.h, the words from TALLY_HEADS on, the
 * text TALLY_TEXT_HEADS), and what follows from it: the part "ledger" of every role's health, and
 * its metrics.
 */
#ifndef SILD_SUBMIT_SUBMIT_FACTS_H
#define SILD_SUBMIT_SUBMIT_FACTS_H

#include "proc/health.h"

enum submit_facts {
    SUBMIT_FACTS_ON = TALLY_HEADS, /* 1: a ledger is configured */
    SUBMIT_FACTS_SIZE,             /* of the last accepted head */
    SUBMIT_FACTS_LAST,             /* when it was accepted, ms; 0: none since the start */
    SUBMIT_FACTS_ACCEPTED,         /* how many were */
    SUBMIT_FACTS_FAILURES,         /* attempts that came to nothing */
    SUBMIT_FACTS_TROUBLE,          /* enum submit_trouble */
    SUBMIT_FACTS_SINCE,            /* since when it lasts; 0: it works */
    SUBMIT_FACTS_END,
};
_Static_assert((int)SUBMIT_FACTS_END <= (int)TALLY_OWN, "the words fit before a role's own");

enum submit_trouble {
    SUBMIT_FINE,
    SUBMIT_WAITS,       /* nobody answers, or not now: heads wait */
    SUBMIT_NOT_TAKEN,   /* the ledger does not know the journal, or its key */
    SUBMIT_UNVERIFIED,  /* what the ledger answers does not hold */
    SUBMIT_REFUSED,     /* what we hand in does not fit what was accepted before */
    SUBMIT_ROLLED_BACK, /* the journal has lost records of which a head was accepted */
};

/* --- the log child --- */

void submit_facts_begin(uint64_t size);
/* True when the trouble is another one than before. */
bool submit_facts_failed(enum submit_trouble trouble, int64_t now_ms, struct slice why);
/* True when there was trouble before. */
bool submit_facts_accepted(uint64_t size, int64_t now_ms);

/* --- what follows --- */

/* For a role's table of parts. */
void submit_facts_judge(struct health_view *v);
#define SUBMIT_FACTS_PART                                                                          \
    {                                                                                              \
        "ledger", submit_facts_judge                                                               \
    }

#define SUBMIT_FACTS_ROW(name, help, labels, kind, word)                                           \
    {                                                                                              \
        name, help, "log", labels, kind, word, NULL, 0, 0, 0                                       \
    }
/* For its table of metrics. */
#define SUBMIT_FACTS_METRICS                                                                       \
    SUBMIT_FACTS_ROW("sild_heads_total", "Heads of the journal handed to the ledger, by outcome.", \
                     "outcome=\"accepted\"", HEALTH_COUNTER, SUBMIT_FACTS_ACCEPTED),               \
        SUBMIT_FACTS_ROW("sild_heads_total", NULL, "outcome=\"failed\"", HEALTH_COUNTER,           \
                         SUBMIT_FACTS_FAILURES),                                                   \
        SUBMIT_FACTS_ROW("sild_head_size", "Records under the last accepted head.", NULL,          \
                         HEALTH_GAUGE, SUBMIT_FACTS_SIZE),                                         \
        SUBMIT_FACTS_ROW("sild_head_age_seconds", "Since the last head was accepted.", NULL,       \
                         HEALTH_AGE, SUBMIT_FACTS_LAST),                                           \
        SUBMIT_FACTS_ROW("sild_heads_waiting_seconds", "Since when heads wait.", NULL, HEALTH_AGE, \
                         SUBMIT_FACTS_SINCE)

#endif
