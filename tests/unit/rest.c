/* REST message parts: from HTTP, from a peer, back to HTTP; request hash; consistency. */
#include "base/err.h"
#include "test.h"
#include "xroad/rest.h"

#define UUID "1b4e28ba-2fa1-41d2-883f-0016d3cca427"

static struct arena *arena;
static struct rest_request req;
static struct rest_response resp;
static struct diag why;
static struct buf out;

static void begin(void)
{
    if (arena == NULL) {
        arena = arena_new(1u << 20);
        buf_init(&out, 1u << 20);
    }
    arena_reset(arena);
    buf_reset(&out);
    memset(&why, 0, sizeof why);
}

/* The head's bytes through the real HTTP reader and the consumer's edge. */
static int request(const char *head_text)
{
    static struct http_head head;
    size_t used = 0;
    begin();
    CHECK_INT(http_parse_request(slice_str(head_text), HTTP_HEAD_MAX, &head, &used, &why), 0);
    CHECK_INT(used, strlen(head_text));
    return rest_request_from_http(arena, &head, UUID, slice_str("ZZ"), "fallback", &req, &why);
}

static const char *printed(void)
{
    buf_reset(&out);
    rest_request_print(&req, &out);
    return buf_cstr(&out);
}

#define HEAD(target, more) "GET " target " HTTP/1.1\r\nHost: h\r\n" more "\r\n"
#define CLIENT "X-Road-Client: ZZ/GOV/100/c\r\n"

TEST(request_part_is_byte_exact)
{
    CHECK_INT(request("POST /r1/ZZ/GOV/200/data/items/7?x=1&y=%20 HTTP/1.1\r\nHost: ss:8080\r\n"
                      "User-Agent: curl\r\nAccept: */*\r\nX-Road-Client:  ZZ/GOV/100/c \r\n"
                      "Content-Type: application/json\r\nContent-Length: 7\r\nCookie: a=1\r\n"
                      "X-Empty:\r\nCookie: b=2\r\nX-Road-Request-Id: mine\r\n"
                      "x-road-request-HASH: mine\r\nExpect: 100-continue\r\nTE: x\r\n"
                      "Connection: close\r\n\r\n"),
              0);
    CHECK_STR(printed(), "POST\r\n/r1/ZZ/GOV/200/data/items/7?x=1&y=%20\r\nAccept:*/*\r\n"
                         "X-Road-Client:ZZ/GOV/100/c\r\nContent-Type:application/json\r\n"
                         "Cookie:a=1\r\nX-Empty:\r\nCookie:b=2\r\n"
                         "x-road-request-id:" UUID "\r\nx-road-id:ZZ-fallback\r\n");
    CHECK(slice_eq_str(req.service_path, "/7"));
    CHECK(slice_eq_str(req.query, "x=1&y=%20") && req.has_query);
    CHECK(slice_eq_str(req.service.code, "items"));
    CHECK(slice_eq_str(req.service.provider.subsystem, "data"));
    CHECK(slice_eq_str(req.client.member_code, "100"));
    CHECK(slice_eq_str(req.id, "ZZ-fallback"));
    CHECK(slice_eq_str(req.request_id, UUID));
    CHECK(!req.has_security_server);
}

TEST(service_path_and_query_forms)
{
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/data/items", CLIENT)), 0);
    CHECK(req.service_path.n == 0 && !req.has_query);
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/data/items/", CLIENT)), 0);
    CHECK(slice_eq_str(req.service_path, "/"));
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/data/items?", CLIENT)), 0);
    CHECK(req.has_query && req.query.n == 0);
    CHECK(strstr(printed(), "/items?\r\n") != NULL);
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/2%2F0/d;x/items/a/b/c", CLIENT)), 0);
    CHECK(slice_eq_str(req.service.provider.member_code, "2/0"));
    CHECK(slice_eq_str(req.service.provider.subsystem, "d;x"));
    CHECK(slice_eq_str(req.service_path, "/a/b/c"));
}

TEST(an_id_of_the_consumer_is_kept_and_the_last_one_counts)
{
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/data/items",
                           CLIENT "X-Road-Id: one\r\nx-road-ID: two\r\n"
                                  "X-Road-Security-Server: ZZ/GOV/200/ss%201\r\n")),
              0);
    CHECK(slice_eq_str(req.id, "two"));
    CHECK(strstr(printed(), "fallback") == NULL);
    CHECK(req.has_security_server && slice_eq_str(req.security_server.server_code, "ss 1"));
}

