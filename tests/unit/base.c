#include "base/arena.h"
#include "base/base64.h"
#include "base/crc32c.h"
#include "base/spare.h"
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

TEST(buffers_borrow_the_memory_of_empty_ones)
{
    struct spare s = {.n = 0};
    struct buf a, b, narrow;
    buf_init(&a, 1u << 20);
    buf_init(&b, 1u << 20);
    buf_init(&narrow, 100);
    spare_lend(&s, &a); /* there is none yet */
    CHECK(a.p == NULL);
    buf_str(&a, "one");
    const uint8_t *memory = a.p;
    spare_take(&s, &a);
    CHECK(a.p == NULL && a.n == 0 && a.cap == 0 && a.max == 1u << 20);
    spare_lend(&s, &narrow); /* it may never be that large */
    CHECK(narrow.p == NULL);
    spare_lend(&s, &b);
    CHECK(b.p == memory && b.n == 0);
    spare_lend(&s, &a);
    CHECK(a.p == NULL);
    buf_str(&b, "two");
    spare_lend(&s, &b); /* it has memory */
    CHECK_STR(buf_cstr(&b), "two");
    buf_free(&b);
    spare_free(&s);
}

TEST(only_a_few_blocks_are_kept_and_no_large_ones)
{
    struct spare s = {.n = 0};
    struct buf b[SPARE_BLOCKS + 1];
    for (size_t i = 0; i <= SPARE_BLOCKS; i++) {
        buf_init(&b[i], 1u << 20);
        buf_byte(&b[i], 1);
    }
    CHECK(buf_room(&b[0], SPARE_BLOCK_MAX + 1) != NULL);
    for (size_t i = 0; i <= SPARE_BLOCKS; i++)
        spare_take(&s, &b[i]);
    CHECK_INT(s.n, SPARE_BLOCKS);
    buf_byte(&b[0], 1);
    spare_take(&s, &b[0]); /* one too many */
    CHECK_INT(s.n, SPARE_BLOCKS);
    spare_free(&s);
    CHECK_INT(s.n, 0);
}
