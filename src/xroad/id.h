/*
 * Identifiers (messages.md section 1): member, subsystem, service, security server, groups. Fields
 * are borrowed slices; comparison is exact and case-sensitive. An id of a "client" is a member
 * (subsystem empty) or a subsystem.
 */
#ifndef SILD_XROAD_ID_H
#define SILD_XROAD_ID_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "wire/xml.h"

struct id_client {
    struct slice instance, member_class, member_code, subsystem; /* subsystem empty: a member */
};
struct id_service {
    struct id_client provider;
    struct slice code, version;
};
struct id_server {
    struct slice instance, member_class, member_code, server_code;
};

bool id_client_eq(const struct id_client *a, const struct id_client *b);
bool id_member_eq(const struct id_client *a, const struct id_client *b); /* instance, class, code */
bool id_server_eq(const struct id_server *a, const struct id_server *b);

/*
 * The encoded text of headers and URLs: segments joined by "/", each percent-encoded
 * (transport.md 5.7). Parsing decodes each segment (messages.md 2.1) into the arena.
 * ERR_INVALID_ENCODED_ID, or ERR_INTERNAL where X-Road has it (blank field, wrong count).
 */
int id_client_parse(struct arena *a, struct slice text, struct id_client *out,
                    struct diag *d) MUST_USE; /* 3 or 4 segments */
int id_service_parse(struct arena *a, struct slice text, struct id_service *out,
                     struct diag *d) MUST_USE; /* exactly 5 */
int id_server_parse(struct arena *a, struct slice text, struct id_server *out,
                    struct diag *d) MUST_USE; /* exactly 4 */
void id_client_encode(struct buf *b, const struct id_client *id);
void id_service_encode(struct buf *b, const struct id_service *id);

/*
 * Plain short form "EE/GOV/123/SUB" without any encoding: configuration files, log, journal keys.
 * Parsing: segments may hold anything but "/", must not be blank.
 */
int id_client_from_short(struct slice text, struct id_client *out) MUST_USE; /* borrowed */
int id_service_from_short(struct slice text, struct id_service *out) MUST_USE;
int id_server_from_short(struct slice text, struct id_server *out) MUST_USE;
void id_client_short(struct buf *b, const struct id_client *id);
void id_service_short(struct buf *b, const struct id_service *id);
void id_server_short(struct buf *b, const struct id_server *id);

/*
 * An element with attribute objectType and children of the identifiers' namespace (messages.md
 * section 1), whatever its own name. A client is MEMBER or SUBSYSTEM and must have the fields of
 * its type, no others, in the schema's order. Fields are borrowed from the document or the arena.
 * ERR_INVALID_XML.
 */
#define ID_NS "http://x-road.eu/xsd/identifiers"
int id_client_from_xml(struct arena *a, const struct xml_node *e, struct id_client *out,
                       struct diag *d) MUST_USE;
int id_service_from_xml(struct arena *a, const struct xml_node *e, struct id_service *out,
                        struct diag *d) MUST_USE;
int id_server_from_xml(struct arena *a, const struct xml_node *e, struct id_server *out,
                       struct diag *d) MUST_USE;

/* One encoded segment, decoded into the arena. ERR_INVALID_ENCODED_ID. */
int id_part_parse(struct arena *a, struct slice text, struct slice *out, struct diag *d) MUST_USE;
/* Nothing but white space, or nothing at all: no field of an identifier may be so. */
bool id_part_is_blank(struct slice part);
/*
 * Forbidden characters (messages.md section 1): X-Road warns; we refuse to register such ids. Blank
 * parts, bytes that are not UTF-8, "." and ".." (which vanish from paths) are not clean either.
 */
bool id_part_is_clean(struct slice part);

#endif
