#include "base/err.h"
#include "base/opt.h"
#include "gateway/advice.h"
#include "gateway/conffile.h"
#include "gateway/mlog.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "submit/submitter.h"

#define STOP_STAMP_MS 3000

/* The process around the log. */
struct run {
    struct group_self *self;
    struct loop *loop;
    char dir[2100], heads[2100]; /* of the journal, and of its accepted heads */
    struct mlog *log;
};

static void on_peer(void *ctx, const char *name, int fd)
{
    struct run *r = ctx;
    mlog_connect(r->log, name, fd);
}

static void on_stamped_for_command(void *ctx, uint64_t id, const struct diag *why)
{
    struct run *r = ctx;
    if (why == NULL)
        group_answer(r->self, id, EXIT_DONE, SLICE_LIT("stamped\n"));
    else
        group_answer(r->self, id, EXIT_COULD_NOT, slice_str(why->text));
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct run *r = ctx;
    if (slice_eq_str(command, "stamp"))
        mlog_stamp(r->log, on_stamped_for_command, r, id);
    else
        group_answer(r->self, id, slice_eq_str(command, "reload") ? EXIT_DONE : EXIT_USE,
                     SLICE_NONE);
}

static void end(void *ctx)
{
    struct run *r = ctx;
    loop_stop(r->loop);
}

static void on_last_stamp(void *ctx, uint64_t id, const struct diag *why)
{
    struct run *r = ctx;
    (void)id;
    if (why != NULL)
        report_diag(REPORT_WARN, "stop", NULL, why);
    loop_stop(r->loop);
}

/* What was exchanged is stamped before the process goes, if the authority answers soon. */
static void on_stop(void *ctx)
{
    struct run *r = ctx;
    mlog_settle(r->log);
    loop_timer_start(r->loop, STOP_STAMP_MS, end, r);
    mlog_stamp(r->log, on_last_stamp, r, 0);
}

static int open_log(struct run *r, const char *config_path, struct diag *d)
{
    struct conffile c;
    int rc = conffile_read(config_path, &c, d);
    if (rc != 0)
        return rc;
    char dir[2048];
    snprintf(dir, sizeof dir, "%.*s", SLICE_ARG(c.conf.dir));
    snprintf(r->dir, sizeof r->dir, "%s/" MLOG_FOLDER, dir);
    struct buf server;
    buf_init(&server, 1024);
    id_server_short(&server, &c.conf.server);
    while ((rc = mlog_new(r->loop, r->dir, buf_view(&server), NULL, &r->log, d)) == ERR_DISK_FULL)
        fs_wait_for_space(d);
    buf_free(&server);
    rc = rc != 0 ? rc : submitter_folder(dir, r->heads, sizeof r->heads, d);
    rc = rc != 0 ? rc : mlog_submit(r->log, dir, &c.conf.ledger, d);
    conffile_free(&c);
    return rc;
}

int mlog_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct diag d = {0};
    struct run r = {.self = self, .loop = group_loop(self)};
    if (open_log(&r, config_path, &d) != 0) {
        advice_to_diag(&d);
        report_diag(REPORT_ERROR, "log", NULL, &d);
        return EXIT_COULD_NOT;
    }
    /* Here the process narrows itself: from now on only the journal's folders, no network. */
    const char *dirs[] = {r.dir, r.heads, NULL};
    if (sandbox_enter(SANDBOX_LOG, dirs, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &r);
    group_ready(self);
    loop_run(r.loop);
    int code = mlog_is_broken(r.log) ? EXIT_COULD_NOT : EXIT_DONE;
    mlog_free(r.log);
    return code;
}
