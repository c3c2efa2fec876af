/* Are the journals' heads in the ledger? What each role says of its own. */
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "proc/control.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define PART "ledger"

struct owner {
    const char *name, *folder, *config;
};

/* The reason that the part gives; NULL: it says nothing is wrong. */
static json_t *reason_of(json_t *health)
{
    json_t *r;
    size_t i;
    json_array_foreach(json_object_get(health, "reasons"), i, r)
    {
        const char *part = json_string_value(json_object_get(r, "part"));
        if (part != NULL && strcmp(part, PART) == 0)
            return r;
    }
    return NULL;
}

static void tell(struct doctor *d, const struct owner *o, json_t *reason)
{
    const char *state = json_string_value(json_object_get(reason, "state"));
    const char *text = json_string_value(json_object_get(reason, "text"));
    const char *since = json_string_value(json_object_get(reason, "since"));
    bool waits = state != NULL && strcmp(state, "heads-wait") == 0;
    int64_t at;
    struct doctor_finding *f =
        doctor_find_add(d, DOCTOR_LEDGER, o->name, waits ? DOCTOR_WARN : DOCTOR_FAIL, "%s",
                        text == NULL ? "it does not say what is wrong" : text);
    if (since != NULL && timeval_parse_iso(slice_str(since), &at))
        doctor_find_since(f, at);
    if (waits && d->dir != NULL)
        doctor_find_next(f, "sild up --role ledger --dir '%s'", d->dir);
    else if (state != NULL && strcmp(state, "not-taken") == 0)
        doctor_find_next(f, "sild journal vkey --config '%s'", o->config);
    else if (!waits)
        doctor_find_next(f, "sild journal verify '%s'/*/", o->folder);
}

/* A role that does not run, or sends no heads, has been judged elsewhere, or needs not be. */
static void one(struct doctor *d, const struct owner *o)
{
    char path[DOCTOR_PATH + 32];
    struct buf answer;
    int code;
    buf_init(&answer, ANSWER_MAX);
    snprintf(path, sizeof path, "%s/control.sock", o->folder);
    json_t *health =
        control_call(path, SLICE_LIT("admin health"), DOCTOR_CALL_MS, &code, &answer, NULL) == 0
            ? json_parse(buf_view(&answer), ANSWER_MAX, NULL)
            : NULL;
    json_t *reason = reason_of(health), *part;
    size_t i;
    if (reason != NULL)
        tell(d, o, reason);
    json_array_foreach(json_object_get(health, "parts"), i, part)
    {
        const char *name = json_string_value(json_object_get(part, "part"));
        if (reason == NULL && name != NULL && strcmp(name, PART) == 0)
            doctor_find_add(d, DOCTOR_LEDGER, o->name, DOCTOR_OK,
                            "no head of its journal waits for the ledger");
    }
    json_decref(health);
    buf_free(&answer);
}

void doctor_ledger(struct doctor *d)
{
    char folder[DOCTOR_PATH], config[DOCTOR_PATH];
    for (int i = 0; d->dir != NULL && i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        if (strcmp(r->role, "authority") != 0 && strcmp(r->role, "trust") != 0)
            continue;
        snprintf(folder, sizeof folder, "%s/%s", d->dir, r->name);
        snprintf(config, sizeof config, "%s/%s/%s.conf", d->dir, r->name, r->name);
        const struct owner o = {r->name, folder, config};
        one(d, &o);
    }
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_gateway *g = &d->gateway[i];
        const struct owner o = {g->name, g->dir, g->config};
        one(d, &o);
    }
}
