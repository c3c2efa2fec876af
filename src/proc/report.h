/*
 * What a process has to say: one JSON object a line on stderr, {"time","level","role","event",…}.
 * Only the edges report; pure code fills a struct diag.
 *
 * A line is at most 16 KiB. So that nobody can fill the disk from outside, each event has a budget
 * in each process: 200 lines at once, then two a second. What is over it is left out and counted; a
 * later line says how many of what:
 *     {…,"event":"left_out","of":"<event>","count":N,"text":…}
 */
#ifndef SILD_PROC_REPORT_H
#define SILD_PROC_REPORT_H

#include "base/attr.h"
#include "base/diag.h"

enum report_level {
    REPORT_DEBUG, /* not printed unless SILD_DEBUG is set */
    REPORT_INFO,
    REPORT_WARN,
    REPORT_ERROR,
};
void report_open(const char *role); /* "gateway/worker:0"; once at start */
/* event: a short stable name; text: a sentence. */
void report(enum report_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A fault that another server gave, with its id there: whatever it says. */
void report_passed(const char *code, const char *id, const char *text);
/* With what went wrong. id: a fault's uuid or NULL. */
void report_diag(enum report_level level, const char *event, const char *id, const struct diag *d);

#endif
