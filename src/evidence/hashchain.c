/*
 * Hash chains of batch signatures and batch time-stamps, verified (signature.md 4.4). Documents are
 * read as strictly as their schema has them: nothing between elements but white space, no unknown
 * element or attribute.
 */
#include "evidence/hashchain.h"

#include "base/base64.h"
#include "base/err.h"
#include "evidence/hashchain_form.h"
#include "wire/xml.h"

#include <string.h>

#define HC "http://cyber.ee/hashchain"
#define DS "http://www.w3.org/2000/09/xmldsig#"
#define XSI "http://www.w3.org/2001/XMLSchema-instance"

#define DOCUMENTS_MAX 4

enum step_state {
    STEP_NEW,
    STEP_OPEN, /* being resolved: meeting it again is a cycle */
    STEP_DONE,
};

struct step {
    size_t document;
    struct slice id;
    const struct xml_node *node;
    enum step_state state;
    struct digest *list; /* when done: its items */
    size_t n;
};

struct verifier {
    struct arena *arena;
    struct diag *d;
    const struct hashchain_input *in;
    bool used[HASHCHAIN_PARTS_MAX];
    size_t n_in;
    hashchain_file file;
    void *ctx;
    struct hashchain_outcome *out;
    struct slice document_uri[DOCUMENTS_MAX];
    enum digest_alg document_alg[DOCUMENTS_MAX]; /* the default */
    size_t n_documents;
    struct step step[HASHCHAIN_STEPS_MAX];
    size_t n_steps;
};

static int malformed(struct verifier *v, const char *what, const struct xml_node *e)
{
    return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "%s in hash chain element %.*s", what,
                    SLICE_ARG(e->local));
}

static int no_memory(struct verifier *v)
{
    return diag_set(v->d, ERR_TOO_LARGE, "a hash chain needs too much memory");
}

/* A document that is no XML is a malformed chain; the reader's sentence stays. */
static int not_xml(struct verifier *v, int rc)
{
    if (rc != ERR_INVALID_XML)
        return rc;
    if (v->d != NULL)
        v->d->code = ERR_MALFORMED_HASH_CHAIN;
    return ERR_MALFORMED_HASH_CHAIN;
}

/* Only white space between the children, and of all attributes only `name` (NULL: none), which
 * must be there. */
static int check_shape(struct verifier *v, const struct xml_node *e, const char *name)
{
    for (const struct xml_node *c = e->first; c != NULL; c = c->next) {
        if (c->kind == XML_TEXT && slice_trim(c->text).n > 0)
            return malformed(v, "text", e);
    }
    bool found = false;
    for (const struct xml_attr *a = e->attrs; a != NULL; a = a->next) {
        if (slice_eq_str(a->uri, XSI))
            continue;
        if (name == NULL || a->uri.n > 0 || !slice_eq_str(a->local, name))
            return malformed(v, "unknown attribute", e);
        found = true;
    }
    if (name != NULL && !found)
        return malformed(v, "missing attribute", e);
    return 0;
}

static int read_method(struct verifier *v, const struct xml_node *e, enum digest_alg *alg)
{
    int rc = check_shape(v, e, "Algorithm");
    if (rc != 0)
        return rc;
    if (xml_first_element(e) != NULL)
        return malformed(v, "unknown content", e);
    *alg = digest_from_uri(xml_attr(e, "", "Algorithm"));
    if (*alg == DIGEST_NONE)
        return malformed(v, "unknown digest algorithm", e);
    return 0;
}

static int read_value(struct verifier *v, const struct xml_node *e, enum digest_alg alg,
                      struct digest *out)
{
    if (e == NULL || !xml_is(e, DS, "DigestValue"))
        return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "a hash chain item has no DigestValue");
    if (e->attrs != NULL || xml_first_element(e) != NULL)
        return malformed(v, "unknown content", e);
    struct buf b;
    buf_init(&b, 4096);
    int rc = base64_decode(&b, xml_text(v->arena, e), true);
    if (rc != 0 || b.n == 0 || b.n > DIGEST_MAX) {
        buf_free(&b);
        return malformed(v, "not a digest in base64", e);
    }
    memset(out, 0, sizeof *out);
    out->alg = alg;
    out->n = (uint8_t)b.n;
    memcpy(out->b, b.p, b.n);
    buf_free(&b);
    return 0;
}

