#include "gateway/refusal.h"
#include "base/err.h"
#include "gateway/worker.h"
#include "proc/report.h"
#include "xroad/trust.h"

#include <string.h>

/* The prefix of the cause; may be empty. */
static const char *cause(const char *phase, const struct diag *d)
{
    static const char chain[] = "malformed_signature";
    if (strcmp(phase, REFUSAL_SIGNATURE) == 0 && strcmp(d->rule, chain) == 0)
        return chain;
    if (strcmp(phase, REFUSAL_SIGNATURE) == 0 || strcmp(phase, REFUSAL_TLS) == 0)
        return trust_code_prefix(d->code);
    return "";
}

void refusal_make(const char *side, const char *phase, const struct diag *d, struct fault *f)
{
    char uuid[37];
    worker_uuid(uuid);
    fault_make(f, phase == NULL ? "" : cause(phase, d), d, uuid);
    if (phase != NULL)
        fault_prefix(f, phase);
    fault_prefix(f, side);
    report_diag(REPORT_WARN, f->code, uuid, d);
}

const char *refusal_reading(int code)
{
    switch (code) {
    case ERR_MIME_PARSING:
    case ERR_MISSING_REST:
    case ERR_MISSING_SIGNATURE:
        return NULL;
    default:
        return "service_failed";
    }
}
