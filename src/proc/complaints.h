/*
 * What is wrong with a configuration file, gathered: a list of places and sentences, and the checks
 * that the files of all roles share. Errors keep the role from its work, warnings do not.
 */
#ifndef SILD_PROC_COMPLAINTS_H
#define SILD_PROC_COMPLAINTS_H

#include "base/conf.h"
#include "base/diag.h"

#define COMPLAINTS_MAX 200

struct complaint {
    unsigned line; /* 0: the file as a whole */
    bool warning;
    char text[600];
};

struct complaints {
    struct complaint at[COMPLAINTS_MAX];
    size_t n;
    size_t more; /* that did not fit */
};

void complaints_add(struct complaints *c, bool warning, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* An error whose place is "line N" in d->where; struct complaints is the context (conf_tell). */
void complaints_diag(void *complaints, const struct diag *d);
size_t complaints_errors(const struct complaints *c);

/* The line of a key, or of its section when it is absent; 0 without a section. */
unsigned complaints_line(const struct conf_section *s, const char *key);
/* An address that a role is to listen on: well-formed, and one of this machine's. */
void complaints_address(struct complaints *c, unsigned line, const char *key, struct slice text);
/* A URL whose host has an address. */
void complaints_url(struct complaints *c, unsigned line, struct slice url);
/* The role's folder with its keys: there, and closed to others. */
void complaints_folder(struct complaints *c, unsigned line, const char *dir);

#endif
