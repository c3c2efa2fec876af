/* sild ledger: rounds over the heads of journals, as a transparency log that anyone can check. */
#ifndef SILD_LEDGER_LEDGER_H
#define SILD_LEDGER_LEDGER_H

#include "base/diag.h"

int ledger_main(int argc, char **argv);

/*
 * Makes a new ledger in dir (created when it is missing): its key, its first checkpoint, of the
 * empty tree, and, where there is none, a policy without witnesses that names it. lock_dir: where
 * the lock is; NULL: dir/lock. url: the ledger's address for the policy; NULL: none. vkey: at least
 * NOTE_VKEY_MAX + 1 bytes. ERR_EXISTS.
 */
int ledger_init(const char *dir, const char *lock_dir, const char *origin, const char *url,
                char *vkey, struct diag *d);

#endif
