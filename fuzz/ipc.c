/*
 * Datagrams from another process. The first byte chooses: bit 0, a blocking call takes them instead
 * of the loop; bit 1, every frame is sent back; bits 2 and 3, what the descriptors are. The rest is
 * cut into datagrams by two bytes each: 13 bits of length, 3 of how many descriptors (the table
 * counts). Whatever they hold, the frames told lie within what was sent, the line ends with
 * on_close, once, and no descriptor is left open.
 */
#include "base/cursor.h"
#include "base/err.h"
#include "proc/ipc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FDS_MAX 17 /* one more than a datagram may have */
#define TURNS 8
#define BODY 70000 /* of a sealed descriptor: more than fits inline */

static struct loop *loop;
static size_t told, sent;
static unsigned closed, turns;
static bool echo, left;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    volatile uint8_t sum = 0;
    (void)ctx;
    for (size_t i = 0; i < f->body.n; i++)
        sum = (uint8_t)(sum + f->body.p[i]);
    bool mapped = f->body.n == BODY;
    must(mapped || f->body.n <= IPC_INLINE_MAX);
    must((f->flags & 0xC000) == 0);
    told += 16 + (mapped ? 0 : f->body.n);
    must(told <= sent);
    bool taken = echo && ipc_send(c, f->type, f->flags, f->id, f->body, f->fd, true) == 0;
    if (f->fd >= 0 && !taken)
        close(f->fd);
    if ((f->type & 1) != 0)
        ipc_flush(c);
    must(ipc_queued(c) <= 4096 + IPC_DATAGRAM_MAX);
}

static void on_drain(void *ctx, struct ipc *c)
{
    (void)ctx;
    must(ipc_queued(c) <= 2048);
}

static void on_close(void *ctx, struct ipc *c)
{
    (void)ctx;
    closed++;
    must(ipc_send(c, 1, 0, 1, SLICE_NONE, -1, false) == ERR_CLOSED);
    if (left)
        loop_stop(loop);
}

static int descriptor(unsigned kind)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && ftruncate(fd, BODY) == 0);
    if (kind > 0)
        must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | (kind > 1 ? F_SEAL_WRITE : F_SEAL_GROW)) == 0);
    return fd;
}

static bool send_datagram(int to, struct slice d, const int *fds, size_t n)
{
    struct iovec iov = {(void *)(uintptr_t)d.p, d.n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    union {
        struct cmsghdr h;
        char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control = {.space = {0}};
    if (n > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int) * n);
        memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
    }
    return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)d.n;
}

static void send_all(int to, struct rd *r, unsigned kind)
{
    static const uint8_t counts[8] = {0, 1, 2, 3, 4, 8, 16, FDS_MAX};
    int fds[FDS_MAX];
    while (rd_left(r) > 2) {
        unsigned head = rd_u16(r);
        size_t n = head & 0x1FFF, n_fds = counts[head >> 13];
        struct slice d = rd_bytes(r, n < rd_left(r) ? n : rd_left(r));
        for (size_t i = 0; i < n_fds; i++)
            fds[i] = descriptor(kind);
        if (d.n > 0 && send_datagram(to, d, fds, n_fds))
            sent += d.n;
        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
    }
}

static void call(int fd)
{
    uint8_t out[256];
    uint16_t type;
    size_t n = 0;
    int rc = ipc_call(fd, 1, 7, SLICE_LIT("question"), &type, out, sizeof out, &n, 60000);
    must(rc == 0 ? n <= sizeof out && n + 16 <= sent
                 : rc == ERR_CLOSED || rc == ERR_SYNTAX || rc == ERR_TOO_LARGE);
}

/* The other end: takes a few answers, a turn each, then leaves. */
static void next_turn(void *ctx)
{
    static char in[1u << 18];
    if (turns-- > 0 && closed == 0) {
        (void)!recv(*(const int *)ctx, in, sizeof in, MSG_DONTWAIT);
        loop_defer(loop, next_turn, ctx);
    } else {
        left = true;
        shutdown(*(const int *)ctx, SHUT_RDWR);
        if (closed > 0)
            loop_stop(loop);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ipc_events events = {
        .on_frame = on_frame, .on_drain = on_drain, .on_close = on_close};
    const int small = 1;
    if (size < 1)
        return 0;
    struct rd r = rd_of(slice_of(data + 1, size - 1));
    int pair[2], next = dup(0);
    if (loop == NULL) {
        loop = loop_new();
        must(loop != NULL);
        close(next);
        next = dup(0);
    }
    close(next);
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
    told = sent = 0;
    closed = 0;
    left = false;
    echo = (data[0] & 2) != 0;
    send_all(pair[1], &r, data[0] >> 2 & 3);
    if ((data[0] & 1) != 0) {
        shutdown(pair[1], SHUT_WR);
        call(pair[0]);
        close(pair[0]);
        close(pair[1]);
    } else {
        struct ipc *c = ipc_new(loop, pair[0], 4096, &events, NULL);
        must(c != NULL);
        must(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
        turns = echo ? TURNS : 0;
        loop_defer(loop, next_turn, &pair[1]);
        loop_run(loop);
        must(closed == 1);
        ipc_free(c);
        close(pair[1]);
    }
    int now = dup(0);
    must(now == next); /* else a descriptor was left open */
    close(now);
    return 0;
}
