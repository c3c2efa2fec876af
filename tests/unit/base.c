#include "base/arena.h"
#include "base/base64.h"
#include "base/crc32c.h"
#include "base/timeval.h"
#include "test.h"

TEST(crc32c_of_rfc3720)
{
    CHECK_INT(crc32c(0, SLICE_LIT("123456789")), 0xE3069283u);
}

TEST(iso_times)
{
    int64_t ms;
    char text[TIMEVAL_TEXT];
    CHECK(timeval_parse_iso(SLICE_LIT("2026-01-05T12:00:00.1234+02:00"), &ms));
    timeval_print_iso(ms, true, text);
    CHECK_STR(text, "2026-01-05T10:00:00.123Z");
    CHECK(!timeval_parse_iso(SLICE_LIT("2026-02-29T12:00:00Z"), &ms));
}

/* Texts that fit into what is there, that just do not, and that pass the maximum. */
static void print_behind(int before, int n)
{
    struct buf b;
    char want[400];
    buf_init(&b, 200);
    for (int i = 0; i < before; i++)
        buf_byte(&b, 'x');
    buf_printf(&b, "%0*d", n, 7);
    memset(want, 'x', (size_t)before);
    snprintf(want + before, sizeof want - (size_t)before, "%0*d", n, 7);
    CHECK(b.failed == (before + n > 200));
    if (!b.failed)
        CHECK_STR(buf_cstr(&b), want);
    buf_free(&b);
}

TEST(printed_texts_are_whole_whatever_room_there_was)
{
    for (int before = 0; before < 140; before++)
        for (int n = 1; n < 140; n++)
            print_behind(before, n);
}

TEST(an_arena_prints_what_fits_its_block_and_what_does_not)
{
    struct arena *a = arena_new(1u << 20);
    char *text[300];
    for (int round = 0; round < 2; round++) { /* the second in the one block that the reset kept */
        for (int i = 0; i < 300; i++)
            text[i] = arena_printf(a, "%0*d", 1 + i * 7 % 290, i);
        for (int i = 0; i < 300; i++) {
            char want[400];
            snprintf(want, sizeof want, "%0*d", 1 + i * 7 % 290, i);
            CHECK_STR(text[i], want);
        }
        arena_reset(a);
    }
    arena_free(a);
}

TEST(an_arena_prints_up_to_its_cap)
{
    struct arena *a = arena_new(10);
    CHECK(arena_printf(a, "%s", "0123456789") == NULL);
    CHECK(arena_failed(a));
    arena_reset(a);
    CHECK_STR(arena_printf(a, "%s", "012345678"), "012345678");
    arena_free(a);
}
