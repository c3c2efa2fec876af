#include "base/err.h"
#include "test.h"
#include "wire/mime.h"

#include <dirent.h>

static struct diag diag;

/*
 * Reads text in pieces that are cut at `cut` and then each `step` bytes, and writes what is told:
 * "P<content type>" "D<data>" "E" and "." for the end.
 */
static int told(struct slice text, const char *boundary, size_t cut, size_t step, struct buf *out)
{
    struct mime_reader *r = mime_reader_new(slice_str(boundary));
    CHECK(r != NULL);
    int err = 0;
    bool in_data = false;
    buf_reset(out);
    for (size_t at = 0; at < text.n && err == 0;) {
        struct slice in = slice_sub(text, at, at < cut ? cut - at : step), data;
        at += in.n;
        enum mime_event event = MIME_PART;
        while (err == 0 && (event != MIME_MORE || in.n > 0)) {
            err = mime_read(r, &in, &event, &data, &diag);
            if (err != 0)
                break;
            CHECK((event == MIME_DATA) == (data.n > 0));
            if (event == MIME_MORE)
                continue;
            if (event == MIME_DATA) {
                buf_str(out, in_data ? "" : "D");
                buf_slice(out, data);
            } else if (event == MIME_PART) {
                buf_byte(out, 'P');
                buf_slice(out, mime_header(r, "Content-Type"));
                buf_byte(out, '\n');
            } else {
                buf_str(out, event == MIME_END ? "." : "E\n");
            }
            in_data = event == MIME_DATA;
        }
    }
    CHECK_INT(mime_finished(r), !out->failed && out->n > 0 && out->p[out->n - 1] == '.');
    mime_reader_free(r);
    return err;
}

/* The same whatever the split: two pieces at every place, and pieces of 1, 2, 3, 7 bytes. */
static void check_splits(struct slice text, const char *boundary, int want_err, const char *want)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t cut = 0; cut <= text.n; cut++) {
        int err = told(text, boundary, cut, text.n, &out);
        if (err != want_err || (err == 0 && strcmp(buf_cstr(&out), want) != 0))
            FAIL("cut at %zu: error %d, told:\n%s\nnot:\n%s", cut, err, buf_cstr(&out), want);
    }
    static const size_t steps[] = {1, 2, 3, 7};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int err = told(text, boundary, 0, steps[i], &out);
        if (err != want_err || (err == 0 && strcmp(buf_cstr(&out), want) != 0))
            FAIL("by %zu: error %d, told:\n%s\nnot:\n%s", steps[i], err, buf_cstr(&out), want);
    }
    buf_free(&out);
}

static void check(const char *text, const char *want)
{
    check_splits(slice_str(text), "AB", 0, want);
}

static void check_refused(const char *text, int err)
{
    check_splits(slice_str(text), "AB", err, "");
}

TEST(parts_are_read_whatever_the_feed)
{
    check("--AB\r\ncontent-type: "
          "a/b\r\n\r\nbody\r\n--AB\r\nContent-Type:c/d\r\n\r\nx\ny\r\n--AB--\r\n",
          "Pa/b\nDbodyE\nPc/d\nDx\nyE\n.");
    check("--AB\ncontent-type: a/b\n\nbody\n--AB\nContent-Type:c/d\n\nx\r\ny\n--AB--",
          "Pa/b\nDbodyE\nPc/d\nDx\r\nyE\n.");
    check("preamble --AB\r\n--ABC\r\n--AB \t\r\nx: y\r\n\r\n\r\n--AB--epilogue\r\n--AB\r\n",
          "P\nE\n.");
}

