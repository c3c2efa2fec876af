#include "proc/confsource.h"
#include "base/err.h"
#include "xroad/params.h"

#include <stdio.h>
#include <string.h>

int confsource_get(const char *base, size_t max, int64_t timeout_ms, char url[CONFSOURCE_URL],
                   struct http_result *out, struct diag *d)
{
    for (int v = PARAMS_VERSION_MAX; v >= PARAMS_VERSION_MIN; v--) {
        snprintf(url, CONFSOURCE_URL, "%s%cversion=%d", base, strchr(base, '?') == NULL ? '?' : '&',
                 v);
        int rc = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, max, timeout_ms, out, d);
        if (rc != 0)
            return rc;
        if (out->status == 200)
            return 0;
        int status = out->status;
        http_result_free(out);
        if (status != 404)
            return diag_set(d, ERR_GC_CONNECTION, "status %d", status);
    }
    return diag_set(d, ERR_GC_CONNECTION, "no version that is understood is there");
}
