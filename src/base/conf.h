/*
 * Configuration text: `key = value` lines under `[section]` or `[section name]` heads, `#` starts a
 * comment line. Every section and key is in the caller's table; an unknown one is an error that
 * names the line. Pure: the text comes in as a slice. UTF-8, at most 1 MiB.
 *
 *     [gateway]
 *     server = SILD/GOV/70000001/state
 *     [service SILD/GOV/70000001/population/persons]
 *     url = http://127.0.3.1:9001
 *     allow = SILD/GOV/70000002/insurance GET /persons
 */
#ifndef SILD_BASE_CONF_H
#define SILD_BASE_CONF_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

enum conf_kind {
    CONF_TEXT,     /* any non-empty text */
    CONF_NUMBER,   /* decimal, 0 to 2^63 - 1 */
    CONF_SIZE,     /* decimal with optional suffix k, M, G (powers of 1024) */
    CONF_DURATION, /* decimal with suffix ms, s, m, h, d; value in milliseconds */
    CONF_BOOL,     /* yes, no */
};

struct conf_rule {
    const char *section;
    const char *key;
    enum conf_kind kind;
    bool repeated;        /* may stand more than once in one section */
    const char *fallback; /* value when absent; NULL: none */
    const char *help;     /* one line for the manual */
};

struct conf_entry {
    struct slice key, value;
    int64_t number; /* of NUMBER, SIZE, DURATION, BOOL */
    unsigned line;
    struct conf_entry *next; /* in order of the file */
};

struct conf_section {
    struct slice kind, name; /* name is empty for `[kind]` */
    unsigned line;
    struct conf_entry *entries;
    struct conf_section *next; /* in order of the file */
};

struct conf {
    struct conf_section *sections;
    const struct conf_rule *rules;
    size_t rule_count;
};

/* Memory comes from the arena; strings are zero-terminated. Errors: ERR_SYNTAX with line and
 * sentence in d. */
int conf_parse(struct arena *a, struct slice text, const struct conf_rule *rules, size_t n,
               struct conf *out, struct diag *d) MUST_USE;

/* The same, but what is wrong is told and left out, and the reading goes on. The sentence is in
 * d->text, the line in d->where ("line 12"). Returns 0, ERR_SYNTAX when something was told, or
 * ERR_NOMEM. */
typedef void (*conf_tell)(void *ctx, const struct diag *d);
int conf_parse_all(struct arena *a, struct slice text, const struct conf_rule *rules, size_t n,
                   struct conf *out, conf_tell tell, void *ctx) MUST_USE;

/* The first section of a kind (any name when name is NULL); NULL when absent. */
const struct conf_section *conf_find(const struct conf *c, const char *kind, const char *name);

/* The value, or the rule's fallback, or the empty slice / 0. A NULL section gives the fallback. */
struct slice conf_text(const struct conf *c, const struct conf_section *s, const char *key);
int64_t conf_number(const struct conf *c, const struct conf_section *s, const char *key);
/* The key's next value after `after` (NULL: the first); NULL at the end. */
const struct conf_entry *conf_each(const struct conf_section *s, const char *key,
                                   const struct conf_entry *after);

#endif
