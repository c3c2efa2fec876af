/*
 * Evidence: requests that a witness has refused although the log's signature was on them, one file
 * each below a folder, with the checkpoint held beside. Two kinds: a fork (two signed trees of one
 * size, which only the log's key can make) and a proof that did not fit (which anybody can hand in
 * with a checkpoint that is public). Each kind has its own places, so that the second never takes
 * those of the first; when they are taken, the oldest stay.
 */
#ifndef SILD_WITNESS_WITNESS_REFUSED_H
#define SILD_WITNESS_WITNESS_REFUSED_H

#include "base/diag.h"
#include "base/slice.h"

#define WITNESS_REFUSED_MAX 1000 /* files of a kind */

struct witness_refused {
    char dir[1200];
    unsigned forks, proofs; /* files there */
    bool told;              /* that a kind's places are all taken */
};

/* Counts what is there; the folder must exist. */
int witness_refused_open(struct witness_refused *r, const char *dir, struct diag *d) MUST_USE;
/* held: the checkpoint held, empty when there is none; request: as it came. One checkpoint is kept
 * once, whatever the proofs beside it. What cannot be kept is reported; the refusal stands. */
void witness_refused_keep(struct witness_refused *r, bool fork, int64_t time_s, const char *why,
                          struct slice text, struct slice held, struct slice request);

#endif
