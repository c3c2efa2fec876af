#include "xroad/params_walk.h"

#include "base/base64.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PIECE_MAX (128u << 20)

/* The place among siblings of the same name, from 1; 0 when it is alone. */
static size_t place_of(const struct xml_node *e)
{
    size_t n = 0, at = 0;
    if (e->parent == NULL)
        return 0;
    for (const struct xml_node *s = xml_first_element(e->parent); s != NULL;
         s = xml_next_element(s)) {
        n += slice_eq(s->local, e->local);
        if (s == e)
            at = n;
    }
    return n > 1 ? at : 0;
}

/* "conf/member[3]/name"; in pieces, where siblings are gone, the first one has no number. */
static void path_of(const struct params_walk *w, const struct xml_node *e, struct buf *out)
{
    const struct xml_node *above[XML_DEPTH_MAX];
    size_t n = 0;
    for (; e != NULL && n < XML_DEPTH_MAX; e = e->parent)
        above[n++] = e;
    for (size_t deep = 0; n-- > 0; deep++) {
        bool piece = w->pieces != NULL && deep == 1;
        size_t place = !piece ? place_of(above[n]) : w->place > 1 ? w->place : 0;
        buf_slice(out, slice_sub(above[n]->local, 0, 40));
        if (place > 0)
            buf_printf(out, "[%zu]", place);
        if (n > 0)
            buf_byte(out, '/');
    }
}

void params_walk_fail(struct params_walk *w, const struct xml_node *e, const char *fmt, ...)
{
    char text[300];
    struct buf path;
    va_list ap;
    if (w->err != 0)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->err = diag_set(w->d, w->code, "%s", text);
    buf_init(&path, 1000);
    path_of(w, e, &path);
    diag_where(w->d, "%s", buf_cstr(&path));
    buf_free(&path);
}

static void no_memory(struct params_walk *w)
{
    if (w->err == 0)
        w->err = diag_set(w->d, ERR_NOMEM, "no memory for the parameters");
}

/* What the parser says is wrong. */
static void malformed(struct params_walk *w, int err)
{
    w->err = err == ERR_NOMEM ? err : w->code;
    if (w->d != NULL)
        w->d->code = w->err;
}

static bool is_root(struct params_walk *w, const struct xml_node *e, const char *name)
{
    if (!xml_is(e, PARAMS_NS, name))
        params_walk_fail(w, e, "the root element is not \"%s\" of " PARAMS_NS, name);
    return w->err == 0;
}

const struct xml_node *params_walk_root(struct params_walk *w, struct slice xml, const char *name)
{
    struct xml_doc doc;
    int err = xml_parse(w->a, xml, &doc, w->d);
    if (err != 0) {
        malformed(w, err);
        return NULL;
    }
    return is_root(w, doc.root, name) ? doc.root : NULL;
}

static bool all_blank(struct slice s)
{
    return slice_trim(s).n == 0;
}

static void stray_text(struct params_walk *w, const struct xml_node *e)
{
    params_walk_fail(w, e, "there is text where only elements may be");
}

/* The next piece, when the one before it has been given out. */
static void settle(struct params_walk *w, struct params_at *at)
{
    struct xml_node *e;
    if (!at->in_pieces || !at->taken || w->err != 0)
        return;
    at->next = NULL;
    at->taken = false;
    int err = xml_pieces_next(w->pieces, &e, w->d);
    if (err != 0) {
        malformed(w, err);
        return;
    }
    if (e != NULL && e->kind == XML_TEXT) {
        stray_text(w, at->parent);
        return;
    }
    at->next = e;
    struct slice local = e == NULL ? SLICE_LIT("") : e->local;
    w->place = slice_eq_str(local, w->name) ? w->place + 1 : 1;
    snprintf(w->name, sizeof w->name, "%.*s", SLICE_ARG(local));
}

