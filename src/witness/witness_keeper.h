/*
 * The child "log" of a witness: what it has cosigned, and the only place where that changes. All
 * requests that have arrived are judged one after another, written in one transaction, and only
 * when that is synced are they sent to the key process; the answers go out with the signatures.
 */
#ifndef SILD_WITNESS_WITNESS_KEEPER_H
#define SILD_WITNESS_WITNESS_KEEPER_H

#include "proc/group.h"

int witness_keeper_run(struct group_self *self, const char *config_path);

#endif
