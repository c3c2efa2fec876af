/* The ledger vectors as JSON: whole files, and the bytes of their strings. */
#ifndef SILD_TESTS_UNIT_LEDGER_VECTORS_H
#define SILD_TESTS_UNIT_LEDGER_VECTORS_H

#include "test.h"

#include "base/hex.h"
#include "crypto/merkle.h"

#include <inttypes.h>
#include <jansson.h>

/* A file below vectors/ledger; json_decref it. SKIPs the test when there are no vectors. */
__attribute__((unused)) static json_t *ledger_vectors(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/ledger/%s", VECTORS(), name);
    json_t *j = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (j == NULL)
        FAIL("cannot read %s", path);
    return j;
}

/* A string's bytes; they live as long as the JSON. */
__attribute__((unused)) static struct slice ledger_text(const json_t *j, const char *name)
{
    const json_t *s = json_object_get(j, name);
    if (!json_is_string(s))
        FAIL("the vector has no text \"%s\"", name);
    return slice_of(json_string_value(s), json_string_length(s));
}

/* Bytes given in hex; cap is their greatest number. */
__attribute__((unused)) static struct slice ledger_hex(const json_t *j, const char *name,
                                                       uint8_t *out, size_t cap)
{
    struct slice hex = ledger_text(j, name);
    if (hex.n / 2 > cap || !hex_parse(hex, out, hex.n / 2))
        FAIL("\"%s\" is not hex of at most %zu bytes", name, cap);
    return slice_of(out, hex.n / 2);
}

/* Numbers are given as such, or as text where they are too large for others' JSON readers. */
__attribute__((unused)) static uint64_t ledger_number(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);
    uint64_t n;
    if (json_is_integer(v))
        return (uint64_t)json_integer_value(v);
    if (!slice_u64(ledger_text(j, name), &n))
        FAIL("\"%s\" is no number", name);
    return n;
}

__attribute__((unused)) static void check_text(struct slice got, struct slice want)
{
    if (!slice_eq(got, want))
        FAIL("is \"%.*s\", not \"%.*s\"", SLICE_ARG(got), SLICE_ARG(want));
}

#endif
