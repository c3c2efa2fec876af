/* The multipart message between security servers: encoder, decoder, order of parts, limits. */
#include "base/err.h"
#include "test.h"
#include "xroad/fault.h"
#include "xroad/message.h"

static struct buf wire, events;
static struct diag why;

/* Reads `wire` in pieces of `step` bytes and writes the events down as text. */
static int read_all(const char *boundary, bool response, size_t step)
{
    char type[200];
    struct message_reader *r;
    buf_free(&events);
    buf_init(&events, 2u << 20);
    memset(&why, 0, sizeof why);
    snprintf(type, sizeof type, "multipart/mixed; charset=UTF-8; boundary=%s", boundary);
    int err = message_reader_new(slice_str(type), response, &r, &why);
    bool in_body = false;
    for (size_t at = 0; err == 0 && at < wire.n; at += step) {
        struct slice in = slice_sub(buf_view(&wire), at, step), piece;
        enum message_event event = MESSAGE_BODY;
        while (err == 0 && event != MESSAGE_MORE) {
            err = message_read(r, &in, &event, &piece, &why);
            if (err != 0 || event == MESSAGE_MORE)
                break;
            static const char *const names[] = {[MESSAGE_OCSP] = "ocsp",
                                                [MESSAGE_HEAD] = "head",
                                                [MESSAGE_BODY] = "body",
                                                [MESSAGE_BODY_END] = "end",
                                                [MESSAGE_CHAIN_RESULT] = "result",
                                                [MESSAGE_CHAIN] = "chain",
                                                [MESSAGE_SIGNATURE] = "sig",
                                                [MESSAGE_FAULT] = "fault",
                                                [MESSAGE_END] = "."};
            if (event != MESSAGE_BODY || !in_body)
                buf_printf(&events, "%s(", names[event]);
            buf_slice(&events, piece);
            in_body = event == MESSAGE_BODY;
            if (!in_body)
                buf_str(&events, ")");
        }
    }
    if (err == 0)
        err = message_reader_eof(r, &why);
    message_reader_free(r);
    return err;
}

#define B "xtopABCDEFGHIJKLMNOPQRSTUVWXYZabcd"
#define REQUEST "application/x-road-rest-request"
#define RESPONSE "application/x-road-rest-response"
#define BODY "application/x-road-rest-body"
#define RESULT "application/hash-chain-result"
#define CHAIN "application/hash-chain"
#define SIGNATURE "signature/bdoc-1.0/ts"
#define OCSP "application/ocsp-response"

/* Writes parts of the given types with body "<index>", then the closing delimiter when closed. */
static void write_parts(bool closed, const char *const *types)
{
    struct message_writer w = {.boundary = B};
    char body[20];
    buf_free(&wire);
    buf_init(&wire, 2u << 20);
    for (int i = 0; types[i] != NULL; i++) {
        snprintf(body, sizeof body, "%d", i);
        message_part(&w, types[i], slice_str(body), &wire);
    }
    if (closed)
        message_finish(&w, &wire);
}
#define PARTS(...) write_parts(true, (const char *const[]){__VA_ARGS__, NULL})
#define CUT(...) write_parts(false, (const char *const[]){__VA_ARGS__, NULL})

TEST(boundary_is_xtop_and_letters)
{
    uint8_t random[30];
    char b[MESSAGE_BOUNDARY];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)(i * 9);
    message_boundary(random, b);
    CHECK_INT(strlen(b), 34);
    CHECK(strncmp(b, "xtop", 4) == 0);
    CHECK_INT(strspn(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 34);
}

TEST(encoder_is_byte_exact)
{
    PARTS(OCSP, REQUEST);
    CHECK_STR(buf_cstr(&wire),
              "--" B "\r\ncontent-type: application/ocsp-response\r\n\r\n0\r\n--" B
              "\r\ncontent-type: application/x-road-rest-request\r\n\r\n1\r\n--" B "--\r\n");
}