/* transport.md 5.6: C3 A4 in HTTP is C3 83 C2 A4 in the message, and comes back as it was. */
TEST(header_bytes_travel_as_latin_1)
{
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/data/items", CLIENT "X-Name: \xC3\xA4\xFF\x80\r\n")), 0);
    CHECK(strstr(printed(), "X-Name:\xC3\x83\xC2\xA4\xC3\xBF\xC2\x80\r\n") != NULL);
    buf_reset(&out);
    CHECK_INT(rest_request_http_headers(&req, &out), 0);
    CHECK(strstr(buf_cstr(&out), "X-Name: \xC3\xA4\xFF\x80\r\n") != NULL);
    CHECK(strstr(buf_cstr(&out), "x-road-request-id: " UUID "\r\n") != NULL);
}

TEST(consumer_mistakes_have_their_sentence)
{
    static const struct {
        const char *head;
        int code;
        const char *says;
    } bad[] = {
        {HEAD("/r1/ZZ/GOV/200/data/items", ""), ERR_INVALID_CLIENT_ID, "X-Road-Client is missing"},
        {HEAD("/r1/ZZ/GOV/200/data", CLIENT), ERR_BAD_REQUEST, "/r1/<instance>/"},
        {HEAD("/r2/ZZ/GOV/200/data/items", CLIENT), ERR_BAD_REQUEST, "begin with /r1/"},
        {HEAD("/r1/ZZ/GOV/200/%20/items", CLIENT), ERR_BAD_REQUEST,
         "subsystem code in the path is"},
        {HEAD("/r1/ZZ/GOV/200/data/items", "X-Road-Client: ZZ/GOV\r\n"), ERR_BAD_REQUEST,
         "3 or 4 segments"},
        {HEAD("/r1/ZZ/GOV/200/data/items", "X-Road-Client: ZZ/GOV/1 2\r\n"), ERR_BAD_REQUEST,
         "percent-encoded"},
        {HEAD("/r1/ZZ/GOV/200/data/items", CLIENT "X-Road-Id:\r\n"), ERR_BAD_REQUEST, "empty"},
        {HEAD("/r1/ZZ/GOV/200/data/items", CLIENT "X-Road-Security-Server: a\r\n"), ERR_BAD_REQUEST,
         "4 segments"},
        {HEAD("/r1/ZZ/GOV/200/data/items", CLIENT "X-Road-Represented-Party: a/b/c\r\n"),
         ERR_BAD_REQUEST, "two segments"},
        {HEAD("/r1/ZZ/GOV/200/data/items?filter={x}", CLIENT), ERR_BAD_REQUEST, "query"},
        {HEAD("/r1/ZZ/GOV/200/data/items?a=\xC2\xA0", CLIENT), ERR_BAD_REQUEST, "query"},
        {HEAD("/r1/ZZ/GOV/200/data/items?a=\xE4", CLIENT), ERR_BAD_REQUEST, "query"},
        {HEAD("/r1/ZZ/GOV/200/data/items/a[1]", CLIENT), ERR_BAD_REQUEST, "path"},
        {HEAD("/r1/ZZ/GOV/200/data/items/%zz", CLIENT), ERR_BAD_REQUEST, "hexadecimal"},
        {"get /r1/ZZ/GOV/200/data/items HTTP/1.1\r\nHost: h\r\n" CLIENT "\r\n", ERR_BAD_REQUEST,
         "method"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int err = request(bad[i].head);
        if (err != bad[i].code || why.code != err || strstr(why.text, bad[i].says) == NULL)
            FAIL("case %zu gives %s: %s", i, err_name(err), why.text);
    }
}

static unsigned char *vector(const char *name, size_t *n)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/xroad/worked/%s", VECTORS(), name);
    return test_file(path, n);
}

static int parse(const char *part)
{
    begin();
    return rest_request_parse(arena, slice_str(part), &req, &why);
}

TEST(a_peers_request_part)
{
    size_t n;
    unsigned char *part = vector("message2.txt", &n);
    begin();
    CHECK_INT(rest_request_parse(arena, slice_of(part, n), &req, &why), 0);
    CHECK(slice_eq_str(req.verb, "POST") && slice_eq_str(req.id, "worked-2"));
    CHECK(slice_eq_str(req.client.subsystem, "registry") && slice_eq_str(req.request_id, UUID));
    rest_request_print(&req, &out);
    CHECK(slice_eq(buf_view(&out), slice_of(part, n)));
    free(part);
}

#define GOOD                                                                                       \
    "GET\r\n/r1/ZZ/GOV/200/data/items/a?q=[1]\r\nX-Road-Client:ZZ/GOV/100\r\nX-Road-Id:1\r\n"      \
    "x-road-request-id:u\r\n"
#define URL "/r1/ZZ/GOV/200/data/items"
#define REST "X-Road-Client:ZZ/GOV/100\r\nX-Road-Id:1\r\nx-road-request-id:u\r\n"

