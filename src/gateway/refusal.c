#include "gateway/refusal.h"
#include "base/err.h"
#include "gateway/advice.h"
#include "gateway/facts.h"
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
    advice_add(f, side, phase, d->code);
    if (phase != NULL)
        fault_prefix(f, phase);
    fault_prefix(f, side);
    facts_fault(strcmp(side, REFUSAL_PROVIDER) == 0, d->code);
    report_diag(REPORT_WARN, f->code, uuid, d);
}

void refusal_place(struct diag *d, const struct id_client *client, const struct id_service *service)
{
    struct buf who, what;
    if (d->where[0] != 0 || client->instance.n == 0 || service->code.n == 0)
        return;
    buf_init(&who, 2048);
    buf_init(&what, 4096);
    id_client_short(&who, client);
    id_service_short(&what, service);
    diag_where(d, "%s to %s", buf_cstr(&who), buf_cstr(&what));
    buf_free(&who);
    buf_free(&what);
}

void refusal_passed(const struct fault *f)
{
    facts_peer_fault(f->code);
    report_passed(f->code, f->detail, f->text);
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
