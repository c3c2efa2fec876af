/* Kept bodies: only the owner's private key opens them, and only unaltered. */
#include "base/err.h"
#include "gateway/seal.h"
#include "test.h"

#include <openssl/x509.h>

static struct slice public_der(EVP_PKEY *key, unsigned char **p)
{
    *p = NULL;
    int n = i2d_PUBKEY(key, p);
    return slice_of(*p, n > 0 ? (size_t)n : 0);
}

TEST(the_owner_opens_what_was_sealed)
{
    EVP_PKEY *owner = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    unsigned char *der;
    struct slice pub = public_der(owner, &der), body = SLICE_LIT("a person's record");
    struct buf sealed, opened;
    struct digest hash, wrong;
    struct diag d = {0};
    buf_init(&sealed, 4096);
    buf_init(&opened, 4096);
    digest_of(DIGEST_SHA512, body, &hash);
    digest_of(DIGEST_SHA512, SLICE_LIT("another"), &wrong);
    CHECK_INT(seal_body(pub, body, &hash, &sealed, &d), 0);
    CHECK_INT(slice_find_slice(buf_view(&sealed), body), SIZE_MAX);
    CHECK_INT(seal_open(owner, buf_view(&sealed), &hash, &opened, &d), 0);
    CHECK(slice_eq(buf_view(&opened), body));
    CHECK_INT(seal_open(other, buf_view(&sealed), &hash, &opened, &d), ERR_CRYPTO);
    CHECK_INT(seal_open(owner, buf_view(&sealed), &wrong, &opened, &d), ERR_CRYPTO);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] ^= 1;
        CHECK(seal_open(owner, buf_view(&sealed), &hash, &opened, &d) != 0);
        sealed.p[i] ^= 1;
    }
    EVP_PKEY_free(owner);
    EVP_PKEY_free(other);
    OPENSSL_free(der);
    buf_free(&sealed);
    buf_free(&opened);
}

TEST(a_key_of_another_kind_is_refused)
{
    EVP_PKEY *owner = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    unsigned char *der;
    struct slice pub = public_der(owner, &der);
    struct buf sealed;
    struct digest hash;
    struct diag d = {0};
    buf_init(&sealed, 4096);
    digest_of(DIGEST_SHA512, SLICE_LIT("x"), &hash);
    CHECK_INT(seal_body(pub, SLICE_LIT("x"), &hash, &sealed, &d), ERR_CRYPTO);
    CHECK_INT(sealed.n, 0);
    EVP_PKEY_free(owner);
    OPENSSL_free(der);
    buf_free(&sealed);
}
