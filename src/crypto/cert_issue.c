#include "crypto/cert_issue.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/base64.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "crypto/der.h"

#define TBS_MAX 65536
#define RDN_VALUE_MAX 1024

/* Bits of the key usage, RFC 5280 4.2.1.3, the first in the highest bit. */
enum {
    KU_SIGNATURE = 0x80,
    KU_REPUDIATION = 0x40,
    KU_ENCIPHER_KEY = 0x20,
    KU_SIGN_CERT = 0x04,
    KU_SIGN_CRL = 0x02,
};

struct profile {
    uint8_t key_usage;
    bool ca;
    bool eku_critical;
    bool ocsp_nocheck;
    const char *eku[2];
};

#define EKU_SERVER "1.3.6.1.5.5.7.3.1"
#define EKU_CLIENT "1.3.6.1.5.5.7.3.2"
#define EKU_TIME "1.3.6.1.5.5.7.3.8"
#define EKU_OCSP "1.3.6.1.5.5.7.3.9"

static const struct profile profiles[] = {
    [CERT_CA] = {.key_usage = KU_SIGN_CERT | KU_SIGN_CRL, .ca = true},
    [CERT_INTERMEDIATE] = {.key_usage = KU_SIGN_CERT | KU_SIGN_CRL, .ca = true},
    [CERT_SIGN] = {.key_usage = KU_REPUDIATION},
    [CERT_AUTH] = {.key_usage = KU_SIGNATURE | KU_ENCIPHER_KEY, .eku = {EKU_CLIENT, EKU_SERVER}},
    [CERT_OCSP] = {.key_usage = KU_SIGNATURE, .ocsp_nocheck = true, .eku = {EKU_OCSP}},
    [CERT_TSA] = {.key_usage = KU_SIGNATURE, .eku_critical = true, .eku = {EKU_TIME}},
    [CERT_CONF_SIGNING] = {.key_usage = KU_REPUDIATION | KU_SIGN_CERT, .ca = true},
    [CERT_TLS_SERVER] = {.key_usage = KU_SIGNATURE | KU_ENCIPHER_KEY,
                         .eku = {EKU_SERVER, EKU_CLIENT}},
};

/* --- names --- */

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == 0 || strchr(" '()+,-./:=?", c) == NULL))
            return false;
    }
    return true;
}

static uint8_t string_type(const char *oid, struct slice value)
{
    bool country = strcmp(oid, "2.5.4.6") == 0, serial = strcmp(oid, "2.5.4.5") == 0;
    if ((country || serial) && is_printable(value))
        return DER_PRINTABLE;
    if (strcmp(oid, "0.9.2342.19200300.100.1.25") == 0)
        return DER_IA5;
    return DER_UTF8;
}

int cert_name_der(const struct cert_rdn *rdns, size_t n, struct buf *out, struct diag *d)
{
    size_t name = der_open(out, DER_SEQUENCE);
    for (size_t i = 0; i < n; i++) {
        struct slice value = slice_str(rdns[i].value);
        if (value.n == 0 || value.n > RDN_VALUE_MAX || !slice_is_utf8(value))
            return diag_set(d, ERR_USAGE, "Part %s of the name is empty, too long or not UTF-8.",
                            rdns[i].oid);
        size_t set = der_open(out, DER_SET), ava = der_open(out, DER_SEQUENCE);
        der_oid(out, rdns[i].oid);
        der_put(out, string_type(rdns[i].oid, value), value);
        der_close(out, ava);
        der_close(out, set);
    }
    der_close(out, name);
    return out->failed ? diag_set(d, ERR_USAGE, "The name is too long or has a bad type.") : 0;
}

/* --- extensions --- */

static void extension_open(struct buf *b, const char *oid, bool critical, size_t at[2])
{
    at[0] = der_open(b, DER_SEQUENCE);
    der_oid(b, oid);
    if (critical)
        der_true(b);
    at[1] = der_open(b, DER_OCTET_STRING);
}

static void extension_close(struct buf *b, const size_t at[2])
{
    der_close(b, at[1]);
    der_close(b, at[0]);
}

static void put_basic_constraints(struct buf *b, bool ca)
{
    size_t ext[2];
    extension_open(b, "2.5.29.19", true, ext);
    size_t seq = der_open(b, DER_SEQUENCE);
    if (ca)
        der_true(b);
    der_close(b, seq);
    extension_close(b, ext);
}

static void put_key_usage(struct buf *b, uint8_t bits)
{
    size_t ext[2];
    extension_open(b, "2.5.29.15", true, ext);
    uint8_t value[2] = {(uint8_t)__builtin_ctz(bits), bits}; /* unused bits, the bits */
    der_put(b, DER_BIT_STRING, slice_of(value, 2));
    extension_close(b, ext);
}

