/*
 * Repeatable pseudo-random numbers (xoshiro256**, seeded by splitmix64; Blackman and Vigna): the
 * same seed gives the same numbers on every machine. Not for secrets.
 */
#ifndef SILD_REGISTRY_PRNG_H
#define SILD_REGISTRY_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *r, uint64_t seed);
uint64_t prng_next(struct prng *r);
/* 0 to n - 1; n is not 0. */
uint32_t prng_below(struct prng *r, uint32_t n);
/* True so many times in a thousand. */
bool prng_chance(struct prng *r, uint32_t per_mille);

#endif
