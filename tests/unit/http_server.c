#include "net/http_server.h"
#include "netkit.h"

/* A server that does what the path says; judged by curl and by bytes on a raw socket. */

#define MIB (1u << 20)

struct request {
    uint64_t body, sent, to_send;
    bool echo, chunked, slow;
    struct http_exchange *x;
};

static struct loop *loop;
static struct http_server *server;
static struct net_addr at;
static int listen_fd;
static unsigned started, done, aborted_n, connections;
static struct request *held; /* of /hold */
static struct conn *last_conn;
static const uint8_t zeros[MIB / 8];

static void send_more(struct request *r)
{
    while (r->sent < r->to_send && http_queued(r->x) < CONN_QUEUE_MARK) {
        uint64_t left = r->to_send - r->sent;
        size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros;
        r->sent += n;
        http_write(r->x, slice_of(zeros, n));
    }
    if (r->sent == r->to_send)
        http_end(r->x);
}

static void begin_response(struct request *r, struct slice path)
{
    struct http_exchange *x = r->x;
    if (slice_eq_str(path, "/hello"))
        http_reply(x, 200, "text/plain", SLICE_LIT("X-One: 1\r\n"), SLICE_LIT("hello\n"));
    else if (slice_eq_str(path, "/none"))
        http_reply(x, 204, NULL, SLICE_NONE, SLICE_NONE);
    else if (slice_eq_str(path, "/refuse"))
        http_reply(x, 403, "text/plain", SLICE_NONE, SLICE_LIT("no\n"));
    else if (slice_eq_str(path, "/cut"))
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_LENGTH, 100);
    else if (slice_eq_str(path, "/big"))
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_LENGTH, r->to_send = 64 * MIB);
    else if (slice_eq_str(path, "/bigchunks")) {
        r->to_send = 64 * MIB;
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_CHUNKED, 0);
    } else if (slice_eq_str(path, "/close")) {
        http_respond(x, 200, "Fine", SLICE_LIT("Content-Type: text/plain\r\n"), HTTP_SEND_CLOSE, 0);
        http_write(x, SLICE_LIT("until the end\n"));
        http_end(x);
    } else if (slice_eq_str(path, "/echo")) {
        r->echo = true;
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_CHUNKED, 0);
    } else if (slice_eq_str(path, "/hold"))
        held = r;
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    struct request *r = arena_zalloc(http_exchange_arena(x), sizeof *r);
    (void)server_ctx;
    r->x = x;
    http_exchange_set(x, r);
    started++;
    if (http_exchange_conn(x) != last_conn)
        connections++;
    last_conn = http_exchange_conn(x);
    begin_response(r, h->target);
    if (slice_eq_str(h->target, "/cut")) {
        http_write(x, SLICE_LIT("only this"));
        http_end(x);
    } else if (r->to_send > 0) {
        send_more(r);
    }
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct request *r = ctx;
    r->body += piece.n;
    if (!r->echo)
        return;
    http_write(x, piece);
    if (http_queued(x) > CONN_QUEUE_MARK)
        http_exchange_pause(x);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct request *r = ctx;
    char text[64];
    if (r->echo) {
        http_end(x);
    } else if (slice_eq_str(http_exchange_head(x)->target, "/count")) {
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)r->body);
        http_reply(x, 200, "text/plain", SLICE_NONE, slice_str(text));
    }
}

static void on_drain(void *ctx, struct http_exchange *x)
{
    struct request *r = ctx;
    if (r->echo)
        http_exchange_resume(x);
    else if (r->to_send > 0)
        send_more(r);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    (void)x;
    if (ctx == held)
        held = NULL;
    done++;
    aborted_n += aborted;
}

static const struct http_handler handler = {.on_request = on_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_drain = on_drain,
                                            .on_done = on_done};

static void begin(struct tls *tls, const struct http_limits *limits)
{
    loop = loop_new();
    CHECK(loop != NULL);
    started = done = aborted_n = connections = 0;
    last_conn = NULL;
    held = NULL;
    listen_fd = kit_listen(&at);
    server = http_server_new(loop, listen_fd, tls, limits, &handler, NULL);
    CHECK(server != NULL);
    tls_free(tls);
}

static void finish(void)
{
    http_server_free(server);
    CHECK_INT(done, started);
    loop_free(loop);
    close(listen_fd);
}

static void stop(void *ctx)
{
    *(bool *)ctx = true;
    loop_stop(loop);
}

static void rest(int64_t ms)
{
    bool b;
    CHECK(loop_timer_start(loop, ms, stop, &b) != NULL);
    loop_run(loop);
}

static pid_t child;
static int child_status;

static void child_ended(void *ctx)
{
    (void)ctx;
    if (waitpid(child, &child_status, WNOHANG) == child)
        loop_stop(loop);
}

