/*
 * The provider "sild" and its key management. A key comes in through EVP_PKEY_fromdata with the
 * parameters below; it goes out as a public key only, so that OpenSSL never hands the work of
 * signing to another provider, while comparing it with a certificate's key works.
 */
#include "keys/remote.h"
#include "base/err.h"
#include "keys/remote_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define PROVIDER "sild"
#define ONLY_OURS "provider=sild"

#define PARAM_FD "sild-fd"
#define PARAM_TYPE "sild-type"
#define PARAM_NAME "sild-name"
#define PARAM_PUBLIC "sild-public" /* SubjectPublicKeyInfo, DER */

struct remote_key *remote_key_ref(struct remote_key *k)
{
    k->refs++;
    return k;
}

void remote_key_free(void *vk)
{
    struct remote_key *k = vk;
    if (k == NULL || --k->refs > 0)
        return;
    EVP_PKEY_free(k->pub);
    free(k);
}

/* --- key management --- */

static struct remote_key *key_new(bool rsa)
{
    struct remote_key *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    k->refs = 1;
    k->fd = -1;
    k->rsa = rsa;
    return k;
}

static void *rsa_new(void *provctx)
{
    (void)provctx;
    return key_new(true);
}

static void *ec_new(void *provctx)
{
    (void)provctx;
    return key_new(false);
}

static int key_has(const void *vk, int selection)
{
    (void)selection;
    const struct remote_key *k = vk;
    return k != NULL && k->pub != NULL;
}

static int key_import(void *vk, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    struct remote_key *k = vk;
    const OSSL_PARAM *public = OSSL_PARAM_locate_const(params, PARAM_PUBLIC);
    const OSSL_PARAM *fd = OSSL_PARAM_locate_const(params, PARAM_FD);
    const OSSL_PARAM *type = OSSL_PARAM_locate_const(params, PARAM_TYPE);
    const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, PARAM_NAME);
    if (public == NULL || fd == NULL || type == NULL || name == NULL || k->pub != NULL)
        return 0;
    int number;
    char *text = k->name;
    if (!OSSL_PARAM_get_int(fd, &k->fd) || !OSSL_PARAM_get_int(type, &number) ||
        !OSSL_PARAM_get_utf8_string(name, &text, sizeof k->name))
        return 0;
    k->type = (enum signer_type)number;
    const uint8_t *p = public->data;
    k->pub = d2i_PUBKEY_ex(NULL, &p, (long)public->data_size, NULL, "provider=default");
    return k->pub != NULL && EVP_PKEY_is_a(k->pub, k->rsa ? "RSA" : "EC");
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(PARAM_FD, NULL),
        OSSL_PARAM_int(PARAM_TYPE, NULL),
        OSSL_PARAM_utf8_string(PARAM_NAME, NULL, 0),
        OSSL_PARAM_octet_string(PARAM_PUBLIC, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)selection;
    return types;
}

/* Refuses whenever the private half is asked for too: that tells OpenSSL to come to us. */
static int key_export(void *vk, int selection, OSSL_CALLBACK *cb, void *arg)
{
    struct remote_key *k = vk;
    OSSL_PARAM *params = NULL;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || k->pub == NULL ||
        EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return 0;
    int ok = cb(params, arg);
    OSSL_PARAM_free(params);
    return ok;
}

static const OSSL_PARAM *rsa_export_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : types;
}

static const OSSL_PARAM *ec_export_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : types;
}

static int key_get_params(void *vk, OSSL_PARAM params[])
{
    struct remote_key *k = vk;
    return k->pub != NULL && EVP_PKEY_get_params(k->pub, params);
}

static const OSSL_PARAM *key_gettable_params(void *provctx)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provctx;
    return types;
}

static const char *rsa_operation_name(int operation)
{
    (void)operation;
    return "RSA";
}

static const char *ec_operation_name(int operation)
{
    return operation == OSSL_OP_KEYEXCH ? "ECDH" : "ECDSA";
}

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH rsa_functions[] = {
    {OSSL_FUNC_KEYMGMT_NEW, FN(rsa_new)},
    {OSSL_FUNC_KEYMGMT_FREE, FN(remote_key_free)},
    {OSSL_FUNC_KEYMGMT_HAS, FN(key_has)},
    {OSSL_FUNC_KEYMGMT_IMPORT, FN(key_import)},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(key_import_types)},
    {OSSL_FUNC_KEYMGMT_EXPORT, FN(key_export)},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(rsa_export_types)},
    {OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(key_get_params)},
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(key_gettable_params)},
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(rsa_operation_name)},
    {0, NULL},
};

