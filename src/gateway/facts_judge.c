/* What follows from a gateway's facts: its parts, its metrics. */
#include "gateway/facts.h"
#include "submit/submit_facts.h"

#include <stdio.h>
#include <string.h>

#define EXPIRY_WARN_MS (14 * (int64_t)86400000) /* a certificate's end is told so long before */
#define DISK_WARN_BYTES ((uint64_t)1 << 30)
#define DISK_WARN_SHARE 20 /* less than one in so many */

static const struct tally_page *first(const struct health_view *v, const char *child)
{
    size_t at = 0;
    return health_page(v, child, &at);
}

static int64_t when(const struct tally_page *p, unsigned word)
{
    return (int64_t)tally_get(p, word);
}

/* --- the global configuration --- */

static void judge_configuration(struct health_view *v)
{
    const struct tally_page *p = first(v, "agent");
    char why[TALLY_TEXT_MAX], span[32];
    if (p == NULL)
        return;
    int64_t now = health_now(v), failing = when(p, FACTS_CONF_FAILING);
    int64_t expires = when(p, FACTS_CONF_EXPIRES);
    tally_read(p, FACTS_TEXT_CONF, why, sizeof why);
    if (tally_get(p, FACTS_CONF_LOADED) == 0) {
        health_say(
            v, true, "missing", failing,
            "There is no global configuration yet%s%s. See that the anchor is the authority's "
            "and that the address in it can be reached.",
            failing != 0 ? ": " : "", failing != 0 ? why : "");
    } else if (expires <= now) {
        health_say(
            v, true, "expired", expires,
            "The global configuration has expired and no new one could be fetched: %s. See "
            "that the authority runs and signs, that it can be reached, and that both clocks "
            "are right.",
            failing != 0 ? why : "the stored one is older than its validity");
    } else if (failing != 0) {
        health_span(expires - now, span);
        health_say(
            v, false, "not-renewed", failing,
            "The global configuration could not be renewed: %s. Exchange goes on for %s, then "
            "stops. See that the authority runs and can be reached.",
            why, span);
    }
}

/* --- keys and certificates --- */

static void key_name(const struct tally_page *p, size_t i, char *out, size_t cap)
{
    char names[TALLY_TEXT_MAX];
    struct slice rest, name = SLICE_NONE;
    tally_read(p, FACTS_TEXT_KEYS, names, sizeof names);
    rest = slice_str(names);
    for (size_t k = 0; k <= i; k++)
        if (!slice_next(&rest, '\n', &name))
            name = SLICE_NONE;
    if (name.n > 0)
        snprintf(out, cap, "%.*s", SLICE_ARG(slice_sub(name, 0, cap - 1)));
    else
        snprintf(out, cap, "%zu", i);
}

/* One thing a key: the one that has to be mended first. */
static bool judge_certificate(struct health_view *v, const struct tally_page *p, unsigned at,
                              const char *name)
{
    uint64_t flags = tally_get(p, at + FACTS_KEY_FLAGS);
    int64_t now = health_now(v), since = when(p, at + FACTS_KEY_SINCE);
    int64_t from = when(p, at + FACTS_KEY_NOT_BEFORE), to = when(p, at + FACTS_KEY_NOT_AFTER);
    char span[32];
    if ((flags & FACTS_KEY_CERTIFIED) == 0)
        health_say(v, true, "no-certificate", since,
                   "The key %s has no certificate: have its request signed and put the certificate "
                   "where [key %s] says.",
                   name, name);
    else if ((flags & FACTS_KEY_REVOKED) != 0)
        health_say(
            v, true, "revoked", since,
            "The certificate of the key %s is revoked: make a new key and have it certified.",
            name);
    else if (to <= now)
        health_say(v, true, "expired", to,
                   "The certificate of the key %s has expired: have the key certified anew.", name);
    else if (from > now)
        health_say(
            v, true, "not-yet-valid", since,
            "The certificate of the key %s is not valid yet: see whether this machine's clock "
            "is right.",
            name);
    else if ((flags & FACTS_KEY_APPROVED) == 0)
        health_say(v, true, "unknown-ca", since,
                   "The CA of the key %s's certificate is not in the global configuration: the "
                   "authority has to approve it, or an approved CA has to certify the key.",
                   name);
    else if ((flags & FACTS_KEY_REGISTERED) == 0)
        health_say(
            v, true, "not-registered", since,
            "The authentication certificate of the key %s is not registered for this server: "
            "have the authority register it.",
            name);
    else if (to - now < EXPIRY_WARN_MS) {
        health_span(to - now, span);
        health_say(v, false, "expires-soon", 0,
                   "The certificate of the key %s expires in %s: have the key certified anew.",
                   name, span);
        return true;
    } else
        return true;
    return false;
}

