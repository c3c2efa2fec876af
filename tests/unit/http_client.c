#include "net/http_client.h"
#include "net/http_server.h"
#include "netkit.h"

/* The client against our server, and against servers of Python's that behave badly in one way. */

#define MIB (1u << 20)

static struct loop *loop;
static struct http_client *client;
static struct http_server *server;
static struct tls *server_tls, *client_tls;
static int listen_fd;
static struct net_addr at;

/* --- the server: /hello, /echo (chunked both ways), /big, /hold, /early --- */

static unsigned served, server_conns;
static struct conn *last_conn;
static struct http_exchange *held;
static uint64_t big_left;
static const uint8_t zeros[MIB / 8];

static void big_more(struct http_exchange *x)
{
    while (big_left > 0 && http_queued(x) < CONN_QUEUE_MARK) {
        size_t n = big_left < sizeof zeros ? (size_t)big_left : sizeof zeros;
        http_write(x, slice_of(zeros, n));
        big_left -= n;
    }
    if (big_left == 0)
        http_end(x);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct slice path = http_exchange_head(x)->target;
    (void)ctx;
    served++;
    if (http_exchange_conn(x) != last_conn)
        server_conns++;
    last_conn = http_exchange_conn(x);
    if (slice_eq_str(path, "/hello")) {
        http_reply(x, 200, "text/plain", SLICE_NONE, SLICE_LIT("hello"));
    } else if (slice_eq_str(path, "/echo")) {
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_CHUNKED, 0);
    } else if (slice_eq_str(path, "/early")) {
        http_reply(x, 500, "text/plain", SLICE_NONE, SLICE_LIT("too early"));
    } else if (slice_eq_str(path, "/big")) {
        big_left = 64 * MIB;
        http_respond(x, 200, NULL, SLICE_NONE, HTTP_SEND_LENGTH, big_left);
        big_more(x);
    } else {
        held = x;
    }
}

static void on_request_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    (void)ctx;
    http_write(x, piece);
    if (http_queued(x) > CONN_QUEUE_MARK)
        http_exchange_pause(x);
}

static void on_request_end(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    if (slice_eq_str(http_exchange_head(x)->target, "/echo"))
        http_end(x);
}

static void on_server_drain(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    if (big_left > 0)
        big_more(x);
    else
        http_exchange_resume(x);
}

static const struct http_handler handler = {.on_request = on_request,
                                            .on_body = on_request_body,
                                            .on_body_end = on_request_end,
                                            .on_drain = on_server_drain};

/* --- a call and what comes of it --- */

struct call {
    struct http_call *c;
    int status, code, ready, connected;
    bool ended, failed, refuse_first, refuse_reuse, hold_judgement, pause_at_once, hold_body;
    uint64_t total, to_send, queue_peak;
    struct buf body;
    struct diag why;
    bool keep;
};

static unsigned running;

static void send_more(struct call *k)
{
    while (k->to_send > 0 && http_call_queued(k->c) < CONN_QUEUE_MARK) {
        size_t n = k->to_send < sizeof zeros ? (size_t)k->to_send : sizeof zeros;
        http_call_write(k->c, slice_of(zeros, n));
        k->to_send -= n;
        if (http_call_queued(k->c) > k->queue_peak)
            k->queue_peak = http_call_queued(k->c);
    }
    if (k->to_send == 0)
        http_call_end(k->c);
}

static void on_connected(void *ctx, struct http_call *c, struct conn *conn)
{
    struct call *k = ctx;
    struct diag d;
    k->connected++;
    if (k->refuse_first && k->connected == 1) {
        diag_set(&d, ERR_SSL_AUTH, "I do not know you");
        http_call_refuse(c, &d);
    } else if (!k->hold_judgement) {
        CHECK(conn == http_call_conn(c));
        http_call_proceed(c);
    }
}

static bool on_reuse(void *ctx, struct http_call *c, struct conn *conn)
{
    struct call *k = ctx;
    CHECK(conn == http_call_conn(c));
    return !k->refuse_reuse;
}

static void on_ready(void *ctx, struct http_call *c)
{
    struct call *k = ctx;
    (void)c;
    k->ready++;
    if (!k->hold_body)
        send_more(k);
}

static void on_drain(void *ctx, struct http_call *c)
{
    (void)c;
    send_more(ctx);
}

static void on_head(void *ctx, struct http_call *c, const struct http_head *h)
{
    struct call *k = ctx;
    k->status = h->status;
    if (k->pause_at_once)
        http_call_pause(c);
}

