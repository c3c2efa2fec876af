/*
 * Expat resolves the namespaces and gives names as "uri LF local LF prefix". The tree keeps no copy
 * of a namespace's name for each element: it borrows the one of the declaration, so that a long
 * name costs its length once.
 */
#include "wire/xml.h"

#include "base/err.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR '\n' /* cannot stand in a name; expat refuses it in a namespace's name */
#define XML_PREFIX_URI "http://www.w3.org/XML/1998/namespace"

struct build {
    XML_Parser parser;
    struct arena *arena;
    struct diag *d;
    int err;
    struct xml_doc *doc;
    struct xml_node *open; /* the innermost element that is not closed */
    size_t depth;
    struct xml_ns *declared, **declared_end; /* of the element that comes next */
    struct xml_ns *scope[XML_NS_MAX];
    size_t scope_n, scope_of[XML_DEPTH_MAX + 1];
    struct buf text; /* character data not yet put in a node */
    struct slice input;
    bool in_pieces; /* children of the root are taken one by one */
};

/* Ends the parse; expat calls no handler any more but those of the tag it is at. */
static void stop(struct build *b, int err, const char *text)
{
    if (b->err != 0)
        return;
    b->err = diag_set(b->d, err, "%s", text);
    XML_StopParser(b->parser, XML_FALSE);
}

static void *take(struct build *b, size_t n)
{
    void *p = arena_zalloc(b->arena, n);
    if (p == NULL)
        stop(b, ERR_TOO_LARGE, "the document takes more memory than allowed");
    return p;
}

static struct slice keep(struct build *b, struct slice s)
{
    struct slice kept = arena_dup(b->arena, s);
    if (kept.p == NULL)
        stop(b, ERR_TOO_LARGE, "the document takes more memory than allowed");
    return kept;
}

static void append(struct build *b, struct xml_node *n)
{
    struct xml_node *parent = b->open;
    n->parent = parent;
    if (parent->last == NULL)
        parent->first = n;
    else
        parent->last->next = n;
    parent->last = n;
}

/* Makes a node of the character data gathered so far. beside_element: an element follows. */
static void flush_text(struct build *b, bool beside_element)
{
    if (b->text.n == 0 || b->open == NULL)
        return;
    beside_element = beside_element || b->depth == 1 ||
                     (b->open->last != NULL && b->open->last->kind == XML_ELEMENT);
    if (b->in_pieces && beside_element && slice_trim(buf_view(&b->text)).n == 0) {
        buf_reset(&b->text);
        return;
    }
    struct xml_node *n = take(b, sizeof *n);
    struct slice text = keep(b, buf_view(&b->text));
    buf_reset(&b->text);
    if (n == NULL || text.p == NULL)
        return;
    n->kind = XML_TEXT;
    n->text = text;
    append(b, n);
}

/* The name of a namespace by its prefix, as declared; "" when the default one is not. */
static struct slice uri_of(const struct build *b, struct slice prefix)
{
    for (size_t i = b->scope_n; i-- > 0;)
        if (slice_eq(b->scope[i]->prefix, prefix))
            return b->scope[i]->uri;
    if (slice_eq_str(prefix, "xml"))
        return SLICE_LIT(XML_PREFIX_URI);
    return SLICE_LIT("");
}

/* Takes expat's "local", "uri LF local" or "uri LF local LF prefix" apart and keeps it. */
static void name_of(struct build *b, const char *name, bool element, struct slice *prefix,
                    struct slice *local, struct slice *uri)
{
    const char *first = strchr(name, SEPARATOR);
    const char *second = first == NULL ? NULL : strchr(first + 1, SEPARATOR);
    *prefix = *uri = SLICE_LIT("");
    if (first == NULL) {
        *local = keep(b, slice_str(name));
        return;
    }
    const char *end = second == NULL ? first + strlen(first) : second;
    *local = keep(b, slice_of(first + 1, (size_t)(end - first - 1)));
    if (second != NULL)
        *prefix = keep(b, slice_str(second + 1));
    if (element || prefix->n > 0)
        *uri = uri_of(b, *prefix);
}

