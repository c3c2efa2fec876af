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
