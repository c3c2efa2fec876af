#include "proc/report.h"

#include "base/err.h"
#include "base/slice.h"
#include "base/timeval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 2048
#define LINE_MAX_BYTES (16u << 10) /* every byte of the text as \u00xx, and the rest */

static const char *const level_names[] = {
    [REPORT_DEBUG] = "debug",
    [REPORT_INFO] = "info",
    [REPORT_WARN] = "warn",
    [REPORT_ERROR] = "error",
};

static char role_name[64];
static bool debug_wanted;

void report_open(const char *role)
{
    snprintf(role_name, sizeof role_name, "%s", role);
    debug_wanted = getenv("SILD_DEBUG") != NULL;
}

static bool wanted(enum report_level level)
{
    return level != REPORT_DEBUG || debug_wanted;
}

/* A line in fixed memory: reporting works when there is no memory left. */
struct line {
    char p[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
    /* room for the closing brace, the newline and one zero is kept */
    if (n > sizeof l->p - 3 - l->n)
        n = sizeof l->p - 3 - l->n;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_text(struct line *l, const char *text)
{
    bool utf8 = slice_is_utf8(slice_str(text));
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
        char escape[8];
        if (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f)
            put(l, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *p));
        else if (*p >= 0x80 && !utf8)
            put(l, "?", 1);
        else
            put(l, (const char *)p, 1);
    }
}

/* key: with what stands before it, e.g. `,"text":` */
static void put_field(struct line *l, const char *key, const char *value)
{
    put(l, key, strlen(key));
    put(l, "\"", 1);
    put_text(l, value);
    put(l, "\"", 1);
}

static void begin(struct line *l, enum report_level level, const char *event)
{
    struct timespec now;
    char time_text[TIMEVAL_TEXT];
    clock_gettime(CLOCK_REALTIME, &now);
    timeval_print_iso((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, true, time_text);
    l->n = 0;
    put_field(l, "{\"time\":", time_text);
    put_field(l, ",\"level\":", level_names[level]);
    put_field(l, ",\"role\":", role_name);
    put_field(l, ",\"event\":", event);
}

/* One write a line: lines of several processes on one pipe do not mix. */
static void finish(struct line *l)
{
    l->p[l->n++] = '}';
    l->p[l->n++] = '\n';
    if (write(STDERR_FILENO, l->p, l->n) < 0) {
        /* stderr is gone: there is nobody left to tell */
    }
}

void report(enum report_level level, const char *event, const char *fmt, ...)
{
    if (!wanted(level))
        return;
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct line l;
    begin(&l, level, event);
    put_field(&l, ",\"text\":", text);
    finish(&l);
}

void report_diag(enum report_level level, const char *event, const char *id, const struct diag *d)
{
    if (!wanted(level))
        return;
    struct line l;
    begin(&l, level, event);
    if (id != NULL)
        put_field(&l, ",\"id\":", id);
    put_field(&l, ",\"code\":", err_name(d->code));
    if (d->where[0] != 0)
        put_field(&l, ",\"where\":", d->where);
    if (d->rule[0] != 0)
        put_field(&l, ",\"rule\":", d->rule);
    put_field(&l, ",\"text\":", d->text[0] != 0 ? d->text : err_text(d->code));
    finish(&l);
}
