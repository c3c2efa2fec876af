/* Settlements and their streets, from the lists in country/. */
#ifndef SILD_REGISTRY_PLACES_H
#define SILD_REGISTRY_PLACES_H

#include "base/diag.h"
#include "registry/names.h"

struct place {
    struct slice county, municipality, name;
    struct slice birth_town; /* where births are registered */
    bool town;
    uint32_t weight;  /* people, in hundreds */
    uint32_t russian; /* per cent of households that speak Russian */
    uint32_t postal;  /* first postal code; each street has the next one */
    uint32_t streets; /* how many of its kind's list it has */
};

struct places;
/* NULL with d filled when the lists are malformed or memory lacks. All text lives for ever. */
struct places *places_new(struct diag *d);
void places_free(struct places *p);

/* A settlement's number, drawn by how many speakers of the language live there. */
uint16_t places_pick(const struct places *p, enum language l, struct prng *r);
const struct place *places_get(const struct places *p, uint16_t n);
struct slice places_street(const struct places *p, uint16_t n, uint32_t street);

#endif
