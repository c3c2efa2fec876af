#include "crypto/sign.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/err.h"
#include "crypto/der.h"

#define SIGNATURE_MAX 1024 /* RSA-8192 */
#define KEY_PEM_MAX 16384
#define CURVE_MAX 66 /* P-521 */

#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define DSIG_MORE "http://www.w3.org/2001/04/xmldsig-more#"
#define DSIG_2007 "http://www.w3.org/2007/05/xmldsig-more#"
#define DSIG_2021 "http://www.w3.org/2021/04/xmldsig-more#"

static const struct sign_alg algs[] = {
    {DSIG_MORE "rsa-sha512", SIGN_RSA, DIGEST_SHA512, SIGN_PKCS1},
    {DSIG_MORE "ecdsa-sha512", SIGN_EC, DIGEST_SHA512, SIGN_NO_PADDING},
    {DSIG_MORE "rsa-sha256", SIGN_RSA, DIGEST_SHA256, SIGN_PKCS1},
    {DSIG_MORE "rsa-sha384", SIGN_RSA, DIGEST_SHA384, SIGN_PKCS1},
    {DSIG "rsa-sha1", SIGN_RSA, DIGEST_SHA1, SIGN_PKCS1},
    {DSIG_2007 "sha256-rsa-MGF1", SIGN_RSA, DIGEST_SHA256, SIGN_PSS},
    {DSIG_2007 "sha384-rsa-MGF1", SIGN_RSA, DIGEST_SHA384, SIGN_PSS},
    {DSIG_2007 "sha512-rsa-MGF1", SIGN_RSA, DIGEST_SHA512, SIGN_PSS},
    {DSIG_MORE "ecdsa-sha1", SIGN_EC, DIGEST_SHA1, SIGN_NO_PADDING},
    {DSIG_MORE "ecdsa-sha224", SIGN_EC, DIGEST_SHA224, SIGN_NO_PADDING},
    {DSIG_MORE "ecdsa-sha256", SIGN_EC, DIGEST_SHA256, SIGN_NO_PADDING},
    {DSIG_MORE "ecdsa-sha384", SIGN_EC, DIGEST_SHA384, SIGN_NO_PADDING},
    {DSIG_2021 "eddsa-ed25519", SIGN_ED25519, DIGEST_NONE, SIGN_NO_PADDING},
};

/*
 * Verification contexts of the keys seen last: setting one up costs a third of an RSA
 * verification. An entry holds a reference to its key, so the pointer stays unique.
 */
#define CACHE_SIZE 16
struct cached {
    EVP_PKEY *key;
    const struct sign_alg *alg;
    EVP_PKEY_CTX *ctx;
};
static struct cached cache[CACHE_SIZE];
static unsigned cache_next;

const struct sign_alg *sign_alg_from_uri(struct slice uri)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (slice_eq_str(uri, algs[i].uri))
            return &algs[i];
    return NULL;
}

const struct sign_alg *sign_alg_of(enum sign_key key, enum digest_alg digest)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (algs[i].key == key && algs[i].digest == digest && algs[i].padding != SIGN_PSS)
            return &algs[i];
    return NULL;
}

const struct sign_alg *sign_alg_for_key(EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return sign_alg_of(SIGN_RSA, DIGEST_SHA512);
    if (EVP_PKEY_is_a(key, "EC"))
        return sign_alg_of(SIGN_EC, DIGEST_SHA512);
    return NULL;
}

const struct sign_alg *sign_alg_for_asn1(EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return sign_alg_of(SIGN_RSA, DIGEST_SHA512);
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) <= 256)
        return sign_alg_of(SIGN_EC, DIGEST_SHA256);
    if (EVP_PKEY_is_a(key, "EC"))
        return sign_alg_of(SIGN_EC, DIGEST_SHA512);
    if (EVP_PKEY_is_a(key, "ED25519"))
        return sign_alg_of(SIGN_ED25519, DIGEST_NONE);
    return NULL;
}