static const OSSL_DISPATCH ec_functions[] = {
    {OSSL_FUNC_KEYMGMT_NEW, FN(ec_new)},
    {OSSL_FUNC_KEYMGMT_FREE, FN(remote_key_free)},
    {OSSL_FUNC_KEYMGMT_HAS, FN(key_has)},
    {OSSL_FUNC_KEYMGMT_IMPORT, FN(key_import)},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(key_import_types)},
    {OSSL_FUNC_KEYMGMT_EXPORT, FN(key_export)},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(ec_export_types)},
    {OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(key_get_params)},
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(key_gettable_params)},
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(ec_operation_name)},
    {0, NULL},
};

/* --- the provider --- */

static const OSSL_ALGORITHM *provider_query(void *provctx, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM keys[] = {
        {"RSA:rsaEncryption", ONLY_OURS, rsa_functions, "RSA keys of the key process"},
        {"EC:id-ecPublicKey", ONLY_OURS, ec_functions, "EC keys of the key process"},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM signatures[] = {
        {"RSA:rsaEncryption", ONLY_OURS, remote_sign_functions, "RSA by the key process"},
        {"ECDSA", ONLY_OURS, remote_sign_functions, "ECDSA by the key process"},
        {NULL, NULL, NULL, NULL},
    };
    (void)provctx;
    *no_cache = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return keys;
    return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provctx)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(provider_query)},
        {0, NULL},
    };
    (void)in;
    *out = functions;
    *provctx = (void *)(uintptr_t)handle;
    return 1;
}

/* Everything that is not asked of us by name must still be done by the default provider. */
static bool default_comes_first(void)
{
    EVP_KEYMGMT *m = EVP_KEYMGMT_fetch(NULL, "RSA", NULL);
    bool ok =
        m != NULL && strcmp(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(m)), "default") == 0;
    EVP_KEYMGMT_free(m);
    return ok;
}

/* Once a process, which keeps both providers to its end. Loading any provider stops OpenSSL from
 * loading its default one by itself. */
static bool provider_load(void)
{
    static OSSL_PROVIDER *theirs, *ours;
    if (ours != NULL)
        return true;
    if (theirs == NULL)
        theirs = OSSL_PROVIDER_load(NULL, "default");
    if (theirs == NULL || OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) != 1)
        return false;
    ours = OSSL_PROVIDER_load(NULL, PROVIDER);
    if (ours != NULL && !default_comes_first()) {
        OSSL_PROVIDER_unload(ours);
        ours = NULL;
    }
    return ours != NULL;
}

static EVP_PKEY *key_from_params(bool rsa, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, rsa ? "RSA" : "EC", ONLY_OURS);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

EVP_PKEY *remote_key_new(int fd, enum signer_type type, const char *key_name, EVP_PKEY *pub,
                         struct diag *d)
{
    bool rsa = EVP_PKEY_is_a(pub, "RSA");
    int number = (int)type;
    uint8_t *der = NULL;
    if (!rsa && !EVP_PKEY_is_a(pub, "EC")) {
        diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "a key in the key process is RSA or EC");
        return NULL;
    }
    if (key_name[0] == 0 || strlen(key_name) > REMOTE_NAME_MAX) {
        diag_set(d, ERR_USAGE, "a key's name has 1 to %d characters", REMOTE_NAME_MAX);
        return NULL;
    }
    int n = provider_load() ? i2d_PUBKEY(pub, &der) : -1;
    EVP_PKEY *key = NULL;
    if (n > 0) {
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_int(PARAM_FD, &fd),
            OSSL_PARAM_construct_int(PARAM_TYPE, &number),
            OSSL_PARAM_construct_utf8_string(PARAM_NAME, (char *)(uintptr_t)key_name, 0),
            OSSL_PARAM_construct_octet_string(PARAM_PUBLIC, der, (size_t)n),
            OSSL_PARAM_construct_end(),
        };
        key = key_from_params(rsa, params);
    }
    OPENSSL_free(der);
    ERR_clear_error();
    if (key == NULL)
        diag_set(d, ERR_CRYPTO, "OpenSSL does not take the key %s of the key process", key_name);
    return key;
}
