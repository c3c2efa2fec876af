#include "cli/pick.h"
#include "base/err.h"
#include "gateway/mlog.h"
#include "gateway/mlog_read.h"
#include "proc/fs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static bool is_provider(const struct pick_wish *w)
{
    return w->side != NULL && strcmp(w->side, "provider") == 0;
}

/* Looks into one log; keeps what it finds when it is newer than what was found before. */
static int look(const struct pick_wish *w, const char *log, const char *control, struct pick *c,
                struct diag *d)
{
    const struct mlog_read_want want = {.side = is_provider(w) ? RECORD_PROVIDER : RECORD_CONSUMER,
                                        .response = w->request == NULL,
                                        .id = slice_str(w->id)};
    struct mlog_read *m;
    uint64_t seq;
    int64_t time_ms;
    int rc = mlog_read_open(log, NULL, &m, d);
    if (rc != 0)
        return rc;
    rc = mlog_read_find(m, &want, &seq, &time_ms, d);
    mlog_read_close(m);
    if (rc != 0)
        return rc == ERR_MLOG_RECORD_NOT_FOUND ? 0 : rc;
    if (c->found && c->time_ms >= time_ms)
        return 0;
    snprintf(c->log, sizeof c->log, "%s", log);
    snprintf(c->control, sizeof c->control, "%s", control);
    c->seq = seq;
    c->time_ms = time_ms;
    c->found = true;
    return 0;
}

/* All gateways below the country's folder, or the one named. */
static int look_in_country(const struct pick_wish *w, struct pick *c, struct diag *d)
{
    char log[PICK_PATH], control[PICK_PATH];
    int rc = 0;
    DIR *dir = opendir(w->dir);
    struct dirent *e;
    while (rc == 0 && dir != NULL && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.' || (w->gateway != NULL && strcmp(w->gateway, e->d_name) != 0))
            continue;
        snprintf(log, sizeof log, "%s/%s/" MLOG_FOLDER, w->dir, e->d_name);
        snprintf(control, sizeof control, "%s/%s/control.sock", w->dir, e->d_name);
        if (fs_exists(log))
            rc = look(w, log, control, c, d);
    }
    if (dir != NULL)
        closedir(dir);
    return rc;
}

int pick_message(const struct pick_wish *w, struct pick *out, struct diag *d)
{
    char control[PICK_PATH];
    int rc;
    *out = (struct pick){.found = false};
    if (w->side != NULL && !is_provider(w) && strcmp(w->side, "consumer") != 0)
        return diag_set(d, ERR_USAGE, "--side is consumer or provider");
    if (w->log != NULL) {
        snprintf(control, sizeof control, "%s/../control.sock", w->log);
        rc = look(w, w->log, control, out, d);
    } else {
        rc = look_in_country(w, out, d);
    }
    if (rc == 0 && !out->found)
        rc = diag_set(d, ERR_MLOG_RECORD_NOT_FOUND, "no such message is logged in %s",
                      w->log != NULL ? w->log : w->dir);
    return rc;
}
