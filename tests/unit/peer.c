/* Other security servers: their versions, and the name under which connections to them are kept. */
#include "gateway/peer.h"
#include "gateway/peer_version.h"
#include "test.h"

static int compare(const char *a, const char *b)
{
    struct peer_version x, y;
    if (!peer_version_parse(slice_str(a), &x) || !peer_version_parse(slice_str(b), &y))
        FAIL("%s or %s is no version", a, b);
    CHECK_INT(peer_version_cmp(&y, &x), -peer_version_cmp(&x, &y));
    return peer_version_cmp(&x, &y);
}

TEST(versions_are_compared_number_by_number)
{
    CHECK_INT(compare("7.8.0", "7.8.0"), 0);
    CHECK(compare("7.10.0", "7.9.9") > 0);
    CHECK(compare("8.0.0", "7.99.99") > 0);
    CHECK(compare("7.8.1", "7.8.0") > 0);
}

/* semver.org 2.0.0, sections 10 and 11 */
TEST(a_pre_release_comes_before_its_version_and_build_data_count_for_nothing)
{
    CHECK(compare("7.8.0-SNAPSHOT", "7.8.0") < 0);
    CHECK(compare("7.8.1-SNAPSHOT", "7.8.0") > 0);
    CHECK(compare("7.8.0-beta.2", "7.7.9") > 0);
    CHECK_INT(compare("7.8.0+20240101-a.b", "7.8.0"), 0);
}

TEST(other_texts_are_no_versions)
{
    static const char *const texts[] = {"",       "7",      "7.8",    "7.8.",  "7.8.0.1",
                                        ".7.8",   "7..8",   "v7.8.0", "7.8.x", "7.8.-1",
                                        "7.8.0-", " 7.8.0", "7.8.0 ", "-"};
    struct peer_version v;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (peer_version_parse(slice_str(texts[i]), &v))
            FAIL("%s was taken for a version", texts[i]);
    CHECK(!peer_version_parse(SLICE_NONE, &v));
}

static void key_of(struct buf *out, const char *const *texts, size_t n)
{
    struct net_addr a[PEER_ADDRS_MAX];
    buf_init(out, 4096);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(net_addr_parse(texts[i], 5500, &a[i]), 0);
    peer_pool_key(a, n, out);
    CHECK(!out->failed && out->n > 0);
}

TEST(connections_are_kept_under_the_set_of_addresses)
{
    static const char *const one[] = {"10.0.0.1", "10.0.0.2", "::1"}, *const other[] = {"::1",
                                                                                        "10.0.0.1",
                                                                                        "10.0.0.2"};
    struct buf a, b;
    key_of(&a, one, 3);
    key_of(&b, other, 3);
    CHECK(slice_eq(buf_view(&a), buf_view(&b)));
    for (size_t n = 1; n < 3; n++) { /* who wants one of them must not get another one's */
        buf_free(&b);
        key_of(&b, one, n);
        CHECK(!slice_eq(buf_view(&a), buf_view(&b)));
    }
    buf_free(&a);
    buf_free(&b);
}
