#include "crypto/tsp.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/timeval.h"
#include "crypto/der.h"

#define TOKEN_MAX 65536

/* Content octets of object identifiers. */
static const uint8_t signed_data_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};
static const uint8_t tst_info_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                       0x01, 0x09, 0x10, 0x01, 0x04};
static const uint8_t content_type_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03};
static const uint8_t message_digest_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04};
static const uint8_t rsa_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t ec_oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
#define IS(s, oid) slice_eq(s, slice_of(oid, sizeof(oid)))

/* The parts of a token; all borrowed from it, or from its DER form. */
struct parts {
    struct buf der; /* the token in DER, when it is not: empty otherwise */
    /* SignedData */
    struct slice head;    /* version, digestAlgorithms, encapContentInfo: whole elements */
    struct slice certs;   /* content of [0]; empty when absent */
    struct slice tail;    /* crls and signerInfos: whole elements */
    struct slice content; /* the TSTInfo in DER */
    /* SignerInfo */
    struct slice issuer, serial; /* whole Name, and content; or */
    struct slice key_id;
    enum digest_alg digest;
    struct slice attributes;     /* content of [0] */
    struct slice attributes_set; /* the same as it stands, with its tag [0] */
    struct slice algorithm;      /* whole */
    struct slice value;
};

int tsp_request_make(const struct digest *imprint, struct buf *out)
{
    size_t req = der_open(out, DER_SEQUENCE);
    der_uint(out, 1);
    size_t message = der_open(out, DER_SEQUENCE);
    der_algorithm(out, digest_oid(imprint->alg), true);
    der_put(out, DER_OCTET_STRING, digest_slice(imprint));
    der_close(out, message);
    der_close(out, req);
    return out->failed ? ERR_TOO_LARGE : 0;
}

/* --- reading a token: RFC 5652 5.1, RFC 3161 2.4.2 --- */

static bool take_digest_algorithm(struct slice *in, enum digest_alg *out)
{
    struct slice algorithm, oid;
    if (!der_next(in, DER_SEQUENCE, &algorithm, NULL) || !der_next(&algorithm, DER_OID, &oid, NULL))
        return false;
    *out = digest_from_oid(oid);
    return *out != DIGEST_NONE;
}

static bool read_signer(struct slice signer, struct parts *p)
{
    struct slice id;
    if (!der_next(&signer, DER_INTEGER, NULL, NULL))
        return false;
    if (der_next(&signer, DER_SEQUENCE, &id, NULL)) {
        if (!der_next(&id, DER_SEQUENCE, NULL, &p->issuer) ||
            !der_next(&id, DER_INTEGER, &p->serial, NULL) || id.n != 0)
            return false;
    } else if (!der_next(&signer, DER_CONTEXT(0), &p->key_id, NULL) || p->key_id.n == 0) {
        return false;
    }
    if (!take_digest_algorithm(&signer, &p->digest) ||
        !der_next(&signer, DER_CONTEXT_CONSTRUCTED(0), &p->attributes, &p->attributes_set) ||
        !der_next(&signer, DER_SEQUENCE, NULL, &p->algorithm) ||
        !der_next(&signer, DER_OCTET_STRING, &p->value, NULL))
        return false;
    der_next(&signer, DER_CONTEXT_CONSTRUCTED(1), NULL, NULL); /* unsigned attributes */
    return signer.n == 0;
}

static bool read_content(struct slice encap, struct parts *p)
{
    struct slice type, outer;
    return der_next(&encap, DER_OID, &type, NULL) && IS(type, tst_info_oid) &&
           der_next(&encap, DER_CONTEXT_CONSTRUCTED(0), &outer, NULL) && encap.n == 0 &&
           der_next(&outer, DER_OCTET_STRING, &p->content, NULL) && outer.n == 0;
}

static bool read_signed_data(struct slice data, struct parts *p)
{
    struct slice start = data, encap, signers, signer;
    if (!der_next(&data, DER_INTEGER, NULL, NULL) || !der_next(&data, DER_SET, NULL, NULL) ||
        !der_next(&data, DER_SEQUENCE, &encap, NULL) || !read_content(encap, p))
        return false;
    p->head = slice_sub(start, 0, start.n - data.n);
    der_next(&data, DER_CONTEXT_CONSTRUCTED(0), &p->certs, NULL);
    p->tail = data;
    der_next(&data, DER_CONTEXT_CONSTRUCTED(1), NULL, NULL);
    return der_next(&data, DER_SET, &signers, NULL) && data.n == 0 &&
           der_next(&signers, DER_SEQUENCE, &signer, NULL) && signers.n == 0 &&
           read_signer(signer, p);
}

static bool read_der(struct slice in, struct parts *p)
{
    struct slice info, type, outer, data;
    return der_next(&in, DER_SEQUENCE, &info, NULL) && in.n == 0 &&
           der_next(&info, DER_OID, &type, NULL) && IS(type, signed_data_oid) &&
           der_next(&info, DER_CONTEXT_CONSTRUCTED(0), &outer, NULL) && info.n == 0 &&
           der_next(&outer, DER_SEQUENCE, &data, NULL) && outer.n == 0 && read_signed_data(data, p);
}

