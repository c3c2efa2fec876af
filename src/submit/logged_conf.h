/*
 * Configuration transparency: the record by which an authority's journal says which signed
 * directories it serves, and whether a proof shows one of them to be in the ledger.
 *
 *   record of type LOGGED_CONF_RECORD; its payload is text:
 *     sild/configuration@v1
 *     <base64 SHA-256 of a signed directory, byte for byte as served> <its name: "V6/internalconf">
 *     … one line a directory of the generation
 *
 * Only a journal of the authority counts: its name begins with <instance>/authority/.
 */
#ifndef SILD_SUBMIT_LOGGED_CONF_H
#define SILD_SUBMIT_LOGGED_CONF_H

#include "tlog/policy.h"

#define LOGGED_CONF_RECORD 2
#define LOGGED_CONF_PROOF_MAX (1u << 20) /* of a proof file */

/* The payload: first the head, then a line for each directory. */
void logged_conf_begin(struct buf *record);
void logged_conf_add(struct buf *record, const char *name, struct slice directory);

/*
 * Is this directory one of those that the proof's record names, and the record in the ledger?
 * Errors: those of chain_verify; ERR_INCORRECT_VALIDATION_INFO: the proof holds, but it is of
 * another journal, another kind of record, or another directory. Each with a sentence.
 */
int logged_conf_verify(struct slice directory, struct slice proof, const struct policy *policy,
                       struct slice instance, struct diag *d) MUST_USE;

#endif
