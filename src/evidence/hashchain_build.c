/*
 * Hash chains of batch signatures and batch time-stamps, written (signature.md 3, 4.1 to 4.3).
 *
 *     DigestList   ::= SEQUENCE OF SingleDigest
 *     SingleDigest ::= SEQUENCE { digestValue OCTET STRING, digestMethod UTF8String,
 *                                 transforms SEQUENCE {} }
 *
 * The tree: level 0 holds the leaves, level k+1 has half as many nodes, rounded up; a node without
 * right child takes over its left child's value. A message's chain has one step for each node with
 * two children on the way from the root to its leaf, and one more for the parts of a message that
 * has several.
 */
#include "evidence/hashchain.h"

#include "base/base64.h"
#include "base/err.h"
#include "evidence/hashchain_form.h"
#include "wire/xml.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 16 /* 2^14 messages need 15 */
#define ITEM_MAX 128  /* DER of one SingleDigest: 2 + 2 + 64 + 2 + 51 + 2 at most */

const char *hashchain_part_name(size_t i)
{
    static const char *const names[HASHCHAIN_PARTS_MAX] = {
        "/message.xml",  "/attachment1",  "/attachment2",  "/attachment3",
        "/attachment4",  "/attachment5",  "/attachment6",  "/attachment7",
        "/attachment8",  "/attachment9",  "/attachment10", "/attachment11",
        "/attachment12", "/attachment13", "/attachment14", "/attachment15",
    };
    return names[i];
}

static uint8_t *put_item(uint8_t *p, const struct digest *d)
{
    const char *uri = digest_uri(d->alg);
    size_t n = strlen(uri);
    *p++ = 0x30;
    *p++ = (uint8_t)(2 + d->n + 2 + n + 2);
    *p++ = 0x04;
    *p++ = d->n;
    memcpy(p, d->b, d->n);
    p += d->n;
    *p++ = 0x0c;
    *p++ = (uint8_t)n;
    memcpy(p, uri, n);
    p += n;
    *p++ = 0x30;
    *p++ = 0x00;
    return p;
}

/* Writes the head of a SEQUENCE so that it ends where its content begins; returns its begin. */
static const uint8_t *put_head(uint8_t *content, size_t n)
{
    uint8_t *p = content;
    if (n < 0x80) {
        *--p = (uint8_t)n;
    } else if (n < 0x100) {
        *--p = (uint8_t)n;
        *--p = 0x81;
    } else {
        *--p = (uint8_t)n;
        *--p = (uint8_t)(n >> 8);
        *--p = 0x82;
    }
    *--p = 0x30;
    return p;
}

void hashchain_step(enum digest_alg alg, const struct digest *items, size_t n, struct digest *out)
{
    if (n > HASHCHAIN_ITEMS_MAX)
        abort();
    uint8_t der[4 + HASHCHAIN_ITEMS_MAX * ITEM_MAX];
    uint8_t *content = der + 4, *end = content;
    for (size_t i = 0; i < n; i++)
        end = put_item(end, &items[i]);
    const uint8_t *begin = put_head(content, (size_t)(end - content));
    digest_of(alg, slice_of(begin, (size_t)(end - begin)), out);
}

struct tree {
    enum digest_alg alg;
    bool one_part; /* there is one message, and it has one part */
    size_t levels; /* number of levels, the root's included */
    size_t count[LEVELS_MAX];
    struct digest *node[LEVELS_MAX];
    struct digest *memory;
};

/* The tree's shape, its leaves still to be filled in. */
static int tree_plant(struct tree *t, enum digest_alg alg, size_t n)
{
    size_t total = 0;
    *t = (struct tree){.alg = alg};
    for (size_t c = n;; c = (c + 1) / 2) {
        t->count[t->levels++] = c;
        total += c;
        if (c == 1)
            break;
    }
    t->memory = malloc(total * sizeof *t->memory);
    if (t->memory == NULL)
        return ERR_NOMEM;
    t->node[0] = t->memory;
    return 0;
}

static void tree_raise(struct tree *t)
{
    for (size_t k = 1; k < t->levels; k++) {
        t->node[k] = t->node[k - 1] + t->count[k - 1];
        for (size_t i = 0; i < t->count[k]; i++) {
            if (2 * i + 1 < t->count[k - 1])
                hashchain_step(t->alg, &t->node[k - 1][2 * i], 2, &t->node[k][i]);
            else
                t->node[k][i] = t->node[k - 1][2 * i];
        }
    }
}

static int tree_make(struct tree *t, enum digest_alg alg, const struct hashchain_message *m,
                     size_t n)
{
    int rc = tree_plant(t, alg, n);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (m[i].n == 1)
            t->node[0][i] = m[i].digest[0];
        else
            hashchain_step(alg, m[i].digest, m[i].n, &t->node[0][i]);
    }
    t->one_part = n == 1 && m[0].n == 1;
    tree_raise(t);
    return 0;
}

static void put_value(struct buf *b, const char *indent, const struct digest *d)
{
    buf_str(b, indent);
    buf_str(b, HASHCHAIN_FORM_VALUE);
    base64_append(b, digest_slice(d));
    buf_str(b, HASHCHAIN_FORM_VALUE_END);
}

static void put_sibling(struct buf *b, const struct digest *d)
{
    buf_str(b, HASHCHAIN_FORM_HASH);
    put_value(b, HASHCHAIN_FORM_ITEM_INDENT, d);
    buf_str(b, HASHCHAIN_FORM_HASH_END);
}

