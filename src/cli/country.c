#include "cli/country.h"
#include "base/attr.h"

#define STATE "SILD/GOV/70000001"
#define SOCIAL "SILD/GOV/70000002"

/* Where the heads of every role's journal go. */
#define LEDGER                                                                                     \
    "[ledger]\n"                                                                                   \
    "url = " COUNTRY_LEDGER_URL "\n"                                                               \
    "policy = ../ledger/policy\n"

#define GATEWAY(member, code, host, name)                                                          \
    "# Gateway of " name ".\n"                                                                     \
    "[gateway]\n"                                                                                  \
    "server = " member "/" code "\n"                                                               \
    "anchor = ../anchor.xml\n"                                                                     \
    "http = " host ":8080\n"                                                                       \
    "https = " host ":8443\n"                                                                      \
    "peer = " host ":5500\n"                                                                       \
    "ocsp = " host ":5577\n"                                                                       \
    "config_interval = 5s\n"                                                                       \
    "require_logged_configuration = yes\n"                                                         \
    "workers = 1\n" /* two gateways share a small machine's two cores */                           \
    "\n"                                                                                           \
    "[key auth]\n"                                                                                 \
    "use = authentication\n"                                                                       \
    "certificate = certs/auth.der\n"                                                               \
    "\n"                                                                                           \
    "[key sign]\n"                                                                                 \
    "use = signing\n"                                                                              \
    "member = " member "\n"                                                                        \
    "certificate = certs/sign.der\n"                                                               \
    "\n"                                                                                           \
    "[log]\n"                                                                                      \
    "time_stamping = http://127.0.1.2:8899/\n"                                                     \
    "stamp_interval = 1s\n"                                                                        \
    "stamp_failure = 20s\n" /* times are short here, so that one sees what happens */              \
    "\n" LEDGER

#define WITNESS(number, host)                                                                      \
    {                                                                                              \
        "ledger witness", "witness" number, "cosigns checkpoints, http://" host ":7380",           \
            "# One of three witnesses of the ledger.\n"                                            \
            "[witness]\n"                                                                          \
            "name = w" number ".sild.example\n"                                                    \
            "listen = " host ":7380\n"                                                             \
            "workers = 1\n"                                                                        \
    }

const struct country_role country_roles[COUNTRY_ROLES] = {
    [COUNTRY_WITNESS1] = WITNESS("1", "127.0.1.32"),
    [COUNTRY_WITNESS2] = WITNESS("2", "127.0.1.33"),
    [COUNTRY_WITNESS3] = WITNESS("3", "127.0.1.34"),
    [COUNTRY_LEDGER] = {"ledger", "ledger", "rounds and proofs, " COUNTRY_LEDGER_URL "/",
                        "# The ledger over all journals.\n"
                        "[ledger]\n"
                        "origin = " COUNTRY_LEDGER_ORIGIN "\n"
                        "listen = 127.0.1.31:2025\n"
                        "journals = journals\n"
                        "policy = policy\n"},
    [COUNTRY_TRUST] = {"trust", "trust", "OCSP 127.0.1.2:8888, time-stamps 127.0.1.2:8899",
                       "# Certification, OCSP and time-stamps of the demonstration country.\n"
                       "[trust]\n"
                       "name = Sild Trust\n"
                       "country = EE\n"
                       "profile = Ejbca\n"
                       "ocsp_listen = 127.0.1.2:8888\n"
                       "ocsp_url = http://127.0.1.2:8888/\n"
                       "tsa_listen = 127.0.1.2:8899\n"
                       "tsa_url = http://127.0.1.2:8899/\n"
                       "\n" LEDGER "journal = SILD/trust/certificates\n"},
    [COUNTRY_AUTHORITY] = {"authority", "authority",
                           "global configuration http://127.0.1.1:4080/internalconf",
                           "# Who belongs, who is trusted.\n"
                           "[authority]\n"
                           "instance = SILD\n"
                           "listen = 127.0.1.1:4080\n"
                           "address = 127.0.1.1\n"
                           "url = http://127.0.1.1:4080\n"
                           "interval = 10s\n"
                           "expire = 45s\n"
                           "\n" LEDGER},
    [COUNTRY_POPULATION] = {"registry", "population", "http://127.0.1.21:9001/openapi.json",
                            "# The population register.\n"
                            "[registry]\n"
                            "name = population\n"
                            "listen = 127.0.1.21:9001\n"
                            "database = population.db\n"},
    [COUNTRY_STATE] =
        {"gateway", "state", "http://127.0.1.11:8080, peers 127.0.1.11:5500",
         GATEWAY(STATE, "state", "127.0.1.11",
                 "the state's registers") "\n"
                                          "[client " STATE "/population]\n"
                                          "\n"
                                          "[service " STATE "/population/persons]\n"
                                          "type = OPENAPI3\n"
                                          "url = http://127.0.1.21:9001/persons\n"
                                          "description = http://127.0.1.21:9001/openapi.json\n"
                                          "endpoint = GET /*\n"
                                          "allow = " SOCIAL "/insurance GET /*\n"
                                          "\n"
                                          "[service " STATE "/population/families]\n"
                                          "url = http://127.0.1.21:9001/families\n"
                                          "endpoint = GET /*\n"
                                          "allow = " SOCIAL "/insurance GET /*\n"
                                          "\n"
                                          "[service " STATE "/population/addresses]\n"
                                          "url = http://127.0.1.21:9001/addresses\n"
                                          "allow = global:SILD/registers GET **\n"
                                          "\n"
                                          "[service " STATE "/population/births]\n"
                                          "url = http://127.0.1.21:9001/births\n"
                                          "allow = local:registrars POST **\n"
                                          "\n"
                                          "[group " STATE "/population registrars]\n"
                                          "member = " SOCIAL "/insurance\n"},
    [COUNTRY_SOCIAL] = {"gateway", "social", "http://127.0.1.12:8080, peers 127.0.1.12:5500",
                        GATEWAY(SOCIAL, "social", "127.0.1.12",
                                "the social insurance board") "\n"
                                                              "[client " SOCIAL "/insurance]\n"},
};