/* Reads a chain document's head and lists its steps. */
static int add_document(struct verifier *v, struct slice uri, struct slice text)
{
    if (v->n_documents == DOCUMENTS_MAX)
        return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "more than %d hash chain documents",
                        DOCUMENTS_MAX);
    struct xml_doc doc;
    int rc = xml_parse(v->arena, text, &doc, v->d);
    if (rc != 0)
        return not_xml(v, rc);
    if (!xml_is(doc.root, HC, "HashChain"))
        return malformed(v, "unknown root", doc.root);
    rc = check_shape(v, doc.root, NULL);
    if (rc != 0)
        return rc;
    const struct xml_node *e = xml_first_element(doc.root);
    if (e == NULL || !xml_is(e, HC, "DefaultDigestMethod"))
        return malformed(v, "no default digest method", doc.root);
    size_t self = v->n_documents;
    rc = read_method(v, e, &v->document_alg[self]);
    if (rc != 0)
        return rc;
    v->document_uri[self] = uri;
    v->n_documents++;
    for (e = xml_next_element(e); e != NULL; e = xml_next_element(e)) {
        if (!xml_is(e, HC, "HashStep"))
            return malformed(v, "unknown child", doc.root);
        rc = check_shape(v, e, "id");
        if (rc != 0)
            return rc;
        struct slice id = xml_attr(e, "", "id");
        for (size_t i = 0; i < v->n_steps; i++) {
            if (v->step[i].document == self && slice_eq(v->step[i].id, id))
                return malformed(v, "doubled id", e);
        }
        if (v->n_steps == HASHCHAIN_STEPS_MAX)
            return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "more than %d hash chain steps",
                            HASHCHAIN_STEPS_MAX);
        v->step[v->n_steps++] = (struct step){.document = self, .id = id, .node = e};
    }
    return 0;
}

/* The document of this name, asked for when it is not here yet. */
static int find_document(struct verifier *v, struct slice uri, size_t *index)
{
    for (size_t i = 0; i < v->n_documents; i++) {
        if (slice_eq(v->document_uri[i], uri)) {
            *index = i;
            return 0;
        }
    }
    struct slice text;
    if (v->file == NULL || v->file(v->ctx, uri, &text) != 0)
        return diag_set(v->d, ERR_INVALID_REFERENCE, "Cannot resolve URI %.*s", SLICE_ARG(uri));
    *index = v->n_documents;
    return add_document(v, uri, text);
}

/* "#STEP1" within document `base`, or "/sig-hashchain.xml#STEP0". */
static int find_step(struct verifier *v, struct slice uri, size_t base, struct step **out)
{
    size_t at = slice_find(uri, '#');
    if (at == SIZE_MAX)
        return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "URI %.*s names no step", SLICE_ARG(uri));
    if (at > 0) {
        int rc = find_document(v, slice_sub(uri, 0, at), &base);
        if (rc != 0)
            return rc;
    } else if (base == DOCUMENTS_MAX) {
        return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "URI %.*s names no document",
                        SLICE_ARG(uri));
    }
    struct slice id = slice_from(uri, at + 1);
    for (size_t i = 0; i < v->n_steps; i++) {
        if (v->step[i].document == base && slice_eq(v->step[i].id, id)) {
            *out = &v->step[i];
            return 0;
        }
    }
    return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "hash step %.*s does not exist",
                    SLICE_ARG(uri));
}

/* A data reference without known digest: the file's, or as given. `digest` holds the value given.
 */
