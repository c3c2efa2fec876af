/*
 * The form of the signature documents that we write (signature.md 2): one table of fixed pieces and
 * fields, from which the document, its canonical parts, and the reader of just such documents are
 * made. The reader spares the XML parser: a document that is these pieces octet for octet, with
 * nothing but plain text in the fields, has one meaning. Not for other folders.
 */
#ifndef SILD_EVIDENCE_XADES_FORM_H
#define SILD_EVIDENCE_XADES_FORM_H

#include "base/arena.h"
#include "base/buf.h"

#define XADES_FORM_OCSP_MAX 8

enum xades_field {
    XADES_FIELD_NONE,
    XADES_FIELD_ALG,         /* URI of the signature algorithm */
    XADES_FIELD_URI,         /* of the data */
    XADES_FIELD_DATA,        /* SHA-512 of the data */
    XADES_FIELD_PROPERTIES,  /* SHA-512 of the canonical SignedProperties */
    XADES_FIELD_VALUE,       /* SignatureValue */
    XADES_FIELD_CERT,        /* DER of the signing certificate */
    XADES_FIELD_TIME,        /* SigningTime */
    XADES_FIELD_CERT_DIGEST, /* SHA-512 of the signing certificate */
    XADES_FIELD_ISSUER,
    XADES_FIELD_SERIAL,
    XADES_FIELD_MIME, /* of the data */
    XADES_FIELDS,
};

/* Fields as they stand in the document: base64 where they are bytes, escaped where they are text.
 */
struct xades_form {
    struct slice field[XADES_FIELDS];
    struct slice ocsp[XADES_FORM_OCSP_MAX];
    size_t n_ocsp;
};

enum xades_form_part {
    XADES_FORM_INFO,       /* SignedInfo */
    XADES_FORM_PROPERTIES, /* SignedProperties */
};

/* Appends the canonical octets of a part; only its own fields need be set. */
void xades_form_canonical(const struct xades_form *f, enum xades_form_part part, struct buf *out);
/* Appends the document. unsigned_first: what stands before the OCSP responses among the unsigned
 * properties. */
void xades_form_print(const struct xades_form *f, struct slice unsigned_first, struct buf *out);
/*
 * True when the document is of this form and its text fields are plain; the fields are borrowed
 * from it. Fields of bytes are not looked at: whoever decodes them must refuse white space.
 */
bool xades_form_match(struct slice text, struct xades_form *out);

#endif
