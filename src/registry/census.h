/* A population written down: the register's database, made once, whole or not at all. */
#ifndef SILD_REGISTRY_CENSUS_H
#define SILD_REGISTRY_CENSUS_H

#include "registry/population.h"

struct census {
    const char *name; /* of the register */
    uint32_t people;
    uint64_t seed;
    int32_t as_of;
};

/*
 * Draws the population and writes it to `path`, through a temporary file beside it that is synced
 * and renamed. ERR_EXISTS when the file is there; ERR_USAGE, ERR_IO, ERR_DISK_FULL, ERR_NOMEM.
 */
int census_make(const char *path, const struct census *c, struct diag *d) MUST_USE;

#endif
