/* What a witness counts of itself (base/tally.h) and what follows from it (proc/health.h). */
#ifndef SILD_WITNESS_WITNESS_FACTS_H
#define SILD_WITNESS_WITNESS_FACTS_H

#include "proc/health.h"

/* A worker's words. */
enum witness_facts {
    WITNESS_FACTS_200 = TALLY_OWN, /* answers to add-checkpoint, by status */
    WITNESS_FACTS_400,
    WITNESS_FACTS_403,
    WITNESS_FACTS_404,
    WITNESS_FACTS_409,
    WITNESS_FACTS_413,
    WITNESS_FACTS_422,
    WITNESS_FACTS_503,
    WITNESS_FACTS_LOGS, /* keys of logs it knows */
};
/* The keeper's. */
enum witness_facts_log {
    WITNESS_FACTS_ORIGINS = TALLY_OWN, /* with a checkpoint held */
    WITNESS_FACTS_COMMITS,             /* transactions synced */
    WITNESS_FACTS_WRITTEN,             /* checkpoints in them */
    WITNESS_FACTS_SIGNED,              /* time of the last cosignature, ms */
    WITNESS_FACTS_BEHIND,              /* the clock is behind that time: since when, ms; 0: no */
    WITNESS_FACTS_UNWRITABLE,          /* the store cannot be written: since when, ms; 0: it can */
    WITNESS_FACTS_FORKS,               /* forks kept as evidence, those of before too */
    WITNESS_FACTS_REFUSED,             /* other refused requests kept */
};
#define WITNESS_FACTS_TEXT_WHY 0  /* why the store cannot be written */
#define WITNESS_FACTS_TEXT_FORK 1 /* origin of the last fork seen */

/* Counts an answer of a worker. */
void witness_facts_answered(int status);

extern const struct health_spec witness_facts_health;

#endif