static int check_file(struct verifier *v, struct slice uri, struct digest *digest)
{
    if (v->file == NULL)
        return diag_set(v->d, ERR_INVALID_REFERENCE, "Cannot resolve URI %.*s", SLICE_ARG(uri));
    struct slice bytes;
    int rc = v->file(v->ctx, uri, &bytes);
    if (rc == ERR_NOT_FOUND) {
        struct hashchain_outcome *out = v->out;
        if (out->n_open == HASHCHAIN_PARTS_MAX)
            return diag_set(v->d, ERR_MALFORMED_HASH_CHAIN, "more than %d files in a hash chain",
                            HASHCHAIN_PARTS_MAX);
        out->open[out->n_open++] = (struct hashchain_open){uri, *digest};
        return 0;
    }
    if (rc != 0)
        return rc;
    struct digest own;
    digest_of(digest->alg, bytes, &own);
    if (!digest_eq(&own, digest))
        return diag_set(v->d, ERR_INVALID_HASH_CHAIN_REF,
                        "Invalid digest value in hash chain reference to %.*s", SLICE_ARG(uri));
    return 0;
}

static int read_data(struct verifier *v, const struct xml_node *item, const struct xml_node *e,
                     enum digest_alg alg, struct digest *out)
{
    if (e != NULL && xml_is(e, DS, "Transforms"))
        return malformed(v, "unsupported Transforms", item);
    int rc = read_value(v, e, alg, out);
    if (rc != 0)
        return rc;
    if (xml_next_element(e) != NULL)
        return malformed(v, "unknown content", item);
    struct slice uri = xml_attr(item, "", "URI");
    for (size_t i = 0; i < v->n_in; i++) {
        if (!slice_eq(v->in[i].name, uri))
            continue;
        v->used[i] = true;
        if (v->in[i].has_digest && !v->in[i].of_file && v->in[i].digest.alg == alg) {
            *out = v->in[i].digest;
            return 0;
        }
    }
    return check_file(v, uri, out);
}

static int resolve(struct verifier *v, struct step *s, enum digest_alg alg, struct digest *out);

static int read_item(struct verifier *v, const struct step *s, const struct xml_node *item,
                     struct digest *out)
{
    const struct xml_node *e = xml_first_element(item);
    enum digest_alg alg = v->document_alg[s->document];
    bool value = xml_is(item, HC, "HashValue");
    int rc = check_shape(v, item, value ? NULL : "URI");
    if (rc == 0 && e != NULL && xml_is(e, DS, "DigestMethod")) {
        rc = read_method(v, e, &alg);
        e = xml_next_element(e);
    }
    if (rc != 0)
        return rc;
    if (xml_is(item, HC, "DataRef"))
        return read_data(v, item, e, alg, out);
    if (value) {
        if (e != NULL && xml_is(e, DS, "Transforms"))
            return malformed(v, "unsupported Transforms", item);
        rc = read_value(v, e, alg, out);
        if (rc == 0 && xml_next_element(e) != NULL)
            rc = malformed(v, "unknown content", item);
        return rc;
    }
    if (!xml_is(item, HC, "StepRef") || e != NULL)
        return malformed(v, "unknown content", item);
    struct step *next;
    rc = find_step(v, xml_attr(item, "", "URI"), s->document, &next);
    if (rc != 0)
        return rc;
    return resolve(v, next, alg, out);
}

