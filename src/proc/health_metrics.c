/* The numbers of a role in Prometheus' text format 0.0.4. */
#include "base/attr.h"
#include "base/err.h"
#include "proc/health_int.h"

#include <stdio.h>
#include <string.h>

static const double batches[] = {1, 2, 4, 8, 16, 32};

#define ROW(name, help, child, kind, word)                                                         \
    {                                                                                              \
        name, help, child, NULL, kind, word, NULL, 0, 0, 0                                         \
    }

/* What every role has. */
static const struct health_metric common[] = {
    ROW("sild_connections", "Connections open now.", NULL, HEALTH_EACH_NOW, TALLY_CONNS_NOW),
    ROW("sild_connections_accepted_total", "Connections accepted.", NULL, HEALTH_EACH,
        TALLY_CONNS_IN),
    ROW("sild_connections_made_total", "Connections made to others.", NULL, HEALTH_EACH,
        TALLY_CONNS_OUT),
    ROW("sild_received_bytes_total", "Bytes received, as they came over the network.", NULL,
        HEALTH_EACH, TALLY_BYTES_IN),
    ROW("sild_sent_bytes_total", "Bytes sent, as they went over the network.", NULL, HEALTH_EACH,
        TALLY_BYTES_OUT),
    ROW("sild_http_requests_total", "HTTP requests whose head was read.", NULL, HEALTH_EACH,
        TALLY_REQUESTS),
    ROW("sild_log_lines_total", "Lines written to the log.", NULL, HEALTH_EACH, TALLY_LINES),
    ROW("sild_log_lines_left_out_total", "Lines left out of the log, since there were too many.",
        NULL, HEALTH_EACH, TALLY_LINES_LEFT_OUT),
    ROW("sild_signatures_total", "Signatures made over messages, alone or as a batch.", "key",
        HEALTH_COUNTER, TALLY_SIGNATURES),
    ROW("sild_signed_messages_total", "Messages under those.", "key", HEALTH_COUNTER, TALLY_SIGNED),
    {"sild_signature_batch_messages", "Messages under one signature.", "key", NULL,
     HEALTH_HISTOGRAM, TALLY_BATCH, batches, ARRAY_LEN(batches), TALLY_SIGNED, 1},
    ROW("sild_key_operations_total",
        "Other operations of private keys: handshakes, certificates, OCSP responses, time-stamps.",
        "key", HEALTH_COUNTER, TALLY_RAW),
    ROW("sild_journal_records_total", "Records appended to the journal.", "log", HEALTH_COUNTER,
        TALLY_RECORDS),
    ROW("sild_journal_record_bytes_total", "Bytes in those records.", "log", HEALTH_COUNTER,
        TALLY_RECORD_BYTES),
    ROW("sild_journal_syncs_total", "Syncs of the journal to the disk.", "log", HEALTH_COUNTER,
        TALLY_SYNCS),
};

void health_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void health_label(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '\\' || c == '"')
            buf_byte(out, '\\');
        if (c == '\n')
            buf_str(out, "\\n");
        else
            buf_byte(out, c);
    }
}

static const char *type_of(enum health_kind k)
{
    switch (k) {
    case HEALTH_COUNTER:
    case HEALTH_EACH:
    case HEALTH_CODES:
        return "counter";
    case HEALTH_HISTOGRAM:
        return "histogram";
    default:
        return "gauge";
    }
}

static uint64_t sum(const struct health_view *v, const char *child, unsigned word)
{
    const struct tally_page *p;
    uint64_t n = 0;
    for (size_t at = 0; (p = health_page(v, child, &at)) != NULL;)
        n += tally_get(p, word);
    return n;
}

