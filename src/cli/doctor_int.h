/*
 * Inside of sild doctor: what it knows of the country or gateway, and what it found. doctor.c runs
 * the examinations and prints, doctor_find.c keeps findings and their causes; each other doctor_*.c
 * examines some links. Nobody else includes it.
 */
#ifndef SILD_CLI_DOCTOR_INT_H
#define SILD_CLI_DOCTOR_INT_H

#include "cli/globalconf_dir.h"
#include "gateway/conffile.h"

#define DOCTOR_GATEWAYS_MAX 16
#define DOCTOR_FINDINGS_MAX 512
#define DOCTOR_PATH 1400
#define DOCTOR_CALL_MS 5000 /* for one answer of a service */

enum doctor_link {
    DOCTOR_FILE,
    DOCTOR_KEY,
    DOCTOR_PROCESS,
    DOCTOR_CLOCK,
    DOCTOR_AUTHORITY,
    DOCTOR_ANCHOR,
    DOCTOR_CONFIGURATION,
    DOCTOR_CERTIFICATE,
    DOCTOR_OCSP,
    DOCTOR_TSA,
    DOCTOR_STAMPS,
    DOCTOR_LOG,
    DOCTOR_READY,
    DOCTOR_PEER,
    DOCTOR_REGISTRY,
    DOCTOR_ACCESS,
    DOCTOR_LEDGER,
    DOCTOR_LINKS,
};

/*
 * One link of the chain. needs: links whose failure explains a failure of this one, as
 * "link/subject" with blanks between; "@" stands for the first part of the own subject, "%" for
 * the second one.
 */
struct doctor_entry {
    const char *name, *checks, *advice, *needs;
};
extern const struct doctor_entry doctor_find_table[DOCTOR_LINKS];

enum doctor_state {
    DOCTOR_OK,
    DOCTOR_WARN,
    DOCTOR_FAIL,
};

struct doctor_finding {
    enum doctor_link link;
    char subject[160]; /* "state", "state/sign", "social/state" */
    enum doctor_state state;
    char text[512];
    int64_t since_ms;                    /* 0: no record says since when */
    struct buf next;                     /* commands, a line each */
    const struct doctor_finding *caused; /* by that failure; NULL: by itself */
};

/* One gateway that is examined. */
struct doctor_gateway {
    char name[64], config[DOCTOR_PATH], dir[DOCTOR_PATH];
    struct conffile file;
    struct cli_globalconf stored;  /* as it keeps it; stored.g NULL: none that can be read */
    const struct globalconf *conf; /* stored, or a newer one of another gateway; NULL: none */
    bool is_up, is_ready;
};

struct doctor {
    const char *dir; /* the country's folder; NULL: one gateway by its configuration file */
    const char *client, *service, *method, *path; /* of the exchange asked about; may be NULL */
    struct doctor_gateway gateway[DOCTOR_GATEWAYS_MAX];
    size_t n;
    struct doctor_finding found[DOCTOR_FINDINGS_MAX];
    size_t n_found;
    int64_t clock_ms; /* what most clocks say more than this machine's */
};

/* --- doctor_find.c --- */

/* A new finding; never NULL (beyond the maximum the last one is overwritten). */
struct doctor_finding *doctor_find_add(struct doctor *d, enum doctor_link link, const char *subject,
                                       enum doctor_state state, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
void doctor_find_since(struct doctor_finding *f, int64_t ms);
/* One command more of what to do next; may be pasted into a shell. */
void doctor_find_next(struct doctor_finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Which failures follow from which; returns the first that follows from none, NULL when all is
 * well. */
const struct doctor_finding *doctor_find_culprit(struct doctor *d);
void doctor_find_free(struct doctor *d);
/* The time by most clocks. */
int64_t doctor_find_now(const struct doctor *d);
/* When the file was last written; 0 when it is not there. */
int64_t doctor_find_mtime(const char *path);

/* --- the examinations, in the order of the chain --- */

void doctor_process(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_conf(struct doctor *d);   /* authority, anchor, configuration */
void doctor_cert(struct doctor *d);   /* certificates, OCSP, keys */
void doctor_log(struct doctor *d);    /* time-stamps, message log */
void doctor_health(struct doctor *d); /* readiness, as the roles tell it */
void doctor_peer(struct doctor *d);   /* readiness, peers, registries */
void doctor_access(struct doctor *d);
void doctor_ledger(struct doctor *d);

/* Since when the running role with this folder calls a part of itself (proc/health.h) wrong; 0: it
 * does not, or nobody knows. */
int64_t doctor_health_since(const char *folder, const char *part);
/* What the authority that the gateway's anchor names says that the time is (HTTP's Date). */
int doctor_conf_date(const struct doctor_gateway *g, int64_t *time_ms, int64_t *asked_ms) MUST_USE;
/* Fetches a time-stamp over random bytes; its time. g may be NULL: the signature is not verified.
 * *asked_ms: this machine's clock in the middle of asking. */
int doctor_log_stamp(const char *url, const struct globalconf *g, int64_t *time_ms,
                     int64_t *asked_ms, struct diag *why) MUST_USE;
/* Since when the gateway's clock, which is now ahead by this much, is wrong: from its message log.
 * 0: no record says. */
int64_t doctor_log_clock_since(const struct doctor_gateway *g, int64_t ahead_ms);

#endif