static int read_items(struct verifier *v, struct step *s)
{
    size_t n = 0;
    for (const struct xml_node *e = xml_first_element(s->node); e != NULL; e = xml_next_element(e))
        n++;
    if (n == 0 || n > HASHCHAIN_ITEMS_MAX)
        return malformed(v, n == 0 ? "no item" : "too many items", s->node);
    s->list = arena_alloc(v->arena, n * sizeof *s->list);
    if (s->list == NULL)
        return no_memory(v);
    for (const struct xml_node *e = xml_first_element(s->node); e != NULL;
         e = xml_next_element(e)) {
        int rc = read_item(v, s, e, &s->list[s->n++]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Digest of a step's list, which is read once. The recursion is bounded: an open step is a cycle,
 * and there are at most HASHCHAIN_STEPS_MAX. */
static int resolve(struct verifier *v, struct step *s, enum digest_alg alg, struct digest *out)
{
    if (s->state == STEP_OPEN)
        return malformed(v, "a cycle", s->node);
    if (s->state == STEP_NEW) {
        s->state = STEP_OPEN;
        int rc = read_items(v, s);
        if (rc != 0)
            return rc;
        s->state = STEP_DONE;
    }
    hashchain_step(alg, s->list, s->n, out);
    return 0;
}

static int read_result(struct verifier *v, struct slice text, struct slice *uri,
                       struct digest *digest)
{
    struct xml_doc doc;
    int rc = xml_parse(v->arena, text, &doc, v->d);
    if (rc != 0)
        return not_xml(v, rc);
    if (!xml_is(doc.root, HC, "HashChainResult"))
        return malformed(v, "unknown root", doc.root);
    rc = check_shape(v, doc.root, "URI");
    if (rc != 0)
        return rc;
    const struct xml_node *method = xml_first_element(doc.root);
    if (method == NULL || !xml_is(method, DS, "DigestMethod"))
        return malformed(v, "no digest method", doc.root);
    enum digest_alg alg;
    rc = read_method(v, method, &alg);
    if (rc != 0)
        return rc;
    const struct xml_node *value = xml_next_element(method);
    rc = read_value(v, value, alg, digest);
    if (rc != 0)
        return rc;
    if (xml_next_element(value) != NULL)
        return malformed(v, "unknown content", doc.root);
    *uri = xml_attr(doc.root, "", "URI");
    return 0;
}

static int verify(struct verifier *v, struct slice result, struct slice chain,
                  struct slice chain_name)
{
    struct slice uri;
    struct digest want, got;
    int rc = read_result(v, result, &uri, &want);
    if (rc != 0)
        return rc;
    const char *name = arena_printf(v->arena, "/%.*s", SLICE_ARG(chain_name));
    if (name == NULL)
        return no_memory(v);
    rc = add_document(v, slice_str(name), chain);
    if (rc != 0)
        return rc;
    struct step *first;
    rc = find_step(v, uri, DOCUMENTS_MAX, &first);
    if (rc != 0)
        return rc;
    rc = resolve(v, first, want.alg, &got);
    if (rc != 0)
        return rc;
    if (!digest_eq(&got, &want))
        return diag_set(v->d, ERR_INVALID_HASH_CHAIN,
                        "the hash chain does not lead to the digest of its result");
    for (size_t i = 0; i < v->n_in; i++) {
        if (!v->used[i])
            return diag_set(v->d, ERR_HASHCHAIN_UNUSED_INPUTS,
                            "Some inputs were not referenced by hash chain: %.*s",
                            SLICE_ARG(v->in[i].name));
    }
    return 0;
}

int hashchain_verify(struct arena *a, struct slice result, struct slice chain,
                     struct slice chain_name, const struct hashchain_input *in, size_t n,
                     hashchain_file file, void *ctx, struct hashchain_outcome *out, struct diag *d)
{
    out->n_open = 0;
    if (n > HASHCHAIN_PARTS_MAX)
        return diag_set(d, ERR_USAGE, "more than %d parts", HASHCHAIN_PARTS_MAX);
    if (hashchain_form_verify(result, chain, chain_name, in, n))
        return 0;
    struct verifier *v = arena_zalloc(a, sizeof *v);
    if (v == NULL)
        return diag_set(d, ERR_TOO_LARGE, "a hash chain needs too much memory");
    v->arena = a;
    v->d = d;
    v->in = in;
    v->n_in = n;
    v->file = file;
    v->ctx = ctx;
    v->out = out;
    return verify(v, result, chain, chain_name);
}
