#include "proc/report.h"

#include "base/err.h"
#include "base/slice.h"
#include "base/tally.h"
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

#define KINDS_MAX 48  /* events that have a budget of their own; the rest share the last one */
#define BUDGET 200    /* lines of one event at once */
#define REFILL_MS 500 /* one more each */
#define REMEMBER_MS                                                                                \
    5000 /* after so long without being full, lines left out are told by any line                  \
          */

/* The budget of one event. */
struct kind {
    char event[64];
    int64_t since_ms;  /* when `left` was last made up; monotonic */
    int64_t cut_ms;    /* when a line was last left out */
    unsigned left;     /* lines it may still have */
    uint64_t left_out; /* lines since the last that was told */
};

static struct kind kinds[KINDS_MAX];
static size_t n_kinds;
static char role_name[64];
static bool debug_wanted;

void report_open(const char *role)
{
    snprintf(role_name, sizeof role_name, "%s", role);
    debug_wanted = getenv("SILD_DEBUG") != NULL;
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
    tally_add(TALLY_LINES, 1);
    if (write(STDERR_FILENO, l->p, l->n) < 0) {
        /* stderr is gone: there is nobody left to tell */
    }
}

/* --- budgets --- */

static int64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct kind *kind_of(const char *event, int64_t now)
{
    for (size_t i = 0; i < n_kinds; i++)
        if (strncmp(kinds[i].event, event, sizeof kinds[i].event - 1) == 0)
            return &kinds[i];
    if (n_kinds == KINDS_MAX)
        return &kinds[KINDS_MAX - 1];
    struct kind *k = &kinds[n_kinds++];
    snprintf(k->event, sizeof k->event, "%s", n_kinds == KINDS_MAX ? "other" : event);
    k->since_ms = now;
    k->left = BUDGET;
    return k;
}

static void tell_left_out(struct kind *k)
{
    char count[32], text[128];
    struct line l;
    snprintf(count, sizeof count, ",\"count\":%llu", (unsigned long long)k->left_out);
    snprintf(text, sizeof text, "%llu lines were left out, since there were too many",
             (unsigned long long)k->left_out);
    k->left_out = 0;
    begin(&l, REPORT_WARN, "left_out");
    put_field(&l, ",\"of\":", k->event);
    put(&l, count, strlen(count));
    put_field(&l, ",\"text\":", text);
    finish(&l);
}

/* May a line of this event be written? Tells first what was left out before it. */
static bool affords(const char *event)
{
    int64_t now = mono_ms();
    struct kind *k = kind_of(event, now);
    int64_t more = (now - k->since_ms) / REFILL_MS;
    k->since_ms += more * REFILL_MS;
    k->left = k->left + more > BUDGET ? BUDGET : k->left + (unsigned)more;
    if (k->left == 0) {
        k->left_out++;
        k->cut_ms = now;
        tally_add(TALLY_LINES_LEFT_OUT, 1);
        return false;
    }
    k->left--;
    for (size_t i = 0; i < n_kinds; i++)
        if (kinds[i].left_out > 0 && (&kinds[i] == k || now - kinds[i].cut_ms > REMEMBER_MS))
            tell_left_out(&kinds[i]);
    return true;
}

static bool wanted(enum report_level level, const char *event)
{
    return (level != REPORT_DEBUG || debug_wanted) && affords(event);
}

void report(enum report_level level, const char *event, const char *fmt, ...)
{
    if (!wanted(level, event))
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

void report_passed(const char *code, const char *id, const char *text)
{
    struct line l;
    if (!wanted(REPORT_WARN, "peer_fault"))
        return;
    begin(&l, REPORT_WARN, "peer_fault");
    put_field(&l, ",\"id\":", id);
    put_field(&l, ",\"code\":", code);
    put_field(&l, ",\"text\":", text);
    finish(&l);
}

void report_diag(enum report_level level, const char *event, const char *id, const struct diag *d)
{
    if (!wanted(level, event))
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
