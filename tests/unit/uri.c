#include "base/err.h"
#include "test.h"
#include "wire/uri.h"

static struct diag diag;

static void check_segment(const char *raw, const char *want)
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(uri_segment_decode(slice_str(raw), &b), 0);
    if (strcmp(buf_cstr(&b), want) != 0)
        FAIL("%s gives %s", raw, buf_cstr(&b));
    buf_free(&b);
}

static void check_path(const char *raw, const char *want)
{
    struct buf b;
    buf_init(&b, 100);
    buf_str(&b, "kept");
    int err = uri_path_normalise(slice_str(raw), &b, &diag);
    if (err != 0)
        FAIL("%s is refused: %s", raw, diag.text);
    if (strcmp(buf_cstr(&b) + 4, want) != 0)
        FAIL("%s gives %s", raw, buf_cstr(&b) + 4);
    buf_free(&b);
}

static void check_path_refused(const char *raw)
{
    struct buf b;
    buf_init(&b, 100);
    buf_str(&b, "kept");
    if (uri_path_normalise(slice_str(raw), &b, &diag) != ERR_ACCESS_DENIED)
        FAIL("%s is not refused", raw);
    CHECK_STR(buf_cstr(&b), "kept");
    buf_free(&b);
}

TEST(segments_are_decoded_by_the_rules_of_identifiers)
{
    check_segment("", "");
    check_segment("abc-._~!$&'()*+,;=:@", "abc-._~!$&'()*+,;=:@");
    check_segment("a%20b", "a b");
    check_segment("a%2Fb%2fc", "a/b/c");
    check_segment("%25", "%");
    check_segment("%c3%A4", "\xc3\xa4");
    check_segment("a+b", "a+b");
}

TEST(malformed_segments_are_refused)
{
    static const char *bad[] = {
        "a b",  " a",  "\xc3\xa4",     "a\"b",      "%",   "%2",    "a%",  "%zz", "%+1", "a%2x",
        "%FF",  "%C3", "%C0%AF",       "%ED%A0%80", "%00", "a%00b", "a/b", "a?b", "a#b", "a[b",
        "a\\b", "a|b", "%F5%80%80%80", "%u0041",    "<",   "a\x01",
    };
    struct buf b;
    buf_init(&b, 100);
    buf_str(&b, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (uri_segment_decode(slice_str(bad[i]), &b) != ERR_SYNTAX)
            FAIL("not refused: %s", bad[i]);
        CHECK_STR(buf_cstr(&b), "kept");
    }
    buf_free(&b);
    buf_init(&b, 3);
    CHECK_INT(uri_segment_decode(SLICE_LIT("abcd"), &b), ERR_TOO_LARGE);
    buf_free(&b);
}

TEST(every_byte_is_encoded_as_x_road_does)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~!$'()*,;&=@:+";
    struct buf b;
    buf_init(&b, 1000);
    for (int c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        char want[4];
        snprintf(want, sizeof want, "%%%02X", (unsigned)c);
        if (c != 0 && strchr(plain, c) != NULL)
            snprintf(want, sizeof want, "%c", c);
        buf_reset(&b);
        uri_segment_encode(slice_of(&byte, 1), &b);
        CHECK_STR(buf_cstr(&b), want);
    }
    buf_reset(&b);
    uri_segment_encode(SLICE_LIT("\xc3\xa4/%"), &b);
    CHECK_STR(buf_cstr(&b), "%C3%A4%2F%25");
    buf_free(&b);
}

/* The verified results of messages.md section 4, where X-Road's own are no accident of its library.
 */
TEST(paths_are_compared_decoded_and_resolved)
{
    check_path("", "");
    check_path("/", "/");
    check_path("/a/../b", "/b");
    check_path("/a/./b", "/a/b");
    check_path("/%C3%A4", "/\xc3\xa4");
    check_path("/a%20b", "/a b");
    check_path("/a%25b", "/a%b");
    check_path("/%7Bid%7D", "/{id}");
    check_path("/a/b/", "/a/b/");
    check_path("/a/b/..", "/a/");
    check_path("/a/..", "/");
    check_path("/a/.", "/a/");
    check_path("/./a", "/a");
    check_path("/a/b/../../c", "/c");
    check_path("/a;x=1/b", "/a;x=1/b");
    check_path("/a%2Db", "/a-b");
    check_path("/a.b/.c", "/a.b/.c");
    check_path("/50%25", "/50%");
}

