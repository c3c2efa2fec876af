/* The log child of a ledger: the only writer. */
#ifndef SILD_LEDGER_SEQUENCER_H
#define SILD_LEDGER_SEQUENCER_H

#include "proc/group.h"

int sequencer_run(struct group_self *self, const char *config_path);

#endif
