/* The commands of a group's control socket. */
#include "base/err.h"
#include "base/opt.h"
#include "proc/fs.h"
#include "proc/group_int.h"
#include "proc/report.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 60000 /* a child has so long to answer */
#define WATCH_MS 500
#define WATCHED_MAX (1u << 20)

static void free_content(struct group_pending *p)
{
    for (size_t i = 0; p->content != NULL && i < p->group->spec->n; i++)
        buf_free(&p->content[i]);
    free(p->content);
    p->content = NULL;
}

static void finish(struct group_pending *p)
{
    free_content(p);
    loop_timer_cancel(p->timer);
    p->timer = NULL;
    if (p->client != 0)
        control_answer(p->group->control, p->client, p->code, buf_view(&p->text));
    p->id = p->client = 0;
    buf_free(&p->text);
}

static void reload_others(struct group_pending *p);

static void add(struct group_pending *p, const struct group_inst *k, int code, struct slice text)
{
    if (code > p->code)
        p->code = code;
    if (p->several && text.n > 0)
        buf_printf(&p->text, "%s: ", k->name);
    buf_slice(&p->text, text);
    p->waiting &= ~(1u << (k - p->group->inst));
    if (p->waiting == 0 && p->content != NULL && p->code == EXIT_DONE)
        reload_others(p);
    else if (p->waiting == 0)
        finish(p);
}

static void late(void *ctx)
{
    struct group_pending *p = ctx;
    p->timer = NULL;
    p->code = EXIT_COULD_NOT;
    buf_str(&p->text, "no answer in time\n");
    finish(p);
}

static struct group_pending *pending_new(struct group *g, uint64_t client)
{
    for (size_t i = 0; i < GROUP_PENDING_MAX; i++) {
        struct group_pending *p = &g->pending[i];
        if (p->id != 0)
            continue;
        *p = (struct group_pending){.client = client, .id = ++g->next_id, .group = g};
        buf_init(&p->text, CONTROL_ANSWER_MAX);
        p->timer = loop_timer_start(g->loop, ANSWER_MS, late, p);
        return p;
    }
    return NULL;
}

static bool pass(struct group_inst *k, uint64_t id, struct slice words)
{
    return k->line != NULL && !k->told_stop &&
           ipc_send(k->line, GROUP_COMMAND, 0, id, words, -1, false) == 0;
}

static void refuse(struct group *g, uint64_t client, int code, const char *text)
{
    control_answer(g->control, client, code, slice_str(text));
}

static void forward(struct group *g, uint64_t client, struct group_inst *k, struct slice words)
{
    struct group_pending *p = pending_new(g, client);
    if (p == NULL) {
        refuse(g, client, EXIT_COULD_NOT, "too many commands wait for an answer\n");
        return;
    }
    p->waiting = 1u << (k - g->inst);
    if (!pass(k, p->id, words))
        add(p, k, EXIT_COULD_NOT, SLICE_LIT("the child is not running\n"));
}

static void refuse_reload(struct group *g, uint64_t client, const struct diag *d)
{
    char text[sizeof *d + 2];
    diag_print(d, text, sizeof text - 1);
    strcat(text, "\n");
    report_diag(REPORT_ERROR, "reload", NULL, d);
    if (client != 0)
        refuse(g, client, EXIT_NO, text);
}

/* Tells those that are first, or all others. */
static void reload_some(struct group_pending *p, bool first)
{
    struct group *g = p->group;
    for (size_t i = 0; i < g->n; i++) {
        const struct group_child *e = g->inst[i].entry;
        if (e->reloads_first == first &&
            pass(&g->inst[i], p->id, buf_view(&p->content[e - g->spec->children])))
            p->waiting |= 1u << i;
    }
}

static void reload_others(struct group_pending *p)
{
    reload_some(p, false);
    free_content(p);
    if (p->waiting == 0)
        finish(p);
}

/* Before any child hears of it the parent reads what they may not. */
static int read_content(struct group *g, struct buf *content, struct diag *d)
{
    const struct group_spec *spec = g->spec;
    int rc = 0;
    for (size_t i = 0; i < spec->n; i++) {
        const struct group_child *e = &spec->children[i];
        buf_init(&content[i], IPC_BODY_MAX);
        buf_str(&content[i], "reload");
        if (rc != 0 || !e->reads_config || spec->on_reload == NULL)
            continue;
        buf_byte(&content[i], '\n');
        rc = spec->on_reload(spec->config_path, e->name, &content[i], d);
        if (rc == 0 && content[i].failed)
            rc = diag_set(d, ERR_TOO_LARGE, "the configuration is too large");
    }
    return rc;
}

static void find_watched(struct group *g);

static void reload(struct group *g, uint64_t client)
{
    struct diag d = {0};
    struct group_pending *p = pending_new(g, client);
    struct buf *content = p == NULL ? NULL : calloc(g->spec->n, sizeof *content);
    if (content == NULL) {
        if (p != NULL) {
            p->client = 0;
            finish(p);
        }
        refuse(g, client, EXIT_COULD_NOT, "too many commands wait for an answer\n");
        return;
    }
    p->content = content;
    p->several = true;
    if (read_content(g, content, &d) != 0) {
        p->client = 0;
        finish(p);
        refuse_reload(g, client, &d);
        return;
    }
    find_watched(g);
    reload_some(p, true);
    if (p->waiting == 0)
        reload_others(p);
}

void group_command_reload(struct group *g)
{
    reload(g, 0);
}

/* --- the watched file --- */

static bool look(const struct group *g, struct stat *st)
{
    if (stat(g->watched_path, st) != 0)
        return false; /* none, or not at the moment */
    return st->st_ino != g->watched.st_ino || st->st_size != g->watched.st_size ||
           st->st_mtim.tv_sec != g->watched.st_mtim.tv_sec ||
           st->st_mtim.tv_nsec != g->watched.st_mtim.tv_nsec;
}

