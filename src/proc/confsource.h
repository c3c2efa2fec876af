/*
 * Where a global configuration is served: its directory, of the newest version there. Blocks.
 */
#ifndef SILD_PROC_CONFSOURCE_H
#define SILD_PROC_CONFSOURCE_H

#include "net/http_client.h"

#define CONFSOURCE_URL 2048

/*
 * url gets the address with the version that is there, or that was asked for last. The result is to
 * be freed after 0 only. The code of http_fetch, or ERR_GC_CONNECTION when it answers with another
 * status than 200; the sentence does not name the address.
 */
int confsource_get(const char *base, size_t max, int64_t timeout_ms, char url[CONFSOURCE_URL],
                   struct http_result *out, struct diag *d) MUST_USE;

#endif
