/* What a proof says, in words for a person, and as JSON. */
#ifndef SILD_CLI_PROOF_SAY_H
#define SILD_CLI_PROOF_SAY_H

#include "tlog/chain.h"

/* To standard output. policy NULL: verified by an anchor alone. */
void proof_say(const char *file, const struct chain *c, const struct chain_verdict *v,
               const struct policy *policy, const char *policy_path);
void proof_say_json(const char *file, const struct chain *c, const struct chain_verdict *v,
                    const struct policy *policy, const char *policy_path);

#endif
