#include "registry/places.h"
#include "base/err.h"
#include "registry/country.h"

#include <stdlib.h>

#define PLACES_MAX 256
#define STREETS_MAX 256
#define FIELDS 8

enum {
    VILLAGE,
    TOWN,
    KINDS,
};

struct places {
    struct place place[PLACES_MAX];
    uint32_t n;
    uint32_t total[LANGUAGES];
    struct slice street[KINDS][STREETS_MAX];
    uint32_t streets[KINDS];
};

static uint32_t weight_of(const struct place *p, enum language l)
{
    return p->weight * (l == LANGUAGE_RU ? p->russian : 100 - p->russian);
}

static int read_place(struct places *p, struct slice line, struct diag *d)
{
    struct slice f[FIELDS], piece;
    size_t n = 0;
    while (n < FIELDS && slice_next(&line, '|', &piece))
        f[n++] = piece;
    uint64_t weight, russian, postal;
    if (n != FIELDS || line.p != NULL || !slice_u64(f[4], &weight) || !slice_u64(f[5], &russian) ||
        !slice_u64(f[6], &postal) || weight > 100000 || russian > 100 || postal > 99000)
        return diag_set(d, ERR_SYNTAX, "expected %d fields between |", FIELDS);
    if (p->n == PLACES_MAX)
        return diag_set(d, ERR_TOO_LARGE, "more than %d settlements", PLACES_MAX);
    struct place *at = &p->place[p->n++];
    *at = (struct place){.county = f[0],
                         .municipality = f[1],
                         .name = f[2],
                         .birth_town = f[7],
                         .town = slice_eq_str(f[3], "town"),
                         .weight = (uint32_t)weight,
                         .russian = (uint32_t)russian,
                         .postal = (uint32_t)postal};
    for (enum language l = 0; l < LANGUAGES; l++)
        p->total[l] += weight_of(at, l);
    return 0;
}

static int read_settlements(struct places *p, struct diag *d)
{
    struct slice text = country_text("settlements.txt"), line;
    for (unsigned at = 1; slice_next(&text, '\n', &line); at++) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (read_place(p, line, d) != 0)
            return diag_where(d, "country/settlements.txt, line %u", at);
    }
    return 0;
}

static int read_streets(struct places *p, struct diag *d)
{
    struct slice text = country_text("streets.txt"), line;
    int kind = VILLAGE;
    while (slice_next(&text, '\n', &line)) {
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (line.p[0] == '[') {
            kind = slice_eq_str(line, "[town]") ? TOWN : VILLAGE;
            continue;
        }
        if (p->streets[kind] == STREETS_MAX)
            return diag_set(d, ERR_TOO_LARGE, "more than %d streets", STREETS_MAX);
        p->street[kind][p->streets[kind]++] = line;
    }
    return 0;
}

/* A street for each 200 people in a village, each 1,000 in a town: at least four. */
static void count_streets(struct places *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        struct place *at = &p->place[i];
        uint32_t n = 4 + at->weight / (at->town ? 10 : 2);
        uint32_t max = p->streets[at->town ? TOWN : VILLAGE];
        at->streets = n < max ? n : max;
    }
}

struct places *places_new(struct diag *d)
{
    struct places *p = calloc(1, sizeof *p);
    if (p == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for places");
        return NULL;
    }
    int rc = read_settlements(p, d);
    if (rc == 0)
        rc = read_streets(p, d);
    if (rc == 0 && (p->total[LANGUAGE_ET] == 0 || p->total[LANGUAGE_RU] == 0 ||
                    p->streets[VILLAGE] == 0 || p->streets[TOWN] == 0))
        rc = diag_set(d, ERR_NOT_FOUND, "the lists of places are empty");
    if (rc != 0) {
        places_free(p);
        return NULL;
    }
    count_streets(p);
    return p;
}

void places_free(struct places *p)
{
    free(p);
}

uint16_t places_pick(const struct places *p, enum language l, struct prng *r)
{
    uint32_t at = prng_below(r, p->total[l]);
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t w = weight_of(&p->place[i], l);
        if (at < w)
            return (uint16_t)i;
        at -= w;
    }
    return 0;
}

const struct place *places_get(const struct places *p, uint16_t n)
{
    return &p->place[n];
}

struct slice places_street(const struct places *p, uint16_t n, uint32_t street)
{
    return p->street[p->place[n].town ? TOWN : VILLAGE][street];
}
