/*
 * The layout of a key file, in full:
 *
 *   0   4   "SKY1"
 *   4  12   nonce, random
 *  16   n   PKCS#8 PrivateKeyInfo, DER, under AES-256-GCM
 *  16+n 16  tag
 *
 * Associated data: the key's name, so that files cannot be exchanged for one another. AES key:
 * HKDF-SHA-256 of the seal secret, no salt, info "sild key store 1".
 */
#include "keys/keystore.h"
#include "base/buf.h"
#include "base/err.h"
#include "crypto/sign.h"
#include "proc/fs.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_BYTES 32
#define SEAL_MAX 1024
#define KEY_FILE_MAX (16u << 10) /* RSA-4096 has 2.4 kB */
#define NONCE 12
#define TAG 16
#define HEAD (4 + NONCE)
#define DIR_MAX 3500
#define NAME_MAX_LEN 64
#define PATH_SIZE 4096

static const char magic[4] = {'S', 'K', 'Y', '1'};

struct keystore {
    char dir[DIR_MAX];
    uint8_t aes_key[32];
};

/* --- the seal secret --- */

static int derive(struct keystore *k, struct slice secret, struct diag *d)
{
    static const char info[] = "sild key store 1";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.p, secret.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, sizeof info - 1),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, k->aes_key, sizeof k->aes_key, params) == 1;
    EVP_KDF_CTX_free(ctx);
    return ok ? 0 : diag_set(d, ERR_CRYPTO, "cannot derive the key store's sealing key");
}

static bool has_sealed_keys(const struct keystore *k)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/keys", k->dir);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(dir)) != NULL;)
        found = slice_ends(slice_str(e->d_name), ".key");
    closedir(dir);
    return found;
}

static int make_seal(const struct keystore *k, const char *path, struct diag *d)
{
    if (has_sealed_keys(k))
        return diag_set(d, ERR_CORRUPT,
                        "the seal is missing, and a new one would not open the keys that are here");
    uint8_t seal[SEAL_BYTES];
    if (RAND_priv_bytes(seal, sizeof seal) != 1)
        return diag_set(d, ERR_CRYPTO, "no random bytes for the seal");
    int err = fs_write(path, slice_of(seal, sizeof seal), 0400, d);
    OPENSSL_cleanse(seal, sizeof seal);
    return err;
}

/* Two who open a new store at once agree on one seal. */
static int make_seal_once(const struct keystore *k, const char *path, struct diag *d)
{
    int lock = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        int err = diag_set(d, err_from_errno(errno), "cannot lock %s", k->dir);
        if (lock >= 0)
            close(lock);
        return err;
    }
    int err = fs_exists(path) ? 0 : make_seal(k, path, d);
    close(lock);
    return err;
}

/* Appends the secret; never into memory that has to move. */
static int read_secret(const char *path, struct buf *secret, struct diag *d)
{
    if (buf_room(secret, SEAL_MAX) == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the seal");
    int err = fs_read(path, secret, d);
    if (err != 0)
        return err;
    if (secret->n < SEAL_BYTES)
        return diag_set(d, ERR_CORRUPT, "a seal has at least %d bytes, not %zu", SEAL_BYTES,
                        secret->n);
    return 0;
}

static int read_seal_file(const struct keystore *k, bool create, struct buf *secret, struct diag *d)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/seal", k->dir);
    if (create && !fs_exists(path)) {
        int err = make_seal_once(k, path, d);
        if (err != 0)
            return err;
    }
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        return diag_set(d, ERR_DENIED, "%s can be read by others; chmod 0400", path);
    return read_secret(path, secret, d);
}

static int open_secret(struct keystore *k, bool create, struct diag *d)
{
    struct buf secret;
    buf_init(&secret, SEAL_MAX);
    char path[PATH_SIZE];
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    int err;
    int n = snprintf(path, sizeof path, "%s/sild-seal", credentials != NULL ? credentials : "");
    if (credentials != NULL && (size_t)n < sizeof path && fs_exists(path))
        err = read_secret(path, &secret, d);
    else
        err = read_seal_file(k, create, &secret, d);
    if (err == 0)
        err = derive(k, buf_view(&secret), d);
    buf_wipe(&secret);
    return err;
}

