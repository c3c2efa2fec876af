/*
 * The authority's worker: serves the signed directories and their parts over HTTP, from memory, at
 * the paths that X-Road's clients ask for (globalconf.md 7).
 */
#ifndef SILD_AUTHORITY_DISTRIBUTOR_H
#define SILD_AUTHORITY_DISTRIBUTOR_H

#include "proc/group.h"

int distributor_run(struct group_self *self, const char *config_path);

#endif
