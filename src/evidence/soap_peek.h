/*
 * Who speaks to whom in a logged SOAP message (messages.md 5.2): the header fields that say whose
 * signature a container must hold. Not the message parser of a gateway: it reads no attachments and
 * judges nothing else.
 */
#ifndef SILD_EVIDENCE_SOAP_PEEK_H
#define SILD_EVIDENCE_SOAP_PEEK_H

#include "base/arena.h"
#include "base/diag.h"
#include "xroad/id.h"

struct soap_peek {
    bool response; /* the body's element has a name that ends in "Response" */
    struct id_client client;
    struct id_service service;
    struct slice id;
};
/*
 * Memory from the arena. ERR_INVALID_SOAP: no XML, or no envelope, so that it may be a REST
 * message; ERR_INVALID_MESSAGE: an envelope whose header or body breaks a rule, or a fault.
 */
int soap_peek(struct arena *a, struct slice text, struct soap_peek *out, struct diag *d) MUST_USE;

#endif
