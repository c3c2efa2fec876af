/* The entries of a log against its tree, and, where they are rounds, the rounds and what the
 * journals said in them. */
#ifndef SILD_MONITOR_MONITOR_ROUNDS_H
#define SILD_MONITOR_MONITOR_ROUNDS_H

#include "monitor/monitor_look.h"

/* Reads the entries from m->state.entries up to size, of a tree that is trusted. What does not fit
 * is told. Errors: the log could not be read. */
int monitor_rounds_read(struct monitor *m, struct tile_tree *tree, uint64_t size,
                        struct diag *d) MUST_USE;

#endif
