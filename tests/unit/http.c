#include "base/err.h"
#include "test.h"
#include "wire/http.h"

#define HOST "Host: a\r\n"

static struct http_head head;
static struct diag diag;

static int request_of(const char *text, size_t *used)
{
    return http_parse_request(slice_str(text), HTTP_HEAD_MAX, &head, used, &diag);
}

static int response_of(const char *text, size_t *used)
{
    return http_parse_response(slice_str(text), 65536, false, &head, used, &diag);
}

static void check_refused(const char *text)
{
    size_t used = 99;
    int err = request_of(text, &used);
    if (err != ERR_SYNTAX || used != 0)
        FAIL("not refused (%d, %zu): %s", err, used, text);
    CHECK(diag.text[0] != 0);
}

static void check_response_refused(const char *text)
{
    size_t used = 99;
    int err = response_of(text, &used);
    if (err != ERR_SYNTAX || used != 0)
        FAIL("not refused (%d, %zu): %s", err, used, text);
}

/* Each line spoils a request and a response. */
static void check_lines_refused(const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[256];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "%s\r\n", lines[i]);
        check_refused(text);
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", lines[i]);
        check_response_refused(text);
    }
}

static void check_slice(struct slice got, const char *want)
{
    if (!slice_eq_str(got, want))
        FAIL("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want);
}

TEST(request_of_a_security_server_is_read)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: localhost:5500\r\n"
                               "Content-Type: multipart/mixed; charset=UTF-8; boundary=xtopA\r\n"
                               "Transfer-Encoding: chunked\r\nx-original-content-type: \r\n"
                               "Connection: Keep-Alive\r\nX-Umlaut:\t \xc3\xa4 b \t\r\n\r\n--xtopA";
    size_t used;
    CHECK_INT(request_of(text, &used), 0);
    CHECK_INT(used, sizeof text - 1 - strlen("--xtopA"));
    check_slice(head.method, "POST");
    check_slice(head.target, "/");
    CHECK_INT(head.minor, 1);
    CHECK_INT(head.n, 6);
    CHECK_INT(head.body, HTTP_BODY_CHUNKED);
    CHECK(head.keep_alive);
    check_slice(http_get(&head, "CONTENT-type"), "multipart/mixed; charset=UTF-8; boundary=xtopA");
    check_slice(http_get(&head, "x-umlaut"), "\xc3\xa4 b");
    CHECK(http_get(&head, "x-original-content-type").p != NULL);
    CHECK_INT(http_get(&head, "x-original-content-type").n, 0);
    CHECK(http_get(&head, "x-none").p == NULL);
}

TEST(every_prefix_of_a_head_asks_for_more)
{
    static const char text[] = "GET /r1/a?b=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    static const char answer[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nA: b\r\n\r\n";
    size_t used;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        CHECK_INT(http_parse_request(slice_of(text, n), HTTP_HEAD_MAX, &head, &used, &diag), 0);
        CHECK_INT(used, 0);
    }
    for (size_t n = 0; n < sizeof answer - 1; n++) {
        CHECK_INT(http_parse_response(slice_of(answer, n), 100, false, &head, &used, &diag), 0);
        CHECK_INT(used, 0);
    }
    CHECK_INT(request_of(text, &used), 0);
    CHECK_INT(used, sizeof text - 1);
    CHECK_INT(head.body, HTTP_BODY_LENGTH);
    CHECK_INT(head.length, 5);
}

TEST(lengths_that_could_be_read_in_two_ways_are_refused)
{
    static const char *lines[] = {
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\ncontent-length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5a\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length:\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 99999999999999999999999\r\n",
    };
    check_lines_refused(lines, ARRAY_LEN(lines));
}

