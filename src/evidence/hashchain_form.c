#include "evidence/hashchain_form.h"

#include "base/base64.h"

#include <string.h>

#define STEPS_MAX 24 /* a batch of 16384 messages has 15 */
#define ITEMS_MAX 16

struct step {
    struct digest item[ITEMS_MAX];
    size_t n, ref; /* ref: the item that is the next step's digest */
    bool has_ref;
};

struct reader {
    struct slice rest;
    enum digest_alg alg;
    const struct hashchain_input *in;
    size_t n_in;
    bool used[HASHCHAIN_PARTS_MAX];
    struct buf value; /* of a digest */
    struct step step[STEPS_MAX];
    size_t n;
};

#define SKIP(rest, literal) slice_skip(rest, SLICE_LIT(literal))

struct slice hashchain_form_number(size_t n, char out[HASHCHAIN_FORM_DIGITS])
{
    char *p = out + HASHCHAIN_FORM_DIGITS;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return slice_of(p, (size_t)(out + HASHCHAIN_FORM_DIGITS - p));
}

static bool skip_number(struct slice *rest, size_t n)
{
    char digits[HASHCHAIN_FORM_DIGITS];
    return slice_skip(rest, hashchain_form_number(n, digits));
}

/* A name that stands in an attribute as it is: nothing that XML writes or reads in another way. */
static bool is_plain(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '&' || c == '"' || c == '#')
            return false;
    }
    return true;
}

static bool read_alg(struct slice *rest, enum digest_alg *alg)
{
    struct slice uri;
    if (!slice_until(rest, '"', &uri) || !SKIP(rest, HASHCHAIN_FORM_METHOD_END))
        return false;
    *alg = digest_from_uri(uri);
    return *alg != DIGEST_NONE;
}

/* A DigestValue's line behind its indent. */
static bool read_value(struct reader *r, struct slice *rest, enum digest_alg alg,
                       struct digest *out)
{
    struct slice text;
    if (!SKIP(rest, HASHCHAIN_FORM_VALUE) || !slice_until(rest, '<', &text) ||
        !SKIP(rest, HASHCHAIN_FORM_VALUE_END))
        return false;
    buf_reset(&r->value);
    if (base64_decode(&r->value, text, false) != 0 || r->value.n == 0)
        return false;
    *out = (struct digest){.alg = alg, .n = (uint8_t)r->value.n};
    memcpy(out->b, r->value.p, r->value.n);
    return true;
}

static bool read_result(struct reader *r, struct slice text, struct slice chain_name,
                        struct digest *want)
{
    struct slice uri;
    enum digest_alg alg;
    return SKIP(&text, HASHCHAIN_FORM_RESULT) && SKIP(&text, "/") && is_plain(chain_name) &&
           slice_until(&text, '#', &uri) && slice_eq(uri, chain_name) && SKIP(&text, "#STEP0") &&
           SKIP(&text, HASHCHAIN_FORM_RESULT_METHOD) && read_alg(&text, &alg) &&
           SKIP(&text, HASHCHAIN_FORM_RESULT_INDENT) && read_value(r, &text, alg, want) &&
           SKIP(&text, HASHCHAIN_FORM_RESULT_END) && text.n == 0;
}

/* The digest of an input stands for the one in the document, as hashchain_verify has it. */
static bool read_data(struct reader *r, struct digest *out)
{
    struct slice uri;
    if (!slice_until(&r->rest, '"', &uri) || !is_plain(uri) ||
        !SKIP(&r->rest, HASHCHAIN_FORM_DATA_VALUE HASHCHAIN_FORM_ITEM_INDENT) ||
        !read_value(r, &r->rest, r->alg, out) || !SKIP(&r->rest, HASHCHAIN_FORM_DATA_END))
        return false;
    for (size_t i = 0; i < r->n_in; i++) {
        if (!slice_eq(r->in[i].name, uri))
            continue;
        r->used[i] = true;
        if (r->in[i].of_file && !digest_eq(out, &r->in[i].digest))
            return false;
        *out = r->in[i].digest;
        return out->alg == r->alg;
    }
    return false;
}

static bool read_item(struct reader *r, struct step *s)
{
    if (s->n == ITEMS_MAX)
        return false;
    struct digest *item = &s->item[s->n++];
    if (SKIP(&r->rest, HASHCHAIN_FORM_HASH HASHCHAIN_FORM_ITEM_INDENT))
        return read_value(r, &r->rest, r->alg, item) && SKIP(&r->rest, HASHCHAIN_FORM_HASH_END);
    if (SKIP(&r->rest, HASHCHAIN_FORM_DATA))
        return read_data(r, item);
    if (s->has_ref || !SKIP(&r->rest, HASHCHAIN_FORM_STEP_REF) || !skip_number(&r->rest, r->n) ||
        !SKIP(&r->rest, HASHCHAIN_FORM_STEP_REF_TAIL))
        return false;
    s->has_ref = true;
    s->ref = s->n - 1;
    return true;
}

static bool read_steps(struct reader *r)
{
    bool more = true;
    while (more) {
        if (r->n == STEPS_MAX || !SKIP(&r->rest, HASHCHAIN_FORM_STEP) ||
            !skip_number(&r->rest, r->n) || !SKIP(&r->rest, HASHCHAIN_FORM_STEP_TAIL))
            return false;
        struct step *s = &r->step[r->n++];
        s->n = 0;
        s->has_ref = false;
        do {
            if (!read_item(r, s))
                return false;
        } while (!SKIP(&r->rest, HASHCHAIN_FORM_STEP_END));
        more = s->has_ref;
    }
    return true;
}

static bool all_used(const struct reader *r)
{
    for (size_t i = 0; i < r->n_in; i++)
        if (!r->used[i])
            return false;
    return true;
}

/* Digests the steps from the last one up. */
static void climb(struct reader *r, enum digest_alg alg, struct digest *top)
{
    for (size_t i = r->n; i > 1; i--)
        hashchain_step(r->alg, r->step[i - 1].item, r->step[i - 1].n,
                       &r->step[i - 2].item[r->step[i - 2].ref]);
    hashchain_step(alg, r->step[0].item, r->step[0].n, top);
}

bool hashchain_form_verify(struct slice result, struct slice chain, struct slice chain_name,
                           const struct hashchain_input *in, size_t n)
{
    struct reader r;
    struct digest want, top;
    if (n > HASHCHAIN_PARTS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!in[i].has_digest)
            return false;
    r.rest = chain;
    r.in = in;
    r.n_in = n;
    r.n = 0;
    memset(r.used, 0, sizeof r.used);
    buf_init(&r.value, DIGEST_MAX);
    bool good = read_result(&r, result, chain_name, &want) && SKIP(&r.rest, HASHCHAIN_FORM_CHAIN) &&
                read_alg(&r.rest, &r.alg) && read_steps(&r) &&
                SKIP(&r.rest, HASHCHAIN_FORM_CHAIN_END) && r.rest.n == 0 && all_used(&r);
    buf_free(&r.value);
    if (!good)
        return false;
    climb(&r, want.alg, &top);
    return digest_eq(&top, &want);
}
