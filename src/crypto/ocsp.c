#include "crypto/ocsp.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/err.h"
#include "base/timeval.h"
#include "crypto/der.h"

#define RESPONSE_MAX 65536
#define EMBEDDED_MAX 8 /* certificates in a response that are looked at */

static const uint8_t basic_oid[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
/* AlgorithmIdentifier of SHA-1 with NULL parameters: the only one that X-Road's CertIDs have. */
static const uint8_t sha1_with_null[] = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                         0x03, 0x02, 0x1a, 0x05, 0x00};

/* The parts of a response; all borrowed from it. */
struct parts {
    int response_status;
    struct slice tbs;       /* whole, as it was signed */
    struct slice algorithm; /* whole */
    struct slice value;
    struct slice certs;          /* elements one after the other; empty when there are none */
    struct slice responder_name; /* whole Name, or empty */
    struct slice responder_key;  /* SHA-1 of its key, or empty */
    struct slice id_algorithm;   /* whole; of the first SingleResponse, as all that follows */
    struct slice name_hash, key_hash, serial;
    struct slice cert_id; /* whole */
    enum ocsp_status status;
    int64_t produced_ms, this_update_ms, next_update_ms, revoked_ms;
};

/* --- request --- */

static void put_cert_id(struct buf *out, const struct cert *c, const struct cert *issuer)
{
    size_t id = der_open(out, DER_SEQUENCE);
    buf_add(out, sha1_with_null, sizeof sha1_with_null);
    der_put(out, DER_OCTET_STRING, slice_of(issuer->subject_sha1, sizeof issuer->subject_sha1));
    der_put(out, DER_OCTET_STRING, slice_of(issuer->key_sha1, sizeof issuer->key_sha1));
    der_put(out, DER_INTEGER, c->serial);
    der_close(out, id);
}

int ocsp_request_make(const struct cert *c, const struct cert *issuer, struct buf *out)
{
    size_t request = der_open(out, DER_SEQUENCE);
    size_t tbs = der_open(out, DER_SEQUENCE);
    size_t list = der_open(out, DER_SEQUENCE);
    size_t one = der_open(out, DER_SEQUENCE);
    put_cert_id(out, c, issuer);
    der_close(out, one);
    der_close(out, list);
    der_close(out, tbs);
    der_close(out, request);
    return out->failed ? ERR_TOO_LARGE : 0;
}

/* --- reading a response, RFC 6960 4.2.1 --- */

static bool take_time(struct slice *in, int64_t *ms)
{
    struct slice text;
    return der_next(in, DER_GENERALIZED_TIME, &text, NULL) && timeval_parse_generalized(text, ms);
}

static bool read_cert_id(struct slice *in, struct parts *p)
{
    struct slice id;
    return der_next(in, DER_SEQUENCE, &id, &p->cert_id) &&
           der_next(&id, DER_SEQUENCE, NULL, &p->id_algorithm) &&
           der_next(&id, DER_OCTET_STRING, &p->name_hash, NULL) &&
           der_next(&id, DER_OCTET_STRING, &p->key_hash, NULL) &&
           der_next(&id, DER_INTEGER, &p->serial, NULL) && id.n == 0 && p->serial.n > 0 &&
           p->serial.n <= OCSP_SERIAL_MAX;
}

static bool read_status(struct slice *in, struct parts *p)
{
    struct slice content;
    if (der_next(in, DER_CONTEXT(0), &content, NULL))
        p->status = OCSP_GOOD;
    else if (der_next(in, DER_CONTEXT(2), &content, NULL))
        p->status = OCSP_UNKNOWN;
    else if (der_next(in, DER_CONTEXT_CONSTRUCTED(1), &content, NULL))
        p->status = OCSP_REVOKED;
    else
        return false;
    return p->status == OCSP_REVOKED ? take_time(&content, &p->revoked_ms) : content.n == 0;
}

