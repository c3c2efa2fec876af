/* Configuration of sild ledger witness: one table, read by every child. */
#ifndef SILD_WITNESS_WITNESS_CONF_H
#define SILD_WITNESS_WITNESS_CONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"
#include "tlog/note.h"

#define WITNESS_KEY "witness" /* the key's name in the key store */

struct witness_conf {
    struct arena *a;
    char dir[1024];     /* absolute or relative to the working folder */
    const char *name;   /* of the witness, in its signatures */
    const char *user;   /* NULL: none */
    const char *listen; /* host:port */
    const char *health; /* the same, "off", or NULL: proc/health.h */
    const char *logs;   /* path of the file of vkeys */
    int workers;
};
/* ERR_SYNTAX with file and line. Free it also after a failure. */
int witness_conf_read(const char *path, struct witness_conf *out, struct diag *d) MUST_USE;
void witness_conf_free(struct witness_conf *c);
extern const struct conf_rule witness_conf_rules[];
extern const size_t witness_conf_rule_count;

/* ASCII without blanks and without '+', so that it can stand in every list of keys. */
int witness_conf_check_name(const char *name, struct diag *d) MUST_USE;

#define WITNESS_STORE_DIR "store"
#define WITNESS_STORE "store/witness.db"
#define WITNESS_REFUSED_DIR "evidence"
#define WITNESS_VKEY "vkey"
/* The path of one of these below the witness's folder. */
void witness_conf_path(const struct witness_conf *c, const char *what, char *out, size_t cap);

/* The witness's own vkey, from its file; it must be of the key in the key store, and of this name.
 * note_key_free it. */
int witness_conf_vkey(const struct witness_conf *c, struct note_key *out, struct diag *d) MUST_USE;

#endif
