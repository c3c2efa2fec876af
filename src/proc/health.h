/*
 * The admin child of a role: how the role is, judged from what its processes count
 * (proc/group_pages.h), and those numbers. One table of metrics and one of parts a role; from them
 * come all answers:
 *
 *     GET /healthz/live    200 while parent and admin child run
 *     GET /healthz/ready   200, or 503 when something keeps the role from its work
 *     GET /healthz         the same code, with the reasons as JSON:
 *         {"role","ready","reasons":[{"part","state","blocks","since","text"}],
 *          "parts":[{"part","state"}]}    blocks: it is why `ready` is false; since: null when
 * unknown GET /metrics         Prometheus text, 0.0.4 control socket       "admin health" (exit
 * code 1 when not ready), "admin metrics": the same
 *
 * It serves the sockets it was given, the role's listening socket "health", and opens nothing.
 */
#ifndef SILD_PROC_HEALTH_H
#define SILD_PROC_HEALTH_H

#include "base/buf.h"
#include "proc/group_pages.h"

#define HEALTH_LISTEN "health"
/* The admin child in a role's table of children. */
#define HEALTH_CHILD(run_)                                                                         \
    {                                                                                              \
        .name = "admin", .count = 1, .alone = true, .watches = true, .listens = {HEALTH_LISTEN},   \
        .run = (run_)                                                                              \
    }
#define HEALTH_PORT 4002

enum health_kind {
    HEALTH_COUNTER,   /* summed over the child's processes */
    HEALTH_GAUGE,     /* the same of what may fall */
    HEALTH_EACH,      /* a counter with the process as label */
    HEALTH_EACH_NOW,  /* the same of what may fall */
    HEALTH_TIME,      /* a gauge: the word is a time in ms: seconds since 1970; left out at 0 */
    HEALTH_AGE,       /* a gauge: seconds since that time */
    HEALTH_UNTIL,     /* a gauge: seconds until that time, negative when it is over */
    HEALTH_HISTOGRAM, /* n + 1 words from `word` on, one for each bound and one beyond */
    HEALTH_CODES,     /* a counter for each code of base/err.h, from `word` on; left out at 0 */
};

/* Rows of one name stand together; help stands in the first of them. */
struct health_metric {
    const char *name, *help;
    const char *child;  /* whose pages: "worker"; NULL: every process, the parent too */
    const char *labels; /* side="consumer", or NULL */
    enum health_kind kind;
    unsigned word;
    /* HEALTH_HISTOGRAM: */
    const double *bounds;
    size_t n;
    unsigned sum; /* word of the sum */
    double scale; /* of the sum; 0: 1 */
};

struct health_view;
/* A part says what is wrong with it, or nothing. */
struct health_part {
    const char *name; /* "time-stamps" */
    void (*judge)(struct health_view *v);
};

struct health_spec {
    const char *role;
    const struct health_metric *metrics;
    size_t n_metrics;
    const struct health_part *parts;
    size_t n_parts;
    /* Families that no row can say; may be NULL. */
    void (*print)(const struct health_view *v, struct buf *out);
};

/* The child's main. */
int health_run(struct group_self *self, const struct health_spec *spec);

/*
 * The address of the listening socket: what the configuration says, or, when that is empty, port
 * HEALTH_PORT + offset of the address `beside` when that is a loopback one, else of 127.0.0.1.
 * false: it says "off".
 */
int health_addr(struct slice configured, struct slice beside, unsigned offset, struct net_addr *out,
                bool *on, struct diag *d) MUST_USE;

/* --- for judges --- */

int64_t health_now(const struct health_view *v); /* ms since 1970 */
/* The next page of a child of this name; NULL at the end. Start with *at = 0. */
const struct tally_page *health_page(const struct health_view *v, const char *child, size_t *at);
/* Something is wrong. blocks: the role cannot do its work. state: one word, stable; since_ms 0:
 * unknown; text: a sentence with the next step. */
void health_say(struct health_view *v, bool blocks, const char *state, int64_t since_ms,
                const char *fmt, ...) PRINTF_LIKE(5, 6);
/* "4 min" and the like, for sentences. */
void health_span(int64_t ms, char out[32]);
/* A label's value: text as Prometheus escapes it. */
void health_label(struct buf *out, struct slice text);
/* # HELP and # TYPE of a family. */
void health_family(struct buf *out, const char *name, const char *type, const char *help);

#endif