TEST(a_peers_faulty_request_parts)
{
    static const char *const bad[] = {
        "",
        "GET",
        "FETCH\r\n" URL "\r\n" REST,
        "GET\n" URL "\n" REST,
        "GET\r\n" URL "\r\nX-Road-Client:ZZ/GOV/100\r\nX-Road-Id:1\r\nx-road-request-id:u",
        GOOD "\r\n",
        GOOD "no colon\r\n",
        GOOD ":v\r\n",
        GOOD "a b:v\r\n",
        GOOD "Host:x\r\n",
        GOOD "CONTENT-LENGTH:1\r\n",
        GOOD "x:a\nb\r\n",
        GOOD "x:a\rb\r\n",
        GOOD "x:\x01\r\n",
        GOOD "x:\xC3\r\n",
        GOOD "x:\xE2\x82\xAC\r\n",
        "GET\r\nhttp://h" URL "\r\n" REST,
        "GET\r\n" URL "#f\r\n" REST,
        "GET\r\n" URL "/[1]\r\n" REST,
        "GET\r\n" URL "/a b\r\n" REST,
        "GET\r\n" URL "/%4\r\n" REST,
        "GET\r\n" URL "?a=%4\r\n" REST,
        "GET\r\n" URL "?a={1}\r\n" REST,
        "GET\r\n/r1/ZZ/GOV/200/data\r\n" REST,
        "GET\r\n" URL "\r\nX-Road-Client: ZZ/GOV/100\r\nX-Road-Id:1\r\nx-road-request-id:u\r\n",
        "GET\r\n" URL "\r\nX-Road-Id:1\r\nx-road-request-id:u\r\n",
        "GET\r\n" URL "\r\nX-Road-Client:ZZ/GOV/100\r\nx-road-request-id:u\r\n",
        "GET\r\n" URL "\r\nX-Road-Client:ZZ/GOV/100\r\nX-Road-Id:1\r\nX-Road-Request-Id:u\r\n",
    };
    CHECK_INT(parse(GOOD), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int err = parse(bad[i]);
        if (err != ERR_INTERNAL || why.text[0] == 0)
            FAIL("case %zu gives %s", i, err_name(err));
    }
}

/* Digests of the parts: vectors/xroad/worked/digests.txt; the hashes below were computed with
 * Python's hashlib by the rule of transport.md 5.8. */
TEST(request_hash)
{
    size_t n, m;
    char text[89];
    struct digest head, body;
    unsigned char *part = vector("message2.txt", &n),
                  *attachment = vector("message2.attachment1", &m);
    digest_of(DIGEST_SHA512, slice_of(part, n), &head);
    digest_of(DIGEST_SHA512, slice_of(attachment, m), &body);
    rest_request_hash(&head, NULL, text);
    CHECK_STR(
        text,
        "ephuu+0FZZhhTUrhXogl8ZJmbIKNrNRqfP9b6wSiL0p7FMPHqn4EhgdG+8tIeFzjxvhTZj0AboTl1ro4Iquaww==");
    rest_request_hash(&head, &body, text);
    CHECK_STR(
        text,
        "ntwOB4tZrnStdu8fpZBDtvbutqrXwEyULqEjoh7nIbjCesH8GV//s1nlgnZvJtvDWQ/dWikCy+/7/s97uzCElg==");
    free(part);
    free(attachment);
}

static int respond(const char *head_text)
{
    static struct http_head head;
    size_t used = 0;
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/d%20x/items", CLIENT "X-Road-Id: 1\r\n")), 0);
    CHECK_INT(http_parse_response(slice_str(head_text), HTTP_HEAD_MAX, false, &head, &used, &why),
              0);
    return rest_response_from_http(arena, &head, &req, slice_str(UUID), slice_str("aGFzaA=="),
                                   &resp, &why);
}

#define TAIL                                                                                       \
    "x-road-id:1\r\nx-road-client:ZZ/GOV/100/c\r\nx-road-service:ZZ/GOV/200/d%20x/items\r\n"       \
    "x-road-request-id:" UUID "\r\nx-road-request-hash:aGFzaA==\r\n"

TEST(response_part_is_byte_exact)
{
    CHECK_INT(
        respond("HTTP/1.1 404 Not Found\r\nServer: x\r\nDate: Mon, 05 Jan 2026 10:00:00 GMT\r\n"
                "Content-Type: text/plain\r\nContent-Length: 3\r\nx-road-id: mine\r\n"
                "X-Road-Service: mine\r\nX-Road-Client: mine\r\nX-Road-Request-Id: mine\r\n"
                "X-Road-Request-Hash: mine\r\nConnection: close\r\n\r\n"),
        0);
    buf_reset(&out);
    rest_response_print(&resp, &out);
    CHECK_STR(buf_cstr(&out), "404\r\nNot Found\r\nDate:Mon, 05 Jan 2026 10:00:00 GMT\r\n"
                              "Content-Type:text/plain\r\nX-Road-Service:mine\r\n" TAIL);
    CHECK(rest_part_is_response(buf_view(&out)));
    CHECK(!rest_part_is_response(SLICE_LIT("GET\r\n")));
}

