/*
 * The agent of a role that has nothing to fetch but the ledger's answers: it carries the heads of
 * the log child's journal. It holds no key and opens no file.
 */
#ifndef SILD_SUBMIT_SUBMIT_AGENT_H
#define SILD_SUBMIT_SUBMIT_AGENT_H

#include "proc/group.h"
#include "submit/submit_conf.h"

/* In a role's table of children, behind "log". */
#define SUBMIT_AGENT_CHILD(run_)                                                                   \
    {                                                                                              \
        .name = "agent", .count = 1, .alone = true, .peers = {"log"}, .run = (run_)                \
    }

/* The child's main. A relative [ledger] policy is below the configuration file's folder. */
int submit_agent_run(struct group_self *self, const struct submit_conf *conf,
                     const char *config_path);

#endif
