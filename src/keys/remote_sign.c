/*
 * Signatures of the provider: digests are made here, the private operation is one blocking request
 * to the key process; verifying is handed to the default provider. What the key process does not
 * do, is refused: digests below SHA-256, PSS salts of another length than the digest's, and signing
 * without a digest.
 */
#include "base/err.h"
#include "keys/remote_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 1024
#define ALGORITHM_MAX 64

struct sign_ctx {
    struct remote_key *key;
    enum digest_alg digest, mgf1;
    int padding; /* RSA: RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING */
    int salt_len;
    EVP_MD_CTX *md; /* where data are hashed here */
};

static void *ctx_new(void *provctx, const char *properties)
{
    (void)provctx, (void)properties;
    return calloc(1, sizeof(struct sign_ctx));
}

static void ctx_free(void *vc)
{
    struct sign_ctx *c = vc;
    if (c == NULL)
        return;
    remote_key_free(c->key);
    EVP_MD_CTX_free(c->md);
    free(c);
}

static void *ctx_dup(void *vc)
{
    const struct sign_ctx *c = vc;
    struct sign_ctx *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *c;
    if (copy->key != NULL)
        remote_key_ref(copy->key);
    copy->md = c->md == NULL ? NULL : EVP_MD_CTX_new();
    if (c->md != NULL && (copy->md == NULL || EVP_MD_CTX_copy_ex(copy->md, c->md) != 1)) {
        ctx_free(copy);
        return NULL;
    }
    return copy;
}

/* --- parameters --- */

static bool digest_by_name(const char *name, enum digest_alg *out)
{
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    *out = md == NULL ? DIGEST_NONE : digest_from_nid(EVP_MD_get_type(md));
    EVP_MD_free(md);
    return *out != DIGEST_NONE;
}

static bool set_digest(const OSSL_PARAM *p, enum digest_alg *out)
{
    char name[32], *to = name;
    return OSSL_PARAM_get_utf8_string(p, &to, sizeof name) && digest_by_name(name, out);
}

static bool set_padding(const OSSL_PARAM *p, int *padding)
{
    char name[16], *to = name;
    if (p->data_type != OSSL_PARAM_UTF8_STRING) {
        if (!OSSL_PARAM_get_int(p, padding))
            return false;
    } else if (!OSSL_PARAM_get_utf8_string(p, &to, sizeof name)) {
        return false;
    } else {
        *padding = strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                   : strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0   ? RSA_PKCS1_PSS_PADDING
                                                                     : 0;
    }
    return *padding == RSA_PKCS1_PADDING || *padding == RSA_PKCS1_PSS_PADDING;
}

static bool set_salt_len(const OSSL_PARAM *p, int *salt_len)
{
    char text[16], *to = text;
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_int(p, salt_len);
    if (!OSSL_PARAM_get_utf8_string(p, &to, sizeof text))
        return false;
    uint64_t n;
    if (strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0)
        *salt_len = RSA_PSS_SALTLEN_DIGEST;
    else if (slice_u64(slice_str(text), &n) && n <= DIGEST_MAX)
        *salt_len = (int)n;
    else
        return false;
    return true;
}

static int set_params(void *vc, const OSSL_PARAM params[])
{
    struct sign_ctx *c = vc;
    const OSSL_PARAM *p;
    if (params == NULL)
        return 1;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p != NULL && !set_digest(p, &c->digest))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (p != NULL && (!c->key->rsa || !set_padding(p, &c->padding)))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (p != NULL && (!c->key->rsa || !set_salt_len(p, &c->salt_len)))
        return 0;
    p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    return p == NULL || (c->key->rsa && set_digest(p, &c->mgf1));
}

static const OSSL_PARAM *settable_params(void *vc, void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vc, (void)provctx;
    return types;
}

