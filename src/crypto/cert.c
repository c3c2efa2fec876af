#include "crypto/cert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/map.h"
#include "base/timeval.h"
#include "crypto/der.h"

#define CERT_MAX 65536 /* octets of one certificate */
#define EXTRA_MAX 16   /* candidates for a path; bounds the signatures that are checked */
#define RECENT 128     /* certificates that are kept at hand, of at most this size */
#define RECENT_MAX 4096
#define NAME_TEXT_MAX 1024

static const char pem_begin[] = "-----BEGIN CERTIFICATE-----";
static const char pem_end[] = "-----END CERTIFICATE-----";

/* --- parsing --- */

static int wrong(struct diag *d, const char *text)
{
    ERR_clear_error();
    diag_set(d, ERR_INCORRECT_CERTIFICATE, "%s", text);
    return ERR_INCORRECT_CERTIFICATE;
}

/* Fills b from DER or from the first certificate of PEM text. */
static int take_der(struct slice bytes, struct buf *b, struct diag *d)
{
    if (bytes.n == 0 || bytes.n > CERT_MAX)
        return wrong(d, "A certificate is empty or larger than 64 KiB.");
    size_t at = slice_find_slice(bytes, slice_str(pem_begin));
    if (bytes.p[0] == DER_SEQUENCE || at == SIZE_MAX) {
        buf_slice(b, bytes);
        return b->failed ? diag_set(d, ERR_NOMEM, "No memory for a certificate.") : 0;
    }
    struct slice body = slice_from(bytes, at + sizeof pem_begin - 1);
    size_t end = slice_find_slice(body, slice_str(pem_end));
    if (end == SIZE_MAX || base64_decode(b, slice_sub(body, 0, end), true) != 0 || b->n == 0)
        return wrong(d, "The certificate's PEM text is damaged.");
    return 0;
}

static bool time_ms(const ASN1_TIME *t, int64_t *ms)
{
    struct tm tm;
    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    int64_t days = timeval_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    *ms = ((days * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60000 + (int64_t)tm.tm_sec * 1000;
    return true;
}

/* The decoded extension, NULL when absent; *bad when it stands twice or does not decode. */
static void *extension(X509 *x, int nid, bool *bad)
{
    int crit = 0;
    void *v = X509_get_ext_d2i(x, nid, &crit, NULL);
    if (v == NULL && crit != -1)
        *bad = true;
    return v;
}

static bool read_extensions(struct cert *c)
{
    bool bad = false;
    ASN1_BIT_STRING *ku = extension(c->x509, NID_key_usage, &bad);
    if (ku != NULL) {
        c->has_key_usage = true;
        c->digital_signature = ASN1_BIT_STRING_get_bit(ku, 0) == 1;
        c->non_repudiation = ASN1_BIT_STRING_get_bit(ku, 1) == 1;
        c->key_encipherment = ASN1_BIT_STRING_get_bit(ku, 2) == 1;
        c->data_encipherment = ASN1_BIT_STRING_get_bit(ku, 3) == 1;
        c->key_cert_sign = ASN1_BIT_STRING_get_bit(ku, 5) == 1;
        ASN1_BIT_STRING_free(ku);
    }
    EXTENDED_KEY_USAGE *eku = extension(c->x509, NID_ext_key_usage, &bad);
    for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i));
        c->eku_client_auth |= nid == NID_client_auth;
        c->eku_ocsp_signing |= nid == NID_OCSP_sign;
        c->eku_time_stamping |= nid == NID_time_stamp;
    }
    EXTENDED_KEY_USAGE_free(eku);
    BASIC_CONSTRAINTS *bc = extension(c->x509, NID_basic_constraints, &bad);
    c->is_ca = bc != NULL && bc->ca != 0;
    c->path_len = -1;
    if (bc != NULL && bc->pathlen != NULL) {
        int64_t len = -1;
        if (ASN1_INTEGER_get_int64(&len, bc->pathlen) != 1 || len < 0)
            bad = true;
        c->path_len = len > EXTRA_MAX ? EXTRA_MAX : (int)len;
    }
    BASIC_CONSTRAINTS_free(bc);
    return !bad;
}

