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

#define COUNTRY_LEDGER_ORIGIN "ledger.sild.example"
#define COUNTRY_LEDGER_URL "http://127.0.1.31:2025"
#define COUNTRY_QUORUM 2 /* of the witnesses that must sign */

struct country_role {
    const char *role, *name, *shows; /* shows: what is to be found where */
    const char *config;              /* the configuration file's text */
};
enum {
    COUNTRY_WITNESS1,
    COUNTRY_WITNESS2,
    COUNTRY_WITNESS3,
    COUNTRY_LEDGER,
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

/* A journal whose heads the ledger takes: the role that keeps it, and its name there. */
struct country_journal {
    int role;
    const char *origin;
};
extern const struct country_journal country_journals[];
extern const size_t country_journal_count;

/* A witness: its role, its short name in the policy, its own name, where it takes checkpoints. */
struct country_witness {
    int role;
    const char *label, *name, *url;
};
extern const struct country_witness country_witnesses[];
extern const size_t country_witness_count;

/*
 * Changes for the authority, words separated by "|". "@path" is a file below the country's folder.
 */
extern const char *const country_words[];
extern const size_t country_word_count;

#endif
