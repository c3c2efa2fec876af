/*
 * C2SP tlog-policy: which logs, which witnesses, and how many of them make a checkpoint believed.
 * Lines: "log <vkey> [<url>]", "witness <name> <vkey> [<url>]",
 * "group <name> all|any|<k> <member>…", "quorum <name>|none".
 */
#ifndef SILD_TLOG_POLICY_H
#define SILD_TLOG_POLICY_H

#include "tlog/checkpoint.h"
#include "tlog/note.h"

#define POLICY_MAX (64u << 10) /* bytes of a file */
#define POLICY_LOGS 32
#define POLICY_WITNESSES 32
#define POLICY_GROUPS 32

struct policy_log {
    struct note_key key;
    struct slice url; /* empty: none given */
};
struct policy_witness {
    struct slice name; /* in this file; the key has its own */
    struct note_key key;
    struct slice url; /* submission prefix; empty: none given */
};
struct policy_group {
    struct slice name;
    unsigned k;         /* how many members are needed */
    uint32_t witnesses; /* members, as bits */
    uint32_t groups;
};
struct policy {
    struct buf text; /* owns what the slices point into */
    size_t n_logs, n_witnesses, n_groups;
    struct policy_log log[POLICY_LOGS];
    struct policy_witness witness[POLICY_WITNESSES];
    struct policy_group group[POLICY_GROUPS];
    bool needs_witnesses; /* false: "quorum none" */
    bool quorum_is_group;
    unsigned quorum; /* index of that witness or group */
};

/* ERR_SYNTAX with the line, ERR_TOO_LARGE, ERR_NOMEM. */
int policy_parse(struct slice text, struct policy **out, struct diag *d) MUST_USE;
void policy_free(struct policy *p); /* NULL is harmless */
/* Is the quorum met by these witnesses (bit i: witness i)? */
bool policy_satisfied(const struct policy *p, uint32_t witnesses);
/* Smallest number of witnesses that meets the quorum: the "k" of a message to people. */
unsigned policy_needs(const struct policy *p);

/* A checkpoint that the policy believes. Slices point into the note. */
struct policy_verdict {
    struct checkpoint checkpoint;
    unsigned log;                     /* which log signed */
    uint32_t witnesses;               /* which witnesses signed */
    uint64_t times[POLICY_WITNESSES]; /* and when, in seconds */
    uint64_t time_s; /* when the quorum was met: the earliest time by which enough had signed; 0
                        with "quorum none" */
};
/*
 * Signed by a log of the policy whose name is the checkpoint's origin, and by enough witnesses.
 * ERR_SYNTAX, ERR_INVALID_SIGNATURE_VALUE, ERR_MISSING_SIGNATURE (no log's signature, or another
 * origin), ERR_SIGNATURE_VERIFICATION (too few witnesses; *out is filled all the same).
 */
int policy_check(const struct policy *p, const struct note *n, struct policy_verdict *out,
                 struct diag *d) MUST_USE;

#endif