TEST(paths_are_resolved_for_the_provider_without_being_decoded)
{
    static const char *const paths[][2] = {
        {"", ""},          {"/", "/"},
        {"/a/../b", "/b"}, {"/a/./b%20c", "/a/b%20c"},
        {"/a/..", "/"},    {"/a/%C3%A4/../b/.", "/a/b/"},
        {"/.", "/"},       {"/a;x=1/../b;y/", "/b;y/"},
        {"/a.b", "/a.b"},  {"/a/.well-known/x", "/a/.well-known/x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct buf b;
        buf_init(&b, 100);
        CHECK_INT(uri_path_resolve(slice_str(paths[i][0]), &b, &diag), 0);
        CHECK_STR(buf_cstr(&b), paths[i][1]);
        buf_free(&b);
    }
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(uri_path_resolve(slice_str("/a/../../b"), &b, &diag), ERR_ACCESS_DENIED);
    CHECK_STR(buf_cstr(&b), "");
    buf_free(&b);
}

TEST(paths_with_more_than_one_reading_are_refused)
{
    static const char *bad[] = {
        "/../b",        "/a/../../b", "/..",       "/a/b/../../..", "/a..b",        "/a%2Fb",
        "/a%2fb",       "/a%5Cb",     "/a%5cb",    "/a\\b",         "/a%3Fb",       "/a%23b",
        "/a%00",        "/a%0Ab",     "/a%7F",     "/a//b",         "//x/y",        "/a//",
        "//",           "/;x/b",      "/a/;x",     "/%2e",          "/a/%2e%2e/b",  "/a/.%2E/b",
        "/a/%2e/b",     "/a/..;/b",   "/a/.;x/b",  "/a/..;x=1/b",   "/a/%2e%2e;/b", "/%252e%252e/b",
        "/a%252Fb",     "/%FF",       "/%C3",      "/%C0%AE",       "/%",           "/a%2",
        "/%u0041",      "/a b",       "/\xc3\xa4", "/a[b",          "/a]b",         "/a{b",
        "/a}b",         "/a|b",       "/a^b",      "/a<b",          "/a>b",         "/a\"b",
        "/a`b",         "a",          "a/b",       "/a?b",          "/a#b",         "/a/...",
        "/a/%2e%2e%2e", "/a/..%20",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_path_refused(bad[i]);
    static const char zero[] = "/a\0b";
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(uri_path_normalise(slice_of(zero, 4), &b, &diag), ERR_ACCESS_DENIED);
    buf_free(&b);
    buf_init(&b, 4);
    CHECK_INT(uri_path_normalise(SLICE_LIT("/abcdefgh"), &b, &diag), ERR_ACCESS_DENIED);
    buf_free(&b);
}

/* The two lists of messages.md section 3. */
TEST(targets_are_judged_as_x_road_judges_them)
{
    static const char *bad[] = {
        "//",     "/a//b",   "/;x/",   "/%2e",    "/%2E%2e/a", "/a/.%2e", "/a%25b", "/a%5Cb",
        "/a\\b",  "/a%00",   "/a%0A",  "/%u0041", "/%FF",      "/%C3%41", "/%C3",   "/%ED%A0%80",
        "/a%",    "/a%2",    "/a[b",   "/a]b",    "/a{b",      "/a}b",    "/a|b",   "/a^b",
        "/a<b",   "/a>b",    "/a\"b",  "/a`b",    "/\xc3\xa4", "",        "a",      "/a?{x}",
        "/a?a|b", "/a?a\\b", "/a?a^b", "/a?<",    "/a?>",      "/a?\"",   "/a?`",   "/a?a b",
        "/a?%",   "/a?%2",   "/a?%zz", "/a?b#c",  "/a/..;x/b",
    };
    static const char *good[] = {
        "/",
        "/a/../b",
        "/../a",
        "/a;x=1",
        "/a%2Fb",
        "/a%20b",
        "/a%3Fb",
        "/a%23b",
        "/a%7Bb",
        "/%C3%A4",
        "/a/",
        "/a?",
        "/a?x=%25",
        "/a?x=[1]",
        "/a?\xc3\xa4",
        "/a?b?c/d",
        "/a?//",
        "/%F0%9F%98%80",
        "/r1/ZZ/GOV/200/data/items/7?x=1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (uri_target_check(slice_str(bad[i]), &diag) != ERR_BAD_REQUEST)
            FAIL("not refused: %s", bad[i]);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (uri_target_check(slice_str(good[i]), &diag) != 0)
            FAIL("refused: %s: %s", good[i], diag.text);
}

TEST(form_values_take_plus_for_a_blank)
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_INT(uri_form_decode(SLICE_LIT("a+b%2B%C3%A4\xc3\xa4"), &b), 0);
    CHECK_STR(buf_cstr(&b), "a b+\xc3\xa4\xc3\xa4");
    CHECK_INT(uri_form_decode(SLICE_LIT("%zz"), &b), ERR_SYNTAX);
    CHECK_INT(uri_form_decode(SLICE_LIT("\xff"), &b), ERR_SYNTAX);
    CHECK_INT(uri_form_decode(SLICE_LIT("%00"), &b), ERR_SYNTAX);
    buf_free(&b);
}
