/* Time-stamps and the message log. */
#include "base/err.h"
#include "base/timeval.h"
#include "cli/doctor_int.h"
#include "crypto/tsp.h"
#include "gateway/mlog.h"
#include "gateway/mlog_read.h"
#include "net/http_client.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TOKEN_MAX (64u << 10)
#define BACK_MAX 200000  /* records that are looked at from the end */
#define WHOLE_MAX 200000 /* a log up to here is verified whole */
#define ROOM_LEAST (16u << 20)
#define ROOM_LOW (256u << 20)
#define INTERVAL_DEFAULT_MS 60000
#define LATE_MS 10000
#define CLOCK_SAME_MS 10000

/* --- time-stamp authorities --- */

int doctor_log_stamp(const char *url, const struct globalconf *g, int64_t *time_ms,
                     int64_t *asked_ms, struct diag *why)
{
    static const struct doctor here = {.dir = NULL};
    struct digest imprint = {.alg = DIGEST_SHA512, .n = 64};
    struct buf request;
    struct http_result r;
    struct slice token;
    struct tsp_info info;
    struct cert **tsas;
    if (RAND_bytes(imprint.b, 64) != 1)
        return diag_set(why, ERR_INTERNAL, "no random bytes");
    buf_init(&request, 1024);
    int rc = tsp_request_make(&imprint, &request);
    int64_t before = doctor_find_now(&here);
    if (rc == 0)
        rc = http_fetch(url, "POST", SLICE_LIT("Content-Type: application/timestamp-query\r\n"),
                        buf_view(&request), TOKEN_MAX, DOCTOR_CALL_MS, &r, why);
    *asked_ms = before + (doctor_find_now(&here) - before) / 2;
    buf_free(&request);
    if (rc != 0)
        return rc;
    if (r.status != 200)
        rc = diag_set(why, ERR_MLOG_TS_STATUS, "it answers with status %d", r.status);
    rc = rc != 0 ? rc : tsp_response_token(buf_view(&r.body), &imprint, &token, why);
    rc = rc != 0 ? rc : tsp_token_parse(token, &info, why);
    if (rc == 0 && g != NULL) {
        size_t n = globalconf_all_tsas(g, &tsas);
        rc = tsp_token_verify(token, tsas, n, NULL, why);
    }
    if (rc == 0)
        *time_ms = info.time_ms;
    http_result_free(&r);
    return rc;
}

/* --- the message log, from its end --- */

/* What the end of a message log tells of its time-stamps. */
struct tail {
    int64_t stamped_ms; /* of the newest stamp's record; 0: none */
    int64_t oldest_ms;  /* of the oldest message that has none; 0: all have */
    uint64_t waiting;   /* how many */
};

static struct mlog_read *open_log(const struct doctor_gateway *g, struct diag *why)
{
    char folder[DOCTOR_PATH + 32];
    struct mlog_read *m = NULL;
    snprintf(folder, sizeof folder, "%s/" MLOG_FOLDER, g->dir);
    return mlog_read_open(folder, NULL, &m, why) == 0 ? m : NULL;
}

/* Goes back from the end until visit says that it has enough, or BACK_MAX records. */
static void go_back(struct journal *j, bool (*visit)(void *ctx, const struct journal_record *r),
                    void *ctx)
{
    struct buf payload;
    uint64_t seq = journal_durable(j), first = journal_first(j);
    bool more = true;
    buf_init(&payload, JOURNAL_RECORD_MAX + 64);
    for (size_t n = 0; more && seq > first && n < BACK_MAX; n++) {
        struct journal_record r;
        more = journal_read(j, --seq, &r, &payload, NULL) == 0 && visit(ctx, &r);
    }
    buf_free(&payload);
}

static bool look_at(void *ctx, const struct journal_record *r)
{
    struct tail *t = ctx;
    if (r->type == RECORD_STAMP) {
        t->stamped_ms = r->time_ms;
        return false;
    }
    if (r->type == RECORD_MESSAGE) {
        t->oldest_ms = r->time_ms;
        t->waiting++;
    }
    return true;
}

/* --- since when the clock is wrong --- */

struct jump {
    int64_t first_ms; /* the earliest record after the last stamp that agreed */
    bool agreed;
};

