/* An HTTP response that arrives in pieces of any size: its head, then its body. Pure. */
#ifndef SILD_WIRE_HTTP_REPLY_H
#define SILD_WIRE_HTTP_REPLY_H

#include "wire/http.h"

struct http_reply {
    size_t head_max;   /* bytes */
    bool head_request; /* the response answers HEAD */
    bool in_body;      /* the head is whole */
    struct buf raw;    /* of the head */
    struct http_head head;
    struct http_chunked chunked;
    uint64_t left; /* of a body with a length */
};

void http_reply_init(struct http_reply *r, size_t head_max);
void http_reply_free(struct http_reply *r);
/* Makes ready for the next response; memory is kept. */
void http_reply_start(struct http_reply *r, bool head_request);
/*
 * Takes bytes of the head, until in_body; interim responses (1xx) are left out. *used = how many
 * were taken. Errors: ERR_TOO_LARGE, ERR_INVALID_RESPONSE (101), ERR_NOMEM, those of
 * http_parse_response.
 */
int http_reply_head(struct http_reply *r, struct slice data, size_t *used, struct diag *d) MUST_USE;
/* Takes bytes of the body; *piece, which may be empty, is a part of data. Errors: those of
 * http_chunked_feed. */
int http_reply_body(struct http_reply *r, struct slice data, size_t *used, struct slice *piece,
                    struct diag *d) MUST_USE;
/* The body is whole. Where only the connection's end ends it, that tells and not this. */
bool http_reply_over(const struct http_reply *r);

#endif
