/* Access rights of REST services (messages.md section 4): method and path patterns. */
#ifndef SILD_XROAD_ACL_H
#define SILD_XROAD_ACL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

/*
 * "*" takes all up to the next "/", "**" any, "\*" and "\\" are literal; anchored at both ends. No
 * recursion; time at most the product of both lengths.
 */
bool acl_path_matches(struct slice pattern, struct slice path);
bool acl_method_matches(struct slice pattern, struct slice method); /* "*" or equal without case */
/* Does endpoint (method, path) of an access right cover another endpoint's pattern? (7.3) */
bool acl_covers(struct slice method, struct slice pattern, struct slice other_method,
                struct slice other_pattern);
/*
 * The path that the provider will interpret, decoded, its dot segments resolved; appended to out.
 * Refused (ERR_ACCESS_DENIED) is what two readers could read differently: an encoded "/", "\", "?",
 * "#" or dot segment, a double encoding, an empty segment that is not the last, ".." that is left.
 * Empty stays empty.
 */
int acl_normalise(struct slice raw_service_path, struct buf *out, struct diag *d) MUST_USE;

#endif
