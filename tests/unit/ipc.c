#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "proc/ipc.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
    struct ipc *c;
    unsigned frames, batches, drains, closes;
    uint16_t type, flags;
    uint64_t id, next_id;
    struct buf body;
    int fd;
    bool order_ok, free_at_frame, free_at_close;
    unsigned stop_at;
};

static struct loop *loop;
static struct end a, b;
static int raw; /* the other end, when it is a plain descriptor */

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct end *e = ctx;
    e->frames++;
    e->type = f->type;
    e->flags = f->flags;
    e->order_ok = e->order_ok && f->id == e->next_id++;
    e->id = f->id;
    buf_reset(&e->body);
    buf_slice(&e->body, f->body);
    if (f->fd >= 0) {
        if (e->fd >= 0)
            close(e->fd);
        e->fd = f->fd;
    }
    if (e->free_at_frame) {
        ipc_free(c);
        e->c = NULL;
    }
    if (e->frames == e->stop_at)
        loop_stop(loop);
}

static void on_batch(void *ctx, struct ipc *c)
{
    (void)c;
    ((struct end *)ctx)->batches++;
}

static void on_drain(void *ctx, struct ipc *c)
{
    (void)c;
    ((struct end *)ctx)->drains++;
    loop_stop(loop);
}

static void on_close(void *ctx, struct ipc *c)
{
    struct end *e = ctx;
    e->closes++;
    if (e->free_at_close) {
        ipc_free(c);
        e->c = NULL;
    }
    loop_stop(loop);
}

static const struct ipc_events events = {
    .on_frame = on_frame, .on_batch = on_batch, .on_drain = on_drain, .on_close = on_close};

static void begin(bool both, size_t queue_max)
{
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    loop = loop_new();
    CHECK(loop != NULL);
    a = b = (struct end){.fd = -1, .order_ok = true};
    buf_init(&a.body, IPC_BODY_MAX);
    buf_init(&b.body, IPC_BODY_MAX);
    a.c = ipc_new(loop, pair[0], queue_max, &events, &a);
    CHECK(a.c != NULL);
    raw = both ? -1 : pair[1];
    b.c = both ? ipc_new(loop, pair[1], 0, &events, &b) : NULL;
}

static void late(void *ctx)
{
    *(bool *)ctx = true;
    loop_stop(loop);
}

static void run(void)
{
    bool too_late = false;
    struct loop_timer *t = loop_timer_start(loop, 10000, late, &too_late);
    loop_run(loop);
    if (too_late)
        FAIL("nothing came for 10 s");
    loop_timer_cancel(t);
}

static void rest(int64_t ms)
{
    bool x;
    CHECK(loop_timer_start(loop, ms, late, &x) != NULL);
    loop_run(loop);
}

static void finish(void)
{
    ipc_free(a.c);
    ipc_free(b.c);
    loop_free(loop);
    buf_free(&a.body);
    buf_free(&b.body);
    if (raw >= 0)
        close(raw);
}

TEST(frames_arrive_in_order_and_gather_in_few_datagrams)
{
    begin(true, 0);
    b.stop_at = 1000;
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_INT(ipc_send(a.c, 7, 3, i, SLICE_LIT("twenty bytes of body"), -1, false), 0);
    CHECK_INT(ipc_queued(a.c), 1000 * 36);
    run();
    rest(1);
    CHECK(b.order_ok);
    CHECK_INT(b.type, 7);
    CHECK_INT(b.flags, 3);
    CHECK(slice_eq_str(buf_view(&b.body), "twenty bytes of body"));
    CHECK_INT(b.batches, 1);
    CHECK_INT(ipc_queued(a.c), 0);
    finish();
}

