/*
 * The parent of a group: which child lives, what follows from a death, the order of the end.
 *
 *     RUNNING ── a child that may not die alone has died ──► RESTARTING ── all ended ──► RUNNING
 *        └─── SIGTERM, SIGINT, "stop", too many quick deaths ──► STOPPING ── all ended ──► return
 */
#include "proc/group.h"

#include "base/err.h"
#include "base/opt.h"
#include "proc/fs.h"
#include "proc/group_int.h"
#include "proc/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUICK_MS 1000 /* a life shorter than this counts as a failed start */
#define QUICK_MAX 5   /* so many of them in a row end the group */
#define AGAIN_MS 50   /* the wait before the second start; doubled each time */
#define STOP_MS 5000  /* a child has so long to end itself */
#define RESTART_MS 1000

static const struct ipc_events line_events;

/* --- starting --- */

static void fail(struct group *g, const struct diag *d)
{
    report_diag(REPORT_ERROR, "group", NULL, d);
    group_stop(g, GROUP_STOPPING, EXIT_COULD_NOT);
}

/* All processes first, so that each line finds both its ends; then sockets and lines; then they
 * run. */
static void start_all(void *ctx)
{
    struct group *g = ctx;
    struct diag d = {0};
    g->start_timer = NULL;
    g->phase = GROUP_RUNNING;
    for (size_t i = 0; i < g->n; i++)
        if (group_start_spawn(&g->inst[i], &line_events, &d) != 0) {
            fail(g, &d);
            return;
        }
    for (size_t i = 0; i < g->n; i++)
        group_start_connect(&g->inst[i], true);
    for (size_t i = 0; i < g->n; i++)
        group_start_begin(&g->inst[i]);
}

static void start_one(void *ctx)
{
    struct group_inst *k = ctx;
    struct diag d = {0};
    k->again = NULL;
    if (group_start_spawn(k, &line_events, &d) != 0) {
        fail(k->group, &d);
        return;
    }
    group_start_connect(k, false);
    group_start_begin(k);
}

/* --- what children say --- */

static void tell_ready(struct group *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (!g->inst[i].ready)
            return;
    if (g->ready_told)
        return;
    g->ready_told = true;
    report(REPORT_INFO, "ready", "%s is ready after %lld ms", g->spec->role,
           (long long)(loop_wall_ms(g->loop) - g->since_ms));
    group_start_notify("READY=1");
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct group_inst *k = ctx;
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type == GROUP_READY) {
        k->ready = true;
        group_pages_note(k);
        tell_ready(k->group);
    } else if (f->type == GROUP_ANSWER) {
        group_command_answer(k->group, k, f->id, f->body);
    } else if (f->type == GROUP_TELL) {
        group_command_tell(k->group, f->body);
    }
}

/* A child without its line cannot be led: it ends, and what follows from that follows. */
static void on_close(void *ctx, struct ipc *c)
{
    struct group_inst *k = ctx;
    ipc_free(c);
    k->line = NULL;
    if (k->pid > 0 && !k->told_stop)
        kill(k->pid, SIGKILL);
}

static const struct ipc_events line_events = {.on_frame = on_frame, .on_close = on_close};

/* --- stopping: the last entry first, one after the other --- */

static void kill_now(void *ctx)
{
    struct group *g = ctx;
    g->kill_timer = NULL;
    for (size_t i = 0; i < g->n; i++)
        if (g->inst[i].pid > 0 && g->inst[i].told_stop) {
            report(REPORT_WARN, "kill", "%s does not end: killed", g->inst[i].name);
            kill(g->inst[i].pid, SIGKILL);
        }
}

static void tell_stop(struct group_inst *k)
{
    if (k->told_stop)
        return;
    k->told_stop = true;
    if (k->line == NULL || ipc_send(k->line, GROUP_STOP, 0, 0, SLICE_NONE, -1, false) != 0)
        kill(k->pid, SIGKILL);
}

