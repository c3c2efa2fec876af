/*
 * Private keys on disk. A key file is sealed: AES-256-GCM under a key that HKDF derives from the
 * role's seal secret, with the key's name as associated data. The secret comes, in this order, from
 * the systemd credential "sild-seal", or from the file `seal` (mode 0400) in the role's folder,
 * which `keystore_open` makes when the store is new. Keys unlock at start without typing.
 *
 *   <dir>/seal            32 random bytes
 *   <dir>/keys/<name>.key "SKY1", 12 bytes nonce, sealed PKCS#8 DER, 16 bytes tag
 *   <dir>/keys/<name>.pub SubjectPublicKeyInfo, PEM (for people and tools)
 */
#ifndef SILD_KEYS_KEYSTORE_H
#define SILD_KEYS_KEYSTORE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"

#include <openssl/evp.h>
#include <stdbool.h>

struct keystore;
/* create: make folder and secret when they are not there. */
int keystore_open(const char *dir, bool create, struct keystore **out, struct diag *d) MUST_USE;
void keystore_close(struct keystore *k); /* wipes the secret */
/* kind as in crypto/sign.h key_generate. ERR_EXISTS. The key is returned too; EVP_PKEY_free it. */
int keystore_generate(struct keystore *k, const char *name, const char *kind, EVP_PKEY **out,
                      struct diag *d) MUST_USE;
int keystore_import(struct keystore *k, const char *name, EVP_PKEY *key, struct diag *d) MUST_USE;
/* The key `from` takes the place of `to`, whose key is gone then. ERR_KEY_NOT_FOUND, ERR_CORRUPT.
 */
int keystore_replace(struct keystore *k, const char *from, const char *to, struct diag *d) MUST_USE;
/* ERR_KEY_NOT_FOUND, ERR_CORRUPT (wrong secret or damaged). */
int keystore_load(struct keystore *k, const char *name, EVP_PKEY **out, struct diag *d) MUST_USE;

/* The same in two steps, for a process that may open no files any more: the file as it is, sealed
 * (ERR_KEY_NOT_FOUND), and the key in it. */
int keystore_read_sealed(const char *dir, const char *name, struct buf *out,
                         struct diag *d) MUST_USE;
int keystore_unseal(const struct keystore *k, const char *name, struct slice sealed, EVP_PKEY **out,
                    struct diag *d) MUST_USE;
/* The public half of a key in the store below dir; needs no seal. EVP_PKEY_free it.
 * ERR_KEY_NOT_FOUND, ERR_CORRUPT. */
int keystore_public(const char *dir, const char *name, EVP_PKEY **out, struct diag *d) MUST_USE;

/* Is the key of this name in the store below dir the one of this public key? Reads the public half
 * only, and needs no seal. ERR_KEY_NOT_FOUND, ERR_INCORRECT_CERTIFICATE. */
int keystore_check(const char *dir, const char *name, EVP_PKEY *public_key,
                   struct diag *d) MUST_USE;

#endif