static bool read_single(struct slice list, struct parts *p)
{
    struct slice single, next;
    if (!der_next(&list, DER_SEQUENCE, &single, NULL) || !read_cert_id(&single, p) ||
        !read_status(&single, p) || !take_time(&single, &p->this_update_ms))
        return false;
    if (der_next(&single, DER_CONTEXT_CONSTRUCTED(0), &next, NULL) &&
        (!take_time(&next, &p->next_update_ms) || next.n != 0))
        return false;
    der_next(&single, DER_CONTEXT_CONSTRUCTED(1), NULL, NULL);
    return single.n == 0;
}

static bool read_responder(struct slice *in, struct parts *p)
{
    struct slice id;
    if (der_next(in, DER_CONTEXT_CONSTRUCTED(1), &id, NULL))
        return der_next(&id, DER_SEQUENCE, NULL, &p->responder_name) && id.n == 0;
    return der_next(in, DER_CONTEXT_CONSTRUCTED(2), &id, NULL) &&
           der_next(&id, DER_OCTET_STRING, &p->responder_key, NULL) && id.n == 0;
}

static bool read_tbs(struct slice tbs, struct parts *p)
{
    struct slice version, list;
    if (der_next(&tbs, DER_CONTEXT_CONSTRUCTED(0), &version, NULL) &&
        !slice_eq(version, SLICE_LIT("\x02\x01\x00")))
        return false;
    if (!read_responder(&tbs, p) || !take_time(&tbs, &p->produced_ms) ||
        !der_next(&tbs, DER_SEQUENCE, &list, NULL) || !read_single(list, p))
        return false;
    der_next(&tbs, DER_CONTEXT_CONSTRUCTED(1), NULL, NULL);
    return tbs.n == 0;
}

static bool read_basic(struct slice in, struct parts *p)
{
    struct slice basic, tbs, bits, certs;
    if (!der_next(&in, DER_SEQUENCE, &basic, NULL) || in.n != 0 ||
        !der_next(&basic, DER_SEQUENCE, &tbs, &p->tbs) ||
        !der_next(&basic, DER_SEQUENCE, NULL, &p->algorithm) ||
        !der_next(&basic, DER_BIT_STRING, &bits, NULL) || bits.n < 1 || bits.p[0] != 0)
        return false;
    p->value = slice_from(bits, 1);
    if (der_next(&basic, DER_CONTEXT_CONSTRUCTED(0), &certs, NULL) &&
        (!der_next(&certs, DER_SEQUENCE, &p->certs, NULL) || certs.n != 0))
        return false;
    return basic.n == 0 && read_tbs(tbs, p);
}

static bool read_response(struct slice in, struct parts *p)
{
    *p = (struct parts){0};
    struct slice response, status, outer, bytes, type, basic;
    if (in.n > RESPONSE_MAX || !der_next(&in, DER_SEQUENCE, &response, NULL) || in.n != 0 ||
        !der_next(&response, DER_ENUMERATED, &status, NULL) || status.n != 1)
        return false;
    p->response_status = status.p[0];
    if (p->response_status != 0)
        return true;
    return der_next(&response, DER_CONTEXT_CONSTRUCTED(0), &outer, NULL) && response.n == 0 &&
           der_next(&outer, DER_SEQUENCE, &bytes, NULL) && outer.n == 0 &&
           der_next(&bytes, DER_OID, &type, NULL) &&
           slice_eq(type, slice_of(basic_oid, sizeof basic_oid)) &&
           der_next(&bytes, DER_OCTET_STRING, &basic, NULL) && bytes.n == 0 && read_basic(basic, p);
}

static bool is_xroad_id(const struct parts *p)
{
    return slice_eq(p->id_algorithm, slice_of(sha1_with_null, sizeof sha1_with_null)) &&
           p->name_hash.n == 20 && p->key_hash.n == 20;
}

