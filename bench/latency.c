#include "latency.h"

#include "base/attr.h"

static size_t bucket_of(uint64_t us)
{
    unsigned power = 0;
    while (us >> power >= LATENCY_SUB * 2)
        power++;
    size_t i = power == 0 ? us : power * LATENCY_SUB + (size_t)(us >> power);
    return i < LATENCY_POWERS * LATENCY_SUB ? i : LATENCY_POWERS * LATENCY_SUB - 1;
}

/* The upper end of a bucket. */
static uint64_t bucket_top(size_t i)
{
    if (i < LATENCY_SUB * 2)
        return i;
    size_t power = i / LATENCY_SUB - 1;
    return ((uint64_t)(i - power * LATENCY_SUB) + 1) << power;
}

void latency_add(struct latency *l, uint64_t us)
{
    l->bucket[bucket_of(us)]++;
    l->n++;
    l->max_us = us > l->max_us ? us : l->max_us;
}

double latency_percentile_ms(const struct latency *l, double percent)
{
    uint64_t want = (uint64_t)((double)l->n * percent / 100), seen = 0;
    for (size_t i = 0; i < ARRAY_LEN(l->bucket); i++) {
        seen += l->bucket[i];
        if (seen > want || (seen == l->n && seen > 0))
            return (double)(bucket_top(i) < l->max_us ? bucket_top(i) : l->max_us) / 1000;
    }
    return 0;
}
