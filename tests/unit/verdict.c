/* Verdicts about peers: one key never stands for two clients. */
#include "gateway/verdict.h"
#include "base/err.h"
#include "test.h"
#include "xroad_world.h"

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

static struct verdict_chains *chains;

static int judged(const struct world *w, uint64_t generation, const char *member,
                  const struct buf *ocsp, int64_t at_ms)
{
    struct diag d = {0};
    struct id_client id;
    struct slice response = buf_view(ocsp);
    int64_t until = 0;
    CHECK_INT(id_client_from_short(slice_str(member), &id), 0);
    int rc = verdict_auth_chain(chains, generation, w->gc, id.instance, &w->auth.cert, 1, &response,
                                1, &id, at_ms, &until, &d);
    if (rc == 0)
        CHECK_INT(until, WORLD_NOW + 3600 * 1000);
    return rc;
}

/* Seen by asking again with a configuration that would refuse it. */
TEST(a_good_chain_is_remembered_for_one_generation_and_until_its_end)
{
    struct world w, other;
    struct buf good, revoked;
    world_open(&w);
    world_open(&other);
    struct world mixed = other;
    mixed.auth = w.auth; /* issued by a CA that the other world does not know */
    world_ocsp(w.auth.cert, w.ca.cert, &w.ocsp, OCSP_GOOD, WORLD_NOW, &good);
    world_ocsp(w.auth.cert, w.ca.cert, &w.ocsp, OCSP_REVOKED, WORLD_NOW, &revoked);
    chains = verdict_chains_new();
    CHECK(chains != NULL);
    CHECK(judged(&mixed, 1, "ZZ/GOV/100", &good, WORLD_NOW) != 0);
    CHECK_INT(judged(&w, 1, "ZZ/GOV/100", &good, WORLD_NOW), 0);
    CHECK_INT(judged(&mixed, 1, "ZZ/GOV/100", &good, WORLD_NOW + 1000), 0);
    CHECK(judged(&mixed, 2, "ZZ/GOV/100", &good, WORLD_NOW) != 0);
    CHECK(judged(&mixed, 1, "ZZ/GOV/100", &good, WORLD_NOW + 3600 * 1000) != 0);
    CHECK(judged(&mixed, 1, "ZZ/GOV/100/client", &good, WORLD_NOW) != 0);
    CHECK_INT(judged(&w, 1, "ZZ/GOV/100", &revoked, WORLD_NOW), ERR_CERT_VALIDATION);
    CHECK_INT(judged(&w, 1, "ZZ/GOV/100", &revoked, WORLD_NOW), ERR_CERT_VALIDATION);
    verdict_chains_free(chains);
    buf_free(&good);
    buf_free(&revoked);
    world_close(&w);
    world_close(&other);
}
