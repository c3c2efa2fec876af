/*
 * A child's narrowing of itself, at one marked line of its start: no new privileges, a seccomp list
 * by kind, Landlock paths. What is not on the list fails with EPERM. What the kernel lacks is
 * reported once and gone without.
 */
#ifndef SILD_PROC_SANDBOX_H
#define SILD_PROC_SANDBOX_H

#include "base/attr.h"
#include "base/diag.h"

enum sandbox_kind {
    SANDBOX_WORKER,   /* TCP sockets to peers and providers; no files */
    SANDBOX_SERVER,   /* what was bound for it, no socket of its own; no files */
    SANDBOX_KEY,      /* no network, no files after start */
    SANDBOX_LOG,      /* files below the given folders; no network */
    SANDBOX_AGENT,    /* TCP out and name lookups; files below the given folders, and what the C
                         library reads to look up names */
    SANDBOX_DATABASE, /* what was bound for it; files below the given folders */
    SANDBOX_FILES,    /* the same, but files only to read */
};
/* dirs: NULL-ended folders below which files may be read, written, made and removed (LOG, AGENT,
 * DATABASE) or only read (FILES); they must exist. Whoever is root gives up all capabilities but,
 * where there are folders, those for files. ERR_DENIED when the kernel has it and refuses. Once,
 * and before any thread is made. */
int sandbox_enter(enum sandbox_kind kind, const char *const *dirs, struct diag *d) MUST_USE;

#endif