static void on_body(void *ctx, struct http_call *c, struct slice piece)
{
    struct call *k = ctx;
    (void)c;
    k->total += piece.n;
    if (k->keep)
        buf_slice(&k->body, piece);
}

static void over(void)
{
    if (--running == 0)
        loop_stop(loop);
}

static void on_end(void *ctx, struct http_call *c)
{
    struct call *k = ctx;
    (void)c;
    k->ended = true;
    k->c = NULL;
    over();
}

static void on_error(void *ctx, struct http_call *c, const struct diag *why)
{
    struct call *k = ctx;
    (void)c;
    k->failed = true;
    k->c = NULL;
    k->code = why->code;
    k->why = *why;
    over();
}

static const struct http_call_events events = {.on_connected = on_connected,
                                               .on_reuse = on_reuse,
                                               .on_ready = on_ready,
                                               .on_drain = on_drain,
                                               .on_head = on_head,
                                               .on_body = on_body,
                                               .on_end = on_end,
                                               .on_error = on_error};

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

static void run(void)
{
    bool late = false;
    struct loop_timer *t = loop_timer_start(loop, 20000, stop, &late);
    loop_run(loop);
    if (late)
        FAIL("not done after 20 s");
    loop_timer_cancel(t);
}

static void start(struct call *k, const struct http_target *t, const char *head)
{
    buf_init(&k->body, MIB);
    k->c = http_call_start(client, t, slice_str(head), &events, k);
    CHECK(k->c != NULL);
    running++;
}

static struct http_target target(void)
{
    return (struct http_target){.addrs = &at,
                                .n = 1,
                                .tls = client_tls,
                                .pool_key = SLICE_LIT("peer one"),
                                .response_timeout_ms = 5000};
}

static void begin_client(void)
{
    running = 0;
    client_tls = NULL;
    server = NULL;
    listen_fd = -1;
    loop = loop_new();
    CHECK(loop != NULL);
    client = http_client_new(loop, 4, 0);
    CHECK(client != NULL);
}

static void begin(bool tls)
{
    begin_client();
    served = server_conns = 0;
    last_conn = NULL;
    big_left = 0;
    server_tls = tls ? kit_tls(TLS_PEER_SERVER, "server") : NULL;
    client_tls = tls ? kit_tls(TLS_PEER_CLIENT, "client") : NULL;
    listen_fd = kit_listen(&at);
    server = http_server_new(loop, listen_fd, server_tls, NULL, &handler, NULL);
    CHECK(server != NULL);
    tls_free(server_tls);
}

