#include "crypto/ocsp_respond.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/der.h"

#define REQUEST_MAX 65536
#define TBS_MAX 65536
#define NONCE_MAX 128 /* octets, RFC 9654 */

#define OID_BASIC "1.3.6.1.5.5.7.48.1.1"
#define OID_NONCE "1.3.6.1.5.5.7.48.1.2"
static const uint8_t nonce_oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};

/* --- requests, RFC 6960 4.1.1 --- */

static bool read_query(struct slice *list, struct ocsp_query *q)
{
    struct slice request, id, algorithm, oid, name, key, serial;
    if (!der_next(list, DER_SEQUENCE, &request, NULL) ||
        !der_next(&request, DER_SEQUENCE, &id, &q->cert_id) ||
        !der_next(&id, DER_SEQUENCE, &algorithm, NULL) ||
        !der_next(&algorithm, DER_OID, &oid, NULL) ||
        !der_next(&id, DER_OCTET_STRING, &name, NULL) ||
        !der_next(&id, DER_OCTET_STRING, &key, NULL) ||
        !der_next(&id, DER_INTEGER, &serial, NULL) || id.n != 0)
        return false;
    /* The request's own extensions, if any, change nothing here. */
    der_next(&request, DER_CONTEXT_CONSTRUCTED(0), NULL, NULL);
    if (request.n != 0 || name.n != key.n || name.n > DIGEST_MAX || serial.n == 0 ||
        serial.n > OCSP_SERIAL_MAX)
        return false;
    q->hash_alg = digest_from_oid(oid);
    q->hash_len = name.n;
    memcpy(q->issuer_name_hash, name.p, name.n);
    memcpy(q->issuer_key_hash, key.p, key.n);
    q->serial_len = serial.n;
    memcpy(q->serial, serial.p, serial.n);
    return true;
}

static bool read_extension(struct slice *list, struct ocsp_request *out)
{
    struct slice ext, oid, critical = SLICE_NONE, value, nonce, inner;
    if (!der_next(list, DER_SEQUENCE, &ext, NULL) || !der_next(&ext, DER_OID, &oid, NULL))
        return false;
    der_next(&ext, DER_BOOLEAN, &critical, NULL);
    if (!der_next(&ext, DER_OCTET_STRING, &value, NULL) || ext.n != 0)
        return false;
    if (!slice_eq(oid, slice_of(nonce_oid, sizeof nonce_oid)))
        return critical.n == 0 || critical.p[0] == 0;
    inner = value;
    if (!der_next(&inner, DER_OCTET_STRING, &nonce, NULL) || inner.n != 0 || nonce.n == 0 ||
        nonce.n > NONCE_MAX || out->nonce.n != 0)
        return false;
    out->nonce = value;
    return true;
}

static bool read_request(struct slice in, struct ocsp_request *out)
{
    struct slice request, tbs, version, list, outer, exts;
    if (!der_next(&in, DER_SEQUENCE, &request, NULL) || in.n != 0 ||
        !der_next(&request, DER_SEQUENCE, &tbs, NULL))
        return false;
    der_next(&request, DER_CONTEXT_CONSTRUCTED(0), NULL, NULL); /* its signature */
    if (der_next(&tbs, DER_CONTEXT_CONSTRUCTED(0), &version, NULL) &&
        !slice_eq(version, SLICE_LIT("\x02\x01\x00")))
        return false;
    der_next(&tbs, DER_CONTEXT_CONSTRUCTED(1), NULL, NULL); /* who asks */
    if (request.n != 0 || !der_next(&tbs, DER_SEQUENCE, &list, NULL) || list.n == 0)
        return false;
    while (list.n > 0)
        if (out->n == OCSP_QUERY_MAX || !read_query(&list, &out->q[out->n++]))
            return false;
    if (der_next(&tbs, DER_CONTEXT_CONSTRUCTED(2), &outer, NULL)) {
        if (!der_next(&outer, DER_SEQUENCE, &exts, NULL) || outer.n != 0)
            return false;
        while (exts.n > 0)
            if (!read_extension(&exts, out))
                return false;
    }
    return tbs.n == 0;
}

int ocsp_request_parse(struct slice der, struct ocsp_request *out, struct diag *d)
{
    memset(out, 0, sizeof *out);
    if (der.n == 0 || der.n > REQUEST_MAX)
        return diag_set(d, ERR_BAD_REQUEST, "An OCSP request is empty or larger than 64 KiB.");
    out->handle = malloc(der.n);
    if (out->handle == NULL)
        return diag_set(d, ERR_NOMEM, "No memory for an OCSP request.");
    memcpy(out->handle, der.p, der.n);
    if (read_request(slice_of(out->handle, der.n), out))
        return 0;
    ocsp_request_free(out);
    return diag_set(d, ERR_BAD_REQUEST, "The bytes are not an OCSP request that can be answered.");
}

void ocsp_request_free(struct ocsp_request *r)
{
    if (r == NULL)
        return;
    free(r->handle);
    memset(r, 0, sizeof *r);
}

bool ocsp_query_is_of(const struct ocsp_query *q, const struct cert *ca)
{
    if (q->hash_alg == DIGEST_NONE || q->hash_len != digest_len(q->hash_alg))
        return false;
    struct digest name, key;
    digest_of(q->hash_alg, ca->subject, &name);
    digest_of(q->hash_alg, cert_key_bits(ca), &key);
    return memcmp(name.b, q->issuer_name_hash, q->hash_len) == 0 &&
           memcmp(key.b, q->issuer_key_hash, q->hash_len) == 0;
}

