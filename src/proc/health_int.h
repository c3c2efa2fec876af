/* Inside of the admin child: health.c (judging, HTTP) and health_metrics.c (numbers). */
#ifndef SILD_PROC_HEALTH_INT_H
#define SILD_PROC_HEALTH_INT_H

#include "proc/health.h"

#define HEALTH_REASONS_MAX 64

struct health_reason {
    const char *part;
    bool blocks;
    char state[32];
    int64_t since_ms;
    char text[600];
};

struct health_view {
    const struct health_spec *spec;
    const struct group_pages *pages;
    int64_t now_ms;
    const char *part; /* being judged */
    struct health_reason reason[HEALTH_REASONS_MAX];
    size_t n;
};

bool health_ready(const struct health_view *v);
/* All families of the role, judged already. */
void health_metrics(const struct health_view *v, struct buf *out);

#endif
