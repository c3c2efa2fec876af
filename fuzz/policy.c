/*
 * Policies: nobody counts twice, all witnesses together are never worse than some of them, and as
 * many as the policy says it needs are enough in one way at least.
 */
#include "tlog/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_members(const struct policy *p)
{
    uint32_t witnesses = 0, groups = 0;
    for (size_t i = 0; i < p->n_groups; i++) {
        const struct policy_group *g = &p->group[i];
        must((g->witnesses & witnesses) == 0 && (g->groups & groups) == 0);
        must(((uint64_t)g->witnesses >> p->n_witnesses) == 0 && (g->groups >> i) == 0);
        must(g->k >= 1 &&
             (int)g->k <= __builtin_popcount(g->witnesses) + __builtin_popcount(g->groups));
        witnesses |= g->witnesses;
        groups |= g->groups;
    }
}

static void check_quorum(const struct policy *p)
{
    uint32_t all = p->n_witnesses == 32 ? UINT32_MAX : (UINT32_C(1) << p->n_witnesses) - 1;
    unsigned needs = policy_needs(p);
    must(policy_satisfied(p, all) && policy_satisfied(p, 0) == (needs == 0));
    must(needs <= p->n_witnesses);
    /* Take one after the other away for as long as it holds: what is left is as many or more. */
    uint32_t left = all;
    for (unsigned i = 0; i < p->n_witnesses; i++)
        if (policy_satisfied(p, left & ~(UINT32_C(1) << i)))
            left &= ~(UINT32_C(1) << i);
    must((unsigned)__builtin_popcount(left) >= needs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *p;
    struct diag d = {0};
    /* An input may be a policy and, behind a zero byte, a note to be judged by it. */
    struct slice all = slice_of(data, size), text = all, note = SLICE_NONE;
    if (slice_until(&all, 0, &text))
        note = slice_from(all, 1);
    if (policy_parse(text, &p, &d) != 0) {
        must(p == NULL && d.code != 0 && d.text[0] != 0);
        return 0;
    }
    check_members(p);
    check_quorum(p);
    static struct note n;
    struct policy_verdict v;
    if (note_parse(note, &n, &d) == 0 && policy_check(p, &n, &v, &d) == 0) {
        must(v.log < p->n_logs && policy_satisfied(p, v.witnesses));
        must(slice_eq(v.checkpoint.origin, note_key_name(&p->log[v.log].key)));
        uint32_t by_then = 0;
        for (unsigned i = 0; i < p->n_witnesses; i++)
            if ((v.witnesses >> i & 1) != 0 && v.times[i] <= v.time_s)
                by_then |= UINT32_C(1) << i;
        must(policy_satisfied(p, by_then));
    }
    policy_free(p);
    return 0;
}
