/* The log child of an aggregator: the only writer. */
#ifndef SILD_LEDGER_AGGREGATE_LOG_H
#define SILD_LEDGER_AGGREGATE_LOG_H

#include "proc/group.h"

int aggregate_log_run(struct group_self *self, const char *config_path);

#endif
