/* sild proof verify and extract: a proof file, offline. */
#ifndef SILD_CLI_PROOF_VERIFY_H
#define SILD_CLI_PROOF_VERIFY_H

int cli_proof_verify(int argc, char **argv);
int cli_proof_extract(int argc, char **argv);

#endif
