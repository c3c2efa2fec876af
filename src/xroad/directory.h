/*
 * The signed directory of a global configuration (globalconf.md 4, 5): taken apart, verified, made.
 * Order of checks as the reference lists them, with its recommended additions (a), (d), (e).
 */
#ifndef SILD_XROAD_DIRECTORY_H
#define SILD_XROAD_DIRECTORY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define DIRECTORY_MAX (1u << 20)
#define DIRECTORY_PARTS_MAX 64

struct directory_part {
    struct slice identifier;                    /* "SHARED-PARAMETERS"; may be empty */
    struct slice instance, location, file_name; /* file_name: where it is kept */
    enum digest_alg alg;
    struct digest hash;
};
struct directory {
    int64_t expires_ms;
    int version; /* 2 when the header is absent */
    struct directory_part part[DIRECTORY_PARTS_MAX];
    size_t n;
    size_t signer; /* which of the given certificates verified it */
};
/*
 * certs: DER of those allowed for the location. instance: the anchor's (empty: any). now_ms: 0
 * skips the expiry (inspection of old ones reports it itself).
 */
int directory_verify(struct arena *a, struct slice body, const struct slice *certs, size_t n,
                     struct slice instance, int64_t now_ms, struct directory *out,
                     struct diag *d) MUST_USE;
/* ERR_GC_PART_INTEGRITY unless the bytes have the part's hash. */
int directory_check_part(const struct directory_part *p, struct slice bytes,
                         struct diag *d) MUST_USE;

/* Making one: the exact signed bytes, then the whole document around them and the signature. */
void directory_signed_bytes(const struct directory_part *parts, size_t n, int64_t expires_ms,
                            int version, const char *boundary, struct buf *out);
void directory_print(struct slice signed_bytes, const char *outer_boundary,
                     const char *inner_boundary, const char *sign_alg_uri,
                     const struct digest *cert_hash, struct slice signature, struct buf *out);

#endif
