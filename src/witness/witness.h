/* sild ledger witness: cosigns the checkpoints of logs by C2SP's tlog-witness. Children: key, log
 * (the keeper of what was cosigned), worker, admin. */
#ifndef SILD_WITNESS_WITNESS_H
#define SILD_WITNESS_WITNESS_H

#include "base/diag.h"

int witness_main(int argc, char **argv);

/* Makes key, vkey file, empty store and folders below dir, whose configuration then says `name`.
 * key: a PEM file with the key to be used; NULL: a new one. ERR_EXISTS when they are there. */
int witness_init(const char *dir, const char *name, const char *key, struct diag *d) MUST_USE;
/* init, vkey, add-log, logs, reload: argv[0] is the word. */
int witness_tool_main(int argc, char **argv);

#endif
