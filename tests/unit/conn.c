#include "net/conn.h"
#include "netkit.h"

/* One end of a connection: what happened to it, and what it does when it does. */
struct end {
    struct conn *c;
    struct buf got;
    uint64_t total; /* bytes received, also those not kept */
    uint64_t left;  /* bytes to send still, kept coming with on_drain */
    bool keep;      /* keep what comes in got */
    bool echo, open, eof, closed, close_on_eof;
    int code;
    size_t queue_peak;
    uint64_t stop_at; /* the loop stops when total gets here */
};

static struct loop *loop;
static struct listener *listener;
static int listen_fd;
static struct net_addr at;
static struct end client, server;
static struct tls *server_tls, *client_tls;
static int to_close; /* the loop stops when so many ends are closed */

static const uint8_t pattern[60000];

static void send_more(struct end *e)
{
    while (e->left > 0 && conn_queued(e->c) < CONN_QUEUE_MARK) {
        size_t n = e->left < sizeof pattern ? e->left : sizeof pattern;
        conn_write(e->c, slice_of(pattern, n));
        e->left -= n;
        if (conn_queued(e->c) > e->queue_peak)
            e->queue_peak = conn_queued(e->c);
    }
}

static void on_open(void *ctx)
{
    struct end *e = ctx;
    e->open = true;
    send_more(e);
}

static void on_data(void *ctx, struct slice data)
{
    struct end *e = ctx;
    e->total += data.n;
    if (e->keep)
        buf_slice(&e->got, data);
    if (e->echo)
        conn_write(e->c, data);
    if (e->stop_at > 0 && e->total >= e->stop_at)
        loop_stop(loop);
}

static void on_drain(void *ctx)
{
    send_more(ctx);
}

static void on_eof(void *ctx)
{
    struct end *e = ctx;
    e->eof = true;
    if (e->close_on_eof)
        conn_shutdown(e->c);
}

static void on_close(void *ctx, const struct diag *why)
{
    struct end *e = ctx;
    e->closed = true;
    e->code = why->code;
    e->c = NULL;
    if (why->code != 0)
        printf("# %s: %s\n", e == &client ? "client" : "server", why->text);
    if (--to_close == 0)
        loop_stop(loop);
}

static const struct conn_events events = {.on_open = on_open,
                                          .on_data = on_data,
                                          .on_drain = on_drain,
                                          .on_eof = on_eof,
                                          .on_close = on_close};

static void accepted(void *ctx, int fd)
{
    (void)ctx;
    server.c = conn_accept(loop, fd, server_tls, 5000, &events, &server);
}

static void timed_out(void *ctx)
{
    *(bool *)ctx = true;
    loop_stop(loop);
}

static void run(int64_t at_most_ms)
{
    bool late = false;
    struct loop_timer *t = loop_timer_start(loop, at_most_ms, timed_out, &late);
    loop_run(loop);
    if (late)
        FAIL("not done after %d ms", (int)at_most_ms);
    loop_timer_cancel(t);
}

static void rest(int64_t ms)
{
    bool late;
    CHECK(loop_timer_start(loop, ms, timed_out, &late) != NULL);
    loop_run(loop);
}

static void begin(struct tls *s, struct tls *c)
{
    server_tls = s;
    client_tls = c;
    client = (struct end){0};
    server = (struct end){0};
    buf_init(&client.got, 1u << 20);
    buf_init(&server.got, 1u << 20);
    to_close = 2;
    loop = loop_new();
    CHECK(loop != NULL);
    listen_fd = kit_listen(&at);
    listener = listener_new(loop, listen_fd, accepted, NULL);
    CHECK(listener != NULL);
}

static void dial(void)
{
    client.c = conn_connect(loop, &at, client_tls, 5000, &events, &client);
    CHECK(client.c != NULL);
}

static void finish(void)
{
    listener_free(listener);
    loop_free(loop);
    close(listen_fd);
    buf_free(&client.got);
    buf_free(&server.got);
    tls_free(server_tls);
    tls_free(client_tls);
}

static void echo_test(void)
{
    client.keep = true;
    client.stop_at = 11;
    server.echo = true;
    server.close_on_eof = true;
    dial();
    conn_write(client.c, SLICE_LIT("hello ")); /* before it is connected */
    conn_write(client.c, SLICE_LIT("world"));
    run(30000);
    CHECK(slice_eq_str(buf_view(&client.got), "hello world"));
    conn_shutdown(client.c);
    run(30000);
    CHECK(client.closed && client.code == 0);
    CHECK(server.eof && server.closed && server.code == 0);
    finish();
}

