/* The gateway's configuration file, read with the files that it names: for processes that may open
 * files. */
#ifndef SILD_GATEWAY_CONFFILE_H
#define SILD_GATEWAY_CONFFILE_H

#include "gateway/serverconf.h"

struct conffile {
    struct arena *a;
    struct buf text;
    struct serverconf conf;
    char folder[1024];   /* of the file: relative names are below it */
    struct slice anchor; /* the anchor's bytes; only after conffile_unpack */
};
/* ERR_MALFORMED_SERVER_CONF with file and line. Free it also after a failure. */
int conffile_read(const char *path, struct conffile *out, struct diag *d) MUST_USE;
/* The same for who wants to hear of every section that is wrong: those are told. An error only when
 * the file cannot be read. */
int conffile_check(const char *path, struct conffile *out, conf_tell tell, void *ctx,
                   struct diag *d) MUST_USE;
void conffile_free(struct conffile *c);
/* The text with files inlined, for a snapshot. */
int conffile_inline(const struct conffile *c, struct buf *out, struct diag *d) MUST_USE;

/*
 * The same for a process that may open no files: var text with files inlined, var anchor (empty:
 * there is none yet). Who unpacks gets conf and anchor; conf.dir and conf.anchor are as written.
 */
int conffile_pack(const char *path, struct buf *out, struct diag *d) MUST_USE;
/* Free it also after a failure. */
int conffile_unpack(struct slice packed, struct conffile *out, struct diag *d) MUST_USE;

#endif
