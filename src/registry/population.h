/*
 * The synthetic population: people with personal codes, names, parents, unions and homes, all drawn
 * from a seed. Pure: the same seed, size and day give the same people on every machine.
 *
 * Lives run from 1930 to the day `as_of`. Year by year people come of age, find a partner, have
 * children, part; the children take names, language and home from their parents. Who has no
 * parents here came from elsewhere or was born before the register's first mothers.
 */
#ifndef SILD_REGISTRY_POPULATION_H
#define SILD_REGISTRY_POPULATION_H

#include "registry/names.h"
#include "registry/places.h"

#define POPULATION_FIRST_YEAR 1930
#define POPULATION_MAX 2000000
#define POPULATION_NOBODY (-1)
#define POPULATION_NEVER INT32_MAX

/* Days since 1970-01-01, indices into the arrays of struct population. */
struct person {
    int32_t birth, death; /* death: POPULATION_NEVER while alive */
    int32_t mother, father;
    int32_t unions;          /* the latest union, POPULATION_NOBODY */
    int32_t address, since;  /* POPULATION_NOBODY when dead */
    struct slice given_name; /* lives for ever */
    uint16_t surname;
    uint16_t place;       /* where the person's household is at home */
    uint16_t birth_place; /* whose birth_town stands in the record */
    uint8_t sex, language;
    char code[PERSONCODE_LEN + 1];
};

enum union_kind {
    UNION_LONE, /* a mother whose children have no father in the register */
    UNION_INFORMAL,
    UNION_MARRIAGE,
    UNION_PARTNERSHIP, /* registered; since 2016 */
};

/* Two people with a common household and children, or a lone mother. */
struct household {
    int32_t woman, man; /* man: POPULATION_NOBODY in UNION_LONE */
    int32_t start, end; /* end: POPULATION_NEVER while it lasts */
    bool ended_by_death;
    uint8_t kind;
    uint8_t children, children_max;
    int32_t last_birth;
    uint16_t surname; /* of the children */
    uint16_t place;
    int32_t address, since; /* POPULATION_NOBODY until somebody needs it */
};

struct address {
    uint16_t place;
    uint16_t street;           /* places_street */
    uint16_t house, apartment; /* apartment 0: none */
};

struct population {
    struct names *names;
    struct places *places;
    int32_t as_of;
    struct person *people; /* in order of birth */
    uint32_t n;
    struct household *unions; /* in order of start */
    uint32_t n_unions;
    struct address *addresses;
    uint32_t n_addresses;
};

/* as_of: days since 1970, in 2000 to 2099. NULL with d filled. */
struct population *population_new(uint32_t people, uint64_t seed, int32_t as_of, struct diag *d);
void population_free(struct population *p);

#endif