TEST(plain_bytes_come_back_and_both_ends_close_cleanly)
{
    begin(NULL, NULL);
    echo_test();
}

TEST(tls_bytes_come_back_and_both_ends_close_cleanly)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
    echo_test();
}

TEST(an_end_that_does_not_read_holds_the_sender_back)
{
    for (int tls = 0; tls < 2; tls++) {
        if (tls)
            begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
        else
            begin(NULL, NULL);
        client.left = 100u << 20;
        server.stop_at = 1;
        dial();
        run(30000);
        conn_pause(server.c);
        uint64_t before = server.total;
        rest(200);
        CHECK_INT(server.total, before);
        CHECK(client.left > 0);
        /* what was below the mark, and the one piece that passed it, in its records */
        CHECK(client.queue_peak < CONN_QUEUE_MARK + sizeof pattern + 128);
        server.stop_at = 100u << 20;
        conn_resume(server.c);
        run(20000);
        CHECK_INT(server.total, 100u << 20);
        finish();
    }
}

TEST(nobody_listening_is_a_network_error)
{
    begin(NULL, NULL);
    listener_free(listener);
    listener = NULL;
    close(listen_fd);
    listen_fd = -1;
    to_close = 1;
    dial();
    run(30000);
    CHECK_INT(client.code, ERR_NETWORK);
    CHECK(!client.open);
    finish();
}

TEST(a_handshake_that_stalls_times_out)
{
    begin(NULL, kit_tls(TLS_EDGE_CLIENT, NULL)); /* the server never speaks TLS */
    to_close = 1;
    client.c = conn_connect(loop, &at, client_tls, 100, &events, &client);
    run(30000);
    CHECK_INT(client.code, ERR_SSL_AUTH);
    finish();
}

TEST(a_silent_connection_times_out_and_a_busy_one_does_not)
{
    begin(NULL, NULL);
    to_close = 1;
    dial();
    rest(20);
    conn_idle_timeout(server.c, 1000);
    for (int i = 0; i < 6; i++) {
        conn_write(client.c, SLICE_LIT("x"));
        rest(250);
        CHECK(!server.closed);
    }
    run(30000);
    CHECK(server.closed);
    CHECK_INT(server.code, ERR_TIMEOUT);
    finish();
}

TEST(an_answer_sent_before_the_end_of_the_request_arrives)
{
    begin(NULL, NULL);
    client.keep = true;
    client.left = 20u << 20;
    client.close_on_eof = true;
    server.stop_at = 1;
    dial();
    run(30000);
    conn_write(server.c, SLICE_LIT("no"));
    conn_shutdown(server.c);
    run(10000);
    CHECK(slice_eq_str(buf_view(&client.got), "no"));
    CHECK(client.eof);
    finish();
}

/* What the loop has not told yet, since it does not run in between. */
TEST(a_connection_is_quiet_until_something_came)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
    server.stop_at = 3;
    dial();
    conn_write(client.c, SLICE_LIT("abc"));
    run(30000);
    rest(20);
    CHECK(conn_is_quiet(client.c));
    CHECK(conn_is_quiet(server.c));
    conn_abort(server.c);
    CHECK(!conn_is_quiet(client.c));
    run(30000);
    finish();
}

TEST(an_abort_is_not_taken_for_an_end)
{
    for (int tls = 0; tls < 2; tls++) {
        if (tls)
            begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
        else
            begin(NULL, NULL);
        server.stop_at = 3;
        dial();
        conn_write(client.c, SLICE_LIT("abc"));
        run(30000);
        conn_write(server.c, SLICE_LIT("part"));
        rest(20);
        conn_abort(server.c);
        run(30000);
        CHECK(!client.eof);
        CHECK_INT(client.code, ERR_NETWORK);
        CHECK_INT(server.code, 0);
        finish();
    }
}

static void check_chain(struct conn *c, const char *leaf)
{
    struct slice chain[TLS_CHAIN_MAX], want[2] = {kit_der(leaf), kit_der("sub")};
    CHECK_INT(conn_peer_chain(c, chain, TLS_CHAIN_MAX), 2);
    CHECK(slice_eq(chain[0], want[0]));
    CHECK(slice_eq(chain[1], want[1]));
    OPENSSL_free((void *)(uintptr_t)want[0].p);
    OPENSSL_free((void *)(uintptr_t)want[1].p);
}