static void all_ended(struct group *g)
{
    unsigned quick = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->inst[i].quick > quick)
            quick = g->inst[i].quick;
    if (g->phase == GROUP_STOPPING)
        loop_stop(g->loop);
    else
        g->start_timer = loop_timer_start(g->loop, quick > 0 ? AGAIN_MS << quick : 0, start_all, g);
}

static void stop_step(struct group *g)
{
    const struct group_child *last = NULL;
    for (size_t i = g->n; i-- > 0 && last == NULL;)
        if (g->inst[i].pid > 0)
            last = g->inst[i].entry;
    loop_timer_cancel(g->kill_timer);
    g->kill_timer = NULL;
    if (last == NULL) {
        all_ended(g);
        return;
    }
    for (size_t i = 0; i < g->n; i++)
        if (g->inst[i].entry == last && g->inst[i].pid > 0)
            tell_stop(&g->inst[i]);
    g->kill_timer =
        loop_timer_start(g->loop, g->phase == GROUP_STOPPING ? STOP_MS : RESTART_MS, kill_now, g);
}

void group_stop(struct group *g, enum group_phase phase, int exit_code)
{
    if (g->phase == GROUP_STOPPING || g->phase == phase)
        return;
    bool under_way = g->phase == GROUP_RESTARTING && g->start_timer == NULL;
    g->phase = phase;
    g->exit_code = exit_code;
    if (phase == GROUP_STOPPING)
        group_start_notify("STOPPING=1");
    loop_timer_cancel(g->start_timer);
    g->start_timer = NULL;
    for (size_t i = 0; i < g->n; i++) {
        loop_timer_cancel(g->inst[i].again);
        g->inst[i].again = NULL;
    }
    if (!under_way) /* else the next death goes on */
        stop_step(g);
}

/* --- deaths --- */

static void describe(int status, char *out, size_t cap)
{
    if (WIFSIGNALED(status))
        snprintf(out, cap, "signal %d", WTERMSIG(status));
    else
        snprintf(out, cap, "exit code %d", WEXITSTATUS(status));
}

static void died(struct group_inst *k, int status)
{
    struct group *g = k->group;
    char how[32];
    struct diag d;
    int64_t lived = loop_mono_ms(g->loop) - k->started_ms;
    describe(status, how, sizeof how);
    k->pid = 0;
    k->ready = false;
    ipc_free(k->line);
    k->line = NULL;
    group_command_gone(g, k);
    k->restarts += g->phase == GROUP_RUNNING;
    group_pages_note(k);
    if (g->phase != GROUP_RUNNING) {
        stop_step(g);
        return;
    }
    k->quick = lived < QUICK_MS ? k->quick + 1 : 0;
    report(REPORT_ERROR, "died", "%s ended with %s after %lld ms", k->name, how, (long long)lived);
    if (k->quick >= QUICK_MAX) {
        diag_set(&d, ERR_INTERNAL, "%s ended %d times in a row right after its start", k->name,
                 QUICK_MAX);
        fail(g, &d);
    } else if (k->entry->alone) {
        k->again = loop_timer_start(g->loop, k->quick > 1 ? AGAIN_MS << k->quick : 0, start_one, k);
    } else {
        group_stop(g, GROUP_RESTARTING, EXIT_DONE);
    }
}

static void on_sigchld(void *ctx)
{
    struct group *g = ctx;
    for (size_t i = 0; i < g->n; i++) {
        int status;
        if (g->inst[i].pid > 0 && waitpid(g->inst[i].pid, &status, WNOHANG) == g->inst[i].pid)
            died(&g->inst[i], status);
    }
}

static void on_sigterm(void *ctx)
{
    struct group *g = ctx;
    report(REPORT_INFO, "stop", "%s stops", g->spec->role);
    group_stop(g, GROUP_STOPPING, EXIT_DONE);
}

static void on_sighup(void *ctx)
{
    group_command_reload(ctx);
}

/* --- the parent's main --- */

