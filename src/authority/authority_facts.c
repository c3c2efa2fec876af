#include "authority/authority_facts.h"
#include "base/attr.h"
#include "submit/submit_facts.h"

#define TEXT_WHY 0

void authority_facts_signed(int64_t now_ms, int64_t expire_ms)
{
    tally_set(AUTHORITY_FACTS_SIGNED, (uint64_t)now_ms);
    tally_set(AUTHORITY_FACTS_EXPIRES, (uint64_t)(now_ms + expire_ms));
    tally_set(AUTHORITY_FACTS_FAILING, 0);
    tally_add(AUTHORITY_FACTS_GENERATIONS, 1);
}

void authority_facts_failed(int64_t now_ms, const struct diag *why)
{
    if (tally_own(AUTHORITY_FACTS_FAILING) == 0)
        tally_set(AUTHORITY_FACTS_FAILING, (uint64_t)now_ms);
    tally_text(TEXT_WHY, slice_str(why->text));
}

static void judge_configuration(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "log", &at);
    char why[TALLY_TEXT_MAX];
    if (p == NULL)
        return;
    int64_t failing = (int64_t)tally_get(p, AUTHORITY_FACTS_FAILING);
    int64_t expires = (int64_t)tally_get(p, AUTHORITY_FACTS_EXPIRES);
    tally_read(p, TEXT_WHY, why, sizeof why);
    if (expires == 0)
        health_say(v, true, "missing", failing,
                   "No global configuration is signed yet%s%s. Say who belongs and who is trusted "
                   "with sild authority WORD.",
                   failing != 0 ? ": " : "", failing != 0 ? why : "");
    else if (expires <= health_now(v))
        health_say(v, true, "expired", expires,
                   "The global configuration has expired and could not be signed anew: %s. See the "
                   "log for event publish.",
                   failing != 0 ? why : "its log child does not answer");
    else if (failing != 0)
        health_say(v, false, "not-renewed", failing,
                   "The global configuration could not be signed anew: %s. See the log for event "
                   "publish.",
                   why);
}

static const struct health_part parts[] = {{"configuration", judge_configuration},
                                           SUBMIT_FACTS_PART};

#define ROW(name, help, child, kind, word)                                                         \
    {                                                                                              \
        name, help, child, NULL, kind, word, NULL, 0, 0, 0                                         \
    }

static const struct health_metric metrics[] = {
    ROW("sild_configuration_age_seconds", "Since the global configuration was signed.", "log",
        HEALTH_AGE, AUTHORITY_FACTS_SIGNED),
    ROW("sild_configuration_expiry_seconds", "Until the global configuration expires.", "log",
        HEALTH_UNTIL, AUTHORITY_FACTS_EXPIRES),
    ROW("sild_configuration_generations_total", "Generations of it that were signed.", "log",
        HEALTH_COUNTER, AUTHORITY_FACTS_GENERATIONS),
    ROW("sild_configuration_changes_total", "Changes of members, servers and services.", "log",
        HEALTH_COUNTER, AUTHORITY_FACTS_CHANGES),
    SUBMIT_FACTS_METRICS,
};

const struct health_spec authority_facts_health = {
    .role = "authority",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
};
