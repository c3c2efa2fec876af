#include "proc/ipc.h"

#include "base/cursor.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD 16 /* bytes before a frame's body */
#define QUEUE_MAX (4u << 20)
#define FDS_MAX 16     /* descriptors in one datagram */
#define RECEIVE_MAX 16 /* datagrams read in one wake-up */
#define SEND_BUFFER (1 << 20)
#define SPARE_MAX 4 /* empty datagrams kept for the next ones */

/* In the flags of the wire, never seen by callers. */
#define F_MEMFD 0x8000u /* the body is in the frame's descriptor; `length` is its size */
#define F_FD 0x4000u    /* a descriptor belongs to the frame */
#define F_OWN (F_MEMFD | F_FD)

struct datagram {
    struct datagram *next;
    size_t n_fds;
    int fds[FDS_MAX]; /* closed when sent */
    size_t n;
    uint8_t bytes[IPC_DATAGRAM_MAX];
};

struct ipc {
    struct loop *loop;
    struct loop_fd *ready;
    int fd;
    const struct ipc_events *ev;
    void *ctx;
    struct datagram *first, *last, *spare;
    size_t n_spare, queued, queue_max;
    bool blocked;  /* the socket takes no more now */
    bool was_full; /* on_drain is owed */
    bool turn_queued, broken, told, freed;
    unsigned depth; /* callbacks of ours on the stack */
};

static void turn(void *ctx);
static void on_ready(void *ctx, bool readable, bool writable);

/* --- life --- */

static void datagram_free(struct datagram *g)
{
    for (size_t i = 0; i < g->n_fds; i++)
        close(g->fds[i]);
    free(g);
}

static void drop_queue(struct ipc *c)
{
    while (c->first != NULL) {
        struct datagram *g = c->first;
        c->first = g->next;
        datagram_free(g);
    }
    c->last = NULL;
    c->queued = 0;
}

struct ipc *ipc_new(struct loop *l, int fd, size_t queue_max, const struct ipc_events *ev,
                    void *ctx)
{
    const int size = SEND_BUFFER;
    struct ipc *c = calloc(1, sizeof *c);
    if (c == NULL) {
        close(fd);
        return NULL;
    }
    *c = (struct ipc){.loop = l, .fd = fd, .ev = ev, .ctx = ctx};
    c->queue_max = queue_max > 0 ? queue_max : QUEUE_MAX;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* as much as the system allows */
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    c->ready = loop_fd_new(l, fd, on_ready, c);
    if (c->ready == NULL) {
        close(fd);
        free(c);
        return NULL;
    }
    loop_fd_want(c->ready, true, false);
    return c;
}

static void release(struct ipc *c)
{
    if (!c->freed || c->depth > 0 || c->turn_queued)
        return;
    while (c->spare != NULL) {
        struct datagram *g = c->spare;
        c->spare = g->next;
        free(g);
    }
    free(c);
}

void ipc_free(struct ipc *c)
{
    if (c == NULL || c->freed)
        return;
    c->freed = true;
    loop_fd_free(c->ready);
    close(c->fd);
    drop_queue(c);
    release(c);
}

/* The other end is gone or talks nonsense: the owner is told once and frees. */
static void broke(struct ipc *c)
{
    c->broken = true;
    drop_queue(c);
    loop_fd_want(c->ready, false, false);
    if (c->told || c->freed)
        return;
    c->told = true;
    c->depth++;
    if (c->ev->on_close != NULL)
        c->ev->on_close(c->ctx, c);
    c->depth--;
}

static void queue_turn(struct ipc *c)
{
    if (c->turn_queued)
        return;
    c->turn_queued = true;
    loop_defer(c->loop, turn, c);
}

/* --- sending --- */

static void put_head(uint8_t *p, size_t n, uint16_t type, uint16_t flags, uint64_t id)
{
    put_u32(p, (uint32_t)n);
    put_u16(p + 4, type);
    put_u16(p + 6, flags);
    put_u64(p + 8, id);
}

