/*
 * Signature documents, read (signature.md 2, 6): found once, decoded once. X-Road looks the
 * prefixes ds: and xades: up literally, so they must stand as such.
 */
#include "evidence/xades.h"

#include "base/base64.h"
#include "base/err.h"
#include "base/timeval.h"
#include "evidence/xades_doc.h"
#include "evidence/xades_form.h"

#include <string.h>

#define OWN_PART_MAX (64u << 10)

static int malformed(struct diag *d, const char *what)
{
    return diag_set(d, ERR_MALFORMED_SIGNATURE, "%s", what);
}

const struct xml_node *xades_doc_by_id(const struct xades *x, struct slice id)
{
    for (size_t i = 0; i < x->n_ids; i++) {
        if (slice_eq(x->id[i].id, id))
            return x->id[i].node;
    }
    return NULL;
}

const struct xml_node *xades_doc_child(const struct xml_node *e, const char *local)
{
    if (e == NULL)
        return NULL;
    const struct xml_node *c = xml_child(e, XADES_NS, local);
    while (c != NULL && !slice_eq_str(c->prefix, "xades"))
        c = xml_next(c, XADES_NS, local);
    return c;
}

int xades_doc_bytes(struct xades *x, const struct xml_node *e, struct slice *out, struct diag *d)
{
    struct slice text = xml_text(x->arena, e);
    struct buf b;
    buf_init(&b, text.n + 4);
    int rc = base64_decode(&b, text, true);
    *out = rc == 0 ? arena_dup(x->arena, buf_view(&b)) : SLICE_NONE;
    buf_free(&b);
    if (rc != 0)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "%.*s is not base64", SLICE_ARG(e->local));
    if (out->p == NULL)
        return diag_set(d, ERR_TOO_LARGE, "the signature document needs too much memory");
    return 0;
}

int xades_doc_digest(struct xades *x, const struct xml_node *method, struct digest *out,
                     struct diag *d)
{
    if (method == NULL || !xml_is(method, XADES_DS, "DigestMethod"))
        return malformed(d, "DigestMethod is missing");
    enum digest_alg alg = digest_from_uri(xml_attr(method, "", "Algorithm"));
    if (alg == DIGEST_NONE)
        return malformed(d, "unknown digest algorithm");
    const struct xml_node *value = xml_next_element(method);
    if (value == NULL || !xml_is(value, XADES_DS, "DigestValue"))
        return malformed(d, "DigestValue is missing");
    struct slice bytes;
    int rc = xades_doc_bytes(x, value, &bytes, d);
    if (rc != 0)
        return rc;
    if (bytes.n != digest_len(alg))
        return malformed(d, "DigestValue is not as long as its algorithm's digests");
    memset(out, 0, sizeof *out);
    out->alg = alg;
    out->n = (uint8_t)bytes.n;
    memcpy(out->b, bytes.p, bytes.n);
    return 0;
}

/* One walk over the document: Ids, the first ds:Signature and the first ds:Object. */
static int index_document(struct xades *x, const struct xml_node *root,
                          const struct xml_node **object, struct diag *d)
{
    for (const struct xml_node *e = root; e != NULL; e = xml_walk(root, e)) {
        struct slice id = xml_attr(e, "", "Id");
        if (id.p != NULL) {
            if (xades_doc_by_id(x, id) != NULL)
                return diag_set(d, ERR_MALFORMED_SIGNATURE, "the Id %.*s stands twice",
                                SLICE_ARG(id));
            if (x->n_ids == XADES_IDS_MAX)
                return malformed(d, "too many Ids");
            x->id[x->n_ids++] = (struct xades_id){id, e};
        }
        if (!slice_eq_str(e->prefix, "ds") || !slice_eq_str(e->uri, XADES_DS))
            continue;
        if (x->signature == NULL && slice_eq_str(e->local, "Signature"))
            x->signature = e;
        else if (*object == NULL && slice_eq_str(e->local, "Object"))
            *object = e;
    }
    if (x->signature == NULL)
        return malformed(d, "Could not find element \"ds:Signature\"");
    if (*object == NULL)
        return malformed(d, "Could not find element \"ds:Object\"");
    return 0;
}

/* Algorithm and PrefixList of a CanonicalizationMethod or Transform. */
static int read_c14n(const struct xml_node *e, struct xades_c14n *out, struct diag *d)
{
    struct slice uri = xml_attr(e, "", "Algorithm");
    *out = (struct xades_c14n){XML_C14N_INCLUSIVE, SLICE_NONE};
    if (slice_eq_str(uri, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"))
        return 0;
    if (!slice_eq_str(uri, "http://www.w3.org/2001/10/xml-exc-c14n#"))
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "%.*s has unsupported algorithm %.*s",
                        SLICE_ARG(e->local), SLICE_ARG(uri));
    out->how = XML_C14N_EXCLUSIVE;
    const struct xml_node *list =
        xml_child(e, "http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces");
    if (list != NULL)
        out->prefixes = xml_attr(list, "", "PrefixList");
    return 0;
}

static int read_reference(struct xades *x, const struct xml_node *e, struct diag *d)
{
    if (x->n_refs == XADES_REFERENCES_MAX)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "more than %d references",
                        XADES_REFERENCES_MAX);
    struct xades_reference *r = &x->ref[x->n_refs++];
    r->uri = xml_attr(e, "", "URI");
    if (r->uri.p == NULL)
        return malformed(d, "a reference has no URI");
    const struct xml_node *c = xml_first_element(e);
    if (c != NULL && xml_is(c, XADES_DS, "Transforms")) {
        r->transforms = true;
        const struct xml_node *t = xml_first_element(c);
        if (t == NULL || !xml_is(t, XADES_DS, "Transform") || xml_next_element(t) != NULL)
            return malformed(d, "a reference has other Transforms than one canonicalisation");
        int rc = read_c14n(t, &r->c14n, d);
        if (rc != 0)
            return rc;
        c = xml_next_element(c);
    }
    return xades_doc_digest(x, c, &r->digest, d);
}

