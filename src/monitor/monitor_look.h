/*
 * One look at a log: its checkpoint against what was seen before, its witnesses, its entries and
 * rounds. What is found is told in sentences; what must not be is kept as evidence.
 */
#ifndef SILD_MONITOR_MONITOR_LOOK_H
#define SILD_MONITOR_MONITOR_LOOK_H

#include "monitor/monitor_state.h"
#include "net/tile_source.h"
#include "tlog/policy.h"

enum monitor_found {
    MONITOR_FINE,
    MONITOR_ALARM, /* not as it should be, and may pass: late, too few witnesses, a file gone */
    MONITOR_MISBEHAVES, /* the log, a witness or a journal has done what it must never do */
};

struct monitor_counts {
    uint64_t looks, unreachable, alarms, misdeeds;
    uint64_t entries, rounds, heads; /* verified since the start */
    unsigned cosignatures, needed;
    int64_t fresh_ms; /* when the checkpoint last was a new one; 0: not yet */
};

struct monitor {
    struct monitor_state state;
    struct monitor_counts counts;
    struct tile_source source;
    const struct policy *policy;
    bool ask_witnesses; /* compare with what they serve */
    bool full;          /* entries from the first one on */
    int64_t stale_ms;   /* without a new checkpoint: an alarm; 0: never */
    int64_t keep_ms;    /* round files older than that may be gone */
    enum monitor_found worst;
    /* of the look that is under way */
    int64_t now_ms;
    enum monitor_found found;
};

/* A sentence to standard output; counted. */
void monitor_tell(struct monitor *m, enum monitor_found what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same for a misdeed, with the two things that contradict each other kept as evidence (b may be
 * empty). */
void monitor_accuse(struct monitor *m, struct slice a, struct slice b, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* ERR_NETWORK and others when the log could not be read: nothing was found then. 0: m->found. */
int monitor_look(struct monitor *m, int64_t now_ms, struct diag *d) MUST_USE;

#endif
