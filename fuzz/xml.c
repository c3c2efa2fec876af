/*
 * Trees and canonical forms. The canonical form of a document must be well-formed and canonical
 * already: canonicalised again it gives the same octets. Read piece by piece it must have the same
 * elements, and be refused when the whole is.
 */
#include "base/err.h"
#include "wire/xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(struct slice octets, enum xml_c14n how)
{
    struct arena *a = arena_new(64 << 20);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, octets.n);
    if (xml_parse(a, octets, &doc, NULL) != 0)
        abort();
    if (xml_canonical(doc.root, how, SLICE_NONE, &out) != 0)
        abort();
    if (!slice_eq(buf_view(&out), octets))
        abort();
    buf_free(&out);
    arena_free(a);
}

/* The canonical form of this node when it is an element, and of those behind it. */
static void put_elements(const struct xml_node *n, struct buf *out)
{
    for (; n != NULL; n = n->next)
        if (n->kind == XML_ELEMENT && xml_canonical(n, XML_C14N_EXCLUSIVE, SLICE_NONE, out) != 0)
            buf_str(out, "<none/>");
}

static int by_pieces(struct slice text, struct buf *out)
{
    struct xml_pieces *p;
    struct xml_node *n = NULL;
    int err = xml_pieces_open(text, 16 << 20, &p, NULL);
    if (err != 0)
        return err;
    do {
        err = xml_pieces_next(p, &n, NULL);
        if (err == 0)
            put_elements(n, out);
    } while (err == 0 && n != NULL);
    xml_pieces_close(p);
    return err;
}

static void compare(const struct xml_doc *doc, struct slice text)
{
    struct buf whole, pieces;
    buf_init(&whole, 4 << 20);
    buf_init(&pieces, 4 << 20);
    int err = by_pieces(text, &pieces);
    if (doc != NULL)
        put_elements(doc->root->first, &whole);
    if ((err == 0) != (doc != NULL) || (err == 0 && !slice_eq(buf_view(&whole), buf_view(&pieces))))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
}

/* What is found by its name is of that name. */
static void look_up(const struct xml_node *e)
{
    const struct xml_node *c = xml_first_element(e);
    if (c == NULL)
        return;
    char local[100], uri[100];
    if (slice_cstr(c->local, local, sizeof local) && slice_cstr(c->uri, uri, sizeof uri)) {
        const struct xml_node *found = xml_child(e, uri, local);
        if (found != c || xml_next_element(found) == found)
            abort();
        found = xml_next(found, uri, local);
        if (found != NULL && !xml_is(found, uri, local))
            abort();
    }
    for (const struct xml_attr *a = c->attrs; a != NULL; a = a->next)
        if (slice_cstr(a->local, local, sizeof local) && slice_cstr(a->uri, uri, sizeof uri) &&
            !slice_eq(xml_attr(c, uri, local), a->value))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16 << 20);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, 4 << 20);
    if (xml_parse(a, slice_of(data, size), &doc, NULL) == 0) {
        for (struct xml_node *e = doc.root; e != NULL; e = xml_walk(doc.root, e)) {
            xml_text(a, e);
            look_up(e);
        }
        compare(&doc, slice_of(data, size));
        for (int how = XML_C14N_INCLUSIVE; how <= XML_C14N_EXCLUSIVE; how++) {
            struct xml_node *e = doc.root;
            while (xml_first_element(e) != NULL)
                e = xml_first_element(e);
            buf_reset(&out);
            if (xml_canonical(doc.root, how, SLICE_NONE, &out) == 0)
                again(buf_view(&out), how);
            buf_reset(&out);
            if (xml_canonical(e, how, SLICE_LIT("a #default"), &out) == 0)
                again(buf_view(&out), XML_C14N_INCLUSIVE);
        }
    } else {
        compare(NULL, slice_of(data, size));
    }
    buf_free(&out);
    arena_free(a);
    return 0;
}
