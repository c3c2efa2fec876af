/*
 * Bytes of a client, to the whole server over a socket. What the handler is told must not depend on
 * how the bytes are cut: each input is sent at once and again in two parts, the first byte saying
 * where. The target's second letter says what the handler does (see on_request). A first byte from
 * STOPS on: the server is stopped or freed in between.
 */
#include "net/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STOPS 250
#define WAIT_PASSES 64 /* so often the end of a turn is put off between the parts */

static struct loop *loop;
static struct http_server *server;
static struct net_addr at;
static struct buf told;
static unsigned open_exchanges, stops, stop_now;
static size_t told_head;
static struct http_exchange *current;

static int fd, passes, listen_fd = -1;
static struct slice second;
static struct loop_fd *watch;
static bool gone, all_sent; /* the server has closed; the client has sent all */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static char first_letter(struct http_exchange *x)
{
    struct slice target = http_exchange_head(x)->target;
    return target.n > 1 ? (char)target.p[1] : 0;
}

static void resume(void *ctx)
{
    (void)ctx;
    if (current != NULL)
        http_exchange_resume(current);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    (void)ctx;
    must(current == NULL && http_exchange_conn(x) != NULL && http_exchange_arena(x) != NULL);
    current = x;
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
    told_head = told.n;
    switch (first_letter(x)) {
    case 'e': /* answered before its body is there */
        http_reply(x, 200, "text/plain", SLICE_LIT("X-Early: 1\r\n"), SLICE_LIT("early"));
        break;
    case 'p': /* slowly */
        http_exchange_pause(x);
        loop_defer(loop, resume, NULL);
        break;
    case 'c':
        http_close_after(x);
        break;
    default:
        break;
    }
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    (void)ctx;
    must(x == current && piece.n > 0);
    buf_slice(&told, piece);
    if (first_letter(x) == 'a')
        http_abort(x);
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    must(x == current && first_letter(x) == 'b');
    http_end(x);
}

static void answer_long(struct http_exchange *x, char how)
{
    static const uint8_t zeros[1u << 16];
    enum http_framing framing = how == 's'   ? HTTP_SEND_CLOSE
                                : how == 'l' ? HTTP_SEND_LENGTH
                                : how == 'n' ? HTTP_SEND_NONE
                                             : HTTP_SEND_CHUNKED;
    http_respond(x, how == 'n' ? 204 : 200, NULL, SLICE_LIT("Date: now\r\n"), framing, 100);
    for (int i = 0; how == 'b' && i < 8; i++)
        http_write(x, slice_of(zeros, sizeof zeros));
    if (how != 'n')
        http_write(x, slice_of(zeros, http_exchange_head(x)->n * 50)); /* 'l': it is 100, or not */
    if (http_queued(x) == 0 || how != 'b')
        http_end(x);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    must(x == current);
    buf_str(&told, "\nend\n");
    char how = first_letter(x);
    if (how == 'b' || how == 's' || how == 'l' || how == 'n')
        answer_long(x, how);
    else
        http_reply(x, 200, "text/plain", SLICE_NONE, SLICE_LIT("ok"));
}

/* How much of a body came before the end of an exchange that failed depends on the cut. */
static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    (void)ctx;
    must(x == current);
    current = NULL;
    if (aborted || first_letter(x) == 'e')
        told.n = told_head < told.n ? told_head : told.n;
    open_exchanges--;
}

static const struct http_handler handler = {.on_request = on_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_drain = on_drain,
                                            .on_done = on_done};

static void stopped(void *ctx)
{
    (void)ctx;
    stops++;
}

static void send_second(void *ctx)
{
    if (passes++ < WAIT_PASSES && !gone) {
        loop_defer(loop, send_second, ctx);
        return;
    }
    if (stop_now == 1)
        http_server_stop(server, stopped, NULL);
    else if (stop_now == 2)
        http_server_stop(server, NULL, NULL);
    if (stop_now > 0) { /* who was not accepted shall not wait */
        close(listen_fd);
        listen_fd = -1;
    }
    if (second.n > 0 && send(fd, second.p, second.n, MSG_NOSIGNAL) < 0)
        second.n = 0; /* the server has closed already */
    shutdown(fd, SHUT_WR);
    all_sent = true;
    if (gone)
        loop_stop(loop);
}

static void on_answer(void *ctx, bool readable, bool writable)
{
    char in[4096];
    (void)ctx;
    (void)readable;
    (void)writable;
    if (recv(fd, in, sizeof in, MSG_DONTWAIT) > 0)
        return;
    gone = true;
    loop_fd_want(watch, false, false);
    if (all_sent)
        loop_stop(loop);
}

static void run(struct slice first, struct slice rest)
{
    buf_reset(&told);
    second = rest;
    gone = all_sent = false;
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

static void listen_again(void)
{
    static const struct http_limits limits = {
        .head_max = 600, .body_max = 4096, .connections_max = 1};
    static char dir[] = "/tmp/fuzz-http-XXXXXX";
    static char path[64];
    if (path[0] == 0) {
        must(mkdtemp(dir) != NULL);
        strcpy(path, dir);
        strcat(path, "/s");
        must(net_addr_unix(path, &at) == 0);
    }
    unlink(path);
    close(listen_fd);
    listen_fd = -1;
    must(net_listen(&at, false, &listen_fd, NULL) == 0);
    server = http_server_new(loop, listen_fd, NULL, &limits, &handler, NULL);
    must(server != NULL);
}

static void begin(void)
{
    loop = loop_new();
    must(loop != NULL);
    listen_again();
    buf_init(&told, 1u << 20);
}

/* Stopped in good order or at once, or only freed, while the client is at work. */
static void stop_and_start(struct slice in, unsigned how)
{
    stop_now = how % 3;
    stops = 0;
    run(slice_sub(in, 0, in.n / 2), slice_from(in, in.n / 2));
    must(stops <= (stop_now == 1));
    stop_now = 0;
    http_server_free(server);
    must(open_exchanges == 0);
    listen_again();
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
    if (data[0] >= STOPS) {
        stop_and_start(in, data[0]);
        return 0;
    }
    size_t cut = in.n * data[0] / 256;
    run(in, SLICE_NONE);
    buf_reset(&whole);
    buf_slice(&whole, buf_view(&told));
    run(slice_sub(in, 0, cut), slice_from(in, cut));
    must(slice_eq(buf_view(&whole), buf_view(&told)));
    return 0;
}
