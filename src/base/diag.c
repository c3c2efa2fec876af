#include "base/diag.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int diag_set(struct diag *d, int code, const char *fmt, ...)
{
    if (d == NULL)
        return code;
    char text[sizeof d->text]; /* d->text may be among the arguments */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->code = code;
    d->where[0] = 0;
    d->rule[0] = 0;
    memcpy(d->text, text, sizeof text);
    return code;
}

int diag_where(struct diag *d, const char *fmt, ...)
{
    if (d == NULL)
        return ERR_INTERNAL;
    char outer[sizeof d->where], inner[sizeof d->where];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(outer, sizeof outer, fmt, ap);
    va_end(ap);
    memcpy(inner, d->where, sizeof inner);
    size_t n = strlen(outer), m = strlen(inner);
    if (m > 0 && n + 2 + m < sizeof outer) {
        memcpy(outer + n, ": ", 2);
        memcpy(outer + n + 2, inner, m + 1);
    }
    memcpy(d->where, outer, sizeof outer);
    return d->code;
}

void diag_rule(struct diag *d, const char *rule)
{
    if (d != NULL)
        snprintf(d->rule, sizeof d->rule, "%s", rule);
}

void diag_print(const struct diag *d, char *out, size_t cap)
{
    const char *text = d->text[0] != 0 ? d->text : err_text(d->code);
    snprintf(out, cap, "%s%s%s%s%s%s", d->where, d->where[0] != 0 ? ": " : "", text,
             d->rule[0] != 0 ? " (" : "", d->rule, d->rule[0] != 0 ? ")" : "");
}
