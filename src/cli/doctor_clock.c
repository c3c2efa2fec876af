/* Do the clocks agree? One machine's clock is not asked alone: what most say is taken for true. */
#include "base/err.h"
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "proc/control.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_MS 3000
#define TOLERANCE_MS 10000 /* OCSP responses and time-stamps suffer from more */
#define WITNESSES_MAX (DOCTOR_GATEWAYS_MAX + COUNTRY_ROLES + 8)

struct witness {
    char name[64];
    int64_t ahead_ms; /* of this machine's clock */
    const struct doctor_gateway *gateway;
    bool told; /* is reported on: it is a role of ours */
};

struct witnesses {
    struct witness w[WITNESSES_MAX];
    size_t n;
};

static void add(struct witnesses *s, const char *name, int64_t ahead_ms,
                const struct doctor_gateway *g, bool told)
{
    if (s->n == WITNESSES_MAX)
        return;
    struct witness *w = &s->w[s->n++];
    snprintf(w->name, sizeof w->name, "%s", name);
    w->ahead_ms = ahead_ms;
    w->gateway = g;
    w->told = told;
}

/* What the role's parent process says that the time is. */
static void ask_role(const struct doctor *d, struct witnesses *s, const char *name,
                     const char *folder, const struct doctor_gateway *g)
{
    char path[DOCTOR_PATH + 32];
    struct buf answer;
    int code = 0;
    buf_init(&answer, 1u << 20);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    int64_t before = doctor_find_now(d);
    int rc = control_call(path, SLICE_LIT("status"), STATUS_MS, &code, &answer, NULL);
    int64_t middle = before + (doctor_find_now(d) - before) / 2;
    json_t *j = rc == 0 ? json_parse(buf_view(&answer), 1u << 20, NULL) : NULL;
    json_int_t time = json_integer_value(json_object_get(j, "time_ms"));
    if (time > 0)
        add(s, name, time - middle, g, true);
    json_decref(j);
    buf_free(&answer);
}

/* Authorities are clocks that others keep. */
static void ask_others(const struct doctor_gateway *g, struct witnesses *s)
{
    int64_t date, then;
    if (doctor_conf_date(g, &date, &then) == 0)
        add(s, "authority", date - then, NULL, false);
    for (size_t i = 0; i < g->file.conf.n_tsas; i++) {
        char url[1024], name[64];
        int64_t time, asked;
        struct diag why = {0};
        snprintf(name, sizeof name, "time-stamp authority %zu", i + 1);
        if (slice_cstr(g->file.conf.tsa[i], url, sizeof url) &&
            doctor_log_stamp(url, NULL, &time, &asked, &why) == 0)
            add(s, name, time - asked, NULL, false);
    }
}

static int by_ahead(const void *a, const void *b)
{
    int64_t x = ((const struct witness *)a)->ahead_ms, y = ((const struct witness *)b)->ahead_ms;
    return (x > y) - (x < y);
}

static int64_t most_say(const struct witnesses *s)
{
    struct witnesses sorted = *s;
    qsort(sorted.w, sorted.n, sizeof sorted.w[0], by_ahead);
    return sorted.n == 0 ? 0 : sorted.w[sorted.n / 2].ahead_ms;
}

/* A file that gives the role another clock than the machine's. */
static bool shifted_by(const struct doctor *d, const char *name, char *path, size_t cap)
{
    char line[1024];
    bool found = false;
    if (d->dir == NULL)
        return false;
    snprintf(path, cap, "%s/%s/environment", d->dir, name);
    FILE *f = fopen(path, "re");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
        found = strncmp(line, "FAKETIME=", 9) == 0;
    if (f != NULL)
        fclose(f);
    return found;
}

static void how_long(int64_t ms, char *out, size_t cap)
{
    int64_t s = (llabs(ms) + 500) / 1000;
    if (s < 120)
        snprintf(out, cap, "%lld s", (long long)s);
    else if (s < 7200)
        snprintf(out, cap, "%lld min", (long long)s / 60);
    else
        snprintf(out, cap, "%lld h %lld min", (long long)s / 3600, (long long)(s % 3600) / 60);
}

static void judge(struct doctor *d, const struct witness *w, int64_t true_ahead_ms)
{
    int64_t off = w->ahead_ms - true_ahead_ms;
    char text[64], file[DOCTOR_PATH];
    how_long(off, text, sizeof text);
    if (llabs(off) <= TOLERANCE_MS) {
        doctor_find_add(d, DOCTOR_CLOCK, w->name, DOCTOR_OK, "the clock of %s is right (%lld ms)",
                        w->name, (long long)off);
        return;
    }
    struct doctor_finding *f = doctor_find_add(d, DOCTOR_CLOCK, w->name, DOCTOR_FAIL,
                                               "the clock of %s is %s %s what the others say",
                                               w->name, text, off > 0 ? "ahead of" : "behind");
    if (w->gateway != NULL)
        doctor_find_since(f, doctor_log_clock_since(w->gateway, off));
    if (shifted_by(d, w->name, file, sizeof file)) {
        doctor_find_next(f, "rm '%s'", file);
        doctor_find_next(f, "sild down --role %s --dir '%s'", w->name, d->dir);
        doctor_find_next(f, "sild up --role %s --dir '%s'", w->name, d->dir);
    } else {
        doctor_find_next(f, "timedatectl set-ntp true");
        doctor_find_next(f, "timedatectl timesync-status");
    }
}

void doctor_clock(struct doctor *d)
{
    struct witnesses s = {.n = 0};
    char folder[DOCTOR_PATH];
    for (int i = 0; d->dir != NULL && i < COUNTRY_ROLES; i++) {
        if (strcmp(country_roles[i].role, "gateway") == 0)
            continue;
        snprintf(folder, sizeof folder, "%s/%s", d->dir, country_roles[i].name);
        ask_role(d, &s, country_roles[i].name, folder, NULL);
    }
    for (size_t i = 0; i < d->n; i++)
        ask_role(d, &s, d->gateway[i].name, d->gateway[i].dir, &d->gateway[i]);
    if (d->dir != NULL)
        add(&s, "this machine", 0, NULL, false);
    else if (d->n > 0)
        ask_others(&d->gateway[0], &s);
    int64_t true_ahead = most_say(&s);
    /* Two clocks that differ do not say which is wrong: the one that others keep is taken. */
    if (s.n == 2 && s.w[0].told && !s.w[1].told)
        true_ahead = s.w[1].ahead_ms;
    for (size_t i = 0; i < s.n; i++)
        if (s.w[i].told)
            judge(d, &s.w[i], true_ahead);
    d->clock_ms = llabs(true_ahead) > TOLERANCE_MS ? true_ahead : 0;
}