/* DER AlgorithmIdentifier as X.509, OCSP and CMS write it; 0 where there is none (PSS). */
static size_t algorithm_id(const struct sign_ctx *c, uint8_t out[ALGORITHM_MAX])
{
    int nid;
    if (c->digest == DIGEST_NONE || (c->key->rsa && c->padding != RSA_PKCS1_PADDING) ||
        !OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(digest_md(c->digest)),
                                c->key->rsa ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey))
        return 0;
    X509_ALGOR *alg = X509_ALGOR_new();
    int n = -1;
    if (alg != NULL &&
        X509_ALGOR_set0(alg, OBJ_nid2obj(nid), c->key->rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL)) {
        uint8_t *p = out;
        n = i2d_X509_ALGOR(alg, NULL) <= ALGORITHM_MAX ? i2d_X509_ALGOR(alg, &p) : -1;
    }
    X509_ALGOR_free(alg);
    return n > 0 ? (size_t)n : 0;
}

static int get_padding(const struct sign_ctx *c, OSSL_PARAM *p)
{
    if (p->data_type == OSSL_PARAM_INTEGER)
        return OSSL_PARAM_set_int(p, c->padding);
    return OSSL_PARAM_set_utf8_string(p, c->padding == RSA_PKCS1_PADDING
                                             ? OSSL_PKEY_RSA_PAD_MODE_PKCSV15
                                             : OSSL_PKEY_RSA_PAD_MODE_PSS);
}

static int get_params(void *vc, OSSL_PARAM params[])
{
    struct sign_ctx *c = vc;
    uint8_t alg[ALGORITHM_MAX];
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    if (p != NULL && !OSSL_PARAM_set_octet_string(p, alg, algorithm_id(c, alg)))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
    if (p != NULL && (c->digest == DIGEST_NONE ||
                      !OSSL_PARAM_set_utf8_string(p, EVP_MD_get0_name(digest_md(c->digest)))))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    return p == NULL || (c->key->rsa && get_padding(c, p));
}

static const OSSL_PARAM *gettable_params(void *vc, void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vc, (void)provctx;
    return types;
}

/* --- signing --- */

static int begin(void *vc, void *vkey, const OSSL_PARAM params[])
{
    struct sign_ctx *c = vc;
    if (vkey != NULL) {
        remote_key_free(c->key);
        c->key = remote_key_ref(vkey);
        c->padding = RSA_PKCS1_PADDING;
        c->salt_len = RSA_PSS_SALTLEN_DIGEST;
        c->mgf1 = DIGEST_NONE;
    }
    return c->key != NULL && set_params(c, params);
}

static int refuse(const char *why)
{
    ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", why);
    return 0;
}

/* One finished digest, one request. sig NULL: the size only. */
static int sign_digested(struct sign_ctx *c, struct slice digest, uint8_t *sig, size_t *n,
                         size_t room)
{
    int max = EVP_PKEY_get_size(c->key->pub);
    if (sig == NULL) {
        *n = (size_t)max;
        return 1;
    }
    bool pss = c->key->rsa && c->padding == RSA_PKCS1_PSS_PADDING;
    if (c->digest == DIGEST_NONE || digest.n != digest_len(c->digest))
        return refuse("the key process signs digests");
    if (pss && c->salt_len != RSA_PSS_SALTLEN_DIGEST && c->salt_len != (int)digest.n)
        return refuse("the key process makes salts as long as the digest");
    if (pss && c->mgf1 != DIGEST_NONE && c->mgf1 != c->digest)
        return refuse("the key process uses one digest for data and mask");
    struct signer_raw raw = {
        .key = slice_str(c->key->name),
        .digested = true,
        .pss = pss,
        .digest = c->digest,
        .data = digest,
    };
    struct diag d = {0};
    struct buf value;
    buf_init(&value, room < VALUE_MAX ? room : VALUE_MAX);
    int err = signer_call(c->key->fd, c->key->type, &raw, &value, &d);
    if (err == 0) {
        memcpy(sig, value.p, value.n);
        *n = value.n;
    }
    buf_free(&value);
    return err == 0 ? 1 : refuse(d.text);
}

static int sign(void *vc, unsigned char *sig, size_t *n, size_t room, const unsigned char *tbs,
                size_t tbs_n)
{
    return sign_digested(vc, slice_of(tbs, tbs_n), sig, n, room);
}

