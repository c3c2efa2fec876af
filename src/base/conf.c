#include "base/conf.h"
#include "base/err.h"

#include <string.h>

#define CONF_MAX (1u << 20)

struct parser {
    struct arena *a;
    struct conf *c;
    struct diag *d;
    unsigned line;
    struct conf_section *section;
    struct conf_section **section_end;
    struct conf_entry **entry_end;
    bool skip;
    conf_tell tell; /* NULL: the first error ends it */
    void *ctx;
};

static bool has_section(const struct conf *c, struct slice kind)
{
    for (size_t i = 0; i < c->rule_count; i++)
        if (slice_eq_str(kind, c->rules[i].section))
            return true;
    return false;
}

static const struct conf_rule *find_rule(const struct conf *c, struct slice kind, struct slice key)
{
    for (size_t i = 0; i < c->rule_count; i++)
        if (slice_eq_str(kind, c->rules[i].section) && slice_eq_str(key, c->rules[i].key))
            return &c->rules[i];
    return NULL;
}

static int scaled(struct slice v, const char *const *suffix, const int64_t *factor, size_t n,
                  int64_t *out)
{
    size_t k = 0;
    while (k < v.n && v.p[k] >= '0' && v.p[k] <= '9')
        k++;
    uint64_t number;
    if (!slice_u64(slice_sub(v, 0, k), &number) || number > INT64_MAX)
        return ERR_SYNTAX;
    struct slice unit = slice_from(v, k);
    for (size_t i = 0; i < n; i++) {
        if (!slice_eq_str(unit, suffix[i]))
            continue;
        if (number > (uint64_t)(INT64_MAX / factor[i]))
            return ERR_SYNTAX;
        *out = (int64_t)number * factor[i];
        return 0;
    }
    return ERR_SYNTAX;
}

/* Reads the value by its kind; `want` says what was expected when it is wrong. */
static int read_value(enum conf_kind kind, struct slice v, int64_t *out, const char **want)
{
    static const char *const plain[] = {""};
    static const int64_t one[] = {1};
    static const char *const size_unit[] = {"", "k", "M", "G"};
    static const int64_t size_factor[] = {1, 1 << 10, 1 << 20, 1 << 30};
    static const char *const time_unit[] = {"ms", "s", "m", "h", "d"};
    static const int64_t time_factor[] = {1, 1000, 60000, 3600000, 86400000};
    switch (kind) {
    case CONF_TEXT:
        *want = "a text";
        return v.n == 0 || !slice_is_utf8(v) ? ERR_SYNTAX : 0;
    case CONF_NUMBER:
        *want = "a decimal number";
        return scaled(v, plain, one, 1, out);
    case CONF_SIZE:
        *want = "a size such as 512, 64k, 20M or 1G";
        return scaled(v, size_unit, size_factor, 4, out);
    case CONF_DURATION:
        *want = "a duration such as 500ms, 30s, 5m, 4h or 1d";
        return scaled(v, time_unit, time_factor, 5, out);
    case CONF_BOOL:
        *want = "yes or no";
        *out = slice_eq_str(v, "yes");
        return *out || slice_eq_str(v, "no") ? 0 : ERR_SYNTAX;
    }
    return ERR_INTERNAL;
}

static int bad(struct parser *p, const char *what, struct slice detail)
{
    diag_set(p->d, ERR_SYNTAX, "%s: %.*s", what, (int)(detail.n > 200 ? 200 : detail.n),
             (const char *)detail.p);
    diag_where(p->d, "line %u", p->line);
    return ERR_SYNTAX;
}

#define NEAR_MAX 32 /* longer words are not guessed at */

/* How many letters have to be put in, taken out or changed to make b of a. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[NEAR_MAX + 1];
    if (a.n > NEAR_MAX || b.n > NEAR_MAX)
        return NEAR_MAX;
    for (size_t k = 0; k <= b.n; k++)
        row[k] = k;
    for (size_t i = 0; i < a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < b.n; k++) {
            size_t best = diagonal + (a.p[i] != b.p[k]);
            diagonal = row[k + 1];
            if (row[k] + 1 < best)
                best = row[k] + 1;
            if (row[k + 1] + 1 < best)
                best = row[k + 1] + 1;
            row[k + 1] = best;
        }
    }
    return row[b.n];
}

/* With the word of the table that it was perhaps to be. */
static int unknown(struct parser *p, const char *what, struct slice word, bool section)
{
    const char *near = NULL;
    size_t least = word.n / 3 + 1;
    for (size_t i = 0; i < p->c->rule_count; i++) {
        const struct conf_rule *r = &p->c->rules[i];
        if (!section && !slice_eq_str(p->section->kind, r->section))
            continue;
        const char *name = section ? r->section : r->key;
        size_t d = distance(word, slice_str(name));
        if (d <= least) {
            near = d < least || near == NULL ? name : near;
            least = d;
        }
    }
    bad(p, what, word);
    if (near != NULL)
        diag_set(p->d, ERR_SYNTAX, "%s: %.*s; did you mean %s?", what,
                 SLICE_ARG(slice_sub(word, 0, 200)), near);
    if (near != NULL)
        diag_where(p->d, "line %u", p->line);
    return ERR_SYNTAX;
}

