/* A birth's report: JSON from outside, its fields, and what is accepted must hold its own rules. */
#include "registry/births.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct birth b;
    struct personcode c;
    struct diag d = {0};
    void *hold;
    int rc = births_parse(slice_of(p, n), &b, &hold, &d);
    if (rc == 0) {
        bool good = personcode_parse(b.mother, &c, NULL) == 0 && slice_is_utf8(b.given_name) &&
                    (b.father.p == NULL || personcode_parse(b.father, &c, NULL) == 0) &&
                    b.given_name.n > 0 && b.place.n > 0;
        if (!good)
            abort();
    } else if (d.code == 0 || d.text[0] == 0) {
        abort();
    }
    births_release(hold);
    return 0;
}
