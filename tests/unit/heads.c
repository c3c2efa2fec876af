/* The heads of a journal that the ledger accepted, kept beside it. */
#include "base/err.h"
#include "journal/heads.h"
#include "test.h"

#include <unistd.h>

static char dir_now[64], path[96];

__attribute__((destructor)) static void remove_folder(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir_now);
    if (dir_now[0] != 0 && system(cmd) != 0)
        printf("# cannot remove %s\n", dir_now);
}

static const char *folder(void)
{
    remove_folder();
    strcpy(dir_now, "/tmp/sild-heads-XXXXXX");
    if (mkdtemp(dir_now) == NULL)
        FAIL("no folder in /tmp");
    snprintf(path, sizeof path, "%s/" HEADS_FOLDER, dir_now);
    return path;
}

static struct heads *open_heads(bool read_only)
{
    struct heads *h;
    struct diag d = {0};
    if (heads_open(path, read_only, &h, &d) != 0)
        FAIL("%s: %s", d.where, d.text);
    return h;
}

/* The first lines of an answer, and something behind them. */
static struct slice answer_of(uint64_t size)
{
    static char text[400];
    int n = snprintf(text, sizeof text,
                     "sild/answer@v1\nT/s/j+00000000+AQ\nT/s/j\n%llu\nroot\n\nline %0*d\n",
                     (unsigned long long)size, (int)(size % 150) + 1, 7);
    return slice_of(text, (size_t)n);
}

static int append(struct heads *h, uint64_t size, struct diag *d)
{
    return heads_append(h, (int64_t)size * 1000, answer_of(size), d);
}

static void finds(struct heads *h, uint64_t seq, uint64_t size)
{
    struct buf b;
    struct diag d = {0};
    buf_init(&b, HEADS_ANSWER_MAX);
    CHECK_INT(heads_find(h, seq, &b, &d), size == 0 ? ERR_NOT_FOUND : 0);
    if (size != 0)
        CHECK(slice_eq(buf_view(&b), answer_of(size)));
    buf_free(&b);
}

TEST(sizes_of_answers)
{
    static const char *const bad[] = {
        "",
        "sild/answer@v1\n",
        "sild/answer@v1\nv\no\n",
        "sild/answer@v2\nv\no\n7\nr\n",
        "sild/answer@v1\nv\no\n-7\nr\n",
        "sild/answer@v1\nv\no\n7 \nr\n",
        "sild/answer@v1\nv\no\n99999999999999999999999\nr\n",
    };
    uint64_t size;
    CHECK(heads_size(answer_of(123456789), &size));
    CHECK_INT(size, 123456789);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!heads_size(slice_str(bad[i]), &size));
}

TEST(the_first_head_over_a_record)
{
    static const uint64_t sizes[] = {1, 2, 5, 6, 90, 91, 400, 1000000};
    struct diag d = {0};
    folder();
    struct heads *h = open_heads(false);
    CHECK_INT(heads_last(h), 0);
    finds(h, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CHECK_INT(append(h, sizes[i], &d), 0);
        CHECK_INT(heads_last(h), sizes[i]);
        CHECK_INT(heads_count(h), i + 1);
    }
    for (uint64_t seq = 0; seq < 1001; seq++) { /* against the naive way */
        size_t i = 0;
        while (sizes[i] <= seq)
            i++;
        finds(h, seq, sizes[i]);
    }
    finds(h, 999999, 1000000);
    finds(h, 1000000, 0);
    heads_close(h);
    h = open_heads(false);
    CHECK_INT(heads_last(h), 1000000);
    finds(h, 400, 1000000);
    heads_close(h);
}

TEST(what_is_refused)
{
    struct diag d = {0};
    folder();
    struct heads *h = open_heads(false);
    CHECK_INT(append(h, 10, &d), 0);
    CHECK_INT(append(h, 10, &d), 0); /* once more: not kept twice */
    CHECK_INT(heads_count(h), 1);
    CHECK_INT(append(h, 9, &d), ERR_EXISTS);
    CHECK_INT(append(h, 0, &d), ERR_SYNTAX);
    CHECK_INT(heads_append(h, 0, SLICE_LIT("ledger says no"), &d), ERR_SYNTAX);
    CHECK_INT(heads_count(h), 1);
    CHECK_INT(append(h, 11, &d), 0);
    struct heads *second;
    CHECK_INT(heads_open(path, false, &second, &d), ERR_EXISTS);
    heads_close(h);
}

TEST(a_reader_beside_the_writer)
{
    struct diag d = {0};
    struct heads *none;
    folder();
    CHECK_INT(heads_open(path, true, &none, &d), ERR_NOT_FOUND);
    struct heads *w = open_heads(false);
    CHECK_INT(append(w, 3, &d), 0);
    struct heads *r = open_heads(true);
    CHECK_INT(heads_last(r), 3);
    CHECK_INT(append(w, 8, &d), 0);
    finds(r, 5, 0);
    CHECK_INT(heads_refresh(r, &d), 0);
    CHECK_INT(heads_last(r), 8);
    finds(r, 5, 8);
    heads_close(r);
    heads_close(w);
}
