#include "net/loop.h"

#include "base/err.h"
#include "base/spare.h"

#include <stdlib.h>
#include <time.h>
#include <uv.h>

#define DEFER_PASSES 8 /* then the loop looks at its descriptors again */
#define SPARE_TIMERS_MAX 4096
/* After so many descriptors the deferred calls are made, though more are ready: what they send
 * gives other processes work meanwhile. Fewer cost more system calls, more leave processors idle.
 */
#define DEFER_EVERY 16

struct deferred {
    loop_cb cb;
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active when deferred calls wait, so that the loop does not sleep */
    bool stopped;
    struct deferred *now, *next;
    size_t next_n, next_cap, now_cap;
    size_t served;             /* descriptors since deferred calls were made */
    struct loop_timer *timers; /* stopped ones, ready for use */
    size_t timers_n;
    struct spare spare;
    struct loop_owned *owned;
    uint8_t *scratch[2];
};

struct loop_timer {
    uv_timer_t uv;
    struct loop *loop;
    struct loop_timer *next; /* among the spare ones */
    loop_cb cb;
    void *ctx;
};

struct loop_fd {
    uv_poll_t uv;
    struct loop *loop;
    loop_fd_cb cb;
    void *ctx;
    int want; /* UV_READABLE, UV_WRITABLE */
};

struct loop_sig {
    uv_signal_t uv;
    loop_cb cb;
    void *ctx;
};

static void nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void run_deferred(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    l->served = 0;
    for (int pass = 0; pass < DEFER_PASSES && l->next_n > 0; pass++) {
        struct deferred *batch = l->next;
        size_t n = l->next_n, cap = l->next_cap;
        l->next = l->now;
        l->next_cap = l->now_cap;
        l->next_n = 0;
        for (size_t i = 0; i < n; i++)
            batch[i].cb(batch[i].ctx);
        l->now = batch;
        l->now_cap = cap;
    }
    if (l->next_n > 0)
        uv_idle_start(&l->idle, nothing);
    else
        uv_idle_stop(&l->idle);
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return NULL;
    }
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->prepare.data = l;
    uv_prepare_start(&l->prepare, run_deferred);
    for (int i = 0; i < 2; i++) {
        l->scratch[i] = malloc(LOOP_SCRATCH);
        if (l->scratch[i] == NULL) {
            loop_free(l);
            return NULL;
        }
    }
    return l;
}

static void free_handle(uv_handle_t *h)
{
    free(h); /* the uv handle stands first in the object */
}

static void close_handle(uv_handle_t *h, void *ctx)
{
    struct loop *l = ctx;
    if (uv_is_closing(h))
        return;
    bool embedded = h == (uv_handle_t *)&l->prepare || h == (uv_handle_t *)&l->idle;
    uv_close(h, embedded ? NULL : free_handle);
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    run_deferred(&l->prepare); /* objects that end at the end of the turn */
    while (l->owned != NULL) {
        struct loop_owned *o = l->owned;
        loop_disown(o);
        o->free_fn(o);
    }
    uv_walk(&l->uv, close_handle, l);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0) /* only closing callbacks are left */
        continue;
    uv_loop_close(&l->uv);
    free(l->now);
    free(l->next);
    free(l->scratch[0]);
    free(l->scratch[1]);
    spare_free(&l->spare);
    free(l);
}

void loop_run(struct loop *l)
{
    l->stopped = false;
    while (!l->stopped)
        uv_run(&l->uv, UV_RUN_DEFAULT);
    run_deferred(&l->prepare); /* the turn of the stop ends too, while those who wait for it live */
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    uv_stop(&l->uv);
}

