/*
 * HTTP/1.1 (RFC 9112), strict: what two parsers could read differently is refused. Refused are
 * conflicting or doubled lengths, length together with chunked, bare CR or LF, folded lines, blank
 * before the colon, no Host or two in a request, an unknown transfer coding, control characters.
 * Pure: bytes in, bytes or a verdict out.
 */
#ifndef SILD_WIRE_HTTP_H
#define SILD_WIRE_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "wire/http_chunked.h"
#include "wire/http_url.h"

#define HTTP_HEAD_MAX 8192 /* request line or status line with all header lines */
#define HTTP_HEADERS_MAX 100

struct http_header {
    struct slice name, value; /* value without blanks around it; bytes as received */
};

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE, /* responses only: up to the end of the connection */
};

struct http_head {
    /* request */
    struct slice method, target; /* origin-form, absolute-form or "*", raw */
    /* response */
    int status;
    struct slice reason;
    int minor; /* HTTP/1.minor */
    struct http_header h[HTTP_HEADERS_MAX];
    size_t n;
    enum http_body body;
    uint64_t length; /* of HTTP_BODY_LENGTH */
    bool keep_alive; /* the message allows another one after it */
    bool expect_continue;
};

/*
 * Looks for a whole head at the start of `in`. *used = its bytes, 0 when more are needed (then
 * returns 0). Slices are borrowed from `in`. Errors: ERR_SYNTAX (answer 400), ERR_TOO_LARGE (431);
 * the rule and sentence are in d. max: the most bytes of a head (HTTP_HEAD_MAX for requests).
 */
int http_parse_request(struct slice in, size_t max, struct http_head *out, size_t *used,
                       struct diag *d) MUST_USE;
/* head_request: the response answers HEAD, so it has no body. 1xx responses are returned as such.
 */
int http_parse_response(struct slice in, size_t max, bool head_request, struct http_head *out,
                        size_t *used, struct diag *d) MUST_USE;

/* The header's first value; p is NULL when absent. Names without case. */
struct slice http_get(const struct http_head *h, const char *name);
/* The next header of that name from index *at on; false at the end. */
bool http_each(const struct http_head *h, const char *name, size_t *at, struct slice *value);

/* Path and query of a target ("/a/b", "x=1"); has_query is true for "/a?" too. */
void http_target_split(struct slice target, struct slice *path, struct slice *query,
                       bool *has_query);
/* The (decoded) value of a query parameter; false when absent or badly encoded. */
bool http_query_get(struct slice query, const char *name, struct buf *value);

/* The standard reason phrase ("" when there is none). */
const char *http_reason(int status);

/* True for a token (RFC 9110 5.6.2) / a field value without control characters. */
bool http_is_token(struct slice s);
bool http_is_value(struct slice s);

#endif
