#include "evidence/xades_form.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACES                                                                                 \
    "xmlns:asic=\"http://uri.etsi.org/02918/v1.2.1#\" "                                            \
    "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" "                                             \
    "xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" "                                           \
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
#define SHA512 "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\""
#define POLICY_HASH                                                                                \
    "BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE+lTcXw=="

/* Fixed text, how it stands in canonical form, and the field that follows. */
struct piece {
    const char *text, *canonical;
    size_t text_n, canonical_n;
    enum xades_field field;
};

/* The same in both forms; different; an empty element (its attributes), which has an end tag in
 * canonical form, between text. */
#define SAME(t, field)                                                                             \
    {                                                                                              \
        t, t, sizeof(t) - 1, sizeof(t) - 1, field                                                  \
    }
#define BOTH(t, c, field)                                                                          \
    {                                                                                              \
        t, c, sizeof(t) - 1, sizeof(c) - 1, field                                                  \
    }
#define EMPTY(before, name, attrs, after, field)                                                   \
    BOTH(before "<" name " " attrs "/>" after, before "<" name " " attrs "></" name ">" after,     \
         field)

/* clang-format off */
static const struct piece head[] = {
    SAME("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>"
         "<asic:XAdESSignatures " NAMESPACES "><ds:Signature Id=\"signature\">", XADES_FIELD_NONE),
};

static const struct piece signed_info[] = {
    BOTH("<ds:SignedInfo>", "<ds:SignedInfo " NAMESPACES ">", XADES_FIELD_NONE),
    EMPTY("", "ds:CanonicalizationMethod",
          "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
          "<ds:SignatureMethod Algorithm=\"", XADES_FIELD_ALG),
    BOTH("\"/>", "\"></ds:SignatureMethod>", XADES_FIELD_NONE),
    SAME("<ds:Reference Id=\"signature-reference-0\" URI=\"", XADES_FIELD_URI),
    EMPTY("\">", "ds:DigestMethod", SHA512, "<ds:DigestValue>", XADES_FIELD_DATA),
    EMPTY("</ds:DigestValue></ds:Reference><ds:Reference Id=\"signature-reference-1\" "
          "Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#signed-properties\">",
          "ds:DigestMethod", SHA512, "<ds:DigestValue>", XADES_FIELD_PROPERTIES),
    SAME("</ds:DigestValue></ds:Reference></ds:SignedInfo>", XADES_FIELD_NONE),
};

static const struct piece middle[] = {
    SAME("<ds:SignatureValue Id=\"signature-value\">", XADES_FIELD_VALUE),
    SAME("</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>", XADES_FIELD_CERT),
    SAME("</ds:X509Certificate></ds:X509Data></ds:KeyInfo><ds:Object>"
         "<xades:QualifyingProperties Target=\"#signature\">", XADES_FIELD_NONE),
};

static const struct piece signed_properties[] = {
    BOTH("<xades:SignedProperties Id=\"signed-properties\">",
         "<xades:SignedProperties " NAMESPACES " Id=\"signed-properties\">", XADES_FIELD_NONE),
    SAME("<xades:SignedSignatureProperties><xades:SigningTime>", XADES_FIELD_TIME),
    EMPTY("</xades:SigningTime><xades:SigningCertificate><xades:Cert><xades:CertDigest>",
          "ds:DigestMethod", SHA512, "<ds:DigestValue>", XADES_FIELD_CERT_DIGEST),
    SAME("</ds:DigestValue></xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>",
         XADES_FIELD_ISSUER),
    SAME("</ds:X509IssuerName><ds:X509SerialNumber>", XADES_FIELD_SERIAL),
    EMPTY("</ds:X509SerialNumber></xades:IssuerSerial></xades:Cert></xades:SigningCertificate>"
          "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>"
          "<xades:Identifier Qualifier=\"OIDAsURN\">urn:oid:1.3.6.1.4.1.3516.16.2"
          "</xades:Identifier><xades:Description>"
          "Profile for High Performance Digital Signatures (version 1.2)"
          "</xades:Description></xades:SigPolicyId><xades:SigPolicyHash>",
          "ds:DigestMethod", SHA512,
          "<ds:DigestValue>" POLICY_HASH "</ds:DigestValue></xades:SigPolicyHash>"
          "<xades:SigPolicyQualifiers><xades:SigPolicyQualifier>"
          "<xades:SPURI>https://repo.cyber.ee/dsig-profile-1.2.pdf</xades:SPURI>"
          "</xades:SigPolicyQualifier></xades:SigPolicyQualifiers>"
          "</xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>"
          "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
          "<xades:DataObjectFormat ObjectReference=\"#signature-reference-0\"><xades:MimeType>",
          XADES_FIELD_MIME),
    SAME("</xades:MimeType></xades:DataObjectFormat></xades:SignedDataObjectProperties>"
         "</xades:SignedProperties>", XADES_FIELD_NONE),
};
/* clang-format on */