struct params_at params_walk_begin(struct params_walk *w, struct slice xml, const char *name)
{
    struct params_at at = {.in_pieces = true, .taken = true};
    int err = xml_pieces_open(xml, PIECE_MAX, &w->pieces, w->d);
    if (err != 0) {
        malformed(w, err);
        return at;
    }
    at.parent = xml_pieces_root(w->pieces);
    if (is_root(w, at.parent, name))
        settle(w, &at);
    return at;
}

void params_walk_end(struct params_walk *w)
{
    xml_pieces_close(w->pieces);
    w->pieces = NULL;
}

struct params_at params_walk_enter(struct params_walk *w, const struct xml_node *e)
{
    if (e == NULL || w->err != 0)
        return (struct params_at){.parent = NULL};
    for (const struct xml_node *c = e->first; c != NULL; c = c->next)
        if (c->kind == XML_TEXT && !all_blank(c->text))
            stray_text(w, e);
    return (struct params_at){.parent = e, .next = xml_first_element(e)};
}

bool params_walk_any(struct params_walk *w, struct params_at *at)
{
    settle(w, at);
    if (w->err != 0 || at->next == NULL)
        return false;
    if (at->in_pieces)
        at->taken = true;
    else
        at->next = xml_next_element(at->next);
    return true;
}

const struct xml_node *params_walk_may(struct params_walk *w, struct params_at *at,
                                       const char *name)
{
    settle(w, at);
    const struct xml_node *e = at->next;
    if (w->err != 0 || e == NULL || !xml_is(e, "", name))
        return NULL;
    params_walk_any(w, at);
    return e;
}

const struct xml_node *params_walk_must(struct params_walk *w, struct params_at *at,
                                        const char *name)
{
    const struct xml_node *e = params_walk_may(w, at, name);
    if (e != NULL || w->err != 0)
        return e;
    if (at->next == NULL)
        params_walk_fail(w, at->parent, "element \"%s\" is missing at its end", name);
    else
        params_walk_fail(w, at->next, "element \"%s\" must stand here", name);
    return NULL;
}

size_t params_walk_count(const struct params_at *at, const char *name)
{
    size_t n = 0;
    for (const struct xml_node *e = at->next; e != NULL && xml_is(e, "", name);
         e = xml_next_element(e))
        n++;
    return n;
}

void *params_walk_array(struct params_walk *w, size_t n, size_t size)
{
    if (w->err != 0 || n == 0)
        return NULL;
    void *p = n > SIZE_MAX / size ? NULL : arena_zalloc(w->a, n * size);
    if (p == NULL)
        no_memory(w);
    return p;
}

void *params_walk_more(struct params_walk *w, void *array, size_t n, size_t size)
{
    if (n == 0 || (n & (n - 1)) != 0 || w->err != 0) /* full at the powers of two */
        return w->err != 0 ? NULL : n == 0 ? params_walk_array(w, 1, size) : array;
    void *more = params_walk_array(w, 2 * n, size);
    if (more != NULL)
        memcpy(more, array, n * size);
    return more;
}

void params_walk_close(struct params_walk *w, struct params_at *at)
{
    settle(w, at);
    if (w->err == 0 && at->next != NULL)
        params_walk_fail(w, at->next, "this element may not be here");
}

struct slice params_walk_text(struct params_walk *w, const struct xml_node *e)
{
    if (e == NULL || w->err != 0)
        return SLICE_NONE;
    if (xml_first_element(e) != NULL) {
        params_walk_fail(w, e, "there are elements where only text may be");
        return SLICE_NONE;
    }
    struct slice s = arena_dup(w->a, xml_text(w->a, e));
    if (s.p == NULL)
        no_memory(w);
    return s;
}

struct slice params_walk_filled(struct params_walk *w, const struct xml_node *e)
{
    struct slice s = params_walk_text(w, e);
    if (w->err == 0 && e != NULL && id_part_is_blank(s))
        params_walk_fail(w, e, "the element is blank");
    return s;
}

/* The decoded bytes in the arena; p is NULL when the text is no base64. */
static struct slice decoded(struct params_walk *w, struct slice text)
{
    struct buf b;
    buf_init(&b, text.n + 1);
    struct slice out = SLICE_NONE;
    if (base64_decode(&b, text, true) == 0) {
        out = arena_dup(w->a, buf_view(&b));
        if (out.p == NULL)
            no_memory(w);
    }
    buf_free(&b);
    return out;
}

