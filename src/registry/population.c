#include "registry/population.h"
#include "base/err.h"
#include "base/timeval.h"
#include "registry/homes.h"
#include "registry/unions.h"

#include <stdlib.h>

#define DAY_MS 86400000LL
#define YEAR_DAYS 365
#define YEARS_MAX 170

/* How many of today's people were born in a year, in hundreds; between the points by line. */
static const struct {
    int year;
    uint32_t people;
} pyramid[] = {{1930, 10},  {1935, 45},  {1940, 80},  {1946, 95},  {1950, 140},
               {1955, 160}, {1960, 180}, {1968, 178}, {1980, 188}, {1988, 205},
               {1991, 180}, {1994, 132}, {1999, 115}, {2004, 135}, {2009, 158},
               {2013, 138}, {2018, 143}, {2021, 132}, {2024, 98},  {2199, 98}};

static uint32_t pyramid_at(int year)
{
    size_t i = 1;
    while (pyramid[i].year < year)
        i++;
    uint32_t span = (uint32_t)(pyramid[i].year - pyramid[i - 1].year);
    uint32_t into = (uint32_t)(year - pyramid[i - 1].year);
    return (pyramid[i - 1].people * (span - into) + pyramid[i].people * into) / span;
}

static int year_of(int32_t day)
{
    return timeval_split((int64_t)day * DAY_MS).year;
}

static int32_t new_year(int year)
{
    return (int32_t)timeval_days(year, 1, 1);
}

static int by_birth(const void *a, const void *b)
{
    int32_t x = ((const struct person *)a)->birth, y = ((const struct person *)b)->birth;
    return (x > y) - (x < y);
}

/* Birthdays by the pyramid, sorted. */
static void draw_births(struct population *p, struct prng *r)
{
    uint32_t total[YEARS_MAX + 1] = {0};
    int last = year_of(p->as_of);
    int years = last - POPULATION_FIRST_YEAR + 1;
    for (int i = 0; i < years; i++) {
        int year = POPULATION_FIRST_YEAR + i;
        uint32_t days = year < last ? YEAR_DAYS : (uint32_t)(p->as_of - new_year(year));
        total[i + 1] = total[i] + pyramid_at(year) * days;
    }
    for (uint32_t k = 0; k < p->n; k++) {
        uint32_t at = prng_below(r, total[years]);
        int i = 0;
        while (at >= total[i + 1])
            i++;
        int32_t first = new_year(POPULATION_FIRST_YEAR + i);
        int32_t next = new_year(POPULATION_FIRST_YEAR + i + 1);
        int32_t end = next < p->as_of ? next : p->as_of;
        p->people[k].birth = first + (int32_t)prng_below(r, (uint32_t)(end - first));
    }
    qsort(p->people, p->n, sizeof *p->people, by_birth);
}

/* Among the old, women are more; at birth, men. */
static enum sex draw_sex(int year, struct prng *r)
{
    uint32_t men = year < 1940 ? 300 : year < 1950 ? 380 : year < 1962 ? 450 : 512;
    return prng_chance(r, men) ? SEX_MALE : SEX_FEMALE;
}

static void settle_founder(struct population *p, struct person *x, struct prng *r)
{
    x->mother = x->father = POPULATION_NOBODY;
    x->language = prng_chance(r, 310) ? LANGUAGE_RU : LANGUAGE_ET;
    x->surname = names_surname(p->names, x->language, r);
    x->place = places_pick(p->places, x->language, r);
    x->birth_place = prng_chance(r, 600) ? x->place : places_pick(p->places, x->language, r);
}

static void settle_child(struct population *p, struct person *x, const struct household *u)
{
    const struct person *mother = &p->people[u->woman];
    x->mother = u->woman;
    x->father = u->man;
    x->language = mother->language;
    x->surname = u->surname;
    x->place = x->birth_place = u->place;
}

/* A given name that no earlier child of the mother has, if a few draws find one. */
static void name_person(struct population *p, struct unions *u, uint32_t i, int year,
                        struct prng *r)
{
    struct person *x = &p->people[i];
    for (int tries = 0; tries < 8; tries++) {
        x->given_name = names_given(p->names, x->language, x->sex, year, r);
        if (!unions_sibling_named(u, i, x->given_name))
            return;
    }
}

/*
 * Few of those born before 1980 have their parents in the register; nearly all of those born later
 * do, but for who came from elsewhere.
 */
static uint32_t parents_known(int year)
{
    if (year < 1952)
        return 0;
    return year >= 1982 ? 965 : 300 + (uint32_t)(year - 1952) * 22;
}

