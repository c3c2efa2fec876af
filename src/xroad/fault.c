#include "xroad/fault.h"

#include "base/err.h"
#include "wire/json.h"
#include "wire/xml.h"
#include "wire/xml_escape.h"

#include <stdio.h>
#include <string.h>

/* Codes of our own have no name that a peer knows. */
static const char *base_code(int code)
{
    switch (code) {
    case ERR_EOF:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
    case ERR_DISK_FULL:
    case ERR_AGAIN:
        return err_name(ERR_IO);
    case ERR_NONE:
    case ERR_NOMEM:
    case ERR_TOO_LARGE:
    case ERR_SYNTAX:
    case ERR_USAGE:
    case ERR_CORRUPT:
    case ERR_EXISTS:
    case ERR_DENIED:
        return err_name(ERR_INTERNAL);
    default:
        return err_name(code);
    }
}

/* What XML and header values cannot hold becomes "?"; a sequence cut in the middle goes. */
static void clean(char *text)
{
    for (char *p = text; *p != 0; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : '?';
    size_t n = strlen(text);
    for (int cut = 0; cut < 4 && n > 0 && !slice_is_utf8(slice_of(text, n)); cut++)
        text[--n] = 0;
    if (slice_is_utf8(slice_of(text, n)))
        return;
    for (char *p = text; *p != 0; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
}

static void put(char *out, size_t cap, struct slice s)
{
    snprintf(out, cap, "%.*s", SLICE_ARG(slice_sub(s, 0, cap)));
    clean(out);
}

void fault_make(struct fault *f, const char *prefix, const struct diag *d, const char *uuid)
{
    snprintf(f->code, sizeof f->code, "%s", base_code(d->code));
    if (prefix[0] != 0)
        fault_prefix(f, prefix);
    diag_print(d, f->text, sizeof f->text);
    clean(f->text);
    snprintf(f->detail, sizeof f->detail, "%s", uuid);
}

void fault_prefix(struct fault *f, const char *p)
{
    char old[FAULT_CODE_MAX];
    if (slice_starts(slice_str(f->code), p))
        return;
    memcpy(old, f->code, sizeof old);
    const char *dot = slice_ends(slice_str(p), ".") ? "" : ".";
    int n = snprintf(f->code, sizeof f->code, "%s%s%s", p, dot, old);
    if (n < 0 || n >= (int)sizeof f->code) /* no path leads here: prefixes are short */
        snprintf(f->code, sizeof f->code, "%s", err_name(ERR_INTERNAL));
}

/* --- SOAP --- */

/* Text as X-Road escapes it: quotes too. */
static void escape(struct buf *out, const char *text)
{
    static const char *const table[XML_ESCAPES] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&apos;"};
    xml_escape_by(out, slice_str(text), table);
}

void fault_to_soap(const struct fault *f, struct buf *out)
{
    buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope "
                 "xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body>"
                 "<SOAP-ENV:Fault><faultcode>");
    escape(out, f->code);
    buf_str(out, "</faultcode><faultstring>");
    escape(out, f->text);
    buf_str(out, "</faultstring><faultactor></faultactor><detail><faultDetail xmlns=\"\">");
    escape(out, f->detail);
    buf_str(out, "</faultDetail></detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>");
}

static const struct xml_node *child(const struct xml_node *e, const char *local)
{
    const struct xml_node *c = e == NULL ? NULL : xml_first_element(e);
    while (c != NULL && !slice_eq_str(c->local, local))
        c = xml_next_element(c);
    return c;
}

int fault_from_soap(struct arena *a, struct slice xml, struct fault *out, struct diag *d)
{
    struct xml_doc doc;
    int err = xml_parse(a, xml, &doc, d);
    if (err == ERR_NOMEM)
        return err;
    if (err != 0) {
        if (d != NULL)
            d->code = ERR_INVALID_SOAP;
        return ERR_INVALID_SOAP;
    }
    if (!slice_eq_str(doc.root->local, "Envelope"))
        return diag_set(d, ERR_INVALID_SOAP, "the document is no SOAP envelope");
    const struct xml_node *body = child(doc.root, "Body"), *fault = child(body, "Fault");
    const struct xml_node *code = child(fault, "faultcode");
    if (body == NULL)
        return diag_set(d, ERR_MISSING_BODY, "the SOAP message has no body");
    if (fault == NULL)
        return diag_set(d, ERR_INVALID_MESSAGE, "Expected a fault, but the SOAP message is none");
    if (code == NULL)
        return diag_set(d, ERR_INVALID_SOAP, "the SOAP fault has no code");
    const struct xml_node *text = child(fault, "faultstring"), *detail = child(fault, "detail");
    const struct xml_node *inner = child(detail, "faultDetail");
    put(out->code, sizeof out->code, slice_trim(xml_text(a, code)));
    put(out->text, sizeof out->text, text == NULL ? SLICE_LIT("") : xml_text(a, text));
    if (inner != NULL)
        detail = inner;
    put(out->detail, sizeof out->detail,
        detail == NULL ? SLICE_LIT("") : slice_trim(xml_text(a, detail)));
    return 0;
}

/* --- REST --- */

int fault_http_status(const struct fault *f)
{
    return slice_istarts(slice_str(f->code), "server.") ? 500 : 400;
}

/* The Content-Type of the first Accept value that asks for XML; NULL when none does. */
static const char *wants_xml(struct slice accept)
{
    struct slice value;
    while (slice_next(&accept, ',', &value)) {
        size_t semicolon = slice_find(value, ';');
        if (semicolon != SIZE_MAX)
            value = slice_sub(value, 0, semicolon);
        value = slice_trim(value);
        if (slice_ieq_str(value, "text/xml") || slice_ieq_str(value, "text/*"))
            return "text/xml;charset=utf-8";
        if (slice_ieq_str(value, "application/xml"))
            return "application/xml;charset=utf-8";
    }
    return NULL;
}

void fault_to_rest(const struct fault *f, struct slice accept, struct buf *body,
                   const char **content_type)
{
    *content_type = wants_xml(accept);
    if (*content_type == NULL) {
        *content_type = "application/json";
        struct json_out j;
        json_begin(&j, body);
        json_open(&j, '{');
        json_kstr(&j, "type", f->code);
        json_kstr(&j, "message", f->text);
        json_kstr(&j, "detail", f->detail);
        json_close(&j, '}');
        return;
    }
    buf_str(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error><type>");
    xml_escape(body, slice_str(f->code));
    buf_str(body, "</type><message>");
    xml_escape(body, slice_str(f->text));
    buf_str(body, "</message><detail>");
    xml_escape(body, slice_str(f->detail));
    buf_str(body, "</detail></error>");
}
