#include "authority/registrar.h"
#include "authority/authority_facts.h"
#include "authority/publish.h"
#include "authority/state.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "journal/journal.h"
#include "keys/remote.h"
#include "proc/certfile.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "submit/logged_conf.h"
#include "submit/prove.h"
#include "submit/submitter.h"
#include "wire/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATION_MAX (128u << 20)
#define KEEP_MS 660000 /* parts stay for clients that read the directory just before it changed */
#define RETRY_SYNC_MS 1000 /* so often a full disk is tried again */
#define SOON_MS 20         /* changes that come together make one generation */
#define GAP_MS 250         /* between generations while changes keep coming */

struct registrar {
    struct group_self *self;
    struct loop *loop;
    struct authority_conf conf;
    struct journal *journal;
    struct state *state;
    struct publish_keys keys;
    int key_line;
    struct ipc *worker;
    struct submitter *submitter; /* NULL: no ledger is configured */
    struct loop_timer *timer;
    bool unsettled; /* a record is not on the disk yet */
    struct loop_timer *again;
    bool soon;            /* the timer is for a change, not for the interval */
    int64_t published_ms; /* monotonic */
    bool started;         /* keys are here: from now on the distributor is told */
    struct buf set;       /* the newest generation, encoded; at first one without files */
    /* The newest generation, served or not: it waits for its proof. */
    struct {
        struct arena *a; /* NULL: none */
        struct publish_set *set;
        uint64_t seq; /* of the journal's record that names it */
        bool logged;  /* there is one, and no proof yet */
        bool held;    /* not served before the proof, or before the timer */
        struct loop_timer *timer;
    } next;
    bool more;   /* something changed while one was held */
    bool serves; /* one was made: the distributor has something to serve */
};

/* --- a generation --- */

static int write_files(struct registrar *r, const struct publish_set *set, struct diag *d)
{
    char path[1400], folder[1400];
    int rc = 0;
    for (size_t i = 0; i < set->n; i++) { /* the proof of another generation */
        snprintf(path, sizeof path, "%s/public/%s" PUBLISH_PROOF, r->conf.dir, set->f[i].path);
        unlink(path);
    }
    for (size_t i = 0; rc == 0 && i < set->n; i++) {
        snprintf(path, sizeof path, "%s/public/%s", r->conf.dir, set->f[i].path);
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
        rc = fs_mkdirs(folder, 0755, d);
        rc = rc != 0 ? rc : fs_write(path, set->f[i].bytes, 0644, d);
    }
    return rc;
}

static void remove_folder(const char *path)
{
    char file[2048];
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && unlink(file) != 0)
            report(REPORT_WARN, "publish", "%s cannot be removed", file);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

/* Folders of parts that no directory of the last minutes names. */
static void remove_old(struct registrar *r, int version)
{
    char path[1400], sub[1700];
    struct stat st;
    snprintf(path, sizeof path, "%s/public/V%d", r->conf.dir, version);
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && stat(sub, &st) == 0 &&
            loop_wall_ms(r->loop) - (int64_t)st.st_mtime * 1000 > KEEP_MS)
            remove_folder(sub);
    }
    if (dir != NULL)
        closedir(dir);
}

static void send_set(struct registrar *r)
{
    if (r->worker != NULL && r->started &&
        ipc_send(r->worker, REGISTRAR_FRAME_SET, 0, 0, buf_view(&r->set), -1, false) != 0)
        report(REPORT_ERROR, "publish", "a generation could not be handed to the distributor");
}

static void encode(struct registrar *r, const struct publish_set *set)
{
    buf_reset(&r->set);
    wr_u32(&r->set, (uint32_t)set->n);
    for (size_t i = 0; i < set->n; i++) {
        wr_var(&r->set, slice_str(set->f[i].path));
        wr_var(&r->set, set->f[i].bytes);
    }
}

static void publish_soon(struct registrar *r);

