/*
 * Bodies that a service's law wants kept, sealed to the owner of the log: only the holder of the
 * private key (who need not be this machine) reads them again.
 *
 *   "SBX1"   32 bytes ephemeral X25519 public key   12 bytes nonce   ciphertext   16 bytes tag
 *   key = HKDF-SHA256(shared secret, salt: ephemeral || owner's public key, info "sild message
 * body") AES-256-GCM; additional data: the SHA-512 of the body
 */
#ifndef SILD_GATEWAY_SEAL_H
#define SILD_GATEWAY_SEAL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/diag.h"
#include "crypto/digest.h"

#include <openssl/evp.h>

/* owner: an X25519 public key, SubjectPublicKeyInfo as DER or PEM. Appends. */
int seal_body(struct slice owner, struct slice body, const struct digest *hash, struct buf *out,
              struct diag *d) MUST_USE;
/* Appends the body. ERR_CRYPTO with a wrong key or altered bytes. */
int seal_open(EVP_PKEY *owner, struct slice sealed, const struct digest *hash, struct buf *out,
              struct diag *d) MUST_USE;

#endif