const struct country_key country_keys[] = {
    {COUNTRY_STATE, "auth", "auth", "70000001", "State Registers", "state"},
    {COUNTRY_STATE, "sign", "sign", "70000001", "State Registers", "state"},
    {COUNTRY_SOCIAL, "auth", "auth", "70000002", "Social Insurance Board", "social"},
    {COUNTRY_SOCIAL, "sign", "sign", "70000002", "Social Insurance Board", "social"},
};
const size_t country_key_count = ARRAY_LEN(country_keys);

const struct country_journal country_journals[] = {
    {COUNTRY_TRUST, "SILD/trust/certificates"},
    {COUNTRY_AUTHORITY, "SILD/authority/changes"},
    {COUNTRY_STATE, STATE "/state/messages"},
    {COUNTRY_SOCIAL, SOCIAL "/social/messages"},
};
const size_t country_journal_count = ARRAY_LEN(country_journals);

const struct country_witness country_witnesses[] = {
    {COUNTRY_WITNESS1, "w1", "w1.sild.example", "http://127.0.1.32:7380"},
    {COUNTRY_WITNESS2, "w2", "w2.sild.example", "http://127.0.1.33:7380"},
    {COUNTRY_WITNESS3, "w3", "w3.sild.example", "http://127.0.1.34:7380"},
};
const size_t country_witness_count = ARRAY_LEN(country_witnesses);

const char *const country_words[] = {
    "class|add|GOV|Government",
    "class|add|COM|Companies",
    "ca|add|Sild Trust|@trust/certs/ca.der|Ejbca|http://127.0.1.2:8888/",
    "ca|ocsp|Sild Trust|@trust/certs/ocsp.der",
    "tsa|add|Sild Trust time-stamps|@trust/certs/tsa.der|http://127.0.1.2:8899/",
    "member|add|GOV|70000001|State Registers",
    "subsystem|add|GOV/70000001|population|Population register",
    "member|add|GOV|70000002|Social Insurance Board",
    "subsystem|add|GOV/70000002|insurance|Social insurance",
    "server|add|GOV/70000001|state|127.0.1.11",
    "cert|add|GOV/70000001/state|@state/certs/auth.der",
    "client|add|GOV/70000001/state|GOV/70000001/population",
    "server|add|GOV/70000002|social|127.0.1.12",
    "cert|add|GOV/70000002/social|@social/certs/auth.der",
    "client|add|GOV/70000002/social|GOV/70000002/insurance",
    "group|add|security-server-owners|Security server owners",
    "group|join|security-server-owners|GOV/70000001",
    "group|join|security-server-owners|GOV/70000002",
    "group|add|registers|Users of the registers",
    "group|join|registers|GOV/70000002/insurance",
    "setting|set|management|GOV/70000001",
    "setting|set|registration_address|https://127.0.1.1:4001/managementservice/",
};
const size_t country_word_count = ARRAY_LEN(country_words);