TEST(bodies_of_every_size_arrive_whole)
{
    static const size_t sizes[] = {0, 1, IPC_INLINE_MAX, IPC_INLINE_MAX + 1, 1 << 20, IPC_BODY_MAX};
    begin(true, 0);
    uint8_t *big = malloc(IPC_BODY_MAX + 1);
    CHECK(big != NULL);
    for (size_t i = 0; i <= IPC_BODY_MAX; i++)
        big[i] = (uint8_t)(i * 31 >> 3);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        b.stop_at = i + 1;
        CHECK_INT(ipc_send(a.c, 1, 0, i, slice_of(big, sizes[i]), -1, false), 0);
        run();
        CHECK(slice_eq(buf_view(&b.body), slice_of(big, sizes[i])));
    }
    CHECK_INT(ipc_send(a.c, 1, 0, 9, slice_of(big, IPC_BODY_MAX + 1), -1, false), ERR_TOO_LARGE);
    CHECK_INT(ipc_send(a.c, 1, 0x8000, 9, SLICE_NONE, -1, false), ERR_USAGE);
    free(big);
    finish();
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

TEST(descriptors_go_with_their_frames)
{
    begin(true, 0);
    int fds[2];
    char c;
    CHECK_INT(pipe(fds), 0);
    b.stop_at = 40;
    int before = open_descriptors();
    for (uint64_t i = 0; i < 40; i++) /* more than one datagram takes */
        CHECK_INT(ipc_send(a.c, 1, 0, i, SLICE_NONE, i == 39 ? fds[1] : dup(fds[0]), true), 0);
    run();
    CHECK(b.order_ok);
    CHECK_INT(write(b.fd, "x", 1), 1);
    CHECK_INT(read(fds[0], &c, 1), 1);
    CHECK((fcntl(b.fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_INT(open_descriptors(), before); /* each copy sent was closed here, as asked */
    close(b.fd);
    close(fds[0]);
    finish();
}

TEST(a_full_queue_takes_no_more_until_it_has_drained)
{
    begin(false, 256 << 10);
    static const uint8_t body[32 << 10];
    int err = 0;
    unsigned sent = 0;
    for (; sent < 1000 && err == 0; sent += err == 0) {
        err = ipc_send(a.c, 1, 0, sent, slice_of(body, sizeof body), -1, false);
        ipc_flush(a.c);
    }
    CHECK_INT(err, ERR_AGAIN);
    CHECK(ipc_queued(a.c) <= 256 << 10);
    rest(20);
    CHECK_INT(a.drains, 0);
    uint8_t *in = malloc(IPC_DATAGRAM_MAX);
    size_t got = 0;
    while (a.drains == 0) {
        while (true) {
            ssize_t n = recv(raw, in, IPC_DATAGRAM_MAX, MSG_DONTWAIT);
            if (n <= 0)
                break;
            got += (size_t)n;
        }
        rest(5);
    }
    while (got < sent * (sizeof body + 16)) {
        ssize_t n = recv(raw, in, IPC_DATAGRAM_MAX, MSG_DONTWAIT);
        if (n > 0)
            got += (size_t)n;
        else
            rest(5);
    }
    free(in);
    CHECK_INT(got, sent * (sizeof body + 16));
    CHECK_INT(a.drains, 1);
    finish();
}

TEST(the_end_of_the_other_side_is_told_once)
{
    begin(true, 0);
    a.free_at_close = true;
    CHECK_INT(ipc_send(b.c, 1, 0, 0, SLICE_LIT("last words"), -1, false), 0);
    ipc_flush(b.c);
    ipc_free(b.c);
    b.c = NULL;
    run();
    CHECK_INT(a.closes, 1);
    CHECK(slice_eq_str(buf_view(&a.body), "last words"));
    finish();
}

TEST(the_owner_may_free_it_while_frames_are_delivered)
{
    begin(true, 0);
    b.free_at_frame = true;
    b.stop_at = 1;
    for (uint64_t i = 0; i < 5; i++)
        CHECK_INT(ipc_send(a.c, 1, 0, i, SLICE_NONE, -1, false), 0);
    run();
    CHECK_INT(b.frames, 1);
    CHECK_INT(b.batches, 0);
    finish();
}

/* A frame made by hand; `fd` -1 or a descriptor sent along. */
static void send_raw(size_t length, uint16_t flags, const void *body, size_t n, int fd)
{
    uint8_t head[16];
    char control[CMSG_SPACE(sizeof(int))] = {0};
    put_u32(head, (uint32_t)length);
    put_u16(head + 4, 1);
    put_u16(head + 6, flags);
    put_u64(head + 8, 0);
    struct iovec iov[2] = {{head, 16}, {(void *)(uintptr_t)body, n}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    if (fd >= 0) {
        m.msg_control = control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &fd, sizeof fd);
    }
    CHECK(sendmsg(raw, &m, 0) >= 0);
}

static void malformed(size_t length, uint16_t flags, const void *body, size_t n, int fd)
{
    begin(false, 0);
    send_raw(length, flags, body, n, fd);
    run();
    CHECK_INT(a.frames, 0);
    CHECK_INT(a.closes, 1);
    CHECK_INT(ipc_send(a.c, 1, 0, 0, SLICE_NONE, -1, false), ERR_CLOSED);
    finish();
}

TEST(a_malformed_datagram_ends_the_line)
{
    begin(false, 0);
    CHECK_INT(send(raw, "short", 5, 0), 5);
    run();
    CHECK_INT(a.closes, 1);
    finish();
    malformed(5, 0, "four", 4, -1);
    malformed(IPC_INLINE_MAX + 1, 0, "four", 4, -1);
    malformed(4, 0x4000, "four", 4, -1); /* says a descriptor, brings none */
    int fds[2];
    CHECK_INT(pipe(fds), 0);
    malformed(100, 0x8000, "", 0, fds[0]); /* no memfd */
    close(fds[0]);
    close(fds[1]);
    int m = memfd_create("unsealed", MFD_ALLOW_SEALING);
    CHECK_INT(ftruncate(m, 100), 0);
    malformed(100, 0x8000, "", 0, m);
    CHECK_INT(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), 0);
    malformed(101, 0x8000, "", 0, m); /* another size */
    begin(false, 0);
    a.stop_at = 1;
    send_raw(100, 0x8000, "", 0, m); /* and now it is right */
    run();
    CHECK_INT(a.body.n, 100);
    finish();
    close(m);
}

/* --- ipc_call, against an answering process --- */

static void answer(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    (void)ctx;
    if (f->type == 1) /* twice the body, after an answer to somebody else */
        if (ipc_send(c, 9, 0, f->id + 100, SLICE_LIT("late"), -1, false) != 0 ||
            ipc_send(c, 2, 0, f->id, f->body, -1, false) != 0)
            _exit(1);
    if (f->type == 3)
        _exit(0);
}

TEST(a_call_whose_answer_is_malformed_closes_nothing)
{
    int pair[2];
    uint16_t type;
    uint8_t out[100];
    size_t n;
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    int open_before = dup(0);
    close(open_before);
    CHECK_INT(send(pair[1], "short", 5, 0), 5);
    CHECK_INT(ipc_call(pair[0], 1, 1, SLICE_NONE, &type, out, sizeof out, &n, 5000), ERR_SYNTAX);
    int open_after = dup(0);
    CHECK_INT(open_after, open_before);
    close(open_after);
    close(pair[0]);
    close(pair[1]);
}

TEST(a_call_gets_its_own_answer_or_times_out)
{
    static const struct ipc_events answering = {.on_frame = answer};
    int pair[2];
    uint16_t type;
    uint8_t out[100];
    size_t n;
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        loop = loop_new();
        if (loop == NULL || ipc_new(loop, pair[1], 0, &answering, NULL) == NULL)
            _exit(1);
        loop_run(loop);
        _exit(1);
    }
    close(pair[1]);
    for (uint64_t id = 1; id < 4; id++) {
        CHECK_INT(ipc_call(pair[0], 1, id, SLICE_LIT("abc"), &type, out, sizeof out, &n, 5000), 0);
        CHECK_INT(type, 2);
        CHECK_INT(n, 3);
        CHECK(memcmp(out, "abc", 3) == 0);
    }
    CHECK_INT(ipc_call(pair[0], 1, 7, SLICE_LIT("abc"), &type, out, 2, &n, 5000), ERR_TOO_LARGE);
    CHECK_INT(ipc_call(pair[0], 2, 8, SLICE_NONE, &type, out, sizeof out, &n, 50), ERR_TIMEOUT);
    CHECK_INT(ipc_call(pair[0], 3, 9, SLICE_NONE, &type, out, sizeof out, &n, 5000), ERR_CLOSED);
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    close(pair[0]);
}