static const char *oid_of(const struct sign_alg *alg)
{
    static const char *const rsa[] = {[DIGEST_SHA1] = "1.2.840.113549.1.1.5",
                                      [DIGEST_SHA256] = "1.2.840.113549.1.1.11",
                                      [DIGEST_SHA384] = "1.2.840.113549.1.1.12",
                                      [DIGEST_SHA512] = "1.2.840.113549.1.1.13"};
    static const char *const ec[] = {[DIGEST_SHA1] = "1.2.840.10045.4.1",
                                     [DIGEST_SHA224] = "1.2.840.10045.4.3.1",
                                     [DIGEST_SHA256] = "1.2.840.10045.4.3.2",
                                     [DIGEST_SHA384] = "1.2.840.10045.4.3.3",
                                     [DIGEST_SHA512] = "1.2.840.10045.4.3.4"};
    if (alg->key == SIGN_ED25519)
        return "1.3.101.112";
    if (alg->padding == SIGN_PSS)
        return "1.2.840.113549.1.1.10";
    return alg->key == SIGN_RSA ? rsa[alg->digest] : ec[alg->digest];
}

/* RSASSA-PSS-params of RFC 4055 3.1: one digest throughout, salt as long as it. */
static void pss_parameters(enum digest_alg digest, struct buf *out)
{
    size_t seq = der_open(out, DER_SEQUENCE);
    size_t hash = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    der_algorithm(out, digest_oid(digest), true);
    der_close(out, hash);
    size_t mask = der_open(out, DER_CONTEXT_CONSTRUCTED(1));
    size_t mgf = der_open(out, DER_SEQUENCE);
    der_oid(out, "1.2.840.113549.1.1.8");
    der_algorithm(out, digest_oid(digest), true);
    der_close(out, mgf);
    der_close(out, mask);
    size_t salt = der_open(out, DER_CONTEXT_CONSTRUCTED(2));
    der_uint(out, digest_len(digest));
    der_close(out, salt);
    der_close(out, seq);
}

int sign_alg_der(const struct sign_alg *alg, struct buf *out)
{
    size_t at = der_open(out, DER_SEQUENCE);
    der_oid(out, oid_of(alg));
    /* RFC 4055: NULL parameters with PKCS#1; RFC 5758 and 8410: none with ECDSA and Ed25519. */
    if (alg->padding == SIGN_PKCS1)
        der_put(out, DER_NULL, SLICE_NONE);
    if (alg->padding == SIGN_PSS)
        pss_parameters(alg->digest, out);
    der_close(out, at);
    return out->failed ? ERR_TOO_LARGE : 0;
}

/* The rows' encodings, made once. */
static struct slice row_der(size_t i)
{
    static uint8_t made[ARRAY_LEN(algs)][80];
    static uint8_t lengths[ARRAY_LEN(algs)];
    if (lengths[i] == 0) {
        struct buf b;
        buf_init(&b, sizeof made[i]);
        if (sign_alg_der(&algs[i], &b) == 0) {
            memcpy(made[i], b.p, b.n);
            lengths[i] = (uint8_t)b.n;
        }
        buf_free(&b);
    }
    return slice_of(made[i], lengths[i]);
}

const struct sign_alg *sign_alg_from_der(struct slice der)
{
    struct slice in = der, body, oid;
    if (!der_next(&in, DER_SEQUENCE, &body, NULL) || in.n != 0 ||
        !der_next(&body, DER_OID, NULL, &oid))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct slice row = row_der(i), content, row_oid;
        if (slice_eq(row, der))
            return &algs[i];
        /* Some leave out the NULL parameters of PKCS#1. */
        if (algs[i].padding == SIGN_PKCS1 && body.n == 0 &&
            der_next(&row, DER_SEQUENCE, &content, NULL) &&
            der_next(&content, DER_OID, NULL, &row_oid) && slice_eq(row_oid, oid))
            return &algs[i];
    }
    return NULL;
}

int sign_wrap(struct slice tbs, const struct sign_alg *alg, struct slice value, struct buf *der)
{
    size_t at = der_open(der, DER_SEQUENCE);
    buf_slice(der, tbs);
    int rc = sign_alg_der(alg, der);
    if (rc != 0)
        return rc;
    der_bits(der, value);
    der_close(der, at);
    return der->failed ? ERR_TOO_LARGE : 0;
}