static void judge_ocsp(struct health_view *v, const struct tally_page *p, unsigned at,
                       const char *name)
{
    int64_t now = health_now(v), until = when(p, at + FACTS_KEY_OCSP_UNTIL);
    int64_t failing = when(p, at + FACTS_KEY_FAILING);
    char why[TALLY_TEXT_MAX], span[32];
    tally_read(p, FACTS_TEXT_OCSP, why, sizeof why);
    if (tally_get(p, FACTS_CONF_LOADED) == 0)
        return; /* nobody could be asked yet */
    if (until == 0 && failing == 0 && when(p, at + FACTS_KEY_OCSP) == 0)
        return; /* nobody was: the agent has just begun with this key */
    if (until <= now) {
        health_say(
            v, true, "no-ocsp", until != 0 ? until : when(p, at + FACTS_KEY_SINCE),
            "There is no valid OCSP response for the certificate of the key %s: %s. See that "
            "the CA's OCSP responder runs and can be reached.",
            name, failing != 0 ? why : "none was given");
    } else if (failing != 0) {
        health_span(until - now, span);
        health_say(v, false, "ocsp-not-renewed", failing,
                   "The OCSP response for the certificate of the key %s could not be renewed: %s. "
                   "Exchange goes on for %s. See that the CA's OCSP responder runs and can be "
                   "reached.",
                   name, why, span);
    }
}

static void judge_certificates(struct health_view *v)
{
    const struct tally_page *p = first(v, "agent");
    bool signs = false, authenticates = false;
    for (size_t i = 0; p != NULL && i < SERVERCONF_KEYS_MAX; i++) {
        unsigned at = FACTS_KEY + (unsigned)i * FACTS_KEY_WORDS;
        uint64_t flags = tally_get(p, at + FACTS_KEY_FLAGS);
        char name[80];
        if ((flags & FACTS_KEY_THERE) == 0)
            continue;
        signs |= (flags & FACTS_KEY_SIGNS) != 0;
        authenticates |= (flags & FACTS_KEY_SIGNS) == 0;
        key_name(p, i, name, sizeof name);
        if (judge_certificate(v, p, at, name))
            judge_ocsp(v, p, at, name);
    }
    if (p != NULL && (!signs || !authenticates))
        health_say(v, true, "no-key", 0,
                   "The configuration has no key for %s: make one with sild gateway key new.",
                   !authenticates ? "authentication" : "signing");
}

static void judge_clients(struct health_view *v)
{
    const struct tally_page *p = first(v, "agent");
    char names[TALLY_TEXT_MAX];
    uint64_t n = p == NULL ? 0 : tally_get(p, FACTS_UNREGISTERED);
    if (n == 0)
        return;
    tally_read(p, FACTS_TEXT_CLIENTS, names, sizeof names);
    health_say(
        v, false, "not-registered", when(p, FACTS_UNREGISTERED_SINCE),
        "%llu of the configured clients are not registered for this server, and others refuse "
        "them: %s. Have the authority register them, or take them out.",
        (unsigned long long)n, names);
}

/* --- the log and its time-stamps --- */

