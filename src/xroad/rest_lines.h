/*
 * What the two kinds of REST parts have in common: lines, headers, and the two spellings of header
 * values, ISO 8859-1 in HTTP and UTF-8 in the message. For rest.c and rest_response.c only.
 */
#ifndef SILD_XROAD_REST_LINES_H
#define SILD_XROAD_REST_LINES_H

#include "xroad/rest.h"

/* Hop-by-hop and connection headers: never in a message (transport.md 5.6). */
bool rest_lines_is_dropped(struct slice name);

/* A copy in the arena, each byte from 0x80 on as two bytes of UTF-8. */
struct slice rest_lines_widen(struct arena *a, struct slice v);
/* Header lines for HTTP, the bytes restored. ERR_TOO_LARGE when out is full. */
int rest_lines_http(const struct rest_header *h, size_t n, struct buf *out) MUST_USE;
/* Appends a header; the caller knows that there is room. */
void rest_lines_add(struct rest_header *h, size_t *n, struct slice name, struct slice value);
/* Header lines for the message. */
void rest_lines_print(const struct rest_header *h, size_t n, struct buf *out);
/* The last header of that name; p is NULL when absent. */
struct slice rest_lines_last(const struct rest_header *h, size_t n, const char *name);

/* Cuts the next line, which must end with CR LF, off *rest; what names it in errors. ERR_INTERNAL.
 */
int rest_lines_next(struct slice *rest, struct slice *line, const char *what,
                    struct diag *d) MUST_USE;
/* UTF-8 of characters that an HTTP header can hold. */
bool rest_lines_is_value(struct slice v);
/* All lines of rest as headers. ERR_INTERNAL. */
int rest_lines_headers(struct slice rest, struct rest_header *h, size_t max, size_t *n,
                       struct diag *d) MUST_USE;
/* Is the part as it would be printed again? The receiver hashes its own print: another form would
 * get another hash. ERR_INTERNAL. */
int rest_lines_same(const struct buf *printed, struct slice part, struct diag *d) MUST_USE;

int rest_lines_no_memory(struct diag *d);

#endif
