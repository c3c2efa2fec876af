#include "submit/submit_key.h"
#include "base/err.h"
#include "submit/submit_conf.h"

int submit_key_make(struct keystore *store, struct diag *d)
{
    EVP_PKEY *key = NULL;
    int rc = keystore_generate(store, SUBMIT_KEY, "ed25519", &key, d);
    EVP_PKEY_free(key);
    return rc == ERR_EXISTS ? 0 : rc;
}

int submit_key_read(const char *dir, struct slice origin, struct note_key *out, struct diag *d)
{
    EVP_PKEY *key = NULL;
    uint8_t public[32];
    size_t n = sizeof public;
    int rc = keystore_public(dir, SUBMIT_KEY, &key, d);
    if (rc == 0 &&
        (!EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_get_raw_public_key(key, public, &n) != 1))
        rc = diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                      "the key " SUBMIT_KEY " is no Ed25519 key, as heads want");
    rc = rc != 0 ? rc : note_key_make(origin, NOTE_ED25519, public, out, d);
    EVP_PKEY_free(key);
    return rc;
}
