#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ACCEPT_MAX 16 /* a turn, so that a storm of new connections leaves time for the old */
#define REST_MS 100   /* when the system has no descriptors or memory left */

struct listener {
    struct loop *loop;
    struct loop_fd *ready;
    struct loop_timer *rest;
    int fd;
    bool paused;
    bool *freed; /* set by listener_free while the callback runs */
    listener_cb cb;
    void *ctx;
};

static void rested(void *ctx)
{
    struct listener *s = ctx;
    s->rest = NULL;
    loop_fd_want(s->ready, !s->paused, false);
}

void listener_rest(struct listener *s, int64_t ms)
{
    if (s->rest != NULL)
        return;
    loop_fd_want(s->ready, false, false);
    s->rest = loop_timer_start(s->loop, ms, rested, s);
}

static void accept_some(void *ctx, bool readable, bool writable)
{
    struct listener *s = ctx;
    bool freed = false;
    (void)readable, (void)writable;
    s->freed = &freed;
    for (int i = 0; i < ACCEPT_MAX && !s->paused && s->rest == NULL; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            s->cb(s->ctx, fd);
            if (freed)
                return;
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN)
            listener_rest(s, REST_MS);
        break;
    }
    s->freed = NULL;
}

struct listener *listener_new(struct loop *l, int fd, listener_cb cb, void *ctx)
{
    struct listener *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    *s = (struct listener){.loop = l, .fd = fd, .cb = cb, .ctx = ctx};
    s->ready = loop_fd_new(l, fd, accept_some, s);
    if (s->ready == NULL) {
        free(s);
        return NULL;
    }
    loop_fd_want(s->ready, true, false);
    return s;
}

void listener_free(struct listener *s)
{
    if (s == NULL)
        return;
    if (s->freed != NULL)
        *s->freed = true;
    loop_timer_cancel(s->rest);
    loop_fd_free(s->ready);
    free(s);
}

void listener_pause(struct listener *s, bool pause)
{
    s->paused = pause;
    if (s->rest == NULL)
        loop_fd_want(s->ready, !pause, false);
}
