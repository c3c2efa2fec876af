/* The files of country/ that are part of the binary: word lists, schema, service description. */
#ifndef SILD_REGISTRY_COUNTRY_H
#define SILD_REGISTRY_COUNTRY_H

#include "base/slice.h"

/* The file's text; p is NULL when no such file was built in. Lives for ever. */
struct slice country_text(const char *name);

#endif
