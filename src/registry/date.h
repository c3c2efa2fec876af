/* Calendar days as ISO 8601 text ("2026-01-05") and as days since 1970-01-01. */
#ifndef SILD_REGISTRY_DATE_H
#define SILD_REGISTRY_DATE_H

#include "base/slice.h"

#define DATE_TEXT 11

/* Exactly ten characters and a day that exists, in the years 1800 to 2199; false otherwise. */
bool date_parse(struct slice text, int32_t *day);
void date_print(int32_t day, char out[DATE_TEXT]);
/* Whole years from one day to another: an age. */
int date_years(int32_t from, int32_t to);

#endif
