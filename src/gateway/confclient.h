/*
 * The configuration client (globalconf.md 3, 5, 8): downloads the signed directory and its parts
 * from where anchor and stored parameters say, verifies, and keeps them on disk in X-Road's layout.
 * Blocking: only the agent uses it.
 */
#ifndef SILD_GATEWAY_CONFCLIENT_H
#define SILD_GATEWAY_CONFCLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>

struct confclient;
/* folder: where it is kept, e.g. "<dir>/globalconf". federations: "none", "all" or comma list. */
struct confclient *confclient_new(const char *folder, const char *federations);
void confclient_free(struct confclient *c);

/*
 * From now on the own instance's configuration is taken only with the proof, beside it at the
 * authority, that it is in a ledger that this policy believes (submit/logged_conf.h); what was
 * stored before stays until it expires. policy: a policy file's bytes; empty: nothing is demanded.
 * ERR_SYNTAX: and nothing is taken until there is a good one.
 */
int confclient_demand(struct confclient *c, struct slice policy, struct diag *d) MUST_USE;

/* anchor: the configuration anchor's bytes. One round: own instance, then allowed federated ones
 * (their failures are only reported). */
int confclient_round(struct confclient *c, struct slice anchor, int64_t now_ms,
                     struct diag *d) MUST_USE;
/* Has what is on disk perhaps changed since confclient_image last made an image of it? */
bool confclient_changed(const struct confclient *c);
/* Compiles what is on disk into an image (xroad/globalconf.h). */
int confclient_image(struct confclient *c, struct buf *image, struct diag *d) MUST_USE;

#endif
