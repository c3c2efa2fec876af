#include "base/err.h"
#include "proc/report.h"
#include "test.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

/* What the call writes to stderr, read by an independent JSON parser. */
#define CAPTURE(out, call)                                                                         \
    do {                                                                                           \
        int saved_ = dup(STDERR_FILENO), pipe_[2];                                                 \
        CHECK_INT(pipe(pipe_), 0);                                                                 \
        dup2(pipe_[1], STDERR_FILENO);                                                             \
        close(pipe_[1]);                                                                           \
        call;                                                                                      \
        dup2(saved_, STDERR_FILENO);                                                               \
        close(saved_);                                                                             \
        ssize_t n_ = read(pipe_[0], out, sizeof out - 1);                                          \
        close(pipe_[0]);                                                                           \
        out[n_ < 0 ? 0 : n_] = 0;                                                                  \
    } while (0)

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "(none)";
}

TEST(a_line_is_one_json_object)
{
    static char out[32768];
    report_open("gateway/worker:0");
    CAPTURE(out, report(REPORT_WARN, "odd_text", "quote \" back\\slash \n\x01 %s", "\xc3\xb5"));
    CHECK_INT(strchr(out, '\n') - out, (int)strlen(out) - 1);
    json_t *o = json_loads(out, 0, NULL);
    CHECK(o != NULL);
    CHECK_STR(text_of(o, "role"), "gateway/worker:0");
    CHECK_STR(text_of(o, "level"), "warn");
    CHECK_STR(text_of(o, "event"), "odd_text");
    CHECK_STR(text_of(o, "text"), "quote \" back\\slash \n\x01 \xc3\xb5");
    CHECK_INT(strlen(text_of(o, "time")), strlen("2026-01-05T10:00:00.000Z"));
    json_decref(o);
}

TEST(a_diag_is_told_with_code_place_and_rule)
{
    static char out[32768];
    struct diag d;
    diag_set(&d, ERR_ACCESS_DENIED, "no right %s", "\xff");
    diag_where(&d, "part 2");
    diag_rule(&d, "acl 1");
    CAPTURE(out, report_diag(REPORT_ERROR, "refused", "uuid-1", &d));
    json_t *o = json_loads(out, 0, NULL);
    CHECK(o != NULL);
    CHECK_STR(text_of(o, "id"), "uuid-1");
    CHECK_STR(text_of(o, "code"), "access_denied");
    CHECK_STR(text_of(o, "where"), "part 2");
    CHECK_STR(text_of(o, "rule"), "acl 1");
    CHECK_STR(text_of(o, "text"), "no right ?");
    json_decref(o);
}

TEST(a_line_too_long_is_cut_and_stays_json)
{
    static char out[65536], text[5000];
    memset(text, 1, sizeof text - 1);
    CAPTURE(out, report(REPORT_INFO, "long", "%s", text));
    json_t *o = json_loads(out, 0, NULL);
    CHECK(o != NULL);
    CHECK_INT(strlen(text_of(o, "text")), 2047);
    json_decref(o);
}

TEST(debug_lines_need_the_variable)
{
    static char out[32768];
    unsetenv("SILD_DEBUG");
    report_open("x");
    CAPTURE(out, report(REPORT_DEBUG, "quiet", "no"); report(REPORT_INFO, "loud", "yes"));
    CHECK(strstr(out, "quiet") == NULL);
    CHECK(strstr(out, "loud") != NULL);
}

/* All lines of a pipe that is read beside; counts those of one event, and what was left out. */
TEST(who_floods_the_log_is_left_out_and_counted)
{
    char path[] = "/tmp/sild-report-XXXXXX";
    int saved = dup(STDERR_FILENO), file = mkstemp(path);
    CHECK(file >= 0);
    unlink(path);
    dup2(file, STDERR_FILENO);
    for (int i = 0; i < 1000; i++)
        report(REPORT_WARN, "flood", "%d", i);
    report(REPORT_INFO, "calm", "still heard");
    usleep(1200000); /* the budget has grown by two lines at least */
    report(REPORT_WARN, "flood", "last");
    dup2(saved, STDERR_FILENO);
    close(saved);
    FILE *f = fdopen(file, "r");
    char line[32768];
    int written = 0, calm = 0;
    json_int_t left_out = 0;
    rewind(f);
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *o = json_loads(line, 0, NULL);
        CHECK(o != NULL);
        written += strcmp(text_of(o, "event"), "flood") == 0;
        calm += strcmp(text_of(o, "event"), "calm") == 0;
        if (strcmp(text_of(o, "event"), "left_out") == 0) {
            CHECK_STR(text_of(o, "of"), "flood");
            left_out += json_integer_value(json_object_get(o, "count"));
        }
        json_decref(o);
    }
    fclose(f);
    CHECK(written >= 200 && written < 1000);
    CHECK_INT(written + left_out, 1001);
    CHECK_INT(calm, 1);
}
