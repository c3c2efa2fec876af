/*
 * The authority's child "log": it alone writes the journal of changes, keeps the state, signs a
 * generation of the global configuration after each change and whenever the interval has passed,
 * writes it below <dir>/public, and hands it to the distributor.
 */
#ifndef SILD_AUTHORITY_REGISTRAR_H
#define SILD_AUTHORITY_REGISTRAR_H

#include "proc/group.h"

/* Frame to the distributor: a generation; u32 n, n × {var path, var bytes}. */
#define REGISTRAR_FRAME_SET 300

int registrar_run(struct group_self *self, const char *config_path);

#endif
