/* sild proof get: the proof of a record, out of its journal and the accepted heads beside it. */
#ifndef SILD_CLI_PROOF_GET_H
#define SILD_CLI_PROOF_GET_H

#include "base/buf.h"
#include "base/diag.h"

int cli_proof_get(int argc, char **argv);

/*
 * Appends the proof of record seq of the journal in that folder. Waits until a head over it is
 * accepted, at most wait_ms; ERR_NOT_FOUND when none was. May run beside the journal's writer.
 */
int proof_get_record(const char *journal, uint64_t seq, int64_t wait_ms, struct buf *out,
                     struct diag *d) MUST_USE;

#endif
