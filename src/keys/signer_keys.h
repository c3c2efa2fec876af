/*
 * The keys that the key process holds, each with its one use, and the signatures they make. A
 * message key signs a SignedInfo that was built here; every other key signs what a request of its
 * own type brings.
 */
#ifndef SILD_KEYS_SIGNER_KEYS_H
#define SILD_KEYS_SIGNER_KEYS_H

#include "crypto/cert.h"
#include "crypto/sign.h"
#include "keys/signer.h"

#define SIGNER_KEYS_MAX 1024
#define SIGNER_RETIRED_MS                                                                          \
    600000 /* what was begun with a key that is no longer used ends in this                        \
            */

struct signer_held {
    char *name, *member; /* member: NULL where use is not SIGNER_MESSAGE */
    char *origin;        /* SIGNER_HEAD, SIGNER_AGGREGATE; else NULL */
    enum signer_type use;
    EVP_PKEY *key;
    struct cert *cert;          /* message keys; others may have one */
    char cert_hex[65];          /* its SHA-256; "": none */
    int64_t retired_ms;         /* since when it is no longer one of those configured; 0: it is */
    const struct sign_alg *alg; /* message keys */
    EVP_PKEY_CTX *ctx;          /* message keys: ready for a digest of alg */
};

struct signer_keys;
struct signer_keys *signer_keys_new(void); /* NULL without memory */
void signer_keys_free(struct signer_keys *s);

/*
 * Takes a reference to key; copies what k points to. The certificate of a message key must be of
 * that key. ERR_USAGE, ERR_EXISTS (name, or a second key of a member with the same certificate),
 * ERR_INCORRECT_CERTIFICATE.
 */
int signer_keys_add(struct signer_keys *s, const struct signer_key *k, EVP_PKEY *key,
                    struct diag *d) MUST_USE;

/*
 * Keys that `from` has and s has not, with the same certificate: they go on answering requests that
 * name the certificate, and no others, for SIGNER_RETIRED_MS. `from` is only to be freed then.
 */
void signer_keys_inherit(struct signer_keys *s, struct signer_keys *from, int64_t now_ms);
/* Those that were retired so long ago are gone; places stay. */
void signer_keys_forget(struct signer_keys *s, int64_t now_ms);

size_t signer_keys_count(const struct signer_keys *s);
struct signer_held *signer_keys_at(struct signer_keys *s, size_t i);
/* Place of a member's message key with the certificate of this SHA-256, or of its first key when
 * that is empty; SIZE_MAX when there is none. */
size_t signer_keys_of_member(const struct signer_keys *s, struct slice member, struct slice cert);

/*
 * A whole raw request, answered: appends the body and returns its type, SIGNER_VALUE or
 * SIGNER_FAILED. type: the request's. It names a key, or its certificate's SHA-256 in hex. A key
 * serves no other type than its use.
 */
uint16_t signer_keys_serve(struct signer_keys *s, uint16_t type, struct slice body,
                           struct buf *answer);

/* Signs the octets of a SignedInfo with a message key; appends the raw value (ECDSA: r||s). */
int signer_held_sign(struct signer_held *h, struct slice signed_info, struct buf *value,
                     struct diag *d) MUST_USE;

#endif
