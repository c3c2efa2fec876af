/* Configuration of sild ledger: one table, read by every child, and the two files it names. */
#ifndef SILD_LEDGER_LEDGER_CONF_H
#define SILD_LEDGER_LEDGER_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/diag.h"
#include "tlog/note.h"

#define LEDGER_KEY "ledger" /* in the key store */
#define LEDGER_PORT 2025

struct ledger_conf {
    struct arena *a;
    char dir[1024];   /* absolute or relative to the working folder */
    const char *user; /* NULL: none */
    const char *origin;
    const char *lock, *journals, *policy; /* paths, below dir when relative */
    const char *listen, *health;          /* host:port; health may be NULL or "off" */
    int workers;
    int64_t interval_ms, keep_rounds_ms, partial_keep_ms, witness_timeout_ms;
};
/* ERR_SYNTAX with file and line. Free it also after a failure. */
int ledger_conf_read(const char *path, struct ledger_conf *out, struct diag *d) MUST_USE;
void ledger_conf_free(struct ledger_conf *c);
extern const struct conf_rule ledger_conf_rules[];
extern const size_t ledger_conf_rule_count;

/* The public half of a key of the store below dir, under that name. note_key_free. */
int ledger_conf_key(const char *dir, const char *key, const char *name, struct note_key *out,
                    struct diag *d) MUST_USE;

#endif
