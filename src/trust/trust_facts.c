#include "trust/trust_facts.h"
#include "base/attr.h"
#include "submit/submit_facts.h"

#define EXPIRY_WARN_MS (30 * (int64_t)86400000)

static const char *const certificates[] = {"ca", "ocsp", "tsa"};

static void judge_certificates(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "worker", &at);
    char span[32];
    for (unsigned i = 0; p != NULL && i < ARRAY_LEN(certificates); i++) {
        int64_t until = (int64_t)tally_get(p, TRUST_FACTS_EXPIRY + i);
        int64_t now = health_now(v);
        health_span(until - now, span);
        if (until != 0 && until <= now)
            health_say(
                v, true, "expired", until,
                "The certificate %s has expired: nobody accepts what its key signs. Found the "
                "trust services anew with sild trust init, and have the authority approve "
                "them.",
                certificates[i]);
        else if (until != 0 && until - now < EXPIRY_WARN_MS)
            health_say(v, false, "expires-soon", 0,
                       "The certificate %s expires in %s: prepare its successor, and have the "
                       "authority approve it.",
                       certificates[i], span);
    }
}

static const struct health_part parts[] = {{"certificates", judge_certificates}, SUBMIT_FACTS_PART};

#define ROW(name, help, child, labels, kind, word)                                                 \
    {                                                                                              \
        name, help, child, labels, kind, word, NULL, 0, 0, 0                                       \
    }

static const struct health_metric metrics[] = {
    ROW("sild_ocsp_responses_total", "OCSP responses, by outcome.", "worker", "outcome=\"ok\"",
        HEALTH_COUNTER, TRUST_FACTS_OCSP),
    ROW("sild_ocsp_responses_total", NULL, "worker", "outcome=\"failed\"", HEALTH_COUNTER,
        TRUST_FACTS_OCSP_FAILED),
    ROW("sild_timestamps_given_total", "Time-stamps given, by outcome.", "worker", "outcome=\"ok\"",
        HEALTH_COUNTER, TRUST_FACTS_TSA),
    ROW("sild_timestamps_given_total", NULL, "worker", "outcome=\"failed\"", HEALTH_COUNTER,
        TRUST_FACTS_TSA_FAILED),
    ROW("sild_certificate_expiry_seconds", "Until the certificate of a key expires.", "worker",
        "key=\"ca\"", HEALTH_UNTIL, TRUST_FACTS_EXPIRY),
    ROW("sild_certificate_expiry_seconds", NULL, "worker", "key=\"ocsp\"", HEALTH_UNTIL,
        TRUST_FACTS_EXPIRY + 1),
    ROW("sild_certificate_expiry_seconds", NULL, "worker", "key=\"tsa\"", HEALTH_UNTIL,
        TRUST_FACTS_EXPIRY + 2),
    ROW("sild_certificates_issued_total", "Certificates issued.", "log", NULL, HEALTH_COUNTER,
        TRUST_FACTS_ISSUED),
    ROW("sild_certificates_revoked_total", "Certificates revoked.", "log", NULL, HEALTH_COUNTER,
        TRUST_FACTS_REVOKED),
    SUBMIT_FACTS_METRICS,
};

const struct health_spec trust_facts_health = {
    .role = "trust",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
};
