/* Canonical XML against libxml2's, over every element of the documents. */
#include "base/err.h"
#include "test.h"
#include "wire/xml.h"

#include <dirent.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>

static struct diag diag;

/* Nodes of libxml2's tree that belong to the subtree in hand. */
static int in_subtree(void *apex, xmlNodePtr node, xmlNodePtr parent)
{
    for (xmlNodePtr n = node->type == XML_NAMESPACE_DECL ? parent : node; n != NULL; n = n->parent)
        if (n == apex)
            return 1;
    return 0;
}

static xmlNodePtr next_element(xmlNodePtr n)
{
    do {
        if (n->type == XML_ELEMENT_NODE && n->children != NULL) {
            n = n->children;
        } else {
            while (n->next == NULL) {
                n = n->parent;
                if (n == NULL || n->type == XML_DOCUMENT_NODE)
                    return NULL;
            }
            n = n->next;
        }
    } while (n->type != XML_ELEMENT_NODE);
    return n;
}

/* libxml2's octets of the subtree; list: NULL-ended prefixes of the exclusive form. */
static void judged(xmlDocPtr d, xmlNodePtr apex, bool exclusive, xmlChar **list, struct buf *out)
{
    xmlBufferPtr bytes = xmlBufferCreate();
    xmlOutputBufferPtr to = xmlOutputBufferCreateBuffer(bytes, NULL);
    int mode = exclusive ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0;
    CHECK(xmlC14NExecute(d, in_subtree, apex, mode, list, 0, to) >= 0);
    xmlOutputBufferClose(to);
    buf_reset(out);
    buf_add(out, xmlBufferContent(bytes), (size_t)xmlBufferLength(bytes));
    xmlBufferFree(bytes);
}

static void compare(const char *what, struct xml_node *e, bool exclusive, const char *list,
                    struct buf *ours, struct buf *theirs)
{
    buf_reset(ours);
    CHECK_INT(xml_canonical(e, exclusive ? XML_C14N_EXCLUSIVE : XML_C14N_INCLUSIVE, slice_str(list),
                            ours),
              0);
    if (!slice_eq(buf_view(ours), buf_view(theirs)))
        FAIL("%s, <%.*s>, %s (%s): ours\n%s\nlibxml2's\n%s", what, SLICE_ARG(e->local),
             exclusive ? "exclusive" : "inclusive", list, buf_cstr(ours), buf_cstr(theirs));
}

/*
 * Compares every element's subtree in four forms; returns how many elements there were. What
 * libxml2 cannot parse must be refused by ours too.
 */
static int check_document(const char *what, struct slice text)
{
    struct arena *a = arena_new(16 << 20);
    struct buf ours, theirs;
    struct xml_doc doc;
    buf_init(&ours, 4 << 20);
    buf_init(&theirs, 4 << 20);
    int err = xml_parse(a, text, &doc, &diag);
    int quiet = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    xmlDocPtr d = xmlReadMemory((const char *)text.p, (int)text.n, NULL, NULL, quiet);
    if ((err == 0) != (d != NULL))
        FAIL("%s: error %d %s: %s; libxml2 %s it", what, err, diag.where, diag.text,
             d != NULL ? "takes" : "refuses");
    int n = 0;
    xmlChar *listed[] = {BAD_CAST "p", BAD_CAST "ds", BAD_CAST "xsi", NULL};
    xmlChar *with_default[] = {BAD_CAST "#default", BAD_CAST "q", NULL};
    xmlNodePtr theirs_at = d == NULL ? NULL : xmlDocGetRootElement(d);
    struct xml_node *e = doc.root;
    for (; e != NULL && theirs_at != NULL; n++) {
        CHECK(slice_eq_str(e->local, (const char *)theirs_at->name));
        judged(d, theirs_at, false, NULL, &theirs);
        compare(what, e, false, "", &ours, &theirs);
        judged(d, theirs_at, true, NULL, &theirs);
        compare(what, e, true, "", &ours, &theirs);
        judged(d, theirs_at, true, listed, &theirs);
        compare(what, e, true, "p ds\n xsi", &ours, &theirs);
        judged(d, theirs_at, true, with_default, &theirs);
        compare(what, e, true, " #default q", &ours, &theirs);
        e = xml_walk(doc.root, e);
        theirs_at = next_element(theirs_at);
    }
    CHECK(e == NULL && theirs_at == NULL);
    xmlFreeDoc(d);
    buf_free(&ours);
    buf_free(&theirs);
    arena_free(a);
    return n;
}

