/*
 * Trees and canonical forms. The canonical form of a document must be well-formed and canonical
 * already: canonicalised again it gives the same octets.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16 << 20);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, 4 << 20);
    if (xml_parse(a, slice_of(data, size), &doc, NULL) == 0) {
        for (struct xml_node *e = doc.root; e != NULL; e = xml_walk(doc.root, e))
            xml_text(a, e);
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
    }
    buf_free(&out);
    arena_free(a);
    return 0;
}
