#include "witness/witness_facts.h"
#include "base/attr.h"

static const struct {
    int status;
    unsigned word;
} statuses[] = {{200, WITNESS_FACTS_200}, {400, WITNESS_FACTS_400}, {403, WITNESS_FACTS_403},
                {404, WITNESS_FACTS_404}, {409, WITNESS_FACTS_409}, {413, WITNESS_FACTS_413},
                {422, WITNESS_FACTS_422}, {503, WITNESS_FACTS_503}};

void witness_facts_answered(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            tally_add(statuses[i].word, 1);
}

static const struct tally_page *keeper(const struct health_view *v)
{
    size_t at = 0;
    return health_page(v, "log", &at);
}

static void judge_clock(struct health_view *v)
{
    const struct tally_page *p = keeper(v);
    int64_t behind = p == NULL ? 0 : (int64_t)tally_get(p, WITNESS_FACTS_BEHIND);
    char span[32];
    if (behind == 0)
        return;
    health_span((int64_t)tally_get(p, WITNESS_FACTS_SIGNED) - health_now(v), span);
    health_say(v, true, "behind", behind,
               "The clock is behind the time of the last cosignature, by %s: nothing is cosigned "
               "until it has passed that time. Put the machine's clock right.",
               span);
}

static void judge_store(struct health_view *v)
{
    const struct tally_page *p = keeper(v);
    int64_t since = p == NULL ? 0 : (int64_t)tally_get(p, WITNESS_FACTS_UNWRITABLE);
    char why[TALLY_TEXT_MAX];
    if (since == 0)
        return;
    tally_read(p, WITNESS_FACTS_TEXT_WHY, why, sizeof why);
    health_say(v, true, "not-written", since,
               "The store cannot be written, so nothing is cosigned: %s. Make space on its disk.",
               why);
}

static void judge_logs(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "worker", &at);
    if (p != NULL && tally_get(p, WITNESS_FACTS_LOGS) == 0)
        health_say(v, false, "none", 0,
                   "The witness knows no log: add one with sild ledger witness add-log VKEY.");
}

static void judge_forks(struct health_view *v)
{
    const struct tally_page *p = keeper(v);
    char origin[TALLY_TEXT_MAX];
    if (p == NULL || tally_get(p, WITNESS_FACTS_FORKS) == 0)
        return;
    tally_read(p, WITNESS_FACTS_TEXT_FORK, origin, sizeof origin);
    health_say(v, false, "fork", 0,
               "The log %s has signed two trees of one size. Both checkpoints are in the folder "
               "evidence, as fork-*: tell whoever relies on that log; move the file away when it "
               "is dealt with, and restart.",
               origin[0] != 0 ? origin : "named there");
}

static const struct health_part parts[] = {
    {"clock", judge_clock}, {"store", judge_store}, {"logs", judge_logs}, {"forks", judge_forks}};

#define ROW(name, help, child, labels, kind, word)                                                 \
    {                                                                                              \
        name, help, child, labels, kind, word, NULL, 0, 0, 0                                       \
    }
#define ANSWERED(code, help)                                                                       \
    ROW("sild_witness_answers_total", help, "worker", "status=\"" #code "\"", HEALTH_COUNTER,      \
        WITNESS_FACTS_##code)

static const struct health_metric metrics[] = {
    ANSWERED(200, "Answers to add-checkpoint, by HTTP status."),
    ANSWERED(400, NULL),
    ANSWERED(403, NULL),
    ANSWERED(404, NULL),
    ANSWERED(409, NULL),
    ANSWERED(413, NULL),
    ANSWERED(422, NULL),
    ANSWERED(503, NULL),
    ROW("sild_witness_origins", "Logs of which a checkpoint is held.", "log", NULL, HEALTH_GAUGE,
        WITNESS_FACTS_ORIGINS),
    ROW("sild_witness_commits_total", "Transactions synced to the store.", "log", NULL,
        HEALTH_COUNTER, WITNESS_FACTS_COMMITS),
    ROW("sild_witness_written_total", "Checkpoints written in them.", "log", NULL, HEALTH_COUNTER,
        WITNESS_FACTS_WRITTEN),
    ROW("sild_witness_cosigned_age_seconds", "Since the last cosignature.", "log", NULL, HEALTH_AGE,
        WITNESS_FACTS_SIGNED),
    ROW("sild_witness_evidence", "Refused requests kept, by kind.", "log", "kind=\"fork\"",
        HEALTH_GAUGE, WITNESS_FACTS_FORKS),
    ROW("sild_witness_evidence", NULL, "log", "kind=\"proof\"", HEALTH_GAUGE,
        WITNESS_FACTS_REFUSED),
};

const struct health_spec witness_facts_health = {
    .role = "witness",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
};
