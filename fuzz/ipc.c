/*
 * Datagrams from another process. The input is cut into datagrams by a length of two bytes each;
 * whatever they hold, the frames told lie within them, and the line ends with on_close, once.
 */
#include "base/cursor.h"
#include "proc/ipc.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static size_t told, sent;
static unsigned closed;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    volatile uint8_t sum = 0;
    (void)ctx;
    (void)c;
    must(f->fd == -1 && f->body.n <= IPC_INLINE_MAX);
    for (size_t i = 0; i < f->body.n; i++)
        sum = (uint8_t)(sum + f->body.p[i]);
    told += 16 + f->body.n;
    must(told <= sent);
}

static void on_close(void *ctx, struct ipc *c)
{
    (void)ctx;
    (void)c;
    closed++;
    loop_stop(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ipc_events events = {.on_frame = on_frame, .on_close = on_close};
    struct rd r = rd_of(slice_of(data, size));
    int pair[2];
    if (loop == NULL)
        loop = loop_new();
    must(loop != NULL);
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
    struct ipc *c = ipc_new(loop, pair[0], 0, &events, NULL);
    must(c != NULL);
    told = sent = 0;
    closed = 0;
    while (rd_left(&r) > 2) {
        size_t n = rd_u16(&r);
        struct slice d = rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r));
        if (d.n > 0 && send(pair[1], d.p, d.n, 0) == (ssize_t)d.n)
            sent += d.n;
    }
    close(pair[1]);
    loop_run(loop);
    must(closed == 1);
    ipc_free(c);
    return 0;
}