TEST(hard_cases_are_what_libxml2_makes_of_them)
{
    static const char *cases[] = {
        "<a/>",
        "<a></a>",
        "<a  b = 'c'\n d=\"e\" />",
        "<?xml version='1.0'?><?pi x?><!-- c --><a><?p?><?q  r s ?><!-- d -->t</a><?z?>",
        /* white space and references */
        "<a b=' x&#9;y&#10;z&#13;w\tv\nu\r\nt ' c='&lt;&gt;&amp;&quot;&apos;'>&lt;&gt;&amp;\"'</a>",
        "<a>1&#13;2&#xD;\r\n3\r4&#10;5&#9;6\t7</a>",
        "<a><![CDATA[<b>&amp;]]>x<![CDATA[]]>y<![CDATA[ ]]></a>",
        "<a>\n  <b>  </b>\n</a>",
        "<a>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80&#x1F600;&#228;&#133;&#x2028;</a>",
        /* order of attributes: no namespace first, then by its name, then by local name */
        "<a xmlns:z='u:a' xmlns:y='u:b' z:b='1' y:a='2' z:a='3' b='4' a='5' B='6' xml:lang='7'/>",
        "<a xmlns:p='u:u' xmlns:q='u:t' p:a='1' q:a='2' a='3'/>",
        "<a a1='1' a='2' a-b='3' a.b='4' ab='5' \xc3\xa4='6' _='7' Z='8'/>",
        /* order and need of namespace declarations */
        "<a xmlns:b='u:1' xmlns='u:2' xmlns:a='u:3' xmlns:B='u:4' xmlns:b1='u:5'/>",
        "<a xmlns='u:u'><b xmlns='u:u'><c xmlns=''><d xmlns=''><e xmlns='u:u'/></d></c></b></a>",
        "<a xmlns=''><b xmlns='u:u'><c/></b></a>",
        "<p:a xmlns:p='u:u'><p:b xmlns:p='u:u'><p:c xmlns:p='u:v'><p:d "
        "xmlns:p='u:u'/></p:c></p:b></p:a>",
        "<a xmlns:p='u:u'><b p:x='1'/><b p:x='1' xmlns:p='u:v'/><p:b/></a>",
        "<a xmlns:p='u:u' xmlns:q='u:u'><p:b q:c='1'><q:d p:e='2'/></p:b></a>",
        "<a xmlns='u:u' xmlns:p='u:v'><p:b><c/><d xmlns=''><p:e/><f/></d></p:b></a>",
        "<p:a xmlns:p='u:v' xmlns='u:u'><p:b><c><p:d xmlns=''><e/></p:d></c></p:b></p:a>",
        "<a xmlns:p='u:1'><b xmlns:p='u:2'><c xmlns:p='u:3'><p:d/><e "
        "xmlns:p='u:1'><p:f/></e></c></b></a>",
        "<a xmlns:p='u:u'><b xmlns:q='u:v'><q:c><p:d/><q:e xmlns:q='u:w'/></q:c></b></a>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:space='preserve'><b/></a>",
        "<a xmlns='u:u' xmlns:p='u:u'><b/><p:b/></a>",
        "<q:a xmlns:q='u:u'><b xmlns='u:v'><q:c><d xmlns=''/></q:c></b></q:a>",
        /* what a subtree inherits */
        "<a xml:lang='et' xml:space='preserve' xml:id='i'><b><c xml:lang='en'><d/></c></b></a>",
        "<a xml:base='x/' xml:foo='1' k='2'><b xml:foo='3'><c xml:bar='4' z='5' a='6'/></b></a>",
        "<a xmlns='u:u' xml:lang='et'><b xmlns=''><c><d xmlns='u:v'/></c></b></a>",
        /* other names */
        "<\xc3\xa4:\xc3\xb6 xmlns:\xc3\xa4='u:1' \xc3\xa4:\xc3\xb5='1'/>",
        "<a-b.c_1 xmlns:x-y.z='u:u'><x-y.z:d/></a-b.c_1>",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK(check_document(cases[i], slice_str(cases[i])) > 0);
}

static int check_file(const char *name)
{
    char path[9000];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", VECTORS(), name);
    unsigned char *text = test_file(path, &n);
    int elements = check_document(name, slice_of(text, n));
    free(text);
    return elements;
}

/* Every XML file of a folder. */
static int check_folder(const char *name)
{
    char path[4500];
    snprintf(path, sizeof path, "%s/%s", VECTORS(), name);
    DIR *list = opendir(path);
    CHECK(list != NULL);
    int elements = 0;
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (!slice_ends(slice_str(e->d_name), ".xml"))
            continue;
        snprintf(path, sizeof path, "%s/%s", name, e->d_name);
        elements += check_file(path);
    }
    closedir(list);
    return elements;
}

