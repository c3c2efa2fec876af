/*
 * First byte 'S': the rest are the bytes inside the directory, which get a good signature here, so
 * that what stands behind the signature is reached. Otherwise the whole document.
 */
#include "base/err.h"
#include "own_cert.h"
#include "xroad/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *key;
static struct cert *cert;
static struct digest cert_hash;

static void make_key(void)
{
    key = key_generate("p256", NULL);
    cert = own_cert(CERT_CONF_SIGNING, "key", key);
    digest_of(DIGEST_SHA512, cert->der, &cert_hash);
}

static void sign(struct slice bytes, struct buf *doc)
{
    struct buf value;
    const struct sign_alg *alg = sign_alg_for_key(key);
    buf_init(&value, 1000);
    if (sign_data(key, alg, bytes, &value) != 0)
        abort();
    directory_print(bytes, "OUT", "IN", alg->uri, &cert_hash, buf_view(&value), doc);
    buf_free(&value);
}

/* What was read, made again, must be read alike. */
static void again(struct arena *a, const struct directory *dir)
{
    static struct directory second;
    struct buf bytes, doc;
    struct slice der = cert->der;
    buf_init(&bytes, 2u << 20);
    buf_init(&doc, 4u << 20);
    directory_signed_bytes(dir->part, dir->n, dir->expires_ms, dir->version, "IN", &bytes);
    sign(buf_view(&bytes), &doc);
    if (directory_verify(a, buf_view(&doc), &der, 1, SLICE_LIT("ZZ"), 0, &second, NULL) == 0) {
        if (second.n != dir->n || second.version != dir->version ||
            second.expires_ms != dir->expires_ms)
            abort();
        for (size_t i = 0; i < dir->n; i++)
            if (!digest_eq(&dir->part[i].hash, &second.part[i].hash) ||
                !slice_eq(dir->part[i].instance, second.part[i].instance) ||
                !slice_eq(dir->part[i].location, second.part[i].location) ||
                !slice_eq(dir->part[i].identifier, second.part[i].identifier))
                abort();
    } else if (slice_find_slice(buf_view(&bytes), SLICE_LIT("IN")) == SIZE_MAX) {
        abort();
    }
    buf_free(&bytes);
    buf_free(&doc);
}

static void verify(struct slice body)
{
    static struct directory dir;
    struct arena *a = arena_new(16u << 20);
    struct slice der = cert->der;
    if (directory_verify(a, body, &der, 1, SLICE_LIT("ZZ"), 0, &dir, NULL) == 0) {
        for (size_t i = 0; i < dir.n; i++) {
            if (slice_find(dir.part[i].file_name, '/') != SIZE_MAX || dir.part[i].file_name.n == 0)
                abort();
            if (directory_check_part(&dir.part[i], body, NULL) == 0)
                abort();
        }
        again(a, &dir);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    if (key == NULL)
        make_key();
    if (!slice_starts(text, "S")) {
        verify(text);
        return 0;
    }
    struct buf doc;
    buf_init(&doc, 2u << 20);
    sign(slice_from(text, 1), &doc);
    verify(buf_view(&doc));
    buf_free(&doc);
    return 0;
}
