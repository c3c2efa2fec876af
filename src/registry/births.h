/* Births: the request as JSON, the rules, and the record in the register. */
#ifndef SILD_REGISTRY_BIRTHS_H
#define SILD_REGISTRY_BIRTHS_H

#include "db/db.h"
#include "registry/personcode.h"

#define BIRTHS_BODY_MAX 16384

/* Text is borrowed from the parsed request. */
struct birth {
    struct slice mother, father; /* personal codes; father.p is NULL when not named */
    struct slice given_name, place;
    enum sex sex;
    int32_t day; /* since 1970 */
};

/*
 * Reads {"mother","father"?,"given_name","sex","birth_date","birth_place"}. *hold owns the texts:
 * give it to births_release when done, also after an error. ERR_BAD_REQUEST names the field.
 */
int births_parse(struct slice json, struct birth *out, void **hold, struct diag *d) MUST_USE;
void births_release(void *hold);

struct births;
/* Uses db, which outlives it. NULL with d filled. */
struct births *births_new(struct db *db, struct diag *d);
void births_free(struct births *b);

/*
 * Registers the child: gives the personal code, the surname (that of full siblings, else the
 * father's, else the mother's), the mother's language and residence. On disk when it returns 0.
 * Errors: ERR_BAD_REQUEST (a date in the future), ERR_NOT_FOUND (an unknown parent),
 * ERR_INVALID_REQUEST (a person who cannot be the parent), ERR_EXISTS (registered already; code is
 * the child's), ERR_AGAIN (another writer holds the database).
 */
int births_register(struct births *b, const struct birth *x, int64_t now_ms,
                    char code[PERSONCODE_LEN + 1], struct diag *d) MUST_USE;

#endif
