/*
 * The inside of keys/remote.h: what a key of the provider is, shared by its key management
 * (remote.c) and its signatures (remote_sign.c).
 */
#ifndef SILD_KEYS_REMOTE_KEY_H
#define SILD_KEYS_REMOTE_KEY_H

#include "keys/signer.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>

#define REMOTE_NAME_MAX 64

struct remote_key {
    _Atomic int refs;
    int fd; /* borrowed */
    enum signer_type type;
    char name[REMOTE_NAME_MAX + 1];
    EVP_PKEY *pub; /* of OpenSSL's default provider */
    bool rsa;
};

struct remote_key *remote_key_ref(struct remote_key *k);
void remote_key_free(void *k);

/* The provider's signature functions for both kinds of keys. */
extern const OSSL_DISPATCH remote_sign_functions[];

#endif
