#include "crypto/tsp_respond.h"

#include "base/err.h"
#include "crypto/der.h"

#define REQUEST_MAX 65536
#define PART_MAX 65536

#define OID_SIGNED_DATA "1.2.840.113549.1.7.2"
#define OID_TST_INFO "1.2.840.113549.1.9.16.1.4"
#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define OID_SIGNING_TIME "1.2.840.113549.1.9.5"
#define OID_SIGNING_CERTIFICATE_V2 "1.2.840.113549.1.9.16.2.47"

/* PKIFailureInfo, RFC 3161 2.4.2: numbers of bits. */
enum failure {
    FAIL_BAD_ALG = 0,
    FAIL_BAD_REQUEST = 2,
    FAIL_BAD_DATA_FORMAT = 5,
    FAIL_UNACCEPTED_POLICY = 15,
    FAIL_UNACCEPTED_EXTENSION = 16,
};

struct request {
    struct slice imprint; /* whole, echoed as it is */
    struct slice policy;  /* content octets; empty when absent */
    struct slice nonce;   /* whole; empty when absent */
    bool with_cert;
};

/* Why a request is refused. */
struct refusal {
    enum failure failure;
    const char *text;
};

static bool refuse(struct refusal *r, enum failure failure, const char *text)
{
    *r = (struct refusal){failure, text};
    return false;
}

static bool read_imprint(struct slice imprint, struct refusal *r)
{
    struct slice algorithm, oid, hash;
    if (!der_next(&imprint, DER_SEQUENCE, &algorithm, NULL) ||
        !der_next(&algorithm, DER_OID, &oid, NULL) ||
        !der_next(&imprint, DER_OCTET_STRING, &hash, NULL) || imprint.n != 0)
        return refuse(r, FAIL_BAD_DATA_FORMAT, "The message imprint is malformed.");
    bool no_parameters = algorithm.n == 0 || slice_eq(algorithm, SLICE_LIT("\x05\x00"));
    enum digest_alg alg = digest_from_oid(oid);
    if (!no_parameters || alg < DIGEST_SHA256)
        return refuse(r, FAIL_BAD_ALG, "Only SHA-256, SHA-384 and SHA-512 imprints are stamped.");
    if (hash.n != digest_len(alg))
        return refuse(r, FAIL_BAD_DATA_FORMAT, "The imprint's length is not its digest's.");
    return true;
}

static bool policy_is_ours(struct slice policy)
{
    struct buf own;
    buf_init(&own, 64);
    der_oid(&own, TSP_POLICY);
    struct slice in = buf_view(&own), content = SLICE_NONE;
    bool ours = der_next(&in, DER_OID, &content, NULL) && slice_eq(content, policy);
    buf_free(&own);
    return ours;
}

/* TimeStampReq, RFC 3161 2.4.1. */
static bool read_request(struct slice in, struct request *q, struct refusal *r)
{
    struct slice req, version, imprint, flag = SLICE_NONE;
    *q = (struct request){0};
    if (in.n > REQUEST_MAX || !der_next(&in, DER_SEQUENCE, &req, NULL) || in.n != 0 ||
        !der_next(&req, DER_INTEGER, &version, NULL))
        return refuse(r, FAIL_BAD_DATA_FORMAT, "The bytes are not a time-stamp request.");
    if (!slice_eq(version, SLICE_LIT("\x01")))
        return refuse(r, FAIL_BAD_REQUEST, "The request is not of version 1.");
    if (!der_next(&req, DER_SEQUENCE, &imprint, &q->imprint))
        return refuse(r, FAIL_BAD_DATA_FORMAT, "The request has no message imprint.");
    if (!read_imprint(imprint, r))
        return false;
    if (der_next(&req, DER_OID, &q->policy, NULL) && !policy_is_ours(q->policy))
        return refuse(r, FAIL_UNACCEPTED_POLICY, "Tokens are made under policy " TSP_POLICY ".");
    der_next(&req, DER_INTEGER, NULL, &q->nonce);
    q->with_cert = der_next(&req, DER_BOOLEAN, &flag, NULL) && flag.n == 1 && flag.p[0] != 0;
    if (der_next(&req, DER_CONTEXT_CONSTRUCTED(0), NULL, NULL))
        return refuse(r, FAIL_UNACCEPTED_EXTENSION, "Extensions are not supported.");
    if (req.n != 0)
        return refuse(r, FAIL_BAD_DATA_FORMAT, "The request has unknown fields.");
    return true;
}

