#include "ledger/ledger_facts.h"
#include "base/attr.h"

void ledger_facts_stop(enum ledger_stop stop, const char *why, int64_t now_ms)
{
    if (tally_own(LEDGER_FACTS_STOP) != (uint64_t)stop)
        tally_set(LEDGER_FACTS_STOP_SINCE, (uint64_t)now_ms);
    tally_set(LEDGER_FACTS_STOP, (uint64_t)stop);
    tally_text(LEDGER_FACTS_TEXT_STOP, slice_str(why));
}

static void judge_rounds(struct health_view *v)
{
    static const char *const state[] = {"",     "clock", "witnesses",
                                        "disk", "key",   "stopped-for-a-person"};
    size_t at = 0;
    const struct tally_page *p = health_page(v, "log", &at);
    char why[TALLY_TEXT_MAX];
    uint64_t stop = p == NULL ? 0 : tally_get(p, LEDGER_FACTS_STOP);
    if (stop == LEDGER_STOP_NONE || stop >= ARRAY_LEN(state))
        return;
    tally_read(p, LEDGER_FACTS_TEXT_STOP, why, sizeof why);
    health_say(v, true, state[stop], (int64_t)tally_get(p, LEDGER_FACTS_STOP_SINCE),
               "No round is closed: %s. Heads wait; exchange goes on.", why);
}

static void judge_journals(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "log", &at);
    char why[TALLY_TEXT_MAX];
    if (p == NULL || tally_get(p, LEDGER_FACTS_FORK_LAST) == 0)
        return;
    tally_read(p, LEDGER_FACTS_TEXT_FORK, why, sizeof why);
    health_say(v, false, "rolled-back", (int64_t)tally_get(p, LEDGER_FACTS_FORK_LAST),
               "%s. Both heads are in the folder evidence: ask the journal's operator.", why);
}

static void judge_witnesses(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "agent", &at);
    char names[TALLY_TEXT_MAX], why[TALLY_TEXT_MAX];
    struct slice rest, name;
    if (p == NULL)
        return;
    tally_read(p, LEDGER_FACTS_TEXT_NAMES, names, sizeof names);
    tally_read(p, LEDGER_FACTS_TEXT_WHY, why, sizeof why);
    rest = slice_str(names);
    for (unsigned i = 0; i < LEDGER_FACTS_WITNESSES && slice_next(&rest, ' ', &name); i++)
        if (name.n > 0 && tally_get(p, LEDGER_FACTS_WITNESS_BAD + i) > 3)
            health_say(v, false, "silent", (int64_t)tally_get(p, LEDGER_FACTS_WITNESS_OK + i),
                       "Witness %.*s does not sign; the last failure of one was: %s.",
                       SLICE_ARG(name), why);
}

static const struct health_part parts[] = {
    {"rounds", judge_rounds}, {"journals", judge_journals}, {"witnesses", judge_witnesses}};

#define ROW(name, help, child, labels, kind, word)                                                 \
    {                                                                                              \
        name, help, child, labels, kind, word, NULL, 0, 0, 0                                       \
    }

static const struct health_metric metrics[] = {
    ROW("sild_ledger_rounds_total", "Rounds published.", "log", NULL, HEALTH_COUNTER,
        LEDGER_FACTS_ROUNDS),
    ROW("sild_ledger_size", "Leaves of the ledger's tree.", "log", NULL, HEALTH_GAUGE,
        LEDGER_FACTS_SIZE),
    ROW("sild_ledger_round_age_seconds", "Since the last round was published.", "log", NULL,
        HEALTH_AGE, LEDGER_FACTS_LAST),
    ROW("sild_ledger_round_work_milliseconds_total", "From closing rounds to publishing them.",
        "log", NULL, HEALTH_COUNTER, LEDGER_FACTS_WORK),
    ROW("sild_ledger_heads_total", "Heads and aggregates answered.", "log", NULL, HEALTH_COUNTER,
        LEDGER_FACTS_HEADS),
    ROW("sild_ledger_heads_waiting", "Heads in the open round.", "log", NULL, HEALTH_GAUGE,
        LEDGER_FACTS_WAITING),
    ROW("sild_ledger_journals", "Journals and aggregators known.", "log", NULL, HEALTH_GAUGE,
        LEDGER_FACTS_JOURNALS),
    ROW("sild_ledger_heads_refused_total", "Heads refused, by reason.", "log", "reason=\"stale\"",
        HEALTH_COUNTER, LEDGER_FACTS_STALE),
    ROW("sild_ledger_heads_refused_total", NULL, "log", "reason=\"fork\"", HEALTH_COUNTER,
        LEDGER_FACTS_FORKS),
    ROW("sild_ledger_heads_refused_total", NULL, "log", "reason=\"rollback\"", HEALTH_COUNTER,
        LEDGER_FACTS_ROLLBACKS),
    ROW("sild_ledger_heads_refused_total", NULL, "worker", "reason=\"bad\"", HEALTH_COUNTER,
        LEDGER_FACTS_HEAD_BAD),
    ROW("sild_ledger_cosignatures_total", "Cosignatures, by outcome.", "log", "outcome=\"ok\"",
        HEALTH_COUNTER, LEDGER_FACTS_COSIGNATURES),
    ROW("sild_ledger_cosignatures_total", NULL, "log", "outcome=\"refused\"", HEALTH_COUNTER,
        LEDGER_FACTS_COSIGNATURES_BAD),
    ROW("sild_ledger_witness_requests_total", "Requests to witnesses, by outcome.", "agent",
        "outcome=\"asked\"", HEALTH_COUNTER, LEDGER_FACTS_ASKED),
    ROW("sild_ledger_witness_requests_total", NULL, "agent", "outcome=\"failed\"", HEALTH_COUNTER,
        LEDGER_FACTS_FAILED),
    ROW("sild_ledger_witness_ahead_total",
        "Claims of witnesses to know a larger tree, which they did not show.", "log", NULL,
        HEALTH_COUNTER, LEDGER_FACTS_AHEAD),
    ROW("sild_ledger_files_total", "Static files served.", "worker", NULL, HEALTH_COUNTER,
        LEDGER_FACTS_FILES),
    ROW("sild_ledger_files_missing_total", "Requests for files that are not there.", "worker", NULL,
        HEALTH_COUNTER, LEDGER_FACTS_MISSING),
};

static void print_witnesses(const struct health_view *v, struct buf *out)
{
    size_t at = 0;
    const struct tally_page *p = health_page((struct health_view *)(uintptr_t)v, "agent", &at);
    char names[TALLY_TEXT_MAX];
    struct slice rest, name;
    if (p == NULL)
        return;
    tally_read(p, LEDGER_FACTS_TEXT_NAMES, names, sizeof names);
    rest = slice_str(names);
    health_family(out, "sild_ledger_witness_age_seconds", "gauge",
                  "Since a witness last signed the ledger's checkpoint.");
    for (unsigned i = 0; i < LEDGER_FACTS_WITNESSES && slice_next(&rest, ' ', &name); i++) {
        int64_t ok = (int64_t)tally_get(p, LEDGER_FACTS_WITNESS_OK + i);
        if (name.n == 0 || ok == 0)
            continue;
        buf_str(out, "sild_ledger_witness_age_seconds{witness=\"");
        health_label(out, name);
        buf_printf(out, "\"} %.3f\n", (double)(health_now(v) - ok) / 1000);
    }
}

const struct health_spec ledger_facts_health = {
    .role = "ledger",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
    .print = print_witnesses,
};