static bool name_der(const X509_NAME *name, struct slice *out)
{
    const unsigned char *p;
    size_t n;
    if (X509_NAME_get0_der(name, &p, &n) != 1)
        return false;
    *out = slice_of(p, n);
    return true;
}

static void sha1_of(struct slice s, uint8_t out[20])
{
    struct digest dg;
    digest_of(DIGEST_SHA1, s, &dg);
    memcpy(out, dg.b, 20);
}

static void read_digests(struct cert *c)
{
    struct digest dg;
    sha1_of(c->der, c->sha1);
    sha1_of(c->subject, c->subject_sha1);
    sha1_of(cert_key_bits(c), c->key_sha1);
    digest_of(DIGEST_SHA256, c->der, &dg);
    memcpy(c->sha256, dg.b, sizeof c->sha256);
    digest_of(DIGEST_SHA512, c->der, &c->sha512);
}

/* Its octets as they stand: where they are compared, they are compared as they are. */
static bool read_serial(struct cert *c)
{
    struct slice in = c->der, body, tbs;
    if (!der_next(&in, DER_SEQUENCE, &body, NULL) || !der_next(&body, DER_SEQUENCE, &tbs, NULL))
        return false;
    der_next(&tbs, DER_CONTEXT_CONSTRUCTED(0), NULL, NULL);
    return der_next(&tbs, DER_INTEGER, &c->serial, NULL);
}

static int fill(struct cert *c, struct slice der, struct diag *d)
{
    uint8_t *own = malloc(der.n);
    if (own == NULL)
        return diag_set(d, ERR_NOMEM, "No memory for a certificate.");
    c->der = slice_of(memcpy(own, der.p, der.n), der.n);
    const unsigned char *p = c->der.p;
    c->x509 = d2i_X509(NULL, &p, (long)c->der.n);
    if (c->x509 == NULL)
        return wrong(d, "The bytes are not an X.509 certificate.");
    if (p != c->der.p + c->der.n)
        return wrong(d, "Bytes follow after the certificate.");
    c->key = X509_get0_pubkey(c->x509);
    if (c->key == NULL)
        return wrong(d, "The certificate's public key is of a kind that is not supported.");
    if (!time_ms(X509_get0_notBefore(c->x509), &c->not_before_ms) ||
        !time_ms(X509_get0_notAfter(c->x509), &c->not_after_ms))
        return wrong(d, "The certificate's validity times are malformed.");
    if (!read_extensions(c))
        return wrong(d, "The certificate has a malformed or repeated extension.");
    if (!name_der(X509_get_subject_name(c->x509), &c->subject) ||
        !name_der(X509_get_issuer_name(c->x509), &c->issuer))
        return wrong(d, "The certificate's names are malformed.");
    if (!read_serial(c))
        return wrong(d, "The certificate is not in DER form.");
    read_digests(c);
    return 0;
}

static struct cert *make(struct slice der, struct diag *d)
{
    struct cert *c = calloc(1, sizeof *c);
    if (c == NULL) {
        diag_set(d, ERR_NOMEM, "No memory for a certificate.");
        return NULL;
    }
    c->refs = 1;
    if (fill(c, der, d) != 0) {
        cert_free(c);
        return NULL;
    }
    ERR_clear_error();
    return c;
}

/*
 * The certificates seen last, each under a slot of its bytes. OpenSSL takes longer to read one than
 * to verify a signature with it, and every message and OCSP response carries the same few again.
 */
static struct cert *parse_der(struct slice der, struct diag *d)
{
    static struct cert *recent[RECENT];
    if (der.n > RECENT_MAX)
        return make(der, d);
    struct cert **slot = &recent[map_hash(der, 0) % RECENT];
    if (*slot != NULL && slice_eq((*slot)->der, der))
        return cert_ref(*slot);
    struct cert *c = make(der, d);
    if (c != NULL) {
        cert_free(*slot);
        *slot = cert_ref(c);
    }
    return c;
}

