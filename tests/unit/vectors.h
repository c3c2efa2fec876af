/* Files of the test vectors as slices, and values of the worked example. */
#ifndef SILD_TESTS_UNIT_VECTORS_H
#define SILD_TESTS_UNIT_VECTORS_H

#include "test.h"

#include "base/hex.h"
#include "crypto/digest.h"

#include <stdarg.h>

/* A file below vectors/xroad; freed by vector_drop. */
__attribute__((unused, format(printf, 1, 2))) static struct slice vector(const char *fmt, ...)
{
    static char path[8192];
    int n = snprintf(path, sizeof path, "%s/xroad/", VECTORS());
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path + n, sizeof path - (size_t)n, fmt, ap);
    va_end(ap);
    size_t len;
    unsigned char *p = test_file(path, &len);
    return slice_of(p, len);
}

__attribute__((unused)) static void vector_drop(struct slice s)
{
    free((void *)(uintptr_t)s.p);
}

/* The hexadecimal value on the line after the one that begins with `label`, in the section of
 * worked/digests.txt that begins with `section`. */
__attribute__((unused)) static struct digest vector_worked(const char *section, const char *label)
{
    struct slice text = vector("worked/digests.txt");
    const char *at = strstr((const char *)text.p, section);
    at = at == NULL ? NULL : strstr(at, label);
    at = at == NULL ? NULL : strchr(at, '\n');
    struct digest d = {.alg = DIGEST_SHA512, .n = 64};
    if (at == NULL || !hex_parse(slice_of(at + 3, 128), d.b, 64))
        FAIL("digests.txt has no \"%s\" in \"%s\"", label, section);
    vector_drop(text);
    return d;
}

__attribute__((unused)) static void vector_check_digest(struct slice data, const char *section,
                                                        const char *label)
{
    struct digest got, want = vector_worked(section, label);
    digest_of(DIGEST_SHA512, data, &got);
    if (!digest_eq(&got, &want))
        FAIL("%s, %s: the digest differs", section, label);
}

#endif