static void watch_again(void *ctx)
{
    struct group *g = ctx;
    struct buf content;
    struct stat st;
    struct diag d = {0};
    g->watch = loop_timer_start(g->loop, WATCH_MS, watch_again, g);
    if (!look(g, &st))
        return;
    g->watched = st;
    buf_init(&content, WATCHED_MAX);
    buf_str(&content, "watched\n");
    if (fs_read(g->watched_path, &content, &d) != 0)
        report_diag(REPORT_ERROR, "watched", NULL, &d);
    for (size_t i = 0; d.code == 0 && i < g->n; i++)
        if (strcmp(g->inst[i].entry->name, g->spec->watches_for) == 0)
            (void)pass(&g->inst[i], 0, buf_view(&content));
    buf_free(&content);
}

/* Another file is told at the next look. */
static void find_watched(struct group *g)
{
    char path[sizeof g->watched_path];
    struct diag d = {0};
    if (g->spec->watched == NULL)
        return;
    if (g->spec->watched(g->spec->config_path, path, sizeof path, &d) != 0) {
        report_diag(REPORT_ERROR, "watched", NULL, &d);
    } else if (strcmp(path, g->watched_path) != 0) {
        memcpy(g->watched_path, path, sizeof path);
        g->watched = (struct stat){0};
    }
}

void group_command_watch(struct group *g)
{
    struct stat st;
    if (g->spec->watched == NULL)
        return;
    find_watched(g);
    if (look(g, &st))
        g->watched = st;
    g->watch = loop_timer_start(g->loop, WATCH_MS, watch_again, g);
}

/* --- the control socket --- */

static void status(struct group *g, uint64_t client)
{
    struct buf b;
    struct json_out j;
    bool ready = g->phase == GROUP_RUNNING;
    for (size_t i = 0; i < g->n; i++)
        ready = ready && g->inst[i].ready;
    buf_init(&b, CONTROL_ANSWER_MAX);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "role", g->spec->role);
    json_key(&j, "ready");
    json_bool(&j, ready);
    json_knum(&j, "since_ms", g->since_ms);
    json_knum(&j, "time_ms", loop_wall_ms(g->loop));
    json_key(&j, "children");
    json_open(&j, '[');
    for (size_t i = 0; i < g->n; i++) {
        json_open(&j, '{');
        json_kstr(&j, "name", g->inst[i].name);
        json_knum(&j, "pid", g->inst[i].pid);
        json_knum(&j, "restarts", g->inst[i].restarts);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    buf_byte(&b, '\n');
    control_answer(g->control, client, EXIT_DONE, buf_view(&b));
    buf_free(&b);
}

/* By its own name, or, for the first of several, by that of its entry. */
static struct group_inst *find(struct group *g, struct slice name)
{
    for (size_t i = 0; i < g->n; i++)
        if (slice_eq_str(name, g->inst[i].name) || slice_eq_str(name, g->inst[i].entry->name))
            return &g->inst[i];
    return NULL;
}

void group_command(void *ctx, uint64_t client, struct slice line)
{
    struct group *g = ctx;
    struct slice rest = line, word;
    slice_next(&rest, ' ', &word);
    struct group_inst *k = find(g, word);
    if (slice_eq_str(line, "status")) {
        status(g, client);
    } else if (slice_eq_str(line, "stop")) {
        control_answer(g->control, client, EXIT_DONE, SLICE_LIT("stopping\n"));
        group_stop(g, GROUP_STOPPING, EXIT_DONE);
    } else if (slice_eq_str(line, "reload")) {
        reload(g, client);
    } else if (k != NULL) {
        forward(g, client, k, slice_trim(rest));
    } else if (g->spec->on_command != NULL) {
        struct buf b;
        buf_init(&b, CONTROL_ANSWER_MAX);
        int code = g->spec->on_command(line, &b);
        control_answer(g->control, client, code, buf_view(&b));
        buf_free(&b);
    } else {
        refuse(g, client, EXIT_USE,
               "unknown command: status, stop, reload, or a child's name and "
               "its words\n");
    }
}

void group_command_answer(struct group *g, const struct group_inst *k, uint64_t id,
                          struct slice body)
{
    for (size_t i = 0; i < GROUP_PENDING_MAX; i++) {
        struct group_pending *p = &g->pending[i];
        if (p->id != id || id == 0 || (p->waiting & 1u << (k - g->inst)) == 0)
            continue;
        add(p, k, body.n > 0 ? body.p[0] : EXIT_COULD_NOT, slice_from(body, 1));
        return;
    }
}

void group_command_gone(struct group *g, const struct group_inst *k)
{
    for (size_t i = 0; i < GROUP_PENDING_MAX; i++) {
        struct group_pending *p = &g->pending[i];
        if (p->id != 0 && (p->waiting & 1u << (k - g->inst)) != 0)
            add(p, k, EXIT_COULD_NOT, SLICE_LIT("the child ended before it answered\n"));
    }
}

void group_command_tell(struct group *g, struct slice body)
{
    struct slice name;
    if (!slice_next(&body, 0, &name) || body.p == NULL)
        return;
    struct group_inst *k = find(g, name);
    if (k == NULL || !pass(k, 0, body))
        report(REPORT_WARN, "tell", "no child %.*s to pass a command to", SLICE_ARG(name));
}

void group_command_free(struct group *g)
{
    loop_timer_cancel(g->watch);
    for (size_t i = 0; i < GROUP_PENDING_MAX; i++)
        if (g->pending[i].id != 0)
            finish(&g->pending[i]);
}
