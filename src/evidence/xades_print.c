/* Signature documents, written (signature.md 2). */
#include "evidence/xades.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"
#include "evidence/xades_form.h"
#include "wire/xml.h"

#define PRINT_MAX (64u << 10)
#define NAME_MAX_BYTES 4096

/* The fields of a document and the memory they are in. */
struct fields {
    struct xades_form form;
    struct buf memory;
    size_t begin[XADES_FIELDS], end[XADES_FIELDS];
};

/* False for bytes that no XML text can hold. */
static bool text_is_xml(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
    }
    return slice_is_utf8(text);
}

static int put_issuer(struct buf *b, const struct cert *c)
{
    struct buf name;
    buf_init(&name, NAME_MAX_BYTES);
    cert_name_rfc2253(X509_get_issuer_name(c->x509), &name);
    bool good = !name.failed && text_is_xml(buf_view(&name));
    if (good)
        xml_canonical_text(b, buf_view(&name));
    buf_free(&name);
    return good ? 0 : ERR_CANNOT_CREATE_SIGNATURE;
}

/* Fields are appended to the memory one after the other; their places become slices at the end. */
static void field_begin(struct fields *f, enum xades_field field)
{
    f->begin[field] = f->memory.n;
}

static void field_end(struct fields *f, enum xades_field field)
{
    f->end[field] = f->memory.n;
}

static void field_text(struct fields *f, enum xades_field field, const char *text)
{
    field_begin(f, field);
    buf_str(&f->memory, text);
    field_end(f, field);
}

static void field_bytes(struct fields *f, enum xades_field field, struct slice bytes)
{
    field_begin(f, field);
    base64_append(&f->memory, bytes);
    field_end(f, field);
}

static int fields_done(struct fields *f)
{
    for (size_t i = 0; i < XADES_FIELDS; i++)
        f->form.field[i] = slice_sub(buf_view(&f->memory), f->begin[i], f->end[i] - f->begin[i]);
    return f->memory.failed ? ERR_TOO_LARGE : 0;
}

static int fields_of_properties(struct fields *f, const struct xades_spec *s)
{
    char time[TIMEVAL_TEXT];
    timeval_print_iso(s->signing_time_ms, true, time);
    field_text(f, XADES_FIELD_TIME, time);
    field_bytes(f, XADES_FIELD_CERT_DIGEST, digest_slice(&s->cert->sha512));
    field_begin(f, XADES_FIELD_ISSUER);
    int rc = put_issuer(&f->memory, s->cert);
    field_end(f, XADES_FIELD_ISSUER);
    field_begin(f, XADES_FIELD_SERIAL);
    cert_serial_decimal(s->cert, &f->memory);
    field_end(f, XADES_FIELD_SERIAL);
    field_text(f, XADES_FIELD_MIME, s->batch ? "application/hash-chain-result" : "text/xml");
    int done = fields_done(f);
    return rc != 0 ? rc : done;
}

static int fields_of_info(struct fields *f, const struct xades_spec *s)
{
    int rc = fields_of_properties(f, s);
    if (rc != 0)
        return rc;
    struct buf properties;
    struct digest digest;
    buf_init(&properties, PRINT_MAX);
    xades_form_canonical(&f->form, XADES_FORM_PROPERTIES, &properties);
    rc = properties.failed ? ERR_TOO_LARGE : 0;
    digest_of(DIGEST_SHA512, buf_view(&properties), &digest);
    buf_free(&properties);
    field_text(f, XADES_FIELD_ALG, s->alg->uri);
    field_text(f, XADES_FIELD_URI, s->batch ? "/sig-hashchainresult.xml" : "/message.xml");
    field_bytes(f, XADES_FIELD_DATA, digest_slice(&s->data));
    field_bytes(f, XADES_FIELD_PROPERTIES, digest_slice(&digest));
    int done = fields_done(f);
    return rc != 0 ? rc : done;
}

static int check_spec(const struct xades_spec *s)
{
    return s->data.alg == DIGEST_SHA512 ? 0 : ERR_USAGE;
}

static int print_canonical(const struct xades_spec *s, enum xades_form_part part, struct buf *out)
{
    struct fields f = {.form = {.n_ocsp = 0}};
    buf_init(&f.memory, PRINT_MAX);
    int rc = check_spec(s);
    if (rc == 0)
        rc = part == XADES_FORM_INFO ? fields_of_info(&f, s) : fields_of_properties(&f, s);
    if (rc == 0)
        xades_form_canonical(&f.form, part, out);
    buf_free(&f.memory);
    return rc != 0 ? rc : out->failed ? ERR_TOO_LARGE : 0;
}