TEST(body_octets_are_kept_as_they_are)
{
    check("--AB\r\n\r\n\r\n--AB--", "P\nE\n.");
    check("--AB\r\n\r\n--AB--", "P\nE\n.");
    check("--AB\r\n\r\n\n\n--AB--", "P\nD\nE\n.");
    check("--AB\r\n\r\n\r\n\r\n--AB--", "P\nD\r\nE\n.");
    check("--AB\r\n\r\n\r\r\n--AB--", "P\nD\rE\n.");
    check("--AB\r\n\r\n\n\r\r\n\r\n--AB--", "P\nD\n\r\r\nE\n.");
    check("--AB\r\n\r\nx\r--AB\n--AB--", "P\nDx\r--ABE\n.");
    check("--AB\r\n\r\nx--AB--\r\n--AB--", "P\nDx--AB--E\n.");
    check("--AB\r\n\r\n-\r\n-\r\n--\r\n--A\r\n--ABC\r\n--Ab\r\n --AB\r\n--AB--",
          "P\nD-\r\n-\r\n--\r\n--A\r\n--ABC\r\n--Ab\r\n --ABE\n.");
    check("--AB\r\n\r\n\r\n--A\r\n--\r\n\r\n\r\n--AB--", "P\nD\r\n--A\r\n--\r\n\r\nE\n.");
    check("--AB\r\n\r\n---AB\r\n---AB\r\n--AB--", "P\nD---AB\r\n---ABE\n.");
    check("--AB\r\n\r\n\r\n\n--AB--", "P\nD\r\nE\n.");
}

TEST(zero_bytes_are_data)
{
    static const char text[] = "--AB\r\n\r\na\0b\r\n\0--AB\r\n--AB--";
    struct buf out;
    buf_init(&out, 100);
    for (size_t step = 1; step < sizeof text; step++) {
        CHECK_INT(told(slice_of(text, sizeof text - 1), "AB", 0, step, &out), 0);
        CHECK(slice_eq(buf_view(&out), slice_of("P\nDa\0b\r\n\0--ABE\n.", 16)));
    }
    buf_free(&out);
}

TEST(cut_messages_are_not_finished)
{
    check("--AB\r\n\r\nbody", "P\nDbody");
    check("--AB\r\n\r\nbody\r\n", "P\nDbody");
    check("--AB\r\n\r\nbody\r\n--AB-", "P\nDbody");
    check("--AB\r\n\r\nbody\r\n--AB\r\n", "P\nDbodyE\n");
    check("--AB\r\ncontent-type", "");
}

TEST(lines_with_two_readings_are_refused)
{
    check_refused("--AB\r\n\r\nbody\r\n--AB x\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n\r\nbody\r\n--AB-x\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n\r\nbody\r\n--AB --\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n\r\nbody\r\n--AB\rx", ERR_MIME_PARSING);
    check_refused("--AB\r\nno colon\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n--AB\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\na b: c\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n: c\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\n folded: first\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\na: b\rc\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\na: b\x01\r\n\r\n", ERR_MIME_PARSING);
    check_refused("--AB\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\n", ERR_MIME_PARSING);
}

TEST(folded_headers_are_joined)
{
    check("--AB\r\nContent-Type: a/b;\r\n\tc=d\r\nX: y\r\n\r\nz\r\n--AB--", "Pa/b;\tc=d\nDzE\n.");
    check("--AB\r\nContent-Type:\r\n a/b\r\n\r\nz\r\n--AB--", "Pa/b\nDzE\n.");
}

TEST(heads_have_maxima)
{
    static char text[MIME_PART_HEAD_MAX * 3];
    struct buf out;
    buf_init(&out, sizeof text);
    int n = snprintf(text, sizeof text, "--AB\r\nx:");
    memset(text + n, 'a', MIME_LINE_MAX);
    strcpy(text + n + MIME_LINE_MAX - 2, "\r\n\r\n");
    CHECK_INT(told(slice_str(text), "AB", 0, 99, &out), 0);
    memset(text + n, 'a', MIME_LINE_MAX);
    strcpy(text + n + MIME_LINE_MAX - 1, "\r\n\r\n");
    CHECK_INT(told(slice_str(text), "AB", 0, 99, &out), ERR_TOO_LARGE);

    n = snprintf(text, sizeof text, "--AB\r\n");
    for (int i = 0; i < MIME_PART_HEAD_MAX / 500; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "x:%0498d\r\n", i);
    strcpy(text + n, "\r\n");
    CHECK_INT(told(slice_str(text), "AB", 0, 99, &out), 0);
    strcpy(text + n, "x:y\r\n\r\n");
    CHECK_INT(told(slice_str(text), "AB", 0, 99, &out), ERR_TOO_LARGE);

    n = snprintf(text, sizeof text, "--AB\r\n");
    for (int i = 0; i <= MIME_HEADERS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "x:y\r\n");
    CHECK_INT(told(slice_str(text), "AB", 0, 99, &out), ERR_TOO_LARGE);
    buf_free(&out);
}