struct cert *cert_parse(struct slice bytes, struct diag *d)
{
    struct buf der;
    buf_init(&der, CERT_MAX);
    struct cert *c = NULL;
    if (take_der(bytes, &der, d) == 0)
        c = parse_der(buf_view(&der), d);
    buf_free(&der);
    return c;
}

void cert_free(struct cert *c)
{
    if (c == NULL || --c->refs > 0)
        return;
    X509_free(c->x509);
    free((void *)c->der.p);
    free(c);
}

struct cert *cert_ref(struct cert *c)
{
    c->refs++;
    return c;
}

/* --- what it is for --- */

int cert_is_authentication(const struct cert *c, bool *yes, struct diag *d)
{
    *yes = false;
    if (!c->eku_client_auth && !c->has_key_usage)
        return diag_set(d, ERR_INCORRECT_CERTIFICATE, "The certificate has no key usage.");
    *yes =
        c->eku_client_auth || c->digital_signature || c->key_encipherment || c->data_encipherment;
    return 0;
}

int cert_is_signing(const struct cert *c, bool *yes, struct diag *d)
{
    *yes = false;
    if (!c->has_key_usage)
        return diag_set(d, ERR_INCORRECT_CERTIFICATE, "The certificate has no key usage.");
    *yes = c->non_repudiation;
    return 0;
}

/* --- paths --- */

static bool names_fit(const struct cert *c, const struct cert *ca)
{
    return slice_eq(c->issuer, ca->subject) ||
           X509_NAME_cmp(X509_get_issuer_name(c->x509), X509_get_subject_name(ca->x509)) == 0;
}

bool cert_issued_by(const struct cert *c, const struct cert *ca)
{
    if (!names_fit(c, ca))
        return false;
    bool ok = X509_verify(c->x509, ca->key) == 1;
    ERR_clear_error();
    return ok;
}

static bool valid_at(const struct cert *c, int64_t at_ms)
{
    return at_ms >= c->not_before_ms && at_ms <= c->not_after_ms;
}

/* An unused issuer of c among the candidates, one that is valid at the time if there is one. */
static size_t find_issuer(const struct cert *c, struct cert *const *extra, size_t n,
                          const bool *used, int64_t at_ms)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < n; i++)
            if (!used[i] && valid_at(extra[i], at_ms) == (pass == 0) && cert_issued_by(c, extra[i]))
                return i;
    return SIZE_MAX;
}

static bool self_issued(const struct cert *c)
{
    return slice_eq(c->subject, c->issuer);
}

/* Critical extensions that these checks understand, or that cannot make a path less valid. */
static bool critical_is_known(int nid)
{
    return nid == NID_key_usage || nid == NID_basic_constraints || nid == NID_ext_key_usage ||
           nid == NID_subject_alt_name || nid == NID_certificate_policies ||
           nid == NID_inhibit_any_policy;
}

static void subject_text(const struct cert *c, struct buf *text)
{
    buf_init(text, NAME_TEXT_MAX);
    cert_name_rfc2253(X509_get_subject_name(c->x509), text);
}

static int path_error(struct diag *d, int code, const struct cert *c, const char *what)
{
    struct buf name;
    subject_text(c, &name);
    diag_set(d, code, "Certificate \"%s\" %s.", buf_cstr(&name), what);
    buf_free(&name);
    return code;
}

/* below: certificates under this one in the path that are not self-issued. */
static int check_intermediate(const struct cert *c, int below, struct diag *d)
{
    if (X509_get_version(c->x509) != X509_VERSION_3 || !c->is_ca)
        return path_error(d, ERR_INVALID_CERT_PATH, c, "is not a CA's, but issued another");
    if (c->has_key_usage && !c->key_cert_sign)
        return path_error(d, ERR_INVALID_CERT_PATH, c, "may not sign certificates");
    if (c->path_len >= 0 && below > c->path_len)
        return path_error(d, ERR_INVALID_CERT_PATH, c, "allows no path of this length");
    return 0;
}

