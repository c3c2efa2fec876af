/*
 * Names of the country's two languages, from the lists in country/. Given names follow the year of
 * birth, surnames their frequency; Russian surnames have a man's and a woman's form.
 */
#ifndef SILD_REGISTRY_NAMES_H
#define SILD_REGISTRY_NAMES_H

#include "base/buf.h"
#include "base/diag.h"
#include "registry/personcode.h"
#include "registry/prng.h"

enum language {
    LANGUAGE_ET,
    LANGUAGE_RU,
    LANGUAGES,
};
/* "et", "ru" (ISO 639-1). */
const char *names_language(enum language l);

struct names;
/* Reads the lists. NULL with d filled when they are malformed or memory lacks. */
struct names *names_new(struct diag *d);
void names_free(struct names *n);

/* Text that lives for ever. */
struct slice names_given(const struct names *n, enum language l, enum sex sex, int birth_year,
                         struct prng *r);
/* A surname's number. */
uint16_t names_surname(const struct names *n, enum language l, struct prng *r);
/* Its text in the form of the sex; lives as long as n. */
struct slice names_surname_text(const struct names *n, uint16_t surname, enum sex sex);

/*
 * The form that a child of `sex` bears of a parent's surname. Only Russian surnames of the lists
 * change (Ivanov, Ivanova); any other is returned as it is. Lives as long as n and the argument.
 */
struct slice names_surname_form(const struct names *n, struct slice surname, enum sex sex);

#endif
