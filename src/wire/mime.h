/*
 * MIME multipart as X-Road writes and reads it (transport.md 5.1): a streaming reader that knows
 * nothing of what is inside, and the writer's few lines. Bodies are raw bytes, never decoded.
 */
#ifndef SILD_WIRE_MIME_H
#define SILD_WIRE_MIME_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define MIME_PART_HEAD_MAX 10000
#define MIME_LINE_MAX 1000 /* of a part's head */
#define MIME_HEADERS_MAX 100
#define MIME_BOUNDARY_MAX 70

/* A Content-Type value taken apart: "multipart/mixed; charset=UTF-8; boundary=B". */
struct mime_type {
    struct slice base;     /* "multipart/mixed", as written */
    struct slice boundary; /* without quotes; empty when absent */
    struct slice charset;
    struct slice type; /* parameter "type" */
};
/* ERR_INVALID_CONTENT_TYPE: no media type, a doubled or malformed parameter. Borrows from value. */
int mime_type_parse(struct slice value, struct mime_type *out) MUST_USE;
/* The value of a named parameter of any header value ("x; instance='ZZ'"), with ', " or no quotes;
 * false when absent. */
bool mime_param(struct slice value, const char *name, struct slice *out);

enum mime_event {
    MIME_MORE,     /* everything consumed, more input needed */
    MIME_PART,     /* a part begins; mime_header() has its head */
    MIME_DATA,     /* *data is a piece of the part's body */
    MIME_PART_END, /* the part is complete */
    MIME_END,      /* the closing delimiter was read */
};

struct mime_reader; /* bounded: keeps at most one part head and a boundary's length of bytes */

struct mime_reader *mime_reader_new(struct slice boundary); /* NULL: no memory or a bad boundary */
void mime_reader_free(struct mime_reader *r);
void mime_reader_reset(struct mime_reader *r, struct slice boundary);

/*
 * Consumes bytes of *in (advances it) up to the next event. Data pieces are borrowed from *in or
 * from the reader, valid until the next call. A line break before a delimiter (CRLF, or bare LF as
 * X-Road tolerates) is the delimiter's. ERR_MIME_PARSING, ERR_TOO_LARGE.
 */
int mime_read(struct mime_reader *r, struct slice *in, enum mime_event *event, struct slice *data,
              struct diag *d) MUST_USE;
/* The header value of the current part; p is NULL when absent. */
struct slice mime_header(const struct mime_reader *r, const char *name);
/* True after MIME_END: data cut before it are no complete message. */
bool mime_finished(const struct mime_reader *r);

/*
 * The writer: the delimiter and head of a part (the body follows as it is), and the closing
 * delimiter. first: no line break stands before the delimiter. transport.md 5.1.
 */
void mime_begin_part(struct buf *out, struct slice boundary, bool first, const char *content_type);
void mime_end(struct buf *out, struct slice boundary);

#endif