/* A stamp has two times: that of its authority, and ours when it was written down. */
static bool look_for_jump(void *ctx, const struct journal_record *r)
{
    struct jump *k = ctx;
    struct record_stamp st;
    struct tsp_info info;
    if (r->type == RECORD_STAMP) {
        struct arena *a = arena_new(8u << 20);
        k->agreed = a != NULL && record_stamp_get(a, r->payload, &st, NULL) == 0 &&
                    tsp_token_parse(st.token, &info, NULL) == 0 &&
                    llabs(info.time_ms - r->time_ms) < CLOCK_SAME_MS;
        arena_free(a);
    }
    if (!k->agreed)
        k->first_ms = r->time_ms;
    return !k->agreed;
}

int64_t doctor_log_clock_since(const struct doctor_gateway *g, int64_t ahead_ms)
{
    struct jump k = {.first_ms = 0};
    struct mlog_read *m = open_log(g, NULL);
    if (m == NULL)
        return 0;
    go_back(mlog_read_journal(m), look_for_jump, &k);
    mlog_read_close(m);
    return k.agreed && k.first_ms != 0 ? k.first_ms - ahead_ms : 0;
}

/* --- links --- */

static bool is_approved(const struct globalconf *g, struct slice url)
{
    struct slice name, listed, der;
    for (size_t at = 0; globalconf_each_tsa(g, &at, &name, &listed, &der);)
        if (slice_eq(listed, url))
            return true;
    return false;
}

static void judge_tsa(struct doctor *d, struct doctor_gateway *g, struct slice url_text,
                      int64_t failing_ms)
{
    char url[1024], subject[160];
    int64_t time, asked;
    struct diag why = {0};
    struct doctor_finding *f;
    snprintf(subject, sizeof subject, "%s/%.100s", g->name,
             slice_cstr(url_text, url, sizeof url) ? url : "?");
    if (doctor_log_stamp(url, g->conf, &time, &asked, &why) != 0) {
        f = doctor_find_add(d, DOCTOR_TSA, subject, DOCTOR_FAIL,
                            "the time-stamp authority %s gives no good stamp: %s", url, why.text);
        doctor_find_since(f, failing_ms);
        if (d->dir != NULL) {
            doctor_find_next(f, "sild down --role trust --dir '%s'", d->dir);
            doctor_find_next(f, "sild up --role trust --dir '%s'", d->dir);
        } else {
            doctor_find_next(f, "curl -sS --max-time 10 -o /dev/null '%s'", url);
        }
        return;
    }
    bool listed = is_approved(g->conf, url_text);
    doctor_find_add(d, DOCTOR_TSA, subject, listed ? DOCTOR_OK : DOCTOR_WARN,
                    listed ? "its stamps verify"
                           : "its stamps verify, but the global configuration "
                             "does not list its address");
}

static int64_t interval_of(const struct doctor_gateway *g)
{
    int64_t by_gc = globalconf_timestamping_ms(g->conf);
    return g->file.conf.stamp_interval_ms > 0 ? g->file.conf.stamp_interval_ms
           : by_gc > 0                        ? by_gc
                                              : INTERVAL_DEFAULT_MS;
}

static void judge_stamps(struct doctor *d, struct doctor_gateway *g, const struct tail *t)
{
    char when[TIMEVAL_TEXT], last[TIMEVAL_TEXT] = "never";
    int64_t now = doctor_find_now(d), due = t->oldest_ms + interval_of(g);
    int64_t patience = g->file.conf.stamp_failure_ms;
    if (t->stamped_ms > 0)
        timeval_print_iso(t->stamped_ms, false, last);
    if (t->waiting == 0 || now < due + 2 * interval_of(g) + LATE_MS) {
        doctor_find_add(d, DOCTOR_STAMPS, g->name, DOCTOR_OK,
                        "the last stamp is of %s; %llu messages wait for the next one", last,
                        (unsigned long long)t->waiting);
        return;
    }
    bool stopped = patience > 0 && now > due + patience;
    timeval_print_iso(t->oldest_ms, false, when);
    struct doctor_finding *f = doctor_find_add(
        d, DOCTOR_STAMPS, g->name, stopped ? DOCTOR_FAIL : DOCTOR_WARN,
        "%llu messages of %s are not stamped, the oldest of %s; the last stamp is of %s%s",
        (unsigned long long)t->waiting, g->name, when, last,
        stopped ? "; the gateway does not exchange" : "");
    doctor_find_since(f, due);
    doctor_find_next(f, "sild gateway stamp --config '%s'", g->config);
}

