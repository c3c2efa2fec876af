/*
 * The log process: the only writer of the message log's journal. Records of all workers are
 * gathered, one sync serves all that wait; signature documents are stored without what they share
 * (record.h); what is signed is handed to the agent for time-stamping, oldest first. It refuses
 * records when stamping has failed for longer than allowed (logging.md 4, 5).
 */
#ifndef SILD_GATEWAY_MLOG_H
#define SILD_GATEWAY_MLOG_H

#include "proc/group.h"

#define MLOG_FOLDER "messagelog" /* below the gateway's folder */

int mlog_run(struct group_self *self, const char *config_path);

#endif
