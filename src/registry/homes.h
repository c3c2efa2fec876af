/* Where the people of a population live. */
#ifndef SILD_REGISTRY_HOMES_H
#define SILD_REGISTRY_HOMES_H

#include "registry/population.h"

/* Gives everybody who lives an address: couples share one, children live with a parent. ERR_NOMEM.
 */
int homes_assign(struct population *p, struct prng *r, struct diag *d) MUST_USE;

#endif
