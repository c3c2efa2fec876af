/*
 * Estonian personal codes (EVS 585:2007), eleven digits G YYMMDD SSS C:
 *   G    century and sex: 1, 2 for 1800-1899, 3, 4 for 1900-1999, 5, 6 for 2000-2099, 7, 8 for
 *        2100-2199; odd for men
 *   SSS  serial of the day
 *   C    check digit: weights 1 2 3 4 5 6 7 8 9 1, the sum modulo 11; when that is 10, weights
 *        3 4 5 6 7 8 9 1 2 3; when that is 10 too, 0
 */
#ifndef SILD_REGISTRY_PERSONCODE_H
#define SILD_REGISTRY_PERSONCODE_H

#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

#define PERSONCODE_LEN 11
#define PERSONCODE_SERIAL_MAX 999

enum sex {
    SEX_FEMALE,
    SEX_MALE,
};

struct personcode {
    enum sex sex;
    int year, month, day;
    int serial;
};

/* ERR_BAD_REQUEST; the sentence says which check failed, and does not repeat the code. */
int personcode_parse(struct slice text, struct personcode *out, struct diag *d) MUST_USE;
/* Writes the code with its check digit. The date is between 1800 and 2199, the serial 0 to 999. */
void personcode_print(const struct personcode *c, char out[PERSONCODE_LEN + 1]);
/* "female", "male". */
const char *personcode_sex(enum sex sex);

#endif
