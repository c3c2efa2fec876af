/* The parameters of a global configuration that follow from the authority's state. */
#ifndef SILD_AUTHORITY_STATE_PARAMS_H
#define SILD_AUTHORITY_STATE_PARAMS_H

#include "authority/state.h"
#include "xroad/params.h"

/* Everything in the arena; without the sources, which the publisher knows. ERR_NOT_FOUND while a
 * setting that the configuration must have is not set. */
int state_params(const struct state *s, struct arena *a, struct params_shared *shared,
                 struct params_private *priv, struct diag *d) MUST_USE;

#endif
