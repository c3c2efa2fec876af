#include "registry/personcode.h"
#include "base/err.h"
#include "base/timeval.h"

static int check_digit(const char *digits)
{
    static const int weights[2][10] = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 1},
                                       {3, 4, 5, 6, 7, 8, 9, 1, 2, 3}};
    for (int pass = 0; pass < 2; pass++) {
        int sum = 0;
        for (int i = 0; i < 10; i++)
            sum += weights[pass][i] * (digits[i] - '0');
        if (sum % 11 < 10)
            return sum % 11;
    }
    return 0;
}

static int two(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

int personcode_parse(struct slice text, struct personcode *out, struct diag *d)
{
    char t[PERSONCODE_LEN + 1];
    if (text.n != PERSONCODE_LEN || !slice_cstr(text, t, sizeof t))
        return diag_set(d, ERR_BAD_REQUEST,
                        "a personal code has %d digits, this has %zu characters", PERSONCODE_LEN,
                        text.n);
    for (int i = 0; i < PERSONCODE_LEN; i++)
        if (t[i] < '0' || t[i] > '9')
            return diag_set(d, ERR_BAD_REQUEST,
                            "a personal code has digits only, character %d is none", i + 1);
    int g = t[0] - '0';
    if (g < 1 || g > 8)
        return diag_set(d, ERR_BAD_REQUEST,
                        "the first digit of a personal code (century and sex) is 1 to 8");
    *out = (struct personcode){.sex = g % 2 == 1 ? SEX_MALE : SEX_FEMALE,
                               .year = 1800 + (g - 1) / 2 * 100 + two(t + 1),
                               .month = two(t + 3),
                               .day = two(t + 5),
                               .serial = (t[7] - '0') * 100 + two(t + 8)};
    if (!timeval_date_ok(out->year, out->month, out->day))
        return diag_set(d, ERR_BAD_REQUEST,
                        "the date of birth in the personal code (digits 2 to 7) does not exist");
    if (t[10] - '0' != check_digit(t))
        return diag_set(d, ERR_BAD_REQUEST,
                        "the check digit of the personal code (the last one) is wrong");
    return 0;
}

void personcode_print(const struct personcode *c, char out[PERSONCODE_LEN + 1])
{
    int parts[] = {c->year % 100, c->month, c->day};
    out[0] = (char)('1' + (c->year - 1800) / 100 * 2 + (c->sex == SEX_FEMALE));
    for (int i = 0; i < 3; i++) {
        out[1 + 2 * i] = (char)('0' + parts[i] / 10);
        out[2 + 2 * i] = (char)('0' + parts[i] % 10);
    }
    out[7] = (char)('0' + c->serial / 100 % 10);
    out[8] = (char)('0' + c->serial / 10 % 10);
    out[9] = (char)('0' + c->serial % 10);
    out[10] = (char)('0' + check_digit(out));
    out[11] = 0;
}

const char *personcode_sex(enum sex sex)
{
    return sex == SEX_MALE ? "male" : "female";
}