static void resumption(int version)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
    SSL_CTX_set_max_proto_version(tls_ctx(server_tls), version);
    server.echo = true;
    server.close_on_eof = true;
    for (int i = 0; i < 3; i++) {
        client.total = 0;
        client.stop_at = 2;
        dial();
        conn_write(client.c, SLICE_LIT("hi"));
        run(30000);
        CHECK_INT(SSL_version(conn_ssl(client.c)), version);
        CHECK_INT(SSL_session_reused(conn_ssl(client.c)), i > 0);
        CHECK_INT(SSL_session_reused(conn_ssl(server.c)), i > 0);
        check_chain(client.c, "server");
        check_chain(server.c, "client");
        to_close = 2;
        conn_shutdown(client.c);
        run(30000);
    }
    finish();
}

TEST(both_chains_are_whole_on_a_resumed_session_of_tls12)
{
    resumption(TLS1_2_VERSION);
}

TEST(both_chains_are_whole_on_a_resumed_session_of_tls13)
{
    resumption(TLS1_3_VERSION);
}

TEST(a_replaced_certificate_is_sent_and_old_sessions_are_not_resumed)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_PEER_CLIENT, "client"));
    server.echo = true;
    server.close_on_eof = true;
    for (int i = 0; i < 2; i++) {
        client.total = 0;
        client.stop_at = 2;
        dial();
        conn_write(client.c, SLICE_LIT("hi"));
        run(30000);
        CHECK(!SSL_session_reused(conn_ssl(client.c)));
        check_chain(client.c, i == 0 ? "server" : "ecserver");
        to_close = 2;
        conn_shutdown(client.c);
        run(30000);
        if (i == 1)
            break;
        struct tls *other = kit_tls(TLS_PEER_SERVER, "ecserver");
        EVP_PKEY *key = SSL_CTX_get0_privatekey(tls_ctx(other));
        struct slice chain[2] = {kit_der("ecserver"), kit_der("sub")};
        struct diag d = {0};
        CHECK_INT(tls_replace(server_tls, chain, 2, key, &d), 0);
        OPENSSL_free((void *)(uintptr_t)chain[0].p);
        OPENSSL_free((void *)(uintptr_t)chain[1].p);
        tls_free(other);
    }
    finish();
}

TEST(a_peer_without_certificate_is_refused_by_5500_and_not_by_8443)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), kit_tls(TLS_EDGE_CLIENT, NULL));
    dial();
    run(30000);
    CHECK_INT(server.code, ERR_SSL_AUTH);
    CHECK(!server.open);
    finish();
    begin(kit_tls(TLS_EDGE_SERVER, "server"), kit_tls(TLS_EDGE_CLIENT, NULL));
    server.echo = true;
    client.stop_at = 1;
    dial();
    conn_write(client.c, SLICE_LIT("x"));
    run(30000);
    struct slice chain[1];
    CHECK_INT(conn_peer_chain(server.c, chain, 1), 0);
    finish();
}

/* --- against the openssl command --- */

static int s_client(const char *options)
{
    char command[512];
    snprintf(command, sizeof command,
             "(echo ping; sleep 1) | timeout 30 openssl s_client -connect 127.0.0.1:%u "
             "-cert client.pem -key client.key -cert_chain client-chain.pem %s | grep ^ping",
             kit_port(&at), options);
    server.total = 0;
    pid_t pid = kit_start("s_client.log", command);
    to_close = 1;
    run(40000);
    return kit_wait(pid);
}

TEST(openssl_s_client_with_each_of_the_three_suites)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), NULL);
    server.echo = server.close_on_eof = true;
    CHECK_INT(s_client("-tls1_2 -cipher ECDHE-RSA-AES256-SHA384"), 0);
    CHECK(server.total > 0);
    CHECK_INT(s_client("-tls1_2 -cipher DHE-RSA-AES256-SHA256"), 0);
    CHECK_INT(s_client("-tls1_3"), 0);
    CHECK(s_client("-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384") != 0);
    CHECK_INT(server.code, ERR_SSL_AUTH);
    CHECK(s_client("-tls1_1 -cipher ALL:@SECLEVEL=0") != 0);
    finish();
    begin(kit_tls(TLS_PEER_SERVER, "ecserver"), NULL);
    server.echo = server.close_on_eof = true;
    CHECK_INT(s_client("-tls1_2 -cipher ECDHE-ECDSA-AES256-SHA384"), 0);
    finish();
}

