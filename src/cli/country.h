/*
 * The demonstration country as data: its roles with addresses and configuration files, its members,
 * and what its gateways serve. Only an arrangement of what the roles do by themselves.
 */
#ifndef SILD_CLI_COUNTRY_H
#define SILD_CLI_COUNTRY_H

#include <stddef.h>

#define COUNTRY_INSTANCE "SILD"
#define COUNTRY_CLIENT "SILD/GOV/70000002/insurance"           /* who asks, unless told otherwise */
#define COUNTRY_SERVICE "SILD/GOV/70000001/population/persons" /* what it asks */
#define COUNTRY_SOCKET "up.sock" /* commands to sild up, below the country's folder */
#define COUNTRY_CONSUMER "http://127.0.1.12:8080" /* its gateway */

struct country_role {
    const char *role, *name, *shows; /* shows: what is to be found where */
    const char *config;              /* the configuration file's text */
};
enum {
    COUNTRY_TRUST,
    COUNTRY_AUTHORITY,
    COUNTRY_POPULATION,
    COUNTRY_STATE,
    COUNTRY_SOCIAL,
    COUNTRY_ROLES,
};
extern const struct country_role country_roles[COUNTRY_ROLES];

/* A gateway's keys and the certificates they get. */
struct country_key {
    int role;         /* COUNTRY_STATE, COUNTRY_SOCIAL */
    const char *name; /* in the key store */
    const char *kind; /* "auth" or "sign" */
    const char *code, *member, *server;
};
extern const struct country_key country_keys[];
extern const size_t country_key_count;

/*
 * Changes for the authority, words separated by "|". "@path" is a file below the country's folder.
 */
extern const char *const country_words[];
extern const size_t country_word_count;

#endif
