/* What the authority counts of itself (base/tally.h) and what follows from it (proc/health.h). */
#ifndef SILD_AUTHORITY_AUTHORITY_FACTS_H
#define SILD_AUTHORITY_AUTHORITY_FACTS_H

#include "proc/health.h"

/* The log child's words. */
enum authority_facts {
    AUTHORITY_FACTS_SIGNED = TALLY_OWN, /* when the last generation was signed, ms; 0: none yet */
    AUTHORITY_FACTS_EXPIRES,            /* until when it holds */
    AUTHORITY_FACTS_FAILING,            /* since when none could be signed; 0: it works */
    AUTHORITY_FACTS_GENERATIONS,
    AUTHORITY_FACTS_CHANGES, /* changes of members, servers, services */
};

/* A generation was signed at now_ms and holds for expire_ms, or could not be (why). */
void authority_facts_signed(int64_t now_ms, int64_t expire_ms);
void authority_facts_failed(int64_t now_ms, const struct diag *why);

extern const struct health_spec authority_facts_health;

#endif