/* name{labels,label="value"} without the value; either may be NULL. */
static void head(struct buf *out, const char *name, const char *suffix, const char *labels,
                 const char *label, const char *value)
{
    buf_printf(out, "%s%s", name, suffix);
    if (labels == NULL && label == NULL)
        return;
    buf_printf(out, "{%s%s", labels == NULL ? "" : labels,
               labels != NULL && label != NULL ? "," : "");
    if (label != NULL) {
        buf_printf(out, "%s=\"", label);
        health_label(out, slice_str(value));
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
}

static void print_each(const struct health_view *v, const struct health_metric *m, struct buf *out)
{
    for (size_t i = 0; i < v->pages->n; i++) {
        const struct group_process *p = &v->pages->at[i];
        if (p->page == NULL)
            continue;
        head(out, m->name, "", m->labels, "process", p->name);
        buf_printf(out, " %llu\n", (unsigned long long)tally_get(p->page, m->word));
    }
}

static void print_histogram(const struct health_view *v, const struct health_metric *m,
                            struct buf *out)
{
    uint64_t below = 0;
    char bound[32];
    for (size_t i = 0; i <= m->n; i++) {
        below += sum(v, m->child, m->word + (unsigned)i);
        if (i < m->n)
            snprintf(bound, sizeof bound, "%g", m->bounds[i]);
        else
            snprintf(bound, sizeof bound, "+Inf");
        head(out, m->name, "_bucket", m->labels, "le", bound);
        buf_printf(out, " %llu\n", (unsigned long long)below);
    }
    head(out, m->name, "_sum", m->labels, NULL, NULL);
    buf_printf(out, " %.3f\n", (double)sum(v, m->child, m->sum) * (m->scale == 0 ? 1 : m->scale));
    head(out, m->name, "_count", m->labels, NULL, NULL);
    buf_printf(out, " %llu\n", (unsigned long long)below);
}

static void print_codes(const struct health_view *v, const struct health_metric *m, struct buf *out)
{
    for (int code = 1; code < ERR_COUNT; code++) {
        uint64_t n = sum(v, m->child, m->word + (unsigned)code);
        if (n == 0)
            continue;
        head(out, m->name, "", m->labels, "code", err_name(code));
        buf_printf(out, " %llu\n", (unsigned long long)n);
    }
}

/* The earliest that any of the processes tells. */
static void print_time(const struct health_view *v, const struct health_metric *m, struct buf *out)
{
    const struct tally_page *p;
    int64_t ms = 0;
    for (size_t at = 0; (p = health_page(v, m->child, &at)) != NULL;) {
        int64_t one = (int64_t)tally_get(p, m->word);
        if (one != 0 && (ms == 0 || one < ms))
            ms = one;
    }
    if (ms == 0)
        return;
    if (m->kind == HEALTH_AGE)
        ms = v->now_ms - ms;
    else if (m->kind == HEALTH_UNTIL)
        ms -= v->now_ms;
    head(out, m->name, "", m->labels, NULL, NULL);
    buf_printf(out, " %.3f\n", (double)ms / 1000);
}

static void print_row(const struct health_view *v, const struct health_metric *m, struct buf *out)
{
    switch (m->kind) {
    case HEALTH_COUNTER:
    case HEALTH_GAUGE:
        head(out, m->name, "", m->labels, NULL, NULL);
        buf_printf(out, " %llu\n", (unsigned long long)sum(v, m->child, m->word));
        return;
    case HEALTH_EACH:
    case HEALTH_EACH_NOW:
        print_each(v, m, out);
        return;
    case HEALTH_HISTOGRAM:
        print_histogram(v, m, out);
        return;
    case HEALTH_CODES:
        print_codes(v, m, out);
        return;
    case HEALTH_TIME:
    case HEALTH_AGE:
    case HEALTH_UNTIL:
        print_time(v, m, out);
        return;
    }
}

static void print_table(const struct health_view *v, const struct health_metric *m, size_t n,
                        struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        if (m[i].child != NULL && health_page(v, m[i].child, &at) == NULL)
            continue; /* the role has no such process */
        if (i == 0 || strcmp(m[i].name, m[i - 1].name) != 0)
            health_family(out, m[i].name, type_of(m[i].kind), m[i].help);
        print_row(v, &m[i], out);
    }
}

/* --- of the processes themselves --- */

static void print_processes(const struct health_view *v, struct buf *out)
{
    const struct group_pages *p = v->pages;
    health_family(out, "sild_process_resident_bytes", "gauge", "Resident memory of a process.");
    for (size_t i = 0; i < p->n; i++) {
        int64_t bytes = group_pages_resident(&p->at[i]);
        if (bytes < 0)
            continue;
        head(out, "sild_process_resident_bytes", "", NULL, "process", p->at[i].name);
        buf_printf(out, " %lld\n", (long long)bytes);
    }
    health_family(out, "sild_process_up", "gauge", "1 while a process is ready.");
    for (size_t i = 0; i + 1 < p->n; i++) {
        head(out, "sild_process_up", "", NULL, "process", p->at[i + 1].name);
        buf_printf(out, " %d\n", group_pages_get(p, i, GROUP_PAGES_READY) != 0);
    }
    health_family(out, "sild_process_restarts_total", "counter",
                  "How often a process ended by itself and was started again.");
    for (size_t i = 0; i + 1 < p->n; i++) {
        head(out, "sild_process_restarts_total", "", NULL, "process", p->at[i + 1].name);
        buf_printf(out, " %llu\n", (unsigned long long)group_pages_get(p, i, GROUP_PAGES_RESTARTS));
    }
}

/* 0: well, 1: to be looked at, 2: keeps the role from its work. */
static int grade(const struct health_view *v, const char *part)
{
    int worst = 0;
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->reason[i].part, part) == 0 && 1 + v->reason[i].blocks > worst)
            worst = 1 + v->reason[i].blocks;
    return worst;
}

static void print_parts(const struct health_view *v, struct buf *out)
{
    health_family(out, "sild_ready", "gauge", "1 while the role can do its work.");
    buf_printf(out, "sild_ready %d\n", health_ready(v));
    health_family(out, "sild_part_state", "gauge",
                  "How a part is: 0 well, 1 to be looked at, 2 keeps the role from its work.");
    buf_printf(out, "sild_part_state{part=\"processes\"} %d\n", grade(v, "processes"));
    for (size_t i = 0; i < v->spec->n_parts; i++)
        buf_printf(out, "sild_part_state{part=\"%s\"} %d\n", v->spec->parts[i].name,
                   grade(v, v->spec->parts[i].name));
}

void health_metrics(const struct health_view *v, struct buf *out)
{
    health_family(out, "sild_build_info", "gauge", "The program's version and role.");
    buf_printf(out, "sild_build_info{version=\"%s\",role=\"%s\"} 1\n", SILD_VERSION, v->spec->role);
    print_parts(v, out);
    print_processes(v, out);
    print_table(v, common, ARRAY_LEN(common), out);
    print_table(v, v->spec->metrics, v->spec->n_metrics, out);
    if (v->spec->print != NULL)
        v->spec->print(v, out);
}
