/* The worker of sild trust: OCSP (RFC 6960) and time-stamps (RFC 3161) over HTTP. */
#ifndef SILD_TRUST_RESPONDER_H
#define SILD_TRUST_RESPONDER_H

#include "proc/group.h"

int responder_run(struct group_self *self, const char *config_path);

#endif
