/* Addresses of services: "http://host:port/path?query" (RFC 9110 section 4.2, RFC 3986). */
#ifndef SILD_WIRE_HTTP_URL_H
#define SILD_WIRE_HTTP_URL_H

#include "base/diag.h"
#include "base/slice.h"

/* URL "http://host:port/path?query" or https. */
struct http_url {
    bool tls;
    struct slice host; /* without brackets */
    uint16_t port;     /* 80 or 443 when absent */
    struct slice path; /* with query; "/" when absent */
};
int http_url_parse(struct slice url, struct http_url *out) MUST_USE;

#endif
