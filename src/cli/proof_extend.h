/* sild proof extend: leads a proof to a printed anchor, so that it needs no key any more. */
#ifndef SILD_CLI_PROOF_EXTEND_H
#define SILD_CLI_PROOF_EXTEND_H

int cli_proof_extend(int argc, char **argv);

#endif
