/*
 * One generation of the global configuration: parts and signed directories of the versions served
 * (globalconf.md 7), as named files that any web server can serve.
 */
#ifndef SILD_AUTHORITY_PUBLISH_H
#define SILD_AUTHORITY_PUBLISH_H

#include "authority/authority_conf.h"
#include "authority/state.h"
#include "crypto/cert.h"

#include <openssl/evp.h>

struct publish_keys {
    EVP_PKEY *internal, *external;
    struct cert *internal_cert, *external_cert;
};

#define PUBLISH_FILES_MAX 16
struct publish_file {
    char path[128]; /* "V6/internalconf", "V6/20260105…/shared-params.xml" */
    struct slice bytes;
};
struct publish_set {
    struct publish_file f[PUBLISH_FILES_MAX];
    size_t n;
};

/* Versions that are written: the newest that X-Road 7.8 reads, and the one before. */
#define PUBLISH_VERSION_MIN 5
#define PUBLISH_VERSION_MAX 6

/* Everything in the arena. stamp: folder name of this generation's parts. */
int publish_make(const struct authority_conf *conf, const struct state *s,
                 const struct publish_keys *keys, int64_t now_ms, struct arena *a,
                 struct publish_set *out, struct diag *d) MUST_USE;
/* A directory's proof stands beside it, under its name with this behind. */
#define PUBLISH_PROOF ".proof"
/* The payload of the journal's record that names the set's directories (submit/logged_conf.h). */
void publish_record(const struct publish_set *set, struct buf *out);
/* Adds the record's proof beside each directory. ERR_TOO_LARGE, ERR_NOMEM. */
int publish_add_proof(struct publish_set *set, struct slice proof, struct arena *a,
                      struct diag *d) MUST_USE;

/* The anchor of the internal or external configuration. */
int publish_anchor(const struct authority_conf *conf, const struct publish_keys *keys,
                   bool external, int64_t now_ms, struct buf *out, struct diag *d) MUST_USE;

#endif