int ocsp_parse(struct slice der, struct ocsp_info *out, struct diag *d)
{
    struct parts p;
    *out = (struct ocsp_info){0};
    if (!read_response(der, &p))
        return diag_set(d, ERR_OCSP_PARSE, "The bytes are not an OCSP response.");
    out->response_status = p.response_status;
    if (p.response_status != 0)
        return 0;
    out->status = p.status;
    out->produced_ms = p.produced_ms;
    out->this_update_ms = p.this_update_ms;
    out->next_update_ms = p.next_update_ms;
    out->revoked_ms = p.revoked_ms;
    memcpy(out->serial, p.serial.p, p.serial.n);
    out->serial_len = p.serial.n;
    return 0;
}

static bool id_fits(const struct parts *p, const struct cert *c, const struct cert *issuer)
{
    return is_xroad_id(p) && memcmp(p->name_hash.p, issuer->subject_sha1, 20) == 0 &&
           memcmp(p->key_hash.p, issuer->key_sha1, 20) == 0 && slice_eq(p->serial, c->serial);
}

bool ocsp_is_for(struct slice der, const struct cert *c, const struct cert *issuer)
{
    struct parts p;
    return read_response(der, &p) && p.response_status == 0 && id_fits(&p, c, issuer);
}

/* --- verifying --- */

/* What has been found out about the responder while its candidates are tried; the best counts. */
enum finding {
    FOUND_NONE,
    FOUND_NAME,      /* a certificate of the responder's name, but its key did not sign */
    FOUND_SIGNATURE, /* its key signed, but it may not */
    FOUND_ALLOWED,
};

/* Rule 4. The responder's own validity period is not looked at. */
static bool is_allowed(const struct cert *responder, const struct cert *issuer,
                       const struct ocsp_trust *trust)
{
    for (size_t i = 0; i < trust->n_issuer_ocsp; i++)
        if (slice_eq(trust->issuer_ocsp[i]->der, responder->der))
            return true;
    return slice_eq(issuer->der, responder->der) ||
           (responder->eku_ocsp_signing && cert_issued_by(responder, issuer));
}

/* The search of rules 2 to 4: goes on until a candidate is the signer and may be. */
struct search {
    const struct parts *p;
    const struct sign_alg *alg;
    const struct cert *issuer;
    const struct ocsp_trust *trust;
    X509_NAME *name; /* the responder's, decoded when first needed */
    enum finding best;
    struct cert *responder; /* a reference of its own */
};

static bool is_responder(struct search *s, const struct cert *c)
{
    struct slice key = s->p->responder_key, name = s->p->responder_name;
    if (key.n != 0)
        return slice_eq(key, slice_of(c->key_sha1, sizeof c->key_sha1));
    if (slice_eq(name, c->subject))
        return true;
    /* The same name in other string types or another case. */
    const unsigned char *at = name.p;
    if (s->name == NULL)
        s->name = d2i_X509_NAME(NULL, &at, (long)name.n);
    return s->name != NULL && X509_NAME_cmp(s->name, X509_get_subject_name(c->x509)) == 0;
}

static enum finding try_one(struct search *s, const struct cert *candidate)
{
    if (!is_responder(s, candidate))
        return FOUND_NONE;
    if (s->alg == NULL || verify_data(candidate->key, s->alg, s->p->tbs, s->p->value) != 0)
        return FOUND_NAME;
    return is_allowed(candidate, s->issuer, s->trust) ? FOUND_ALLOWED : FOUND_SIGNATURE;
}

static bool look_at(struct search *s, struct cert *candidate)
{
    enum finding f = try_one(s, candidate);
    if (f > s->best)
        s->best = f;
    if (f == FOUND_ALLOWED)
        s->responder = cert_ref(candidate);
    return f == FOUND_ALLOWED;
}

static bool look_among(struct search *s, struct cert *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (look_at(s, list[i]))
            return true;
    return false;
}

static bool look_inside(struct search *s)
{
    struct slice rest = s->p->certs, one;
    for (int i = 0; i < EMBEDDED_MAX && der_next(&rest, DER_SEQUENCE, NULL, &one); i++) {
        struct cert *c = cert_parse(one, NULL);
        bool found = c != NULL && look_at(s, c);
        cert_free(c);
        if (found)
            return true;
    }
    return false;
}