static int hash_begin(void *vc, const char *digest, void *vkey, const OSSL_PARAM params[])
{
    struct sign_ctx *c = vc;
    if (!begin(c, vkey, params))
        return 0;
    if (digest != NULL && digest[0] != 0 && !digest_by_name(digest, &c->digest))
        return refuse("no such digest");
    if (c->digest == DIGEST_NONE)
        return refuse("the key process signs digests");
    if (c->md == NULL)
        c->md = EVP_MD_CTX_new();
    return c->md != NULL && EVP_DigestInit_ex2(c->md, digest_md(c->digest), NULL) == 1;
}

static int hash_update(void *vc, const unsigned char *data, size_t n)
{
    struct sign_ctx *c = vc;
    return c->md != NULL && EVP_DigestUpdate(c->md, data, n) == 1;
}

static int digest_sign_final(void *vc, unsigned char *sig, size_t *n, size_t room)
{
    struct sign_ctx *c = vc;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_n = 0;
    if (c->md == NULL || (sig != NULL && EVP_DigestFinal_ex(c->md, digest, &digest_n) != 1))
        return 0;
    return sign_digested(c, slice_of(digest, digest_n), sig, n, room);
}

/* --- verifying --- */

static bool verify_init(EVP_PKEY_CTX *p, const struct sign_ctx *c)
{
    if (EVP_PKEY_verify_init(p) != 1 ||
        (c->digest != DIGEST_NONE && EVP_PKEY_CTX_set_signature_md(p, digest_md(c->digest)) != 1))
        return false;
    if (!c->key->rsa)
        return true;
    if (EVP_PKEY_CTX_set_rsa_padding(p, c->padding) != 1)
        return false;
    return c->padding != RSA_PKCS1_PSS_PADDING ||
           (EVP_PKEY_CTX_set_rsa_pss_saltlen(p, c->salt_len) == 1 &&
            (c->mgf1 == DIGEST_NONE || EVP_PKEY_CTX_set_rsa_mgf1_md(p, digest_md(c->mgf1)) == 1));
}

static int verify(void *vc, const unsigned char *sig, size_t n, const unsigned char *tbs,
                  size_t tbs_n)
{
    struct sign_ctx *c = vc;
    EVP_PKEY_CTX *p = EVP_PKEY_CTX_new_from_pkey(NULL, c->key->pub, "provider=default");
    int ok = p != NULL && verify_init(p, c) ? EVP_PKEY_verify(p, sig, n, tbs, tbs_n) : 0;
    EVP_PKEY_CTX_free(p);
    return ok;
}

static int digest_verify_final(void *vc, const unsigned char *sig, size_t n)
{
    struct sign_ctx *c = vc;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_n = 0;
    return c->md != NULL && EVP_DigestFinal_ex(c->md, digest, &digest_n) == 1
               ? verify(c, sig, n, digest, digest_n)
               : 0;
}

#define FN(f) ((void (*)(void))(f))

const OSSL_DISPATCH remote_sign_functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, FN(ctx_new)},
    {OSSL_FUNC_SIGNATURE_FREECTX, FN(ctx_free)},
    {OSSL_FUNC_SIGNATURE_DUPCTX, FN(ctx_dup)},
    {OSSL_FUNC_SIGNATURE_SIGN_INIT, FN(begin)},
    {OSSL_FUNC_SIGNATURE_SIGN, FN(sign)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FN(hash_begin)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, FN(hash_update)},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, FN(digest_sign_final)},
    {OSSL_FUNC_SIGNATURE_VERIFY_INIT, FN(begin)},
    {OSSL_FUNC_SIGNATURE_VERIFY, FN(verify)},
    {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, FN(hash_begin)},
    {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, FN(hash_update)},
    {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, FN(digest_verify_final)},
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, FN(set_params)},
    {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, FN(settable_params)},
    {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, FN(get_params)},
    {OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, FN(gettable_params)},
    {0, NULL},
};
