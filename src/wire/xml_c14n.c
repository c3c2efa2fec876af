/*
 * Canonical XML 1.0 (W3C REC-xml-c14n-20010315) and Exclusive XML Canonicalization 1.0
 * (REC-xml-exc-c14n-20020718), without comments, of one element with all that is in it.
 *
 * Both are one walk. A stack holds the namespace declarations that were written on the open
 * elements; the forms differ only in which declarations an element offers: the inclusive one those
 * made on it (on the apex all in scope), the exclusive one those it uses or that are listed. What
 * the stack already says is left out.
 */
#include "wire/xml.h"

#include "base/err.h"
#include "wire/xml_escape.h"

#include <stdlib.h>

struct binding {
    struct slice prefix, uri;
};

struct canon {
    struct buf *out;
    const struct xml_node *apex;
    enum xml_c14n how;
    struct slice listed; /* the PrefixList */
    struct binding written[XML_NS_MAX];
    size_t n, mark[XML_DEPTH_MAX + 1], depth;
};

/* The name that the prefix has at e; "" when it has none. */
static struct slice in_scope(const struct xml_node *e, struct slice prefix)
{
    for (; e != NULL; e = e->parent)
        for (const struct xml_ns *ns = e->ns; ns != NULL; ns = ns->next)
            if (slice_eq(ns->prefix, prefix))
                return ns->uri;
    return SLICE_LIT("");
}

/* The name under which the prefix was last written on an open element; "" when it was not. */
static struct slice as_written(const struct canon *c, struct slice prefix)
{
    for (size_t i = c->n; i-- > 0;)
        if (slice_eq(c->written[i].prefix, prefix))
            return c->written[i].uri;
    return SLICE_LIT("");
}

/* Puts a declaration on the stack unless it says nothing new. "xml" needs none. */
static int offer(struct canon *c, struct slice prefix, struct slice uri)
{
    if (slice_eq_str(prefix, "xml") || slice_eq(as_written(c, prefix), uri))
        return 0;
    if (c->n == XML_NS_MAX)
        return ERR_TOO_LARGE;
    c->written[c->n++] = (struct binding){prefix, uri};
    return 0;
}

/* Offers what the apex inherits: the nearest declaration of each prefix. */
static int offer_all_in_scope(struct canon *c, const struct xml_node *apex)
{
    int err = 0;
    for (const struct xml_node *e = apex; e != NULL && err == 0; e = e->parent)
        for (const struct xml_ns *ns = e->ns; ns != NULL && err == 0; ns = ns->next)
            err = offer(c, ns->prefix, in_scope(apex, ns->prefix));
    return err;
}

static int offer_declared(struct canon *c, const struct xml_node *e)
{
    int err = 0;
    for (const struct xml_ns *ns = e->ns; ns != NULL && err == 0; ns = ns->next)
        err = offer(c, ns->prefix, ns->uri);
    return err;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts the next word off the list. */
static bool next_word(struct slice *list, struct slice *word)
{
    *list = slice_trim(*list);
    size_t n = 0;
    while (n < list->n && !is_blank(list->p[n]))
        n++;
    *word = slice_sub(*list, 0, n);
    *list = slice_from(*list, n);
    return n > 0;
}

static int offer_used(struct canon *c, const struct xml_node *e)
{
    int err = offer(c, e->prefix, e->uri);
    for (const struct xml_attr *a = e->attrs; a != NULL && err == 0; a = a->next)
        if (a->prefix.n > 0)
            err = offer(c, a->prefix, a->uri);
    struct slice list = c->listed, word;
    while (err == 0 && next_word(&list, &word)) {
        struct slice prefix = slice_eq_str(word, "#default") ? SLICE_LIT("") : word;
        err = offer(c, prefix, in_scope(e, prefix));
    }
    return err;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* True when the name begins with a scheme (RFC 3986 3.1). */
static bool is_absolute(struct slice uri)
{
    for (size_t i = 0; i < uri.n; i++) {
        uint8_t c = uri.p[i];
        if (c == ':')
            return i > 0;
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter(c) && !(i > 0 && later))
            return false;
    }
    return false;
}

/* A document with relative names of namespaces has no canonical form (Canonical XML 1.3). */
static bool has_relative_namespace(const struct xml_node *e)
{
    for (const struct xml_ns *ns = e->ns; ns != NULL; ns = ns->next)
        if (ns->uri.n > 0 && !is_absolute(ns->uri))
            return true;
    return false;
}

static int by_prefix(const void *a, const void *b)
{
    const struct binding *x = a, *y = b;
    return slice_cmp(x->prefix, y->prefix);
}

static void put_value(struct buf *out, struct slice v)
{
    static const char *const table[XML_ESCAPES] = {
        ['&'] = "&amp;",  ['<'] = "&lt;",   ['"'] = "&quot;",
        ['\t'] = "&#x9;", ['\n'] = "&#xA;", ['\r'] = "&#xD;"};
    xml_escape_by(out, v, table);
}

void xml_canonical_text(struct buf *out, struct slice text)
{
    static const char *const table[XML_ESCAPES] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['\r'] = "&#xD;"};
    xml_escape_by(out, text, table);
}

