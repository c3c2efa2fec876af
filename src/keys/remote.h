/*
 * EVP_PKEYs whose private half lives in the key process: a small OpenSSL provider. Signing through
 * them (EVP_DigestSign, EVP_PKEY_sign, TLS handshakes) becomes a blocking SIGNER_* request;
 * verifying and everything public is done by OpenSSL's default provider on the public key.
 */
#ifndef SILD_KEYS_REMOTE_H
#define SILD_KEYS_REMOTE_H

#include "keys/signer.h"

#include <openssl/evp.h>

/*
 * pub: a certificate's public key (RSA or EC). fd: the blocking line to the key process, kept open
 * by the caller for as long as the key lives. type: which request it sends. NULL with d filled.
 */
EVP_PKEY *remote_key_new(int fd, enum signer_type type, const char *key_name, EVP_PKEY *pub,
                         struct diag *d);

#endif