/* --- responses, RFC 6960 4.2.1 --- */

static void put_status(struct buf *b, const struct ocsp_answer *a)
{
    if (a->status != OCSP_REVOKED) {
        der_put(b, a->status == OCSP_GOOD ? DER_CONTEXT(0) : DER_CONTEXT(2), SLICE_NONE);
        return;
    }
    size_t revoked = der_open(b, DER_CONTEXT_CONSTRUCTED(1));
    der_generalized(b, a->revoked_ms);
    if (a->revocation_reason >= 0) {
        uint8_t reason = (uint8_t)a->revocation_reason;
        size_t outer = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
        der_put(b, DER_ENUMERATED, slice_of(&reason, 1));
        der_close(b, outer);
    }
    der_close(b, revoked);
}

static void put_single(struct buf *b, const struct ocsp_query *q, const struct ocsp_answer *a,
                       int64_t now_ms, int64_t next_update_ms)
{
    size_t single = der_open(b, DER_SEQUENCE);
    buf_slice(b, q->cert_id);
    put_status(b, a);
    der_generalized(b, now_ms);
    if (next_update_ms != 0) {
        size_t next = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
        der_generalized(b, next_update_ms);
        der_close(b, next);
    }
    der_close(b, single);
}

static void put_nonce(struct buf *b, struct slice nonce)
{
    size_t outer = der_open(b, DER_CONTEXT_CONSTRUCTED(1)), list = der_open(b, DER_SEQUENCE);
    size_t ext = der_open(b, DER_SEQUENCE);
    der_oid(b, OID_NONCE);
    der_put(b, DER_OCTET_STRING, nonce);
    der_close(b, ext);
    der_close(b, list);
    der_close(b, outer);
}

int ocsp_response_tbs(const struct ocsp_request *req, const struct ocsp_answer *answers,
                      const struct cert *responder, int64_t now_ms, int64_t next_update_ms,
                      struct buf *tbs)
{
    size_t data = der_open(tbs, DER_SEQUENCE);
    size_t id = der_open(tbs, DER_CONTEXT_CONSTRUCTED(2));
    der_put(tbs, DER_OCTET_STRING, slice_of(responder->key_sha1, sizeof responder->key_sha1));
    der_close(tbs, id);
    der_generalized(tbs, now_ms);
    size_t list = der_open(tbs, DER_SEQUENCE);
    for (size_t i = 0; i < req->n; i++)
        put_single(tbs, &req->q[i], &answers[i], now_ms, next_update_ms);
    der_close(tbs, list);
    if (req->nonce.n != 0)
        put_nonce(tbs, req->nonce);
    der_close(tbs, data);
    return tbs->failed ? ERR_TOO_LARGE : 0;
}

int ocsp_response_finish(struct slice tbs, const struct cert *responder, const struct sign_alg *alg,
                         struct slice value, struct buf *out)
{
    size_t response = der_open(out, DER_SEQUENCE);
    der_put(out, DER_ENUMERATED, SLICE_LIT("\x00")); /* successful */
    size_t outer = der_open(out, DER_CONTEXT_CONSTRUCTED(0));
    size_t bytes = der_open(out, DER_SEQUENCE);
    der_oid(out, OID_BASIC);
    size_t octets = der_open(out, DER_OCTET_STRING);
    size_t basic = der_open(out, DER_SEQUENCE);
    buf_slice(out, tbs);
    int rc = sign_alg_der(alg, out);
    if (rc != 0)
        return rc;
    der_bits(out, value);
    size_t certs = der_open(out, DER_CONTEXT_CONSTRUCTED(0)), list = der_open(out, DER_SEQUENCE);
    buf_slice(out, responder->der);
    der_close(out, list);
    der_close(out, certs);
    der_close(out, basic);
    der_close(out, octets);
    der_close(out, bytes);
    der_close(out, outer);
    der_close(out, response);
    return out->failed ? ERR_TOO_LARGE : 0;
}

int ocsp_response_make(const struct ocsp_request *req, const struct ocsp_answer *answers,
                       const struct cert *responder, EVP_PKEY *key, int64_t now_ms,
                       int64_t next_update_ms, struct buf *out, struct diag *d)
{
    const struct sign_alg *alg = sign_alg_for_asn1(responder->key);
    if (alg == NULL)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                        "The responder's key is of a kind that signs no OCSP responses here.");
    struct buf tbs, value;
    buf_init(&tbs, TBS_MAX);
    buf_init(&value, TBS_MAX);
    int rc = ocsp_response_tbs(req, answers, responder, now_ms, next_update_ms, &tbs);
    if (rc != 0)
        diag_set(d, rc, "The OCSP response would be larger than allowed.");
    if (rc == 0 && sign_data(key, alg, buf_view(&tbs), &value) != 0)
        rc = diag_set(d, ERR_CANNOT_SIGN, "The responder's key does not sign.");
    if (rc == 0)
        rc = ocsp_response_finish(buf_view(&tbs), responder, alg, buf_view(&value), out);
    buf_free(&tbs);
    buf_free(&value);
    return rc;
}

int ocsp_response_error(int status, struct buf *out)
{
    uint8_t octet = (uint8_t)status;
    size_t response = der_open(out, DER_SEQUENCE);
    der_put(out, DER_ENUMERATED, slice_of(&octet, 1));
    der_close(out, response);
    return out->failed ? ERR_TOO_LARGE : 0;
}
