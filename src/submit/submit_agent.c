#include "submit/submit_agent.h"
#include "base/err.h"
#include "base/opt.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "submit/courier.h"
#include "tlog/policy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct agent {
    struct group_self *self;
    struct courier *courier;
    struct ipc *log;
};

static void on_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct agent *a = ctx;
    if (f->fd >= 0)
        close(f->fd);
    courier_frame(a->courier, line, f);
}

static void on_closed(void *ctx, struct ipc *line)
{
    struct agent *a = ctx;
    courier_forget(a->courier, line);
    if (a->log == line)
        a->log = NULL;
    ipc_free(line);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_closed};
    struct agent *a = ctx;
    if (strncmp(name, "log", 3) != 0) {
        close(fd);
        return;
    }
    if (a->log != NULL)
        on_closed(a, a->log);
    a->log = ipc_new(group_loop(a->self), fd, 0, &ev, a);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct agent *a = ctx;
    group_answer(a->self, id, slice_eq_str(command, "reload") ? EXIT_DONE : EXIT_USE, SLICE_NONE);
}

static void on_stop(void *ctx)
{
    struct agent *a = ctx;
    loop_stop(group_loop(a->self));
}

static int read_policy(struct slice name, const char *config, struct buf *out, struct diag *d)
{
    char path[2048];
    const char *slash = strrchr(config, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - config);
    int n = name.n > 0 && name.p[0] == '/'
                ? snprintf(path, sizeof path, "%.*s", SLICE_ARG(name))
                : snprintf(path, sizeof path, "%.*s%.*s", folder, config, SLICE_ARG(name));
    if (n < 0 || (size_t)n >= sizeof path)
        return diag_set(d, ERR_TOO_LARGE, "[ledger] policy is too long a name");
    return name.n == 0 ? 0 : fs_read(path, out, d);
}

int submit_agent_run(struct group_self *self, const struct submit_conf *conf,
                     const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    static const char *const dirs[] = {NULL};
    struct agent a = {.self = self, .courier = courier_new(group_loop(self))};
    struct diag d = {0};
    struct buf policy;
    buf_init(&policy, POLICY_MAX);
    int rc = a.courier == NULL ? diag_set(&d, ERR_NOMEM, "no memory for the agent")
                               : read_policy(conf->policy, config_path, &policy, &d);
    rc = rc != 0 ? rc : courier_configure(a.courier, conf->url, buf_view(&policy), &d);
    buf_free(&policy);
    /* Here the process narrows itself: from now on TCP outwards, no files. */
    rc = rc != 0 ? rc : sandbox_enter(SANDBOX_AGENT, dirs, &d);
    if (rc != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        courier_free(a.courier);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &a);
    group_ready(self);
    loop_run(group_loop(self));
    ipc_free(a.log);
    courier_free(a.courier);
    return EXIT_DONE;
}
