/* The agent child of a ledger: asks the witnesses, all at once, for cosignatures. */
#ifndef SILD_LEDGER_LEDGER_AGENT_H
#define SILD_LEDGER_LEDGER_AGENT_H

#include "proc/group.h"

int ledger_agent_run(struct group_self *self, const char *config_path);

#endif
