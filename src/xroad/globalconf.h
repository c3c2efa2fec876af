/*
 * The global configuration as verifiers use it: parameters of all instances compiled into one flat
 * image of offsets (made once by whoever verified them, mapped read-only by all who look things
 * up), and the look-ups of globalconf.md section 13. `globalconf_open` checks every bound once.
 */
#ifndef SILD_XROAD_GLOBALCONF_H
#define SILD_XROAD_GLOBALCONF_H

#include "crypto/cert.h"
#include "crypto/ocsp.h"
#include "xroad/params.h"

struct globalconf;

/* One instance's parameters and until when they hold (INT64_MAX: for ever). */
struct globalconf_input {
    const struct params_shared *shared;
    int64_t shared_expires_ms;
    const struct params_private *priv; /* own instance only, else NULL */
    int64_t private_expires_ms;
    bool verify_next_update;
    int64_t fetch_interval_s;
};
/* own: index of the own instance. Appends the image. */
int globalconf_compile(const struct globalconf_input *in, size_t n, size_t own, struct buf *image,
                       struct diag *d) MUST_USE;
/*
 * The image must stay mapped until globalconf_close. ERR_CORRUPT. CA, OCSP and TSA certificates
 * that cannot be parsed are left out, as if they were not listed.
 */
int globalconf_open(struct slice image, struct globalconf **out, struct diag *d) MUST_USE;
void globalconf_close(struct globalconf *g);

/*
 * A configuration directory on disk (globalconf.md 8), its files already read by the caller: path
 * is "<instance>/<file>" or "instance-identifier". Parses and compiles.
 */
struct globalconf_file {
    const char *path;
    struct slice bytes;
};
int globalconf_from_files(const struct globalconf_file *files, size_t n, struct buf *image,
                          struct diag *d) MUST_USE;

struct slice globalconf_instance(const struct globalconf *g); /* own */
/* ERR_GC_OUTDATED "Global configuration is expired" when own parameters have expired. */
int globalconf_check_valid(const struct globalconf *g, int64_t now_ms, struct diag *d) MUST_USE;
int64_t globalconf_expires(const struct globalconf *g); /* the own instance's, earlier of both */
int64_t globalconf_ocsp_freshness_ms(const struct globalconf *g);
bool globalconf_verify_next_update(const struct globalconf *g);
int64_t globalconf_ocsp_fetch_ms(const struct globalconf *g);
int64_t globalconf_timestamping_ms(const struct globalconf *g); /* 60 s to a day */

/* Is there this member or subsystem? name: the member's or the subsystem's display name, or empty
 * (borrowed from the image). */
bool globalconf_client_known(const struct globalconf *g, const struct id_client *id);
struct slice globalconf_client_name(const struct globalconf *g, const struct id_client *id);
/* All members and subsystems of an instance in document order, a member before its subsystems;
 * false at the end. Start with *at = 0. */
bool globalconf_each_client(const struct globalconf *g, struct slice instance, size_t *at,
                            struct id_client *id, struct slice *member_name,
                            struct slice *subsystem_name);
/* Known, and its shared parameters have not expired. */
bool globalconf_has_instance(const struct globalconf *g, struct slice instance, int64_t now_ms);

struct globalconf_server {
    struct id_server id;
    struct slice address; /* may be empty */
    bool maintenance;
    struct slice maintenance_message;
};
/* Servers whose owner or client is exactly this id; at most max. */
size_t globalconf_servers_of(const struct globalconf *g, const struct id_client *provider,
                             struct globalconf_server *out, size_t max);
bool globalconf_server(const struct globalconf *g, const struct id_server *id,
                       struct globalconf_server *out);
bool globalconf_each_server(const struct globalconf *g, struct slice instance, size_t *at,
                            struct globalconf_server *out);
/* Is the certificate registered at some server; at one that has exactly this client? (13.1) */
bool globalconf_auth_cert_known(const struct globalconf *g, const struct cert *c);
bool globalconf_auth_cert_serves(const struct globalconf *g, const struct cert *c,
                                 const struct id_client *client);
/* The server with this authentication certificate; false when none. */
bool globalconf_server_of_cert(const struct globalconf *g, const struct cert *c,
                               struct globalconf_server *out);
bool globalconf_in_group(const struct globalconf *g, struct slice instance, struct slice group,
                         const struct id_client *client);

/* The CA of an instance whose subject is this DER name; NULL when none. Parsed once, owned by g. */
struct globalconf_ca {
    struct cert *cert;
    struct slice profile; /* Java class name, full */
    struct cert **ocsp;   /* responders listed for it */
    size_t n_ocsp;
    struct slice *ocsp_urls;
    size_t n_ocsp_urls;
};
const struct globalconf_ca *globalconf_ca(const struct globalconf *g, struct slice instance,
                                          struct slice subject_der);
/* All of all instances, for OCSP responder look-up, TLS CertificateRequests, time-stamps. */
size_t globalconf_all_cas(const struct globalconf *g, struct cert ***out);
size_t globalconf_all_ocsp(const struct globalconf *g, struct cert ***out);
size_t globalconf_all_tsas(const struct globalconf *g, struct cert ***out);
/* Filled for one issuer, ready for ocsp_verify; ca NULL: an issuer that is not listed. */
void globalconf_ocsp_trust(const struct globalconf *g, const struct globalconf_ca *ca,
                           struct ocsp_trust *out);
/* Own instance's approved TSAs (for the operator's check of its own configuration). */
bool globalconf_each_tsa(const struct globalconf *g, size_t *at, struct slice *name,
                         struct slice *url, struct slice *cert_der);

#endif
