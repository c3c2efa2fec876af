/*
 * The services that a gateway answers itself (messages.md section 7): listClients on the client
 * side, listMethods, allowedMethods and getOpenAPI on the provider side.
 */
#ifndef SILD_GATEWAY_METADATA_SERVICE_H
#define SILD_GATEWAY_METADATA_SERVICE_H

#include "gateway/worker.h"
#include "xroad/rest.h"

/* Answers GET /listClients and true, or false when the target is something else. */
bool metadata_service_local(struct worker *w, struct http_exchange *x);

enum metadata_kind {
    METADATA_NONE,
    METADATA_LIST_METHODS,
    METADATA_ALLOWED_METHODS,
    METADATA_GET_OPENAPI,
};
enum metadata_kind metadata_service_kind(const struct rest_request *r);
/* The body of listMethods or allowedMethods. */
int metadata_service_methods(const struct snapshot *s, const struct rest_request *r, bool allowed,
                             struct buf *out, struct diag *d) MUST_USE;
/* getOpenAPI: the service whose description is wanted; ERR_INVALID_REQUEST, ERR_INTERNAL as X-Road
 * has them. */
int metadata_service_described(const struct snapshot *s, const struct rest_request *r,
                               const struct serverconf_service **out, struct diag *d) MUST_USE;
/* Is this client (by id, global or local group) a subject of the right? */
bool metadata_service_subject(const struct globalconf *g, const struct serverconf_service *v,
                              const struct serverconf_right *r, const struct id_client *client);

#endif