/* A descriptor with the bytes, which nobody can change any more; -1 when the system refuses. */
static int sealed_memfd(struct slice body)
{
    int fd = memfd_create("ipc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    for (size_t at = 0; at < body.n;) {
        ssize_t n = write(fd, body.p + at, body.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return -1;
        }
        at += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The datagram that has room for n more bytes and, when asked, a descriptor. */
static struct datagram *room_for(struct ipc *c, size_t n, bool with_fd)
{
    struct datagram *g = c->last;
    if (g != NULL && IPC_DATAGRAM_MAX - g->n >= n && (!with_fd || g->n_fds < FDS_MAX))
        return g;
    g = c->spare;
    if (g != NULL) {
        c->spare = g->next;
        c->n_spare--;
    } else {
        g = malloc(sizeof *g);
        if (g == NULL)
            return NULL;
    }
    g->next = NULL;
    g->n = g->n_fds = 0;
    if (c->last != NULL)
        c->last->next = g;
    else
        c->first = g;
    c->last = g;
    return g;
}

int ipc_send(struct ipc *c, uint16_t type, uint16_t flags, uint64_t id, struct slice body, int fd,
             bool fd_close)
{
    bool large = body.n > IPC_INLINE_MAX;
    uint16_t own = fd >= 0 ? F_FD : 0;
    if (c->broken || c->freed)
        return ERR_CLOSED;
    if ((large && fd >= 0) || (flags & F_OWN) != 0)
        return ERR_USAGE;
    if (body.n > IPC_BODY_MAX)
        return ERR_TOO_LARGE;
    size_t inline_n = large ? 0 : body.n;
    if (c->queued > 0 && c->queued + HEAD + inline_n > c->queue_max) {
        c->was_full = true;
        return ERR_AGAIN;
    }
    int send_fd = large                  ? sealed_memfd(body)
                  : fd >= 0 && !fd_close ? fcntl(fd, F_DUPFD_CLOEXEC, 0)
                                         : fd;
    if (send_fd < 0 && (large || fd >= 0))
        return ERR_IO;
    struct datagram *g = room_for(c, HEAD + inline_n, send_fd >= 0);
    if (g == NULL) {
        if (send_fd >= 0 && (large || !fd_close))
            close(send_fd);
        return ERR_NOMEM;
    }
    put_head(g->bytes + g->n, body.n, type, flags | own | (large ? F_MEMFD : 0), id);
    if (inline_n > 0)
        memcpy(g->bytes + g->n + HEAD, body.p, inline_n);
    g->n += HEAD + inline_n;
    if (send_fd >= 0)
        g->fds[g->n_fds++] = send_fd;
    c->queued += HEAD + inline_n;
    queue_turn(c);
    return 0;
}

/* 0, or an errno. */
static int send_datagram(int fd, const struct datagram *g)
{
    struct iovec iov = {(void *)(uintptr_t)g->bytes, g->n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control;
    if (g->n_fds > 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * g->n_fds);
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int) * g->n_fds);
        memcpy(CMSG_DATA(h), g->fds, sizeof(int) * g->n_fds);
    }
    for (;;) {
        if (sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

static void sent(struct ipc *c)
{
    struct datagram *g = c->first;
    c->first = g->next;
    if (c->first == NULL)
        c->last = NULL;
    c->queued -= g->n;
    for (size_t i = 0; i < g->n_fds; i++)
        close(g->fds[i]);
    if (c->n_spare == SPARE_MAX) {
        free(g);
        return;
    }
    g->next = c->spare;
    c->spare = g;
    c->n_spare++;
}

void ipc_flush(struct ipc *c)
{
    while (c->first != NULL && !c->freed) {
        int e = send_datagram(c->fd, c->first);
        if (e == EAGAIN || e == ENOBUFS) {
            c->blocked = true;
            break;
        }
        if (e != 0) {
            /* Frames are lost: neither end may go on as if they had come. The reading side tells.
             */
            drop_queue(c);
            shutdown(c->fd, SHUT_RDWR);
            break;
        }
        c->blocked = false;
        sent(c);
    }
    if (!c->freed && !c->broken)
        loop_fd_want(c->ready, true, c->blocked && c->first != NULL);
}

static void tell_drain(struct ipc *c)
{
    if (!c->was_full || c->queued > c->queue_max / 2 || c->freed || c->broken)
        return;
    c->was_full = false;
    c->depth++;
    if (c->ev->on_drain != NULL)
        c->ev->on_drain(c->ctx, c);
    c->depth--;
}

static void turn(void *ctx)
{
    struct ipc *c = ctx;
    c->turn_queued = false;
    if (!c->freed && !c->blocked)
        ipc_flush(c);
    tell_drain(c);
    release(c);
}

size_t ipc_queued(const struct ipc *c)
{
    return c->queued;
}

/* --- receiving --- */

struct received {
    struct slice bytes;
    size_t n_fds, next_fd;
    int fds[FDS_MAX];
};

static void close_fds(struct received *r)
{
    for (size_t i = r->next_fd; i < r->n_fds; i++)
        close(r->fds[i]);
    r->n_fds = r->next_fd = 0;
}

/* 0; ERR_AGAIN: nothing there; ERR_CLOSED; ERR_SYNTAX. */
static int receive_datagram(int fd, uint8_t *into, struct received *r)
{
    struct iovec iov = {into, IPC_DATAGRAM_MAX};
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control;
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *r = (struct received){.n_fds = 0};
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ERR_AGAIN : ERR_CLOSED;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        r->n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(r->fds, CMSG_DATA(h), r->n_fds * sizeof(int));
    }
    if (n == 0)
        return ERR_CLOSED;
    if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        close_fds(r);
        return ERR_SYNTAX;
    }
    r->bytes = slice_of(into, (size_t)n);
    return 0;
}

/* Cuts the next frame off. `own` gets the flags of the wire. */
static int next_frame(struct received *r, struct ipc_frame *f, uint16_t *own, size_t *length)
{
    f->fd = -1;
    if (r->bytes.n < HEAD)
        return ERR_SYNTAX;
    const uint8_t *p = r->bytes.p;
    *length = get_u32(p);
    *own = get_u16(p + 6) & F_OWN;
    f->type = get_u16(p + 4);
    f->flags = get_u16(p + 6) & (uint16_t)~F_OWN;
    f->id = get_u64(p + 8);
    size_t inline_n = (*own & F_MEMFD) != 0 ? 0 : *length;
    if (inline_n > IPC_INLINE_MAX || inline_n > r->bytes.n - HEAD || *own == F_OWN)
        return ERR_SYNTAX;
    f->body = slice_of(p + HEAD, inline_n);
    r->bytes = slice_from(r->bytes, HEAD + inline_n);
    if (*own == 0)
        return 0;
    if (r->next_fd == r->n_fds)
        return ERR_SYNTAX;
    f->fd = r->fds[r->next_fd++];
    return 0;
}

/* Maps a body that came in a descriptor. Only a sealed one: its bytes must not change or vanish
 * while they are read. */
static int map_body(struct ipc_frame *f, size_t length)
{
    const int need = F_SEAL_SHRINK | F_SEAL_WRITE;
    struct stat st;
    int seals = fcntl(f->fd, F_GET_SEALS);
    bool ok = seals >= 0 && (seals & need) == need && fstat(f->fd, &st) == 0 &&
              (uint64_t)st.st_size == length && length > 0 && length <= IPC_BODY_MAX;
    void *p = ok ? mmap(NULL, length, PROT_READ, MAP_PRIVATE, f->fd, 0) : MAP_FAILED;
    close(f->fd);
    f->fd = -1;
    if (p == MAP_FAILED)
        return ERR_SYNTAX;
    f->body = slice_of(p, length);
    return 0;
}

static int deliver(struct ipc *c, struct received *r)
{
    struct ipc_frame f;
    uint16_t own;
    size_t length;
    int err = next_frame(r, &f, &own, &length);
    if (err != 0)
        return err;
    bool mapped = (own & F_MEMFD) != 0;
    if (mapped && (err = map_body(&f, length)) != 0)
        return err;
    c->depth++;
    c->ev->on_frame(c->ctx, c, &f);
    c->depth--;
    if (mapped)
        munmap((void *)(uintptr_t)f.body.p, f.body.n);
    return 0;
}

static void receive(struct ipc *c)
{
    struct received r;
    int err = 0;
    bool any = false;
    for (int i = 0; i < RECEIVE_MAX && err == 0 && !c->freed; i++) {
        err = receive_datagram(c->fd, loop_scratch(c->loop, 0), &r);
        while (err == 0 && r.bytes.n > 0 && !c->freed) {
            err = deliver(c, &r);
            any = true;
        }
        close_fds(&r);
    }
    if (any && !c->freed && c->ev->on_batch != NULL) {
        c->depth++;
        c->ev->on_batch(c->ctx, c);
        c->depth--;
    }
    if (err != 0 && err != ERR_AGAIN && !c->freed)
        broke(c);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct ipc *c = ctx;
    c->depth++;
    if (writable && c->blocked) {
        c->blocked = false;
        queue_turn(c);
    }
    if (readable && !c->broken)
        receive(c);
    c->depth--;
    if (!c->freed && !c->broken)
        loop_fd_want(c->ready, true, c->blocked && c->first != NULL);
    release(c);
}

/* --- one question, one answer --- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t until)
{
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return 0;
        if (n == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_IO;
    }
}

static int call_send(int fd, uint16_t type, uint64_t id, struct slice body, int64_t until)
{
    uint8_t head[HEAD];
    struct iovec iov[2] = {{head, HEAD}, {(void *)(uintptr_t)body.p, body.n}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    put_head(head, body.n, type, 0, id);
    for (;;) {
        if (sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return ERR_CLOSED;
        int err = wait_for(fd, POLLOUT, until);
        if (err != 0)
            return err;
    }
}

/* Answers to earlier calls that timed out may still come: they are passed over by their id. */
static int call_take(struct received *r, uint64_t id, uint16_t *type, uint8_t *out, size_t cap,
                     size_t *n)
{
    while (r->bytes.n > 0) {
        struct ipc_frame f;
        uint16_t own;
        size_t length;
        int err = next_frame(r, &f, &own, &length);
        if (f.fd >= 0)
            close(f.fd);
        if (err != 0)
            return err;
        if (f.id != id)
            continue;
        if (length > cap || (own & F_MEMFD) != 0)
            return ERR_TOO_LARGE;
        *type = f.type;
        *n = f.body.n;
        if (f.body.n > 0)
            memcpy(out, f.body.p, f.body.n);
        return 0;
    }
    return ERR_AGAIN;
}

int ipc_call(int fd, uint16_t type, uint64_t id, struct slice body, uint16_t *reply_type,
             uint8_t *out, size_t cap, size_t *n, int64_t timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;
    if (body.n > IPC_INLINE_MAX)
        return ERR_TOO_LARGE;
    uint8_t *into = malloc(IPC_DATAGRAM_MAX);
    if (into == NULL)
        return ERR_NOMEM;
    int err = call_send(fd, type, id, body, until);
    while (err == 0) {
        struct received r;
        err = wait_for(fd, POLLIN, until);
        if (err != 0)
            break;
        err = receive_datagram(fd, into, &r);
        if (err == 0)
            err = call_take(&r, id, reply_type, out, cap, n);
        close_fds(&r);
        if (err == 0)
            break;
        if (err == ERR_AGAIN)
            err = 0;
    }
    free(into);
    return err;
}
