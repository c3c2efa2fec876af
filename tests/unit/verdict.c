/* Verdicts about peers: one key never stands for two clients. */
#include "gateway/verdict.h"
#include "test.h"

TEST(clients_that_read_alike_have_different_keys)
{
    /* Decoded from SILD/GOV/1/a and SILD/GOV/1%2Fa, which print alike. */
    const struct id_client subsystem = {SLICE_LIT("SILD"), SLICE_LIT("GOV"), SLICE_LIT("1"),
                                        SLICE_LIT("a")};
    const struct id_client member = {SLICE_LIT("SILD"), SLICE_LIT("GOV"), SLICE_LIT("1/a"),
                                     SLICE_NONE};
    struct digest a, b;
    verdict_key(&subsystem, NULL, 0, &a);
    verdict_key(&member, NULL, 0, &b);
    CHECK(!digest_eq(&a, &b));
    verdict_key(&subsystem, NULL, 0, &b);
    CHECK(digest_eq(&a, &b));
}

TEST(the_responses_are_part_of_the_key)
{
    const struct id_client id = {SLICE_LIT("SILD"), SLICE_LIT("GOV"), SLICE_LIT("1"), SLICE_NONE};
    const struct slice one[] = {SLICE_LIT("ab"), SLICE_LIT("c")};
    const struct slice other[] = {SLICE_LIT("a"), SLICE_LIT("bc")};
    struct digest a, b;
    verdict_key(&id, one, 2, &a);
    verdict_key(&id, other, 2, &b);
    CHECK(!digest_eq(&a, &b));
    verdict_key(&id, one, 1, &b);
    CHECK(!digest_eq(&a, &b));
}
