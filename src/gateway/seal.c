#include "gateway/seal.h"
#include "base/err.h"

#include <openssl/bio.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

enum {
    MAGIC = 4,
    PUB = 32,
    NONCE = 12,
    TAG = 16,
    HEAD = MAGIC + PUB + NONCE,
};

static const char magic[] = "SBX1";

static EVP_PKEY *read_owner(struct slice bytes)
{
    const unsigned char *p = bytes.p;
    if (!slice_starts(bytes, "-----"))
        return d2i_PUBKEY(NULL, &p, (long)bytes.n);
    BIO *bio = BIO_new_mem_buf(bytes.p, (int)bytes.n);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static bool shared_secret(EVP_PKEY *mine, EVP_PKEY *theirs, uint8_t out[32])
{
    size_t n = 32;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(mine, NULL);
    bool ok = c != NULL && EVP_PKEY_derive_init(c) == 1 &&
              EVP_PKEY_derive_set_peer(c, theirs) == 1 && EVP_PKEY_derive(c, out, &n) == 1 &&
              n == 32;
    EVP_PKEY_CTX_free(c);
    return ok;
}

/* The key of one sealed body, from both public keys and the shared secret. */
static bool body_key(const uint8_t secret[32], const uint8_t eph[PUB], const uint8_t owner[PUB],
                     uint8_t key[32])
{
    uint8_t salt[2 * PUB];
    static const char info[] = "sild message body";
    memcpy(salt, eph, PUB);
    memcpy(salt + PUB, owner, PUB);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, 32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, sizeof info - 1),
        OSSL_PARAM_construct_end()};
    bool ok = c != NULL && EVP_KDF_derive(c, key, 32, p) == 1;
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
    return ok;
}

static bool raw_public(EVP_PKEY *k, uint8_t out[PUB])
{
    size_t n = PUB;
    return EVP_PKEY_get_raw_public_key(k, out, &n) == 1 && n == PUB;
}

static bool encrypt(const uint8_t key[32], const uint8_t *nonce, struct slice body,
                    const struct digest *hash, uint8_t *out)
{
    int n = 0, m = 0;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c != NULL && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_EncryptUpdate(c, NULL, &n, hash->b, hash->n) == 1 &&
              EVP_EncryptUpdate(c, out, &n, body.p, (int)body.n) == 1 &&
              EVP_EncryptFinal_ex(c, out + n, &m) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + body.n) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static bool decrypt(const uint8_t key[32], const uint8_t *nonce, struct slice sealed,
                    const struct digest *hash, uint8_t *out)
{
    int n = 0, m = 0;
    int len = (int)(sealed.n - TAG);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c != NULL && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_DecryptUpdate(c, NULL, &n, hash->b, hash->n) == 1 &&
              EVP_DecryptUpdate(c, out, &n, sealed.p, len) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(sealed.p + len)) == 1 &&
              EVP_DecryptFinal_ex(c, out + n, &m) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

int seal_body(struct slice owner, struct slice body, const struct digest *hash, struct buf *out,
              struct diag *d)
{
    EVP_PKEY *to = read_owner(owner);
    EVP_PKEY *eph = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    uint8_t secret[32], key[32], owner_pub[PUB];
    uint8_t *p = body.n > INT32_MAX ? NULL : buf_room(out, HEAD + body.n + TAG);
    bool ok = to != NULL && eph != NULL && p != NULL && raw_public(to, owner_pub) &&
              raw_public(eph, p + MAGIC) && RAND_bytes(p + MAGIC + PUB, NONCE) == 1 &&
              shared_secret(eph, to, secret) && body_key(secret, p + MAGIC, owner_pub, key) &&
              encrypt(key, p + MAGIC + PUB, body, hash, p + HEAD);
    if (ok) {
        memcpy(p, magic, MAGIC);
        out->n += HEAD + body.n + TAG;
    }
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(key, sizeof key);
    EVP_PKEY_free(to);
    EVP_PKEY_free(eph);
    return ok ? 0
              : diag_set(d, ERR_CRYPTO,
                         "a body cannot be sealed: is owner_key an X25519 public key?");
}

int seal_open(EVP_PKEY *owner, struct slice sealed, const struct digest *hash, struct buf *out,
              struct diag *d)
{
    uint8_t secret[32], key[32], owner_pub[PUB];
    if (sealed.n < HEAD + TAG || memcmp(sealed.p, magic, MAGIC) != 0 || sealed.n > INT32_MAX)
        return diag_set(d, ERR_CORRUPT, "a sealed body is malformed");
    EVP_PKEY *eph = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, sealed.p + MAGIC, PUB);
    uint8_t *p = buf_room(out, sealed.n - HEAD);
    bool ok = eph != NULL && p != NULL && raw_public(owner, owner_pub) &&
              shared_secret(owner, eph, secret) &&
              body_key(secret, sealed.p + MAGIC, owner_pub, key) &&
              decrypt(key, sealed.p + MAGIC + PUB, slice_from(sealed, HEAD), hash, p);
    if (ok)
        out->n += sealed.n - HEAD - TAG;
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(key, sizeof key);
    EVP_PKEY_free(eph);
    return ok ? 0 : diag_set(d, ERR_CRYPTO, "a sealed body does not open with this key");
}