static void XMLCALL on_namespace(void *user, const XML_Char *prefix, const XML_Char *uri)
{
    struct build *b = user;
    if (b->err != 0)
        return;
    if (b->scope_n == XML_NS_MAX) {
        stop(b, ERR_TOO_LARGE, "too many namespace declarations");
        return;
    }
    struct slice name = uri == NULL ? SLICE_LIT("") : slice_str(uri);
    if (name.n > XML_NS_URI_MAX) {
        stop(b, ERR_TOO_LARGE, "the name of a namespace is too long");
        return;
    }
    struct xml_ns *ns = take(b, sizeof *ns);
    if (ns == NULL)
        return;
    ns->prefix = prefix == NULL ? SLICE_LIT("") : keep(b, slice_str(prefix));
    ns->uri = keep(b, name);
    *b->declared_end = ns;
    b->declared_end = &ns->next;
    b->scope[b->scope_n++] = ns;
}

static void attributes(struct build *b, struct xml_node *n, const XML_Char **atts)
{
    struct xml_attr **end = &n->attrs;
    for (size_t i = 0; atts[i] != NULL; i += 2) {
        if (i / 2 == XML_ATTRS_MAX) {
            stop(b, ERR_TOO_LARGE, "an element has too many attributes");
            return;
        }
        struct xml_attr *a = take(b, sizeof *a);
        if (a == NULL)
            return;
        name_of(b, atts[i], false, &a->prefix, &a->local, &a->uri);
        a->value = keep(b, slice_str(atts[i + 1]));
        *end = a;
        end = &a->next;
    }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **atts)
{
    struct build *b = user;
    if (b->err != 0)
        return;
    if (b->depth == XML_DEPTH_MAX) {
        stop(b, ERR_TOO_LARGE, "elements are nested too deeply");
        return;
    }
    flush_text(b, true);
    struct xml_node *n = take(b, sizeof *n);
    if (n == NULL)
        return;
    n->kind = XML_ELEMENT;
    n->ns = b->declared;
    b->declared = NULL;
    b->declared_end = &b->declared;
    name_of(b, name, true, &n->prefix, &n->local, &n->uri);
    attributes(b, n, atts);
    if (b->open == NULL)
        b->doc->root = n;
    else
        append(b, n);
    b->open = n;
    b->scope_of[++b->depth] = b->scope_n;
    if (b->in_pieces && b->depth == 1)
        XML_StopParser(b->parser, XML_TRUE);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct build *b = user;
    (void)name;
    if (b->err != 0)
        return;
    flush_text(b, false);
    b->open = b->open->parent;
    b->scope_n = b->scope_of[--b->depth];
    if (b->in_pieces && b->depth == 1)
        XML_StopParser(b->parser, XML_TRUE);
}

static void XMLCALL on_text(void *user, const XML_Char *s, int len)
{
    struct build *b = user;
    if (b->err != 0 || b->open == NULL)
        return;
    buf_add(&b->text, s, (size_t)len);
    if (b->text.failed)
        stop(b, ERR_TOO_LARGE, "the text is too long");
}

static void XMLCALL on_pi(void *user, const XML_Char *target, const XML_Char *data)
{
    struct build *b = user;
    if (b->err != 0 || b->open == NULL)
        return;
    flush_text(b, false);
    struct xml_node *n = take(b, sizeof *n);
    if (n == NULL)
        return;
    n->kind = XML_PI;
    n->local = keep(b, slice_str(target));
    n->text = keep(b, slice_str(data));
    append(b, n);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(user, ERR_INVALID_XML, "a document type declaration is not allowed");
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x80)
            return false;
    return true;
}

static void XMLCALL on_declaration(void *user, const XML_Char *version, const XML_Char *encoding,
                                   int standalone)
{
    struct build *b = user;
    struct slice name = encoding == NULL ? SLICE_LIT("UTF-8") : slice_str(encoding);
    (void)standalone;
    if (version != NULL && strcmp(version, "1.0") != 0)
        stop(b, ERR_INVALID_XML, "the version of XML is not 1.0");
    if (slice_ieq_str(name, "UTF-8"))
        return;
    if (!slice_ieq_str(name, "US-ASCII") || !is_ascii(b->input))
        stop(b, ERR_INVALID_XML, "the encoding is not UTF-8");
}

