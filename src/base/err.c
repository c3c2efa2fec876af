#include "base/err.h"

#include <errno.h>

static const struct {
    const char *name;
    const char *text;
} table[ERR_COUNT] = {[ERR_NONE] = {"none", "no error"},
#define X(code, name, text) [code] = {name, text},
                      ERR_TABLE(X)
#undef X
};

const char *err_name(int code)
{
    if (code < 0 || code >= ERR_COUNT)
        return table[ERR_INTERNAL].name;
    return table[code].name;
}

const char *err_text(int code)
{
    if (code < 0 || code >= ERR_COUNT)
        return table[ERR_INTERNAL].text;
    return table[code].text;
}

int err_from_errno(int e)
{
    switch (e) {
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EAGAIN:
        return ERR_AGAIN;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return ERR_NETWORK;
    default:
        return ERR_IO;
    }
}
