#include "registry/unions.h"
#include "base/err.h"
#include "base/timeval.h"

#include <stdlib.h>

#define YEARS 171 /* 1930 to 2100 */
#define YEAR_DAYS 365
#define PREGNANCY_DAYS 280
#define BETWEEN_BIRTHS_DAYS 400
#define ADULT 20 /* years at a first union; a woman's children come later */

struct list {
    int32_t *v;
    uint32_t n, cap;
};

struct unions {
    struct population *p;
    struct list men[LANGUAGES][YEARS]; /* without a partner, by year of birth */
    struct list seeking[YEARS];        /* women, by the year in which they look for a partner */
    struct list ending[YEARS];         /* unions, by the year in which they end */
    struct list fertile[YEARS];        /* unions, by the woman's year of birth */
    /* by person */
    int32_t *of_child;   /* the parents' union */
    int32_t *elder;      /* the mother's child before */
    int32_t *youngest;   /* the person's latest child */
    int32_t *last_event; /* day of the latest union or birth: nobody dies before it */
};

static int push(struct list *l, int32_t v)
{
    if (l->n == l->cap) {
        uint32_t cap = l->cap == 0 ? 16 : l->cap * 2;
        int32_t *grown = realloc(l->v, cap * sizeof *grown);
        if (grown == NULL)
            return ERR_NOMEM;
        l->v = grown;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return 0;
}

static void take(struct list *l, uint32_t at)
{
    l->v[at] = l->v[--l->n];
}

static int slot(int year)
{
    int i = year - POPULATION_FIRST_YEAR;
    return i < 0 ? 0 : i < YEARS ? i : YEARS - 1;
}

static int birth_year(const struct unions *u, int32_t person)
{
    return timeval_split((int64_t)u->p->people[person].birth * 86400000).year;
}

struct unions *unions_new(struct population *p)
{
    struct unions *u = calloc(1, sizeof *u);
    if (u == NULL)
        return NULL;
    u->p = p;
    u->of_child = calloc(p->n, sizeof *u->of_child);
    u->elder = calloc(p->n, sizeof *u->elder);
    u->youngest = calloc(p->n, sizeof *u->youngest);
    u->last_event = calloc(p->n, sizeof *u->last_event);
    if (u->of_child == NULL || u->elder == NULL || u->youngest == NULL || u->last_event == NULL) {
        unions_free(u);
        return NULL;
    }
    return u;
}

void unions_free(struct unions *u)
{
    if (u == NULL)
        return;
    for (int y = 0; y < YEARS; y++) {
        for (int l = 0; l < LANGUAGES; l++)
            free(u->men[l][y].v);
        free(u->seeking[y].v);
        free(u->ending[y].v);
        free(u->fertile[y].v);
    }
    free(u->of_child);
    free(u->elder);
    free(u->youngest);
    free(u->last_event);
    free(u);
}

/* Mother, father and siblings are out of the question. */
static bool close_kin(const struct person *people, int32_t woman, int32_t man)
{
    const struct person *w = &people[woman], *m = &people[man];
    return w->father == man || m->mother == woman ||
           (w->mother != POPULATION_NOBODY && w->mother == m->mother) ||
           (w->father != POPULATION_NOBODY && w->father == m->father);
}

/* Men are four years younger to eight years older, mostly two older. Takes him off the list. */
static int32_t find_man(struct unions *u, int32_t woman, int year, struct prng *r)
{
    int born = birth_year(u, woman);
    int own = u->p->people[woman].language;
    for (int tries = 0; tries < 16; tries++) {
        int his = born + 4 - (int)prng_below(r, 7) - (int)prng_below(r, 7);
        int l = prng_chance(r, 80) ? LANGUAGES - 1 - own : own;
        if (his < POPULATION_FIRST_YEAR || year - his < ADULT)
            continue;
        struct list *men = &u->men[l][slot(his)];
        if (men->n == 0)
            continue;
        uint32_t at = prng_below(r, men->n);
        int32_t man = men->v[at];
        if (close_kin(u->p->people, woman, man))
            continue;
        take(men, at);
        return man;
    }
    return POPULATION_NOBODY;
}

static uint8_t draw_children(bool lone, struct prng *r)
{
    static const uint32_t couples[] = {90, 320, 740, 920, 970, 990, 997, 1000};
    static const uint32_t alone[] = {450, 850, 970, 1000};
    const uint32_t *up_to = lone ? alone : couples;
    uint32_t at = prng_below(r, 1000);
    uint8_t n = 0;
    while (at >= up_to[n])
        n++;
    return n;
}

static uint8_t draw_kind(int year, struct prng *r)
{
    if (prng_chance(r, year < 1990 ? 880 : 580))
        return UNION_MARRIAGE;
    return year >= 2016 && prng_chance(r, 120) ? UNION_PARTNERSHIP : UNION_INFORMAL;
}

/* Surnames of the couple and of its children. */
static void name_family(struct unions *u, struct household *h, struct prng *r)
{
    struct person *w = &u->p->people[h->woman], *m = &u->p->people[h->man];
    if (h->kind == UNION_MARRIAGE && prng_chance(r, 780))
        w->surname = m->surname;
    h->surname = h->kind == UNION_MARRIAGE || prng_chance(r, 800) ? m->surname : w->surname;
}

static void settle_family(struct unions *u, struct household *h, struct prng *r)
{
    const struct person *w = &u->p->people[h->woman];
    uint32_t how = prng_below(r, 100);
    if (h->man == POPULATION_NOBODY || how < 55)
        h->place = w->place;
    else if (how < 75)
        h->place = u->p->people[h->man].place;
    else
        h->place = places_pick(u->p->places, w->language, r);
}

static int join(struct unions *u, int32_t woman, int32_t man, int32_t start, int year,
                struct prng *r)
{
    int32_t at = (int32_t)u->p->n_unions++;
    struct household *h = &u->p->unions[at];
    bool lone = man == POPULATION_NOBODY;
    *h = (struct household){.woman = woman,
                            .man = man,
                            .start = start,
                            .end = POPULATION_NEVER,
                            .kind = lone ? UNION_LONE : draw_kind(year, r),
                            .children_max = draw_children(lone, r),
                            .last_birth = INT32_MIN / 2,
                            .surname = u->p->people[woman].surname,
                            .address = POPULATION_NOBODY};
    settle_family(u, h, r);
    u->p->people[woman].unions = at;
    u->p->people[woman].place = h->place;
    u->last_event[woman] = start;
    if (!lone) {
        name_family(u, h, r);
        u->p->people[man].unions = at;
        u->p->people[man].place = h->place;
        u->last_event[man] = start;
        if (prng_chance(r, 300) && push(&u->ending[slot(year + 4 + (int)prng_below(r, 20))], at))
            return ERR_NOMEM;
    }
    if (h->children_max == 0)
        return 0;
    return push(&u->fertile[slot(birth_year(u, woman))], at);
}

/* A day of the year that is before as_of, or NEVER. */
static int32_t day_in(const struct unions *u, int year, struct prng *r)
{
    int32_t first = (int32_t)timeval_days(year, 1, 1);
    int32_t day = first + (int32_t)prng_below(r, YEAR_DAYS);
    return day < u->p->as_of ? day : POPULATION_NEVER;
}

/* Both may look for somebody else; not in the same year. */
static int part(struct unions *u, int32_t at, int year, struct prng *r)
{
    struct household *h = &u->p->unions[at];
    const struct person *m = &u->p->people[h->man];
    int32_t day = day_in(u, year, r);
    if (day == POPULATION_NEVER)
        return 0;
    h->end = day;
    u->last_event[h->woman] = u->last_event[h->man] = day;
    int next = year + 1 + (int)prng_below(r, 5);
    if (next - birth_year(u, h->woman) < 52 && prng_chance(r, 500) &&
        push(&u->seeking[slot(next)], h->woman) != 0)
        return ERR_NOMEM;
    return prng_chance(r, 600) ? push(&u->men[m->language][slot(birth_year(u, h->man))], h->man)
                               : 0;
}

int unions_year(struct unions *u, int year, struct prng *r, struct diag *d)
{
    int rc = 0;
    struct list *seeking = &u->seeking[slot(year)], *ending = &u->ending[slot(year)];
    for (uint32_t i = 0; rc == 0 && i < seeking->n; i++) {
        int32_t start = day_in(u, year, r);
        if (start == POPULATION_NEVER || u->p->n_unions == u->p->n)
            continue;
        bool alone = prng_chance(r, 60);
        int32_t man = alone ? POPULATION_NOBODY : find_man(u, seeking->v[i], year, r);
        rc = join(u, seeking->v[i], man, start, year, r);
    }
    for (uint32_t i = 0; rc == 0 && i < ending->n; i++)
        rc = part(u, ending->v[i], year, r);
    return rc == 0 ? 0 : diag_set(d, rc, "no memory for the couples of %d", year);
}

/* Mothers grew older: 18 to 34 in the sixties, 23 to 39 now, a few more. */
static int mothers_age(int year, struct prng *r)
{
    int mode = year < 1990 ? 24 : year < 2020 ? 24 + (year - 1990) / 6 : 29;
    int age = mode - 6 + (int)prng_below(r, 9) + (int)prng_below(r, 9);
    return prng_chance(r, 80) ? age + (int)prng_below(r, 6) : age;
}

static bool may_have_child(const struct unions *u, const struct household *h, int32_t birth)
{
    const struct person *people = u->p->people;
    return h->start + PREGNANCY_DAYS / 2 <= birth && birth - PREGNANCY_DAYS < h->end &&
           birth - h->last_birth >= BETWEEN_BIRTHS_DAYS &&
           birth - people[h->woman].birth >= 18 * YEAR_DAYS &&
           (h->man == POPULATION_NOBODY || birth - people[h->man].birth >= 18 * YEAR_DAYS);
}

int32_t unions_find_parents(struct unions *u, int32_t birth, int year, struct prng *r)
{
    for (int tries = 0; tries < 40; tries++) {
        int her_year = year - mothers_age(year, r);
        if (her_year < POPULATION_FIRST_YEAR)
            continue;
        struct list *fertile = &u->fertile[slot(her_year)];
        if (fertile->n == 0)
            continue;
        uint32_t i = prng_below(r, fertile->n);
        int32_t at = fertile->v[i];
        struct household *h = &u->p->unions[at];
        if (h->children >= h->children_max || h->end < birth - PREGNANCY_DAYS)
            take(fertile, i);
        else if (may_have_child(u, h, birth))
            return at;
    }
    return POPULATION_NOBODY;
}

static void note_birth(struct unions *u, uint32_t child, int32_t at)
{
    struct household *h = &u->p->unions[at];
    int32_t day = u->p->people[child].birth;
    h->children++;
    h->last_birth = day;
    u->elder[child] = u->youngest[h->woman];
    u->youngest[h->woman] = (int32_t)child;
    if (u->last_event[h->woman] < day)
        u->last_event[h->woman] = day;
    if (h->man != POPULATION_NOBODY && u->last_event[h->man] < day)
        u->last_event[h->man] = day;
}

int unions_add_person(struct unions *u, uint32_t person, int year, int32_t parents, struct prng *r)
{
    const struct person *x = &u->p->people[person];
    u->of_child[person] = parents;
    u->elder[person] = u->youngest[person] = POPULATION_NOBODY;
    u->last_event[person] = x->birth;
    if (parents != POPULATION_NOBODY)
        note_birth(u, person, parents);
    if (x->sex == SEX_MALE)
        return push(&u->men[x->language][slot(year)], (int32_t)person);
    int when = year + ADULT + (int)prng_below(r, 7) + (int)prng_below(r, 7);
    return prng_chance(r, 940) ? push(&u->seeking[slot(when)], (int32_t)person) : 0;
}

int32_t unions_of_child(const struct unions *u, uint32_t person)
{
    return u->of_child[person];
}

bool unions_sibling_named(const struct unions *u, uint32_t person, struct slice given_name)
{
    for (int32_t i = u->elder[person]; i != POPULATION_NOBODY; i = u->elder[i])
        if (slice_eq(u->p->people[i].given_name, given_name))
            return true;
    return false;
}

static uint32_t dead_per_mille(int age)
{
    return age < 20 ? 0 : age < 40 ? 4 : age < 60 ? 20 : age < 75 ? 70 : 160;
}

static void end_by_death(struct household *h, int32_t day)
{
    if (h->end > day) {
        h->end = day;
        h->ended_by_death = true;
    }
}

void unions_deaths(struct unions *u, struct prng *r)
{
    struct population *p = u->p;
    for (uint32_t i = 0; i < p->n; i++) {
        struct person *x = &p->people[i];
        if (!prng_chance(r, dead_per_mille((p->as_of - x->birth) / YEAR_DAYS)))
            continue;
        int32_t first = p->as_of - 15 * YEAR_DAYS;
        if (first < u->last_event[i] + 1)
            first = u->last_event[i] + 1;
        if (first < x->birth + 18 * YEAR_DAYS)
            first = x->birth + 18 * YEAR_DAYS;
        if (first < p->as_of)
            x->death = first + (int32_t)prng_below(r, (uint32_t)(p->as_of - first));
    }
    for (uint32_t i = 0; i < p->n_unions; i++) {
        struct household *h = &p->unions[i];
        end_by_death(h, p->people[h->woman].death);
        if (h->man != POPULATION_NOBODY)
            end_by_death(h, p->people[h->man].death);
    }
}