TEST(nested_multiparts_are_read_by_a_reader_of_their_own)
{
    static const char outer[] =
        "--xtopA\r\ncontent-type: multipart/mixed; charset=UTF-8; "
        "boundary=xattB\r\n\r\n\r\n--xattB\r\ncontent-type: a/b\r\n\r\none\r\n"
        "--xattB\r\ncontent-type: c/d\r\n\r\n\r\n--xattB--\r\n\r\n--xtopA--\r\n";
    struct buf out, again;
    buf_init(&out, 1000);
    buf_init(&again, 1000);
    CHECK_INT(told(slice_str(outer), "xtopA", 0, 3, &out), 0);
    struct slice inner = buf_view(&out);
    size_t from = slice_find(inner, 'D') + 1, end = slice_find_slice(inner, SLICE_LIT("E\n."));
    inner = slice_sub(inner, from, end - from);
    CHECK_INT(told(inner, "xattB", 0, 3, &again), 0);
    CHECK_STR(buf_cstr(&again), "Pa/b\nDoneE\nPc/d\nE\n.");
    buf_free(&out);
    buf_free(&again);
}

TEST(what_is_written_is_read)
{
    struct buf b;
    buf_init(&b, 1000);
    struct slice boundary = SLICE_LIT("xtopabc");
    mime_begin_part(&b, boundary, true, "text/xml");
    buf_str(&b, "<a/>");
    mime_begin_part(&b, boundary, false, "signature/bdoc-1.0/ts");
    mime_end(&b, boundary);
    CHECK_STR(buf_cstr(&b), "--xtopabc\r\ncontent-type: text/xml\r\n\r\n<a/>\r\n--xtopabc\r\n"
                            "content-type: signature/bdoc-1.0/ts\r\n\r\n\r\n--xtopabc--\r\n");
    check_splits(buf_view(&b), "xtopabc", 0, "Ptext/xml\nD<a/>E\nPsignature/bdoc-1.0/ts\nE\n.");
    buf_free(&b);
}

/* Type and size of each part as `told` wrote them, one a line, sizes counted here. */
static void summary(struct slice text, const char *boundary, size_t step, struct buf *out)
{
    struct mime_reader *r = mime_reader_new(slice_str(boundary));
    size_t size = 0, at = 0;
    buf_reset(out);
    while (at < text.n) {
        struct slice in = slice_sub(text, at, step), data;
        enum mime_event event = MIME_PART;
        at += in.n;
        while (event != MIME_MORE || in.n > 0) {
            CHECK_INT(mime_read(r, &in, &event, &data, &diag), 0);
            size += data.n;
            if (event == MIME_PART) {
                buf_slice(out, mime_header(r, "content-type"));
                size = 0;
            } else if (event == MIME_PART_END) {
                buf_printf(out, ", %zu octets\n", size);
            }
        }
    }
    mime_reader_free(r);
}

/* The judge's lines "part  TYPE, N octets", without the first column. */
static void judged(const char *path, struct buf *out)
{
    char command[8192], line[1024];
    snprintf(command, sizeof command,
             "/usr/bin/python3 '%s/../judges/wire_judge.py' parts --body '%s' 2>/dev/null",
             VECTORS(), path);
    FILE *f = popen(command, "r");
    CHECK(f != NULL);
    buf_reset(out);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "part ", 5) == 0)
            buf_str(out, line + 5 + strspn(line + 5, " "));
    pclose(f);
}

TEST(messages_of_security_servers_have_the_parts_that_the_judge_finds)
{
    char dir[4200], path[4500];
    snprintf(dir, sizeof dir, "%s/xroad/proxymessages", VECTORS());
    DIR *list = opendir(dir);
    CHECK(list != NULL);
    struct buf ours, theirs;
    buf_init(&ours, 10000);
    buf_init(&theirs, 10000);
    int files = 0;
    for (struct dirent *e; (e = readdir(list)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        judged(path, &theirs);
        size_t n;
        unsigned char *text = test_file(path, &n);
        char boundary[80] = "";
        sscanf((const char *)text, "--%70[^\r\n]", boundary);
        static const size_t steps[] = {1, 13, 1000, SIZE_MAX};
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            summary(slice_of(text, n), boundary, steps[i], &ours);
            if (theirs.n == 0 || strcmp(buf_cstr(&ours), buf_cstr(&theirs)) != 0)
                FAIL("%s: ours\n%sthe judge's\n%s", e->d_name, buf_cstr(&ours), buf_cstr(&theirs));
        }
        free(text);
        files++;
    }
    closedir(list);
    CHECK(files >= 10);
    buf_free(&ours);
    buf_free(&theirs);
}

