/*
 * Digest algorithms under the names and URIs that XML signatures, X-Road headers and ASN.1 use.
 * Algorithms are fetched once a process and contexts are reused (OpenSSL's one-shot calls look the
 * algorithm up each time, which costs more than hashing a tree node).
 */
#ifndef SILD_CRYPTO_DIGEST_H
#define SILD_CRYPTO_DIGEST_H

#include "base/attr.h"
#include "base/slice.h"

#include <openssl/evp.h>

enum digest_alg {
    DIGEST_NONE,
    DIGEST_SHA1,
    DIGEST_SHA224,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
};

#define DIGEST_MAX 64

struct digest {
    enum digest_alg alg;
    uint8_t n; /* bytes used of b */
    uint8_t b[DIGEST_MAX];
};

static inline struct slice digest_slice(const struct digest *d)
{
    return slice_of(d->b, d->n);
}

size_t digest_len(enum digest_alg alg);
/* "http://www.w3.org/2001/04/xmlenc#sha512"; "" for DIGEST_NONE. */
const char *digest_uri(enum digest_alg alg);
enum digest_alg digest_from_uri(struct slice uri); /* DIGEST_NONE when unknown */
/* X-Road header names: "SHA-512", compared without case. */
enum digest_alg digest_from_name(struct slice name);
const char *digest_name(enum digest_alg alg);
/* OpenSSL's fetched algorithm, for its interfaces; never freed by the caller. */
const EVP_MD *digest_md(enum digest_alg alg);
enum digest_alg digest_from_nid(int nid);
/* The content octets of its OBJECT IDENTIFIER, and back; DIGEST_NONE when unknown. */
struct slice digest_oid(enum digest_alg alg);
enum digest_alg digest_from_oid(struct slice oid);

/* One shot. A failure inside OpenSSL (memory) ends the process: a hash never "fails". */
void digest_of(enum digest_alg alg, struct slice data, struct digest *out);
bool digest_eq(const struct digest *a, const struct digest *b);

/* Streaming. */
struct digest_ctx;
struct digest_ctx *digest_ctx_new(void); /* NULL without memory */
void digest_ctx_free(struct digest_ctx *c);
void digest_begin(struct digest_ctx *c, enum digest_alg alg); /* also restarts */
void digest_add(struct digest_ctx *c, struct slice data);
void digest_end(struct digest_ctx *c, struct digest *out);

#endif
