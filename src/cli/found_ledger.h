/* The ledger, its witnesses and the journals' keys of a new demonstration country. */
#ifndef SILD_CLI_FOUND_LEDGER_H
#define SILD_CLI_FOUND_LEDGER_H

#include "base/attr.h"
#include "base/diag.h"

/* After the roles' configurations and key stores are there: makes keys and witnesses, and tells
 * each who the others are: DIR/ledger/journals, DIR/ledger/policy, DIR/witness1/logs … */
int found_ledger(const char *dir, struct diag *d) MUST_USE;

#endif
