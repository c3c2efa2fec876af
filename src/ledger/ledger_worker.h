/* The worker child of a ledger: HTTP, all hostile bytes, the signatures of heads. */
#ifndef SILD_LEDGER_LEDGER_WORKER_H
#define SILD_LEDGER_LEDGER_WORKER_H

#include "proc/group.h"

#define LEDGER_LISTEN "listen"

/* What a worker works with: the lists, and the folder whose public files it serves. */
struct ledger_worker_options {
    const char *journals, *policy; /* policy NULL: none */
    const char *dir;               /* NULL: it serves no files */
};
int ledger_worker_serve(struct group_self *self, const struct ledger_worker_options *o);

int ledger_worker_run(struct group_self *self, const char *config_path);

#endif
