/*
 * Signature documents, written (signature.md 2) without white space between elements, so that the
 * canonical form of a part differs from its text in two things only: the namespace declarations of
 * the root stand on the part's own element, and an empty element has an end tag.
 */
#include "evidence/xades.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"

#define SHA512 "http://www.w3.org/2001/04/xmlenc#sha512"
#define NAMESPACES                                                                                 \
    "xmlns:asic=\"http://uri.etsi.org/02918/v1.2.1#\" "                                            \
    "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" "                                             \
    "xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" "                                           \
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
#define POLICY_HASH                                                                                \
    "BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE+lTcXw=="
#define PRINT_MAX (64u << 10)

enum form {
    TEXT,
    CANONICAL,
};

/* An element without content; `tag` is its name and attributes. */
static void put_empty(struct buf *b, enum form f, const char *name, const char *attrs)
{
    buf_printf(b, f == CANONICAL ? "<%s %s></%s>" : "<%s %s/>", name, attrs, name);
}

static void put_digest(struct buf *b, enum form f, const struct digest *d)
{
    char attr[96];
    snprintf(attr, sizeof attr, "Algorithm=\"%s\"", digest_uri(d->alg));
    put_empty(b, f, "ds:DigestMethod", attr);
    buf_str(b, "<ds:DigestValue>");
    base64_append(b, digest_slice(d));
    buf_str(b, "</ds:DigestValue>");
}

/* Character data as canonical XML has it, which is good in the document too. */
static void put_text(struct buf *b, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&':
            buf_str(b, "&amp;");
            break;
        case '<':
            buf_str(b, "&lt;");
            break;
        case '>':
            buf_str(b, "&gt;");
            break;
        case '\r':
            buf_str(b, "&#xD;");
            break;
        default:
            buf_byte(b, text.p[i]);
        }
    }
}

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

/* xades:Cert content: which certificate, by digest, issuer and serial number. */
static int put_cert_id(struct buf *b, enum form f, const struct cert *c)
{
    struct buf name;
    buf_init(&name, 4096);
    cert_name_rfc2253(X509_get_issuer_name(c->x509), &name);
    if (name.failed || !text_is_xml(buf_view(&name))) {
        buf_free(&name);
        return ERR_CANNOT_CREATE_SIGNATURE;
    }
    buf_str(b, "<xades:CertDigest>");
    put_digest(b, f, &c->sha512);
    buf_str(b, "</xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>");
    put_text(b, buf_view(&name));
    buf_free(&name);
    buf_str(b, "</ds:X509IssuerName><ds:X509SerialNumber>");
    cert_serial_decimal(c, b);
    buf_str(b, "</ds:X509SerialNumber></xades:IssuerSerial>");
    return 0;
}

static void put_policy(struct buf *b, enum form f)
{
    buf_str(b, "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>"
               "<xades:Identifier Qualifier=\"OIDAsURN\">urn:oid:1.3.6.1.4.1.3516.16.2"
               "</xades:Identifier><xades:Description>"
               "Profile for High Performance Digital Signatures (version 1.2)"
               "</xades:Description></xades:SigPolicyId><xades:SigPolicyHash>");
    put_empty(b, f, "ds:DigestMethod", "Algorithm=\"" SHA512 "\"");
    buf_str(b, "<ds:DigestValue>" POLICY_HASH "</ds:DigestValue></xades:SigPolicyHash>"
               "<xades:SigPolicyQualifiers><xades:SigPolicyQualifier>"
               "<xades:SPURI>https://repo.cyber.ee/dsig-profile-1.2.pdf</xades:SPURI>"
               "</xades:SigPolicyQualifier></xades:SigPolicyQualifiers>"
               "</xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>");
}

static int put_signed_properties(struct buf *b, enum form f, const struct xades_spec *s)
{
    char time[TIMEVAL_TEXT];
    timeval_print_iso(s->signing_time_ms, true, time);
    buf_printf(b, "<xades:SignedProperties %sId=\"signed-properties\">",
               f == CANONICAL ? NAMESPACES " " : "");
    buf_printf(b,
               "<xades:SignedSignatureProperties><xades:SigningTime>%s</xades:SigningTime>"
               "<xades:SigningCertificate><xades:Cert>",
               time);
    int rc = put_cert_id(b, f, s->cert);
    if (rc != 0)
        return rc;
    buf_str(b, "</xades:Cert></xades:SigningCertificate>");
    put_policy(b, f);
    buf_printf(b,
               "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
               "<xades:DataObjectFormat ObjectReference=\"#signature-reference-0\">"
               "<xades:MimeType>%s</xades:MimeType></xades:DataObjectFormat>"
               "</xades:SignedDataObjectProperties></xades:SignedProperties>",
               s->batch ? "application/hash-chain-result" : "text/xml");
    return b->failed ? ERR_TOO_LARGE : 0;
}