/* Expat takes UTF-16 for what begins like it, whatever encoding it was told. */
static bool begins_like_utf16(struct slice s)
{
    return s.n >= 2 && (s.p[0] == 0 || s.p[1] == 0 || s.p[0] >= 0xFE);
}

static void set_handlers(struct build *b)
{
    XML_Parser p = b->parser;
    XML_SetUserData(p, b);
    XML_SetReturnNSTriplet(p, XML_TRUE);
    XML_SetXmlDeclHandler(p, on_declaration);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetStartNamespaceDeclHandler(p, on_namespace);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetProcessingInstructionHandler(p, on_pi);
}

static int failed(struct build *b)
{
    if (b->err == 0) {
        enum XML_Error code = XML_GetErrorCode(b->parser);
        b->err = code == XML_ERROR_NO_MEMORY ? ERR_NOMEM : ERR_INVALID_XML;
        diag_set(b->d, b->err, "%s", XML_ErrorString(code));
    }
    diag_where(b->d, "line %lu, column %lu", (unsigned long)XML_GetCurrentLineNumber(b->parser),
               (unsigned long)XML_GetCurrentColumnNumber(b->parser) + 1);
    return b->err;
}

/* The parser for b->input; b is otherwise as it was made. */
static int begin(struct build *b)
{
    if (b->input.n > XML_TEXT_MAX)
        return diag_set(b->d, ERR_TOO_LARGE, "a document of more than %u bytes", XML_TEXT_MAX);
    if (begins_like_utf16(b->input)) {
        diag_set(b->d, ERR_INVALID_XML, "the encoding is not UTF-8");
        diag_where(b->d, "line 1, column 1");
        return ERR_INVALID_XML;
    }
    b->parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
    if (b->parser == NULL)
        return diag_set(b->d, ERR_NOMEM, "no memory for the XML parser");
    b->declared_end = &b->declared;
    buf_init(&b->text, b->input.n);
    set_handlers(b);
    return 0;
}

static void end(struct build *b)
{
    if (b->parser != NULL)
        XML_ParserFree(b->parser);
    buf_free(&b->text);
}

int xml_parse(struct arena *a, struct slice text, struct xml_doc *out, struct diag *d)
{
    struct build b = {.arena = a, .d = d, .doc = out, .input = text};
    out->root = NULL;
    int err = begin(&b);
    if (err == 0 &&
        (XML_Parse(b.parser, (const char *)text.p, (int)text.n, 1) != XML_STATUS_OK || b.err != 0))
        err = failed(&b);
    end(&b);
    if (err != 0)
        out->root = NULL;
    return err;
}

/* --- in pieces --- */

#define CHUNK 65536 /* expat copies what it is given */

struct xml_pieces {
    struct build b;
    struct xml_doc doc;
    struct arena *root, *piece;
    size_t given; /* bytes of the text */
    bool suspended, over;
};

/* Until a child of the root, or its own start tag, has been read; or the document is over. */
static int go_on(struct xml_pieces *p, struct diag *d)
{
    struct build *b = &p->b;
    enum XML_Status status = XML_STATUS_OK;
    b->d = d;
    do {
        struct slice chunk = slice_sub(b->input, p->given, CHUNK);
        if (p->suspended)
            status = XML_ResumeParser(b->parser);
        else {
            p->given += chunk.n;
            status =
                XML_Parse(b->parser, (const char *)chunk.p, (int)chunk.n, p->given == b->input.n);
        }
        p->suspended = status == XML_STATUS_SUSPENDED;
        p->over = status == XML_STATUS_OK && p->given == b->input.n;
    } while (status == XML_STATUS_OK && b->err == 0 && !p->over);
    return status == XML_STATUS_ERROR || b->err != 0 ? failed(b) : 0;
}