static void judge_log(struct health_view *v)
{
    const struct tally_page *p = first(v, "log");
    char why[TALLY_TEXT_MAX];
    if (p == NULL)
        return;
    uint64_t left = tally_get(p, FACTS_DISK_FREE), size = tally_get(p, FACTS_DISK_SIZE);
    tally_read(p, FACTS_TEXT_LOG, why, sizeof why);
    if (when(p, FACTS_LOG_FAILING) != 0)
        health_say(v, true, "not-writable", when(p, FACTS_LOG_FAILING),
                   "The message log cannot be written: %s. Make room on its disk, or mend it; then "
                   "exchange goes on by itself.",
                   why);
    else if (when(p, FACTS_DISK_LOW) != 0)
        health_say(v, true, "disk-low", when(p, FACTS_DISK_LOW),
                   "The disk of the message log has %llu MiB left, and [log] min_free wants %llu, "
                   "so no new message is taken. Make room; then exchange goes on by itself.",
                   (unsigned long long)(left >> 20),
                   (unsigned long long)(tally_get(p, FACTS_DISK_LEAST) >> 20));
    else if (size > 0 && left < DISK_WARN_BYTES && left < size / DISK_WARN_SHARE)
        health_say(
            v, false, "disk-nearly-full", 0,
            "The disk of the message log has %llu MiB left: make room before exchange stops.",
            (unsigned long long)(left >> 20));
}

static void judge_stamps(struct health_view *v)
{
    const struct tally_page *p = first(v, "log");
    char why[TALLY_TEXT_MAX], span[32];
    if (p == NULL)
        return;
    int64_t now = health_now(v), failing = when(p, FACTS_STAMP_FAILING);
    int64_t limit = when(p, FACTS_STAMP_LIMIT);
    tally_read(p, FACTS_TEXT_STAMP, why, sizeof why);
    if (tally_get(p, FACTS_STAMP_NONE) != 0) {
        health_say(v, true, "not-configured", 0,
                   "No time-stamping authority is configured: set [log] time_stamping.");
    } else if (failing != 0 && limit != 0 && now - failing > limit) {
        health_say(v, true, "stopped", failing,
                   "No time-stamp could be taken for longer than [log] stamp_failure allows, so "
                   "nothing is exchanged: %s. See that the time-stamping authority runs and can be "
                   "reached; exchange goes on with the first time-stamp.",
                   why);
    } else if (failing != 0) {
        health_span(failing + limit - now, span);
        health_say(v, false, "failing", failing,
                   "No time-stamp could be taken: %s. Exchange goes on %s%s. See that the "
                   "time-stamping authority runs and can be reached.",
                   why, limit == 0 ? "all the same" : "for ", limit == 0 ? "" : span);
    }
}

/* --- workers and whom they reach --- */

static void judge_workers(struct health_view *v)
{
    const struct tally_page *p;
    size_t n = 0, without = 0;
    for (size_t at = 0; (p = health_page(v, "worker", &at)) != NULL; n++)
        without += tally_get(p, FACTS_SNAPSHOT) == 0;
    if (without > 0)
        health_say(
            v, without == n, "no-snapshot", 0,
            "%zu of %zu workers have no configuration from the agent yet: when this does not "
            "pass, the agent's lines in the log say why.",
            without, n);
}

static void judge_reach(struct health_view *v, unsigned word, unsigned slot, const char *whom,
                        const char *next)
{
    const struct tally_page *p;
    uint64_t most = 0;
    int64_t since = 0;
    char why[TALLY_TEXT_MAX] = "";
    for (size_t at = 0; (p = health_page(v, "worker", &at)) != NULL;) {
        uint64_t n = tally_get(p, word);
        int64_t one = when(p, word + 1);
        if (n > most) {
            most = n;
            tally_read(p, slot, why, sizeof why);
        }
        if (one != 0 && (since == 0 || one < since))
            since = one;
    }
    if (most > 0)
        health_say(v, false, "unreachable", since, "%llu %s could not be reached. The last: %s. %s",
                   (unsigned long long)most, whom, why, next);
}

