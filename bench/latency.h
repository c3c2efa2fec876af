/*
 * Latencies of many requests as a table of buckets, none wider than 1/64 of its value, so that a
 * percentile costs no list of all of them. Microseconds in, milliseconds out.
 */
#ifndef SILD_BENCH_LATENCY_H
#define SILD_BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_SUB 64 /* buckets to each power of two */
#define LATENCY_POWERS 40

struct latency {
    uint64_t bucket[LATENCY_POWERS * LATENCY_SUB], n, max_us;
};

void latency_add(struct latency *l, uint64_t us);
double latency_percentile_ms(const struct latency *l, double percent); /* 0 when there are none */

#endif
