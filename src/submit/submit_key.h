/* The key of a journal: Ed25519, in the role's key store by the name SUBMIT_KEY. */
#ifndef SILD_SUBMIT_SUBMIT_KEY_H
#define SILD_SUBMIT_SUBMIT_KEY_H

#include "keys/keystore.h"
#include "tlog/note.h"

/* Makes it; one that is there already stays. */
int submit_key_make(struct keystore *store, struct diag *d) MUST_USE;
/* Its public half below dir, the role's folder, under the journal's name. note_key_free it. */
int submit_key_read(const char *dir, struct slice origin, struct note_key *out,
                    struct diag *d) MUST_USE;

#endif
