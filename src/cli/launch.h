/* Starting roles as processes of their own: readiness as systemd tells it, time and memory
 * measured. */
#ifndef SILD_CLI_LAUNCH_H
#define SILD_CLI_LAUNCH_H

#include "base/attr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct launch {
    const char *role;     /* "gateway", "ledger witness" */
    const char *name;     /* "state": for lines and the log's folder */
    const char *config;   /* FILE */
    const char *log_path; /* stderr goes there, appended */
    const char *env_path; /* more environment, NAME=VALUE lines; the file may be absent */
    pid_t pid;
    int notify_fd;
    int64_t started_ms, ready_ms; /* monotonic; ready_ms 0: not yet */
    char notify_path[108];
};

int64_t launch_now_ms(void);
/* Starts `sild ROLE --config FILE`. */
int launch_start(struct launch *l, struct diag *d) MUST_USE;
/* Waits until it said READY. ERR_TIMEOUT, or ERR_CLOSED when it ended; d points to its log. */
int launch_wait(struct launch *l, int64_t timeout_ms, struct diag *d) MUST_USE;
/* SIGTERM, and SIGKILL when it takes longer than timeout_ms. */
void launch_stop(struct launch *l, int64_t timeout_ms);
/* After waitpid gave its status: the role's log gets a line, which says how it ended and when. */
void launch_ended(struct launch *l, int status);
/* Sum of PSS of the process and all below it, in KiB; -1 when it is gone. */
int64_t launch_pss_kib(pid_t pid);

#endif