static void put_failure(struct buf *b, enum failure failure)
{
    uint8_t bits[5] = {0};
    size_t octets = (size_t)failure / 8 + 1;
    bits[0] = (uint8_t)(7 - failure % 8); /* unused bits at the end */
    bits[octets] = (uint8_t)(0x80 >> failure % 8);
    der_put(b, DER_BIT_STRING, slice_of(bits, 1 + octets));
}

static int put_refusal(const struct refusal *r, struct buf *out)
{
    size_t resp = der_open(out, DER_SEQUENCE), status = der_open(out, DER_SEQUENCE);
    der_uint(out, 2); /* rejection */
    size_t texts = der_open(out, DER_SEQUENCE);
    der_put(out, DER_UTF8, slice_str(r->text));
    der_close(out, texts);
    put_failure(out, r->failure);
    der_close(out, status);
    der_close(out, resp);
    return out->failed ? ERR_TOO_LARGE : 0;
}

/* --- the token --- */

static void put_info(struct buf *b, const struct request *q, const uint8_t serial[16],
                     int64_t now_ms)
{
    size_t info = der_open(b, DER_SEQUENCE);
    der_uint(b, 1);
    der_oid(b, TSP_POLICY);
    buf_slice(b, q->imprint);
    der_unsigned(b, slice_of(serial, 16));
    der_generalized(b, now_ms);
    size_t accuracy = der_open(b, DER_SEQUENCE);
    der_uint(b, 1); /* second */
    der_close(b, accuracy);
    buf_slice(b, q->nonce);
    der_close(b, info);
}

static void attribute_open(struct buf *b, const char *oid, size_t at[2])
{
    at[0] = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    at[1] = der_open(b, DER_SET);
}

static void attribute_close(struct buf *b, const size_t at[2])
{
    der_close(b, at[1]);
    der_close(b, at[0]);
}

/* ESSCertIDv2 with its default digest, SHA-256 (RFC 5816, RFC 5035). */
static void put_signing_certificate(struct buf *b, const struct cert *tsa)
{
    size_t at[2];
    attribute_open(b, OID_SIGNING_CERTIFICATE_V2, at);
    size_t value = der_open(b, DER_SEQUENCE), list = der_open(b, DER_SEQUENCE);
    size_t id = der_open(b, DER_SEQUENCE);
    der_put(b, DER_OCTET_STRING, slice_of(tsa->sha256, sizeof tsa->sha256));
    der_close(b, id);
    der_close(b, list);
    der_close(b, value);
    attribute_close(b, at);
}

static void put_message_digest(struct buf *b, const struct digest *dg)
{
    size_t at[2];
    attribute_open(b, OID_MESSAGE_DIGEST, at);
    der_put(b, DER_OCTET_STRING, digest_slice(dg));
    attribute_close(b, at);
}

/*
 * In the order of DER: a SET OF is sorted by its encodings, whose second octets here are the
 * lengths: content type 1a, signing time 1c or 1e, signing certificate 37, message digest 2f for
 * SHA-256 and 3f or 4f for the longer ones.
 */
static void put_attributes(struct buf *b, const struct cert *tsa, const struct digest *dg,
                           int64_t now_ms)
{
    size_t set = der_open(b, DER_SET), at[2];
    attribute_open(b, OID_CONTENT_TYPE, at);
    der_oid(b, OID_TST_INFO);
    attribute_close(b, at);
    attribute_open(b, OID_SIGNING_TIME, at);
    der_time(b, now_ms);
    attribute_close(b, at);
    bool digest_first = dg->n <= 32;
    if (digest_first)
        put_message_digest(b, dg);
    put_signing_certificate(b, tsa);
    if (!digest_first)
        put_message_digest(b, dg);
    der_close(b, set);
}

