#include "registry/homes.h"
#include "base/err.h"
#include "base/map.h"

#define YEAR_DAYS 365
#define HOUSES_MAX 20000

struct homes {
    struct population *p;
    struct prng *r;
    struct map *taken; /* by struct address: no two households share one */
};

static bool has_apartments(const struct place *at, struct prng *r)
{
    uint32_t per_mille = !at->town ? 200 : at->weight >= 300 ? 850 : 600;
    return prng_chance(r, per_mille);
}

/* An address where nobody lives yet. */
static int new_address(struct homes *h, uint16_t place, int32_t *out)
{
    const struct place *at = places_get(h->p->places, place);
    struct address *a = &h->p->addresses[h->p->n_addresses];
    uint32_t houses = at->weight >= 300 ? 120 : 60;
    bool apartments = has_apartments(at, h->r);
    *a = (struct address){.place = place, .street = (uint16_t)prng_below(h->r, at->streets)};
    for (int tries = 0; tries < HOUSES_MAX; tries++) {
        a->house = (uint16_t)(1 + prng_below(h->r, houses));
        a->apartment = (uint16_t)(apartments ? 1 + prng_below(h->r, at->town ? 60 : 18) : 0);
        struct slice key = slice_of(a, sizeof *a);
        if (map_get(h->taken, key) == NULL) {
            *out = (int32_t)h->p->n_addresses++;
            return map_put(h->taken, key, a);
        }
        /* a full street grows */
        if (tries % 8 == 7 && houses < HOUSES_MAX)
            houses += houses;
    }
    return ERR_TOO_LARGE;
}

/* The latest day that lets them live there: not before `from`. */
static int32_t moved_in(struct homes *h, int32_t from, int32_t years)
{
    int32_t first = h->p->as_of - years * YEAR_DAYS;
    if (first < from)
        first = from;
    if (first >= h->p->as_of)
        return h->p->as_of - 1;
    return first + (int32_t)prng_below(h->r, (uint32_t)(h->p->as_of - first));
}

static int live_in_union(struct homes *h, struct person *x, struct household *u)
{
    if (u->address == POPULATION_NOBODY) {
        int rc = new_address(h, u->place, &u->address);
        if (rc != 0)
            return rc;
        u->since = moved_in(h, u->start, 40);
    }
    x->address = u->address;
    x->since = u->since;
    return 0;
}

static int live_alone(struct homes *h, struct person *x)
{
    x->since = moved_in(h, x->birth + 16 * YEAR_DAYS, 25);
    if (x->since < x->birth)
        x->since = x->birth;
    uint16_t place =
        prng_chance(h->r, 700) ? x->place : places_pick(h->p->places, x->language, h->r);
    return new_address(h, place, &x->address);
}

static bool lives(const struct population *p, int32_t person)
{
    return person != POPULATION_NOBODY && p->people[person].death == POPULATION_NEVER;
}

/* The parent with whom the person lives, or nobody. */
static int32_t parent_at_home(struct homes *h, const struct person *x)
{
    int age = (h->p->as_of - x->birth) / YEAR_DAYS;
    bool stays = age < 18 || (age < 27 && prng_chance(h->r, 550));
    if (!stays)
        return POPULATION_NOBODY;
    if (lives(h->p, x->mother))
        return x->mother;
    return lives(h->p, x->father) ? x->father : POPULATION_NOBODY;
}

static int assign(struct homes *h, struct person *x)
{
    struct household *u = x->unions == POPULATION_NOBODY ? NULL : &h->p->unions[x->unions];
    bool together = u != NULL && (u->end == POPULATION_NEVER || u->ended_by_death);
    if (together)
        return live_in_union(h, x, u);
    int32_t with = parent_at_home(h, x);
    if (with == POPULATION_NOBODY)
        return live_alone(h, x);
    const struct person *parent = &h->p->people[with];
    x->address = parent->address;
    x->since = parent->since > x->birth ? parent->since : x->birth;
    return 0;
}

int homes_assign(struct population *p, struct prng *r, struct diag *d)
{
    struct homes h = {p, r, map_new(p->n, prng_next(r))};
    int rc = h.taken == NULL ? ERR_NOMEM : 0;
    /* Parents are older than their children, so theirs are assigned before. */
    for (uint32_t i = 0; rc == 0 && i < p->n; i++)
        if (p->people[i].death == POPULATION_NEVER)
            rc = assign(&h, &p->people[i]);
    map_free(h.taken);
    return rc == 0 ? 0 : diag_set(d, rc, "cannot find a home for everybody");
}
