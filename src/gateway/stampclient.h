/*
 * Asks the time-stamping authorities (signature.md 8): a tree over the signature documents, one
 * token over its result. Blocking: only the agent uses it.
 */
#ifndef SILD_GATEWAY_STAMPCLIENT_H
#define SILD_GATEWAY_STAMPCLIENT_H

#include "gateway/frames.h"
#include "gateway/serverconf.h"
#include "xroad/globalconf.h"

/* Appends a RECORD_STAMP payload. The authorities are tried in turn; d has the last one's failure.
 */
int stampclient_stamp(const struct serverconf *conf, const struct globalconf *g,
                      const struct frames_stamp *req, struct buf *record, struct diag *d) MUST_USE;

#endif