int64_t loop_mono_ms(struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

int64_t loop_wall_ms(struct loop *l)
{
    (void)l;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A timer's handle is kept for the next one: closing it would take a turn and an allocation. */
static void timer_spare(struct loop_timer *t)
{
    struct loop *l = t->loop;
    if (l->timers_n == SPARE_TIMERS_MAX) {
        uv_close((uv_handle_t *)&t->uv, free_handle);
        return;
    }
    t->next = l->timers;
    l->timers = t;
    l->timers_n++;
}

static void timer_fired(uv_timer_t *uv)
{
    struct loop_timer *t = (struct loop_timer *)uv;
    loop_cb cb = t->cb;
    void *ctx = t->ctx;
    timer_spare(t);
    cb(ctx);
}

struct loop_timer *loop_timer_start(struct loop *l, int64_t ms, loop_cb cb, void *ctx)
{
    struct loop_timer *t = l->timers;
    if (t != NULL) {
        l->timers = t->next;
        l->timers_n--;
    } else {
        t = calloc(1, sizeof *t);
        if (t == NULL)
            return NULL;
        uv_timer_init(&l->uv, &t->uv);
        t->loop = l;
    }
    t->cb = cb;
    t->ctx = ctx;
    uv_timer_start(&t->uv, timer_fired, ms > 0 ? (uint64_t)ms : 0, 0);
    return t;
}

void loop_timer_cancel(struct loop_timer *t)
{
    if (t == NULL)
        return;
    uv_timer_stop(&t->uv);
    timer_spare(t);
}

void loop_defer(struct loop *l, loop_cb cb, void *ctx)
{
    if (l->next_n == l->next_cap) {
        size_t cap = l->next_cap == 0 ? 64 : l->next_cap * 2;
        struct deferred *p = realloc(l->next, cap * sizeof *p);
        if (p == NULL)
            abort(); /* a call that is lost would break what its caller relies on */
        l->next = p;
        l->next_cap = cap;
    }
    l->next[l->next_n++] = (struct deferred){cb, ctx};
}

void loop_served(struct loop *l)
{
    if (++l->served >= DEFER_EVERY)
        run_deferred(&l->prepare);
}

static void fd_ready(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *f = (struct loop_fd *)uv;
    if (status < 0) {
        /* libuv has stopped watching: let the caller's read or write find the error */
        f->want = 0;
        f->cb(f->ctx, true, true);
        return;
    }
    struct loop *l = f->loop; /* f may end in the call */
    f->cb(f->ctx, (events & UV_READABLE) != 0, (events & UV_WRITABLE) != 0);
    loop_served(l);
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_cb cb, void *ctx)
{
    struct loop_fd *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    if (uv_poll_init(&l->uv, &f->uv, fd) != 0) {
        free(f);
        return NULL;
    }
    f->loop = l;
    f->cb = cb;
    f->ctx = ctx;
    return f;
}

void loop_fd_want(struct loop_fd *f, bool read, bool write)
{
    int want = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
    if (want == f->want)
        return;
    f->want = want;
    if (want == 0)
        uv_poll_stop(&f->uv);
    else
        uv_poll_start(&f->uv, want, fd_ready);
}

void loop_fd_free(struct loop_fd *f)
{
    if (f == NULL)
        return;
    uv_poll_stop(&f->uv);
    uv_close((uv_handle_t *)&f->uv, free_handle);
}

static void signal_arrived(uv_signal_t *uv, int signo)
{
    struct loop_sig *s = (struct loop_sig *)uv;
    (void)signo;
    s->cb(s->ctx);
}

int loop_signal(struct loop *l, int signo, loop_cb cb, void *ctx)
{
    struct loop_sig *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_NOMEM;
    s->cb = cb;
    s->ctx = ctx;
    uv_signal_init(&l->uv, &s->uv);
    if (uv_signal_start(&s->uv, signal_arrived, signo) != 0) {
        uv_close((uv_handle_t *)&s->uv, free_handle);
        return ERR_IO;
    }
    return 0;
}

void loop_own(struct loop *l, struct loop_owned *o, void (*free_fn)(struct loop_owned *))
{
    o->free_fn = free_fn;
    o->next = l->owned;
    o->link = &l->owned;
    if (o->next != NULL)
        o->next->link = &o->next;
    l->owned = o;
}

void loop_disown(struct loop_owned *o)
{
    if (o->link == NULL)
        return;
    *o->link = o->next;
    if (o->next != NULL)
        o->next->link = o->link;
    o->link = NULL;
}

uint8_t *loop_scratch(struct loop *l, int half)
{
    return l->scratch[half];
}

struct spare *loop_spare(struct loop *l)
{
    return &l->spare;
}
