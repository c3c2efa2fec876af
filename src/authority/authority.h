/* sild authority: the central server. Children: key, log (the registrar), worker (the distributor).
 */
#ifndef SILD_AUTHORITY_AUTHORITY_H
#define SILD_AUTHORITY_AUTHORITY_H

#include "base/diag.h"

int authority_main(int argc, char **argv);
/* Makes the signing keys and their certificates in the configuration's folder. ERR_EXISTS. */
int authority_init(const char *config_path, struct diag *d) MUST_USE;
/* init, show, anchor, inspect, and every change of authority/state.h: argv[0] is the first word. */
int authority_tool_main(int argc, char **argv);
int inspect_main(int argc, char **argv);

#endif