int xades_signed_properties(const struct xades_spec *s, struct buf *out)
{
    return print_canonical(s, XADES_FORM_PROPERTIES, out);
}

int xades_signed_info(const struct xades_spec *s, struct buf *out)
{
    return print_canonical(s, XADES_FORM_INFO, out);
}

static int put_cert_ref(struct buf *b, const struct cert *c, size_t number)
{
    buf_printf(b,
               "<xades:Cert URI=\"#encapsulated-cert-%zu\"><xades:CertDigest><ds:DigestMethod "
               "Algorithm=\"%s\"/><ds:DigestValue>",
               number, digest_uri(DIGEST_SHA512));
    base64_append(b, digest_slice(&c->sha512));
    buf_str(b, "</ds:DigestValue></xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>");
    int rc = put_issuer(b, c);
    buf_str(b, "</ds:X509IssuerName><ds:X509SerialNumber>");
    cert_serial_decimal(c, b);
    buf_str(b, "</ds:X509SerialNumber></xades:IssuerSerial></xades:Cert>");
    return rc;
}

/* Additional certificates: references, then values. */
static int put_extra_certs(struct buf *b, struct cert *const *extra, size_t n)
{
    if (n == 0)
        return 0;
    buf_str(b, "<xades:CompleteCertificateRefs Id=\"complete-certificate-refs\"><xades:CertRefs>");
    for (size_t i = 0; i < n; i++) {
        int rc = put_cert_ref(b, extra[i], i + 1);
        if (rc != 0)
            return rc;
    }
    buf_str(b, "</xades:CertRefs></xades:CompleteCertificateRefs><xades:CertificateValues>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "<xades:EncapsulatedX509Certificate Id=\"encapsulated-cert-%zu\">", i + 1);
        base64_append(b, extra[i]->der);
        buf_str(b, "</xades:EncapsulatedX509Certificate>");
    }
    buf_str(b, "</xades:CertificateValues>");
    return b->failed ? ERR_TOO_LARGE : 0;
}

/* The responses in base64, one after the other in `memory`. */
static int set_ocsp(struct xades_form *f, const struct slice *ocsp, size_t n, struct buf *memory)
{
    if (n == 0 || n > XADES_FORM_OCSP_MAX)
        return ERR_USAGE;
    for (size_t i = 0; i < n; i++)
        base64_append(memory, ocsp[i]);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        f->ocsp[i] = slice_sub(buf_view(memory), at, BASE64_LEN(ocsp[i].n));
        at += BASE64_LEN(ocsp[i].n);
    }
    f->n_ocsp = n;
    return memory->failed ? ERR_TOO_LARGE : 0;
}

static int print(struct fields *f, const struct xades_spec *s, struct slice raw_value,
                 struct slice unsigned_first, struct buf *out)
{
    int rc = fields_of_info(f, s);
    if (rc != 0)
        return rc;
    field_bytes(f, XADES_FIELD_VALUE, raw_value);
    field_bytes(f, XADES_FIELD_CERT, s->cert->der);
    rc = fields_done(f);
    if (rc != 0)
        return rc;
    xades_form_print(&f->form, unsigned_first, out);
    return out->failed ? ERR_TOO_LARGE : 0;
}

int xades_print(const struct xades_spec *s, struct slice raw_value, struct cert *const *extra,
                size_t n_extra, const struct slice *ocsp, size_t n_ocsp, struct buf *out)
{
    struct fields f = {.form = {.n_ocsp = 0}};
    struct buf certs, responses;
    buf_init(&f.memory, PRINT_MAX);
    buf_init(&certs, PRINT_MAX);
    buf_init(&responses, XADES_FORM_OCSP_MAX * PRINT_MAX);
    int rc = check_spec(s);
    if (rc == 0)
        rc = put_extra_certs(&certs, extra, n_extra);
    if (rc == 0)
        rc = set_ocsp(&f.form, ocsp, n_ocsp, &responses);
    if (rc == 0)
        rc = print(&f, s, raw_value, buf_view(&certs), out);
    buf_free(&f.memory);
    buf_free(&certs);
    buf_free(&responses);
    return rc;
}
