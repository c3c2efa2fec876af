/*
 * Who belongs and who is trusted: the facts behind the global configuration, changed by words such
 * as "member add GOV 70000001 Name". Each change is a record of the authority's journal (type
 * STATE_CHANGE, payload: the words as a JSON array of strings; certificates as base64 of DER), and
 * the state is what replaying them gives.
 */
#ifndef SILD_AUTHORITY_STATE_H
#define SILD_AUTHORITY_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "wire/json.h"

enum state_record {
    STATE_CHANGE = 1,
};

struct state;
struct state *state_new(const char *instance);
void state_free(struct state *s);

/* One kind of change, for help and checks. */
struct state_verb {
    const char *noun, *verb;
    const char *args; /* for help: "CLASS CODE NAME" */
    int min, max;     /* arguments after the verb */
    int file;         /* index of the argument that names a certificate file, -1: none */
    const char *help;
};
extern const struct state_verb state_verbs[];
extern const size_t state_verb_count;
const struct state_verb *state_verb_find(const char *noun, const char *verb);

/* Applies one change, or refuses it with a sentence and changes nothing: ERR_USAGE, ERR_NOT_FOUND,
 * ERR_EXISTS. */
int state_apply(struct state *s, struct slice change_json, struct diag *d) MUST_USE;
/* The whole state as indented JSON, for people. */
void state_print(const struct state *s, struct buf *out);

/* One table of the state (names and forms: head of state.c), borrowed. */
json_t *state_table(const struct state *s, const char *name);
const char *state_instance(const struct state *s);

#endif