int keystore_open(const char *dir, bool create, struct keystore **out, struct diag *d)
{
    *out = NULL;
    if (strlen(dir) >= DIR_MAX)
        return diag_set(d, ERR_TOO_LARGE, "the key store's path is too long");
    struct keystore *k = calloc(1, sizeof *k);
    if (k == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a key store");
    memcpy(k->dir, dir, strlen(dir) + 1);
    char keys[PATH_SIZE];
    snprintf(keys, sizeof keys, "%s/keys", dir);
    int err = create ? fs_mkdirs(keys, 0700, d) : 0;
    if (err == 0)
        err = open_secret(k, create, d);
    if (err != 0) {
        diag_where(d, "key store %s", dir);
        keystore_close(k);
        return err;
    }
    *out = k;
    return 0;
}

void keystore_close(struct keystore *k)
{
    if (k == NULL)
        return;
    OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

/* --- sealing --- */

static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_LEN && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* <dir>/keys/<name><suffix> */
static int path_in(const char *dir, const char *name, const char *suffix, char path[PATH_SIZE],
                   struct diag *d)
{
    if (!name_ok(name))
        return diag_set(d, ERR_USAGE,
                        "a key's name has 1 to %d letters, digits, '.', '_' or '-' and does not "
                        "begin with '.'",
                        NAME_MAX_LEN);
    int n = snprintf(path, PATH_SIZE, "%s/keys/%s%s", dir, name, suffix);
    return n > 0 && n < PATH_SIZE ? 0
                                  : diag_set(d, ERR_TOO_LARGE, "the key store's path is too long");
}

static int key_path(const struct keystore *k, const char *name, const char *suffix,
                    char path[PATH_SIZE], struct diag *d)
{
    return path_in(k->dir, name, suffix, path, d);
}

/* Both directions of the cipher: text of n bytes to out; the tag is written or checked. */
static bool gcm(const struct keystore *k, bool seal, const char *name, const uint8_t nonce[NONCE],
                struct slice text, uint8_t *out, uint8_t tag[TAG])
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n, none;
    bool ok = c != NULL && text.n <= KEY_FILE_MAX &&
              EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, k->aes_key, nonce, seal) == 1 &&
              EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)name, (int)strlen(name)) == 1 &&
              EVP_CipherUpdate(c, out, &n, text.p, (int)text.n) == 1 &&
              (seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1) &&
              EVP_CipherFinal_ex(c, out + n, &none) == 1 &&
              (!seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

/* Appends the whole key file. */
static int seal_key(const struct keystore *k, const char *name, EVP_PKEY *key, struct buf *out,
                    struct diag *d)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    uint8_t *der = NULL;
    int n = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (n <= 0)
        return diag_set(d, ERR_CRYPTO, "the private key cannot be encoded");
    uint8_t *p = buf_room(out, HEAD + (size_t)n + TAG);
    bool ok = p != NULL && RAND_bytes(p + 4, NONCE) == 1 &&
              gcm(k, true, name, p + 4, slice_of(der, (size_t)n), p + HEAD, p + HEAD + n);
    OPENSSL_clear_free(der, (size_t)n);
    if (!ok)
        return diag_set(d, ERR_CRYPTO, "the private key cannot be sealed");
    memcpy(p, magic, sizeof magic);
    out->n += HEAD + (size_t)n + TAG;
    return 0;
}

static EVP_PKEY *key_from_der(const uint8_t *der, size_t n)
{
    const uint8_t *at = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)n);
    EVP_PKEY *key = info != NULL && at == der + n ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

