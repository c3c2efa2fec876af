#include "monitor/monitor.h"
#include "base/err.h"
#include "base/opt.h"
#include "monitor/monitor_look.h"
#include "proc/command.h"
#include "proc/fs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 10000
#define SECONDS_MAX (10 * 365 * 86400)

struct wish {
    const char *policy, *state, *once, *full, *interval, *stale, *keep_days, *metrics,
        *no_witnesses;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    (void)sig;
    stopped = 1;
}

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- metrics --- */

static void metric(struct buf *b, const char *name, const char *kind, const char *help, double v)
{
    buf_printf(b, "# HELP sild_monitor_%s %s\n# TYPE sild_monitor_%s %s\nsild_monitor_%s %.15g\n",
               name, help, name, kind, name, v);
}

static void print_metrics(const struct monitor *m, struct buf *b)
{
    const struct monitor_counts *c = &m->counts;
    const double age = c->fresh_ms == 0 ? 0 : (double)(m->now_ms - c->fresh_ms) / 1000;
    metric(b, "size", "gauge", "Leaves under the last verified checkpoint.",
           (double)m->state.last.size);
    metric(b, "checkpoint_age_seconds", "gauge", "Since the checkpoint was last a new one.", age);
    metric(b, "cosignatures", "gauge", "Witnesses that signed it.", c->cosignatures);
    metric(b, "cosignatures_needed", "gauge", "Witnesses that the policy asks for.", c->needed);
    metric(b, "journals", "gauge", "Journals and aggregators seen.", (double)m->state.n);
    metric(b, "looks_total", "counter", "Looks at the log.", (double)c->looks);
    metric(b, "unreachable_total", "counter", "Looks that could not read it.",
           (double)c->unreachable);
    metric(b, "entries_total", "counter", "Entries verified.", (double)c->entries);
    metric(b, "rounds_total", "counter", "Rounds verified.", (double)c->rounds);
    metric(b, "heads_total", "counter", "Entries of rounds verified.", (double)c->heads);
    metric(b, "alarms_total", "counter", "Things that were not as they should be.",
           (double)c->alarms);
    metric(b, "misdeeds_total", "counter", "Things that must never be; evidence is kept.",
           (double)c->misdeeds);
}

/* To a file, whole each time (a node exporter's text file); "-": standard output. */
static int write_metrics(const struct monitor *m, const char *path, struct diag *d)
{
    struct buf b;
    int rc = 0;
    buf_init(&b, 65536);
    print_metrics(m, &b);
    if (strcmp(path, "-") == 0)
        printf("%s", buf_cstr(&b));
    else
        rc = fs_write(path, buf_view(&b), 0644, d);
    buf_free(&b);
    return rc;
}

/* --- the loop --- */