TEST(transfer_codings_other_than_chunked_are_refused)
{
    static const char *lines[] = {
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: \vchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
    };
    check_lines_refused(lines, ARRAY_LEN(lines));
    size_t used;
    CHECK_INT(request_of("POST / HTTP/1.1\r\n" HOST "transfer-encoding:  Chunked \r\n\r\n", &used),
              0);
    CHECK_INT(head.body, HTTP_BODY_CHUNKED);
}

TEST(malformed_lines_are_refused)
{
    static const char *lines[] = {
        "X: a\r\n b\r\n",   /* folded */
        "X: a\r\n\tb\r\n",  /* folded */
        "X : a\r\n",        /* blank before the colon */
        "X\r\n",            /* no colon */
        ": a\r\n",          /* no name */
        "X: a\n",           /* bare LF */
        "X: a\rb\r\n",      /* bare CR */
        "X: a\r\r\n",       /* bare CR */
        "X: a\x01\r\n",     /* control character */
        "X: a\x7f\r\n",     /* DEL */
        "X\xc3\xa4: a\r\n", /* name not a token */
        "X(y): a\r\n",      /* name not a token */
        "X: a\r\n\n",       /* empty line of bare LF */
        "\nX: a\r\n",       /* LF first */
        "Host: a\r\n",      /* second Host */
        "host: b\r\n",      /* second Host */
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "%s\r\n", lines[i]);
        check_refused(text);
    }
    static const char zero[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    size_t used;
    CHECK_INT(http_parse_request(slice_of(zero, sizeof zero - 1), 8192, &head, &used, &diag),
              ERR_SYNTAX);
    CHECK(strstr(diag.text, "octet") != NULL);
}

TEST(malformed_first_lines_are_refused)
{
    static const char *lines[] = {
        "\r\nGET / HTTP/1.1\r\n",
        "\nGET / HTTP/1.1\r\n",
        " GET / HTTP/1.1\r\n",
        "\tGET / HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET /  HTTP/1.1\r\n",
        "GET\t/ HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/1.10\r\n",
        "GET / HTTP/2.0\r\n",
        "GET / HTTP/0.9\r\n",
        "GET /\r\n",
        "GET HTTP/1.1\r\n",
        "GET / a HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "/ HTTP/1.1\r\n",
        "GET /a#b HTTP/1.1\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\n",
        "GET a HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "CONNECT a:443 HTTP/1.1\r\n",
        "GET ftp://a/ HTTP/1.1\r\n",
        "GET http:///x HTTP/1.1\r\n",
        "GET http://b/ HTTP/1.1\r\n",
        "GET http://u@a/ HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nX: y\r\n : z\r\n",
        "GET / HTTP/1.1\r\n X: y\r\n",
        "PRI * HTTP/2.0\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s" HOST "\r\n", lines[i]);
        check_refused(text);
    }
    check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    check_refused("GET / HTTP/1.1\r\n\r\n"); /* no Host */
    check_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    check_refused("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
    check_refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    check_refused("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
    check_refused("\x16\x03\x01\x02");
}

TEST(http_1_0_closes_unless_asked)
{
    size_t used;
    CHECK_INT(request_of("GET / HTTP/1.0\r\n\r\n", &used), 0);
    CHECK_INT(head.minor, 0);
    CHECK(!head.keep_alive);
    CHECK_INT(request_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &used), 0);
    CHECK(head.keep_alive);
    CHECK_INT(request_of("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", &used), 0);
    CHECK(!head.keep_alive);
    CHECK_INT(request_of("GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: y , CLOSE\r\n\r\n",
                         &used),
              0);
    CHECK(!head.keep_alive);
    check_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
}