static void put_data(struct buf *b, struct slice name, const struct digest *d)
{
    buf_str(b, HASHCHAIN_FORM_DATA);
    xml_escape_attr(b, name);
    buf_str(b, HASHCHAIN_FORM_DATA_VALUE);
    put_value(b, HASHCHAIN_FORM_ITEM_INDENT, d);
    buf_str(b, HASHCHAIN_FORM_DATA_END);
}

static void put_numbered(struct buf *b, const char *line, size_t step, const char *tail)
{
    char digits[HASHCHAIN_FORM_DIGITS];
    buf_str(b, line);
    buf_slice(b, hashchain_form_number(step, digits));
    buf_str(b, tail);
}

static void put_step_begin(struct buf *b, size_t step)
{
    put_numbered(b, HASHCHAIN_FORM_STEP, step, HASHCHAIN_FORM_STEP_TAIL);
}

static void put_step_end(struct buf *b)
{
    buf_str(b, HASHCHAIN_FORM_STEP_END);
}

/* The step of a node with two children, of which the `right` one (or the left) leads to the leaf.
 * Below it stands another step, unless `last`. */
static void put_node(struct buf *b, const struct tree *t, const struct hashchain_message *m,
                     size_t leaf, size_t level, size_t step, bool last)
{
    size_t own = leaf >> (level - 1);
    const struct digest *sibling = &t->node[level - 1][own ^ 1];
    put_step_begin(b, step);
    if (own & 1)
        put_sibling(b, sibling);
    if (last)
        put_data(b, m->name[0], &m->digest[0]);
    else
        put_numbered(b, HASHCHAIN_FORM_STEP_REF, step + 1, HASHCHAIN_FORM_STEP_REF_TAIL);
    if (!(own & 1))
        put_sibling(b, sibling);
    put_step_end(b);
}

/* The chain of the message whose leaf this is. */
static void put_chain(struct buf *b, const struct tree *t, const struct hashchain_message *m,
                      size_t leaf)
{
    size_t forks[LEVELS_MAX], n = 0;
    for (size_t level = t->levels - 1; level > 0; level--) {
        size_t left = (leaf >> level) * 2;
        if (left + 1 < t->count[level - 1])
            forks[n++] = level;
    }
    buf_str(b, HASHCHAIN_FORM_CHAIN);
    buf_str(b, digest_uri(t->alg));
    buf_str(b, HASHCHAIN_FORM_METHOD_END);
    for (size_t i = 0; i < n; i++)
        put_node(b, t, m, leaf, forks[i], i, i + 1 == n && m->n == 1);
    if (m->n > 1 || n == 0) {
        put_step_begin(b, n);
        for (size_t i = 0; i < m->n; i++)
            put_data(b, m->name[i], &m->digest[i]);
        put_step_end(b);
    }
    buf_str(b, HASHCHAIN_FORM_CHAIN_END);
}

static void put_result(struct buf *b, const struct tree *t, const char *uri)
{
    struct digest top = t->node[t->levels - 1][0];
    /* A message that is alone and has one part has no node above it: its chain is a step with that
     * part only. */
    if (t->one_part)
        hashchain_step(t->alg, &t->node[0][0], 1, &top);
    buf_str(b, HASHCHAIN_FORM_RESULT);
    xml_escape_attr(b, slice_str(uri));
    buf_str(b, HASHCHAIN_FORM_RESULT_METHOD);
    buf_str(b, digest_uri(t->alg));
    buf_str(b, HASHCHAIN_FORM_METHOD_END);
    put_value(b, HASHCHAIN_FORM_RESULT_INDENT, &top);
    buf_str(b, HASHCHAIN_FORM_RESULT_END);
}

int hashchain_build(enum digest_alg alg, const struct hashchain_message *m, size_t n,
                    const char *result_uri, struct buf *result, struct buf *chains)
{
    if (n == 0 || n > HASHCHAIN_MESSAGES_MAX || digest_len(alg) == 0)
        return ERR_USAGE;
    for (size_t i = 0; i < n; i++) {
        if (m[i].n == 0 || m[i].n > HASHCHAIN_PARTS_MAX)
            return ERR_USAGE;
    }
    struct tree t;
    int rc = tree_make(&t, alg, m, n);
    if (rc != 0)
        return rc;
    put_result(result, &t, result_uri);
    bool failed = result->failed;
    for (size_t i = 0; i < n; i++) {
        put_chain(&chains[i], &t, &m[i], i);
        failed = failed || chains[i].failed;
    }
    free(t.memory);
    return failed ? ERR_TOO_LARGE : 0;
}

int hashchain_over(enum digest_alg alg, const struct digest *leaf, size_t n, const char *name,
                   const char *result_uri, size_t which, struct buf *result, struct buf *chain)
{
    struct tree t;
    if (n == 0 || n > HASHCHAIN_MESSAGES_MAX || digest_len(alg) == 0 || which >= n)
        return ERR_USAGE;
    int rc = tree_plant(&t, alg, n);
    if (rc != 0)
        return rc;
    memcpy(t.node[0], leaf, n * sizeof *leaf);
    t.one_part = n == 1;
    tree_raise(&t);
    if (result != NULL)
        put_result(result, &t, result_uri);
    if (chain != NULL) {
        struct hashchain_message m = {.n = 1, .name = {slice_str(name)}, .digest = {leaf[which]}};
        put_chain(chain, &t, &m, which);
    }
    free(t.memory);
    return (result != NULL && result->failed) || (chain != NULL && chain->failed) ? ERR_TOO_LARGE
                                                                                  : 0;
}
