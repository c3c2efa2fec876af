#include "proc/user.h"

#include "base/err.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <unistd.h>

int user_find(const char *name, struct user *out, struct diag *d)
{
    const struct passwd *p = getpwnam(name);
    if (p == NULL)
        return diag_set(d, ERR_NOT_FOUND, "this machine has no user %s, as which to run", name);
    *out = (struct user){p->pw_uid, p->pw_gid};
    return 0;
}

bool user_become(const struct user *u)
{
    return setgroups(0, NULL) == 0 && setgid(u->gid) == 0 && setuid(u->uid) == 0;
}
