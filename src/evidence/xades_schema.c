/*
 * The structure of signature documents as the schemas of XML signatures and XAdES 1.3.2 have it, as
 * far as X-Road writes them (signature.md 6 step 2, 6.4): one table of content models. Elements
 * that are not in the table may hold anything.
 */
#include "base/err.h"
#include "evidence/xades_doc.h"

#include <string.h>

enum space {
    SPACE_DS,
    SPACE_XADES,
};

enum occurs {
    ONE,
    OPTIONAL,
    SOME, /* one or more */
    ANY,
};

struct particle {
    const char *local;
    uint8_t n, space, occurs;
};

struct model {
    struct particle of;
    bool choice;           /* any order and number, at least one; else a sequence */
    struct particle p[14]; /* ends with an empty one */
};

#define DS_(name, occurs)                                                                          \
    {                                                                                              \
        name, sizeof(name) - 1, SPACE_DS, occurs                                                   \
    }
#define XA_(name, occurs)                                                                          \
    {                                                                                              \
        name, sizeof(name) - 1, SPACE_XADES, occurs                                                \
    }

/* clang-format off */
static const struct model models[] = {
    {DS_("Signature", ONE), false,
     {DS_("SignedInfo", ONE), DS_("SignatureValue", ONE), DS_("KeyInfo", OPTIONAL),
      DS_("Object", ANY)}},
    {DS_("SignedInfo", ONE), false,
     {DS_("CanonicalizationMethod", ONE), DS_("SignatureMethod", ONE), DS_("Reference", SOME)}},
    {DS_("Reference", ONE), false,
     {DS_("Transforms", OPTIONAL), DS_("DigestMethod", ONE), DS_("DigestValue", ONE)}},
    {DS_("Transforms", ONE), false, {DS_("Transform", SOME)}},
    {XA_("QualifyingProperties", ONE), false,
     {XA_("SignedProperties", OPTIONAL), XA_("UnsignedProperties", OPTIONAL)}},
    {XA_("SignedProperties", ONE), false,
     {XA_("SignedSignatureProperties", ONE), XA_("SignedDataObjectProperties", OPTIONAL)}},
    {XA_("SignedSignatureProperties", ONE), false,
     {XA_("SigningTime", OPTIONAL), XA_("SigningCertificate", OPTIONAL),
      XA_("SignaturePolicyIdentifier", OPTIONAL), XA_("SignatureProductionPlace", OPTIONAL),
      XA_("SignerRole", OPTIONAL)}},
    {XA_("SigningCertificate", ONE), false, {XA_("Cert", SOME)}},
    {XA_("CertRefs", ONE), false, {XA_("Cert", SOME)}},
    {XA_("Cert", ONE), false, {XA_("CertDigest", ONE), XA_("IssuerSerial", ONE)}},
    {XA_("CertDigest", ONE), false, {DS_("DigestMethod", ONE), DS_("DigestValue", ONE)}},
    {XA_("IssuerSerial", ONE), false, {DS_("X509IssuerName", ONE), DS_("X509SerialNumber", ONE)}},
    {XA_("SignaturePolicyIdentifier", ONE), true,
     {XA_("SignaturePolicyId", ONE), XA_("SignaturePolicyImplied", ONE)}},
    {XA_("SignaturePolicyId", ONE), false,
     {XA_("SigPolicyId", ONE), DS_("Transforms", OPTIONAL), XA_("SigPolicyHash", ONE),
      XA_("SigPolicyQualifiers", OPTIONAL)}},
    {XA_("SigPolicyId", ONE), false,
     {XA_("Identifier", ONE), XA_("Description", OPTIONAL),
      XA_("DocumentationReferences", OPTIONAL)}},
    {XA_("SigPolicyHash", ONE), false, {DS_("DigestMethod", ONE), DS_("DigestValue", ONE)}},
    {XA_("SigPolicyQualifiers", ONE), false, {XA_("SigPolicyQualifier", SOME)}},
    {XA_("SignedDataObjectProperties", ONE), false,
     {XA_("DataObjectFormat", ANY), XA_("CommitmentTypeIndication", ANY),
      XA_("AllDataObjectsTimeStamp", ANY), XA_("IndividualDataObjectsTimeStamp", ANY)}},
    {XA_("DataObjectFormat", ONE), false,
     {XA_("Description", OPTIONAL), XA_("ObjectIdentifier", OPTIONAL), XA_("MimeType", OPTIONAL),
      XA_("Encoding", OPTIONAL)}},
    {XA_("UnsignedProperties", ONE), false,
     {XA_("UnsignedSignatureProperties", OPTIONAL), XA_("UnsignedDataObjectProperties", OPTIONAL)}},
    {XA_("UnsignedSignatureProperties", ONE), true,
     {XA_("CounterSignature", ONE), XA_("SignatureTimeStamp", ONE),
      XA_("CompleteCertificateRefs", ONE), XA_("CompleteRevocationRefs", ONE),
      XA_("AttributeCertificateRefs", ONE), XA_("AttributeRevocationRefs", ONE),
      XA_("SigAndRefsTimeStamp", ONE), XA_("RefsOnlyTimeStamp", ONE), XA_("CertificateValues", ONE),
      XA_("RevocationValues", ONE), XA_("AttrAuthoritiesCertValues", ONE),
      XA_("AttributeRevocationValues", ONE), XA_("ArchiveTimeStamp", ONE)}},
    {XA_("CompleteCertificateRefs", ONE), false, {XA_("CertRefs", ONE)}},
    {XA_("CertificateValues", ONE), false,
     {XA_("EncapsulatedX509Certificate", ANY), XA_("OtherCertificate", ANY)}},
    {XA_("RevocationValues", ONE), false,
     {XA_("CRLValues", OPTIONAL), XA_("OCSPValues", OPTIONAL), XA_("OtherValues", OPTIONAL)}},
    {XA_("OCSPValues", ONE), false, {XA_("EncapsulatedOCSPValue", SOME)}},
};
/* clang-format on */

