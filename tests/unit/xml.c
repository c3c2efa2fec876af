#include "base/err.h"
#include "test.h"
#include "wire/xml.h"

static struct diag diag;
static struct arena *arena;
static struct xml_doc doc;

static int parse(struct slice text)
{
    if (arena == NULL)
        arena = arena_new(1 << 20);
    arena_reset(arena);
    diag = (struct diag){0};
    return xml_parse(arena, text, &doc, &diag);
}

__attribute__((destructor)) static void end(void)
{
    arena_free(arena);
}

static void must_parse(const char *text)
{
    if (parse(slice_str(text)) != 0)
        FAIL("refused: %s: %s: %s", text, diag.where, diag.text);
}

static void must_refuse(const char *text, int want)
{
    int err = parse(slice_str(text));
    if (err != want || doc.root != NULL)
        FAIL("error %d, not %d: %s", err, want, text);
    CHECK(strncmp(diag.where, "line ", 5) == 0 && diag.text[0] != 0);
}

static void check_slice(struct slice got, const char *want)
{
    if (!slice_eq_str(got, want))
        FAIL("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want);
}

TEST(names_keep_prefix_and_get_their_namespace)
{
    must_parse("<?xml version='1.0' encoding='utf-8'?>\n"
               "<a xmlns='u:1' xmlns:p='u:2' k='v' p:k='w' xml:lang='et'>"
               "<p:b/><c xmlns=''><p:d xmlns:p='u:3' p:e=''/></c></a>");
    struct xml_node *a = doc.root;
    CHECK(xml_is(a, "u:1", "a"));
    check_slice(a->prefix, "");
    check_slice(a->ns->prefix, "");
    check_slice(a->ns->next->prefix, "p");
    check_slice(a->ns->next->uri, "u:2");
    CHECK(a->ns->next->next == NULL);
    check_slice(a->attrs->local, "k");
    check_slice(a->attrs->uri, "");
    check_slice(a->attrs->next->prefix, "p");
    check_slice(a->attrs->next->uri, "u:2");
    check_slice(xml_attr(a, "", "k"), "v");
    check_slice(xml_attr(a, "u:2", "k"), "w");
    check_slice(xml_attr(a, "http://www.w3.org/XML/1998/namespace", "lang"), "et");
    CHECK(xml_attr(a, "u:1", "k").p == NULL);
    struct xml_node *c = xml_child(a, "", "c");
    CHECK(c != NULL && xml_child(a, "u:1", "c") == NULL && xml_child(a, "u:2", "b") != NULL);
    struct xml_node *d = xml_child(c, "u:3", "d");
    CHECK(d != NULL && d->parent == c);
    CHECK(xml_attr(d, "u:3", "e").p != NULL && xml_attr(d, "u:3", "e").n == 0);
}

TEST(elements_are_found_in_document_order)
{
    must_parse("<r> <a/>x<b><a/><c/></b><!-- a --><a i='2'/><?pi?></r>");
    struct xml_node *r = doc.root, *a = xml_child(r, "", "a");
    CHECK(a == xml_first_element(r));
    CHECK(xml_next_element(a) == xml_child(r, "", "b"));
    struct xml_node *second = xml_next(a, "", "a");
    check_slice(xml_attr(second, "", "i"), "2");
    CHECK(xml_next(second, "", "a") == NULL && xml_next_element(second) == NULL);
    char order[16] = "";
    for (struct xml_node *n = r; n != NULL; n = xml_walk(r, n))
        strncat(order, (const char *)n->local.p, 1);
    CHECK_STR(order, "rabaca");
    struct xml_node *b = xml_child(r, "", "b");
    CHECK(xml_walk(b, xml_child(b, "", "c")) == NULL);
    CHECK(xml_walk(a, a) == NULL);
    CHECK(xml_child(NULL, "", "a") == NULL && xml_attr(NULL, "", "a").p == NULL);
}

TEST(text_is_joined_over_what_interrupts_it)
{
    must_parse("<r>a&#13;\r\nb<![CDATA[<&]]><!-- no -->&amp;<e>c</e>&#xe4;<?pi no?>d</r>");
    check_slice(doc.root->first->text, "a\r\nb<&&");
    check_slice(xml_text(arena, doc.root), "a\r\nb<&&c\xc3\xa4"
                                           "d");
    check_slice(xml_text(arena, xml_child(doc.root, "", "e")), "c");
    must_parse("<r/>");
    CHECK(xml_text(arena, doc.root).p != NULL && xml_text(arena, doc.root).n == 0);
}

TEST(character_references_to_cr_survive)
{
    must_parse("<r a='x&#13;&#10;&#9;y\tz'>1&#13;\n2\r\n3\r4</r>");
    check_slice(doc.root->first->text, "1\r\n2\n3\n4");
    check_slice(doc.root->attrs->value, "x\r\n\ty z");
}

TEST(processing_instructions_are_kept_inside_the_root)
{
    must_parse("<?out 1?><r><?t  d  e ?><?u?></r><?out 2?>");
    CHECK_INT(doc.root->first->kind, XML_PI);
    check_slice(doc.root->first->local, "t");
    check_slice(doc.root->first->text, "d  e ");
    check_slice(doc.root->last->local, "u");
    CHECK_INT(doc.root->last->text.n, 0);
}

TEST(document_types_and_entities_are_refused)
{
    must_refuse("<!DOCTYPE r><r/>", ERR_INVALID_XML);
    CHECK(strstr(diag.text, "document type") != NULL);
    must_refuse("<!DOCTYPE r SYSTEM 'file:///etc/passwd'><r/>", ERR_INVALID_XML);
    must_refuse("<!DOCTYPE r [<!ENTITY a 'aaaa'>]><r>&a;</r>", ERR_INVALID_XML);
    must_refuse("<!DOCTYPE r [<!ENTITY % a SYSTEM 'http://x/'>%a;]><r/>", ERR_INVALID_XML);
    must_refuse("<r>&nbsp;</r>", ERR_INVALID_XML);
    must_refuse("<r a='&x;'/>", ERR_INVALID_XML);
    must_parse("<r a='&lt;&gt;&amp;&quot;&apos;'/>");
    check_slice(doc.root->attrs->value, "<>&\"'");
}

TEST(malformed_documents_are_refused)
{
    static const char *bad[] = {
        "",
        " ",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>text",
        "<a b='1' b='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='u'><p:b:c/></a>",
        "<a xmlns:p='u'><p:/></a>",
        "<:a/>",
        "<a xmlns:p='u'><p:1/></a>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='u&#10;v'/>",
        "<a b='<'/>",
        "<a b=1/>",
        "<a>]]></a>",
        "<a>&#0;</a>",
        "<a>&#1;</a>",
        "<a>&#xD800;</a>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<a>\xed\xa0\x80</a>",
        "<a>\xc0\x80</a>",
        "<a><!-- -- --></a>",
        "<a><?xml version='1.0'?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml version='1.1'?><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='UTF-7'?><a/>",
        "<?xml version='1.0' encoding='US-ASCII'?><a>\xc3\xa4</a>",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        must_refuse(bad[i], ERR_INVALID_XML);
    static const char utf16[] = "\xff\xfe<\0a\0/\0>\0", zero[] = "<a>\0</a>";
    CHECK_INT(parse(slice_of(utf16, sizeof utf16 - 1)), ERR_INVALID_XML);
    CHECK_INT(parse(slice_of(utf16 + 2, sizeof utf16 - 3)), ERR_INVALID_XML);
    CHECK_INT(parse(slice_of(utf16 + 1, sizeof utf16 - 2)), ERR_INVALID_XML);
    CHECK_INT(parse(slice_of(zero, sizeof zero - 1)), ERR_INVALID_XML);
    CHECK_INT(parse(SLICE_NONE), ERR_INVALID_XML);
}

TEST(ascii_and_byte_order_mark_are_taken)
{
    must_parse("<?xml version='1.0' encoding='us-ascii'?><a>&#xe4;</a>");
    must_parse("\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8' standalone='yes'?><a/>");
}

TEST(the_place_of_an_error_is_told)
{
    must_refuse("<a>\n <b>\n</a>", ERR_INVALID_XML);
    CHECK_STR(diag.where, "line 3, column 3");
}

static void nest(char *text, size_t depth)
{
    *text = 0;
    for (size_t i = 0; i < depth; i++)
        strcat(text, "<a>");
    for (size_t i = 0; i < depth; i++)
        strcat(text, "</a>");
}

TEST(depth_and_attributes_have_maxima)
{
    static char text[200000];
    nest(text, XML_DEPTH_MAX);
    must_parse(text);
    nest(text, XML_DEPTH_MAX + 1);
    must_refuse(text, ERR_TOO_LARGE);

    for (int extra = 0; extra < 2; extra++) {
        int n = sprintf(text, "<a");
        for (int i = 0; i < XML_ATTRS_MAX + extra; i++)
            n += sprintf(text + n, " a%d=''", i);
        strcpy(text + n, "/>");
        CHECK_INT(parse(slice_str(text)), extra == 0 ? 0 : ERR_TOO_LARGE);

        n = sprintf(text, "<a");
        for (int i = 0; i < XML_NS_MAX + extra; i++)
            n += sprintf(text + n, " xmlns:a%d='u'", i);
        strcpy(text + n, "/>");
        CHECK_INT(parse(slice_str(text)), extra == 0 ? 0 : ERR_TOO_LARGE);

        sprintf(text, "<a xmlns='%0*d'/>", XML_NS_URI_MAX + extra, 1);
        CHECK_INT(parse(slice_str(text)), extra == 0 ? 0 : ERR_TOO_LARGE);
    }
    /* Declarations end with their element. */
    int n = sprintf(text, "<r>");
    for (int i = 0; i < 2 * XML_NS_MAX; i++)
        n += sprintf(text + n, "<a xmlns:p='u%d'/>", i);
    strcpy(text + n, "</r>");
    must_parse(text);
}

TEST(memory_has_a_maximum)
{
    struct arena *small = arena_new(4096);
    static char text[10000];
    int n = sprintf(text, "<r>");
    for (int i = 0; i < 1000; i++)
        n += sprintf(text + n, "<a/>");
    strcpy(text + n, "</r>");
    CHECK_INT(xml_parse(small, slice_str(text), &doc, &diag), ERR_TOO_LARGE);
    CHECK(doc.root == NULL);
    arena_free(small);
}

TEST(bombs_are_refused)
{
    char path[4500];
    size_t n;
    snprintf(path, sizeof path, "%s/identity/xml/xml-bomb-attr.xml", VECTORS());
    unsigned char *text = test_file(path, &n);
    int err = parse(slice_of(text, n));
    free(text);
    CHECK(err != 0);
}

TEST(escaped_text_is_read_as_it_was)
{
    static const char hard[] = "<&>\"'\r\n\t]]>\xc3\xa4 x";
    struct buf b;
    buf_init(&b, 1000);
    buf_str(&b, "<r a=\"");
    xml_escape_attr(&b, slice_str(hard));
    buf_str(&b, "\">");
    xml_escape(&b, slice_str(hard));
    buf_str(&b, "</r>");
    must_parse(buf_cstr(&b));
    check_slice(doc.root->attrs->value, hard);
    check_slice(doc.root->first->text, hard);
    buf_reset(&b);
    xml_escape(&b, SLICE_LIT("a<b\r"));
    CHECK_STR(buf_cstr(&b), "a&lt;b&#13;");
    buf_free(&b);
}

/* --- in pieces --- */

static void check_same(const struct xml_node *piece, const struct xml_node *want)
{
    struct buf a, b;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    CHECK_INT(xml_canonical(piece, XML_C14N_INCLUSIVE, SLICE_NONE, &a), 0);
    CHECK_INT(xml_canonical(want, XML_C14N_INCLUSIVE, SLICE_NONE, &b), 0);
    CHECK(a.n > 0 && slice_eq(buf_view(&a), buf_view(&b)));
    buf_free(&a);
    buf_free(&b);
}

/* Larger than what expat is given at once, so that names and texts are cut. */
TEST(pieces_are_the_children_of_the_tree)
{
    struct buf text;
    struct xml_pieces *p;
    struct xml_node *e;
    size_t n = 0;
    buf_init(&text, 1 << 20);
    buf_str(&text, "<r xmlns='u:1' xmlns:p='u:2' k='v'>");
    for (unsigned i = 0; i < 1500; i++)
        buf_printf(
            &text,
            "<p:item%u n='%u' xmlns:q='u:%u'><q:a>text %u &amp; more</q:a><b/>tail</p:item%u>",
            i % 7, i, i % 5, i * i, i % 7);
    buf_str(&text, "<last/></r>");
    arena_free(arena);
    arena = arena_new(8 << 20);
    CHECK_INT(parse(buf_view(&text)), 0);
    CHECK_INT(xml_pieces_open(buf_view(&text), 1 << 16, &p, &diag), 0);
    check_slice(xml_attr(xml_pieces_root(p), "", "k"), "v");
    for (const struct xml_node *want = doc.root->first; want != NULL; want = want->next, n++) {
        CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
        if (e == NULL)
            FAIL("only %zu pieces", n);
        CHECK(e->parent == xml_pieces_root(p) && e->next == NULL);
        check_same(e, want);
    }
    CHECK_INT(n, 1501);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
        CHECK(e == NULL);
    }
    xml_pieces_close(p);
    buf_free(&text);
    arena_free(arena);
    arena = NULL;
}

TEST(blank_text_between_elements_is_no_piece)
{
    struct xml_pieces *p;
    struct xml_node *e;
    CHECK_INT(xml_pieces_open(SLICE_LIT("<!-- c --><r>\n <?pi x?> <a> <b> </b>\n</a> <!-- c -->\n"
                                        "text <c/>more</r>\n"),
                              1 << 16, &p, &diag),
              0);
    CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(xml_is(e, "", "a") && xml_is(e->first, "", "b") && e->first->next == NULL);
    CHECK(e->first->first->kind == XML_TEXT); /* an element's only text counts */
    CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(e->kind == XML_TEXT && xml_is(e->next, "", "c"));
    CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(e->kind == XML_TEXT && e->next == NULL);
    check_slice(e->text, "more");
    CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(e == NULL);
    xml_pieces_close(p);
}

TEST(pieces_of_what_is_malformed_end_in_an_error)
{
    static const char *const bad[] = {"<r><a/></s>", "<r><a/>", "<r><a/></r><r/>",
                                      "<r><a/>&x;</r>"};
    struct xml_pieces *p;
    struct xml_node *e;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(xml_pieces_open(slice_str(bad[i]), 1 << 16, &p, &diag), 0);
        CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
        CHECK(xml_is(e, "", "a"));
        CHECK_INT(xml_pieces_next(p, &e, &diag), ERR_INVALID_XML);
        CHECK(strncmp(diag.where, "line 1, column ", 15) == 0);
        xml_pieces_close(p);
    }
    CHECK_INT(xml_pieces_open(SLICE_LIT(""), 1 << 16, &p, &diag), ERR_INVALID_XML);
    CHECK_INT(xml_pieces_open(SLICE_LIT("<!DOCTYPE r><r/>"), 1 << 16, &p, &diag), ERR_INVALID_XML);
    CHECK(p == NULL);
    CHECK_INT(xml_pieces_open(SLICE_LIT("<r/>"), 1 << 16, &p, &diag), 0);
    CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(e == NULL);
    xml_pieces_close(p);
}

TEST(a_piece_has_a_maximum_but_not_all_of_them)
{
    struct buf text;
    struct xml_pieces *p;
    struct xml_node *e;
    buf_init(&text, 1 << 20);
    buf_str(&text, "<r>");
    for (int i = 0; i < 1000; i++)
        buf_str(&text, "<a>some text</a>");
    buf_str(&text, "<b>");
    for (int i = 0; i < 1000; i++)
        buf_str(&text, "<a>some text</a>");
    buf_str(&text, "</b></r>");
    CHECK_INT(xml_pieces_open(buf_view(&text), 8192, &p, &diag), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(xml_pieces_next(p, &e, &diag), 0);
    CHECK(xml_is(e, "", "a"));
    CHECK_INT(xml_pieces_next(p, &e, &diag), ERR_TOO_LARGE);
    xml_pieces_close(p);
    buf_free(&text);
}
