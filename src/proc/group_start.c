/* How a group's parent starts: listening sockets, processes, and the lines between them. */
#include "base/err.h"
#include "proc/group_int.h"
#include "proc/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- listening sockets --- */

static bool listens(const struct group_child *e, const char *name)
{
    for (size_t i = 0; i < GROUP_PEERS_MAX && e->listens[i] != NULL; i++)
        if (strcmp(e->listens[i], name) == 0)
            return true;
    return false;
}

static int bind_one(struct group *g, const struct group_listen *l, const struct group_inst *k,
                    bool shared, struct diag *d)
{
    if (g->n_sockets == GROUP_SOCKETS_MAX)
        return diag_set(d, ERR_TOO_LARGE, "more than %d listening sockets", GROUP_SOCKETS_MAX);
    struct group_socket *s = &g->socket[g->n_sockets];
    *s = (struct group_socket){.name = l->name, .inst = k};
    int err = net_listen(&l->addr, shared, &s->fd, d);
    if (err == 0)
        g->n_sockets++;
    return err;
}

/* Several instances have a socket each, and the kernel spreads the connections over them; what
 * waits in the queue of an instance that has died is served by the next one. */
int group_start_bind(struct group *g, struct diag *d)
{
    for (size_t i = 0; i < g->spec->n_listens; i++) {
        const struct group_listen *l = &g->spec->listens[i];
        size_t users = 0;
        for (size_t k = 0; k < g->n; k++)
            users += listens(g->inst[k].entry, l->name);
        for (size_t k = 0; k < g->n; k++) {
            if (!listens(g->inst[k].entry, l->name))
                continue;
            int err = bind_one(g, l, &g->inst[k], users > 1, d);
            if (err != 0)
                return err;
        }
    }
    return 0;
}

/* --- processes --- */

static void exec_child(const struct group_inst *k, int fd, pid_t parent)
{
    const struct group_spec *spec = k->group->spec;
    char under[64], role[64], child[] = "--child", config[] = "--config", name[GROUP_NAME_MAX],
                              path[4096];
    char program[] = "sild";
    snprintf(under, sizeof under, "%s", spec->under == NULL ? "" : spec->under);
    snprintf(role, sizeof role, "%s", spec->role);
    snprintf(name, sizeof name, "%s", k->name);
    snprintf(path, sizeof path, "%s", spec->config_path);
    char *words[] = {program, under, role, child, name, config, path, NULL};
    char **argv = words;
    if (spec->under == NULL)
        *++argv = program;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (k->group->as_user && !user_become(&k->group->user))
        _exit(EXIT_FAILURE);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* after that, which would undo it */
    if (getppid() != parent)          /* it died before the line above */
        _exit(EXIT_FAILURE);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    bool ok = fd == GROUP_LINE_FD ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, GROUP_LINE_FD) >= 0;
    if (ok)
        execv("/proc/self/exe", argv);
    _exit(EXIT_FAILURE);
}

int group_start_spawn(struct group_inst *k, const struct ipc_events *ev, struct diag *d)
{
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return diag_set(d, ERR_IO, "no line to %s: %s", k->name, strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        exec_child(k, pair[1], parent);
    int e = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return diag_set(d, ERR_IO, "cannot start %s: %s", k->name, strerror(e));
    }
    k->pid = pid;
    k->ready = k->told_stop = k->sees = false;
    k->started_ms = loop_mono_ms(k->group->loop);
    k->line = ipc_new(k->group->loop, pair[0], 0, ev, k);
    if (k->line == NULL) {
        kill(pid, SIGKILL);
        return diag_set(d, ERR_NOMEM, "no memory for the line to %s", k->name);
    }
    group_pages_note(k);
    group_pages_started(k);
    return 0;
}

/* --- lines --- */

/* A child that takes no messages is as good as dead: its end brings the restart. */
static void send_fd(struct group_inst *k, enum group_line type, const char *name, int fd,
                    bool fd_close)
{
    if (k->line == NULL ||
        ipc_send(k->line, (uint16_t)type, 0, 0, slice_str(name), fd, fd_close) != 0) {
        if (fd_close)
            close(fd);
        if (k->pid > 0)
            kill(k->pid, SIGKILL);
    }
}

static void join(struct group_inst *a, struct group_inst *b, bool blocking)
{
    int pair[2];
    char name[GROUP_NAME_MAX + 1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        report(REPORT_ERROR, "line", "no line between %s and %s: %s", a->name, b->name,
               strerror(errno));
        return;
    }
    snprintf(name, sizeof name, "%s%s", b->name, blocking ? "!" : "");
    send_fd(a, GROUP_PEER, name, pair[0], true);
    send_fd(b, GROUP_PEER, a->name, pair[1], true);
}

/* The lines that a's entry names to b. */
static void join_named(struct group_inst *a, struct group_inst *b)
{
    for (size_t i = 0; i < GROUP_PEERS_MAX && a->entry->peers[i] != NULL; i++) {
        struct slice want = slice_str(a->entry->peers[i]);
        bool blocking = slice_ends(want, "!");
        if (blocking)
            want = slice_sub(want, 0, want.n - 1);
        if (slice_eq_str(want, b->entry->name))
            join(a, b, blocking);
    }
}

void group_start_connect(struct group_inst *k, bool earlier)
{
    struct group *g = k->group;
    group_pages_send(k);
    for (size_t i = 0; i < g->n_sockets; i++)
        if (g->socket[i].inst == k)
            send_fd(k, GROUP_LISTEN, g->socket[i].name, g->socket[i].fd, false);
    for (size_t i = 0; i < g->n; i++) {
        struct group_inst *other = &g->inst[i];
        if (other == k && earlier)
            break;
        if (other == k || other->pid == 0 || other->line == NULL)
            continue;
        join_named(k, other);
        join_named(other, k);
    }
}

void group_start_begin(struct group_inst *k)
{
    if (k->line == NULL || ipc_send(k->line, GROUP_BEGIN, 0, 0, SLICE_NONE, -1, false) != 0)
        kill(k->pid, SIGKILL);
}

/* --- readiness, as sd_notify(3) describes it --- */

void group_start_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof un.sun_path)
        return;
    size_t n = strlen(path);
    memcpy(un.sun_path, path, n);
    if (path[0] == '@')
        un.sun_path[0] = 0; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&un, len) < 0)
        report(REPORT_DEBUG, "notify", "cannot tell %s to %s: %s", state, path, strerror(errno));
    close(fd);
}
