/*
 * The ledger's public files over HTTP, as tlog-tiles wants them: checkpoint, tiles, bundles; and
 * round files, the list of journals, the policy. Each has one path; what is not there is 404 with
 * no-store, since a tile may be there a second later.
 */
#ifndef SILD_LEDGER_LEDGER_FILES_H
#define SILD_LEDGER_LEDGER_FILES_H

#include "net/http_server.h"

struct ledger_files;

/* dir: the ledger's folder; its folder public must be there. NULL without memory. */
struct ledger_files *ledger_files_new(const char *dir);
void ledger_files_free(struct ledger_files *f);
/* A whole public file, appended. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
int ledger_files_read(struct ledger_files *f, const char *path, struct buf *out) MUST_USE;

/* A response that is being sent; NULL when it was sent at once. on_drain and end belong to it. */
struct ledger_sending;
struct ledger_sending *ledger_files_get(struct ledger_files *f, struct http_exchange *x,
                                        struct slice target);
void ledger_files_drain(struct ledger_sending *s, struct http_exchange *x);
void ledger_files_end(struct ledger_sending *s); /* NULL is harmless */

#endif
