#include "base/err.h"
#include "test.h"
#include "wire/json.h"

#include <math.h>

static struct diag diag;

TEST(what_is_written_is_valid_and_has_the_values)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 1000);
    json_begin(&j, &b);
    json_open(&j, '{');
    json_kstr(&j, "a", "x");
    json_knum(&j, "n", INT64_MIN);
    json_key(&j, "list");
    json_open(&j, '[');
    json_bool(&j, true);
    json_bool(&j, false);
    json_none(&j);
    json_decimal(&j, 1.25, 2);
    json_decimal(&j, NAN, 2);
    json_open(&j, '{');
    json_close(&j, '}');
    json_open(&j, '[');
    json_close(&j, ']');
    json_raw(&j, SLICE_LIT("{\"r\":1}"));
    json_str(&j, SLICE_LIT(""));
    json_close(&j, ']');
    json_kslice(&j, "z", SLICE_LIT("y"));
    json_close(&j, '}');
    CHECK_STR(buf_cstr(&b),
              "{\"a\":\"x\",\"n\":-9223372036854775808,\"list\":[true,false,null,1.25,"
              "null,{},[],{\"r\":1},\"\"],\"z\":\"y\"}");
    json_t *read = json_parse(buf_view(&b), 1000, &diag);
    CHECK(read != NULL);
    CHECK(json_integer_value(json_object_get(read, "n")) == INT64_MIN);
    CHECK_INT(json_array_size(json_object_get(read, "list")), 9);
    json_decref(read);
    buf_free(&b);
}

/* Jansson reads back what was written. */
static void check_text(struct slice text, struct slice want)
{
    struct buf b;
    struct json_out j;
    buf_init(&b, 1000);
    json_begin(&j, &b);
    json_open(&j, '[');
    json_str(&j, text);
    json_close(&j, ']');
    json_error_t e;
    json_t *read = json_loadb((const char *)b.p, b.n, JSON_ALLOW_NUL, &e);
    CHECK(read != NULL);
    json_t *s = json_array_get(read, 0);
    CHECK(slice_eq(slice_of(json_string_value(s), json_string_length(s)), want));
    json_decref(read);
    buf_free(&b);
}

TEST(every_byte_of_text_is_escaped_as_needed)
{
    for (int c = 0; c < 0x80; c++) {
        uint8_t byte = (uint8_t)c;
        check_text(slice_of(&byte, 1), slice_of(&byte, 1));
    }
    check_text(SLICE_LIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
               SLICE_LIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
    check_text(SLICE_LIT("a\xff\xc3z"), SLICE_LIT("a\xef\xbf\xbd\xef\xbf\xbdz"));
    check_text(SLICE_LIT("\xed\xa0\x80"), SLICE_LIT("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    check_text(SLICE_LIT("a\xe2\x82"), SLICE_LIT("a\xef\xbf\xbd\xef\xbf\xbd"));
}

static void check_refused(struct slice text, int code)
{
    diag = (struct diag){0};
    json_t *j = json_parse(text, 100000, &diag);
    if (j != NULL || diag.code != code || diag.text[0] == 0)
        FAIL("%d, not %d: %.*s", diag.code, code, SLICE_ARG(text));
}

TEST(malformed_json_is_refused)
{
    static const char *bad[] = {
        "",         "{",       "[1,]",       "{\"a\":1,\"a\":2}", "{a:1}", "[01]",  "[1] x",
        "\"text\"", "1",       "[\"\xff\"]", "[\"\\u0000\"]",     "[NaN]", "['a']", "[\"\\ud800\"]",
        "[1}",      "{\"a\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_refused(slice_str(bad[i]), ERR_SYNTAX);
    check_refused(SLICE_NONE, ERR_SYNTAX);
    check_refused(SLICE_LIT("{\n \"a\": x}"), ERR_SYNTAX);
    CHECK_STR(diag.where, "line 2, column 7");
}

TEST(depth_and_size_have_maxima)
{
    char text[300];
    for (size_t deep = JSON_DEPTH_MAX; deep <= JSON_DEPTH_MAX + 1; deep++) {
        memset(text, '[', deep);
        memset(text + deep, ']', deep);
        json_t *j = json_parse(slice_of(text, 2 * deep), 1000, &diag);
        CHECK((j != NULL) == (deep == JSON_DEPTH_MAX));
        json_decref(j);
    }
    CHECK_INT(diag.code, ERR_TOO_LARGE);
    json_t *j =
        json_parse(SLICE_LIT("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"]"), 1000, &diag);
    CHECK(j != NULL);
    json_decref(j);
    CHECK(json_parse(SLICE_LIT("[1]"), 2, &diag) == NULL);
    CHECK_INT(diag.code, ERR_TOO_LARGE);
}