/* The generation is served as it stands, with its proof or without. */
static void serve(struct registrar *r)
{
    struct diag d = {0};
    r->next.held = false;
    loop_timer_cancel(r->next.timer);
    r->next.timer = NULL;
    encode(r, r->next.set);
    send_set(r);
    for (int v = PUBLISH_VERSION_MIN; v <= PUBLISH_VERSION_MAX; v++)
        remove_old(r, v);
    /* The distributor serves from memory: a disk that is full ends no configuration. */
    if (write_files(r, r->next.set, &d) != 0)
        report_diag(REPORT_ERROR, "publish", NULL, &d);
    if (r->more) {
        r->more = false;
        publish_soon(r);
    }
}

/* --- its proof --- */

/* The ledger has not answered in time: exchange goes on without. */
static void hold_no_longer(void *ctx)
{
    struct registrar *r = ctx;
    r->next.timer = NULL;
    report(REPORT_WARN, "publish",
           "a configuration is served without its proof: the ledger has not taken it in time");
    serve(r);
}

static void on_accepted(void *ctx)
{
    struct registrar *r = ctx;
    struct diag d = {0};
    struct buf proof;
    if (!r->next.logged || heads_last(submitter_heads(r->submitter)) <= r->next.seq)
        return;
    r->next.logged = false;
    buf_init(&proof, LOGGED_CONF_PROOF_MAX);
    int rc = prove_record(r->journal, submitter_heads(r->submitter), r->next.seq, &proof, &d);
    rc = rc != 0 ? rc : publish_add_proof(r->next.set, buf_view(&proof), r->next.a, &d);
    if (rc != 0)
        report_diag(REPORT_ERROR, "publish", NULL, &d);
    buf_free(&proof);
    if (rc == 0 || r->next.held)
        serve(r);
}

static int not_settled(struct registrar *r, int rc, struct diag *d);

/* The journal says what is going to be served. */
static void log_generation(struct registrar *r)
{
    struct buf text;
    struct diag d = {0};
    buf_init(&text, 4096);
    publish_record(r->next.set, &text);
    int rc = journal_append(r->journal, LOGGED_CONF_RECORD, 0, loop_wall_ms(r->loop), SLICE_NONE,
                            buf_view(&text), &r->next.seq, &d);
    rc = rc != 0 ? rc : journal_sync(r->journal, &d);
    buf_free(&text);
    if (rc != 0) {
        r->unsettled = true;
        (void)not_settled(r, rc, &d);
        return;
    }
    r->next.logged = true;
    submitter_now(r->submitter);
}

static void forget(struct registrar *r)
{
    loop_timer_cancel(r->next.timer);
    arena_free(r->next.a);
    memset(&r->next, 0, sizeof r->next);
}

/* A new generation; false when none can be made. */
static bool make(struct registrar *r)
{
    struct diag d = {0};
    forget(r);
    r->next.a = arena_new(GENERATION_MAX);
    r->next.set = r->next.a == NULL ? NULL : arena_zalloc(r->next.a, sizeof *r->next.set);
    int rc = r->next.set == NULL ? diag_set(&d, ERR_NOMEM, "no memory for a generation")
                                 : publish_make(&r->conf, r->state, &r->keys, loop_wall_ms(r->loop),
                                                r->next.a, r->next.set, &d);
    if (rc == 0) {
        authority_facts_signed(loop_wall_ms(r->loop), r->conf.expire_ms);
        return true;
    }
    forget(r);
    authority_facts_failed(loop_wall_ms(r->loop), &d);
    report_diag(rc == ERR_NOT_FOUND ? REPORT_INFO : REPORT_ERROR, "publish", NULL, &d);
    return false;
}

static void publish(void *ctx)
{
    struct registrar *r = ctx;
    r->timer = NULL;
    r->soon = false;
    r->published_ms = loop_mono_ms(r->loop);
    if (r->next.held) {
        r->more = true; /* the next one, once this one is served */
    } else if (make(r)) {
        bool first = !r->serves;
        r->serves = true;
        if (r->submitter != NULL && r->conf.wait_ms > 0)
            log_generation(r);
        /* Whoever has nothing yet waits for no proof. */
        r->next.held = r->next.logged && !first;
        if (r->next.held)
            r->next.timer = loop_timer_start(r->loop, r->conf.wait_ms, hold_no_longer, r);
        else
            serve(r);
    }
    if (r->timer == NULL)
        r->timer = loop_timer_start(r->loop, r->conf.interval_ms, publish, r);
}