/* True: *p is filled, and ended by drop_token. Tokens of older programs are in BER. */
static bool read_token(struct slice in, struct parts *p)
{
    *p = (struct parts){0};
    buf_init(&p->der, TOKEN_MAX);
    if (in.n > TOKEN_MAX)
        return false;
    if (read_der(in, p))
        return true;
    struct buf der;
    buf_init(&der, TOKEN_MAX);
    bool ok = der_from_ber(in, &der);
    *p = (struct parts){.der = der};
    if (ok && read_der(buf_view(&der), p))
        return true;
    buf_free(&p->der);
    return false;
}

static void drop_token(struct parts *p)
{
    buf_free(&p->der);
}

/* Accuracy, ordering, nonce, name and extensions follow; nothing here depends on them. */
static bool read_info(struct slice in, struct tsp_info *out)
{
    struct slice info, imprint, hash, time;
    if (!der_next(&in, DER_SEQUENCE, &info, NULL) || in.n != 0 ||
        !der_next(&info, DER_INTEGER, NULL, NULL) || !der_next(&info, DER_OID, NULL, NULL) ||
        !der_next(&info, DER_SEQUENCE, &imprint, NULL) ||
        !take_digest_algorithm(&imprint, &out->imprint.alg) ||
        !der_next(&imprint, DER_OCTET_STRING, &hash, NULL) || imprint.n != 0 ||
        hash.n != digest_len(out->imprint.alg) || !der_next(&info, DER_INTEGER, NULL, NULL) ||
        !der_next(&info, DER_GENERALIZED_TIME, &time, NULL))
        return false;
    out->imprint.n = (uint8_t)hash.n;
    memcpy(out->imprint.b, hash.p, hash.n);
    return timeval_parse_generalized(time, &out->time_ms);
}

static int invalid(struct diag *d, const char *text)
{
    return diag_set(d, ERR_MLOG_TS_INVALID, "%s", text);
}

int tsp_token_parse(struct slice token, struct tsp_info *out, struct diag *d)
{
    struct parts p;
    *out = (struct tsp_info){0};
    if (!read_token(token, &p))
        return invalid(d, "The bytes are not a time-stamp token.");
    bool ok = read_info(p.content, out);
    drop_token(&p);
    if (!ok)
        return invalid(d, "The time-stamp token's content is malformed.");
    return 0;
}

/* PKIStatusInfo, RFC 3161 2.4.2. */
static int check_granted(struct slice info, struct diag *d)
{
    struct slice status, list, text = SLICE_NONE;
    if (!der_next(&info, DER_INTEGER, &status, NULL) || status.n != 1)
        return invalid(d, "The time-stamp response has no status.");
    if (status.p[0] <= 1)
        return 0;
    if (der_next(&info, DER_SEQUENCE, &list, NULL))
        der_next(&list, DER_UTF8, &text, NULL);
    return diag_set(d, ERR_MLOG_TS_NOT_GRANTED,
                    "The time-stamping authority refused with status %d: %.*s", status.p[0],
                    (int)(text.n < 200 ? text.n : 200), (const char *)text.p);
}

int tsp_response_token(struct slice resp, const struct digest *imprint, struct slice *token,
                       struct diag *d)
{
    struct slice body, status;
    if (resp.n > TOKEN_MAX || !der_next(&resp, DER_SEQUENCE, &body, NULL) || resp.n != 0 ||
        !der_next(&body, DER_SEQUENCE, &status, NULL))
        return invalid(d, "The bytes are not a time-stamp response.");
    int rc = check_granted(status, d);
    if (rc != 0)
        return rc;
    struct slice whole;
    if (!der_any_ber(&body, &whole) || body.n != 0)
        return invalid(d, "The time-stamp response has no token.");
    struct tsp_info info;
    rc = tsp_token_parse(whole, &info, d);
    if (rc != 0)
        return rc;
    if (!digest_eq(&info.imprint, imprint))
        return invalid(d, "The time-stamp is for other data.");
    *token = whole;
    return 0;
}

/* --- verifying, RFC 5652 5.4 --- */

/* The single value of the attribute of this type; false when it is not there exactly once. */
static bool attribute(struct slice attributes, struct slice type, uint8_t tag, struct slice *value)
{
    struct slice one, oid, set;
    int found = 0;
    while (attributes.n > 0) {
        if (!der_next(&attributes, DER_SEQUENCE, &one, NULL) ||
            !der_next(&one, DER_OID, &oid, NULL) || !der_next(&one, DER_SET, &set, NULL))
            return false;
        if (!slice_eq(oid, type))
            continue;
        found++;
        if (!der_next(&set, tag, value, NULL) || set.n != 0)
            return false;
    }
    return found == 1;
}

