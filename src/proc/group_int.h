/* Inside of the group's parent: what group.c (life and death), group_start.c (sockets, processes,
 * lines) and group_command.c (the control socket) share. Nobody else includes it. */
#ifndef SILD_PROC_GROUP_INT_H
#define SILD_PROC_GROUP_INT_H

#include "proc/group.h"
#include "proc/group_line.h"
#include "proc/user.h"

#include <sys/stat.h>
#include <sys/types.h>

#define GROUP_SOCKETS_MAX 128
#define GROUP_PENDING_MAX 64

struct group;

/* One child process, or the place of one that is to be started again. */
struct group_inst {
    struct group *group;
    const struct group_child *entry;
    char name[GROUP_NAME_MAX];
    int index;
    pid_t pid; /* 0: none */
    struct ipc *line;
    bool ready, told_stop;
    int64_t started_ms;
    unsigned restarts, quick; /* quick: ends within GROUP_QUICK_MS of the start, in a row */
    int page;                 /* what it counts; -1: none yet */
    bool sees;                /* it watches, and has the others' pages */
    struct loop_timer *again;
};

/* A listening socket, kept open for as long as the group lives. */
struct group_socket {
    const char *name;
    const struct group_inst *inst;
    int fd;
};

/* A command that children have still to answer. */
struct group_pending {
    uint64_t client; /* of the control socket; 0: free */
    uint64_t id;
    uint32_t waiting;    /* a bit an instance */
    bool several;        /* answers are headed by names */
    struct buf *content; /* a reload that has not reached all: what is told to each entry's */
    int code;
    struct buf text;
    struct loop_timer *timer;
    struct group *group;
};

enum group_phase {
    GROUP_RUNNING,
    GROUP_RESTARTING, /* stopping, to start again */
    GROUP_STOPPING,
};

struct group {
    const struct group_spec *spec;
    struct loop *loop;
    struct group_inst inst[GROUP_CHILDREN_MAX];
    size_t n;
    struct group_socket socket[GROUP_SOCKETS_MAX];
    size_t n_sockets;
    struct control *control;
    struct group_pending pending[GROUP_PENDING_MAX];
    uint64_t next_id;
    enum group_phase phase;
    struct loop_timer *kill_timer, *start_timer;
    int64_t since_ms; /* wall clock */
    bool ready_told;
    int exit_code;
    int pid_fd;
    struct loop_timer *watch;
    char watched_path[1024];
    struct stat watched; /* as it was when it was last read */
    bool as_user;        /* children run as this one */
    struct user user;
    int page; /* the parent's own: group_pages.h */
};

/* --- group_start.c --- */

int group_start_bind(struct group *g, struct diag *d) MUST_USE;
/* Process and line to the parent. */
int group_start_spawn(struct group_inst *k, const struct ipc_events *ev, struct diag *d) MUST_USE;
/* Sends k its listening sockets, joins it with those of its peers that run (with all, or, in
 * `earlier`, with those that stand before it), and lets it run. */
void group_start_connect(struct group_inst *k, bool earlier);
void group_start_begin(struct group_inst *k);
void group_start_notify(const char *state); /* to NOTIFY_SOCKET, if there is one */

/* --- group_pages.c --- */

/* A page for each instance and one for the parent, which counts into it from now on. */
int group_pages_make(struct group *g, struct diag *d) MUST_USE;
/* Gives k its page, and all pages when it watches. */
void group_pages_send(struct group_inst *k);
/* Tells who watches of a process that was started. */
void group_pages_started(struct group_inst *k);
/* Writes into the parent's page how k is. */
void group_pages_note(const struct group_inst *k);
void group_pages_free(struct group *g);

/* --- group_command.c --- */

void group_command(void *g, uint64_t client, struct slice line);
void group_command_answer(struct group *g, const struct group_inst *k, uint64_t id,
                          struct slice body);
/* The instance is gone: whoever waits for it is told. */
void group_command_gone(struct group *g, const struct group_inst *k);
void group_command_tell(struct group *g, struct slice body);
void group_command_reload(struct group *g); /* for SIGHUP: nobody waits for an answer */
/* From now on looks at the watched file. */
void group_command_watch(struct group *g);
void group_command_free(struct group *g);

/* --- group.c --- */

void group_stop(struct group *g, enum group_phase phase, int exit_code);

#endif
