/*
 * The worker of a witness: HTTP, and all that can be judged without the store.
 *
 *     POST /add-checkpoint                      200, 400, 403, 404, 409, 413, 422, 503
 *     GET  /<hex SHA-256(origin)>/checkpoint    what was last cosigned; 404 when nothing was
 *     GET  /                                    a page
 */
#ifndef SILD_WITNESS_WITNESS_WORKER_H
#define SILD_WITNESS_WITNESS_WORKER_H

#include "proc/group.h"

int witness_worker_run(struct group_self *self, const char *config_path);

#endif
