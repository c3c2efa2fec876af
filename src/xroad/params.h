/*
 * Shared and private parameters, anchors, optional parts (globalconf.md 2, 10 to 12): XML of
 * versions 2 to 6 read by one strict reader (order and cardinality as the schemas have it), and
 * written in any of them. The structs are in the arena; slices are zero-terminated there.
 */
#ifndef SILD_XROAD_PARAMS_H
#define SILD_XROAD_PARAMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "xroad/id.h"

#define PARAMS_VERSION_MIN 2
#define PARAMS_VERSION_MAX 6
#define PARAMS_BYTES_MAX (32u << 20)

struct params_list { /* of slices: certificates as DER (PEM inside base64 is undone), hashes */
    struct slice *v;
    size_t n;
};

struct params_source {                                 /* download location */
    struct slice address;                              /* shared parameters: host; anchor: URL */
    struct params_list internal_certs, external_certs; /* anchor: internal_certs are its certs */
};
struct params_ocsp {
    struct slice url, cert, cost_type;
};
struct params_ca {
    struct slice cert;
    struct params_ocsp *ocsp;
    size_t n_ocsp;
};
struct params_approved_ca {
    struct slice name, profile, csr_format;
    bool authentication_only;
    struct params_ca top;
    struct params_ca *intermediate;
    size_t n_intermediate;
};
struct params_tsa {
    struct slice name, url, cert, cost_type;
};
struct params_subsystem {
    struct slice code, name;
};
struct params_member {
    struct slice member_class, class_description, code, name;
    struct params_subsystem *sub;
    size_t n_sub;
};
struct params_client_ref { /* indexes into members, and into its sub or -1 */
    int32_t member, sub;
};
struct params_server {
    int32_t owner;
    struct slice server_code, address;
    struct params_list auth_hashes;
    struct params_client_ref *clients;
    size_t n_clients;
    bool maintenance;
    struct slice maintenance_message;
};
struct params_group {
    struct slice code, description;
    struct id_client *members;
    size_t n_members;
};
struct params_class {
    struct slice code, description;
};
struct params_shared {
    int version;
    struct slice instance;
    struct params_source *sources;
    size_t n_sources;
    struct params_approved_ca *cas;
    size_t n_cas;
    struct params_tsa *tsas;
    size_t n_tsas;
    struct params_member *members;
    size_t n_members;
    struct params_server *servers;
    size_t n_servers;
    struct params_group *groups;
    size_t n_groups;
    struct params_class *classes;
    size_t n_classes;
    int64_t ocsp_freshness_s;
};
/* ERR_MALFORMED_GLOBAL_CONF with line, element and rule. */
int params_shared_parse(struct arena *a, struct slice xml, int version, struct params_shared *out,
                        struct diag *d) MUST_USE;
/* The instance and the download sources alone, which stand at the beginning: for who looks for a
 * newer document. The rest is not looked at. */
int params_shared_sources(struct arena *a, struct slice xml, int version, struct params_shared *out,
                          struct diag *d) MUST_USE;
/* Writes what the version can hold; auth hashes must be of the version's algorithm. */
int params_shared_print(const struct params_shared *p, int version, struct buf *out,
                        struct diag *d) MUST_USE;

struct params_anchor {
    int64_t generated_ms; /* 0: absent */
    struct slice instance;
    struct params_source *sources;
    size_t n_sources;
};
int params_anchor_parse(struct arena *a, struct slice xml, struct params_anchor *out,
                        struct diag *d) MUST_USE; /* ERR_MALFORMED_ANCHOR */
void params_anchor_print(const struct params_anchor *p, struct buf *out);

struct params_private {
    struct slice instance;
    struct params_anchor *anchors; /* of federated instances */
    size_t n_anchors;
    struct slice reg_address, reg_cert;
    struct id_client management;
    int64_t timestamping_s;
};
int params_private_parse(struct arena *a, struct slice xml, int version, struct params_private *out,
                         struct diag *d) MUST_USE;
void params_private_print(const struct params_private *p, int version, struct buf *out);

/* Optional parts: value of verifyNextUpdate / ocspFetchInterval; the default when malformed. */
bool params_next_update(struct arena *a, struct slice xml);
int64_t params_fetch_interval(struct arena *a, struct slice xml);

#endif
