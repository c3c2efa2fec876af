/* The inside of the state, for its two files: state.c changes it, state_params.c makes parameters
 * of it. */
#ifndef SILD_AUTHORITY_STATE_INNER_H
#define SILD_AUTHORITY_STATE_INNER_H

#include "authority/state.h"
#include "wire/json.h"

#define STATE_CHANGE_MAX 65536

/*
 * The state is one JSON object, so that it can be printed as it is:
 *   classes  {CODE: description}          members {"CLASS/CODE": {name, subsystems: {CODE: name}}}
 *   servers  {"CLASS/CODE/SERVER": {address, certs: [base64], clients: [short id], maintenance?}}
 *   groups   {CODE: {description, members: [short id]}}
 *   cas      {NAME: {cert, profile, ocsp_url, ocsp_cert?, cost?}}   tsas {NAME: {url, cert}}
 *   settings {KEY: value}
 * Objects keep the order of insertion, which is the order in the configuration.
 */
struct state {
    char *instance;
    json_t *j;
};

static inline json_t *state_table(const struct state *s, const char *name)
{
    return json_object_get(s->j, name);
}

static inline const char *state_text(const json_t *o, const char *key)
{
    const char *v = json_string_value(json_object_get(o, key));
    return v == NULL ? "" : v;
}

#endif
