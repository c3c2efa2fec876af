/*
 * The section [ledger] of every role that has a journal: where its heads go. The rules stand in
 * each role's own table by SUBMIT_RULES; what they mean is read here, once for all.
 */
#ifndef SILD_SUBMIT_SUBMIT_CONF_H
#define SILD_SUBMIT_SUBMIT_CONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"
#include "proc/complaints.h"

#define SUBMIT_KEY "journal"  /* the journal's key in the key store: Ed25519 */
#define SUBMIT_ORIGIN_MAX 255 /* bytes of a journal's name */

#define SUBMIT_RULES                                                                               \
    {"ledger",                                                                                     \
     "url",                                                                                        \
     CONF_TEXT,                                                                                    \
     false,                                                                                        \
     NULL,                                                                                         \
     "http://host:port of the ledger, or of an aggregator, that takes this journal's heads; "      \
     "without it none are sent"},                                                                  \
        {"ledger",                                                                                 \
         "journal",                                                                                \
         CONF_TEXT,                                                                                \
         false,                                                                                    \
         NULL,                                                                                     \
         "this journal's name in the ledger, the origin of its heads: INSTANCE/SERVER/JOURNAL"},   \
        {"ledger",                                                                                 \
         "policy",                                                                                 \
         CONF_TEXT,                                                                                \
         false,                                                                                    \
         NULL,                                                                                     \
         "file of the keys that the ledger's answers must be signed by (log, witnesses, quorum)"}, \
    {                                                                                              \
        "ledger", "interval", CONF_DURATION, false, "1s", "heads go out at most so often"          \
    }

struct submit_conf {
    struct slice url;    /* empty: no head is sent */
    struct slice origin; /* the journal's name */
    struct slice policy; /* as written: a file's name; may be empty */
    int64_t interval_ms;
};

/*
 * fallback: the journal's name where the file has none; empty when the role knows none, and then
 * the file must say it. Slices are the configuration's. ERR_SYNTAX with the line in d->where.
 */
int submit_conf_read(const struct conf *k, struct slice fallback, struct submit_conf *out,
                     struct diag *d) MUST_USE;

/* May a journal be called that? Printable ASCII without blanks and "+", 1 to SUBMIT_ORIGIN_MAX. */
bool submit_conf_is_origin(struct slice name);

/* For sild check: is the key there, and can the address be one? dir: the role's folder. */
void submit_conf_check(const struct conf *k, const struct submit_conf *s, const char *dir,
                       struct complaints *c);

#endif