static void finish(void)
{
    http_client_free(client);
    http_server_free(server);
    loop_free(loop);
    tls_free(client_tls);
    if (listen_fd >= 0)
        close(listen_fd);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"

static void get_hello(struct call *k)
{
    struct http_target t = target();
    k->keep = true;
    start(k, &t, GET("/hello"));
    run();
    if (k->failed)
        FAIL("%s", k->why.text);
    CHECK(k->ended);
    CHECK_INT(k->status, 200);
    CHECK(slice_eq_str(buf_view(&k->body), "hello"));
    buf_free(&k->body);
}

TEST(a_connection_is_reused_under_its_key_and_judged_once)
{
    for (int tls = 0; tls < 2; tls++) {
        begin(tls == 1);
        struct call a = {0}, b = {0}, c = {.refuse_reuse = true}, other = {.keep = true};
        get_hello(&a);
        get_hello(&b);
        CHECK_INT(a.connected, 1);
        CHECK_INT(b.connected, 0);
        CHECK_INT(server_conns, 1);
        get_hello(&c);
        CHECK_INT(c.connected, 1);
        struct http_target t = target();
        t.pool_key = SLICE_LIT("peer two");
        start(&other, &t, GET("/hello"));
        run();
        CHECK_INT(other.connected, 1);
        CHECK(other.ended);
        buf_free(&other.body);
        http_client_drop_idle(client, SLICE_LIT("peer t"));
        struct call d = {0};
        get_hello(&d);
        CHECK_INT(d.connected, 0);
        http_client_drop_idle(client, SLICE_NONE);
        struct call e = {0};
        get_hello(&e);
        CHECK_INT(e.connected, 1);
        finish();
    }
}

TEST(a_connection_without_key_is_not_kept)
{
    begin(false);
    struct http_target t = target();
    t.pool_key = SLICE_NONE;
    for (int i = 0; i < 2; i++) {
        struct call k = {0};
        start(&k, &t, GET("/hello"));
        run();
        CHECK(k.ended);
        CHECK_INT(k.connected, 1);
    }
    finish();
}

TEST(bodies_of_64_mib_both_ways_at_once_at_constant_memory)
{
    for (int tls = 0; tls < 2; tls++) {
        begin(tls == 1);
        kit_peak_reset();
        long before = kit_peak_kib();
        struct call k = {.to_send = 64 * MIB};
        struct http_target t = target();
        start(&k, &t, POST("/echo"));
        run();
        CHECK(k.ended);
        CHECK_INT(k.total, 64 * MIB);
        struct call big = {0};
        start(&big, &t, GET("/big"));
        run();
        CHECK_INT(big.total, 64 * MIB);
        long grown = kit_peak_kib() - before;
        printf("# memory grew by %ld KiB\n", grown);
        CHECK(KIT_ASAN || grown < 8 * 1024);
        /* what was below the mark, and the one piece that passed it, with its chunk's lines */
        CHECK(k.queue_peak < CONN_QUEUE_MARK + sizeof zeros + 32);
        finish();
    }
}

TEST(a_paused_response_waits_and_loses_nothing)
{
    for (int tls = 0; tls < 2; tls++) {
        begin(tls == 1);
        struct call k = {.pause_at_once = true};
        struct http_target t = target();
        t.response_timeout_ms = 100;
        start(&k, &t, GET("/big"));
        rest(300); /* longer than the timeout: it is we who do not read */
        CHECK_INT(k.status, 200);
        CHECK_INT(k.total, 0);
        CHECK(big_left > 32 * MIB);
        http_call_resume(k.c);
        run();
        CHECK(k.ended);
        CHECK_INT(k.total, 64 * MIB);
        struct call small = {.pause_at_once = true};
        start(&small, &t, GET("/hello"));
        rest(50);
        CHECK(!small.ended);
        http_call_resume(small.c);
        run();
        CHECK(small.ended);
        CHECK_INT(small.total, 5);
        finish();
    }
}

TEST(a_held_head_goes_out_with_the_first_of_the_body_or_with_its_end)
{
    for (int empty = 0; empty < 2; empty++) {
        begin(false);
        struct call k = {.keep = true, .hold_body = true};
        struct http_target t = target();
        t.hold_head = true;
        start(&k, &t, POST("/echo"));
        rest(50);
        CHECK_INT(k.ready, 1);
        CHECK_INT(served, 0);
        CHECK_INT(http_call_queued(k.c), 0);
        if (empty == 0)
            http_call_write(k.c, SLICE_LIT("held"));
        http_call_end(k.c);
        run();
        if (k.failed)
            FAIL("%s", k.why.text);
        CHECK_INT(served, 1);
        CHECK(slice_eq_str(buf_view(&k.body), empty == 0 ? "held" : ""));
        buf_free(&k.body);
        finish();
    }
}

TEST(no_answer_in_time_is_a_timeout)
{
    begin(false);
    struct call k = {0};
    struct http_target t = target();
    t.response_timeout_ms = 100;
    start(&k, &t, GET("/hold"));
    run();
    CHECK_INT(k.code, ERR_TIMEOUT);
    finish();
}

TEST(an_early_answer_comes_while_the_request_is_still_being_sent)
{
    for (int tls = 0; tls < 2; tls++) {
        begin(tls == 1);
        struct call k = {.to_send = 64 * MIB, .keep = true};
        struct http_target t = target();
        start(&k, &t, POST("/early"));
        run();
        if (k.failed)
            FAIL("%s", k.why.text);
        CHECK_INT(k.status, 500);
        CHECK(slice_eq_str(buf_view(&k.body), "too early"));
        CHECK(k.to_send > 0);
        buf_free(&k.body);
        struct call next = {0};
        get_hello(&next);
        CHECK_INT(next.connected, 1); /* a connection left in the middle is not reused */
        finish();
    }
}

TEST(the_next_address_is_tried_when_one_does_not_answer_or_is_refused)
{
    begin(true);
    struct net_addr two[2];
    int dead = kit_listen(&two[0]);
    close(dead); /* nobody there */
    two[1] = at;
    struct http_target t = target();
    t.addrs = two;
    t.n = 2;
    struct call k = {0};
    start(&k, &t, GET("/hello"));
    run();
    CHECK(k.ended);
    http_client_drop_idle(client, SLICE_NONE);
    two[0] = at;
    struct call j = {.refuse_first = true};
    start(&j, &t, GET("/hello"));
    run();
    CHECK(j.ended);
    CHECK_INT(j.connected, 2);
    http_client_drop_idle(client, SLICE_NONE);
    t.n = 1;
    struct call last = {.refuse_first = true};
    start(&last, &t, GET("/hello"));
    run();
    CHECK_INT(last.code, ERR_SSL_AUTH);
    CHECK_STR(last.why.text, "I do not know you");
    CHECK_INT(served, 2);
    finish();
}

TEST(judgement_may_come_later_and_a_cancelled_call_is_silent)
{
    begin(true);
    struct http_target t = target();
    struct call k = {.hold_judgement = true}, gone = {.hold_judgement = true}, none = {0};
    start(&k, &t, GET("/hello"));
    start(&gone, &t, GET("/hello"));
    start(&none, &t, GET("/hello"));
    http_call_cancel(none.c); /* before anything */
    for (int i = 0; k.connected + gone.connected < 2 && i < 300; i++)
        rest(100);
    CHECK_INT(k.connected, 1);
    CHECK_INT(served, 0);
    http_call_cancel(gone.c);
    http_call_proceed(k.c);
    running = 1;
    run();
    CHECK(k.ended);
    CHECK(!gone.ended && !gone.failed && !none.ended && !none.failed);
    CHECK_INT(served, 1);
    finish();
}

/* --- servers that behave badly --- */

/* A Python server on `at`: for the i-th connection runs the i-th of the statements with s the
 * socket. */
static pid_t python(const char *statements)
{
    char command[2048];
    int fd = kit_listen(&at);
    close(fd);
    snprintf(command, sizeof command,
             "exec python3 -c '\nimport socket,time\nl=socket.socket()\n"
             "l.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\nl.bind((\"127.0.0.1\",%u))\n"
             "l.listen(9)\nprint(\"up\",flush=True)\n"
             "ok=b\"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"\n"
             "for do in [%s]:\n s,_=l.accept(); s.settimeout(10)\n"
             " for part in do:\n  if part==0: s.recv(65536)\n"
             "  elif isinstance(part,float): time.sleep(part)\n  else: s.sendall(part)\n"
             " s.close()\n'",
             kit_port(&at), statements);
    pid_t pid = kit_start("python", command);
    for (int i = 0; i < 200; i++) {
        usleep(20000);
        if (kit_shell("test -s python") == 0)
            return pid;
    }
    FAIL("the Python server did not start");
}

static void badly(const char *statements, struct call *k, const char *head, bool repeatable)
{
    begin_client();
    pid_t pid = python(statements);
    struct http_target t = target();
    t.repeatable = repeatable;
    t.response_timeout_ms = 3000;
    start(k, &t, head);
    run();
    finish();
    kill(pid, SIGKILL);
    kit_wait(pid);
    buf_free(&k->body);
}

TEST(a_connection_cut_in_the_middle_of_a_body_is_an_error)
{
    struct call k = {0};
    badly("[0,b\"HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nabc\"]", &k, GET("/"), true);
    CHECK_INT(k.code, ERR_CLOSED);
    CHECK_INT(k.total, 3);
    struct call c = {0};
    badly("[0,b\"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n\"]",
          &c, GET("/"), true);
    CHECK_INT(c.code, ERR_CLOSED);
    CHECK_INT(c.total, 3);
}

TEST(a_body_up_to_the_end_of_the_connection_is_whole)
{
    struct call k = {0};
    badly("[0,b\"HTTP/1.1 200 OK\\r\\n\\r\\nabc\",0.1,b\"de\"]", &k, GET("/"), false);
    CHECK(k.ended);
    CHECK_INT(k.total, 5);
}

TEST(informational_responses_are_passed_over)
{
    struct call k = {0};
    badly("[0,b\"HTTP/1.1 100 Continue\\r\\n\\r\\nHTTP/1.1 103 Early Hints\\r\\nLink: "
          "x\\r\\n\\r\\n\"+ok]",
          &k, GET("/"), false);
    CHECK(k.ended);
    CHECK_INT(k.status, 200);
    CHECK_INT(k.total, 2);
}

TEST(an_answer_to_head_has_no_body)
{
    struct call k = {0};
    badly("[0,b\"HTTP/1.1 200 OK\\r\\nContent-Length: 99\\r\\n\\r\\n\",0.1]", &k,
          "HEAD / HTTP/1.1\r\nHost: x\r\n", false);
    CHECK(k.ended);
    CHECK_INT(k.total, 0);
}

TEST(what_is_no_http_is_an_error)
{
    struct call k = {0};
    badly("[0,b\"SSH-2.0-x\\r\\n\\r\\n\"]", &k, GET("/"), false);
    CHECK(k.failed);
    struct call speaks_first = {.hold_judgement = true};
    badly("[b\"HTTP/1.1 200 OK\\r\\n\\r\\n\",0]", &speaks_first, GET("/"), false);
    CHECK_INT(speaks_first.code, ERR_INVALID_RESPONSE);
}

/* The second request comes on a connection that the server closes when it sees the request. */
static void stale(bool repeatable, struct call *second)
{
    begin_client();
    pid_t pid = python("[0,ok,0],[0,ok]");
    struct http_target t = target();
    t.repeatable = repeatable;
    struct call first = {0};
    start(&first, &t, GET("/"));
    run();
    CHECK(first.ended);
    start(second, &t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n");
    run();
    finish();
    kill(pid, SIGKILL);
    kit_wait(pid);
}

TEST(a_pooled_connection_that_turns_out_closed_is_repeated_only_when_allowed)
{
    struct call yes = {.to_send = 4};
    stale(true, &yes);
    CHECK(yes.ended);
    CHECK_INT(yes.ready, 2);
    CHECK_INT(yes.connected, 1);
    struct call no = {.to_send = 4};
    stale(false, &no);
    CHECK_INT(no.code, ERR_CLOSED);
    CHECK_INT(no.ready, 1);
}

TEST(a_fresh_connection_that_closes_without_an_answer_is_not_repeated)
{
    struct call k = {0};
    badly("[0],[0,ok]", &k, GET("/"), true);
    CHECK_INT(k.code, ERR_CLOSED);
    CHECK_INT(k.ready, 1);
}

/* --- http_fetch, against the http.server of Python and openssl s_server --- */

TEST(a_fetch_gets_the_whole_body_or_says_why_not)
{
    char url[128];
    struct http_result r;
    struct diag d;
    CHECK_INT(kit_shell("mkdir -p www; head -c 3000000 /dev/urandom > www/data"), 0);
    int fd = kit_listen(&at);
    close(fd);
    snprintf(url, sizeof url, "cd www; exec python3 -m http.server --bind 127.0.0.1 %u",
             kit_port(&at));
    pid_t pid = kit_start("www.log", url);
    snprintf(url, sizeof url, "http://localhost:%u/data", kit_port(&at));
    int err = ERR_NETWORK;
    for (int i = 0; i < 100 && err == ERR_NETWORK; i++) {
        usleep(50000);
        err = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, 4 * MIB, 5000, &r, &d);
    }
    CHECK_INT(err, 0);
    CHECK_INT(r.status, 200);
    CHECK_INT(r.body.n, 3000000);
    CHECK(slice_starts(buf_view(&r.head), "HTTP/1.0 200 OK\r\n"));
    size_t n;
    unsigned char *file = test_file("/dev/null", &n);
    free(file);
    char path[128];
    snprintf(path, sizeof path, "%s/www/data", kit_folder());
    file = test_file(path, &n);
    CHECK(slice_eq(buf_view(&r.body), slice_of(file, n)));
    free(file);
    http_result_free(&r);
    CHECK_INT(http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, 1000, 5000, &r, &d), ERR_TOO_LARGE);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/none", kit_port(&at));
    CHECK_INT(http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, MIB, 5000, &r, &d), 0);
    CHECK_INT(r.status, 404);
    http_result_free(&r);
    CHECK_INT(http_fetch("ftp://x/", "GET", SLICE_NONE, SLICE_NONE, MIB, 5000, &r, &d), ERR_SYNTAX);
    kill(pid, SIGTERM);
    kit_wait(pid);
    CHECK_INT(http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, MIB, 5000, &r, &d), ERR_NETWORK);
}

TEST(a_fetch_over_tls)
{
    char line[256];
    struct http_result r;
    struct diag d;
    kit_certificates();
    int fd = kit_listen(&at);
    close(fd);
    CHECK_INT(kit_shell("echo secret > page.txt"), 0);
    snprintf(line, sizeof line,
             "exec openssl s_server -accept 127.0.0.1:%u -cert server.pem -key server.key -WWW",
             kit_port(&at));
    pid_t pid = kit_start("www.log", line);
    snprintf(line, sizeof line, "https://localhost:%u/page.txt", kit_port(&at));
    int err = ERR_NETWORK;
    for (int i = 0; i < 100 && err == ERR_NETWORK; i++) {
        usleep(50000);
        err = http_fetch(line, "GET", SLICE_NONE, SLICE_NONE, MIB, 5000, &r, &d);
    }
    if (err != 0)
        FAIL("%s", d.text);
    CHECK(slice_eq_str(buf_view(&r.body), "secret\n"));
    http_result_free(&r);
    kill(pid, SIGTERM);
    kit_wait(pid);
}
