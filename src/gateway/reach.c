#include "gateway/reach.h"
#include "base/tally.h"

#include <stdio.h>
#include <string.h>

static struct reach_target *find(struct reach *r, struct slice name)
{
    for (size_t i = 0; i < r->n; i++)
        if (slice_eq_str(slice_sub(name, 0, REACH_NAME - 1), r->at[i].name))
            return &r->at[i];
    return NULL;
}

static void show(const struct reach *r)
{
    int64_t since = 0;
    for (size_t i = 0; i < r->n; i++)
        if (since == 0 || r->at[i].since_ms < since)
            since = r->at[i].since_ms;
    tally_set(r->word, r->n);
    tally_set(r->word + 1, (uint64_t)since);
}

void reach_good(struct reach *r, struct slice name)
{
    struct reach_target *t = find(r, name);
    if (t == NULL)
        return;
    *t = r->at[--r->n];
    show(r);
}

/* When all places are taken the youngest gives way. */
void reach_bad(struct reach *r, struct slice name, int64_t now_ms, const char *why)
{
    char text[TALLY_TEXT_MAX];
    struct reach_target *t = find(r, name);
    if (t == NULL) {
        t = &r->at[r->n < REACH_MAX ? r->n++ : REACH_MAX - 1];
        snprintf(t->name, sizeof t->name, "%.*s", SLICE_ARG(slice_sub(name, 0, REACH_NAME - 1)));
        t->since_ms = now_ms;
    }
    snprintf(text, sizeof text, "%s: %s", t->name, why);
    tally_text(r->text, slice_str(text));
    show(r);
}