static int read_signed_info(struct xades *x, struct diag *d)
{
    const struct xml_node *e = xml_first_element(x->signed_info);
    if (e == NULL || !xml_is(e, XADES_DS, "CanonicalizationMethod"))
        return malformed(d, "CanonicalizationMethod is missing");
    int rc = read_c14n(e, &x->c14n, d);
    if (rc != 0)
        return rc;
    e = xml_next_element(e);
    if (e == NULL || !xml_is(e, XADES_DS, "SignatureMethod"))
        return malformed(d, "SignatureMethod is missing");
    struct slice uri = xml_attr(e, "", "Algorithm");
    x->alg = sign_alg_from_uri(uri);
    if (x->alg == NULL || xml_first_element(e) != NULL)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "unsupported signature algorithm %.*s",
                        SLICE_ARG(uri));
    for (e = xml_next_element(e); e != NULL; e = xml_next_element(e)) {
        if (!xml_is(e, XADES_DS, "Reference"))
            return malformed(d, "SignedInfo holds something else than references");
        rc = read_reference(x, e, d);
        if (rc != 0)
            return rc;
    }
    return x->n_refs > 0 ? 0 : malformed(d, "SignedInfo has no reference");
}

static int read_signature(struct xades *x, struct diag *d)
{
    const struct xml_node *e = xml_first_element(x->signature);
    if (e == NULL || !xml_is(e, XADES_DS, "SignedInfo"))
        return malformed(d, "SignedInfo is missing");
    x->signed_info = e;
    int rc = read_signed_info(x, d);
    if (rc != 0)
        return rc;
    e = xml_next_element(e);
    if (e == NULL || !xml_is(e, XADES_DS, "SignatureValue"))
        return malformed(d, "SignatureValue is missing");
    rc = xades_doc_bytes(x, e, &x->value, d);
    if (rc != 0)
        return rc;
    e = xml_next_element(e);
    if (e == NULL || !xml_is(e, XADES_DS, "KeyInfo"))
        return 0;
    const struct xml_node *data = xml_child(e, XADES_DS, "X509Data");
    const struct xml_node *cert =
        data == NULL ? NULL : xml_child(data, XADES_DS, "X509Certificate");
    return cert == NULL ? 0 : xades_doc_bytes(x, cert, &x->cert_der, d);
}

/* For old documents the token is the text of SignatureTimeStamp itself. */
static int read_timestamp(struct xades *x, struct diag *d)
{
    const struct xml_node *stamp = xades_doc_child(x->unsigned_properties, "SignatureTimeStamp");
    if (stamp == NULL)
        return 0;
    const struct xml_node *token = xades_doc_child(stamp, "EncapsulatedTimeStamp");
    return xades_doc_bytes(x, token != NULL ? token : stamp, &x->timestamp, d);
}