TEST(signatures_and_hash_chains_are_what_libxml2_makes_of_them)
{
    CHECK(check_folder("xroad/signatures") > 400);
    CHECK(check_folder("xroad/signatures/common") > 50);
    CHECK(check_folder("xroad/signatures/non-batch-sig") > 20);
    CHECK(check_folder("xroad/hashchain") > 50);
    CHECK(check_folder("xroad/identifiers") > 0);
    CHECK(check_folder("xroad/worked/single-rsa") > 30);
    CHECK(check_folder("xroad/worked/single-ec") > 60);
    CHECK(check_folder("xroad/worked/batch-ec") > 50);
}

/* The first element with this local name. */
static struct xml_node *named(struct xml_doc *doc, const char *local)
{
    struct xml_node *e = doc->root;
    while (e != NULL && !slice_eq_str(e->local, local))
        e = xml_walk(doc->root, e);
    CHECK(e != NULL);
    return e;
}

static void check_octets(const char *folder, const char *local, const char *file)
{
    char path[4500];
    size_t n, want_n;
    struct xml_doc doc;
    struct buf out;
    struct arena *a = arena_new(4 << 20);
    buf_init(&out, 1 << 20);
    snprintf(path, sizeof path, "%s/xroad/worked/%s/signatures.xml", VECTORS(), folder);
    unsigned char *text = test_file(path, &n);
    snprintf(path, sizeof path, "%s/xroad/worked/%s/%s", VECTORS(), folder, file);
    unsigned char *want = test_file(path, &want_n);
    CHECK_INT(xml_parse(a, slice_of(text, n), &doc, &diag), 0);
    CHECK_INT(xml_canonical(named(&doc, local), XML_C14N_INCLUSIVE, SLICE_NONE, &out), 0);
    if (!slice_eq(buf_view(&out), slice_of(want, want_n)))
        FAIL("%s of %s: %s", local, folder, buf_cstr(&out));
    free(text);
    free(want);
    buf_free(&out);
    arena_free(a);
}

TEST(worked_examples_have_the_octets_that_were_signed)
{
    static const char *folders[] = {"single-rsa", "single-ec", "batch-ec"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        check_octets(folders[i], "SignedInfo", "signed-info.c14n");
        check_octets(folders[i], "SignedProperties", "signed-properties.c14n");
    }
}

/* libxml2 2.9 keeps "&#38;" in names of namespaces; Canonical XML 2.3 wants them like attributes.
 */
TEST(names_of_namespaces_are_escaped_like_attributes)
{
    struct arena *a = arena_new(4096);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, 1000);
    CHECK_INT(xml_parse(a, SLICE_LIT("<p:a xmlns:p='u:?a=1&amp;b=&lt;&quot;>'/>"), &doc, &diag), 0);
    CHECK_INT(xml_canonical(doc.root, XML_C14N_EXCLUSIVE, SLICE_NONE, &out), 0);
    CHECK_STR(buf_cstr(&out), "<p:a xmlns:p=\"u:?a=1&amp;b=&lt;&quot;>\"></p:a>");
    buf_free(&out);
    arena_free(a);
}

TEST(relative_namespaces_have_no_canonical_form)
{
    static const char *bad[] = {
        "<a xmlns='u'/>",          "<a xmlns:p='/u:v'/>",     "<a xmlns:p='1:v'/>",
        "<a><b xmlns:p='x'/></a>", "<a xmlns:p='?'><b/></a>",
    };
    struct arena *a = arena_new(4096);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, 1000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(xml_parse(a, slice_str(bad[i]), &doc, &diag), 0);
        struct xml_node *e = doc.root->first != NULL ? doc.root->first : doc.root;
        CHECK_INT(xml_canonical(e, XML_C14N_INCLUSIVE, SLICE_NONE, &out), ERR_INVALID_XML);
        CHECK_INT(xml_canonical(e, XML_C14N_EXCLUSIVE, SLICE_NONE, &out), ERR_INVALID_XML);
    }
    buf_free(&out);
    arena_free(a);
}

TEST(output_over_its_maximum_is_an_error)
{
    struct arena *a = arena_new(4096);
    struct xml_doc doc;
    struct buf out;
    buf_init(&out, 10);
    CHECK_INT(xml_parse(a, SLICE_LIT("<a>12345</a>"), &doc, &diag), 0);
    CHECK_INT(xml_canonical(doc.root, XML_C14N_INCLUSIVE, SLICE_NONE, &out), ERR_TOO_LARGE);
    buf_free(&out);
    arena_free(a);
}
