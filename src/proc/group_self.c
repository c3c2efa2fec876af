/* The child's side of a group. */
#include "proc/group.h"

#include "base/err.h"
#include "base/opt.h"
#include "proc/group_line.h"
#include "proc/group_pages.h"
#include "proc/report.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDS_MAX (2 * GROUP_CHILDREN_MAX)
#define ROLE_TEXT 128
/* Of its own, malloc gives free memory back and takes it again with every burst of messages. */
#define HEAP_KEPT (2 << 20)
#define HEAP_LARGEST (512 << 10) /* larger pieces are mapped by themselves */

struct end {
    char name[GROUP_NAME_MAX];
    int fd;
};

struct group_self {
    struct loop *loop;
    struct ipc *line;
    char name[GROUP_NAME_MAX];
    int index;
    struct end listens[GROUP_PEERS_MAX], peers[ENDS_MAX]; /* peers: until group_begin */
    size_t n_listens, n_peers;
    struct group_pages *pages;
    bool begun, ready_told, stop_wanted;
    const struct group_events *ev;
    void *ctx;
};

static void keep_end(struct end *list, size_t *n, size_t max, const struct ipc_frame *f)
{
    struct end e = {.fd = f->fd};
    if (f->fd < 0)
        return;
    if (!slice_cstr(f->body, e.name, sizeof e.name) || *n == max) {
        close(f->fd);
        return;
    }
    list[(*n)++] = e;
}

static void on_peer(struct group_self *s, const struct ipc_frame *f)
{
    char name[GROUP_NAME_MAX];
    if (s->ev == NULL) {
        keep_end(s->peers, &s->n_peers, ENDS_MAX, f);
        return;
    }
    if (f->fd < 0)
        return;
    if (s->ev->on_peer != NULL && slice_cstr(f->body, name, sizeof name))
        s->ev->on_peer(s->ctx, name, f->fd);
    else
        close(f->fd);
}

static void stop(void *ctx)
{
    struct group_self *s = ctx;
    if (s->ev->on_stop != NULL)
        s->ev->on_stop(s->ctx);
    else
        loop_stop(s->loop);
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct group_self *s = ctx;
    (void)c;
    switch (f->type) {
    case GROUP_LISTEN:
        keep_end(s->listens, &s->n_listens, GROUP_PEERS_MAX, f);
        return;
    case GROUP_PEER:
        on_peer(s, f);
        return;
    case GROUP_PAGE:
    case GROUP_STATM:
        if (f->fd >= 0)
            group_pages_take(s->pages, s->name, f->type == GROUP_STATM, f->body, f->fd);
        return;
    case GROUP_BEGIN:
        s->begun = true;
        loop_stop(s->loop);
        return;
    case GROUP_COMMAND:
        if (s->ev != NULL && s->ev->on_command != NULL)
            s->ev->on_command(s->ctx, f->id, f->body);
        else
            group_answer(s, f->id, EXIT_USE, SLICE_LIT("this child takes no commands\n"));
        return;
    case GROUP_STOP:
        s->stop_wanted = true;
        if (s->ev != NULL)
            stop(s);
        else if (!s->begun)
            loop_stop(s->loop);
        return;
    default:
        if (f->fd >= 0)
            close(f->fd);
    }
}

/* Without its parent a child has nobody to answer to. */
static void on_close(void *ctx, struct ipc *c)
{
    (void)ctx;
    (void)c;
    report(REPORT_ERROR, "parent_gone", "the parent process is gone");
    _exit(EXIT_COULD_NOT);
}

static const struct ipc_events line_events = {.on_frame = on_frame, .on_close = on_close};

static const struct group_child *find_entry(const struct group_spec *spec, struct slice base)
{
    for (size_t i = 0; i < spec->n; i++)
        if (slice_eq_str(base, spec->children[i].name))
            return &spec->children[i];
    return NULL;
}

/* "worker:1" is index 1 of the entry "worker". */
static const struct group_child *take_name(struct group_self *s, const struct group_spec *spec,
                                           const char *name)
{
    struct slice rest = slice_str(name), base;
    uint64_t index = 0;
    if (!slice_cstr(rest, s->name, sizeof s->name) || !slice_next(&rest, ':', &base))
        return NULL;
    if (rest.p != NULL && (!slice_u64(rest, &index) || index >= GROUP_CHILDREN_MAX))
        return NULL;
    s->index = (int)index;
    return find_entry(spec, base);
}