TEST(targets_are_split)
{
    struct slice path, query;
    bool has;
    size_t used;
    http_target_split(SLICE_LIT("/a/b?x=1?y"), &path, &query, &has);
    check_slice(path, "/a/b");
    check_slice(query, "x=1?y");
    CHECK(has);
    http_target_split(SLICE_LIT("/a?"), &path, &query, &has);
    check_slice(path, "/a");
    CHECK(has && query.n == 0);
    http_target_split(SLICE_LIT("/a"), &path, &query, &has);
    CHECK(!has);
    CHECK_INT(request_of("GET http://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", &used), 0);
    http_target_split(head.target, &path, &query, &has);
    check_slice(path, "/x");
    check_slice(query, "y");
    http_target_split(SLICE_LIT("https://a?y"), &path, &query, &has);
    check_slice(path, "/");
    check_slice(query, "y");
    CHECK_INT(request_of("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", &used), 0);
    CHECK_INT(request_of("GET /a?\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", &used), 0);
}

TEST(query_values_are_decoded)
{
    struct buf b;
    buf_init(&b, 100);
    struct slice q = SLICE_LIT("a=1&x%41=%C3%A4+b%2Bc&empty=&flag&bad=%zz&worse=%FF&a=2");
    CHECK(http_query_get(q, "a", &b));
    CHECK_STR(buf_cstr(&b), "1");
    buf_reset(&b);
    CHECK(http_query_get(q, "xA", &b));
    CHECK_STR(buf_cstr(&b), "\xc3\xa4 b+c");
    buf_reset(&b);
    CHECK(http_query_get(q, "empty", &b) && b.n == 0);
    CHECK(http_query_get(q, "flag", &b) && b.n == 0);
    CHECK(!http_query_get(q, "bad", &b) && b.n == 0);
    CHECK(!http_query_get(q, "worse", &b) && b.n == 0);
    CHECK(!http_query_get(q, "none", &b));
    char text[300];
    memset(text, 'k', sizeof text);
    strcpy(text + 200, "=1&a=2"); /* a key that is longer than a value may be */
    CHECK(http_query_get(slice_str(text), "a", &b) && !b.failed);
    CHECK_STR(buf_cstr(&b), "2");
    buf_free(&b);
}

TEST(heads_have_a_maximum)
{
    char text[10000];
    size_t used;
    int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "X: ");
    memset(text + n, 'a', sizeof text - (size_t)n);
    struct slice s = slice_of(text, HTTP_HEAD_MAX - 1);
    CHECK_INT(http_parse_request(s, HTTP_HEAD_MAX, &head, &used, &diag), 0);
    CHECK_INT(used, 0);
    s.n = HTTP_HEAD_MAX;
    CHECK_INT(http_parse_request(s, HTTP_HEAD_MAX, &head, &used, &diag), ERR_TOO_LARGE);
    memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    s.n = sizeof text;
    CHECK_INT(http_parse_request(s, HTTP_HEAD_MAX, &head, &used, &diag), 0);
    CHECK_INT(used, HTTP_HEAD_MAX);
    CHECK_INT(http_parse_request(s, HTTP_HEAD_MAX - 1, &head, &used, &diag), ERR_TOO_LARGE);

    n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "a:b\r\n");
    snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    CHECK_INT(request_of(text, &used), 0);
    CHECK_INT(head.n, HTTP_HEADERS_MAX);
    snprintf(text + n, sizeof text - (size_t)n, "a:b\r\n\r\n");
    CHECK_INT(request_of(text, &used), ERR_TOO_LARGE);
}

TEST(expect_counts_only_where_a_body_follows)
{
    size_t used;
    CHECK_INT(request_of("POST / HTTP/1.1\r\n" HOST
                         "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
                         &used),
              0);
    CHECK(head.expect_continue);
    CHECK_INT(request_of("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", &used), 0);
    CHECK(!head.expect_continue);
    CHECK_INT(
        request_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", &used),
        0);
    CHECK(!head.expect_continue);
}