TEST(whole_messages_in_any_cut)
{
    static const size_t steps[] = {1, 2, 7, 50, 100000};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        PARTS(OCSP, OCSP, REQUEST, BODY, RESULT, CHAIN, SIGNATURE);
        CHECK_INT(read_all(B, false, steps[i]), 0);
        CHECK_STR(buf_cstr(&events), "ocsp(0)ocsp(1)head(2)body(3end()result(4)chain(5)sig(6).()");
        PARTS(RESPONSE, SIGNATURE);
        CHECK_INT(read_all(B, true, steps[i]), 0);
        CHECK_STR(buf_cstr(&events), "head(0)sig(1).()");
    }
}

TEST(an_empty_body_part_is_a_body)
{
    struct message_writer w = {.boundary = B};
    buf_free(&wire);
    buf_init(&wire, 10000);
    message_part(&w, RESPONSE, SLICE_LIT("h"), &wire);
    message_part(&w, BODY, SLICE_LIT(""), &wire);
    message_part(&w, SIGNATURE, SLICE_LIT("s"), &wire);
    message_finish(&w, &wire);
    CHECK_INT(read_all(B, true, 3), 0);
    CHECK_STR(buf_cstr(&events), "head(h)body(end()sig(s).()");
}

static const char *result_of(bool response)
{
    int err = read_all(B, response, 11);
    return err == 0 ? "fine" : err_name(err);
}