static int incorrect(struct diag *d, const char *text)
{
    return diag_set(d, ERR_INCORRECT_VALIDATION_INFO, "%s", text);
}

static int check_responder(struct search *s, struct diag *d)
{
    const struct ocsp_trust *t = s->trust;
    if (look_among(s, t->issuer_ocsp, t->n_issuer_ocsp) ||
        look_among(s, t->all_ocsp, t->n_all_ocsp) || look_among(s, t->all_ca, t->n_all_ca) ||
        look_inside(s))
        return 0;
    switch (s->best) {
    case FOUND_NONE:
        return incorrect(d, "Could not find OCSP certificate for responder ID.");
    case FOUND_NAME:
        return incorrect(d, "Signature on OCSP response is not valid.");
    case FOUND_SIGNATURE:
    case FOUND_ALLOWED:
        break;
    }
    return incorrect(d, "OCSP responder is not authorized for given CA.");
}

/* Rules 5 and 6. */
static int check_times(const struct parts *p, int64_t at_ms, const struct ocsp_trust *trust,
                       int64_t *until_ms, struct diag *d)
{
    int64_t until = p->this_update_ms + trust->freshness_ms;
    char text[TIMEVAL_TEXT];
    if (at_ms > until) {
        timeval_print_iso(p->this_update_ms, false, text);
        return diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                        "OCSP response is too old (thisUpdate: %s).", text);
    }
    if (trust->verify_next_update && p->next_update_ms != 0) {
        if (at_ms > p->next_update_ms) {
            timeval_print_iso(p->next_update_ms, false, text);
            return diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                            "OCSP response is too old: a newer one was due at %s.", text);
        }
        until = p->next_update_ms < until ? p->next_update_ms : until;
    }
    if (until_ms != NULL)
        *until_ms = until;
    return 0;
}

/* Rule 7. */
static int check_status(const struct parts *p, struct diag *d)
{
    char text[TIMEVAL_TEXT];
    switch (p->status) {
    case OCSP_GOOD:
        return 0;
    case OCSP_REVOKED:
        timeval_print_iso(p->revoked_ms, false, text);
        return diag_set(d, ERR_CERT_VALIDATION,
                        "OCSP response indicates certificate status is REVOKED (date: %s).", text);
    case OCSP_UNKNOWN:
        break;
    }
    return diag_set(d, ERR_CERT_VALIDATION,
                    "OCSP response indicates certificate status is UNKNOWN.");
}

static int not_for(const struct cert *c, struct diag *d)
{
    struct buf name;
    buf_init(&name, 300);
    cert_name_rfc2253(X509_get_subject_name(c->x509), &name);
    diag_set(d, ERR_CERT_VALIDATION, "Unable to find OCSP response for certificate \"%s\".",
             buf_cstr(&name));
    buf_free(&name);
    return ERR_CERT_VALIDATION;
}

int ocsp_verify(struct slice der, const struct cert *c, const struct cert *issuer, int64_t at_ms,
                const struct ocsp_trust *trust, int64_t *valid_until_ms, struct cert **responder,
                struct diag *d)
{
    struct parts p;
    if (responder != NULL)
        *responder = NULL;
    if (!read_response(der, &p))
        return incorrect(d, "The bytes are not an OCSP response.");
    if (p.response_status != 0)
        return diag_set(d, ERR_INCORRECT_VALIDATION_INFO,
                        "The OCSP response is a refusal, status %d.", p.response_status);
    if (!id_fits(&p, c, issuer))
        return not_for(c, d);
    struct search s = {
        .p = &p, .alg = sign_alg_from_der(p.algorithm), .issuer = issuer, .trust = trust};
    int rc = check_responder(&s, d);
    if (rc == 0)
        rc = check_times(&p, at_ms, trust, valid_until_ms, d);
    if (rc == 0)
        rc = check_status(&p, d);
    X509_NAME_free(s.name);
    ERR_clear_error();
    if (rc == 0 && responder != NULL)
        *responder = s.responder;
    else
        cert_free(s.responder);
    return rc;
}