/* One in seventy births brings another one on the same day. */
static bool is_twin(const struct population *p, uint32_t i, struct prng *r)
{
    return prng_chance(r, 14) && i > 0 && p->people[i - 1].mother != POPULATION_NOBODY &&
           (i == 1 || p->people[i - 2].birth != p->people[i - 1].birth);
}

static int bear(struct population *p, struct unions *u, uint32_t i, struct prng *r, struct diag *d)
{
    struct person *x = &p->people[i];
    int32_t parents = POPULATION_NOBODY;
    if (is_twin(p, i, r)) {
        x->birth = p->people[i - 1].birth;
        parents = unions_of_child(u, i - 1);
    }
    int year = year_of(x->birth);
    if (parents == POPULATION_NOBODY && prng_chance(r, parents_known(year)))
        parents = unions_find_parents(u, x->birth, year, r);
    x->sex = draw_sex(year, r);
    x->death = POPULATION_NEVER;
    x->unions = x->address = POPULATION_NOBODY;
    if (parents == POPULATION_NOBODY)
        settle_founder(p, x, r);
    else
        settle_child(p, x, &p->unions[parents]);
    if (unions_add_person(u, i, year, parents, r) != 0)
        return diag_set(d, ERR_NOMEM, "no memory for %u people", p->n);
    name_person(p, u, i, year, r);
    return 0;
}

static int live(struct population *p, struct prng *r, struct diag *d)
{
    struct unions *u = unions_new(p);
    int rc = u == NULL ? diag_set(d, ERR_NOMEM, "no memory for %u people", p->n) : 0;
    int year = POPULATION_FIRST_YEAR;
    for (uint32_t i = 0; rc == 0 && i < p->n; i++) {
        for (; rc == 0 && year < year_of(p->people[i].birth); year++)
            rc = unions_year(u, year + 1, r, d);
        if (rc == 0)
            rc = bear(p, u, i, r, d);
    }
    for (; rc == 0 && year < year_of(p->as_of); year++)
        rc = unions_year(u, year + 1, r, d);
    if (rc == 0)
        unions_deaths(u, r);
    unions_free(u);
    return rc;
}

/* Serials go up with the births of a day, from an arbitrary start. */
static int give_codes(struct population *p, struct prng *r, struct diag *d)
{
    int32_t day = INT32_MIN;
    int serial = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        struct person *x = &p->people[i];
        serial = x->birth == day ? serial + 1 : 1 + (int)prng_below(r, 300);
        day = x->birth;
        if (serial > PERSONCODE_SERIAL_MAX)
            return diag_set(d, ERR_TOO_LARGE, "more births on one day than personal codes");
        struct timeval_parts t = timeval_split((int64_t)day * DAY_MS);
        struct personcode c = {x->sex, t.year, t.month, t.day, serial};
        personcode_print(&c, x->code);
    }
    return 0;
}

static int fill(struct population *p, uint64_t seed, struct diag *d)
{
    struct prng r;
    prng_seed(&r, seed);
    p->names = names_new(d);
    p->places = p->names == NULL ? NULL : places_new(d);
    if (p->places == NULL)
        return d != NULL && d->code != 0 ? d->code : ERR_NOMEM;
    p->people = calloc(p->n, sizeof *p->people);
    p->unions = calloc(p->n, sizeof *p->unions);
    p->addresses = calloc(p->n, sizeof *p->addresses);
    if (p->people == NULL || p->unions == NULL || p->addresses == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for %u people", p->n);
    draw_births(p, &r);
    int rc = live(p, &r, d);
    if (rc == 0)
        rc = give_codes(p, &r, d);
    return rc != 0 ? rc : homes_assign(p, &r, d);
}

struct population *population_new(uint32_t people, uint64_t seed, int32_t as_of, struct diag *d)
{
    if (people == 0 || people > POPULATION_MAX) {
        diag_set(d, ERR_USAGE, "people: 1 to %d", POPULATION_MAX);
        return NULL;
    }
    if (as_of < new_year(2000) || as_of >= new_year(2100)) {
        diag_set(d, ERR_USAGE, "the day up to which people live is in 2000 to 2099");
        return NULL;
    }
    struct population *p = calloc(1, sizeof *p);
    if (p == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for a population");
        return NULL;
    }
    p->n = people;
    p->as_of = as_of;
    if (fill(p, seed, d) != 0) {
        population_free(p);
        return NULL;
    }
    return p;
}

void population_free(struct population *p)
{
    if (p == NULL)
        return;
    names_free(p->names);
    places_free(p->places);
    free(p->people);
    free(p->unions);
    free(p->addresses);
    free(p);
}