static void put_name(struct buf *out, struct slice prefix, struct slice local)
{
    if (prefix.n > 0) {
        buf_slice(out, prefix);
        buf_byte(out, ':');
    }
    buf_slice(out, local);
}

static int put_namespaces(struct canon *c, const struct xml_node *e)
{
    size_t from = c->n;
    int err;
    if (c->how == XML_C14N_EXCLUSIVE)
        err = offer_used(c, e);
    else
        err = e == c->apex ? offer_all_in_scope(c, e) : offer_declared(c, e);
    if (err != 0)
        return err;
    qsort(c->written + from, c->n - from, sizeof c->written[0], by_prefix);
    for (size_t i = from; i < c->n; i++) {
        buf_str(c->out, c->written[i].prefix.n > 0 ? " xmlns:" : " xmlns");
        buf_slice(c->out, c->written[i].prefix);
        buf_str(c->out, "=\"");
        put_value(c->out, c->written[i].uri);
        buf_byte(c->out, '"');
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct xml_attr *x = *(const struct xml_attr *const *)a;
    const struct xml_attr *y = *(const struct xml_attr *const *)b;
    int order = slice_cmp(x->uri, y->uri);
    return order != 0 ? order : slice_cmp(x->local, y->local);
}

static bool has_attr(const struct xml_attr **list, size_t n, const struct xml_attr *a)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(list[i]->local, a->local) && slice_eq(list[i]->uri, a->uri))
            return true;
    return false;
}

static int put_attributes(struct canon *c, const struct xml_node *e)
{
    const struct xml_attr *list[XML_ATTRS_MAX * 2];
    size_t n = 0;
    for (const struct xml_attr *a = e->attrs; a != NULL && n < XML_ATTRS_MAX; a = a->next)
        list[n++] = a;
    /* Inclusive: what the apex inherits of xml:lang, xml:space and their like. */
    bool inherit = c->how == XML_C14N_INCLUSIVE && e == c->apex;
    for (const struct xml_node *p = e->parent; inherit && p != NULL; p = p->parent)
        for (const struct xml_attr *a = p->attrs; a != NULL; a = a->next) {
            if (!slice_eq_str(a->prefix, "xml") || has_attr(list, n, a))
                continue;
            if (n == ARRAY_LEN(list))
                return ERR_TOO_LARGE;
            list[n++] = a;
        }
    qsort(list, n, sizeof(const struct xml_attr *), by_name);
    for (size_t i = 0; i < n; i++) {
        buf_byte(c->out, ' ');
        put_name(c->out, list[i]->prefix, list[i]->local);
        buf_str(c->out, "=\"");
        put_value(c->out, list[i]->value);
        buf_byte(c->out, '"');
    }
    return 0;
}

static int open_element(struct canon *c, const struct xml_node *e)
{
    if (c->depth == XML_DEPTH_MAX)
        return ERR_TOO_LARGE;
    if (has_relative_namespace(e))
        return ERR_INVALID_XML;
    c->mark[c->depth++] = c->n;
    buf_byte(c->out, '<');
    put_name(c->out, e->prefix, e->local);
    int err = put_namespaces(c, e);
    if (err == 0)
        err = put_attributes(c, e);
    buf_byte(c->out, '>');
    return err;
}

static void close_element(struct canon *c, const struct xml_node *e)
{
    c->n = c->mark[--c->depth];
    buf_str(c->out, "</");
    put_name(c->out, e->prefix, e->local);
    buf_byte(c->out, '>');
}

static int put_node(struct canon *c, const struct xml_node *n)
{
    switch (n->kind) {
    case XML_ELEMENT:
        return open_element(c, n);
    case XML_TEXT:
        xml_canonical_text(c->out, n->text);
        return 0;
    case XML_PI:
        buf_str(c->out, "<?");
        buf_slice(c->out, n->local);
        buf_str(c->out, n->text.n > 0 ? " " : "");
        buf_slice(c->out, n->text);
        buf_str(c->out, "?>");
        return 0;
    }
    return ERR_INTERNAL;
}

int xml_canonical(const struct xml_node *e, enum xml_c14n how, struct slice inclusive_prefixes,
                  struct buf *out)
{
    struct canon c = {.out = out, .apex = e, .how = how, .listed = inclusive_prefixes};
    const struct xml_node *n = e;
    for (const struct xml_node *up = e->parent; up != NULL; up = up->parent)
        if (has_relative_namespace(up))
            return ERR_INVALID_XML;
    for (;;) {
        int err = put_node(&c, n);
        if (err != 0)
            return err;
        if (n->first != NULL) {
            n = n->first;
            continue;
        }
        if (n->kind == XML_ELEMENT)
            close_element(&c, n);
        while (n != e && n->next == NULL) {
            n = n->parent;
            close_element(&c, n);
        }
        if (n == e)
            return out->failed ? ERR_TOO_LARGE : 0;
        n = n->next;
    }
}