TEST(responses_have_four_ends)
{
    size_t used;
    CHECK_INT(response_of("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", &used), 0);
    CHECK_INT(head.status, 200);
    check_slice(head.reason, "OK");
    CHECK_INT(head.body, HTTP_BODY_CLOSE);
    CHECK(!head.keep_alive);
    CHECK_INT(response_of("HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", &used), 0);
    CHECK_INT(head.body, HTTP_BODY_LENGTH);
    CHECK_INT(head.reason.n, 0);
    CHECK(head.keep_alive);
    CHECK_INT(response_of("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", &used), 0);
    CHECK_INT(head.body, HTTP_BODY_CHUNKED);
    CHECK_INT(response_of("HTTP/1.1 204 No Content\r\n\r\n", &used), 0);
    CHECK_INT(head.body, HTTP_BODY_NONE);
    CHECK(head.keep_alive);
    CHECK_INT(response_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", &used), 0);
    CHECK_INT(head.body, HTTP_BODY_NONE);
    CHECK_INT(response_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", &used), 0);
    CHECK_INT(head.status, 100);
    CHECK_INT(used, 25);
    CHECK_INT(http_parse_response(SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"), 100,
                                  true, &head, &used, &diag),
              0);
    CHECK_INT(head.body, HTTP_BODY_NONE);
    CHECK(head.keep_alive);
}

TEST(malformed_responses_are_refused)
{
    check_response_refused("HTTP/1.1 20 OK\r\n\r\n");
    check_response_refused("HTTP/1.1 2000 OK\r\n\r\n");
    check_response_refused("HTTP/1.1 099 OK\r\n\r\n");
    check_response_refused("HTTP/1.1 2xx OK\r\n\r\n");
    check_response_refused("HTTP/1.1  200 OK\r\n\r\n");
    check_response_refused("HTTP/2 200 OK\r\n\r\n");
    check_response_refused("ICY 200 OK\r\n\r\n");
    check_response_refused("\r\nHTTP/1.1 200 OK\r\n\r\n");
    check_response_refused("HTTP/1.1 200 OK\n\n");
    check_response_refused("HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\n");
    check_response_refused("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response_refused("HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n");
}

/* Feeds text in pieces of `step` bytes; returns the error, the data in out, what was used. */
static int chunked(const char *text, size_t step, struct buf *out, size_t *total, bool *done)
{
    struct http_chunked c;
    struct slice in = slice_str(text);
    http_chunked_init(&c);
    buf_reset(out);
    *total = 0;
    while (*total < in.n && !c.done) {
        struct slice feed = slice_sub(in, *total, step), piece;
        size_t used;
        int err = http_chunked_feed(&c, feed, &used, &piece, &diag);
        if (err != 0)
            return err;
        buf_slice(out, piece);
        CHECK(used > 0);
        *total += used;
    }
    *done = c.done;
    return 0;
}

TEST(chunked_bodies_are_joined_whatever_the_feed)
{
    static const char text[] = "5\r\nhello\r\n1;a=\"b c\"\r\n \r\n0000a\r\n0123456789\r\n"
                               "0\r\nTrailer: x\r\nY:\r\n\r\nNEXT";
    struct buf out;
    buf_init(&out, 100);
    for (size_t step = 1; step <= sizeof text; step++) {
        size_t total;
        bool done;
        CHECK_INT(chunked(text, step, &out, &total, &done), 0);
        CHECK(done);
        CHECK_STR(buf_cstr(&out), "hello 0123456789");
        CHECK_INT(total, sizeof text - 5);
    }
    size_t total;
    bool done;
    CHECK_INT(chunked("5\r\nhello\r\n0\r\n\r", 99, &out, &total, &done), 0);
    CHECK(!done);
    buf_free(&out);
}

TEST(malformed_chunks_are_refused)
{
    static const char *bodies[] = {
        "\r\n",
        "+5\r\nhello\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5\t\r\nhello\r\n",
        "5 ;x\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5\r\nhello\n",
        "5\r\nhello\rX",
        "5\r\nhello!\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5,5\r\nhello\r\n",
        "g\r\n",
        "5;a\nb\r\nhello\r\n",
        "5;a\rb\r\nhello\r\n",
        "5;\x01\r\nhello\r\n",
        "8000000000000000\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n",
        "0\r\n\n",
        "0\r\nX: y\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\rz\r\n\r\n",
        "0\r\n\rx",
    };
    struct buf out;
    buf_init(&out, 100);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        for (size_t step = 1; step < 40; step += 13) {
            size_t total;
            bool done;
            int err = chunked(bodies[i], step, &out, &total, &done);
            if (err != ERR_SYNTAX)
                FAIL("not refused: %s", bodies[i]);
        }
    buf_free(&out);
}

TEST(chunk_extensions_and_trailers_have_a_maximum)
{
    static char text[HTTP_TRAILERS_MAX + 100];
    struct buf out;
    size_t total;
    bool done;
    buf_init(&out, 100);
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "1;", 2);
    memcpy(text + HTTP_CHUNK_LINE_MAX - 1, "\r\nx\r\n", 6);
    CHECK_INT(chunked(text, 9999, &out, &total, &done), 0);
    text[HTTP_CHUNK_LINE_MAX - 1] = 'a';
    memcpy(text + HTTP_CHUNK_LINE_MAX, "\r\nx\r\n", 6);
    CHECK_INT(chunked(text, 9999, &out, &total, &done), ERR_SYNTAX);
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "0\r\nx:", 5);
    memcpy(text + HTTP_TRAILERS_MAX - 1, "\r\n\r\n", 5);
    CHECK_INT(chunked(text, 9999, &out, &total, &done), 0);
    CHECK(done);
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "0\r\nx:", 5);
    CHECK_INT(chunked(text, 9999, &out, &total, &done), ERR_SYNTAX);
    buf_free(&out);
}

