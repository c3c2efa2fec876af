/* What the trust role counts of itself (base/tally.h) and what follows from it (proc/health.h). */
#ifndef SILD_TRUST_TRUST_FACTS_H
#define SILD_TRUST_TRUST_FACTS_H

#include "proc/health.h"

/* The worker's words. */
enum trust_facts {
    TRUST_FACTS_OCSP = TALLY_OWN, /* OCSP responses */
    TRUST_FACTS_OCSP_FAILED,      /* those that could not be made */
    TRUST_FACTS_TSA,              /* time-stamps */
    TRUST_FACTS_TSA_FAILED,
    TRUST_FACTS_EXPIRY, /* notAfter of the CA's, OCSP's and TSA's certificates */
    TRUST_FACTS_END = TRUST_FACTS_EXPIRY + 3,
};
/* The log child's. */
enum trust_facts_log {
    TRUST_FACTS_ISSUED = TALLY_OWN,
    TRUST_FACTS_REVOKED,
};

extern const struct health_spec trust_facts_health;

#endif
