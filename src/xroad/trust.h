/*
 * Who is who: the decisions about certificates that gateway and container verifier share
 * (transport.md 3.2 to 3.4, signature.md 6 steps 4, 5, 8, 9; 9 for profiles).
 */
#ifndef SILD_XROAD_TRUST_H
#define SILD_XROAD_TRUST_H

#include "xroad/globalconf.h"

#define TRUST_CHAIN_MAX 8 /* certificates of a path, the anchor not among them */

/*
 * A peer's TLS chain (leaf first) for a client or provider id at a time; OCSP responses in any
 * order. The returned code is the base code, without prefixes (see trust_code_prefix, and
 * ssl_authentication_failed before it); d->text is the sentence. *valid_until_ms: until when the
 * verdict may be kept (OCSP responses and validity of the path). The anchor is the listed CA that
 * issued the leaf or, when there is none, the one that issued the chain's last certificate.
 */
int trust_auth_chain(const struct globalconf *g, struct slice instance, struct cert *const *chain,
                     size_t n, const struct slice *ocsp, size_t n_ocsp,
                     const struct id_client *member, int64_t at_ms, int64_t *valid_until_ms,
                     struct diag *d) MUST_USE;

/*
 * A signing certificate of a message's sender: usage, member by profile, path, OCSP.
 * extra: additional certificates of the signature. responder may be NULL (see ocsp_verify).
 */
int trust_sign_cert(const struct globalconf *g, const struct id_client *sender, struct cert *cert,
                    struct cert *const *extra, size_t n_extra, const struct slice *ocsp,
                    size_t n_ocsp, int64_t at_ms, int64_t *valid_until_ms, struct cert **responder,
                    struct diag *d) MUST_USE;

/*
 * The prefix that X-Road puts before a base code of the two functions above: "invalid_cert_path"
 * for what is wrong with a path or its OCSP responses, else "".
 */
const char *trust_code_prefix(int code);

/* The member that a signing certificate names, by the profile's rules; claimed gives what a profile
 * takes from it. ERR_INCORRECT_CERTIFICATE, ERR_INVALID_CERTIFICATE (by profile), ERR_INTERNAL for
 * an unknown profile. */
int trust_profile_member(struct slice profile, const struct cert *c,
                         const struct id_client *claimed, struct arena *a, struct id_client *out,
                         struct diag *d) MUST_USE;

/* Subject fields that a profile wants (signature.md 9), for issuing. */
struct cert_rdn;
enum trust_cert_kind {
    TRUST_SIGN,
    TRUST_AUTH,
};
struct trust_subject {
    const char *instance, *member_class, *member_code, *member_name, *server_code, *dns, *country;
};
/* Fills rdns (at most max); strings from the arena or borrowed. Without a country the field is left
 * out where the profile's country is not fixed. ERR_USAGE when another field that the profile wants
 * is NULL or empty, ERR_UNSUPPORTED_ALGORITHM for an unknown profile (class or short name). */
int trust_profile_subject(struct slice profile, enum trust_cert_kind kind,
                          const struct trust_subject *s, struct arena *a, struct cert_rdn *rdns,
                          size_t max, size_t *n, struct diag *d) MUST_USE;
/* All profiles by short name ("Ejbca") to full class name; NULL when unknown. */
const char *trust_profile_class(const char *short_name);

#endif
