#include "submit/submit_facts.h"

void submit_facts_begin(uint64_t size)
{
    tally_set(SUBMIT_FACTS_ON, 1);
    tally_set(SUBMIT_FACTS_SIZE, size);
    tally_set(SUBMIT_FACTS_LAST, 0);
    tally_set(SUBMIT_FACTS_TROUBLE, SUBMIT_FINE);
    tally_set(SUBMIT_FACTS_SINCE, 0);
}

bool submit_facts_failed(enum submit_trouble trouble, int64_t now_ms, struct slice why)
{
    bool news = tally_own(SUBMIT_FACTS_TROUBLE) != trouble;
    tally_add(SUBMIT_FACTS_FAILURES, 1);
    tally_text(TALLY_TEXT_HEADS, why);
    tally_set(SUBMIT_FACTS_TROUBLE, trouble);
    if (tally_own(SUBMIT_FACTS_SINCE) == 0)
        tally_set(SUBMIT_FACTS_SINCE, (uint64_t)now_ms);
    return news;
}

bool submit_facts_accepted(uint64_t size, int64_t now_ms)
{
    bool news = tally_own(SUBMIT_FACTS_TROUBLE) != SUBMIT_FINE;
    tally_add(SUBMIT_FACTS_ACCEPTED, 1);
    tally_set(SUBMIT_FACTS_SIZE, size);
    tally_set(SUBMIT_FACTS_LAST, (uint64_t)now_ms);
    tally_set(SUBMIT_FACTS_TROUBLE, SUBMIT_FINE);
    tally_set(SUBMIT_FACTS_SINCE, 0);
    return news;
}

/* Nothing here blocks: a role does its work without the ledger. */
void submit_facts_judge(struct health_view *v)
{
    size_t at = 0;
    const struct tally_page *p = health_page(v, "log", &at);
    char why[TALLY_TEXT_MAX];
    if (p == NULL || tally_get(p, SUBMIT_FACTS_ON) == 0)
        return;
    int64_t since = (int64_t)tally_get(p, SUBMIT_FACTS_SINCE);
    tally_read(p, TALLY_TEXT_HEADS, why, sizeof why);
    switch ((enum submit_trouble)tally_get(p, SUBMIT_FACTS_TROUBLE)) {
    case SUBMIT_FINE:
        return;
    case SUBMIT_WAITS:
        health_say(v, false, "heads-wait", since,
                   "Heads of this journal wait: %s. What is new in it cannot be proven until they "
                   "are accepted; exchange goes on. See that the ledger runs and can be reached; "
                   "then they go out by themselves.",
                   why);
        return;
    case SUBMIT_NOT_TAKEN:
        health_say(v, false, "not-taken", since,
                   "The ledger does not take this journal's heads: %s. Have its operator register "
                   "the journal's key: sild journal vkey prints it.",
                   why);
        return;
    case SUBMIT_UNVERIFIED:
        health_say(
            v, false, "unverified", since,
            "ALARM: what the ledger answers does not hold: %s. See that [ledger] policy names "
            "the ledger's and its witnesses' keys; if it does, keep what the ledger serves, "
            "and tell its operator and the witnesses'.",
            why);
        return;
    case SUBMIT_REFUSED:
        health_say(
            v, false, "refused", since,
            "ALARM: what this journal holds does not fit the head that the ledger accepted "
            "before: %s. Records were changed, or an old copy of its folder was put in place "
            "and written on. Keep the folder as it is, and find out which copy is whole.",
            why);
        return;
    case SUBMIT_ROLLED_BACK:
        health_say(v, false, "rolled-back", since,
                   "ALARM: records of this journal are lost: %s. Stop the role, and put the newest "
                   "copy of its folder back; the ledger keeps the proof of what is missing.",
                   why);
        return;
    }
}
