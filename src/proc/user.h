/* Another user for a process that was started as root. */
#ifndef SILD_PROC_USER_H
#define SILD_PROC_USER_H

#include "base/attr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <sys/types.h>

struct user {
    uid_t uid;
    gid_t gid;
};
/* ERR_NOT_FOUND. */
int user_find(const char *name, struct user *out, struct diag *d) MUST_USE;
/* For good, with no groups but its own. False when the kernel refuses. Undoes PR_SET_PDEATHSIG. */
bool user_become(const struct user *u) MUST_USE;

#endif
