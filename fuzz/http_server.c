/*
 * Bytes of a client, to the whole server over a socket. What the handler is told must not depend on
 * how the bytes are cut: each input is sent at once and again in two parts, the first byte saying
 * where.
 */
#include "net/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WAIT_PASSES 64 /* so often the end of a turn is put off between the parts */

static struct loop *loop;
static struct http_server *server;
static struct net_addr at;
static struct buf told;
static unsigned open_exchanges;

static int fd, passes;
static struct slice second;
static struct loop_fd *watch;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_request(void *ctx, struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    (void)ctx;
    open_exchanges++;
    buf_slice(&told, h->method);
    buf_byte(&told, ' ');
    buf_slice(&told, h->target);
    for (size_t i = 0; i < h->n; i++) {
        buf_slice(&told, h->h[i].name);
        buf_byte(&told, '=');
        buf_slice(&told, h->h[i].value);
    }
    buf_byte(&told, '\n');
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    (void)ctx;
    (void)x;
    buf_slice(&told, piece);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    buf_str(&told, "\nend\n");
    http_reply(x, 200, "text/plain", SLICE_NONE, SLICE_LIT("ok"));
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    (void)ctx;
    (void)x;
    (void)aborted;
    open_exchanges--;
}

static const struct http_handler handler = {
    .on_request = on_request, .on_body = on_body, .on_body_end = on_body_end, .on_done = on_done};

static void send_second(void *ctx)
{
    if (passes++ < WAIT_PASSES) {
        loop_defer(loop, send_second, ctx);
        return;
    }
    if (second.n > 0 && send(fd, second.p, second.n, MSG_NOSIGNAL) < 0)
        second.n = 0; /* the server has closed already */
    shutdown(fd, SHUT_WR);
}

static void on_answer(void *ctx, bool readable, bool writable)
{
    char in[4096];
    (void)ctx;
    (void)readable;
    (void)writable;
    if (recv(fd, in, sizeof in, MSG_DONTWAIT) <= 0)
        loop_stop(loop);
}

static void run(struct slice first, struct slice rest)
{
    buf_reset(&told);
    second = rest;
    passes = rest.n > 0 ? 0 : WAIT_PASSES;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(fd >= 0 && connect(fd, (const struct sockaddr *)&at.sa, at.len) == 0);
    must(first.n == 0 || send(fd, first.p, first.n, MSG_NOSIGNAL) == (ssize_t)first.n);
    watch = loop_fd_new(loop, fd, on_answer, NULL);
    must(watch != NULL);
    loop_fd_want(watch, true, false);
    loop_defer(loop, send_second, NULL);
    loop_run(loop);
    loop_fd_free(watch);
    close(fd);
    must(open_exchanges == 0);
}

static void begin(void)
{
    static char dir[] = "/tmp/fuzz-http-XXXXXX";
    char path[64];
    int listen_fd = -1;
    must(mkdtemp(dir) != NULL);
    strcpy(path, dir);
    strcat(path, "/s");
    must(net_addr_unix(path, &at) == 0 && net_listen(&at, false, &listen_fd, NULL) == 0);
    loop = loop_new();
    must(loop != NULL);
    server = http_server_new(loop, listen_fd, NULL, NULL, &handler, NULL);
    must(server != NULL);
    buf_init(&told, 1u << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf whole;
    if (size < 1 || size > 20000)
        return 0;
    if (server == NULL) {
        begin();
        buf_init(&whole, 1u << 20);
    }
    struct slice in = slice_of(data + 1, size - 1);
    size_t cut = in.n * data[0] / 256;
    run(in, SLICE_NONE);
    buf_reset(&whole);
    buf_slice(&whole, buf_view(&told));
    run(slice_sub(in, 0, cut), slice_from(in, cut));
    must(slice_eq(buf_view(&whole), buf_view(&told)));
    return 0;
}
