/*
 * The register's database, for looking things up: one connection, statements prepared once, records
 * written as JSON straight from the rows. Field names are those of country/population.openapi.json.
 */
#ifndef SILD_REGISTRY_PEOPLE_H
#define SILD_REGISTRY_PEOPLE_H

#include "base/buf.h"
#include "db/db.h"

struct people;

/* ERR_NOT_FOUND when there is no database, ERR_CORRUPT when it is something else. */
int people_open(const char *path, enum db_mode mode, struct people **out, struct diag *d) MUST_USE;
void people_close(struct people *p); /* NULL is harmless */
struct db *people_db(struct people *p);

/* What the register is. name is borrowed until people_close. */
struct people_about {
    const char *name;
    int64_t people, seed;
    char made_as_of[16];
};
const struct people_about *people_about(const struct people *p);

/*
 * Each appends one JSON object to out. ERR_NOT_FOUND with a sentence; nothing was appended then.
 * code: a valid personal code.
 */
int people_person(struct people *p, struct slice code, struct buf *out, struct diag *d) MUST_USE;
/* The person with parents, partner and children. */
int people_family(struct people *p, struct slice code, struct buf *out, struct diag *d) MUST_USE;
int people_address(struct people *p, int64_t id, struct buf *out, struct diag *d) MUST_USE;
/* Where the person lives; ERR_NOT_FOUND also for one without residence. */
int people_residence(struct people *p, struct slice code, struct buf *out, struct diag *d) MUST_USE;

/*
 * A few married mothers of two or more minors, always the same ones in the same database, births
 * registered later change nothing. Appends a line each, or a JSON array.
 */
int people_sample(struct people *p, int64_t n, bool json, struct buf *out, struct diag *d) MUST_USE;

#endif