int tsp_draft_make(struct slice req, const struct cert *tsa, const uint8_t serial[16],
                   int64_t now_ms, struct tsp_draft *draft, bool *refused, struct buf *out,
                   struct diag *d)
{
    struct request q;
    struct refusal r;
    *draft = (struct tsp_draft){.alg = sign_alg_for_asn1(tsa->key)};
    *refused = false;
    if (draft->alg == NULL || draft->alg->key == SIGN_ED25519)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                        "The authority's key is of a kind that signs no time-stamps here.");
    if (!read_request(req, &q, &r)) {
        *refused = true;
        diag_set(d, ERR_BAD_REQUEST, "%s", r.text);
        return put_refusal(&r, out);
    }
    buf_init(&draft->info, PART_MAX);
    buf_init(&draft->attributes, PART_MAX);
    draft->with_cert = q.with_cert;
    put_info(&draft->info, &q, serial, now_ms);
    struct digest dg;
    digest_of(draft->alg->digest, buf_view(&draft->info), &dg);
    put_attributes(&draft->attributes, tsa, &dg, now_ms);
    if (!draft->info.failed && !draft->attributes.failed)
        return 0;
    tsp_draft_free(draft);
    return diag_set(d, ERR_TOO_LARGE, "The time-stamp would be larger than allowed.");
}

/* SignerInfo, RFC 5652 5.3. */
static int put_signer(struct buf *b, const struct tsp_draft *draft, const struct cert *tsa,
                      struct slice value)
{
    size_t info = der_open(b, DER_SEQUENCE);
    der_uint(b, 1);
    size_t id = der_open(b, DER_SEQUENCE);
    buf_slice(b, tsa->issuer);
    der_put(b, DER_INTEGER, tsa->serial);
    der_close(b, id);
    der_algorithm(b, digest_oid(draft->alg->digest), false);
    /* The attributes lose their tag of a SET for that of the field. */
    buf_byte(b, DER_CONTEXT_CONSTRUCTED(0));
    buf_slice(b, slice_from(buf_view(&draft->attributes), 1));
    int rc = sign_alg_der(draft->alg, b);
    der_put(b, DER_OCTET_STRING, value);
    der_close(b, info);
    return rc;
}

/* SignedData, RFC 5652 5.1. */
static int put_signed_data(struct buf *b, const struct tsp_draft *draft, const struct cert *tsa,
                           struct slice value)
{
    size_t data = der_open(b, DER_SEQUENCE);
    der_uint(b, 3);
    size_t digests = der_open(b, DER_SET);
    der_algorithm(b, digest_oid(draft->alg->digest), false);
    der_close(b, digests);
    size_t encap = der_open(b, DER_SEQUENCE);
    der_oid(b, OID_TST_INFO);
    size_t content = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    der_put(b, DER_OCTET_STRING, buf_view(&draft->info));
    der_close(b, content);
    der_close(b, encap);
    if (draft->with_cert)
        der_put(b, DER_CONTEXT_CONSTRUCTED(0), tsa->der);
    size_t signers = der_open(b, DER_SET);
    int rc = put_signer(b, draft, tsa, value);
    der_close(b, signers);
    der_close(b, data);
    return rc;
}

int tsp_draft_finish(const struct tsp_draft *draft, const struct cert *tsa, struct slice value,
                     struct buf *out)
{
    size_t resp = der_open(out, DER_SEQUENCE), status = der_open(out, DER_SEQUENCE);
    der_uint(out, 0); /* granted */
    der_close(out, status);
    size_t token = der_open(out, DER_SEQUENCE);
    der_oid(out, OID_SIGNED_DATA);
    size_t outer = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    int rc = put_signed_data(out, draft, tsa, value);
    der_close(out, outer);
    der_close(out, token);
    der_close(out, resp);
    if (rc != 0)
        return rc;
    return out->failed ? ERR_TOO_LARGE : 0;
}

void tsp_draft_free(struct tsp_draft *draft)
{
    buf_free(&draft->attributes);
    buf_free(&draft->info);
}

int tsp_respond(struct slice req, const struct cert *tsa, EVP_PKEY *key, const uint8_t serial[16],
                int64_t now_ms, struct buf *out, struct diag *d)
{
    struct tsp_draft draft;
    bool refused;
    int rc = tsp_draft_make(req, tsa, serial, now_ms, &draft, &refused, out, d);
    if (rc != 0 || refused)
        return rc;
    struct buf value;
    buf_init(&value, PART_MAX);
    if (sign_data(key, draft.alg, buf_view(&draft.attributes), &value) != 0)
        rc = diag_set(d, ERR_CANNOT_SIGN, "The authority's key does not sign.");
    if (rc == 0)
        rc = tsp_draft_finish(&draft, tsa, buf_view(&value), out);
    buf_free(&value);
    tsp_draft_free(&draft);
    return rc;
}