static int take_children(struct group *g, struct diag *d)
{
    for (size_t i = 0; i < g->spec->n; i++) {
        const struct group_child *e = &g->spec->children[i];
        for (int index = 0; index < e->count; index++) {
            if (g->n == GROUP_CHILDREN_MAX)
                return diag_set(d, ERR_TOO_LARGE, "a role has at most %d processes",
                                GROUP_CHILDREN_MAX);
            struct group_inst *k = &g->inst[g->n++];
            *k = (struct group_inst){.group = g, .entry = e, .index = index, .page = -1};
            if (e->count > 1)
                snprintf(k->name, sizeof k->name, "%s:%d", e->name, index);
            else
                snprintf(k->name, sizeof k->name, "%s", e->name);
        }
    }
    return 0;
}

/* The lock says that the role runs; the number is for people. */
static int lock_pid(struct group *g, struct diag *d)
{
    char path[PATH_MAX], text[32];
    snprintf(path, sizeof path, "%s/pid", g->spec->dir);
    g->pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (g->pid_fd < 0)
        return diag_set(d, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(g->pid_fd, LOCK_EX | LOCK_NB) < 0)
        return diag_set(d, ERR_EXISTS, "another %s runs in %s already", g->spec->role,
                        g->spec->dir);
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(g->pid_fd, 0) < 0 || pwrite(g->pid_fd, text, (size_t)n, 0) != n)
        return diag_set(d, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

/* Each connection is a descriptor, and what is usual (1024) is for interactive programs. */
static void raise_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) != 0)
        report(REPORT_WARN, "limits", "cannot raise the number of descriptors: %s",
               strerror(errno));
}

/* Only root can become another, and must not do so by mistake. */
static int choose_user(struct group *g, struct diag *d)
{
    if (g->spec->user == NULL || geteuid() != 0)
        return 0;
    g->as_user = true;
    return user_find(g->spec->user, &g->user, d);
}

static int prepare(struct group *g, struct diag *d)
{
    char path[PATH_MAX];
    int err = take_children(g, d);
    err = err != 0 ? err : choose_user(g, d);
    err = err != 0 ? err : fs_mkdirs(g->spec->dir, 0700, d);
    err = err != 0 ? err : lock_pid(g, d);
    err = err != 0 ? err : group_pages_make(g, d);
    err = err != 0 ? err : group_start_bind(g, d);
    if (err != 0)
        return err;
    snprintf(path, sizeof path, "%s/control.sock", g->spec->dir);
    g->control = control_new(g->loop, path, group_command, g, d);
    if (g->control == NULL)
        return d->code;
    if (loop_signal(g->loop, SIGCHLD, on_sigchld, g) != 0 ||
        loop_signal(g->loop, SIGTERM, on_sigterm, g) != 0 ||
        loop_signal(g->loop, SIGINT, on_sigterm, g) != 0 ||
        loop_signal(g->loop, SIGHUP, on_sighup, g) != 0)
        return diag_set(d, ERR_IO, "cannot watch signals");
    signal(SIGPIPE, SIG_IGN);
    group_command_watch(g);
    return 0;
}

static void release(struct group *g)
{
    group_command_free(g);
    control_free(g->control);
    group_pages_free(g);
    for (size_t i = 0; i < g->n; i++)
        ipc_free(g->inst[i].line);
    for (size_t i = 0; i < g->n_sockets; i++)
        close(g->socket[i].fd);
    loop_free(g->loop);
    if (g->pid_fd >= 0)
        close(g->pid_fd);
    free(g);
}

int group_run(const struct group_spec *spec)
{
    struct diag d = {0};
    report_open(spec->role);
    raise_descriptors();
    struct group *g = calloc(1, sizeof *g);
    if (g == NULL)
        return EXIT_COULD_NOT;
    g->spec = spec;
    g->pid_fd = g->page = -1;
    g->loop = loop_new();
    int err =
        g->loop == NULL ? diag_set(&d, ERR_NOMEM, "no memory for the event loop") : prepare(g, &d);
    if (err != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        release(g);
        return EXIT_COULD_NOT;
    }
    g->since_ms = loop_wall_ms(g->loop);
    g->start_timer = loop_timer_start(g->loop, 0, start_all, g);
    loop_run(g->loop);
    int code = g->exit_code;
    release(g);
    return code;
}