EVP_PKEY *key_generate(const char *kind, struct diag *d)
{
    EVP_PKEY *key = NULL;
    if (strcmp(kind, "rsa2048") == 0)
        key = EVP_RSA_gen(2048);
    else if (strcmp(kind, "rsa3072") == 0)
        key = EVP_RSA_gen(3072);
    else if (strcmp(kind, "p256") == 0)
        key = EVP_EC_gen("P-256");
    else if (strcmp(kind, "p384") == 0)
        key = EVP_EC_gen("P-384");
    else if (strcmp(kind, "ed25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else {
        diag_set(d, ERR_USAGE,
                 "There is no kind of key \"%s\": use rsa2048, rsa3072, p256, p384 or ed25519.",
                 kind);
        return NULL;
    }
    if (key == NULL)
        diag_set(d, ERR_CRYPTO, "OpenSSL could not make a key of kind %s.", kind);
    ERR_clear_error();
    return key;
}

int key_to_pem(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL)
        return ERR_NOMEM;
    int rc = ERR_CRYPTO;
    if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        char *text;
        long n = BIO_get_mem_data(bio, &text);
        buf_add(out, text, (size_t)n);
        rc = out->failed ? ERR_TOO_LARGE : 0;
    }
    BIO_free(bio); /* its memory is wiped */
    ERR_clear_error();
    return rc;
}

/* Without it OpenSSL would ask the terminal for the password of an encrypted key. */
static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

EVP_PKEY *key_from_pem(struct slice pem, struct diag *d)
{
    EVP_PKEY *key = NULL;
    if (pem.n > 0 && pem.n <= KEY_PEM_MAX) {
        BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
        if (bio != NULL)
            key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
        BIO_free(bio);
    }
    if (key == NULL)
        diag_set(d, ERR_CRYPTO, "This is not an unencrypted private key in PEM form.");
    ERR_clear_error();
    return key;
}

static bool fits(EVP_PKEY *key, const struct sign_alg *alg)
{
    switch (alg->key) {
    case SIGN_RSA:
        return EVP_PKEY_is_a(key, "RSA") ||
               (alg->padding == SIGN_PSS && EVP_PKEY_is_a(key, "RSA-PSS"));
    case SIGN_EC:
        return EVP_PKEY_is_a(key, "EC");
    case SIGN_ED25519:
        return EVP_PKEY_is_a(key, "ED25519");
    }
    return false;
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct sign_alg *alg)
{
    switch (alg->padding) {
    case SIGN_PKCS1:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    case SIGN_PSS: /* MGF1 with the same digest is the default */
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    case SIGN_NO_PADDING:
        return true;
    }
    return false;
}

/* A context for finished digests, ready to sign or to verify; NULL when OpenSSL refuses. */
static EVP_PKEY_CTX *digest_ctx_for(EVP_PKEY *key, const struct sign_alg *alg, bool sign)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx == NULL)
        return NULL;
    int ok = sign ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx);
    if (ok == 1 && set_padding(ctx, alg) &&
        EVP_PKEY_CTX_set_signature_md(ctx, digest_md(alg->digest)) == 1)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

static int append_value(struct buf *value, const uint8_t *p, size_t n)
{
    buf_add(value, p, n);
    return value->failed ? ERR_TOO_LARGE : 0;
}

