/*
 * Blocking one-shot requests for tools, the agent's start and tests: whole response body in memory.
 * Of an https server any certificate is taken: what comes back is worth no more than what was
 * signed inside it.
 */
#ifndef SILD_NET_HTTP_FETCH_H
#define SILD_NET_HTTP_FETCH_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

struct http_result {
    int status;
    struct buf head; /* raw head bytes: http_parse_response takes them apart */
    struct buf body;
};
/*
 * headers: further complete lines; Host, Content-Length and Connection are written here. max: of
 * the response's body, ERR_TOO_LARGE beyond. Any status is a success. After an error out is
 * empty; freeing it is harmless.
 */
int http_fetch(const char *url, const char *method, struct slice headers, struct slice body,
               size_t max, int64_t timeout_ms, struct http_result *out, struct diag *d) MUST_USE;
void http_result_free(struct http_result *r);

#endif
