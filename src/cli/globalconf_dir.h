/* A global configuration as it is kept in a directory (globalconf.md section 8), read and opened.
 */
#ifndef SILD_CLI_GLOBALCONF_DIR_H
#define SILD_CLI_GLOBALCONF_DIR_H

#include "base/buf.h"
#include "base/diag.h"
#include "xroad/globalconf.h"

struct cli_globalconf {
    struct buf image; /* what g looks things up in */
    struct globalconf *g;
};
/*
 * Reads instance-identifier and all files of the instances' folders below dir. ERR_NOT_FOUND and
 * ERR_IO name the file; ERR_MALFORMED_GLOBAL_CONF for what the files say.
 */
int cli_globalconf_load(const char *dir, struct cli_globalconf *out, struct diag *d) MUST_USE;
/* DIR/globalconf, or the one of some role below DIR. ERR_NOT_FOUND. */
int cli_globalconf_find(const char *dir, char *out, size_t cap, struct diag *d) MUST_USE;
void cli_globalconf_free(struct cli_globalconf *c);

#endif
