/* Access rights of REST services (messages.md section 4): method and path patterns. */
#ifndef SILD_XROAD_ACL_H
#define SILD_XROAD_ACL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

/* "*" any but "/", "**" any, "\*" and "\\" literal; anchored; linear time and no recursion. */
bool acl_path_matches(struct slice pattern, struct slice path);
bool acl_method_matches(struct slice pattern, struct slice method); /* "*" or equal without case */
/* Does endpoint (method, path) of an access right cover another endpoint's pattern? (7.3) */
bool acl_covers(struct slice method, struct slice pattern, struct slice other_method,
                struct slice other_pattern);
/* The path that the provider will interpret: decoded and normalised, or refused
 * (ERR_ACCESS_DENIED). Empty stays empty. */
int acl_normalise(struct slice raw_service_path, struct buf *out, struct diag *d) MUST_USE;

#endif
