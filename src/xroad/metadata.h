/* Bodies of the metadata services (messages.md section 7). */
#ifndef SILD_XROAD_METADATA_H
#define SILD_XROAD_METADATA_H

#include "xroad/globalconf.h"

/* listClients: of one instance, as XML or JSON. */
void metadata_list_clients(const struct globalconf *g, struct slice instance, bool json,
                           struct buf *out);

struct metadata_endpoint {
    struct slice method, path;
};
struct metadata_service {
    struct id_service id;
    bool openapi;
    const struct metadata_endpoint *endpoints; /* without the base endpoint */
    size_t n;
};
/* listMethods, allowedMethods for REST. */
void metadata_methods(const struct metadata_service *s, size_t n, struct buf *out);
/* getOpenAPI: the description with servers[].url reduced to their paths. JSON in, JSON out; YAML
 * likewise by line. ERR_INVALID_RESPONSE. */
int metadata_openapi(struct slice text, bool json, struct buf *out, struct diag *d) MUST_USE;

#endif