TEST(urls_are_taken_apart)
{
    struct http_url u;
    CHECK_INT(http_url_parse(SLICE_LIT("http://127.0.0.1:8080/a/b?c=d"), &u), 0);
    CHECK(!u.tls);
    check_slice(u.host, "127.0.0.1");
    CHECK_INT(u.port, 8080);
    check_slice(u.path, "/a/b?c=d");
    CHECK_INT(http_url_parse(SLICE_LIT("HTTPS://example.org"), &u), 0);
    CHECK(u.tls);
    CHECK_INT(u.port, 443);
    check_slice(u.path, "/");
    CHECK_INT(http_url_parse(SLICE_LIT("http://[::1]:81/"), &u), 0);
    check_slice(u.host, "::1");
    CHECK_INT(u.port, 81);
    CHECK_INT(http_url_parse(SLICE_LIT("http://[fe80::1]"), &u), 0);
    CHECK_INT(u.port, 80);
    static const char *bad[] = {
        "",           "ftp://a/",      "http:/a",        "http://",       "http:///x",
        "http://a:/", "http://a:0/",   "http://a:65536", "http://a:+80/", "http://u@a/",
        "http://a b", "http://a/b c",  "http://a/#x",    "http://[::1",   "http://[::1]x/",
        "http://[]/", "http://a\r\n/", "http://a/\r\nX", "http://a?x",    "http://a:80:80/",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (http_url_parse(slice_str(bad[i]), &u) != ERR_SYNTAX)
            FAIL("not refused: %s", bad[i]);
}

TEST(tokens_and_values_are_told_apart)
{
    CHECK(http_is_token(SLICE_LIT("x-Road_1!")));
    CHECK(!http_is_token(SLICE_LIT("")));
    CHECK(!http_is_token(SLICE_LIT("a b")));
    CHECK(!http_is_token(SLICE_LIT("a:")));
    CHECK(http_is_value(SLICE_LIT("")));
    CHECK(http_is_value(SLICE_LIT("a\tb \xff")));
    CHECK(!http_is_value(SLICE_LIT("a\r\nb")));
    CHECK(!http_is_value(SLICE_LIT("a\x7f")));
    CHECK_STR(http_reason(404), "Not Found");
    CHECK_STR(http_reason(999), "");
}