static void publish_soon(struct registrar *r)
{
    if (r->soon)
        return;
    int64_t gap = r->published_ms + GAP_MS - loop_mono_ms(r->loop);
    loop_timer_cancel(r->timer);
    r->soon = true;
    r->timer = loop_timer_start(r->loop, gap > SOON_MS ? gap : SOON_MS, publish, r);
}

/* --- commands: a JSON array of words is a change; "show", "anchor", "anchor external" --- */

static int replay(void *ctx, const struct journal_record *rec)
{
    struct registrar *r = ctx;
    struct diag d = {0};
    if (rec->type != STATE_CHANGE)
        return 0;
    int rc = state_apply(r->state, rec->payload, &d);
    if (rc != 0)
        report_diag(REPORT_ERROR, "journal", NULL, &d);
    return rc != 0 ? ERR_CORRUPT : 0;
}

/* The state that the durable records give. */
static int restore(struct registrar *r, struct diag *d)
{
    state_free(r->state);
    r->state = state_new(r->conf.instance);
    return r->state == NULL ? diag_set(d, ERR_NOMEM, "no memory for the state")
                            : journal_scan(r->journal, 0, replay, r, d);
}

static void settle_again(void *ctx);

/* A record is not on the disk: until it is, no change is taken, and what is published is what the
 * disk has. */
static int not_settled(struct registrar *r, int rc, struct diag *d)
{
    struct diag own;
    report_diag(REPORT_ERROR, "journal", NULL, d);
    if (rc != ERR_DISK_FULL || journal_is_broken(r->journal) || restore(r, &own) != 0)
        exit(EXIT_COULD_NOT); /* only a new start puts that right */
    if (r->again == NULL)
        r->again = loop_timer_start(r->loop, RETRY_SYNC_MS, settle_again, r);
    return rc;
}

static int settle(struct registrar *r, struct diag *d)
{
    if (!r->unsettled)
        return 0;
    int rc = journal_sync(r->journal, d);
    rc = rc != 0 ? rc : restore(r, d); /* with what could not be written then */
    if (rc != 0)
        return not_settled(r, rc, d);
    r->unsettled = false;
    publish_soon(r);
    return 0;
}

static void settle_again(void *ctx)
{
    struct registrar *r = ctx;
    struct diag d = {0};
    r->again = NULL;
    if (settle(r, &d) == 0)
        report(REPORT_INFO, "journal", "the journal is written again");
}

static int change(struct registrar *r, struct slice words, struct buf *answer, struct diag *d)
{
    uint64_t seq;
    int rc = settle(r, d);
    rc = rc != 0 ? rc : state_apply(r->state, words, d);
    if (rc != 0)
        return rc;
    rc = journal_append(r->journal, STATE_CHANGE, 0, loop_wall_ms(r->loop), SLICE_NONE, words, &seq,
                        d);
    rc = rc != 0 ? rc : journal_sync(r->journal, d);
    if (rc != 0) {
        r->unsettled = true;
        return not_settled(r, rc, d);
    }
    tally_add(AUTHORITY_FACTS_CHANGES, 1);
    publish_soon(r);
    buf_str(answer, "done\n");
    return 0;
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct registrar *r = ctx;
    struct buf answer;
    struct diag d = {0};
    int rc = 0;
    buf_init(&answer, 32u << 20);
    if (slice_starts(command, "["))
        rc = change(r, command, &answer, &d);
    else if (slice_eq_str(command, "show"))
        state_print(r->state, &answer);
    else if (slice_eq_str(command, "anchor") || slice_eq_str(command, "anchor external"))
        rc = publish_anchor(&r->conf, &r->keys, slice_ends(command, "external"),
                            loop_wall_ms(r->loop), &answer, &d);
    else
        rc = diag_set(&d, ERR_USAGE, "unknown command");
    if (rc != 0) {
        buf_reset(&answer);
        buf_printf(&answer, "%s\n", d.text);
    }
    int code = rc == 0                                   ? EXIT_DONE
               : rc == ERR_USAGE                         ? EXIT_USE
               : rc == ERR_NOT_FOUND || rc == ERR_EXISTS ? EXIT_NO
                                                         : EXIT_COULD_NOT;
    group_answer(r->self, id, code, buf_view(&answer));
    buf_free(&answer);
}