static int check_path(struct cert *const *path, size_t n, int64_t at_ms, struct diag *d)
{
    int below = 0;
    for (size_t i = 0; i < n; i++) {
        const struct cert *c = path[i];
        if (!valid_at(c, at_ms)) {
            char at[TIMEVAL_TEXT], limit[TIMEVAL_TEXT], what[2 * TIMEVAL_TEXT + 48];
            bool early = at_ms < c->not_before_ms;
            timeval_print_iso(at_ms, false, at);
            timeval_print_iso(early ? c->not_before_ms : c->not_after_ms, false, limit);
            snprintf(what, sizeof what, "is not valid at %s: it %s %s", at,
                     early ? "becomes valid at" : "expired at", limit);
            return path_error(d, ERR_CERT_VALIDITY_TIME, c, what);
        }
        for (int k = 0; k < X509_get_ext_count(c->x509); k++) {
            X509_EXTENSION *ext = X509_get_ext(c->x509, k);
            if (X509_EXTENSION_get_critical(ext) != 0 &&
                !critical_is_known(OBJ_obj2nid(X509_EXTENSION_get_object(ext))))
                return path_error(d, ERR_INVALID_CERT_PATH, c, "has an unknown critical extension");
        }
        if (i == 0)
            continue;
        int rc = check_intermediate(c, below, d);
        if (rc != 0)
            return rc;
        below += self_issued(c) ? 0 : 1;
    }
    return 0;
}

/*
 * A depth-first walk from the leaf. Each candidate is tried once: what cannot be reached from it
 * cannot be reached by coming to it another way.
 */
int cert_path(struct cert *leaf, struct cert *const *extra, size_t n_extra, struct cert *anchor,
              int64_t at_ms, struct cert **path, size_t max, size_t *n, struct diag *d)
{
    bool used[EXTRA_MAX] = {false};
    *n = 0;
    if (n_extra > EXTRA_MAX || max == 0)
        return diag_set(d, ERR_CANNOT_CREATE_CERT_PATH,
                        "There are more than %d certificates to make a path of.", EXTRA_MAX);
    path[0] = leaf;
    size_t depth = 1;
    while (depth > 0 && !cert_issued_by(path[depth - 1], anchor)) {
        size_t next =
            depth < max ? find_issuer(path[depth - 1], extra, n_extra, used, at_ms) : SIZE_MAX;
        if (next == SIZE_MAX) {
            depth--;
            continue;
        }
        used[next] = true;
        path[depth++] = extra[next];
    }
    if (depth == 0)
        return path_error(d, ERR_CANNOT_CREATE_CERT_PATH, leaf,
                          "has no path to the certification authority that it must come from");
    int rc = check_path(path, depth, at_ms, d);
    if (rc == 0)
        *n = depth;
    return rc;
}

/* --- reading names and fields --- */

static const char *rfc2253_keyword(int nid)
{
    switch (nid) {
    case NID_commonName:
        return "CN";
    case NID_localityName:
        return "L";
    case NID_stateOrProvinceName:
        return "ST";
    case NID_organizationName:
        return "O";
    case NID_organizationalUnitName:
        return "OU";
    case NID_countryName:
        return "C";
    case NID_streetAddress:
        return "STREET";
    case NID_domainComponent:
        return "DC";
    case NID_userId:
        return "UID";
    default:
        return NULL;
    }
}

static bool is_text(int type)
{
    return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING ||
           type == V_ASN1_T61STRING || type == V_ASN1_IA5STRING || type == V_ASN1_BMPSTRING ||
           type == V_ASN1_GENERALSTRING;
}

/* The value in UTF-8; false when it is no text. Appends. */
static bool utf8_value(const ASN1_STRING *s, struct buf *out)
{
    unsigned char *text = NULL;
    int n = ASN1_STRING_to_UTF8(&text, s);
    if (n < 0) {
        ERR_clear_error();
        return false;
    }
    buf_add(out, text, (size_t)n);
    OPENSSL_free(text);
    return true;
}

