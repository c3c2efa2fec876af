/* The proof file of a record: out of its journal, and the accepted heads beside it. */
#ifndef SILD_SUBMIT_PROVE_H
#define SILD_SUBMIT_PROVE_H

#include "journal/heads.h"
#include "journal/journal.h"

/*
 * Appends the proof of record seq (form: tlog/chain.h) by the first accepted head over it.
 * ERR_NOT_FOUND: no head over it is accepted yet, the record was dropped, or its salt was erased,
 * so that nobody can prove what it said.
 */
int prove_record(struct journal *j, struct heads *h, uint64_t seq, struct buf *out,
                 struct diag *d) MUST_USE;

#endif
