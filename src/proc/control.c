#include "proc/control.h"

#include "base/err.h"
#include "net/conn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define COMMAND_MS 10000 /* for a command line to arrive */
#define ANSWER_HEAD 64

struct client {
    struct control *control;
    struct conn *conn;
    uint64_t id;
    struct buf line;
    bool asked;
};

struct control {
    struct loop *loop;
    struct listener *listener;
    int fd;
    char path[PATH_MAX];
    struct client *clients[CLIENTS_MAX];
    uint64_t next_id;
    control_cb cb;
    void *ctx;
};

static void forget(struct client *k)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (k->control->clients[i] == k)
            k->control->clients[i] = NULL;
    buf_free(&k->line);
    free(k);
}

static void on_data(void *ctx, struct slice data)
{
    struct client *k = ctx;
    if (k->asked)
        return;
    buf_slice(&k->line, data);
    size_t end = slice_find(buf_view(&k->line), '\n');
    if (k->line.failed) {
        conn_abort(k->conn);
        return;
    }
    if (end == SIZE_MAX)
        return;
    k->asked = true;
    conn_idle_timeout(k->conn, 0);
    k->control->cb(k->control->ctx, k->id, slice_trim(slice_sub(buf_view(&k->line), 0, end)));
}

static void on_eof(void *ctx)
{
    struct client *k = ctx;
    if (!k->asked) /* a client may say its end after the command */
        conn_shutdown(k->conn);
}

static void on_close(void *ctx, const struct diag *why)
{
    (void)why;
    forget(ctx);
}

static const struct conn_events client_events = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

static void on_accept(void *ctx, int fd)
{
    struct control *c = ctx;
    size_t i = 0;
    while (i < CLIENTS_MAX && c->clients[i] != NULL)
        i++;
    struct client *k = i < CLIENTS_MAX ? calloc(1, sizeof *k) : NULL;
    if (k == NULL) {
        close(fd);
        return;
    }
    k->control = c;
    k->id = ++c->next_id;
    buf_init(&k->line, CONTROL_COMMAND_MAX);
    k->conn = conn_accept(c->loop, fd, NULL, COMMAND_MS, &client_events, k);
    if (k->conn == NULL) {
        free(k);
        return;
    }
    conn_idle_timeout(k->conn, COMMAND_MS);
    c->clients[i] = k;
}

struct control *control_new(struct loop *l, const char *path, control_cb cb, void *ctx,
                            struct diag *d)
{
    struct net_addr a;
    struct control *c = calloc(1, sizeof *c);
    if (c == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for the control socket");
        return NULL;
    }
    *c = (struct control){.loop = l, .fd = -1, .cb = cb, .ctx = ctx};
    snprintf(c->path, sizeof c->path, "%s", path);
    if (net_addr_unix(path, &a) != 0) {
        diag_set(d, ERR_TOO_LARGE, "the path of the control socket is too long: %s", path);
        free(c);
        return NULL;
    }
    unlink(path);
    mode_t mask = umask(0177);
    int err = net_listen(&a, false, &c->fd, d);
    umask(mask);
    if (err == 0) {
        c->listener = listener_new(l, c->fd, on_accept, c);
        if (c->listener == NULL)
            err = diag_set(d, ERR_NOMEM, "no memory for the control socket");
    }
    if (err != 0) {
        if (c->fd >= 0)
            close(c->fd);
        free(c);
        return NULL;
    }
    return c;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *k = c->clients[i];
        if (k == NULL)
            continue;
        conn_rebind(k->conn, NULL, NULL);
        conn_shutdown(k->conn); /* an answer that waits goes out still */
        forget(k);
    }
    listener_free(c->listener);
    close(c->fd);
    unlink(c->path);
    free(c);
}

void control_answer(struct control *c, uint64_t id, int exit_code, struct slice text)
{
    char head[ANSWER_HEAD];
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *k = c->clients[i];
        if (k == NULL || k->id != id || !k->asked)
            continue;
        int n = snprintf(head, sizeof head, "%d %zu\n", exit_code, text.n);
        conn_write(k->conn, slice_of(head, (size_t)n));
        conn_write(k->conn, text);
        conn_shutdown(k->conn);
        return;
    }
}

/* --- the client, blocking --- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t until, struct diag *d)
{
    int64_t left = until - now_ms();
    struct pollfd p = {.fd = fd, .events = events};
    int n = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (n < 0 && errno != EINTR)
        return diag_set(d, ERR_IO, "cannot wait for the control socket: %s", strerror(errno));
    return left <= 0 ? diag_set(d, ERR_TIMEOUT, "no answer in time") : 0;
}

static int send_all(int fd, struct slice data, int64_t until, struct diag *d)
{
    while (data.n > 0) {
        ssize_t n = send(fd, data.p, data.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            data = slice_from(data, (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return diag_set(d, ERR_CLOSED, "the command could not be sent: %s", strerror(errno));
        int err = wait_for(fd, POLLOUT, until, d);
        if (err != 0)
            return err;
    }
    return 0;
}

static int receive_all(int fd, struct buf *in, int64_t until, struct diag *d)
{
    for (;;) {
        uint8_t *to = buf_room(in, 4096);
        if (to == NULL)
            return diag_set(d, ERR_TOO_LARGE, "the answer is too large");
        ssize_t n = recv(fd, to, 4096, MSG_DONTWAIT);
        if (n == 0)
            return 0;
        if (n > 0) {
            in->n += (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return diag_set(d, ERR_CLOSED, "the answer broke off: %s", strerror(errno));
        int err = wait_for(fd, POLLIN, until, d);
        if (err != 0)
            return err;
    }
}

static int take_answer(struct slice in, int *exit_code, struct buf *answer, struct diag *d)
{
    struct slice code;
    uint64_t value, length;
    bool ok = slice_next(&in, ' ', &code) && slice_u64(code, &value) && value < 256;
    struct slice number;
    ok = ok && slice_next(&in, '\n', &number) && slice_u64(number, &length) && length == in.n;
    if (!ok)
        return diag_set(d, ERR_CLOSED, "the answer is incomplete: the process ended meanwhile");
    *exit_code = (int)value;
    buf_slice(answer, in);
    return answer->failed ? diag_set(d, ERR_TOO_LARGE, "the answer is too large") : 0;
}

int control_call(const char *socket_path, struct slice command, int64_t timeout_ms, int *exit_code,
                 struct buf *answer, struct diag *d)
{
    struct net_addr a;
    struct buf in;
    int64_t until = now_ms() + timeout_ms;
    if (slice_find(command, '\n') != SIZE_MAX || command.n >= CONTROL_COMMAND_MAX)
        return diag_set(d, ERR_USAGE, "a command is one line of less than %u bytes",
                        CONTROL_COMMAND_MAX);
    if (net_addr_unix(socket_path, &a) != 0)
        return diag_set(d, ERR_USAGE, "the path is too long: %s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return diag_set(d, ERR_IO, "no socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&a.sa, a.len) < 0) {
        int e = errno;
        close(fd);
        return diag_set(d, e == EACCES ? ERR_DENIED : ERR_NOT_FOUND, "nobody listens on %s: %s",
                        socket_path, strerror(e));
    }
    buf_init(&in, CONTROL_ANSWER_MAX);
    int err = send_all(fd, command, until, d);
    err = err != 0 ? err : send_all(fd, SLICE_LIT("\n"), until, d);
    err = err != 0 ? err : receive_all(fd, &in, until, d);
    err = err != 0 ? err : take_answer(buf_view(&in), exit_code, answer, d);
    buf_free(&in);
    close(fd);
    return err;
}
