/*
 * Whom a worker could not reach when it last tried: other servers, or information systems of its
 * own. Only those that fail are remembered, so that success costs a comparison.
 */
#ifndef SILD_GATEWAY_REACH_H
#define SILD_GATEWAY_REACH_H

#include "base/slice.h"

#include <stdint.h>

#define REACH_MAX 32
#define REACH_NAME 200

struct reach {
    unsigned word; /* of the tally: how many fail; the next one: since when the oldest does */
    unsigned text; /* slot: what the last failure was */
    struct reach_target {
        char name[REACH_NAME];
        int64_t since_ms;
    } at[REACH_MAX];
    size_t n;
};

/* Is there anybody that reach_good could be about? */
static inline bool reach_any(const struct reach *r)
{
    return r->n > 0;
}
void reach_good(struct reach *r, struct slice name);
void reach_bad(struct reach *r, struct slice name, int64_t now_ms, const char *why);

#endif
