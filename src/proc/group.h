/*
 * A role as a small parent and its children: the same binary executed again, joined by socketpairs.
 * The parent binds and keeps all listening sockets, starts children, restarts a child that may be
 * restarted alone, restarts the whole group when another dies, answers the control socket, tells
 * readiness (NOTIFY_SOCKET, as systemd defines it), and stops all in order on SIGTERM or SIGINT.
 *
 * The control socket takes (proc/control.h):
 *     status {"role","ready","since_ms","time_ms","children":[{"name","pid","restarts"}]}, time_ms:
 * what its clock says now stop               the answer comes before the end reload passed to every
 * child as "reload"; the answers together, the worst code. What the spec's on_reload says no to
 * reaches no child. <child> <words>    passed to that child; without an index the first of several
 *     anything else      spec's on_command
 *
 * A child is `sild [<under>] <role> --child <name>[:<index>] --config FILE`; descriptor 3 is its
 * line to the parent, over which come its listening sockets and the ends of its lines to the other
 * children.
 */
#ifndef SILD_PROC_GROUP_H
#define SILD_PROC_GROUP_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/conn.h"
#include "net/loop.h"
#include "proc/control.h"
#include "proc/ipc.h"

#define GROUP_CHILDREN_MAX 32
#define GROUP_PEERS_MAX 8

struct group_self; /* what a child knows of itself */

struct group_child {
    const char *name;   /* "worker", "key", "log", "agent" */
    int count;          /* instances */
    bool alone;         /* may die and be restarted alone; else the group restarts */
    bool reads_config;  /* gets what on_reload read with "reload" */
    bool reloads_first; /* … and has taken it before other children hear of it, or none does */
    /* Names of children it has lines to (each pair named once, on either side). "key!" a second,
     * blocking line. */
    const char *peers[GROUP_PEERS_MAX];
    const char *listens[GROUP_PEERS_MAX]; /* names of listening sockets it gets */
    bool watches; /* sees what all processes of the group count (proc/group_pages.h) */
    int (*run)(struct group_self *self,
               const char *config_path); /* the child's main; returns an exit code */
};

struct group_listen {
    const char *name;
    struct net_addr addr;
};

struct group_spec {
    const char *role;                   /* "gateway" */
    const char *under;                  /* the command that the role is a word of, or NULL */
    const struct group_child *children; /* started in this order, stopped in the reverse one */
    size_t n;
    const struct group_listen *listens;
    size_t n_listens;
    const char *dir; /* the role's folder: control.sock, pid */
    const char *config_path;
    /* The user that children run as when the parent is root; it keeps what it has bound and opened.
     * NULL: the parent's. */
    const char *user;
    /* Reads what of the configuration `child` is to know, which may open no files: it comes to it
     * as "reload", a line feed and these bytes. NULL: nothing is read. */
    int (*on_reload)(const char *config_path, const char *child, struct buf *out, struct diag *d);
    /* Names a file that the child `watches_for` follows: when it is another one, or changed, its
     * bytes come to it as "watched", a line feed and these. Asked at the start and after each
     * reload. NULL: none. */
    int (*watched)(const char *config_path, char *path, size_t cap, struct diag *d);
    const char *watches_for;
    /* A command of the control socket that names no child ("status" is built in); NULL: none.
     * Writes the answer. */
    int (*on_command)(struct slice command, struct buf *answer);
};

/* The index stands in a name only where there are several instances: "worker:1", "key". One role
 * runs once in its folder: the file `pid` there is locked.
 *
 * The parent's main: returns when stopped (EXIT_DONE) or could not start (EXIT_COULD_NOT,
 * reported). */
int group_run(const struct group_spec *spec);
/* In the re-executed process: finds the child's entry and runs it. name: the value of --child. */
int group_run_child(const struct group_spec *spec, const char *name);

/* --- in a child --- */

struct group_events {
    /* A line to another child is up (again): name "worker:1"; the receiver owns fd (for ipc_new, or
     * ipc_call when the name ends in "!"). */
    void (*on_peer)(void *ctx, const char *name, int fd);
    /* control socket: "<child> <words…>": answer through group_answer(id), now or later. */
    void (*on_command)(void *ctx, uint64_t id, struct slice command);
    /* Finish what is in hand, then loop_stop; the process has 5 seconds. */
    void (*on_stop)(void *ctx);
};
struct loop *group_loop(struct group_self *s);
/* Delivers peers that are there already and from now on all others. Call once, before loop_run. */
void group_begin(struct group_self *s, const struct group_events *ev, void *ctx);
const char *group_name(const struct group_self *s); /* "worker:0" */
int group_index(const struct group_self *s);
int group_listen_fd(const struct group_self *s, const char *name); /* -1: none */
void group_ready(struct group_self *s);                            /* tells the parent, once */
void group_answer(struct group_self *s, uint64_t id, int exit_code, struct slice text);
/* Asks the parent to pass a command to another child, answer ignored: for tests and rare events. */
void group_tell(struct group_self *s, const char *child, struct slice command);

#endif
