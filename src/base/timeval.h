/*
 * Points in time are int64_t milliseconds since 1970-01-01T00:00:00Z, named `…_ms`. Pure code gets
 * them as arguments and never reads a clock.
 */
#ifndef SILD_BASE_TIMEVAL_H
#define SILD_BASE_TIMEVAL_H

#include "base/slice.h"

#define TIMEVAL_TEXT 32 /* room for any of the texts below */

/* xs:dateTime: "2026-01-05T10:00:00[.fff…](Z|±hh:mm)"; digits past the millisecond are cut. */
bool timeval_parse_iso(struct slice text, int64_t *ms);
/* "2026-01-05T10:00:00Z", or with milliseconds "…:00.000Z". */
void timeval_print_iso(int64_t ms, bool with_ms, char out[TIMEVAL_TEXT]);

/* ASN.1 GeneralizedTime "20260105100000[.fff]Z". */
bool timeval_parse_generalized(struct slice text, int64_t *ms);

/* RFC 7231 date for HTTP: "Mon, 05 Jan 2026 10:00:00 GMT". */
void timeval_print_http(int64_t ms, char out[TIMEVAL_TEXT]);

/* The parts of a UTC time, for whoever formats it differently. */
struct timeval_parts {
    int year, month, day, hour, minute, second, ms, weekday; /* month, day from 1; Sunday is 0 */
};
struct timeval_parts timeval_split(int64_t ms);
/* Days since 1970 of a date of the Gregorian calendar. */
int64_t timeval_days(int year, int month, int day);
/* False when there is no such date. */
bool timeval_date_ok(int year, int month, int day);

#endif