/* --- life --- */

static int open_state(struct registrar *r, const char *config_path, struct diag *d)
{
    char path[1200], public[1200], heads[1200];
    const char *dirs[] = {path, public, heads, NULL};
    int rc = authority_conf_read(config_path, &r->conf, d);
    if (rc != 0)
        return rc;
    r->keys.internal_cert = certfile_read(r->conf.dir, "internal", d);
    r->keys.external_cert = certfile_read(r->conf.dir, "external", d);
    if (r->keys.internal_cert == NULL || r->keys.external_cert == NULL)
        return ERR_CERT_NOT_FOUND;
    snprintf(path, sizeof path, "%s/journal", r->conf.dir);
    snprintf(public, sizeof public, "%s/public", r->conf.dir);
    while ((rc = journal_open(path, NULL, &r->journal, d)) == ERR_DISK_FULL)
        fs_wait_for_space(d);
    rc = rc != 0 ? rc : restore(r, d);
    rc = rc != 0 ? rc : fs_mkdirs(public, 0755, d);
    rc = rc != 0 ? rc : submitter_folder(r->conf.dir, heads, sizeof heads, d);
    rc = rc != 0
             ? rc
             : submitter_new(r->loop, r->journal, r->conf.dir, &r->conf.ledger, &r->submitter, d);
    submitter_watch(r->submitter, on_accepted, r);
    /* Here the process narrows itself: from now on journal and published files, no network. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_LOG, dirs, d);
}

static void on_worker_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    (void)ctx;
    (void)c;
    if (f->fd >= 0)
        close(f->fd);
}

static void on_worker_closed(void *ctx, struct ipc *c)
{
    struct registrar *r = ctx;
    if (r->worker == c)
        r->worker = NULL;
    ipc_free(c);
}

static void take_keys(struct registrar *r, int fd)
{
    struct diag d = {0};
    EVP_PKEY_free(r->keys.internal);
    EVP_PKEY_free(r->keys.external);
    if (r->key_line >= 0)
        close(r->key_line);
    r->key_line = fd;
    r->keys.internal = remote_key_new(fd, SIGNER_CONF, "internal", r->keys.internal_cert->key, &d);
    r->keys.external = remote_key_new(fd, SIGNER_CONF, "external", r->keys.external_cert->key, &d);
    if (r->keys.internal == NULL || r->keys.external == NULL) {
        report_diag(REPORT_ERROR, "keys", NULL, &d);
        return;
    }
    publish(r);
    r->started = true;
    send_set(r);
    group_ready(r->self);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_worker_frame, .on_close = on_worker_closed};
    struct registrar *r = ctx;
    if (strchr(name, '!') != NULL) {
        take_keys(r, fd);
    } else if (strncmp(name, "worker", 6) == 0) {
        ipc_free(r->worker);
        r->worker = ipc_new(r->loop, fd, 64u << 20, &ev, r);
        send_set(r);
    } else if (strncmp(name, "key", 3) == 0) {
        submitter_key(r->submitter, fd);
    } else if (strncmp(name, "agent", 5) == 0) {
        submitter_connect(r->submitter, fd);
    } else {
        close(fd);
    }
}

static void on_stop(void *ctx)
{
    struct registrar *r = ctx;
    loop_stop(r->loop);
}

int registrar_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct registrar r = {.self = self, .loop = group_loop(self), .key_line = -1};
    struct diag d = {0};
    buf_init(&r.set, GENERATION_MAX);
    wr_u32(&r.set, 0);
    if (open_state(&r, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &r);
    loop_run(r.loop);
    loop_timer_cancel(r.timer);
    loop_timer_cancel(r.again);
    forget(&r);
    ipc_free(r.worker);
    submitter_free(r.submitter);
    EVP_PKEY_free(r.keys.internal);
    EVP_PKEY_free(r.keys.external);
    cert_free(r.keys.internal_cert);
    cert_free(r.keys.external_cert);
    state_free(r.state);
    journal_close(r.journal);
    buf_free(&r.set);
    authority_conf_free(&r.conf);
    return EXIT_DONE;
}