static void judge_peers(struct health_view *v)
{
    judge_reach(v, FACTS_FAR, FACTS_TEXT_FAR, "providers' servers",
                "See that they run, and that the way to them is open.");
}

static void judge_providers(struct health_view *v)
{
    judge_reach(v, FACTS_NEAR, FACTS_TEXT_NEAR, "services of our own information systems",
                "See that the information system runs, and that its url is right.");
}

static const struct health_part parts[] = {
    {"configuration", judge_configuration},
    {"certificates", judge_certificates},
    {"clients", judge_clients},
    {"log", judge_log},
    {"time-stamps", judge_stamps},
    {"workers", judge_workers},
    {"peers", judge_peers},
    {"providers", judge_providers},
    SUBMIT_FACTS_PART,
};

/* --- metrics --- */

static const double seconds[FACTS_BOUNDS] = {.002, .005, .01, .02, .05, .1, .2, .5, 1, 2.5, 5, 10};

#define CONSUMER "side=\"consumer\""
#define PROVIDER "side=\"provider\""
#define ROW(name, help, child, labels, kind, word)                                                 \
    {                                                                                              \
        name, help, child, labels, kind, word, NULL, 0, 0, 0                                       \
    }

static const struct health_metric metrics[] = {
    ROW("sild_exchanges_total", "Exchanges by side, outcome and, of faults, code.", "worker",
        CONSUMER ",outcome=\"ok\"", HEALTH_COUNTER, FACTS_OK + FACTS_CONSUMER),
    ROW("sild_exchanges_total", NULL, "worker", PROVIDER ",outcome=\"ok\"", HEALTH_COUNTER,
        FACTS_OK + FACTS_PROVIDER),
    ROW("sild_exchanges_total", NULL, "worker", CONSUMER ",outcome=\"aborted\"", HEALTH_COUNTER,
        FACTS_ABORTED + FACTS_CONSUMER),
    ROW("sild_exchanges_total", NULL, "worker", PROVIDER ",outcome=\"aborted\"", HEALTH_COUNTER,
        FACTS_ABORTED + FACTS_PROVIDER),
    ROW("sild_exchanges_total", NULL, "worker", CONSUMER ",outcome=\"fault\"", HEALTH_CODES,
        FACTS_FAULT),
    ROW("sild_exchanges_total", NULL, "worker", PROVIDER ",outcome=\"fault\"", HEALTH_CODES,
        FACTS_FAULT + ERR_COUNT),
    ROW("sild_exchanges_total", NULL, "worker", CONSUMER ",outcome=\"peer_fault\"", HEALTH_CODES,
        FACTS_PEER_FAULT),
    {"sild_exchange_seconds", "Time of exchanges that went well, to their last byte.", "worker",
     CONSUMER, HEALTH_HISTOGRAM, FACTS_LATENCY, seconds, FACTS_BOUNDS, FACTS_MS, .001},
    {"sild_exchange_seconds", NULL, "worker", PROVIDER, HEALTH_HISTOGRAM,
     FACTS_LATENCY + FACTS_BOUNDS + 1, seconds, FACTS_BOUNDS, FACTS_MS + FACTS_PROVIDER, .001},
    ROW("sild_exchanges_in_flight", "Exchanges begun and not over.", "worker", CONSUMER,
        HEALTH_GAUGE, FACTS_IN_FLIGHT + FACTS_CONSUMER),
    ROW("sild_exchanges_in_flight", NULL, "worker", PROVIDER, HEALTH_GAUGE,
        FACTS_IN_FLIGHT + FACTS_PROVIDER),
    ROW("sild_configuration_age_seconds", "Since the global configuration was fetched.", "agent",
        NULL, HEALTH_AGE, FACTS_CONF_FETCHED),
    ROW("sild_configuration_expiry_seconds", "Until the global configuration expires.", "agent",
        NULL, HEALTH_UNTIL, FACTS_CONF_EXPIRES),
    ROW("sild_configuration_rounds_total", "Attempts to fetch it.", "agent", NULL, HEALTH_COUNTER,
        FACTS_CONF_ROUNDS),
    ROW("sild_configuration_failures_total", "Those that failed.", "agent", NULL, HEALTH_COUNTER,
        FACTS_CONF_FAILURES),
    ROW("sild_clients_unregistered", "Configured clients that are not registered here.", "agent",
        NULL, HEALTH_GAUGE, FACTS_UNREGISTERED),
    ROW("sild_messages_refused_total", "Messages that the log did not take.", "log", NULL,
        HEALTH_COUNTER, FACTS_LOG_REFUSED),
    ROW("sild_log_disk_free_bytes", "Free on the message log's disk.", "log", NULL, HEALTH_GAUGE,
        FACTS_DISK_FREE),
    ROW("sild_log_disk_size_bytes", "The size of that disk.", "log", NULL, HEALTH_GAUGE,
        FACTS_DISK_SIZE),
    ROW("sild_log_disk_min_free_bytes", "With less free on it, no new message is taken.", "log",
        NULL, HEALTH_GAUGE, FACTS_DISK_LEAST),
    ROW("sild_timestamps_total", "Time-stamps taken, each for a batch of messages.", "log", NULL,
        HEALTH_COUNTER, FACTS_STAMPS),
    ROW("sild_timestamp_failures_total", "Attempts to take one that failed.", "log", NULL,
        HEALTH_COUNTER, FACTS_STAMP_FAILURES),
    ROW("sild_timestamp_queue", "Messages without a time-stamp.", "log", NULL, HEALTH_GAUGE,
        FACTS_STAMP_QUEUE),
    ROW("sild_timestamp_oldest_seconds", "Age of the oldest of these.", "log", NULL, HEALTH_AGE,
        FACTS_STAMP_OLDEST),
    ROW("sild_timestamp_last_seconds", "Since the last time-stamp was taken.", "log", NULL,
        HEALTH_AGE, FACTS_STAMP_LAST),
    ROW("sild_peers_unreachable", "Providers' servers that a worker could not reach.", "worker",
        NULL, HEALTH_GAUGE, FACTS_FAR),
    ROW("sild_providers_unreachable", "Own services that a worker could not reach.", "worker", NULL,
        HEALTH_GAUGE, FACTS_NEAR),
    SUBMIT_FACTS_METRICS,
};