/* The element's namespace; false when it is neither. */
static bool space_of(const struct xml_node *e, enum space *out)
{
    if (e->uri.n == sizeof XADES_DS - 1 && memcmp(e->uri.p, XADES_DS, e->uri.n) == 0) {
        *out = SPACE_DS;
        return true;
    }
    *out = SPACE_XADES;
    return e->uri.n == sizeof XADES_NS - 1 && memcmp(e->uri.p, XADES_NS, e->uri.n) == 0;
}

static bool is_particle(const struct xml_node *e, enum space space, const struct particle *p)
{
    return e->local.n == p->n && space == p->space && memcmp(e->local.p, p->local, p->n) == 0;
}

static const struct model *model_of(const struct xml_node *e)
{
    enum space space;
    if (!space_of(e, &space))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        if (is_particle(e, space, &models[i].of))
            return &models[i];
    }
    return NULL;
}

static int wrong(const struct xml_node *e, const char *what, const char *name, struct diag *d)
{
    return diag_set(d, ERR_MALFORMED_SIGNATURE, "signature element %.*s: %s%s", SLICE_ARG(e->local),
                    what, name);
}

static int check_choice(const struct model *m, const struct xml_node *e, struct diag *d)
{
    const struct xml_node *c = xml_first_element(e);
    if (c == NULL)
        return wrong(e, "is empty", "", d);
    for (; c != NULL; c = xml_next_element(c)) {
        enum space space;
        if (!space_of(c, &space)) /* other namespaces are allowed where there is a choice */
            continue;
        const struct particle *p = m->p;
        while (p->n > 0 && !is_particle(c, space, p))
            p++;
        if (p->n == 0)
            return wrong(e, "has an unknown child", "", d);
    }
    return 0;
}

static int check_sequence(const struct model *m, const struct xml_node *e, struct diag *d)
{
    const struct xml_node *c = xml_first_element(e);
    for (const struct particle *p = m->p; p->n > 0; p++) {
        unsigned n = 0;
        enum space space;
        while (c != NULL && space_of(c, &space) && is_particle(c, space, p) &&
               (n == 0 || p->occurs == SOME || p->occurs == ANY)) {
            n++;
            c = xml_next_element(c);
        }
        if (n == 0 && (p->occurs == ONE || p->occurs == SOME))
            return wrong(e, "lacks ", p->local, d);
    }
    return c == NULL ? 0 : wrong(e, "has an unknown or misplaced child", "", d);
}

static int check_element(const struct xml_node *e, struct diag *d)
{
    const struct model *m = model_of(e);
    if (m == NULL)
        return 0;
    for (const struct xml_node *c = e->first; c != NULL; c = c->next) {
        if (c->kind == XML_TEXT && slice_trim(c->text).n > 0)
            return wrong(e, "holds text", "", d);
    }
    return m->choice ? check_choice(m, e, d) : check_sequence(m, e, d);
}

int xades_schema_check(const struct xml_node *e, struct diag *d)
{
    for (const struct xml_node *c = e; c != NULL; c = xml_walk(e, c)) {
        int rc = check_element(c, d);
        if (rc != 0)
            return rc;
    }
    return 0;
}
