/* What the running roles say of themselves: the reasons of their /healthz, from the control socket.
 */
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "proc/control.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (4u << 20)
#define HEALTH_MS 3000

/* To be freed with json_decref; NULL: it does not run, or cannot say. */
static json_t *ask(const char *folder)
{
    char path[DOCTOR_PATH + 32];
    struct buf answer;
    int code;
    json_t *j = NULL;
    buf_init(&answer, ANSWER_MAX);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    if (control_call(path, SLICE_LIT("admin health"), HEALTH_MS, &code, &answer, NULL) == 0)
        j = json_parse(buf_view(&answer), ANSWER_MAX, NULL);
    buf_free(&answer);
    return j;
}

/* "" when it is not there. */
static const char *text_of(const json_t *reason, const char *key)
{
    const char *s = json_string_value(json_object_get(reason, key));
    return s == NULL ? "" : s;
}

static int64_t since_of(const json_t *reason)
{
    int64_t ms;
    return timeval_parse_iso(slice_str(text_of(reason, "since")), &ms) ? ms : 0;
}

int64_t doctor_health_since(const char *folder, const char *part)
{
    json_t *j = ask(folder), *reason;
    int64_t since = 0;
    size_t i;
    json_array_foreach(json_object_get(j, "reasons"), i, reason)
    {
        if (since == 0 && strcmp(text_of(reason, "part"), part) == 0)
            since = since_of(reason);
    }
    json_decref(j);
    return since;
}

static void next(const struct doctor *d, struct doctor_finding *f, const char *folder,
                 const char *config, const char *part)
{
    if (config != NULL && strcmp(part, "time-stamps") == 0)
        doctor_find_next(f, "sild gateway stamp --config '%s'", config);
    else if (config != NULL &&
             (strcmp(part, "configuration") == 0 || strcmp(part, "certificates") == 0))
        doctor_find_next(f, "sild gateway refresh --config '%s'", config);
    else if (d->dir != NULL)
        doctor_find_next(f, "tail '%s/log'", folder);
}

/* config: of a gateway; NULL: another role. */
static void hear(struct doctor *d, const char *name, const char *folder, const char *config)
{
    json_t *j = ask(folder), *reason;
    size_t i;
    json_array_foreach(json_object_get(j, "reasons"), i, reason)
    {
        char subject[160];
        const char *part = text_of(reason, "part");
        bool blocks = json_is_true(json_object_get(reason, "blocks"));
        snprintf(subject, sizeof subject, "%s/%s", name, part);
        struct doctor_finding *f =
            doctor_find_add(d, DOCTOR_READY, subject, blocks ? DOCTOR_FAIL : DOCTOR_WARN,
                            "%s says: %s", name, text_of(reason, "text"));
        doctor_find_since(f, since_of(reason));
        next(d, f, folder, config, part);
    }
    json_decref(j);
}

void doctor_health(struct doctor *d)
{
    char folder[DOCTOR_PATH];
    for (int i = 0; d->dir != NULL && i < COUNTRY_ROLES; i++) {
        const struct country_role *r = &country_roles[i];
        if (strcmp(r->role, "gateway") == 0)
            continue;
        snprintf(folder, sizeof folder, "%s/%s", d->dir, r->name);
        hear(d, r->name, folder, NULL);
    }
    for (size_t i = 0; i < d->n; i++)
        if (d->gateway[i].is_up)
            hear(d, d->gateway[i].name, d->gateway[i].dir, d->gateway[i].config);
}