static int unseal_key(const struct keystore *k, const char *name, struct slice file, EVP_PKEY **out,
                      struct diag *d)
{
    if (file.n <= HEAD + TAG || memcmp(file.p, magic, sizeof magic) != 0)
        return diag_set(d, ERR_CORRUPT, "not a sealed key");
    size_t n = file.n - HEAD - TAG;
    uint8_t *der = OPENSSL_malloc(n);
    if (der == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a key");
    uint8_t tag[TAG];
    memcpy(tag, file.p + HEAD + n, TAG);
    bool opened = gcm(k, false, name, file.p + 4, slice_of(file.p + HEAD, n), der, tag);
    *out = opened ? key_from_der(der, n) : NULL;
    OPENSSL_clear_free(der, n);
    ERR_clear_error();
    if (!opened)
        return diag_set(d, ERR_CORRUPT, "does not open: another seal, or damaged");
    return *out != NULL ? 0 : diag_set(d, ERR_CORRUPT, "holds no private key");
}

/* --- the store --- */

static int write_public(const struct keystore *k, const char *name, EVP_PKEY *key, struct diag *d)
{
    char path[PATH_SIZE];
    int err = key_path(k, name, ".pub", path, d);
    if (err != 0)
        return err;
    BIO *mem = BIO_new(BIO_s_mem());
    char *pem;
    if (mem == NULL || PEM_write_bio_PUBKEY(mem, key) != 1) {
        BIO_free(mem);
        return diag_set(d, ERR_CRYPTO, "the public key cannot be encoded");
    }
    long n = BIO_get_mem_data(mem, &pem);
    err = fs_write(path, slice_of(pem, (size_t)n), 0644, d);
    BIO_free(mem);
    return err;
}

static int write_sealed(const struct keystore *k, const char *name, EVP_PKEY *key, struct diag *d)
{
    char path[PATH_SIZE];
    struct buf file;
    buf_init(&file, KEY_FILE_MAX);
    int err = key_path(k, name, ".key", path, d);
    err = err != 0 ? err : seal_key(k, name, key, &file, d);
    err = err != 0 ? err : fs_write(path, buf_view(&file), 0600, d);
    buf_free(&file);
    return err;
}

int keystore_import(struct keystore *k, const char *name, EVP_PKEY *key, struct diag *d)
{
    char path[PATH_SIZE];
    int err = key_path(k, name, ".key", path, d);
    if (err != 0)
        return err;
    if (fs_exists(path))
        return diag_set(d, ERR_EXISTS, "a key named %s exists", name);
    /* The public half first: a private key is never there without it. */
    err = write_public(k, name, key, d);
    return err != 0 ? err : write_sealed(k, name, key, d);
}

int keystore_replace(struct keystore *k, const char *from, const char *to, struct diag *d)
{
    static const char *const halves[] = {".key", ".pub"};
    EVP_PKEY *key = NULL;
    char path[PATH_SIZE];
    int err = keystore_load(k, from, &key, d);
    /* The private half first: until the public one is there too, the new key is not taken for
     * placed, and this is done again. */
    err = err != 0 ? err : write_sealed(k, to, key, d);
    err = err != 0 ? err : write_public(k, to, key, d);
    for (size_t i = 0; err == 0 && i < ARRAY_LEN(halves); i++)
        if ((err = key_path(k, from, halves[i], path, d)) == 0)
            unlink(path);
    EVP_PKEY_free(key);
    return err;
}

int keystore_generate(struct keystore *k, const char *name, const char *kind, EVP_PKEY **out,
                      struct diag *d)
{
    *out = NULL;
    char path[PATH_SIZE];
    int err = key_path(k, name, ".key", path, d);
    if (err != 0)
        return err;
    if (fs_exists(path))
        return diag_set(d, ERR_EXISTS, "a key named %s exists", name);
    struct diag own = {0};
    EVP_PKEY *key = key_generate(kind, d != NULL ? d : &own);
    if (key == NULL)
        return d != NULL ? d->code : own.code;
    err = keystore_import(k, name, key, d);
    if (err != 0) {
        EVP_PKEY_free(key);
        return err;
    }
    *out = key;
    return 0;
}

int keystore_read_sealed(const char *dir, const char *name, struct buf *out, struct diag *d)
{
    char path[PATH_SIZE];
    int err = path_in(dir, name, ".key", path, d);
    if (err != 0)
        return err;
    if (!fs_exists(path))
        return diag_set(d, ERR_KEY_NOT_FOUND, "no key named %s in %s", name, dir);
    struct buf file;
    buf_init(&file, KEY_FILE_MAX);
    err = fs_read(path, &file, d);
    if (err == 0)
        buf_slice(out, buf_view(&file));
    buf_free(&file);
    return err != 0 || !out->failed ? err : diag_set(d, ERR_TOO_LARGE, "%s is too large", path);
}

int keystore_unseal(const struct keystore *k, const char *name, struct slice sealed, EVP_PKEY **out,
                    struct diag *d)
{
    *out = NULL;
    int err = unseal_key(k, name, sealed, out, d);
    if (err != 0)
        diag_where(d, "%s/keys/%s.key", k->dir, name);
    return err;
}

int keystore_load(struct keystore *k, const char *name, EVP_PKEY **out, struct diag *d)
{
    struct buf file;
    *out = NULL;
    buf_init(&file, KEY_FILE_MAX);
    int err = keystore_read_sealed(k->dir, name, &file, d);
    err = err != 0 ? err : keystore_unseal(k, name, buf_view(&file), out, d);
    buf_free(&file);
    return err;
}

int keystore_public(const char *dir, const char *name, EVP_PKEY **out, struct diag *d)
{
    char path[PATH_SIZE];
    struct buf pem;
    int n = snprintf(path, sizeof path, "%s/keys/%s.pub", dir, name);
    *out = NULL;
    if (n < 0 || (size_t)n >= sizeof path || strchr(name, '/') != NULL)
        return diag_set(d, ERR_KEY_NOT_FOUND, "no key has the name %s", name);
    buf_init(&pem, KEY_FILE_MAX);
    int err = fs_read(path, &pem, NULL);
    if (err != 0)
        err = diag_set(d, ERR_KEY_NOT_FOUND, "there is no key %s in the store", name);
    BIO *bio = err == 0 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    *out = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (err == 0 && *out == NULL)
        err = diag_set(d, ERR_CORRUPT, "%s is no public key", path);
    ERR_clear_error();
    BIO_free(bio);
    buf_free(&pem);
    return err;
}

int keystore_check(const char *dir, const char *name, EVP_PKEY *public_key, struct diag *d)
{
    EVP_PKEY *stored;
    int err = keystore_public(dir, name, &stored, d);
    if (err == ERR_CORRUPT || (err == 0 && EVP_PKEY_eq(stored, public_key) != 1))
        err = diag_set(d, ERR_INCORRECT_CERTIFICATE, "the certificate is not of the key %s", name);
    ERR_clear_error();
    EVP_PKEY_free(stored);
    return err;
}