TEST(order_of_parts)
{
    PARTS(REQUEST, SIGNATURE);
    CHECK_STR(result_of(false), "fine");
    PARTS(REQUEST, RESULT, CHAIN, SIGNATURE);
    CHECK_STR(result_of(false), "fine");
    PARTS("Application/X-Road-REST-request; a=b", SIGNATURE);
    CHECK_STR(result_of(false), "fine");
    PARTS(RESPONSE, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, SIGNATURE);
    CHECK_STR(result_of(true), "invalid_content_type");
    PARTS(OCSP, RESPONSE, SIGNATURE);
    CHECK_STR(result_of(true), "invalid_content_type");
    PARTS(REQUEST, OCSP, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, REQUEST, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, BODY, BODY, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, RESULT, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, CHAIN, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, RESULT, CHAIN, BODY, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, "multipart/mixed; boundary=x", SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
    PARTS(REQUEST, SIGNATURE, SIGNATURE);
    CHECK_STR(result_of(false), "invalid_message");
    PARTS(SIGNATURE);
    CHECK_STR(result_of(false), "invalid_content_type");
}

TEST(what_is_missing_is_said)
{
    PARTS(OCSP);
    CHECK_STR(result_of(false), "missing_rest");
    PARTS(REQUEST, BODY);
    CHECK_STR(result_of(false), "missing_signature");
    CUT(OCSP);
    CHECK_STR(result_of(false), "missing_rest");
    CUT(REQUEST, BODY);
    CHECK_STR(result_of(false), "missing_signature");
    CUT(REQUEST, SIGNATURE);
    CHECK_STR(result_of(false), "mime_parsing_failed");
}

static void one_long_part(const char *type, size_t n)
{
    struct message_writer w = {.boundary = B};
    buf_free(&wire);
    buf_init(&wire, 2u << 20);
    if (strcmp(type, OCSP) != 0 && strcmp(type, REQUEST) != 0)
        message_part(&w, REQUEST, SLICE_LIT("h"), &wire);
    message_part_begin(&w, type, &wire);
    for (size_t i = 0; i < n; i++)
        buf_byte(&wire, 'x');
    message_finish(&w, &wire);
}

TEST(parts_have_their_maximum)
{
    static const struct {
        const char *type;
        size_t max;
    } limits[] = {{OCSP, MESSAGE_OCSP_BYTES},
                  {REQUEST, MESSAGE_PART_MAX},
                  {RESULT, MESSAGE_CHAIN_MAX},
                  {SIGNATURE, MESSAGE_SIGNATURE_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        one_long_part(limits[i].type, limits[i].max);
        CHECK(read_all(B, false, 5000) != ERR_TOO_LARGE);
        one_long_part(limits[i].type, limits[i].max + 1);
        CHECK_INT(read_all(B, false, 5000), ERR_TOO_LARGE);
    }
    PARTS(OCSP, OCSP, OCSP, OCSP, OCSP, OCSP, OCSP, OCSP, OCSP, REQUEST, SIGNATURE);
    CHECK_STR(result_of(false), "too_large");
}

#define FAULT                                                                                      \
    "<Envelope><Body><Fault><faultcode>C</faultcode><faultstring>S</faultstring></Fault></Body>"   \
    "</Envelope>"

static void with_fault(const char *head, const char *body, const char *xml)
{
    struct message_writer w = {.boundary = B};
    buf_free(&wire);
    buf_init(&wire, 10000);
    if (head != NULL)
        message_part(&w, head, SLICE_LIT("h"), &wire);
    if (body != NULL)
        message_part(&w, body, SLICE_LIT("b"), &wire);
    message_part(&w, "text/xml; charset=UTF-8", slice_str(xml), &wire);
    message_finish(&w, &wire);
}

TEST(faults_in_both_places)
{
    with_fault(NULL, NULL, FAULT);
    CHECK_INT(read_all(B, true, 9), 0);
    CHECK_STR(buf_cstr(&events), "fault(" FAULT ").()");
    with_fault(RESPONSE, BODY, FAULT);
    CHECK_INT(read_all(B, true, 9), 0);
    CHECK_STR(buf_cstr(&events), "head(h)body(bend()fault(" FAULT ").()");
    with_fault(RESPONSE, BODY, "<Envelope><Body><x/></Body></Envelope>");
    CHECK_INT(read_all(B, true, 9), ERR_INVALID_CONTENT_TYPE);
    with_fault(NULL, NULL, "<Envelope><Body><x/></Body></Envelope>");
    CHECK_INT(read_all(B, true, 9), ERR_MISSING_REST);
}

TEST(content_type_of_the_whole)
{
    static const char *const bad[] = {"text/xml", "multipart/mixed",
                                      "multipart/related; boundary=x",
                                      "multipart/mixed; boundary=", ""};
    struct message_reader *r;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (message_reader_new(slice_str(bad[i]), false, &r, NULL) != ERR_INVALID_CONTENT_TYPE)
            FAIL("\"%s\" is taken", bad[i]);
    CHECK_INT(message_reader_new(SLICE_LIT("Multipart/Mixed; boundary=\"a b\""), false, &r, NULL),
              0);
    message_reader_free(r);
}

/* X-Road's sample messages: SOAP with bare LF line ends. */
static int sample(const char *name, const char *boundary, bool response)
{
    char path[5000];
    size_t n;
    snprintf(path, sizeof path, "%s/xroad/proxymessages/%s", VECTORS(), name);
    unsigned char *bytes = test_file(path, &n);
    buf_free(&wire);
    buf_init(&wire, 1u << 20);
    buf_add(&wire, bytes, n);
    free(bytes);
    return read_all(boundary, response, 1000);
}

TEST(sample_messages)
{
    const char *b = "xtop1357783211hcn1yiro";
    CHECK_INT(sample("normal.request", b, false), ERR_MISSING_REST);
    CHECK(strstr(why.text, "SOAP") != NULL);
    CHECK_INT(sample("normal.response", b, true), ERR_MISSING_REST);
    CHECK_INT(sample("attachment.request", "xtop569125687hcu8vfma", false), ERR_MISSING_REST);
    CHECK_INT(sample("ocsp.request", b, false), ERR_MISSING_REST);
    CHECK(events.n > 1000 && memcmp(events.p, "ocsp(\x30\x82", 7) == 0);
    CHECK_INT(sample("invalid-soap-contenttype.request", b, false), ERR_INVALID_CONTENT_TYPE);
    CHECK_INT(sample("normal-soapfault.request", b, true), 0);
    CHECK(strncmp(buf_cstr(&events), "fault(<?xml", 11) == 0);
    struct fault f;
    struct arena *a = arena_new(1u << 20);
    struct slice xml = slice_sub(buf_view(&events), 6, events.n - 6 - strlen(").()"));
    CHECK_INT(fault_from_soap(a, xml, &f, NULL), 0);
    arena_free(a);
    CHECK_STR(f.code, "CODE");
    CHECK_STR(f.text, "STRING");
    CHECK_STR(f.detail, "DETAIL");
}
