/*
 * What went wrong, for a person: filled by the function that found it, read by whoever reports.
 * Pure code never prints; it fills a diag. A NULL diag is allowed everywhere and ignored.
 */
#ifndef SILD_BASE_DIAG_H
#define SILD_BASE_DIAG_H

#include "base/attr.h"

#include <stddef.h>

struct diag {
    int code;        /* from base/err.h */
    char where[160]; /* file, part or element; may be empty */
    char rule[64];   /* the rule broken, e.g. "RFC 7230 3.3.3"; may be empty */
    char text[512];  /* a sentence that says what is wrong */
};

/* Fills *d (when not NULL) and returns code, so that `return diag_set(d, ERR_X, "…");` reads well.
 */
int diag_set(struct diag *d, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Names the place; keeps what a deeper function already named: "outer: inner". Returns d->code. */
int diag_where(struct diag *d, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Names the rule, e.g. a section of a standard. */
void diag_rule(struct diag *d, const char *rule);

/* "where: text (rule)" into out; always terminated. */
void diag_print(const struct diag *d, char *out, size_t cap);

#endif