/* RFC 2253 2.4 as Java does it: also '=' is escaped, and every leading and trailing blank. */
static void escaped(struct slice v, struct buf *out)
{
    size_t lead = 0, trail = v.n;
    while (lead < v.n && (v.p[lead] == ' ' || v.p[lead] == '\r'))
        lead++;
    while (trail > 0 && (v.p[trail - 1] == ' ' || v.p[trail - 1] == '\r'))
        trail--;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        if (c == 0) {
            buf_str(out, "\\00");
            continue;
        }
        if (i < lead || i >= trail || strchr(",=+<>#;\"\\", c) != NULL)
            buf_byte(out, '\\');
        buf_byte(out, c);
    }
}

static void print_ava(X509_NAME_ENTRY *e, struct buf *out)
{
    const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(e);
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(e);
    const char *keyword = rfc2253_keyword(OBJ_obj2nid(type));
    struct buf text;
    buf_init(&text, CERT_MAX);
    if (keyword != NULL && is_text(ASN1_STRING_type(value)) && utf8_value(value, &text)) {
        buf_printf(out, "%s=", keyword);
        escaped(buf_view(&text), out);
        buf_free(&text);
        return;
    }
    buf_free(&text);
    char oid[128];
    OBJ_obj2txt(oid, sizeof oid, type, 1);
    buf_printf(out, "%s=#", oid);
    unsigned char *der = NULL;
    int n = i2d_ASN1_PRINTABLE(value, &der);
    for (int i = 0; i < n; i++)
        buf_printf(out, "%02x", der[i]);
    OPENSSL_free(der);
}

void cert_name_rfc2253(const X509_NAME *name, struct buf *out)
{
    int count = X509_NAME_entry_count(name), end = count;
    while (end > 0) {
        /* An RDN of several values keeps their order. */
        int start = end - 1, set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, start));
        while (start > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, start - 1)) == set)
            start--;
        if (end != count)
            buf_byte(out, ',');
        for (int i = start; i < end; i++) {
            if (i > start)
                buf_byte(out, '+');
            print_ava(X509_NAME_get_entry(name, i), out);
        }
        end = start;
    }
}

void cert_serial_decimal(const struct cert *c, struct buf *out)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(c->x509), NULL);
    char *text = n == NULL ? NULL : BN_bn2dec(n);
    if (text == NULL)
        out->failed = true;
    else
        buf_str(out, text);
    OPENSSL_free(text);
    BN_free(n);
}

bool cert_subject_field(const struct cert *c, const char *oid, struct buf *out)
{
    ASN1_OBJECT *type = OBJ_txt2obj(oid, 1);
    if (type == NULL)
        return false;
    X509_NAME *name = X509_get_subject_name(c->x509);
    int i = X509_NAME_get_index_by_OBJ(name, type, -1);
    ASN1_OBJECT_free(type);
    if (i < 0)
        return false;
    return utf8_value(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)), out);
}

bool cert_ocsp_url(const struct cert *c, struct buf *out)
{
    AUTHORITY_INFO_ACCESS *aia = X509_get_ext_d2i(c->x509, NID_info_access, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(aia) && !found; i++) {
        const ACCESS_DESCRIPTION *ad = sk_ACCESS_DESCRIPTION_value(aia, i);
        if (OBJ_obj2nid(ad->method) != NID_ad_OCSP || ad->location->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *uri = ad->location->d.uniformResourceIdentifier;
        struct slice text = slice_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
        found = text.n > 0 && memchr(text.p, 0, text.n) == NULL;
        if (found)
            buf_slice(out, text);
    }
    AUTHORITY_INFO_ACCESS_free(aia);
    ERR_clear_error();
    return found;
}

struct slice cert_key_bits(const struct cert *c)
{
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(c->x509);
    return slice_of(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits));
}