TEST(openssl_s_client_sees_our_chain_without_root)
{
    begin(kit_tls(TLS_PEER_SERVER, "server"), NULL);
    server.echo = server.close_on_eof = true;
    char command[512];
    snprintf(command, sizeof command,
             "(echo ping; sleep 1) | timeout 30 openssl s_client -connect 127.0.0.1:%u -CAfile "
             "ca.pem -verify_return_error -showcerts -cert client.pem -key client.key",
             kit_port(&at));
    pid_t pid = kit_start("chain.log", command);
    to_close = 1;
    run(40000);
    CHECK_INT(kit_wait(pid), 0);
    CHECK_INT(kit_shell("grep -c 'BEGIN CERT' chain.log | grep -qx 2"), 0);
    CHECK_INT(kit_shell("grep -q 'Verify return code: 0' chain.log"), 0);
    finish();
}

static void s_server(const char *certificate, const char *suite)
{
    char command[512];
    begin(NULL, kit_tls(TLS_PEER_CLIENT, "client"));
    listener_free(listener);
    close(listen_fd);
    snprintf(command, sizeof command,
             "exec timeout 10 openssl s_server -accept 127.0.0.1:%u -cert %s.pem -key %s.key "
             "-cert_chain sub.pem -Verify 3 -tls1_2 -cipher %s -rev -naccept 1",
             kit_port(&at), certificate, certificate, suite);
    pid_t pid = kit_start("s_server.log", command);
    client.keep = true;
    client.stop_at = 4;
    for (int i = 0; i < 50 && client.total == 0; i++) {
        to_close = 1;
        rest(50);
        dial();
        conn_write(client.c, SLICE_LIT("abc\n"));
        run(30000);
    }
    CHECK(slice_eq_str(buf_view(&client.got), "cba\n"));
    CHECK_STR(SSL_get_cipher_name(conn_ssl(client.c)), suite);
    check_chain(client.c, certificate);
    conn_shutdown(client.c);
    run(30000);
    kill(pid, SIGTERM);
    kit_wait(pid);
    listener = NULL;
    listen_fd = -1;
    finish();
}

TEST(openssl_s_server_with_each_of_the_three_suites)
{
    s_server("server", "ECDHE-RSA-AES256-SHA384");
    s_server("server", "DHE-RSA-AES256-SHA256");
    s_server("ecserver", "ECDHE-ECDSA-AES256-SHA384");
}

TEST(a_wrong_key_or_chain_is_told)
{
    struct diag d = {0};
    kit_certificates();
    struct tls *client_ctx = kit_tls(TLS_PEER_CLIENT, "client");
    EVP_PKEY *wrong = SSL_CTX_get0_privatekey(tls_ctx(client_ctx));
    struct slice chain[1] = {kit_der("server")}, bad = SLICE_LIT("no DER");
    CHECK(tls_new(TLS_PEER_SERVER, chain, 1, wrong, &d) == NULL);
    CHECK_INT(d.code, ERR_CRYPTO);
    CHECK(tls_new(TLS_PEER_SERVER, &bad, 1, wrong, &d) == NULL);
    CHECK_INT(d.code, ERR_INVALID_CERTIFICATE);
    CHECK(tls_new(TLS_PEER_SERVER, NULL, 0, wrong, &d) == NULL);
    CHECK_INT(d.code, ERR_USAGE);
    OPENSSL_free((void *)(uintptr_t)chain[0].p);
    tls_free(client_ctx);
}

TEST(addresses_are_read_and_printed)
{
    struct net_addr a;
    char text[NET_ADDR_TEXT];
    CHECK_INT(net_addr_parse("127.0.1.1", 5500, &a), 0);
    net_addr_print(&a, text, sizeof text);
    CHECK_STR(text, "127.0.1.1:5500");
    CHECK_INT(net_addr_parse("::1", 80, &a), 0);
    net_addr_print(&a, text, sizeof text);
    CHECK_STR(text, "[::1]:80");
    CHECK_INT(net_addr_parse("localhost", 80, &a), ERR_SYNTAX);
    CHECK_INT(net_addr_parse("127.0.1.1 ", 80, &a), ERR_SYNTAX);
    CHECK_INT(net_addr_unix("/run/x.sock", &a), 0);
    net_addr_print(&a, text, sizeof text);
    CHECK_STR(text, "/run/x.sock");
    struct net_addr several[4];
    size_t n;
    struct diag d;
    CHECK_INT(net_addr_resolve("localhost", 80, several, 4, &n, &d), 0);
    CHECK(n >= 1);
    CHECK_INT(net_addr_resolve("no-such-host.invalid", 80, several, 4, &n, &d), ERR_UNKNOWN_HOST);
}

TEST(a_port_in_use_is_told)
{
    struct net_addr a;
    struct diag d;
    int fd = kit_listen(&a), other;
    CHECK_INT(net_listen(&a, false, &other, &d), ERR_EXISTS);
    CHECK(strstr(d.text, "127.0.0.1:") != NULL);
    close(fd);
}
