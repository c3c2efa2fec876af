/* The agent child of an aggregator: hands its notes to the ledger or aggregator above. */
#ifndef SILD_LEDGER_AGGREGATE_AGENT_H
#define SILD_LEDGER_AGGREGATE_AGENT_H

#include "proc/group.h"

int aggregate_agent_run(struct group_self *self, const char *config_path);

#endif