static void wait_ms(int64_t ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void say(const struct monitor *m)
{
    printf("%s: %" PRIu64 " leaves, %" PRIu64 " of them read, %u witnesses (%u needed), %zu "
           "journals\n",
           m->found == MONITOR_FINE ? "fine" : "seen", m->state.last.size, m->state.entries,
           m->counts.cosignatures, m->counts.needed, m->state.n);
    fflush(stdout);
}

/* Looks until stopped, or until something must not be. */
static int follow(struct monitor *m, const struct wish *w, int64_t interval_ms)
{
    int code = EXIT_DONE;
    do {
        struct diag d = {0}, own = {0};
        int rc = monitor_look(m, wall_ms(), &d);
        if (rc != 0)
            command_fail("ledger monitor", &d, EXIT_COULD_NOT);
        if (rc == 0 && (w->once != NULL || m->found != MONITOR_FINE))
            say(m);
        if (w->metrics != NULL && write_metrics(m, w->metrics, &own) != 0)
            return command_fail("ledger monitor", &own, EXIT_COULD_NOT);
        if (m->found == MONITOR_MISBEHAVES)
            return EXIT_NO;
        if (w->once != NULL)
            return rc != 0 ? EXIT_COULD_NOT : m->found == MONITOR_FINE ? EXIT_DONE : EXIT_NO;
        for (int64_t left = interval_ms; left > 0 && !stopped; left -= 100)
            wait_ms(left < 100 ? left : 100);
    } while (!stopped);
    return code;
}

static int seconds(const char *text, const char *name, int64_t fallback, int64_t *ms,
                   struct diag *d)
{
    uint64_t s = (uint64_t)fallback;
    if (text != NULL && (!slice_u64(slice_str(text), &s) || s > SECONDS_MAX))
        return diag_set(d, ERR_USAGE, "%s wants a whole number", name);
    *ms = (int64_t)s * 1000;
    return 0;
}

static int read_policy(const char *path, struct policy **out, struct diag *d)
{
    struct buf b;
    buf_init(&b, POLICY_MAX);
    int rc = fs_read(path, &b, d);
    rc = rc != 0 ? rc : policy_parse(buf_view(&b), out, d);
    if (rc == 0 && (*out)->n_logs == 0)
        rc = diag_set(d, ERR_USAGE, "%s names no log", path);
    buf_free(&b);
    return rc;
}

static int run(const char *url, const struct wish *w)
{
    struct diag d = {0};
    struct policy *policy = NULL;
    struct monitor *m = calloc(1, sizeof *m);
    int64_t interval_ms = 0;
    int code = EXIT_COULD_NOT;
    if (m == NULL)
        return EXIT_COULD_NOT;
    int rc = read_policy(w->policy, &policy, &d);
    rc = rc != 0 ? rc : tile_source_init(&m->source, url, TIMEOUT_MS, &d);
    rc = rc != 0 ? rc : seconds(w->interval, "--interval", 2, &interval_ms, &d);
    rc = rc != 0 ? rc : seconds(w->stale, "--stale", 30, &m->stale_ms, &d);
    rc = rc != 0 ? rc : seconds(w->keep_days, "--keep-days", 90, &m->keep_ms, &d);
    rc = rc != 0 ? rc
                 : monitor_state_open(&m->state, w->state != NULL ? w->state : "./monitor.d", &d);
    m->keep_ms *= 86400;
    m->policy = policy;
    m->full = w->full != NULL;
    m->ask_witnesses = w->no_witnesses == NULL;
    if (rc == 0) {
        const struct sigaction act = {.sa_handler = on_signal};
        sigaction(SIGTERM, &act, NULL);
        sigaction(SIGINT, &act, NULL);
        code = follow(m, w, interval_ms < 100 ? 100 : interval_ms);
    } else {
        code = command_fail("ledger monitor", &d, command_exit(rc));
    }
    monitor_state_free(&m->state);
    policy_free(policy);
    free(m);
    return code;
}

int monitor_main(int argc, char **argv)
{
    struct wish w = {.policy = NULL};
    const struct opt opts[] = {
        {"--policy", "FILE", "keys of the log and its witnesses (a log's own: its /policy)",
         &w.policy, NULL},
        {"--state", "DIR", "what was seen so far, and evidence (./monitor.d)", &w.state, NULL},
        {"--once", NULL, "one look; exit code 1 for an alarm too", &w.once, NULL},
        {"--full", NULL, "at the first look, read all entries, not only new ones", &w.full, NULL},
        {"--interval", "S", "seconds between looks (2)", &w.interval, NULL},
        {"--stale", "S", "alarm when no new checkpoint came for so long (30; 0: never)", &w.stale,
         NULL},
        {"--keep-days", "N", "round files older than that may be gone (90)", &w.keep_days, NULL},
        {"--metrics", "FILE", "Prometheus metrics, written after each look; - prints them",
         &w.metrics, NULL},
        {"--no-witnesses", NULL, "do not compare with what the witnesses serve", &w.no_witnesses,
         NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    const struct opt_command cmd = {
        .usage = "sild ledger monitor URL|DIR --policy FILE [--state DIR] [--once]",
        .text =
            "Follows a ledger, or any log of the tlog-tiles format: that each checkpoint goes\n"
            "on from the last, that enough witnesses signed it and were shown the same, that\n"
            "entries and round files are those of the tree, that no journal goes back. Ends\n"
            "with exit code 1 when something must never be, says what, and keeps the evidence;\n"
            "what may pass is an alarm, and it goes on.",
        .opts = opts,
        .min_args = 1,
        .max_args = 1,
        .needs = "--policy",
    };
    char *args[argc + 1];
    int code;
    return command_parse("ledger monitor", &cmd, argc, argv, args, &code) ? run(args[0], &w) : code;
}
