/* sild trust: CA, OCSP responder, time-stamp authority. Children: key, log (the CA's state),
 * worker. */
#ifndef SILD_TRUST_TRUST_H
#define SILD_TRUST_TRUST_H

#include "base/diag.h"

int trust_main(int argc, char **argv);

/* Makes keys and certificates (CA, OCSP, time-stamps) in the configuration's folder. ERR_EXISTS
 * when they are there. */
int trust_init(const char *config_path, struct diag *d) MUST_USE;
/* init, issue, revoke, list: argv[0] is the word. */
int trust_tool_main(int argc, char **argv);

#endif
