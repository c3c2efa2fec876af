/*
 * Faults that this gateway raises itself: the base code of a diagnosis with X-Road's prefixes of
 * cause, phase and side (transport.md 7.2), and the line in the log.
 */
#ifndef SILD_GATEWAY_REFUSAL_H
#define SILD_GATEWAY_REFUSAL_H

#include "xroad/fault.h"
#include "xroad/id.h"

#define REFUSAL_CONSUMER "server.clientproxy"
#define REFUSAL_PROVIDER "server.serverproxy"
#define REFUSAL_TLS "ssl_authentication_failed"    /* a peer's certificate was judged */
#define REFUSAL_SIGNATURE "signature_verification" /* a peer's signature was */

/*
 * side: one of the two. phase: what was being done ("logging_failed"), NULL for nothing special; in
 * the phases REFUSAL_TLS and REFUSAL_SIGNATURE the code also says whether a certificate's path
 * (trust_code_prefix) or a hash chain (d->rule) was at fault. The text ends with the next step for
 * a person (gateway/advice.h). Draws a uuid and reports the fault.
 */
void refusal_make(const char *side, const char *phase, const struct diag *d, struct fault *f);

/* Names the exchange ("CLIENT to SERVICE") where nothing more exact is named; ids that were not
 * read yet name nothing. */
void refusal_place(struct diag *d, const struct id_client *client,
                   const struct id_service *service);

/* A fault of the provider's server that is given back as it came: reported with its id, under which
 * it is in that server's log. */
void refusal_passed(const struct fault *f);

/* The phase of an error while a peer's message is read: service_failed, and NULL for broken MIME
 * and for parts that are missed only when all is read. */
const char *refusal_reading(int code);

#endif
