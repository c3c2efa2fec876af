/* What is wrong with a gateway's configuration file, before it runs. */
#ifndef SILD_GATEWAY_GATEWAY_CHECK_H
#define SILD_GATEWAY_GATEWAY_CHECK_H

#include "proc/complaints.h"

/* Reads the file by the gateway's own table and parser, and looks at what it names: keys and their
 * certificates, the anchor, addresses, services. d: why it could not be read at all. */
int gateway_check(const char *path, int64_t now_ms, struct complaints *c, struct diag *d) MUST_USE;

#endif
