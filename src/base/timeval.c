#include "base/timeval.h"

#include <stdio.h>

#define DAY_MS 86400000LL

/* Howard Hinnant's well-known civil-date arithmetic: years start in March, eras have 400 years. */
int64_t timeval_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct timeval_parts timeval_split(int64_t ms)
{
    int64_t days = ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS);
    int64_t rest = ms - days * DAY_MS;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct timeval_parts t;
    t.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    t.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    t.year = (int)(yoe + era * 400 + (t.month <= 2));
    t.hour = (int)(rest / 3600000);
    t.minute = (int)(rest / 60000 % 60);
    t.second = (int)(rest / 1000 % 60);
    t.ms = (int)(rest % 1000);
    t.weekday = (int)(((days + 4) % 7 + 7) % 7);
    return t;
}

bool timeval_date_ok(int year, int month, int day)
{
    static const int len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= len[month - 1] + (month == 2 && leap ? 1 : 0);
}

void timeval_print_iso(int64_t ms, bool with_ms, char out[TIMEVAL_TEXT])
{
    struct timeval_parts t = timeval_split(ms);
    int n = snprintf(out, TIMEVAL_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", t.year % 10000, t.month,
                     t.day, t.hour, t.minute, t.second);
    if (with_ms)
        snprintf(out + n, (size_t)(TIMEVAL_TEXT - n), ".%03dZ", t.ms);
    else
        snprintf(out + n, (size_t)(TIMEVAL_TEXT - n), "Z");
}

void timeval_print_http(int64_t ms, char out[TIMEVAL_TEXT])
{
    static const char *const wd[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const mon[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct timeval_parts t = timeval_split(ms);
    snprintf(out, TIMEVAL_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT", wd[t.weekday], t.day,
             mon[t.month - 1], t.year % 10000, t.hour, t.minute, t.second);
}

/* A fixed number of digits at the cursor. */
static bool digits(struct slice *s, size_t n, int *out)
{
    uint64_t v;
    if (s->n < n || !slice_u64(slice_sub(*s, 0, n), &v))
        return false;
    *out = (int)v;
    *s = slice_from(*s, n);
    return true;
}

static bool eat(struct slice *s, char c)
{
    if (s->n == 0 || s->p[0] != (uint8_t)c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* An optional fraction of a second, in milliseconds. */
static bool fraction(struct slice *s, int *ms)
{
    *ms = 0;
    if (!eat(s, '.'))
        return true;
    int scale = 100;
    size_t count = 0;
    for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = slice_from(*s, 1), count++) {
        *ms += (s->p[0] - '0') * scale;
        scale /= 10;
    }
    return count > 0 && count <= 18;
}

static bool in_range(const struct timeval_parts *t)
{
    return timeval_date_ok(t->year, t->month, t->day) && t->hour <= 23 && t->minute <= 59 &&
           t->second <= 60;
}

static int64_t join(const struct timeval_parts *t)
{
    return timeval_days(t->year, t->month, t->day) * DAY_MS +
           ((int64_t)(t->hour * 60 + t->minute) * 60 + t->second) * 1000 + t->ms;
}

bool timeval_parse_iso(struct slice s, int64_t *ms)
{
    struct timeval_parts t;
    bool ok = digits(&s, 4, &t.year) && eat(&s, '-') && digits(&s, 2, &t.month) && eat(&s, '-') &&
              digits(&s, 2, &t.day) && eat(&s, 'T') && digits(&s, 2, &t.hour) && eat(&s, ':') &&
              digits(&s, 2, &t.minute) && eat(&s, ':') && digits(&s, 2, &t.second) &&
              fraction(&s, &t.ms);
    if (!ok || !in_range(&t))
        return false;
    *ms = join(&t);
    if (eat(&s, 'Z'))
        return s.n == 0;
    bool minus = s.n > 0 && s.p[0] == '-';
    int h, m;
    if (!(eat(&s, '-') || eat(&s, '+')) || !digits(&s, 2, &h) || !eat(&s, ':') ||
        !digits(&s, 2, &m) || s.n != 0 || h > 14 || m > 59)
        return false;
    int64_t shift = (int64_t)(h * 60 + m) * 60000;
    *ms += minus ? shift : -shift;
    return true;
}

bool timeval_parse_generalized(struct slice s, int64_t *ms)
{
    struct timeval_parts t;
    bool ok = digits(&s, 4, &t.year) && digits(&s, 2, &t.month) && digits(&s, 2, &t.day) &&
              digits(&s, 2, &t.hour) && digits(&s, 2, &t.minute) && digits(&s, 2, &t.second) &&
              fraction(&s, &t.ms) && eat(&s, 'Z') && s.n == 0;
    if (!ok || !in_range(&t))
        return false;
    *ms = join(&t);
    return true;
}
