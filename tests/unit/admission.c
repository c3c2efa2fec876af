#include "net/admission.h"
#include "test.h"

#include <stdlib.h>

static const struct admission_limits limits = {.strangers = 6,
                                               .each = 3,
                                               .rate = 2,
                                               .burst = 4,
                                               .all_rate = 5,
                                               .all_burst = 20,
                                               .known_ms = 1000};

static struct net_addr address(const char *text)
{
    struct net_addr a;
    CHECK_INT(net_addr_parse(text, 4000, &a), 0);
    return a;
}

static enum admission_answer enter(struct admission *a, const char *from, int64_t now_ms,
                                   struct admission_pass *pass)
{
    struct net_addr addr = address(from);
    return admission_enter(a, &addr, now_ms, pass);
}

TEST(a_strange_address_has_so_many_places)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p[4];
    for (int i = 0; i < 3; i++)
        CHECK_INT(enter(a, "192.0.2.1", 0, &p[i]), ADMISSION_YES);
    CHECK_INT(enter(a, "192.0.2.1", 0, &p[3]), ADMISSION_NO);
    CHECK_INT(enter(a, "192.0.2.2", 0, &p[3]), ADMISSION_YES);
    admission_leave(a, &p[0]);
    CHECK_INT(enter(a, "192.0.2.1", 0, &p[0]), ADMISSION_YES);
    CHECK_INT(admission_shed(a), 1);
    admission_free(a);
}

TEST(strangers_together_have_so_many_places)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p[7];
    const char *from[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3"};
    for (int i = 0; i < 6; i++)
        CHECK_INT(enter(a, from[i % 3], 0, &p[i]), ADMISSION_YES);
    CHECK_INT(enter(a, "192.0.2.9", 0, &p[6]), ADMISSION_FULL);
    admission_leave(a, &p[0]);
    CHECK_INT(enter(a, "192.0.2.9", 0, &p[6]), ADMISSION_YES);
    admission_free(a);
}

TEST(tokens_of_an_address_are_used_up_and_come_back)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(enter(a, "192.0.2.1", 0, &p), ADMISSION_YES);
        admission_leave(a, &p);
    }
    CHECK_INT(enter(a, "192.0.2.1", 0, &p), ADMISSION_NO);
    CHECK_INT(enter(a, "192.0.2.1", 499, &p), ADMISSION_NO);
    CHECK_INT(enter(a, "192.0.2.1", 500, &p), ADMISSION_YES);
    CHECK_INT(enter(a, "192.0.2.2", 500, &p), ADMISSION_YES); /* others have their own */
    admission_free(a);
}

TEST(tokens_of_all_are_shared)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p;
    char from[32];
    int in = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(from, sizeof from, "192.0.2.%d", i + 1);
        if (enter(a, from, 0, &p) == ADMISSION_YES) {
            in++;
            admission_leave(a, &p);
        }
    }
    CHECK_INT(in, 20);
    CHECK_INT(enter(a, "192.0.2.101", 200, &p), ADMISSION_YES);
    admission_free(a);
}

TEST(whom_something_good_came_from_is_known_for_a_while)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p[40];
    CHECK_INT(enter(a, "192.0.2.1", 0, &p[0]), ADMISSION_YES);
    admission_good(a, &p[0], 0);
    for (int i = 1; i < 40; i++)
        CHECK_INT(enter(a, "192.0.2.1", 999, &p[i]), ADMISSION_YES);
    CHECK(!admission_bad(a, &p[1], 999)); /* and is not held to what was refused */
    CHECK_INT(enter(a, "192.0.2.1", 1000, &p[1]), ADMISSION_NO);
    for (int i = 0; i < 6; i++) { /* none of them takes a stranger's place */
        char from[32];
        snprintf(from, sizeof from, "192.0.2.%d", 10 + i);
        CHECK_INT(enter(a, from, 999, &p[i]), ADMISSION_YES);
    }
    admission_free(a);
}

TEST(what_is_refused_costs_tokens_until_the_connection_ends)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p, q;
    CHECK_INT(enter(a, "192.0.2.1", 0, &p), ADMISSION_YES); /* 3 left */
    CHECK(!admission_bad(a, &p, 0));
    CHECK(!admission_bad(a, &p, 0));
    CHECK(admission_bad(a, &p, 0));
    for (int i = 0; i < 50; i++)
        CHECK(admission_bad(a, &p, 0));
    admission_leave(a, &p);
    CHECK_INT(enter(a, "192.0.2.1", 2400, &q), ADMISSION_NO); /* a debt of four, and one needed */
    CHECK_INT(enter(a, "192.0.2.1", 2500, &q), ADMISSION_YES);
    admission_free(a);
}

TEST(named_addresses_are_not_limited)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p[50];
    struct net_addr named[] = {address("203.0.113.7"), address("2001:db8::7"), address("10.0.0.1")};
    CHECK_INT(admission_name(a, named, 3), 0);
    for (int i = 0; i < 50; i++)
        CHECK_INT(enter(a, i % 2 == 0 ? "10.0.0.1" : "2001:db8::7", 0, &p[i]), ADMISSION_YES);
    for (int i = 0; i < 50; i++)
        CHECK(!admission_bad(a, &p[i], 0));
    for (int i = 0; i < 50; i++)
        admission_leave(a, &p[i]);
    CHECK_INT(admission_name(a, NULL, 0), 0);
    for (int i = 0; i < 4; i++)
        (void)enter(a, "10.0.0.1", 0, &p[i]);
    CHECK_INT(enter(a, "10.0.0.1", 0, &p[5]), ADMISSION_NO);
    admission_free(a);
}

TEST(a_network_of_ipv6_is_one_address)
{
    struct admission *a = admission_new(&limits);
    struct admission_pass p;
    CHECK_INT(enter(a, "2001:db8:0:1::1", 0, &p), ADMISSION_YES);
    CHECK_INT(enter(a, "2001:db8:0:1::2", 0, &p), ADMISSION_YES);
    CHECK_INT(enter(a, "2001:db8:0:1:ffff::3", 0, &p), ADMISSION_YES);
    CHECK_INT(enter(a, "2001:db8:0:1::4", 0, &p), ADMISSION_NO);
    CHECK_INT(enter(a, "2001:db8:0:2::1", 0, &p), ADMISSION_YES);
    admission_free(a);
}

TEST(known_addresses_outlast_a_crowd_of_strangers)
{
    const struct admission_limits wide = {.strangers = 1u << 20,
                                          .each = 4,
                                          .rate = 1,
                                          .burst = 4,
                                          .all_rate = 1u << 20,
                                          .all_burst = 1u << 20,
                                          .known_ms = 3600000};
    struct admission *a = admission_new(&wide);
    struct admission_pass p, q;
    CHECK_INT(enter(a, "192.0.2.1", 0, &p), ADMISSION_YES);
    admission_good(a, &p, 0);
    admission_leave(a, &p);
    for (uint32_t i = 0; i < 200000; i++) {
        char from[32];
        snprintf(from, sizeof from, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        if (enter(a, from, (int64_t)i / 100, &q) == ADMISSION_YES)
            admission_leave(a, &q);
    }
    for (int i = 0; i < 10; i++)
        CHECK_INT(enter(a, "192.0.2.1", 2000, &p), ADMISSION_YES);
    admission_free(a);
}
