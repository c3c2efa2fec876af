/*
 * An information system that answers a POST with the body it got: what stands behind the gateway
 * while exchanges are measured.
 *
 *     provider ADDRESS:PORT [N]
 *
 * With N every Nth answer is status 500, so that one can see that a bench notices. Prints "ready",
 * and ends with whoever started it.
 */
#include "base/err.h"
#include "base/opt.h"
#include "net/http_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BODY_MAX (16u << 20)

struct provider {
    uint64_t answers, fail_each; /* 0: none fails */
};

struct pending {
    struct provider *p;
    struct buf body;
};

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct pending *q = arena_zalloc(http_exchange_arena(x), sizeof *q);
    if (q == NULL) {
        http_abort(x);
        return;
    }
    q->p = server_ctx;
    buf_init(&q->body, BODY_MAX);
    http_exchange_set(x, q);
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct pending *q = ctx;
    (void)x;
    buf_slice(&q->body, piece);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct pending *q = ctx;
    struct provider *p = q->p;
    p->answers++;
    bool fails = p->fail_each > 0 && p->answers % p->fail_each == 0;
    http_reply(x,
               q->body.failed ? 413
               : fails        ? 500
                              : 200,
               "application/octet-stream", SLICE_NONE, buf_view(&q->body));
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct pending *q = ctx;
    (void)x;
    (void)aborted;
    if (q != NULL)
        buf_free(&q->body);
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

int main(int argc, char **argv)
{
    static const struct http_handler handler = {.on_request = on_request,
                                                .on_body = on_body,
                                                .on_body_end = on_body_end,
                                                .on_done = on_done};
    static struct provider p;
    struct net_addr addr;
    struct diag d = {0};
    if (argc < 2 || argc > 3 || (argc == 3 && !slice_u64(slice_str(argv[2]), &p.fail_each)) ||
        net_addr_parse_text(slice_str(argv[1]), &addr, &d) != 0) {
        fprintf(stderr, "usage: provider ADDRESS:PORT [N]\n");
        return EXIT_USE;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct loop *loop = loop_new();
    int fd = -1, rc = net_listen(&addr, false, &fd, &d);
    struct http_server *s =
        loop == NULL || rc != 0 ? NULL : http_server_new(loop, fd, NULL, NULL, &handler, &p);
    if (s == NULL || loop_signal(loop, SIGTERM, stop, loop) != 0) {
        fprintf(stderr, "provider: %s\n", d.text);
        return EXIT_COULD_NOT;
    }
    puts("ready");
    fflush(stdout);
    loop_run(loop);
    http_server_free(s);
    loop_free(loop);
    close(fd);
    return EXIT_DONE;
}