TEST(response_goes_through_the_peer_and_back)
{
    CHECK_INT(respond("HTTP/1.1 200 \r\nX-Name: \xE4\r\nContent-Length: 0\r\n\r\n"), 0);
    buf_reset(&out);
    rest_response_print(&resp, &out);
    CHECK_STR(buf_cstr(&out), "200\r\n\r\nX-Name:\xC3\xA4\r\n" TAIL);
    static struct rest_response got;
    struct slice part = arena_dup(arena, buf_view(&out));
    CHECK_INT(rest_response_parse(part, &got, &why), 0);
    CHECK_INT(got.status, 200);
    CHECK_INT(rest_response_check(&got, &req, SLICE_LIT("aGFzaA=="), &why), 0);
    buf_reset(&out);
    CHECK_INT(rest_response_http_headers(&got, &out), 0);
    CHECK(strncmp(buf_cstr(&out), "X-Name: \xE4\r\nx-road-id: 1\r\n", 25) == 0);
}

TEST(metadata_answer_echoes_the_requests_headers)
{
    CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/d%20x/listMethods",
                           CLIENT "X-Road-Id: 1\r\nAccept: a/b\r\nX-Road-UserId: EE1\r\n")),
              0);
    CHECK_INT(rest_response_echo(arena, &req, slice_str(UUID), slice_str("aGFzaA=="),
                                 SLICE_LIT("application/json"), &resp, &why),
              0);
    buf_reset(&out);
    rest_response_print(&resp, &out);
    CHECK_STR(buf_cstr(&out),
              "200\r\nOK\r\nAccept:a/b\r\nX-Road-UserId:EE1\r\nx-road-id:1\r\n"
              "x-road-client:ZZ/GOV/100/c\r\nx-road-service:ZZ/GOV/200/d%20x/listMethods\r\n"
              "x-road-request-id:" UUID "\r\nx-road-request-hash:aGFzaA==\r\n"
              "Content-Type:application/json\r\n");
}

TEST(faulty_response_parts)
{
    static const char *const bad[] = {"",
                                      "200\r\n",
                                      "2x0\r\nOK\r\n" TAIL,
                                      "100\r\nContinue\r\n" TAIL,
                                      "+200\r\nOK\r\n" TAIL,
                                      "0200\r\nOK\r\n" TAIL,
                                      "200\r\nOK\r\nx-road-request-hash:aA==\r\n",
                                      "200\r\nOK\r\nx-road-id:1\r\n",
                                      "200\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:\r\n",
                                      "200\r\nOK\r\nServer:x\r\n" TAIL,
                                      "200\r\nO\x01K\r\n" TAIL,
                                      "200\nOK\n" TAIL};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin();
        int err = rest_response_parse(slice_str(bad[i]), &resp, &why);
        if (err != ERR_INTERNAL)
            FAIL("case %zu gives %s", i, err_name(err));
    }
}

TEST(an_answer_to_another_request_is_noticed)
{
    static const struct {
        const char *lines, *which;
    } bad[] = {
        {"x-road-id:2\r\n", "x-road-id"},
        {"x-road-client:ZZ/GOV/100\r\n", "x-road-client"},
        {"x-road-service:ZZ/GOV/200/d%20x/item\r\n", "x-road-service"},
        {"x-road-service:nonsense\r\n", "x-road-service"},
        {"x-road-request-id:u\r\n", "x-road-request-id"},
        {"x-road-request-hash:aGFzaB==\r\n", "x-road-request-hash"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_INT(request(HEAD("/r1/ZZ/GOV/200/d%20x/items", CLIENT "X-Road-Id: 1\r\n")), 0);
        buf_reset(&out);
        buf_str(&out, "200\r\nOK\r\n" TAIL);
        buf_str(&out, bad[i].lines); /* the last one counts */
        CHECK_INT(rest_response_parse(buf_view(&out), &resp, &why), 0);
        CHECK_INT(rest_response_check(&resp, &req, SLICE_LIT("aGFzaA=="), &why),
                  ERR_INCONSISTENT_RESPONSE);
        if (strncmp(why.text, bad[i].which, strlen(bad[i].which)) != 0)
            FAIL("case %zu says %s", i, why.text);
    }
}