int xml_pieces_open(struct slice text, size_t max, struct xml_pieces **out, struct diag *d)
{
    struct xml_pieces *p = calloc(1, sizeof *p);
    *out = NULL;
    if (p == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for the XML parser");
    p->root = arena_new(max);
    p->piece = arena_new(max);
    p->b =
        (struct build){.arena = p->root, .d = d, .doc = &p->doc, .input = text, .in_pieces = true};
    int err = p->root == NULL || p->piece == NULL
                  ? diag_set(d, ERR_NOMEM, "no memory for the XML parser")
                  : begin(&p->b);
    err = err != 0 ? err : go_on(p, d);
    p->b.arena = p->piece;
    if (err != 0)
        xml_pieces_close(p);
    else
        *out = p;
    return err;
}

void xml_pieces_close(struct xml_pieces *p)
{
    if (p == NULL)
        return;
    end(&p->b);
    arena_free(p->root);
    arena_free(p->piece);
    free(p);
}

const struct xml_node *xml_pieces_root(const struct xml_pieces *p)
{
    return p->doc.root;
}

int xml_pieces_next(struct xml_pieces *p, struct xml_node **out, struct diag *d)
{
    struct xml_node *root = p->doc.root;
    *out = NULL;
    do {
        root->first = root->last = NULL;
        arena_reset(p->piece);
        int err = p->over ? 0 : go_on(p, d);
        if (err != 0)
            return err;
        *out = root->first;
        while (*out != NULL && (*out)->kind == XML_PI)
            *out = (*out)->next;
    } while (*out == NULL && !p->over);
    return 0;
}

bool xml_is(const struct xml_node *e, const char *uri, const char *local)
{
    return e != NULL && e->kind == XML_ELEMENT && slice_eq_str(e->local, local) &&
           slice_eq_str(e->uri, uri);
}

static struct xml_node *find_from(struct xml_node *n, const char *uri, const char *local)
{
    while (n != NULL && !xml_is(n, uri, local))
        n = n->next;
    return n;
}

struct xml_node *xml_child(const struct xml_node *e, const char *uri, const char *local)
{
    return e == NULL ? NULL : find_from(e->first, uri, local);
}

struct xml_node *xml_next(const struct xml_node *e, const char *uri, const char *local)
{
    return e == NULL ? NULL : find_from(e->next, uri, local);
}

static struct xml_node *element_from(struct xml_node *n)
{
    while (n != NULL && n->kind != XML_ELEMENT)
        n = n->next;
    return n;
}

struct xml_node *xml_first_element(const struct xml_node *e)
{
    return e == NULL ? NULL : element_from(e->first);
}

struct xml_node *xml_next_element(const struct xml_node *e)
{
    return e == NULL ? NULL : element_from(e->next);
}

/* The next node in document order within top, of whatever kind. */
static struct xml_node *walk(const struct xml_node *top, const struct xml_node *n)
{
    if (n->first != NULL)
        return n->first;
    while (n != top && n->next == NULL)
        n = n->parent;
    return n == top ? NULL : n->next;
}

struct xml_node *xml_walk(const struct xml_node *top, const struct xml_node *e)
{
    struct xml_node *n = walk(top, e);
    while (n != NULL && n->kind != XML_ELEMENT)
        n = walk(top, n);
    return n;
}

struct slice xml_text(struct arena *a, const struct xml_node *e)
{
    struct slice only = SLICE_LIT("");
    size_t total = 0, pieces = 0;
    for (const struct xml_node *n = e; n != NULL; n = walk(e, n))
        if (n->kind == XML_TEXT) {
            only = n->text;
            total += n->text.n;
            pieces++;
        }
    if (pieces <= 1)
        return only;
    uint8_t *p = arena_alloc(a, total), *to = p;
    if (p == NULL)
        return SLICE_NONE;
    for (const struct xml_node *n = e; n != NULL; n = walk(e, n))
        if (n->kind == XML_TEXT) {
            memcpy(to, n->text.p, n->text.n);
            to += n->text.n;
        }
    return slice_of(p, total);
}

struct slice xml_attr(const struct xml_node *e, const char *uri, const char *local)
{
    for (const struct xml_attr *a = e == NULL ? NULL : e->attrs; a != NULL; a = a->next)
        if (slice_eq_str(a->local, local) && slice_eq_str(a->uri, uri))
            return a->value;
    return SLICE_NONE;
}