int sign_data(EVP_PKEY *key, const struct sign_alg *alg, struct slice data, struct buf *value)
{
    if (!fits(key, alg))
        return ERR_UNSUPPORTED_ALGORITHM;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ERR_NOMEM;
    EVP_PKEY_CTX *pctx = NULL;
    uint8_t sig[SIGNATURE_MAX];
    size_t n = sizeof sig;
    int rc = ERR_CANNOT_SIGN;
    if (EVP_DigestSignInit(ctx, &pctx, digest_md(alg->digest), NULL, key) == 1 &&
        set_padding(pctx, alg) && EVP_DigestSign(ctx, sig, &n, data.p, data.n) == 1)
        rc = append_value(value, sig, n);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

int sign_digest(EVP_PKEY *key, const struct sign_alg *alg, const struct digest *dg,
                struct buf *value)
{
    if (alg->digest == DIGEST_NONE || dg->alg != alg->digest || !fits(key, alg))
        return ERR_UNSUPPORTED_ALGORITHM;
    EVP_PKEY_CTX *ctx = digest_ctx_for(key, alg, true);
    uint8_t sig[SIGNATURE_MAX];
    size_t n = sizeof sig;
    int rc = ERR_CANNOT_SIGN;
    if (ctx != NULL && EVP_PKEY_sign(ctx, sig, &n, dg->b, dg->n) == 1)
        rc = append_value(value, sig, n);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

static void forget(struct cached *c)
{
    EVP_PKEY_CTX_free(c->ctx);
    EVP_PKEY_free(c->key);
    *c = (struct cached){0};
}

static struct cached *remember(EVP_PKEY *key, const struct sign_alg *alg)
{
    for (size_t i = 0; i < CACHE_SIZE; i++)
        if (cache[i].key == key && cache[i].alg == alg)
            return &cache[i];
    EVP_PKEY_CTX *ctx = digest_ctx_for(key, alg, false);
    if (ctx == NULL || EVP_PKEY_up_ref(key) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    struct cached *c = &cache[cache_next++ % CACHE_SIZE];
    forget(c);
    *c = (struct cached){key, alg, ctx};
    return c;
}

static int verify_ed25519(EVP_PKEY *key, struct slice data, struct slice value)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return ERR_NOMEM;
    int ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestVerify(ctx, value.p, value.n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : ERR_INVALID_SIGNATURE_VALUE;
}

int verify_data(EVP_PKEY *key, const struct sign_alg *alg, struct slice data, struct slice value)
{
    if (alg->key == SIGN_ED25519)
        return fits(key, alg) ? verify_ed25519(key, data, value) : ERR_UNSUPPORTED_ALGORITHM;
    struct digest dg;
    digest_of(alg->digest, data, &dg);
    return verify_digest(key, alg, &dg, value);
}

int verify_digest(EVP_PKEY *key, const struct sign_alg *alg, const struct digest *dg,
                  struct slice value)
{
    if (alg->digest == DIGEST_NONE || dg->alg != alg->digest || !fits(key, alg))
        return ERR_UNSUPPORTED_ALGORITHM;
    struct cached *c = remember(key, alg);
    if (c == NULL) {
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    int ok = EVP_PKEY_verify(c->ctx, value.p, value.n, dg->b, dg->n);
    ERR_clear_error();
    return ok == 1 ? 0 : ERR_INVALID_SIGNATURE_VALUE;
}

/* Octets of the curve's order; 0 when the key is not on a curve that fits. */
static size_t curve_width(EVP_PKEY *key)
{
    if (!EVP_PKEY_is_a(key, "EC"))
        return 0;
    int bits = EVP_PKEY_get_bits(key);
    return bits > 0 && bits <= CURVE_MAX * 8 ? ((size_t)bits + 7) / 8 : 0;
}

int sign_raw_from_der(EVP_PKEY *key, struct slice der, struct buf *raw)
{
    size_t width = curve_width(key);
    if (width == 0)
        return ERR_UNSUPPORTED_ALGORITHM;
    const uint8_t *p = der.p;
    ECDSA_SIG *sig =
        der.n > 0 && der.n <= SIGNATURE_MAX ? d2i_ECDSA_SIG(NULL, &p, (long)der.n) : NULL;
    uint8_t both[2 * CURVE_MAX];
    int rc = ERR_INVALID_SIGNATURE_VALUE;
    if (sig != NULL && p == der.p + der.n && !BN_is_negative(ECDSA_SIG_get0_r(sig)) &&
        !BN_is_negative(ECDSA_SIG_get0_s(sig)) &&
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), both, (int)width) >= 0 &&
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), both + width, (int)width) >= 0)
        rc = append_value(raw, both, 2 * width);
    ECDSA_SIG_free(sig);
    ERR_clear_error();
    return rc;
}

int sign_raw_to_der(EVP_PKEY *key, struct slice raw, struct buf *der)
{
    size_t width = curve_width(key);
    if (width == 0)
        return ERR_UNSUPPORTED_ALGORITHM;
    if (raw.n == 0 || raw.n % 2 != 0 || raw.n > 2 * width)
        return ERR_INVALID_SIGNATURE_VALUE;
    size_t at = der_open(der, DER_SEQUENCE);
    der_unsigned(der, slice_sub(raw, 0, raw.n / 2));
    der_unsigned(der, slice_from(raw, raw.n / 2));
    der_close(der, at);
    return der->failed ? ERR_TOO_LARGE : 0;
}