static bool judge_room(struct doctor *d, struct doctor_gateway *g, const char *folder)
{
    struct statvfs v;
    struct doctor_finding *f;
    if (access(folder, W_OK) != 0) {
        f = doctor_find_add(d, DOCTOR_LOG, g->name, DOCTOR_FAIL,
                            "%s cannot be written by this user", folder);
        doctor_find_next(f, "ls -ld '%s'", folder);
        return false;
    }
    if (statvfs(folder, &v) != 0)
        return true;
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize, least = g->file.conf.min_free;
    if (room >= ROOM_LOW && room >= least)
        return true;
    bool stops = room < least;
    f = doctor_find_add(
        d, DOCTOR_LOG, g->name, stops || room < ROOM_LEAST ? DOCTOR_FAIL : DOCTOR_WARN,
        "the disk of %s has only %llu MiB left%s; min_free is %llu MiB", folder,
        (unsigned long long)(room >> 20), stops ? ", and no new message is taken" : "",
        (unsigned long long)(least >> 20));
    doctor_find_since(f, doctor_health_since(g->dir, "log"));
    if (stops && room >= ROOM_LOW) { /* enough by any measure but that of its configuration */
        doctor_find_next(f, "sed -i '/^min_free *=/d' '%s'", g->config);
        doctor_find_next(f, "sild gateway reload --config '%s'", g->config);
    } else {
        doctor_find_next(f, "df -h '%s'", folder);
        doctor_find_next(f, "du -xh --max-depth=2 '%s'", g->dir);
    }
    return false;
}

/* Everything where the log is small; else that it opens and its tree has a root. */
static int verify(struct journal *j, uint64_t *records, struct diag *why)
{
    struct journal_report report;
    struct merkle_hash root;
    *records = journal_durable(j);
    return *records <= WHOLE_MAX ? journal_verify(j, &report, why)
                                 : journal_root(j, *records, &root, why);
}

static void judge_log(struct doctor *d, struct doctor_gateway *g, struct mlog_read *m)
{
    char folder[DOCTOR_PATH + 32];
    uint64_t records;
    struct diag why = {0};
    snprintf(folder, sizeof folder, "%s/" MLOG_FOLDER, g->dir);
    if (verify(mlog_read_journal(m), &records, &why) != 0) {
        struct doctor_finding *f =
            doctor_find_add(d, DOCTOR_LOG, g->name, DOCTOR_FAIL,
                            "the message log of %s is damaged: %s", g->name, why.text);
        doctor_find_next(f, "sild journal verify '%s'", folder);
        return;
    }
    if (judge_room(d, g, folder))
        doctor_find_add(d, DOCTOR_LOG, g->name, DOCTOR_OK,
                        "%llu records, %s, and there is room for more", (unsigned long long)records,
                        records <= WHOLE_MAX ? "all verify" : "their tree verifies");
}

void doctor_log(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        struct diag why = {0};
        struct tail t = {.waiting = 0};
        struct mlog_read *m = open_log(g, &why);
        if (m != NULL)
            go_back(mlog_read_journal(m), look_at, &t);
        for (size_t k = 0; g->conf != NULL && k < g->file.conf.n_tsas; k++)
            judge_tsa(d, g, g->file.conf.tsa[k], t.waiting == 0 ? 0 : t.oldest_ms + interval_of(g));
        if (g->conf != NULL && m != NULL)
            judge_stamps(d, g, &t);
        if (m != NULL) {
            judge_log(d, g, m);
        } else {
            struct doctor_finding *f =
                doctor_find_add(d, DOCTOR_LOG, g->name, DOCTOR_FAIL,
                                "the message log of %s cannot be read: %s", g->name, why.text);
            doctor_find_next(f, "sild journal verify '%s/" MLOG_FOLDER "'", g->dir);
        }
        mlog_read_close(m);
    }
}
