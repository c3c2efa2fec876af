/*
 * Percent-encoding (RFC 3986) as X-Road's identifiers, paths and access rights need it
 * (reference: messages.md sections 2.1, 3 and 4; transport.md 5.7).
 */
#ifndef SILD_WIRE_URI_H
#define SILD_WIRE_URI_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

/*
 * Appends the decoded path segment (one part of an identifier). Only pchar may stand unencoded;
 * "+" stays "+", "%2F" gives "/". ERR_SYNTAX: another octet, a malformed escape, a result that is
 * not UTF-8 or has a zero byte; out is then as before. ERR_TOO_LARGE: out is full.
 */
int uri_segment_decode(struct slice segment, struct buf *out) MUST_USE;

/*
 * Appends the segment encoded as X-Road writes it: letters, digits and - . _ ~ ! $ ' ( ) * , ; &
 * = @ : + as they are, every other byte as %XX in upper case.
 */
void uri_segment_encode(struct slice text, struct buf *out);

/* Appends a decoded name or value of a query: "+" is a blank. Errors as of a segment. */
int uri_form_decode(struct slice text, struct buf *out) MUST_USE;

/*
 * Appends the path that access rights are compared with: escapes decoded, "." and ".." resolved.
 * raw: empty, or beginning with "/". ERR_ACCESS_DENIED for whatever a provider could read in
 * another way than we: an encoded "/", "\", "?", "#", dot segment or control character, an escape
 * behind an escape, invalid UTF-8, octets that a path cannot have, empty segments but the last, dot
 * segments with parameters ("/..;x"), and any ".." that is left. out is then as before.
 * X-Road 7.8 fails on some of these with an internal error; it denies what is left of "..".
 */
int uri_path_normalise(struct slice raw, struct buf *out, struct diag *d) MUST_USE;

/*
 * Appends the path with "." and ".." resolved and nothing decoded: decoding its segments gives what
 * uri_path_normalise makes of the same path. For paths that it takes. Errors as there.
 */
int uri_path_resolve(struct slice raw, struct buf *out, struct diag *d) MUST_USE;

/*
 * Judges a request target (path and query, origin-form) at the edge to information systems.
 * ERR_BAD_REQUEST for what X-Road's HTTP library answers with 400, and for queries that the
 * provider's side of X-Road could not parse. Plain ".." and ";x=1" pass, as do %2F, %3F and %23.
 */
int uri_target_check(struct slice target, struct diag *d) MUST_USE;

#endif
