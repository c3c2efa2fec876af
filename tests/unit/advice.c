/* Every fault says what a person can do next. */
#include "gateway/advice.h"
#include "base/err.h"
#include "gateway/refusal.h"
#include "test.h"

#include <string.h>

TEST(every_code_has_a_next_step_on_either_side)
{
    for (int code = 1; code < ERR_COUNT; code++) {
        CHECK(strlen(advice_for(REFUSAL_CONSUMER, NULL, code)) > 20);
        CHECK(strlen(advice_for(REFUSAL_PROVIDER, "logging_failed", code)) > 20);
    }
}

TEST(side_and_phase_choose)
{
    const char *consumer = advice_for(REFUSAL_CONSUMER, NULL, ERR_SSL_AUTH);
    CHECK(strstr(consumer, "connection") != NULL);
    CHECK(strstr(advice_for(REFUSAL_CONSUMER, REFUSAL_TLS, ERR_SSL_AUTH), "registered") != NULL);
    CHECK(strstr(advice_for(REFUSAL_PROVIDER, NULL, ERR_SSL_AUTH), "registered") != NULL);
    CHECK(strstr(advice_for(REFUSAL_PROVIDER, "logging_failed", ERR_DISK_FULL), "space") != NULL);
}

TEST(it_ends_the_sentence)
{
    struct fault f = {.text = "Certificate is not known."};
    advice_add(&f, REFUSAL_PROVIDER, NULL, ERR_ACCESS_DENIED);
    CHECK(strncmp(f.text, "Certificate is not known. Next step: ask", 40) == 0);
}

TEST(a_long_sentence_is_cut_and_the_step_is_whole)
{
    struct fault f;
    const char *step = advice_for(REFUSAL_CONSUMER, NULL, ERR_BAD_REQUEST);
    for (size_t i = 0; i + 2 < sizeof f.text; i += 2)
        memcpy(f.text + i, "\xc3\xb5", 3);
    advice_add(&f, REFUSAL_CONSUMER, NULL, ERR_BAD_REQUEST);
    CHECK(strlen(f.text) < sizeof f.text);
    CHECK_STR(f.text + strlen(f.text) - strlen(step), step);
    CHECK(slice_is_utf8(slice_str(f.text)));
}