static int open_section(struct parser *p, struct slice line)
{
    p->section = NULL;
    p->skip = true; /* keys below a head that is wrong are not judged */
    if (line.p[line.n - 1] != ']')
        return bad(p, "a section head must end with ]", line);
    struct slice inner = slice_trim(slice_sub(line, 1, line.n - 2));
    size_t blank = slice_find(inner, ' ');
    struct slice kind = slice_sub(inner, 0, blank == SIZE_MAX ? inner.n : blank);
    struct slice name = slice_trim(slice_from(inner, kind.n));
    if (!has_section(p->c, kind))
        return unknown(p, "unknown section", kind, true);
    struct conf_section *s = arena_zalloc(p->a, sizeof *s);
    if (s == NULL)
        return ERR_NOMEM;
    s->kind = arena_dup(p->a, kind);
    s->name = arena_dup(p->a, name);
    s->line = p->line;
    for (struct conf_section *o = p->c->sections; o != NULL; o = o->next)
        if (slice_eq(o->kind, s->kind) && slice_eq(o->name, s->name))
            return bad(p, "this section stands here a second time", inner);
    *p->section_end = s;
    p->section_end = &s->next;
    p->section = s;
    p->skip = false;
    p->entry_end = &s->entries;
    return 0;
}

static int add_entry(struct parser *p, struct slice line)
{
    size_t eq = slice_find(line, '=');
    if (eq == SIZE_MAX)
        return bad(p, "expected key = value", line);
    struct slice key = slice_trim(slice_sub(line, 0, eq));
    if (p->skip)
        return 0;
    struct slice value = slice_trim(slice_from(line, eq + 1));
    if (p->section == NULL)
        return bad(p, "a key before the first [section]", key);
    const struct conf_rule *r = find_rule(p->c, p->section->kind, key);
    if (r == NULL)
        return unknown(p, "unknown key", key, false);
    if (!r->repeated && conf_each(p->section, r->key, NULL) != NULL)
        return bad(p, "this key may stand only once in its section", key);
    int64_t number = 0;
    const char *want = "";
    if (read_value(r->kind, value, &number, &want) != 0) {
        diag_set(p->d, ERR_SYNTAX, "%s: expected %s, found: %.*s", r->key, want,
                 (int)(value.n > 200 ? 200 : value.n), (const char *)value.p);
        diag_where(p->d, "line %u", p->line);
        return ERR_SYNTAX;
    }
    struct conf_entry *e = arena_zalloc(p->a, sizeof *e);
    if (e == NULL)
        return ERR_NOMEM;
    e->key = arena_dup(p->a, key);
    e->value = arena_dup(p->a, value);
    e->number = number;
    e->line = p->line;
    *p->entry_end = e;
    p->entry_end = &e->next;
    return 0;
}

static int parse(struct parser *p, struct slice text)
{
    struct slice line;
    int told = 0;
    if (text.n > CONF_MAX)
        return diag_set(p->d, ERR_TOO_LARGE, "the configuration is larger than 1 MiB");
    while (slice_next(&text, '\n', &line)) {
        p->line++;
        line = slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        int rc = line.p[0] == '[' ? open_section(p, line) : add_entry(p, line);
        if (rc == ERR_SYNTAX && p->tell != NULL) {
            p->tell(p->ctx, p->d);
            told = rc;
        } else if (rc != 0) {
            return rc;
        }
    }
    return arena_failed(p->a) ? diag_set(p->d, ERR_NOMEM, "the configuration takes too much memory")
                              : told;
}

int conf_parse(struct arena *a, struct slice text, const struct conf_rule *rules, size_t n,
               struct conf *out, struct diag *d)
{
    *out = (struct conf){.rules = rules, .rule_count = n};
    struct parser p = {.a = a, .c = out, .d = d, .section_end = &out->sections};
    return parse(&p, text);
}

int conf_parse_all(struct arena *a, struct slice text, const struct conf_rule *rules, size_t n,
                   struct conf *out, conf_tell tell, void *ctx)
{
    struct diag d = {0};
    *out = (struct conf){.rules = rules, .rule_count = n};
    struct parser p = {
        .a = a, .c = out, .d = &d, .section_end = &out->sections, .tell = tell, .ctx = ctx};
    int rc = parse(&p, text);
    if (rc == ERR_TOO_LARGE)
        tell(ctx, &d);
    return rc;
}

const struct conf_section *conf_find(const struct conf *c, const char *kind, const char *name)
{
    for (const struct conf_section *s = c->sections; s != NULL; s = s->next)
        if (slice_eq_str(s->kind, kind) && (name == NULL || slice_eq_str(s->name, name)))
            return s;
    return NULL;
}

const struct conf_entry *conf_each(const struct conf_section *s, const char *key,
                                   const struct conf_entry *after)
{
    if (s == NULL)
        return NULL;
    const struct conf_entry *e = after == NULL ? s->entries : after->next;
    while (e != NULL && !slice_eq_str(e->key, key))
        e = e->next;
    return e;
}

/* The fallback belongs to the key wherever it stands; a missing section finds it by key alone. */
static const struct conf_rule *rule_of(const struct conf *c, const struct conf_section *s,
                                       const char *key)
{
    for (size_t i = 0; i < c->rule_count; i++)
        if (strcmp(c->rules[i].key, key) == 0 &&
            (s == NULL || slice_eq_str(s->kind, c->rules[i].section)))
            return &c->rules[i];
    return NULL;
}

struct slice conf_text(const struct conf *c, const struct conf_section *s, const char *key)
{
    const struct conf_entry *e = conf_each(s, key, NULL);
    if (e != NULL)
        return e->value;
    const struct conf_rule *r = rule_of(c, s, key);
    return r == NULL ? SLICE_NONE : slice_str(r->fallback);
}

int64_t conf_number(const struct conf *c, const struct conf_section *s, const char *key)
{
    const struct conf_entry *e = conf_each(s, key, NULL);
    if (e != NULL)
        return e->number;
    const struct conf_rule *r = rule_of(c, s, key);
    int64_t number = 0;
    const char *want;
    if (r == NULL || r->fallback == NULL ||
        read_value(r->kind, slice_str(r->fallback), &number, &want) != 0)
        return 0;
    return number;
}