/* Runs a shell command in the test's folder while the loop turns; $u is the server's address. */
static int client(const char *command)
{
    char line[1024];
    bool late = false;
    snprintf(line, sizeof line, "u=http://127.0.0.1:%u p=%u; [ ! -e tls ] || u=https${u#http}; %s",
             kit_port(&at), kit_port(&at), command);
    CHECK_INT(loop_signal(loop, SIGCHLD, child_ended, NULL), 0);
    child = kit_start("out", line);
    struct loop_timer *t = loop_timer_start(loop, 30000, stop, &late);
    loop_run(loop);
    if (late)
        FAIL("still running after 30 s: %s", command);
    loop_timer_cancel(t);
    rest(20); /* what the server has to do after the client's end */
    return WIFEXITED(child_status) ? WEXITSTATUS(child_status) : 255;
}

static void exchange_with_curl(void)
{
    CHECK_INT(client("curl -ksi $u/hello"), 0);
    const char *out = kit_text("out");
    CHECK(strstr(out, "HTTP/1.1 200 OK\r\n") == out);
    CHECK(strstr(out, "\r\nContent-Length: 6\r\n") != NULL);
    CHECK(strstr(out, "\r\nContent-Type: text/plain\r\n") != NULL);
    CHECK(strstr(out, "\r\nX-One: 1\r\n") != NULL);
    CHECK(strstr(out, "\r\nDate: ") != NULL);
    CHECK(strstr(out, "\r\n\r\nhello\n") != NULL);
    CHECK_INT(client("curl -ksI $u/hello"), 0);
    CHECK(strstr(kit_text("out"), "Content-Length: 6\r\n") != NULL);
    CHECK_INT(client("curl -ksi $u/none"), 0);
    CHECK(strstr(kit_text("out"), "204 No Content") != NULL);
    CHECK(strstr(kit_text("out"), "Content-Length") == NULL);
    CHECK_INT(client("curl -ksi $u/close"), 0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 200 Fine\r\n") != NULL);
    CHECK(strstr(kit_text("out"), "until the end\n") != NULL);
    CHECK(strstr(kit_text("out"), "Connection: close\r\n") != NULL);
    CHECK_INT(client("curl -ks -d abc $u/count"), 0);
    CHECK_STR(kit_text("out"), "3\n");
    CHECK_INT(client("curl -ks -H 'Transfer-Encoding: chunked' -d abcd $u/count"), 0);
    CHECK_STR(kit_text("out"), "4\n");
    CHECK_INT(client("curl -ks -H 'Expect: 100-continue' -d abcde $u/count"), 0);
    CHECK_STR(kit_text("out"), "5\n");
    CHECK_INT(aborted_n, 0);
}

TEST(curl_over_plain_connections)
{
    begin(NULL, NULL);
    exchange_with_curl();
    CHECK_INT(client("curl -s --http1.0 -i $u/bigchunks -o big; tail -c 3 big; stat -c %s big"), 0);
    finish();
}

TEST(curl_over_tls)
{
    begin(kit_tls(TLS_EDGE_SERVER, "server"), NULL);
    CHECK_INT(kit_shell("touch tls"), 0);
    exchange_with_curl();
    CHECK_INT(client("curl -ks --tls-max 1.2 --ciphers DHE-RSA-AES128-SHA256 $u/hello"), 0);
    CHECK_STR(kit_text("out"), "hello\n");
    CHECK_INT(client("curl -s --cacert ca.pem --connect-to server:443:127.0.0.1:$p "
                     "https://server/hello"),
              0);
    CHECK_INT(kit_shell("rm tls"), 0);
    finish();
}

TEST(a_connection_is_kept_for_several_requests)
{
    begin(NULL, NULL);
    CHECK_INT(client("curl -s $u/hello $u/hello --next -s -d x $u/count"), 0);
    CHECK_INT(started, 3);
    CHECK_INT(connections, 1);
    CHECK_INT(client("curl -s -H 'Connection: close' $u/hello $u/hello"), 0);
    CHECK_INT(started, 5);
    finish();
}

TEST(a_connection_is_kept_when_little_is_left_of_a_body_answered_early)
{
    begin(NULL, NULL);
    CHECK_INT(
        client(
            "head -c 60000 /dev/zero >some; curl -s -H Expect: -T some $u/hello -T some $u/hello "
            "--next -s -d x $u/count"),
        0);
    CHECK_STR(kit_text("out"), "hello\nhello\n1\n");
    CHECK_INT(started, 3);
    CHECK_INT(connections, 1);
    CHECK_INT(aborted_n, 0);
    finish();
}

/* Bytes on a raw connection, what comes back goes to "out". */
#define RAW(bytes)                                                                                 \
    client("python3 -c '\nimport socket,sys\ns=socket.create_connection((\"127.0.0.1\",'$p'))\n"   \
           "s.sendall(" bytes ")\ns.settimeout(5)\nwhile True:\n d=s.recv(65536)\n if not d: "     \
           "break\n sys.stdout.write(d.decode())'")

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

TEST(pipelined_requests_are_answered_in_order)
{
    begin(NULL, NULL);
    CHECK_INT(
        RAW("b\"GET /hello HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nPOST /count HTTP/1.1\\r\\nHost: x\\r\\n"
            "Content-Length: 2\\r\\n\\r\\nabGET /close HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\""),
        0);
    const char *out = kit_text("out");
    CHECK_INT(count_of(out, "HTTP/1.1 200"), 3);
    CHECK(strstr(out, "hello\n") < strstr(out, "\r\n2\n"));
    CHECK(strstr(out, "\r\n2\n") < strstr(out, "until the end"));
    CHECK_INT(started, 3);
    finish();
}

TEST(malformed_requests_are_answered_and_never_reach_the_handler)
{
    begin(NULL, NULL);
    CHECK_INT(RAW("b\"GET /hello HTTP/1.1\\r\\n\\r\\n\""), 0); /* no Host */
    CHECK(strstr(kit_text("out"), "HTTP/1.1 400 Bad Request\r\n") != NULL);
    CHECK(strstr(kit_text("out"), "Connection: close\r\n") != NULL);
    CHECK_INT(RAW("b\"GET /hello HTTP/1.1\\nHost: x\\n\\n\""), 0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 400 ") != NULL);
    CHECK_INT(RAW("b\"POST /count HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\n"
                  "Transfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n\""),
              0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 400 ") != NULL);
    CHECK_INT(RAW("b\"GET /hello HTTP/1.1\\r\\nHost: x\\r\\nA: \" + b\"a\" * 9000"), 0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 431 ") != NULL);
    CHECK_INT(started, 0);
    CHECK_INT(RAW("b\"POST /count HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
                  "zz\\r\\n\""),
              0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 400 ") != NULL);
    CHECK_INT(started, 1);
    CHECK_INT(aborted_n, 1);
    finish();
}

TEST(a_body_over_the_limit_is_refused)
{
    begin(NULL, &(struct http_limits){.body_max = 1000});
    CHECK_INT(client("head -c 1000 /dev/zero | curl -s --data-binary @- $u/count"), 0);
    CHECK_STR(kit_text("out"), "1000\n");
    CHECK_INT(client("head -c 1001 /dev/zero | curl -s -w '%{http_code}' -o body "
                     "--data-binary @- $u/count"),
              0);
    CHECK_STR(kit_text("out"), "413");
    CHECK_INT(started, 1);
    CHECK_INT(client("head -c 1001 /dev/zero | curl -s -w '%{http_code}' -o body "
                     "-H 'Transfer-Encoding: chunked' --data-binary @- $u/count"),
              0);
    CHECK_STR(kit_text("out"), "413");
    CHECK_INT(aborted_n, 1);
    finish();
}

TEST(slow_requests_time_out)
{
    begin(NULL, &(struct http_limits){
                    .head_timeout_ms = 150, .body_pause_ms = 150, .idle_timeout_ms = 150});
    CHECK_INT(RAW("b\"GET /hel\""), 0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 408 ") != NULL);
    CHECK_INT(RAW("b\"\""), 0);
    CHECK_STR(kit_text("out"), "");
    CHECK_INT(started, 0);
    CHECK_INT(RAW("b\"POST /count HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\nab\""),
              0);
    CHECK(strstr(kit_text("out"), "HTTP/1.1 408 ") != NULL);
    CHECK_INT(aborted_n, 1);
    CHECK_INT(RAW("b\"GET /hello HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\""), 0); /* then idle */
    CHECK(strstr(kit_text("out"), "HTTP/1.1 200 ") != NULL);
    finish();
}

TEST(an_answer_that_takes_long_is_no_timeout)
{
    begin(NULL, &(struct http_limits){
                    .head_timeout_ms = 100, .body_pause_ms = 100, .idle_timeout_ms = 100});
    pid_t pid;
    char command[128];
    snprintf(command, sizeof command, "curl -s http://127.0.0.1:%u/hold", kit_port(&at));
    pid = kit_start("out", command);
    for (int i = 0; held == NULL && i < 300; i++)
        rest(100);
    CHECK(held != NULL);
    http_reply(held->x, 200, NULL, SLICE_NONE, SLICE_LIT("at last"));
    rest(100);
    CHECK_INT(kit_wait(pid), 0);
    CHECK_STR(kit_text("out"), "at last");
    finish();
}

TEST(a_client_that_leaves_ends_the_exchange)
{
    begin(NULL, NULL);
    CHECK_INT(client("curl -s -m 0.2 $u/hold"), 28);
    CHECK_INT(client("head -c 50000000 /dev/zero | curl -s -m 0.5 --limit-rate 100k -T - $u/count"),
              28);
    CHECK_INT(started, 2);
    if (held != NULL) /* a half-closed connection may still be waiting for its answer */
        http_reply(held->x, 200, NULL, SLICE_NONE, SLICE_LIT("too late"));
    rest(50);
    CHECK_INT(done, 2);
    CHECK(aborted_n >= 1);
    finish();
}

TEST(a_response_cut_short_is_seen_as_incomplete)
{
    begin(NULL, NULL);
    int code = client("curl -s $u/cut");
    CHECK(code == 18 || code == 56); /* partial file, or reset */
    CHECK_INT(aborted_n, 1);
    finish();
}

TEST(an_early_refusal_reaches_a_client_that_is_still_sending)
{
    begin(NULL, NULL);
    CHECK_INT(
        client("head -c 20000000 /dev/zero > big; curl -s -H Expect: -w '%{http_code}' -T big "
               "$u/refuse"),
        0);
    CHECK_STR(kit_text("out"), "no\n403");
    finish();
}

static void large_bodies(const char *curl)
{
    char command[512];
    CHECK_INT(client("head -c 67108864 /dev/zero > big"), 0);
    kit_peak_reset();
    long before = kit_peak_kib();
    snprintf(command, sizeof command, "%s -T big -H Expect: $u/count", curl);
    CHECK_INT(client(command), 0);
    CHECK_STR(kit_text("out"), "67108864\n");
    snprintf(command, sizeof command, "%s -T - -H Expect: $u/count < big", curl);
    CHECK_INT(client(command), 0);
    CHECK_STR(kit_text("out"), "67108864\n");
    snprintf(command, sizeof command, "%s $u/big | cmp - big", curl);
    CHECK_INT(client(command), 0);
    snprintf(command, sizeof command, "%s $u/bigchunks | cmp - big", curl);
    CHECK_INT(client(command), 0);
    snprintf(command, sizeof command, "%s -T big -H Expect: $u/echo | cmp - big", curl);
    CHECK_INT(client(command), 0);
    long grown = kit_peak_kib() - before;
    printf("# memory grew by %ld KiB\n", grown);
    CHECK(KIT_ASAN || grown < 8 * 1024);
    CHECK_INT(aborted_n, 0);
}

TEST(bodies_of_64_mib_at_constant_memory)
{
    begin(NULL, NULL);
    large_bodies("curl -s");
    finish();
}

TEST(bodies_of_64_mib_at_constant_memory_over_tls)
{
    begin(kit_tls(TLS_EDGE_SERVER, "server"), NULL);
    CHECK_INT(kit_shell("touch tls"), 0);
    large_bodies("curl -ks");
    CHECK_INT(kit_shell("rm tls"), 0);
    finish();
}

TEST(stopping_lets_the_running_exchange_end)
{
    begin(NULL, NULL);
    bool stopped = false;
    char command[128];
    snprintf(command, sizeof command, "curl -si http://127.0.0.1:%u/hold", kit_port(&at));
    pid_t pid = kit_start("out", command);
    for (int i = 0; held == NULL && i < 300; i++)
        rest(100);
    CHECK(held != NULL);
    http_server_stop(server, stop, &stopped);
    rest(50);
    CHECK(!stopped);
    http_reply(held->x, 200, NULL, SLICE_NONE, SLICE_LIT("last"));
    loop_run(loop);
    CHECK(stopped);
    rest(50);
    CHECK_INT(kit_wait(pid), 0);
    CHECK(strstr(kit_text("out"), "Connection: close\r\n") != NULL);
    CHECK(strstr(kit_text("out"), "last") != NULL);
    CHECK_INT(aborted_n, 0);
    finish();
}

TEST(connections_over_the_maximum_wait)
{
    begin(NULL, &(struct http_limits){.connections_max = 1});
    char command[256];
    snprintf(
        command, sizeof command,
        "curl -s http://127.0.0.1:%u/hold & sleep 0.2; curl -s http://127.0.0.1:%u/hello; wait",
        kit_port(&at), kit_port(&at));
    pid_t pid = kit_start("out", command);
    for (int i = 0; held == NULL && i < 300; i++)
        rest(100);
    rest(500);
    CHECK_INT(started, 1);
    http_reply(held->x, 200, NULL, SLICE_NONE, SLICE_LIT("first\n"));
    for (int i = 0; started < 2 && i < 300; i++)
        rest(100);
    rest(300);
    CHECK_INT(kit_wait(pid), 0);
    CHECK_STR(kit_text("out"), "first\nhello\n");
    finish();
}
