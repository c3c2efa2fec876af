/* What the ledger's processes count of themselves (base/tally.h) and what follows from it
 * (proc/health.h). */
#ifndef SILD_LEDGER_LEDGER_FACTS_H
#define SILD_LEDGER_LEDGER_FACTS_H

#include "proc/health.h"

/* Why no round is closed. */
enum ledger_stop {
    LEDGER_STOP_NONE,
    LEDGER_STOP_CLOCK,     /* it is not past the last round's time */
    LEDGER_STOP_WITNESSES, /* too few have signed */
    LEDGER_STOP_DISK,
    LEDGER_STOP_KEY,
    LEDGER_STOP_PERSON, /* a person must decide */
};

/* The log child's words. */
enum ledger_facts {
    LEDGER_FACTS_ROUNDS = TALLY_OWN, /* published since the start */
    LEDGER_FACTS_SIZE,               /* of the tree */
    LEDGER_FACTS_LAST,               /* when the last round was published, ms */
    LEDGER_FACTS_HEADS,              /* accepted and answered since the start */
    LEDGER_FACTS_JOURNALS,           /* known */
    LEDGER_FACTS_WAITING,            /* heads in the open round */
    LEDGER_FACTS_STALE,              /* refused with 409 */
    LEDGER_FACTS_FORKS,
    LEDGER_FACTS_ROLLBACKS,
    LEDGER_FACTS_FORK_LAST, /* when the last fork or rollback came, ms */
    LEDGER_FACTS_STOP,      /* enum ledger_stop */
    LEDGER_FACTS_STOP_SINCE,
    LEDGER_FACTS_COSIGNATURES,     /* taken */
    LEDGER_FACTS_COSIGNATURES_BAD, /* refused: for another text, or of another time */
    LEDGER_FACTS_AHEAD,            /* claims of witnesses to know more, not shown */
    LEDGER_FACTS_WORK,             /* ms of rounds, summed, from closing to publishing */
};
#define LEDGER_FACTS_TEXT_STOP 0
#define LEDGER_FACTS_TEXT_FORK 1

/* The agent's. */
#define LEDGER_FACTS_WITNESSES 32
enum ledger_facts_agent {
    LEDGER_FACTS_ASKED = TALLY_OWN, /* requests */
    LEDGER_FACTS_FAILED,            /* without a cosignature */
    LEDGER_FACTS_WITNESS_OK,        /* when witness i last signed, ms; 0: never since the start */
    LEDGER_FACTS_WITNESS_BAD = LEDGER_FACTS_WITNESS_OK + LEDGER_FACTS_WITNESSES, /* failures now */
    LEDGER_FACTS_WITNESS_END = LEDGER_FACTS_WITNESS_BAD + LEDGER_FACTS_WITNESSES,
};
#define LEDGER_FACTS_TEXT_NAMES 0 /* of witnesses, parted by spaces */
#define LEDGER_FACTS_TEXT_WHY 1   /* the last failure */

/* The workers'. */
enum ledger_facts_worker {
    LEDGER_FACTS_FILES = TALLY_OWN, /* static files served */
    LEDGER_FACTS_MISSING,           /* 404 */
    LEDGER_FACTS_HEAD_ASKED,        /* add-head and add-aggregate */
    LEDGER_FACTS_HEAD_BAD,          /* refused with 400, 403 or 404 */
};

/* No round is closed, since `now_ms`; the same reason again keeps the time of the first. */
void ledger_facts_stop(enum ledger_stop stop, const char *why, int64_t now_ms);

extern const struct health_spec ledger_facts_health;

#endif
