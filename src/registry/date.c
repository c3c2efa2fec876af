#include "registry/date.h"
#include "base/timeval.h"

#include <string.h>

#define DAY_MS 86400000LL

bool date_parse(struct slice text, int32_t *day)
{
    uint64_t y, m, d;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
        !slice_u64(slice_sub(text, 0, 4), &y) || !slice_u64(slice_sub(text, 5, 2), &m) ||
        !slice_u64(slice_sub(text, 8, 2), &d) || y < 1800 || y > 2199 ||
        !timeval_date_ok((int)y, (int)m, (int)d))
        return false;
    *day = (int32_t)timeval_days((int)y, (int)m, (int)d);
    return true;
}

void date_print(int32_t day, char out[DATE_TEXT])
{
    char text[TIMEVAL_TEXT];
    timeval_print_iso(day * DAY_MS, false, text);
    memcpy(out, text, DATE_TEXT - 1);
    out[DATE_TEXT - 1] = 0;
}

int date_years(int32_t from, int32_t to)
{
    struct timeval_parts a = timeval_split(from * DAY_MS), b = timeval_split(to * DAY_MS);
    bool before_birthday = b.month < a.month || (b.month == a.month && b.day < a.day);
    return b.year - a.year - before_birthday;
}
