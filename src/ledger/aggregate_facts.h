/* What the aggregator's processes count of themselves, and what follows from it. Its workers count
 * as a ledger's do (ledger_facts.h). */
#ifndef SILD_LEDGER_AGGREGATE_FACTS_H
#define SILD_LEDGER_AGGREGATE_FACTS_H

#include "proc/health.h"

/* The log child's words. */
enum aggregate_facts {
    AGGREGATE_FACTS_SUBTREES = TALLY_OWN, /* answered from above */
    AGGREGATE_FACTS_HEADS,                /* answered */
    AGGREGATE_FACTS_JOURNALS,
    AGGREGATE_FACTS_WAITING,
    AGGREGATE_FACTS_LAST,       /* when the last subtree was answered, ms */
    AGGREGATE_FACTS_STALE,      /* heads refused with 409 */
    AGGREGATE_FACTS_REFUSED,    /* forks and rollbacks */
    AGGREGATE_FACTS_STOP_SINCE, /* since when nothing goes up, ms; 0: all is well */
};
#define AGGREGATE_FACTS_TEXT_STOP 0

extern const struct health_spec aggregate_facts_health;

#endif
