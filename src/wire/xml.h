/*
 * XML from outside, over expat: no DOCTYPE, no entities but the five and character references,
 * limits on size, depth, attributes. Two readers: a small document tree in an arena (signatures,
 * hash chains, parameters), and canonical form (C14N 1.0 inclusive and exclusive, without
 * comments) of any subtree of it.
 */
#ifndef SILD_WIRE_XML_H
#define SILD_WIRE_XML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

#define XML_DEPTH_MAX 32
#define XML_ATTRS_MAX 64        /* of one element, namespace declarations apart */
#define XML_NS_MAX 128          /* declarations in scope at any place */
#define XML_NS_URI_MAX 1024     /* bytes of a namespace's name */
#define XML_TEXT_MAX (1u << 30) /* bytes of a document */

struct xml_attr {
    struct slice prefix, local, uri; /* uri: namespace, empty for none */
    struct slice value;              /* normalised by the parser, UTF-8 */
    struct xml_attr *next;           /* in document order */
};

struct xml_ns {
    struct slice prefix, uri; /* as declared on this element; prefix empty: default */
    struct xml_ns *next;
};

enum xml_kind {
    XML_ELEMENT,
    XML_TEXT, /* character data and CDATA, joined */
    XML_PI,
};

struct xml_node {
    enum xml_kind kind;
    struct slice prefix, local, uri; /* element; PI: local is the target */
    struct slice text;               /* text or PI data */
    struct xml_attr *attrs;
    struct xml_ns *ns;
    struct xml_node *parent, *first, *last, *next;
};

struct xml_doc {
    struct xml_node *root;
};

/*
 * Parses into the arena, whose cap bounds the tree (a node takes some 130 bytes). Namespaces must
 * be declared. Comments are dropped, and what stands outside the root. UTF-8 only (or ASCII; a
 * declaration of another encoding is refused). ERR_INVALID_XML with line and column in d->where;
 * ERR_TOO_LARGE.
 */
int xml_parse(struct arena *a, struct slice text, struct xml_doc *out, struct diag *d) MUST_USE;

/*
 * The same for a document whose tree would be large: the children of its root one after the other,
 * each as a tree that lasts until the next one is asked for (max bytes of it). Blank text between
 * elements is left out.
 */
struct xml_pieces;
/* Reads as far as the root's start tag. The text must stay until xml_pieces_close. */
int xml_pieces_open(struct slice text, size_t max, struct xml_pieces **out,
                    struct diag *d) MUST_USE;
void xml_pieces_close(struct xml_pieces *p); /* NULL is harmless */
/* Name, namespaces and attributes; lasts. */
const struct xml_node *xml_pieces_root(const struct xml_pieces *p);
/* The root's next child; *out is NULL after the last one. Where there is text that is not blank, it
 * is that text, and the element after it only its `next`. Errors as xml_parse's, also for what comes later in the document: what was given before is then
 * of a document that is none. */
int xml_pieces_next(struct xml_pieces *p, struct xml_node **out, struct diag *d) MUST_USE;

/* Children by namespace and local name. uri "" means no namespace. NULL when there is none. */
struct xml_node *xml_child(const struct xml_node *e, const char *uri, const char *local);
struct xml_node *xml_next(const struct xml_node *e, const char *uri, const char *local);
/* First element child / next element sibling, whatever its name. */
struct xml_node *xml_first_element(const struct xml_node *e);
struct xml_node *xml_next_element(const struct xml_node *e);
bool xml_is(const struct xml_node *e, const char *uri, const char *local);
/* Next element in document order after e within top (for searches by attribute or literal prefix).
 */
struct xml_node *xml_walk(const struct xml_node *top, const struct xml_node *e);
/* All character data below e, joined (borrowed when it is one piece, else from the arena). */
struct slice xml_text(struct arena *a, const struct xml_node *e);
/* Attribute value; p is NULL when absent. uri "" for unqualified attributes. */
struct slice xml_attr(const struct xml_node *e, const char *uri, const char *local);

enum xml_c14n {
    XML_C14N_INCLUSIVE,
    XML_C14N_EXCLUSIVE,
};
/*
 * Canonical octets of the subtree at e in its document (Canonical XML 1.0 without comments: all
 * namespaces in scope and xml: attributes of ancestors; or Exclusive 1.0). inclusive_prefixes: the
 * PrefixList of exclusive form, blank-separated, may be empty. Appends to out. e is an element.
 * ERR_TOO_LARGE: out is full; ERR_INVALID_XML: a namespace has a relative name, for which there is
 * no canonical form.
 */
int xml_canonical(const struct xml_node *e, enum xml_c14n how, struct slice inclusive_prefixes,
                  struct buf *out) MUST_USE;

/* Character data as canonical XML has it, which is good in any document too. */
void xml_canonical_text(struct buf *out, struct slice text);
/* Appends text with & < > (and " in attributes) escaped; CR as &#13; */
void xml_escape(struct buf *b, struct slice text);
void xml_escape_attr(struct buf *b, struct slice text);

#endif
