/*
 * OCSP responses of the gateway's own certificates (signature.md 5): fetched from the responders
 * that the configuration lists for the issuer, verified, kept in memory and on disk. Blocking: only
 * the agent uses it.
 */
#ifndef SILD_GATEWAY_OCSPCLIENT_H
#define SILD_GATEWAY_OCSPCLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "xroad/globalconf.h"

struct ocspclient;
/* folder: "<dir>/ocsp". */
struct ocspclient *ocspclient_new(const char *folder);
void ocspclient_free(struct ocspclient *c);
/*
 * The response for a certificate: the kept one while it is younger than half of what the
 * configuration allows (and than the fetch interval), else a new one; when none can be had, the
 * kept one while it is still allowed. Borrowed until the next call; empty when there is none (d
 * says why).
 */
struct slice ocspclient_get(struct ocspclient *c, const struct globalconf *g, struct slice instance,
                            const struct cert *cert, int64_t now_ms, struct diag *d);

/* The next call for each certificate fetches anew, however young the kept response is. */
void ocspclient_refresh(struct ocspclient *c);

/* Milliseconds until a fetch that failed should be tried again; a minute when there is none. */
int64_t ocspclient_wait(const struct ocspclient *c, int64_t now_ms);

#endif