static int read_ocsp(struct xades *x, struct diag *d)
{
    const struct xml_node *values =
        xades_doc_child(xades_doc_child(x->unsigned_properties, "RevocationValues"), "OCSPValues");
    if (values == NULL)
        return 0;
    for (const struct xml_node *e = xades_doc_child(values, "EncapsulatedOCSPValue"); e != NULL;
         e = xml_next(e, XADES_NS, "EncapsulatedOCSPValue")) {
        if (x->n_ocsp == XADES_OCSP_MAX)
            return diag_set(d, ERR_MALFORMED_SIGNATURE, "more than %d OCSP responses",
                            XADES_OCSP_MAX);
        int rc = xades_doc_bytes(x, e, &x->ocsp[x->n_ocsp++], d);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int read_properties(struct xades *x, const struct xml_node *object, struct diag *d)
{
    const struct xml_node *q = xades_doc_child(object, "QualifyingProperties");
    const struct xml_node *time = xades_doc_child(
        xades_doc_child(xades_doc_child(q, "SignedProperties"), "SignedSignatureProperties"),
        "SigningTime");
    if (time != NULL && !timeval_parse_iso(xml_text(x->arena, time), &x->signing_time_ms))
        x->signing_time_ms = 0;
    x->unsigned_properties =
        xades_doc_child(xades_doc_child(q, "UnsignedProperties"), "UnsignedSignatureProperties");
    int rc = read_timestamp(x, d);
    return rc != 0 ? rc : read_ocsp(x, d);
}

/* --- documents of our own form --- */

static bool own_bytes(struct xades *x, struct slice text, struct slice *out)
{
    struct buf b;
    buf_init(&b, text.n + 4);
    bool good = base64_decode(&b, text, false) == 0;
    *out = good ? arena_dup(x->arena, buf_view(&b)) : SLICE_NONE;
    buf_free(&b);
    return out->p != NULL;
}

static bool own_reference(struct xades *x, struct slice uri, struct slice digest)
{
    struct xades_reference *r = &x->ref[x->n_refs++];
    struct slice bytes;
    r->uri = arena_dup(x->arena, uri);
    if (r->uri.p == NULL || !own_bytes(x, digest, &bytes) || bytes.n != 64)
        return false;
    r->digest = (struct digest){.alg = DIGEST_SHA512, .n = 64};
    memcpy(r->digest.b, bytes.p, 64);
    return true;
}

static bool own_canonical(struct xades *x, const struct xades_form *f, enum xades_form_part part,
                          struct slice *out)
{
    struct buf b;
    buf_init(&b, OWN_PART_MAX);
    xades_form_canonical(f, part, &b);
    *out = b.failed ? SLICE_NONE : arena_dup(x->arena, buf_view(&b));
    buf_free(&b);
    return out->p != NULL;
}

/* False: it is no such document, or not quite; the XML parser says more. */
static bool read_own_form(struct xades *x, struct slice text)
{
    struct xades_form f;
    if (!xades_form_match(text, &f))
        return false;
    x->alg = sign_alg_from_uri(f.field[XADES_FIELD_ALG]);
    if (x->alg == NULL || !own_bytes(x, f.field[XADES_FIELD_VALUE], &x->value) ||
        !own_bytes(x, f.field[XADES_FIELD_CERT], &x->cert_der) ||
        !own_reference(x, f.field[XADES_FIELD_URI], f.field[XADES_FIELD_DATA]) ||
        !own_reference(x, SLICE_LIT("#signed-properties"), f.field[XADES_FIELD_PROPERTIES]) ||
        !own_canonical(x, &f, XADES_FORM_INFO, &x->own_info) ||
        !own_canonical(x, &f, XADES_FORM_PROPERTIES, &x->own_properties))
        return false;
    for (x->n_ocsp = 0; x->n_ocsp < f.n_ocsp; x->n_ocsp++) {
        if (!own_bytes(x, f.ocsp[x->n_ocsp], &x->ocsp[x->n_ocsp]))
            return false;
    }
    if (!timeval_parse_iso(f.field[XADES_FIELD_TIME], &x->signing_time_ms))
        x->signing_time_ms = 0;
    x->own_form = true;
    return true;
}

/* --- any document --- */

/* signature.md 6 step 2, without its hole: the signature stands first in its document. */
static int check_strict(const struct xades *x, const struct xml_node *root, struct diag *d)
{
    if (root == x->signature)
        return xades_schema_check(x->signed_info, d);
    if (xml_first_element(root) != x->signature)
        return malformed(d, "ds:Signature is not the first element in the document");
    return xades_schema_check(x->signature, d);
}

static int read_document(struct xades *x, struct slice text, bool strict, struct diag *d)
{
    struct xml_doc doc;
    int rc = xml_parse(x->arena, text, &doc, d);
    if (rc != 0)
        return rc;
    const struct xml_node *object = NULL;
    rc = index_document(x, doc.root, &object, d);
    if (rc == 0)
        rc = read_signature(x, d);
    if (rc == 0 && strict)
        rc = check_strict(x, doc.root, d);
    return rc != 0 ? rc : read_properties(x, object, d);
}

int xades_parse(struct arena *a, struct slice text, bool strict, struct xades **out, struct diag *d)
{
    struct xades *x = arena_zalloc(a, sizeof *x);
    if (x == NULL)
        return diag_set(d, ERR_TOO_LARGE, "the signature document needs too much memory");
    x->arena = a;
    if (!read_own_form(x, text)) {
        memset(x, 0, sizeof *x);
        x->arena = a;
        int rc = read_document(x, text, strict, d);
        if (rc != 0)
            return rc;
    }
    *out = x;
    return 0;
}

void xades_free(struct xades *x)
{
    if (x == NULL)
        return;
    cert_free(x->cert);
    for (size_t i = 0; i < x->n_extra; i++)
        cert_free(x->extra[i]);
    x->cert = NULL;
    x->n_extra = 0;
}

struct slice xades_value(const struct xades *x)
{
    return x->value;
}

struct slice xades_timestamp(const struct xades *x)
{
    return x->timestamp;
}

size_t xades_ocsp(const struct xades *x, const struct slice **out)
{
    *out = x->ocsp;
    return x->n_ocsp;
}

bool xades_references(const struct xades *x, const char *uri)
{
    for (size_t i = 0; i < x->n_refs; i++) {
        if (slice_eq_str(x->ref[i].uri, uri))
            return true;
    }
    return false;
}

int64_t xades_signing_time(const struct xades *x)
{
    return x->signing_time_ms;
}
