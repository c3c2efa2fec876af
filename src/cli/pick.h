/* Which logged message a command means: the newest or the one with an id, in one log or in those of
 * a whole country. */
#ifndef SILD_CLI_PICK_H
#define SILD_CLI_PICK_H

#include "base/attr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>

#define PICK_PATH 1400

struct pick_wish {
    const char *dir;     /* the country */
    const char *gateway; /* only this one of it; or NULL */
    const char *log;     /* one message log's folder instead; or NULL */
    const char *id;      /* NULL: the newest */
    const char *request; /* not NULL: the request, else the response */
    const char *side;    /* "provider"; NULL or "consumer" */
};

struct pick {
    char log[PICK_PATH];     /* the message log's folder */
    char control[PICK_PATH]; /* its gateway's socket */
    uint64_t seq;
    int64_t time_ms;
    bool found;
};

/* ERR_USAGE for a side that is none, ERR_MLOG_RECORD_NOT_FOUND, those of mlog_read. */
int pick_message(const struct pick_wish *w, struct pick *out, struct diag *d) MUST_USE;

#endif