int xades_signed_properties(const struct xades_spec *s, struct buf *out)
{
    return put_signed_properties(out, CANONICAL, s);
}

static int put_signed_info(struct buf *b, enum form f, const struct xades_spec *s)
{
    struct buf properties;
    buf_init(&properties, PRINT_MAX);
    int rc = put_signed_properties(&properties, CANONICAL, s);
    struct digest digest;
    digest_of(DIGEST_SHA512, buf_view(&properties), &digest);
    buf_free(&properties);
    if (rc != 0)
        return rc;

    buf_printf(b, "<ds:SignedInfo%s>", f == CANONICAL ? " " NAMESPACES : "");
    put_empty(b, f, "ds:CanonicalizationMethod",
              "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"");
    char attr[96];
    snprintf(attr, sizeof attr, "Algorithm=\"%s\"", s->alg->uri);
    put_empty(b, f, "ds:SignatureMethod", attr);
    buf_printf(b, "<ds:Reference Id=\"signature-reference-0\" URI=\"%s\">",
               s->batch ? "/sig-hashchainresult.xml" : "/message.xml");
    put_digest(b, f, &s->data);
    buf_str(b, "</ds:Reference><ds:Reference Id=\"signature-reference-1\" "
               "Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#signed-properties\">");
    put_digest(b, f, &digest);
    buf_str(b, "</ds:Reference></ds:SignedInfo>");
    return b->failed ? ERR_TOO_LARGE : 0;
}

int xades_signed_info(const struct xades_spec *s, struct buf *out)
{
    return put_signed_info(out, CANONICAL, s);
}

static int put_extra_certs(struct buf *b, struct cert *const *extra, size_t n)
{
    if (n == 0)
        return 0;
    buf_str(b, "<xades:CompleteCertificateRefs Id=\"complete-certificate-refs\"><xades:CertRefs>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "<xades:Cert URI=\"#encapsulated-cert-%zu\">", i + 1);
        int rc = put_cert_id(b, TEXT, extra[i]);
        if (rc != 0)
            return rc;
        buf_str(b, "</xades:Cert>");
    }
    buf_str(b, "</xades:CertRefs></xades:CompleteCertificateRefs><xades:CertificateValues>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "<xades:EncapsulatedX509Certificate Id=\"encapsulated-cert-%zu\">", i + 1);
        base64_append(b, extra[i]->der);
        buf_str(b, "</xades:EncapsulatedX509Certificate>");
    }
    buf_str(b, "</xades:CertificateValues>");
    return 0;
}

static void put_ocsp(struct buf *b, const struct slice *ocsp, size_t n)
{
    buf_str(b, "<xades:RevocationValues><xades:OCSPValues>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "<xades:EncapsulatedOCSPValue Id=\"ocsp-response-%zu\">", i + 1);
        base64_append(b, ocsp[i]);
        buf_str(b, "</xades:EncapsulatedOCSPValue>");
    }
    buf_str(b, "</xades:OCSPValues></xades:RevocationValues>");
}

int xades_print(const struct xades_spec *s, struct slice raw_value, struct cert *const *extra,
                size_t n_extra, const struct slice *ocsp, size_t n_ocsp, struct buf *out)
{
    buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>"
                 "<asic:XAdESSignatures " NAMESPACES "><ds:Signature Id=\"signature\">");
    int rc = put_signed_info(out, TEXT, s);
    if (rc != 0)
        return rc;
    buf_str(out, "<ds:SignatureValue Id=\"signature-value\">");
    base64_append(out, raw_value);
    buf_str(out, "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
    base64_append(out, s->cert->der);
    buf_str(out, "</ds:X509Certificate></ds:X509Data></ds:KeyInfo><ds:Object>"
                 "<xades:QualifyingProperties Target=\"#signature\">");
    rc = put_signed_properties(out, TEXT, s);
    if (rc != 0)
        return rc;
    buf_str(out, "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>");
    rc = put_extra_certs(out, extra, n_extra);
    if (rc != 0)
        return rc;
    put_ocsp(out, ocsp, n_ocsp);
    buf_str(out, "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
                 "</xades:QualifyingProperties></ds:Object></ds:Signature>"
                 "</asic:XAdESSignatures>");
    return out->failed ? ERR_TOO_LARGE : 0;
}