#define UNSIGNED "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
#define OCSP_LIST "<xades:RevocationValues><xades:OCSPValues>"
#define OCSP_END "</xades:EncapsulatedOCSPValue>"
#define TAIL                                                                                       \
    "</xades:OCSPValues></xades:RevocationValues></xades:UnsignedSignatureProperties>"             \
    "</xades:UnsignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature>"          \
    "</asic:XAdESSignatures>"

#define PART(p) p, sizeof(p) / sizeof((p)[0])

/* --- writing --- */

static void put(const struct xades_form *f, const struct piece *p, size_t n, bool canonical,
                struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (canonical)
            buf_add(out, p[i].canonical, p[i].canonical_n);
        else
            buf_add(out, p[i].text, p[i].text_n);
        buf_slice(out, f->field[p[i].field]);
    }
}

void xades_form_canonical(const struct xades_form *f, enum xades_form_part part, struct buf *out)
{
    if (part == XADES_FORM_INFO)
        put(f, PART(signed_info), true, out);
    else
        put(f, PART(signed_properties), true, out);
}

/* Start tag of the response with this number, from 1. */
static size_t ocsp_tag(size_t number, char out[64])
{
    return (size_t)snprintf(out, 64, "<xades:EncapsulatedOCSPValue Id=\"ocsp-response-%zu\">",
                            number);
}

void xades_form_print(const struct xades_form *f, struct slice unsigned_first, struct buf *out)
{
    put(f, PART(head), false, out);
    put(f, PART(signed_info), false, out);
    put(f, PART(middle), false, out);
    put(f, PART(signed_properties), false, out);
    buf_str(out, UNSIGNED);
    buf_slice(out, unsigned_first);
    buf_str(out, OCSP_LIST);
    for (size_t i = 0; i < f->n_ocsp; i++) {
        char tag[64];
        buf_add(out, tag, ocsp_tag(i + 1, tag));
        buf_slice(out, f->ocsp[i]);
        buf_str(out, OCSP_END);
    }
    buf_str(out, TAIL);
}

/* --- reading --- */

/* Text that means the same to every XML parser and is its own canonical form. */
static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&' || c == '"' || c == 0xef)
            return false;
    }
    return slice_is_utf8(s);
}

static bool match(struct slice *rest, const struct piece *p, size_t n, struct xades_form *f)
{
    for (size_t i = 0; i < n; i++) {
        if (!slice_skip(rest, slice_of(p[i].text, p[i].text_n)))
            return false;
        struct slice *field = &f->field[p[i].field];
        switch (p[i].field) {
        case XADES_FIELD_NONE:
            break;
        case XADES_FIELD_ALG:
        case XADES_FIELD_URI:
            if (!slice_until(rest, '"', field) || !is_plain(*field))
                return false;
            break;
        case XADES_FIELD_DATA:
        case XADES_FIELD_PROPERTIES:
        case XADES_FIELD_VALUE:
        case XADES_FIELD_CERT:
            if (!slice_until(rest, '<', field))
                return false;
            break;
        default:
            if (!slice_until(rest, '<', field) || !is_plain(*field))
                return false;
        }
    }
    return true;
}

static bool match_ocsp(struct slice *rest, struct xades_form *f)
{
    if (!slice_skip(rest, SLICE_LIT(OCSP_LIST)))
        return false;
    char tag[64];
    while (f->n_ocsp < XADES_FORM_OCSP_MAX &&
           slice_skip(rest, slice_of(tag, ocsp_tag(f->n_ocsp + 1, tag)))) {
        if (!slice_until(rest, '<', &f->ocsp[f->n_ocsp++]) ||
            !slice_skip(rest, SLICE_LIT(OCSP_END)))
            return false;
    }
    return f->n_ocsp > 0;
}

bool xades_form_match(struct slice text, struct xades_form *out)
{
    memset(out, 0, sizeof *out);
    return match(&text, PART(head), out) && match(&text, PART(signed_info), out) &&
           match(&text, PART(middle), out) && match(&text, PART(signed_properties), out) &&
           slice_skip(&text, SLICE_LIT(UNSIGNED)) && match_ocsp(&text, out) &&
           slice_skip(&text, SLICE_LIT(TAIL)) && text.n == 0;
}