static void put_extended_key_usage(struct buf *b, const struct profile *p)
{
    if (p->eku[0] == NULL)
        return;
    size_t ext[2];
    extension_open(b, "2.5.29.37", p->eku_critical, ext);
    size_t seq = der_open(b, DER_SEQUENCE);
    for (size_t i = 0; i < ARRAY_LEN(p->eku) && p->eku[i] != NULL; i++)
        der_oid(b, p->eku[i]);
    der_close(b, seq);
    extension_close(b, ext);
}

static void put_ocsp_url(struct buf *b, const char *url)
{
    size_t ext[2];
    extension_open(b, "1.3.6.1.5.5.7.1.1", false, ext);
    size_t seq = der_open(b, DER_SEQUENCE), ad = der_open(b, DER_SEQUENCE);
    der_oid(b, "1.3.6.1.5.5.7.48.1");
    der_put(b, DER_CONTEXT(6), slice_str(url));
    der_close(b, ad);
    der_close(b, seq);
    extension_close(b, ext);
}

/* "DNS:a.example,IP:127.0.0.1" */
static int put_alt_name(struct buf *b, const char *text, struct diag *d)
{
    size_t ext[2];
    extension_open(b, "2.5.29.17", false, ext);
    size_t seq = der_open(b, DER_SEQUENCE);
    struct slice rest = slice_str(text), one;
    while (slice_next(&rest, ',', &one)) {
        one = slice_trim(one);
        char ip[64];
        if (slice_starts(one, "DNS:") && one.n > 4) {
            der_put(b, DER_CONTEXT(2), slice_from(one, 4));
            continue;
        }
        ASN1_OCTET_STRING *octets = NULL;
        if (slice_starts(one, "IP:") && slice_cstr(slice_from(one, 3), ip, sizeof ip))
            octets = a2i_IPADDRESS(ip);
        if (octets == NULL) {
            ERR_clear_error();
            return diag_set(d, ERR_USAGE, "\"%.*s\" is no alternative name: use DNS:… or IP:….",
                            (int)(one.n < 200 ? one.n : 200), (const char *)one.p);
        }
        der_put(b, DER_CONTEXT(7),
                slice_of(ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets)));
        ASN1_OCTET_STRING_free(octets);
    }
    der_close(b, seq);
    extension_close(b, ext);
    return 0;
}

/* RFC 5280 4.2.1.2 (1): SHA-1 of the octets of the public key's BIT STRING. */
static bool key_id(struct slice spki, struct digest *out)
{
    struct slice seq, bits;
    if (!der_next(&spki, DER_SEQUENCE, &seq, NULL) || !der_next(&seq, DER_SEQUENCE, NULL, NULL) ||
        !der_next(&seq, DER_BIT_STRING, &bits, NULL) || bits.n < 1)
        return false;
    digest_of(DIGEST_SHA1, slice_from(bits, 1), out);
    return true;
}

/* The issuer's own key identifier; computed when its certificate has none. */
static struct slice issuer_key_id(const struct cert *issuer)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer->x509);
    if (id != NULL && ASN1_STRING_length(id) > 0)
        return slice_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    return slice_of(issuer->key_sha1, sizeof issuer->key_sha1);
}

static void put_key_ids(struct buf *b, struct slice own, struct slice issuer)
{
    size_t ext[2];
    extension_open(b, "2.5.29.14", false, ext);
    der_put(b, DER_OCTET_STRING, own);
    extension_close(b, ext);
    extension_open(b, "2.5.29.35", false, ext);
    size_t seq = der_open(b, DER_SEQUENCE);
    der_put(b, DER_CONTEXT(0), issuer);
    der_close(b, seq);
    extension_close(b, ext);
}

static int put_extensions(struct buf *b, const struct cert_spec *spec, struct slice spki,
                          const struct cert *issuer, struct diag *d)
{
    const struct profile *p = &profiles[spec->purpose];
    struct digest own;
    if (!key_id(spki, &own))
        return diag_set(d, ERR_CRYPTO, "The public key has no usual encoding.");
    size_t outer = der_open(b, DER_CONTEXT_CONSTRUCTED(3)), seq = der_open(b, DER_SEQUENCE);
    put_basic_constraints(b, p->ca);
    put_key_usage(b, p->key_usage);
    put_extended_key_usage(b, p);
    put_key_ids(b, digest_slice(&own), issuer != NULL ? issuer_key_id(issuer) : digest_slice(&own));
    if (spec->ocsp_url != NULL)
        put_ocsp_url(b, spec->ocsp_url);
    if (spec->alt_name != NULL) {
        int rc = put_alt_name(b, spec->alt_name, d);
        if (rc != 0)
            return rc;
    }
    if (p->ocsp_nocheck) {
        size_t ext[2];
        extension_open(b, "1.3.6.1.5.5.7.48.1.5", false, ext);
        der_put(b, DER_NULL, SLICE_NONE);
        extension_close(b, ext);
    }
    der_close(b, seq);
    der_close(b, outer);
    return 0;
}

