/*
 * The agent: fetches global configuration, OCSP responses and time-stamps, verifies them, resolves
 * names, and publishes snapshots to workers and log. It holds no keys and speaks to nobody inside
 * but them.
 */
#ifndef SILD_GATEWAY_AGENT_H
#define SILD_GATEWAY_AGENT_H

#include "proc/group.h"

int agent_run(struct group_self *self, const char *config_path);

#endif
