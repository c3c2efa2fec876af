#include "ledger/aggregate_facts.h"
#include "base/attr.h"
#include "ledger/ledger_facts.h"

static void judge_upper(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "log", &at);
    char why[TALLY_TEXT_MAX];
    int64_t since = p == NULL ? 0 : (int64_t)tally_get(p, AGGREGATE_FACTS_STOP_SINCE);
    if (since == 0)
        return;
    tally_read(p, AGGREGATE_FACTS_TEXT_STOP, why, sizeof why);
    health_say(v, true, "waiting", since, "No subtree is handed in: %s. Heads wait.", why);
}

static const struct health_part parts[] = {{"upper", judge_upper}};

#define ROW(name, help, child, labels, kind, word)                                                 \
    {                                                                                              \
        name, help, child, labels, kind, word, NULL, 0, 0, 0                                       \
    }

static const struct health_metric metrics[] = {
    ROW("sild_aggregate_subtrees_total", "Subtrees answered from above.", "log", NULL,
        HEALTH_COUNTER, AGGREGATE_FACTS_SUBTREES),
    ROW("sild_aggregate_heads_total", "Heads and aggregates answered.", "log", NULL, HEALTH_COUNTER,
        AGGREGATE_FACTS_HEADS),
    ROW("sild_aggregate_heads_waiting", "Heads that wait.", "log", NULL, HEALTH_GAUGE,
        AGGREGATE_FACTS_WAITING),
    ROW("sild_aggregate_journals", "Journals and aggregators known.", "log", NULL, HEALTH_GAUGE,
        AGGREGATE_FACTS_JOURNALS),
    ROW("sild_aggregate_answer_age_seconds", "Since the last answer from above.", "log", NULL,
        HEALTH_AGE, AGGREGATE_FACTS_LAST),
    ROW("sild_aggregate_heads_refused_total", "Heads refused, by reason.", "log",
        "reason=\"stale\"", HEALTH_COUNTER, AGGREGATE_FACTS_STALE),
    ROW("sild_aggregate_heads_refused_total", NULL, "log", "reason=\"fork\"", HEALTH_COUNTER,
        AGGREGATE_FACTS_REFUSED),
    ROW("sild_aggregate_heads_refused_total", NULL, "worker", "reason=\"bad\"", HEALTH_COUNTER,
        LEDGER_FACTS_HEAD_BAD),
};

const struct health_spec aggregate_facts_health = {
    .role = "aggregate",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
};