/* The parent speaks first and asks for the end: signals of a terminal or a supervisor that reach
 * the whole group must not overtake it. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        signal(signals[i], SIG_IGN);
}

static void close_ends(struct group_self *s)
{
    for (size_t i = 0; i < s->n_listens; i++)
        close(s->listens[i].fd);
    for (size_t i = 0; i < s->n_peers; i++)
        close(s->peers[i].fd);
}

int group_run_child(const struct group_spec *spec, const char *name)
{
    static struct group_pages seen; /* lives as long as the process, as its own page does */
    char role[ROLE_TEXT];
    struct group_self s = {.index = 0};
    int code = EXIT_COULD_NOT;
    snprintf(role, sizeof role, "%s/%s", spec->role, name);
    report_open(role);
    const struct group_child *entry = take_name(&s, spec, name);
    if (entry == NULL) {
        report(REPORT_ERROR, "child", "%s has no child %s", spec->role, name);
        return EXIT_USE;
    }
    ignore_signals();
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    mallopt(M_MMAP_THRESHOLD, HEAP_LARGEST);
    s.loop = loop_new();
    s.pages = &seen;
    if (s.loop != NULL)
        s.line = ipc_new(s.loop, GROUP_LINE_FD, 0, &line_events, &s);
    if (s.line == NULL) {
        report(REPORT_ERROR, "child", "the line to the parent process is missing");
        loop_free(s.loop);
        return EXIT_COULD_NOT;
    }
    loop_run(s.loop); /* until the parent has sent sockets and lines */
    code = s.stop_wanted ? EXIT_DONE : entry->run(&s, spec->config_path);
    ipc_flush(s.line);
    ipc_free(s.line);
    loop_free(s.loop);
    close_ends(&s);
    return code;
}

struct loop *group_loop(struct group_self *s)
{
    return s->loop;
}

void group_begin(struct group_self *s, const struct group_events *ev, void *ctx)
{
    s->ev = ev;
    s->ctx = ctx;
    size_t n = s->n_peers;
    s->n_peers = 0;
    for (size_t i = 0; i < n; i++) {
        if (ev->on_peer != NULL)
            ev->on_peer(ctx, s->peers[i].name, s->peers[i].fd);
        else
            close(s->peers[i].fd);
    }
    if (s->stop_wanted)
        loop_defer(s->loop, stop, s);
}

const struct group_pages *group_pages(const struct group_self *s)
{
    return s->pages;
}

const char *group_name(const struct group_self *s)
{
    return s->name;
}

int group_index(const struct group_self *s)
{
    return s->index;
}

int group_listen_fd(const struct group_self *s, const char *name)
{
    for (size_t i = 0; i < s->n_listens; i++)
        if (strcmp(s->listens[i].name, name) == 0)
            return s->listens[i].fd;
    return -1;
}

/* The queue to the parent is never full by itself: what does not fit means that the parent hangs,
 * and then nobody waits for it. */
static void say(struct group_self *s, enum group_line type, uint64_t id, struct slice body)
{
    if (ipc_send(s->line, (uint16_t)type, 0, id, body, -1, false) != 0)
        report(REPORT_ERROR, "parent_busy", "the parent process does not take a message");
}

void group_ready(struct group_self *s)
{
    if (s->ready_told)
        return;
    s->ready_told = true;
    say(s, GROUP_READY, 0, SLICE_NONE);
}

void group_answer(struct group_self *s, uint64_t id, int exit_code, struct slice text)
{
    struct buf b;
    if (id == 0) /* nobody waits for it */
        return;
    buf_init(&b, IPC_BODY_MAX);
    buf_byte(&b, (uint8_t)exit_code);
    buf_slice(&b, text);
    if (b.failed) {
        buf_reset(&b);
        buf_byte(&b, EXIT_COULD_NOT);
        buf_str(&b, "the answer is too large\n");
    }
    say(s, GROUP_ANSWER, id, buf_view(&b));
    buf_free(&b);
}

void group_tell(struct group_self *s, const char *child, struct slice command)
{
    struct buf b;
    buf_init(&b, CONTROL_COMMAND_MAX);
    buf_add(&b, child, strlen(child) + 1);
    buf_slice(&b, command);
    if (!b.failed)
        say(s, GROUP_TELL, 0, buf_view(&b));
    buf_free(&b);
}
