/*
 * What a person can do about a fault: one table by side, phase and code.
 */
#ifndef SILD_GATEWAY_ADVICE_H
#define SILD_GATEWAY_ADVICE_H

#include "xroad/fault.h"

/* The next step for who reads the fault; never empty. side, phase: as for refusal_make; phase may
 * be NULL. code: from base/err.h. */
const char *advice_for(const char *side, const char *phase, int code);

/* Appends ". Next step: …" to the fault's text, which is cut before it when it is too long. */
void advice_add(struct fault *f, const char *side, const char *phase, int code);

/* The same for what an operator reads in the log, with neither side nor phase. */
void advice_to_diag(struct diag *d);

#endif