TEST(boundaries_are_judged)
{
    CHECK(mime_reader_new(SLICE_LIT("")) == NULL);
    CHECK(mime_reader_new(SLICE_LIT("a ")) == NULL);
    CHECK(mime_reader_new(SLICE_LIT("a\r\nb")) == NULL);
    char text[MIME_BOUNDARY_MAX + 1];
    memset(text, 'a', sizeof text);
    CHECK(mime_reader_new(slice_of(text, sizeof text)) == NULL);
    struct mime_reader *r = mime_reader_new(slice_of(text, MIME_BOUNDARY_MAX));
    CHECK(r != NULL);
    mime_reader_reset(r, SLICE_LIT("a\n"));
    struct slice in = SLICE_LIT("--a\n\n"), data;
    enum mime_event event;
    CHECK_INT(mime_read(r, &in, &event, &data, &diag), ERR_MIME_PARSING);
    CHECK(!mime_finished(r));
    mime_reader_reset(r, SLICE_LIT("a"));
    CHECK_INT(mime_read(r, &in, &event, &data, &diag), 0);
    CHECK_INT(event, MIME_PART);
    mime_reader_free(r);
}

static void check_slice(struct slice got, const char *want)
{
    if (!slice_eq_str(got, want))
        FAIL("\"%.*s\" is not \"%s\"", SLICE_ARG(got), want);
}

TEST(content_types_are_taken_apart)
{
    struct mime_type t;
    CHECK_INT(mime_type_parse(SLICE_LIT("multipart/mixed; charset=UTF-8; boundary=xtopAB"), &t), 0);
    check_slice(t.base, "multipart/mixed");
    check_slice(t.boundary, "xtopAB");
    check_slice(t.charset, "UTF-8");
    CHECK_INT(
        mime_type_parse(SLICE_LIT("Multipart/Related ;x; TYPE=\"text/xml\";Boundary=\"a; b\""), &t),
        0);
    check_slice(t.base, "Multipart/Related");
    check_slice(t.type, "text/xml");
    check_slice(t.boundary, "a; b");
    CHECK(t.charset.p == NULL);
    CHECK_INT(mime_type_parse(SLICE_LIT(" text/xml "), &t), 0);
    check_slice(t.base, "text/xml");
    static const char *bad[] = {
        "",
        "text",
        "text/",
        "a b/c",
        "signature/bdoc-1.0/ts x",
        "multipart/mixed; boundary=",
        "multipart/mixed; boundary=\"a",
        "multipart/mixed; boundary=a; boundary=b",
        "multipart/mixed; boundary=\"a\\\"b\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (mime_type_parse(slice_str(bad[i]), &t) != ERR_INVALID_CONTENT_TYPE)
            FAIL("not refused: %s", bad[i]);
    char text[120] = "a/b; boundary=";
    memset(text + strlen(text), 'a', MIME_BOUNDARY_MAX);
    CHECK_INT(mime_type_parse(slice_str(text), &t), 0);
    text[strlen(text)] = 'a';
    CHECK_INT(mime_type_parse(slice_str(text), &t), ERR_INVALID_CONTENT_TYPE);
}

TEST(parameters_are_found_by_name)
{
    struct slice v;
    CHECK(mime_param(SLICE_LIT("SHARED-PARAMETERS; instance='ZZ'"), "instance", &v));
    check_slice(v, "ZZ");
    CHECK(mime_param(SLICE_LIT("hash; a=1;hash-algorithm-id=\"http://x;y\""), "Hash-Algorithm-Id",
                     &v));
    check_slice(v, "http://x;y");
    CHECK(mime_param(SLICE_LIT("x; a="), "a", &v));
    CHECK_INT(v.n, 0);
    CHECK(!mime_param(SLICE_LIT("x; a=1"), "b", &v));
    CHECK(!mime_param(SLICE_LIT("a=1"), "a", &v));
}
