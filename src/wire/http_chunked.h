/* Chunked bodies of HTTP/1.1 (RFC 9112 section 7.1), read as a stream and as strictly as the head.
 */
#ifndef SILD_WIRE_HTTP_CHUNKED_H
#define SILD_WIRE_HTTP_CHUNKED_H

#include "base/diag.h"
#include "base/slice.h"

#define HTTP_CHUNK_LINE_MAX 256      /* a chunk's size line with its extensions */
#define HTTP_TRAILERS_MAX (4 * 1024) /* all trailer lines */

/* Chunked bodies: feed bytes, get pieces. Trailers are read and dropped (at most 4 KiB). */
struct http_chunked {
    int state;
    uint64_t left;
    size_t line; /* bytes of the current line, for its maximum */
    bool done;
};
void http_chunked_init(struct http_chunked *c);
/*
 * Consumes some of in: *used bytes are gone, *piece (borrowed, may be empty) is body data.
 * Call again while *used > 0 and not done. ERR_SYNTAX for a malformed chunk.
 */
int http_chunked_feed(struct http_chunked *c, struct slice in, size_t *used, struct slice *piece,
                      struct diag *d) MUST_USE;

#endif
