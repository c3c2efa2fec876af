/*
 * Faults (transport.md section 7): codes with their prefixes of side and phase, the SOAP fault
 * between servers, JSON and XML towards information systems, the HTTP status that follows.
 */
#ifndef SILD_XROAD_FAULT_H
#define SILD_XROAD_FAULT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define FAULT_CODE_MAX 256

struct fault {
    char code[FAULT_CODE_MAX]; /* "server.serverproxy.access_denied" */
    char text[1024];
    char detail[64]; /* a uuid that is in the log too */
};

/* Code = prefix + base code of d->code (our own codes become internal_error or io_error). */
void fault_make(struct fault *f, const char *prefix, const struct diag *d, const char *uuid);
/* Prepends "p." unless the code starts with p, which may bring its last dot. */
void fault_prefix(struct fault *f, const char *p);

/* The SOAP fault document, byte for byte as X-Road writes it. */
void fault_to_soap(const struct fault *f, struct buf *out);
/* Reads a SOAP fault by local names. ERR_INVALID_SOAP: no SOAP, or a fault without a code;
 * ERR_MISSING_BODY; ERR_INVALID_MESSAGE: another SOAP message. */
int fault_from_soap(struct arena *a, struct slice xml, struct fault *out, struct diag *d) MUST_USE;

/* Towards an information system: 500 when the code starts with "server." (any generation's
 * spelling), else 400. */
int fault_http_status(const struct fault *f);
/* accept: all Accept values, joined by ", ". Writes the body and its Content-Type value. */
void fault_to_rest(const struct fault *f, struct slice accept, struct buf *body,
                   const char **content_type);

#endif