struct slice params_walk_base64(struct params_walk *w, const struct xml_node *e)
{
    struct slice text = params_walk_text(w, e);
    if (text.p == NULL)
        return SLICE_NONE;
    struct slice out = decoded(w, text);
    if (out.p == NULL)
        params_walk_fail(w, e, "the element is no base64");
    return out;
}

/* Certificates may be base64 of PEM text, as they were uploaded at the Central Server. */
struct slice params_walk_cert(struct params_walk *w, const struct xml_node *e)
{
    struct slice bytes = params_walk_base64(w, e);
    size_t begin = slice_find_slice(bytes, SLICE_LIT("-----BEGIN CERTIFICATE-----"));
    if (w->err != 0 || bytes.n == 0 || begin == SIZE_MAX)
        return bytes;
    struct slice body = slice_from(bytes, begin + strlen("-----BEGIN CERTIFICATE-----"));
    size_t end = slice_find_slice(body, SLICE_LIT("-----END CERTIFICATE-----"));
    struct slice der = end == SIZE_MAX ? SLICE_NONE : decoded(w, slice_sub(body, 0, end));
    if (der.p == NULL)
        params_walk_fail(w, e, "the element is base64 of malformed PEM text");
    return der;
}

bool params_walk_bool(struct params_walk *w, const struct xml_node *e)
{
    struct slice s = slice_trim(params_walk_text(w, e));
    if (slice_eq_str(s, "true") || slice_eq_str(s, "1"))
        return true;
    if (e != NULL && !slice_eq_str(s, "false") && !slice_eq_str(s, "0"))
        params_walk_fail(w, e, "the element must be true or false");
    return false;
}

int64_t params_walk_int(struct params_walk *w, const struct xml_node *e, int64_t min, int64_t max)
{
    uint64_t v = 0;
    struct slice s = slice_trim(params_walk_text(w, e));
    if (w->err != 0 || e == NULL)
        return 0;
    if (slice_starts(s, "+"))
        s = slice_from(s, 1);
    if (!slice_u64(s, &v) || v > INT64_MAX || (int64_t)v < min || (int64_t)v > max) {
        params_walk_fail(w, e, "the element must be a number from %lld to %lld", (long long)min,
                         (long long)max);
        return 0;
    }
    return (int64_t)v;
}

typedef struct slice read_one(struct params_walk *w, const struct xml_node *e);

static void read_list(struct params_walk *w, struct params_at *at, const char *name, read_one *read,
                      struct params_list *out)
{
    out->n = params_walk_count(at, name);
    out->v = params_walk_array(w, out->n, sizeof *out->v);
    for (size_t i = 0; i < out->n && w->err == 0; i++)
        out->v[i] = read(w, params_walk_must(w, at, name));
}

void params_walk_certs(struct params_walk *w, struct params_at *at, const char *name,
                       struct params_list *out)
{
    read_list(w, at, name, params_walk_cert, out);
}

void params_walk_hashes(struct params_walk *w, struct params_at *at, const char *name,
                        struct params_list *out)
{
    read_list(w, at, name, params_walk_base64, out);
}

void params_walk_client(struct params_walk *w, const struct xml_node *e, struct id_client *out)
{
    struct diag why = {0};
    struct id_client got;
    if (e == NULL || w->err != 0)
        return;
    if (id_client_from_xml(w->a, e, &got, &why) != 0) {
        params_walk_fail(w, e, "%s", why.text);
        return;
    }
    out->instance = arena_dup(w->a, got.instance);
    out->member_class = arena_dup(w->a, got.member_class);
    out->member_code = arena_dup(w->a, got.member_code);
    out->subsystem = got.subsystem.n == 0 ? SLICE_NONE : arena_dup(w->a, got.subsystem);
    if (arena_failed(w->a))
        no_memory(w);
}