/* The signed attributes must speak of a TSTInfo, and of this one. */
static bool attributes_fit(const struct parts *p)
{
    struct slice type, hash;
    struct digest dg;
    if (!attribute(p->attributes, slice_of(content_type_oid, sizeof content_type_oid), DER_OID,
                   &type) ||
        !IS(type, tst_info_oid) ||
        !attribute(p->attributes, slice_of(message_digest_oid, sizeof message_digest_oid),
                   DER_OCTET_STRING, &hash))
        return false;
    digest_of(p->digest, p->content, &dg);
    return slice_eq(hash, digest_slice(&dg));
}

/*
 * The signature algorithm. CMS lets the kind of key stand there alone, with the digest of the
 * SignerInfo; a digest that it names itself must be that one too.
 */
static const struct sign_alg *algorithm_of(const struct parts *p)
{
    struct slice in = p->algorithm, body, oid;
    if (!der_next(&in, DER_SEQUENCE, &body, NULL) || !der_next(&body, DER_OID, &oid, NULL))
        return NULL;
    if (IS(oid, rsa_oid))
        return sign_alg_of(SIGN_RSA, p->digest);
    if (IS(oid, ec_oid))
        return sign_alg_of(SIGN_EC, p->digest);
    const struct sign_alg *alg = sign_alg_from_der(p->algorithm);
    return alg != NULL && alg->digest == p->digest ? alg : NULL;
}

static bool issuer_is(struct slice name, const struct cert *c)
{
    if (slice_eq(name, c->issuer))
        return true;
    /* The same name in other string types or another case. */
    const unsigned char *at = name.p;
    X509_NAME *n = d2i_X509_NAME(NULL, &at, (long)name.n);
    bool same = n != NULL && X509_NAME_cmp(n, X509_get_issuer_name(c->x509)) == 0;
    X509_NAME_free(n);
    ERR_clear_error();
    return same;
}

static bool is_signer(const struct parts *p, const struct cert *c)
{
    if (p->key_id.n != 0) {
        const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(c->x509);
        return id != NULL && slice_eq(p->key_id, slice_of(ASN1_STRING_get0_data(id),
                                                          (size_t)ASN1_STRING_length(id)));
    }
    return slice_eq(p->serial, c->serial) && issuer_is(p->issuer, c);
}

/* What is signed is the attributes as a SET, not under the tag that they have in the token. */
static void signed_digest(const struct parts *p, struct digest *out)
{
    static struct digest_ctx *ctx;
    if (ctx == NULL && (ctx = digest_ctx_new()) == NULL)
        abort();
    static const uint8_t set = DER_SET;
    digest_begin(ctx, p->digest);
    digest_add(ctx, slice_of(&set, 1));
    digest_add(ctx, slice_from(p->attributes_set, 1));
    digest_end(ctx, out);
}

int tsp_token_verify(struct slice token, struct cert *const *tsas, size_t n, struct cert **signer,
                     struct diag *d)
{
    struct parts p;
    if (!read_token(token, &p))
        return invalid(d, "The bytes are not a time-stamp token.");
    const struct sign_alg *alg = algorithm_of(&p);
    bool fit = alg != NULL && attributes_fit(&p), known = false, good = false;
    struct digest dg;
    signed_digest(&p, &dg);
    for (size_t i = 0; i < n && !good; i++) {
        if (!is_signer(&p, tsas[i]))
            continue;
        known = true;
        good = fit && verify_digest(tsas[i]->key, alg, &dg, p.value) == 0;
        if (good && signer != NULL)
            *signer = tsas[i];
    }
    drop_token(&p);
    if (!known)
        return diag_set(d, ERR_MLOG_TSP_CERT,
                        "The time-stamp is signed by an authority that is not known.");
    if (!good)
        return diag_set(d, ERR_MLOG_TS_SIGNER, "The time-stamp's signature is not valid.");
    return 0;
}

/* The set's other certificates follow in their order; one that equals it is left out. */
static void put_certs(struct buf *out, struct slice certs, const struct cert *first)
{
    size_t set = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    buf_slice(out, first->der);
    struct slice one;
    uint8_t tag;
    while (der_any(&certs, &tag, NULL, &one))
        if (!slice_eq(one, first->der))
            buf_slice(out, one);
    der_close(out, set);
}

int tsp_token_add_cert(struct slice token, const struct cert *signer, struct buf *out)
{
    struct parts p;
    if (!read_token(token, &p))
        return ERR_MLOG_TS_INVALID;
    size_t info = der_open(out, DER_SEQUENCE);
    der_put(out, DER_OID, slice_of(signed_data_oid, sizeof signed_data_oid));
    size_t outer = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), data = der_open(out, DER_SEQUENCE);
    buf_slice(out, p.head);
    put_certs(out, p.certs, signer);
    buf_slice(out, p.tail);
    der_close(out, data);
    der_close(out, outer);
    der_close(out, info);
    drop_token(&p);
    return out->failed ? ERR_TOO_LARGE : 0;
}
