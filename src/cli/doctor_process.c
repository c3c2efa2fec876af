/* Do the roles run? */
#include "base/err.h"
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "proc/control.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MS 3000
#define TAIL (64 << 10)
#define RESTARTS_MANY 3
#define SETTLE_ROUNDS 10
#define SETTLE_MS 200

/* The time of the last line of a role's log that says that it ended; 0 when there is none. */
static int64_t ended(const char *log)
{
    static char tail[TAIL + 1];
    int64_t at = 0;
    FILE *f = fopen(log, "re");
    if (f == NULL)
        return 0;
    if (fseek(f, -TAIL, SEEK_END) != 0)
        rewind(f);
    size_t n = fread(tail, 1, TAIL, f);
    fclose(f);
    struct slice rest = slice_of(tail, n), line;
    while (slice_next(&rest, '\n', &line)) {
        json_t *j = json_parse(line, TAIL, NULL);
        const char *event = json_string_value(json_object_get(j, "event"));
        const char *when = json_string_value(json_object_get(j, "time"));
        bool end = event != NULL && (strcmp(event, "stop") == 0 || strcmp(event, "ended") == 0);
        if (end && when != NULL && !timeval_parse_iso(slice_str(when), &at))
            at = 0;
        else if (event != NULL && strcmp(event, "ready") == 0)
            at = 0;
        json_decref(j);
    }
    return at;
}

/* Does sild up keep the country? Then it starts a role again; else all is to be started. */
static bool country_runs(const struct doctor *d)
{
    char path[DOCTOR_PATH];
    struct buf answer;
    int code;
    buf_init(&answer, 4096);
    snprintf(path, sizeof path, "%s/" COUNTRY_SOCKET, d->dir);
    bool runs = control_call(path, SLICE_LIT("?"), STATUS_MS, &code, &answer, NULL) == 0;
    buf_free(&answer);
    return runs;
}

static void is_down(struct doctor *d, const char *role, const char *name, const char *config)
{
    char log[DOCTOR_PATH];
    struct doctor_finding *f =
        doctor_find_add(d, DOCTOR_PROCESS, name, DOCTOR_FAIL,
                        "%s does not run: nobody answers on its control socket", name);
    if (d->dir == NULL) {
        doctor_find_next(f, "sild %s --config '%s'", role, config);
        return;
    }
    snprintf(log, sizeof log, "%s/%s/log", d->dir, name);
    bool runs = country_runs(d); /* asked first: it also looks which roles have ended */
    doctor_find_since(f, ended(log));
    if (runs)
        doctor_find_next(f, "sild up --role %s --dir '%s'", name, d->dir);
    else
        doctor_find_next(f, "sild up --dir '%s'", d->dir);
}

static void judge_status(struct doctor *d, const char *name, struct slice text, bool *ready)
{
    json_t *j = json_parse(text, 1u << 20, NULL), *children = json_object_get(j, "children"), *c;
    struct doctor_finding *f;
    size_t i, gone = 0;
    json_int_t most = 0;
    const char *which = "", *absent = "";
    *ready = json_is_true(json_object_get(j, "ready"));
    json_array_foreach(children, i, c)
    {
        const char *child = json_string_value(json_object_get(c, "name"));
        json_int_t restarts = json_integer_value(json_object_get(c, "restarts"));
        if (json_integer_value(json_object_get(c, "pid")) <= 0) {
            gone++;
            absent = child == NULL ? "" : child;
        }
        if (restarts > most) {
            most = restarts;
            which = child == NULL ? "" : child;
        }
    }
    if (j == NULL || gone > 0) {
        f = doctor_find_add(d, DOCTOR_PROCESS, name, DOCTOR_FAIL,
                            "%s answers, but its child process %s is not there", name, absent);
        if (d->dir != NULL)
            doctor_find_next(f, "tail '%s/%s/log'", d->dir, name);
    } else if (most >= RESTARTS_MANY) {
        f = doctor_find_add(d, DOCTOR_PROCESS, name, DOCTOR_WARN,
                            "%s runs; its child process %s was restarted %d times", name, which,
                            (int)most);
        if (d->dir != NULL)
            doctor_find_next(f, "grep '\"event\":\"died\"' '%s/%s/log' | tail", d->dir, name);
    } else {
        doctor_find_add(d, DOCTOR_PROCESS, name, DOCTOR_OK,
                        "%s runs, its child processes too (%zu)", name, json_array_size(children));
    }
    json_decref(j);
}

/* Whole and ready, or not after a while: a child that starts anew is no fault yet. */
static bool settle(const char *path, struct buf *answer)
{
    bool up = false;
    for (int i = 0; i < SETTLE_ROUNDS; i++) {
        int code = 0;
        buf_reset(answer);
        up = control_call(path, SLICE_LIT("status"), STATUS_MS, &code, answer, NULL) == 0;
        if (up && slice_find_slice(buf_view(answer), SLICE_LIT("\"ready\":true")) != SIZE_MAX)
            break;
        if (!up && i > 0)
            break;
        usleep(SETTLE_MS * 1000);
    }
    return up;
}

static bool one(struct doctor *d, const char *role, const char *name, const char *folder,
                const char *config, bool *ready)
{
    char path[DOCTOR_PATH + 32];
    struct buf answer;
    *ready = false;
    buf_init(&answer, 1u << 20);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    bool up = settle(path, &answer);
    if (up)
        judge_status(d, name, buf_view(&answer), ready);
    else
        is_down(d, role, name, config);
    buf_free(&answer);
    return up;
}

void doctor_process(struct doctor *d)
{
    char folder[DOCTOR_PATH], config[DOCTOR_PATH];
    bool ready;
    for (int i = 0; d->dir != NULL && i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        if (strcmp(r->role, "gateway") == 0)
            continue;
        snprintf(folder, sizeof folder, "%s/%s", d->dir, r->name);
        snprintf(config, sizeof config, "%s/%s/%s.conf", d->dir, r->name, r->name);
        one(d, r->role, r->name, folder, config, &ready);
    }
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        g->is_up = one(d, "gateway", g->name, g->dir, g->config, &g->is_ready);
    }
}