static void print_key_times(const struct health_view *v, struct buf *out, const char *name,
                            const char *help, enum facts_key word)
{
    const struct tally_page *p = first(v, "agent");
    health_family(out, name, "gauge", help);
    for (size_t i = 0; p != NULL && i < SERVERCONF_KEYS_MAX; i++) {
        unsigned at = FACTS_KEY + (unsigned)i * FACTS_KEY_WORDS;
        int64_t ms = when(p, at + word);
        char key[80];
        if ((tally_get(p, at) & FACTS_KEY_THERE) == 0 || ms == 0)
            continue;
        key_name(p, i, key, sizeof key);
        buf_printf(out, "%s{key=\"", name);
        health_label(out, slice_str(key));
        buf_printf(out, "\"} %.3f\n", (double)(ms - health_now(v)) / 1000);
    }
}

static void print_keys(const struct health_view *v, struct buf *out)
{
    print_key_times(v, out, "sild_certificate_expiry_seconds",
                    "Until the certificate of a key expires.", FACTS_KEY_NOT_AFTER);
    print_key_times(v, out, "sild_ocsp_expiry_seconds",
                    "Until the OCSP response for a key's certificate ends.", FACTS_KEY_OCSP_UNTIL);
}

const struct health_spec facts_health = {
    .role = "gateway",
    .metrics = metrics,
    .n_metrics = ARRAY_LEN(metrics),
    .parts = parts,
    .n_parts = ARRAY_LEN(parts),
    .print = print_keys,
};
