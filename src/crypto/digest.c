#include "crypto/digest.h"

#include <stdlib.h>

#include <openssl/crypto.h>

struct digest_row {
    const char *uri;
    const char *name; /* in X-Road headers */
    const char *openssl;
    int nid;
    uint8_t len;
    struct slice oid;
};

/* Content octets of 2.16.840.1.101.3.4.2.n */
#define NIST_HASH(n)                                                                               \
    {                                                                                              \
        (const uint8_t *)"\x60\x86\x48\x01\x65\x03\x04\x02" n, 9                                   \
    }

static const struct digest_row rows[] = {
    [DIGEST_NONE] = {"", "", NULL, NID_undef, 0, {NULL, 0}},
    [DIGEST_SHA1] = {"http://www.w3.org/2000/09/xmldsig#sha1",
                     "SHA-1",
                     "SHA1",
                     NID_sha1,
                     20,
                     {(const uint8_t *)"\x2b\x0e\x03\x02\x1a", 5}},
    [DIGEST_SHA224] = {"http://www.w3.org/2001/04/xmldsig-more#sha224", "SHA-224", "SHA2-224",
                       NID_sha224, 28, NIST_HASH("\x04")},
    [DIGEST_SHA256] = {"http://www.w3.org/2001/04/xmlenc#sha256", "SHA-256", "SHA2-256", NID_sha256,
                       32, NIST_HASH("\x01")},
    [DIGEST_SHA384] = {"http://www.w3.org/2001/04/xmldsig-more#sha384", "SHA-384", "SHA2-384",
                       NID_sha384, 48, NIST_HASH("\x02")},
    [DIGEST_SHA512] = {"http://www.w3.org/2001/04/xmlenc#sha512", "SHA-512", "SHA2-512", NID_sha512,
                       64, NIST_HASH("\x03")},
};

struct digest_ctx {
    EVP_MD_CTX *md;
    enum digest_alg alg;
};

/* Filled at first use; live as long as the process, which is single-threaded. */
static EVP_MD *fetched[ARRAY_LEN(rows)];
static EVP_MD_CTX *shared;

size_t digest_len(enum digest_alg alg)
{
    return rows[alg].len;
}

const char *digest_uri(enum digest_alg alg)
{
    return rows[alg].uri;
}

const char *digest_name(enum digest_alg alg)
{
    return rows[alg].name;
}

enum digest_alg digest_from_uri(struct slice uri)
{
    for (size_t i = DIGEST_SHA1; i < ARRAY_LEN(rows); i++)
        if (slice_eq_str(uri, rows[i].uri))
            return (enum digest_alg)i;
    return DIGEST_NONE;
}

enum digest_alg digest_from_name(struct slice name)
{
    for (size_t i = DIGEST_SHA1; i < ARRAY_LEN(rows); i++)
        if (slice_ieq_str(name, rows[i].name))
            return (enum digest_alg)i;
    return DIGEST_NONE;
}

enum digest_alg digest_from_nid(int nid)
{
    for (size_t i = DIGEST_SHA1; i < ARRAY_LEN(rows); i++)
        if (rows[i].nid == nid)
            return (enum digest_alg)i;
    return DIGEST_NONE;
}

struct slice digest_oid(enum digest_alg alg)
{
    return rows[alg].oid;
}

enum digest_alg digest_from_oid(struct slice oid)
{
    for (size_t i = DIGEST_SHA1; i < ARRAY_LEN(rows); i++)
        if (slice_eq(oid, rows[i].oid))
            return (enum digest_alg)i;
    return DIGEST_NONE;
}

const EVP_MD *digest_md(enum digest_alg alg)
{
    if (alg == DIGEST_NONE)
        return NULL;
    if (fetched[alg] == NULL)
        fetched[alg] = EVP_MD_fetch(NULL, rows[alg].openssl, NULL);
    if (fetched[alg] == NULL)
        abort();
    return fetched[alg];
}

static void begin(EVP_MD_CTX *ctx, enum digest_alg alg)
{
    if (alg == DIGEST_NONE || EVP_DigestInit_ex2(ctx, digest_md(alg), NULL) != 1)
        abort();
}

static void end(EVP_MD_CTX *ctx, enum digest_alg alg, struct digest *out)
{
    unsigned n = 0;
    if (EVP_DigestFinal_ex(ctx, out->b, &n) != 1)
        abort();
    out->alg = alg;
    out->n = (uint8_t)n;
}

void digest_of(enum digest_alg alg, struct slice data, struct digest *out)
{
    if (shared == NULL && (shared = EVP_MD_CTX_new()) == NULL)
        abort();
    begin(shared, alg);
    if (EVP_DigestUpdate(shared, data.p, data.n) != 1)
        abort();
    end(shared, alg, out);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return a->alg == b->alg && a->n == b->n && CRYPTO_memcmp(a->b, b->b, a->n) == 0;
}

struct digest_ctx *digest_ctx_new(void)
{
    struct digest_ctx *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->md = EVP_MD_CTX_new();
    if (c->md == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

void digest_ctx_free(struct digest_ctx *c)
{
    if (c == NULL)
        return;
    EVP_MD_CTX_free(c->md);
    free(c);
}

void digest_begin(struct digest_ctx *c, enum digest_alg alg)
{
    begin(c->md, alg);
    c->alg = alg;
}

void digest_add(struct digest_ctx *c, struct slice data)
{
    if (EVP_DigestUpdate(c->md, data.p, data.n) != 1)
        abort();
}

void digest_end(struct digest_ctx *c, struct digest *out)
{
    end(c->md, c->alg, out);
}