/* --- the certificate --- */

static int check_spec(const struct cert_spec *spec, struct diag *d)
{
    static const uint8_t zero[sizeof spec->serial];
    if ((unsigned)spec->purpose >= ARRAY_LEN(profiles))
        return diag_set(d, ERR_USAGE, "There is no such purpose of a certificate.");
    if (memcmp(spec->serial, zero, sizeof zero) == 0)
        return diag_set(d, ERR_USAGE, "A certificate's serial number must not be zero.");
    if (spec->not_after_ms <= spec->not_before_ms)
        return diag_set(d, ERR_USAGE, "The certificate would end before it begins.");
    return 0;
}

static int put_name(struct buf *b, const struct cert_spec *spec, struct diag *d)
{
    if (spec->subject_der.n == 0)
        return cert_name_der(spec->rdns, spec->rdn_count, b, d);
    buf_slice(b, spec->subject_der);
    return 0;
}

static int put_body(struct buf *b, const struct cert_spec *spec, struct slice spki,
                    const struct cert *issuer, const struct sign_alg *alg, struct diag *d)
{
    size_t version = der_open(b, DER_CONTEXT_CONSTRUCTED(0));
    der_uint(b, 2); /* v3 */
    der_close(b, version);
    der_unsigned(b, slice_of(spec->serial, sizeof spec->serial));
    if (sign_alg_der(alg, b) != 0)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                        "Certificates cannot be signed with this algorithm.");
    int rc = 0;
    if (issuer != NULL)
        buf_slice(b, issuer->subject);
    else
        rc = put_name(b, spec, d);
    if (rc != 0)
        return rc;
    size_t validity = der_open(b, DER_SEQUENCE);
    der_time(b, spec->not_before_ms);
    der_time(b, spec->not_after_ms);
    der_close(b, validity);
    rc = put_name(b, spec, d);
    if (rc != 0)
        return rc;
    buf_slice(b, spki);
    return put_extensions(b, spec, spki, issuer, d);
}

int cert_issue_tbs(const struct cert_spec *spec, EVP_PKEY *key, const struct cert *issuer,
                   const struct sign_alg *alg, struct buf *tbs, struct diag *d)
{
    int rc = check_spec(spec, d);
    if (rc != 0)
        return rc;
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(key, &spki);
    ERR_clear_error();
    if (n <= 0)
        return diag_set(d, ERR_CRYPTO, "The key has no public part to certify.");
    size_t at = der_open(tbs, DER_SEQUENCE);
    rc = put_body(tbs, spec, slice_of(spki, (size_t)n), issuer, alg, d);
    der_close(tbs, at);
    OPENSSL_free(spki);
    if (rc == 0 && tbs->failed)
        rc = diag_set(d, ERR_TOO_LARGE, "The certificate is larger than allowed.");
    return rc;
}

int cert_issue(const struct cert_spec *spec, EVP_PKEY *key, const struct cert *issuer,
               EVP_PKEY *issuer_key, struct buf *der, struct diag *d)
{
    const struct sign_alg *alg = sign_alg_for_asn1(issuer_key);
    if (alg == NULL)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM,
                        "The issuer's key is of a kind that signs no certificates here.");
    struct buf tbs, value;
    buf_init(&tbs, TBS_MAX);
    buf_init(&value, TBS_MAX);
    int rc = cert_issue_tbs(spec, key, issuer, alg, &tbs, d);
    if (rc == 0 && sign_data(issuer_key, alg, buf_view(&tbs), &value) != 0)
        rc = diag_set(d, ERR_CANNOT_SIGN, "The issuer's key does not sign.");
    EVP_PKEY *public = issuer != NULL ? issuer->key : key;
    if (rc == 0 && verify_data(public, alg, buf_view(&tbs), buf_view(&value)) != 0)
        rc = diag_set(d, ERR_CANNOT_SIGN,
                      "The issuer's private key does not belong to its public key.");
    if (rc == 0)
        rc = sign_wrap(buf_view(&tbs), alg, buf_view(&value), der);
    buf_free(&tbs);
    buf_free(&value);
    return rc;
}

void cert_der_to_pem(struct slice der, struct buf *out)
{
    struct buf text;
    buf_init(&text, BASE64_LEN(der.n) + 1);
    base64_append(&text, der);
    buf_str(out, "-----BEGIN CERTIFICATE-----\n");
    for (struct slice rest = buf_view(&text); rest.n > 0; rest = slice_from(rest, 64)) {
        buf_slice(out, slice_sub(rest, 0, 64));
        buf_byte(out, '\n');
    }
    buf_str(out, "-----END CERTIFICATE-----\n");
    out->failed |= text.failed;
    buf_free(&text);
}
