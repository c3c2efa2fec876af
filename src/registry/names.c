#include "registry/names.h"
#include "base/arena.h"
#include "base/err.h"
#include "registry/country.h"

#include <stdlib.h>

#define ERAS_MAX 16
#define ERA_NAMES_MAX 128
#define SURNAMES_MAX 1024

struct era {
    enum sex sex;
    int from, to;
    struct slice name[ERA_NAMES_MAX];
    uint32_t n;
};

struct names {
    struct arena *a;
    struct era era[LANGUAGES][ERAS_MAX];
    size_t eras[LANGUAGES];
    struct slice surname[SURNAMES_MAX][2]; /* by sex */
    uint32_t first[LANGUAGES], count[LANGUAGES];
    uint32_t n;
};

static const struct {
    const char *given, *surnames;
} lists[LANGUAGES] = {
    [LANGUAGE_ET] = {"given-names-et.txt", "surnames-et.txt"},
    [LANGUAGE_RU] = {"given-names-ru.txt", "surnames-ru.txt"},
};

static const struct {
    const char *man, *woman;
} endings[] = {{"ov", "ova"}, {"ev", "eva"}, {"in", "ina"}, {"ski", "skaja"}};

const char *names_language(enum language l)
{
    return l == LANGUAGE_RU ? "ru" : "et";
}

/* "female 1930-1945: Aino Helmi" */
static int read_era(struct slice line, struct era *e, struct diag *d)
{
    struct slice rest = line, head, sex, from, name;
    uint64_t y1, y2;
    if (!slice_next(&rest, ':', &head) || !slice_next(&head, ' ', &sex) ||
        !slice_next(&head, '-', &from) || !slice_u64(from, &y1) || !slice_u64(head, &y2))
        return diag_set(d, ERR_SYNTAX, "expected \"female 1930-1945: names\"");
    *e = (struct era){
        .sex = slice_eq_str(sex, "male") ? SEX_MALE : SEX_FEMALE, .from = (int)y1, .to = (int)y2};
    while (slice_next(&rest, ' ', &name)) {
        if (name.n == 0)
            continue;
        if (e->n == ERA_NAMES_MAX)
            return diag_set(d, ERR_TOO_LARGE, "more than %d names in a line", ERA_NAMES_MAX);
        e->name[e->n++] = name;
    }
    return e->n > 0 ? 0 : diag_set(d, ERR_SYNTAX, "a line without names");
}

static int read_given(struct names *n, enum language l, struct diag *d)
{
    struct slice text = country_text(lists[l].given), line;
    for (unsigned at = 1; slice_next(&text, '\n', &line); at++) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        int rc = n->eras[l] == ERAS_MAX ? diag_set(d, ERR_TOO_LARGE, "more than %d lines", ERAS_MAX)
                                        : read_era(line, &n->era[l][n->eras[l]++], d);
        if (rc != 0)
            return diag_where(d, "country/%s, line %u", lists[l].given, at);
    }
    return n->eras[l] > 0 ? 0 : diag_set(d, ERR_NOT_FOUND, "no list %s", lists[l].given);
}

static void write_woman_form(struct slice man, enum language l, struct buf *out)
{
    for (size_t i = 0; l == LANGUAGE_RU && i < ARRAY_LEN(endings); i++) {
        if (!slice_ends(man, endings[i].man))
            continue;
        buf_slice(out, slice_sub(man, 0, man.n - slice_str(endings[i].man).n));
        buf_str(out, endings[i].woman);
        return;
    }
    buf_slice(out, man);
}

static int add_surname(struct names *n, enum language l, struct slice word, struct diag *d)
{
    struct buf woman;
    if (n->n == SURNAMES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "more than %d surnames", SURNAMES_MAX);
    buf_init(&woman, 128);
    write_woman_form(word, l, &woman);
    n->surname[n->n][SEX_MALE] = word;
    n->surname[n->n][SEX_FEMALE] = arena_dup(n->a, buf_view(&woman));
    bool failed = woman.failed || arena_failed(n->a);
    buf_free(&woman);
    if (failed)
        return diag_set(d, ERR_NOMEM, "no memory for surnames");
    n->n++;
    n->count[l]++;
    return 0;
}

static int read_surnames(struct names *n, enum language l, struct diag *d)
{
    struct slice text = country_text(lists[l].surnames), line, word;
    n->first[l] = n->n;
    while (slice_next(&text, '\n', &line)) {
        if (line.n > 0 && line.p[0] == '#')
            continue;
        while (slice_next(&line, ' ', &word)) {
            int rc = word.n == 0 ? 0 : add_surname(n, l, word, d);
            if (rc != 0)
                return rc;
        }
    }
    return n->count[l] > 0 ? 0 : diag_set(d, ERR_NOT_FOUND, "no list %s", lists[l].surnames);
}

struct names *names_new(struct diag *d)
{
    struct names *n = calloc(1, sizeof *n);
    if (n == NULL || (n->a = arena_new(256u << 10)) == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for names");
        names_free(n);
        return NULL;
    }
    for (enum language l = 0; l < LANGUAGES; l++) {
        if (read_given(n, l, d) != 0 || read_surnames(n, l, d) != 0) {
            names_free(n);
            return NULL;
        }
    }
    return n;
}

void names_free(struct names *n)
{
    if (n == NULL)
        return;
    arena_free(n->a);
    free(n);
}

/* The lowest of some draws: the more there are, the more often come names early in a list. */
static uint32_t lowest(struct prng *r, uint32_t n, int draws)
{
    uint32_t low = prng_below(r, n);
    for (int i = 1; i < draws; i++) {
        uint32_t x = prng_below(r, n);
        low = x < low ? x : low;
    }
    return low;
}

struct slice names_given(const struct names *n, enum language l, enum sex sex, int birth_year,
                         struct prng *r)
{
    for (size_t i = 0; i < n->eras[l]; i++) {
        const struct era *e = &n->era[l][i];
        if (e->sex == sex && birth_year >= e->from && birth_year <= e->to)
            return e->name[lowest(r, e->n, 2)];
    }
    return n->era[l][0].name[0];
}

uint16_t names_surname(const struct names *n, enum language l, struct prng *r)
{
    return (uint16_t)(n->first[l] + lowest(r, n->count[l], 3));
}

struct slice names_surname_text(const struct names *n, uint16_t surname, enum sex sex)
{
    return n->surname[surname][sex];
}

struct slice names_surname_form(const struct names *n, struct slice surname, enum sex sex)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (slice_eq(n->surname[i][SEX_MALE], surname) ||
            slice_eq(n->surname[i][SEX_FEMALE], surname))
            return n->surname[i][sex];
    return surname;
}
