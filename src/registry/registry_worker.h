/* The child that answers: one database connection, one HTTP server on the shared socket. */
#ifndef SILD_REGISTRY_REGISTRY_WORKER_H
#define SILD_REGISTRY_REGISTRY_WORKER_H

#include "base/buf.h"
#include "proc/group.h"

#define REGISTRY_LISTEN "http" /* the name of the listening socket */

/* A child's main (struct group_child). Returns an exit code. */
int registry_worker_run(struct group_self *self, const char *config_path);

#endif
