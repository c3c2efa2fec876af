#include "evidence/soap_peek.h"

#include "base/err.h"
#include "wire/xml.h"

#define ENVELOPE "http://schemas.xmlsoap.org/soap/envelope/"
#define HEADER "http://x-road.eu/xsd/xroad.xsd"
#define IDENTIFIERS "http://x-road.eu/xsd/identifiers"

static int missing(const char *what, struct diag *d)
{
    return diag_set(d, ERR_INVALID_MESSAGE, "the SOAP message has no %s", what);
}

/* The one header field of this name. */
static int field(const struct xml_node *header, const char *name, const struct xml_node **out,
                 struct diag *d)
{
    *out = xml_child(header, HEADER, name);
    if (*out == NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "the SOAP header has no field %s", name);
    if (xml_next(*out, HEADER, name) != NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "the SOAP header has field %s twice", name);
    return 0;
}

/* The text of an identifier's part; an optional one may be absent, none may be empty or doubled. */
static int id_part(struct arena *a, const struct xml_node *e, const char *name, bool optional,
                   struct slice *out, struct diag *d)
{
    const struct xml_node *c = xml_child(e, IDENTIFIERS, name);
    *out = SLICE_NONE;
    if (c == NULL && optional)
        return 0;
    if (c == NULL || xml_next(c, IDENTIFIERS, name) != NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "the identifier in SOAP header field %.*s %s %s",
                        SLICE_ARG(e->local), c == NULL ? "has no" : "has twice", name);
    *out = xml_text(a, c);
    if (out->n == 0)
        return diag_set(d, ERR_INVALID_MESSAGE,
                        "the identifier in SOAP header field %.*s has an empty %s",
                        SLICE_ARG(e->local), name);
    return 0;
}

static int client_parts(struct arena *a, const struct xml_node *e, struct id_client *out,
                        struct diag *d)
{
    int rc = id_part(a, e, "xRoadInstance", false, &out->instance, d);
    if (rc == 0)
        rc = id_part(a, e, "memberClass", false, &out->member_class, d);
    if (rc == 0)
        rc = id_part(a, e, "memberCode", false, &out->member_code, d);
    if (rc == 0)
        rc = id_part(a, e, "subsystemCode", true, &out->subsystem, d);
    return rc;
}

static int read_client(struct arena *a, const struct xml_node *header, struct id_client *out,
                       struct diag *d)
{
    const struct xml_node *e;
    int rc = field(header, "client", &e, d);
    if (rc != 0)
        return rc;
    struct slice type = xml_attr(e, IDENTIFIERS, "objectType");
    if (!slice_eq_str(type, "SUBSYSTEM") && !slice_eq_str(type, "MEMBER"))
        return diag_set(d, ERR_INVALID_MESSAGE,
                        "SOAP header field client is neither member nor subsystem");
    return client_parts(a, e, out, d);
}

static int read_service(struct arena *a, const struct xml_node *header, struct id_service *out,
                        struct diag *d)
{
    const struct xml_node *e;
    int rc = field(header, "service", &e, d);
    if (rc != 0)
        return rc;
    if (!slice_eq_str(xml_attr(e, IDENTIFIERS, "objectType"), "SERVICE"))
        return diag_set(d, ERR_INVALID_MESSAGE, "SOAP header field service is no service");
    rc = client_parts(a, e, &out->provider, d);
    if (rc == 0)
        rc = id_part(a, e, "serviceCode", false, &out->code, d);
    if (rc == 0)
        rc = id_part(a, e, "serviceVersion", true, &out->version, d);
    return rc;
}

static int read_header(struct arena *a, const struct xml_node *header, struct soap_peek *out,
                       struct diag *d)
{
    const struct xml_node *id, *version;
    int rc = field(header, "id", &id, d);
    if (rc == 0)
        rc = field(header, "protocolVersion", &version, d);
    if (rc != 0)
        return rc;
    out->id = xml_text(a, id);
    if (!slice_starts(xml_text(a, version), "4."))
        return diag_set(d, ERR_INVALID_MESSAGE, "SOAP protocol version %.*s is unknown",
                        SLICE_ARG(xml_text(a, version)));
    rc = read_client(a, header, &out->client, d);
    return rc != 0 ? rc : read_service(a, header, &out->service, d);
}

/* One element, whose name begins with the service's code. */
static int read_body(const struct xml_node *body, struct soap_peek *out, struct diag *d)
{
    const struct xml_node *e = xml_first_element(body);
    if (e == NULL || xml_next_element(e) != NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "the SOAP body has not exactly one element");
    if (e->local.n < out->service.code.n ||
        !slice_eq(slice_sub(e->local, 0, out->service.code.n), out->service.code))
        return diag_set(d, ERR_INVALID_MESSAGE,
                        "SOAP body element %.*s does not begin with service code %.*s",
                        SLICE_ARG(e->local), SLICE_ARG(out->service.code));
    out->response = slice_ends(e->local, "Response");
    return 0;
}

int soap_peek(struct arena *a, struct slice text, struct soap_peek *out, struct diag *d)
{
    *out = (struct soap_peek){0};
    struct xml_doc doc;
    int rc = xml_parse(a, text, &doc, d);
    if (rc == ERR_INVALID_XML) {
        if (d != NULL)
            d->code = ERR_INVALID_SOAP;
        return ERR_INVALID_SOAP;
    }
    if (rc != 0)
        return rc;
    if (!xml_is(doc.root, ENVELOPE, "Envelope"))
        return diag_set(d, ERR_INVALID_SOAP, "the root of the message is not a SOAP envelope");
    const struct xml_node *body = xml_child(doc.root, ENVELOPE, "Body");
    if (body == NULL || xml_next(body, ENVELOPE, "Body") != NULL)
        return missing("single Body", d);
    if (xml_child(body, ENVELOPE, "Fault") != NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "the SOAP message is a fault");
    const struct xml_node *header = xml_child(doc.root, ENVELOPE, "Header");
    if (header == NULL || xml_next(header, ENVELOPE, "Header") != NULL)
        return missing("single Header", d);
    rc = read_header(a, header, out, d);
    return rc != 0 ? rc : read_body(body, out, d);
}
