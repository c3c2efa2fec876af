/* Who lives with whom, whose child a newborn is, and who dies: the moving part of a population. */
#ifndef SILD_REGISTRY_UNIONS_H
#define SILD_REGISTRY_UNIONS_H

#include "registry/population.h"

struct unions;
/* Works on p's people and unions; p outlives it. NULL without memory. */
struct unions *unions_new(struct population *p);
void unions_free(struct unions *u);

/* A year begins: couples part, women find partners. Years come in order. ERR_NOMEM. */
int unions_year(struct unions *u, int year, struct prng *r, struct diag *d) MUST_USE;
/* A union that can have a child on this day, or POPULATION_NOBODY. */
int32_t unions_find_parents(struct unions *u, int32_t birth, int year, struct prng *r);
/* Takes a person in (sex, birth, language, parents are set); parents: the union or
 * POPULATION_NOBODY. ERR_NOMEM. */
int unions_add_person(struct unions *u, uint32_t person, int year, int32_t parents,
                      struct prng *r) MUST_USE;
int32_t unions_of_child(const struct unions *u, uint32_t person);
/* True when an earlier child of the same mother bears the name. */
bool unions_sibling_named(const struct unions *u, uint32_t person, struct slice given_name);
/* Draws who has died by p->as_of, and ends their unions. */
void unions_deaths(struct unions *u, struct prng *r);

#endif
