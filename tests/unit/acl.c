/* Access rights: patterns against paths, and the normal form of paths. */
#include "base/err.h"
#include "test.h"
#include "xroad/acl.h"

static bool matches(const char *pattern, const char *path)
{
    return acl_path_matches(slice_str(pattern), slice_str(path));
}

TEST(deep_star_matches_everything)
{
    CHECK(matches("**", ""));
    CHECK(matches("**", "/a/b"));
    CHECK(matches("***", "/a/b"));
    CHECK(matches("/a/**", "/a/b/c"));
    CHECK(matches("/a/**", "/a/"));
    CHECK(!matches("/a/**", "/a"));
    CHECK(matches("/foo/**/bar", "/foo/whatever//bar"));
    CHECK(matches("/foo/**bar", "/foo/zyggybar"));
    CHECK(!matches("/foo/**bar", "/foo/barx"));
}

TEST(star_stays_in_its_segment)
{
    CHECK(matches("/foo/*/bar/", "/foo/zyggy/bar/"));
    CHECK(!matches("/foo/*/bar", "/foo/zyggy/quux/bar"));
    CHECK(matches("/pet/*", "/pet/7"));
    CHECK(matches("/pet/*", "/pet/"));
    CHECK(!matches("/pet/*", "/pet"));
    CHECK(!matches("/pet/*", "/pet/7/tag"));
    CHECK(matches("*", "abc"));
    CHECK(!matches("*", "/abc"));
}

/* As Java's possessive group: what a star has taken it does not give back. */
TEST(star_gives_nothing_back)
{
    CHECK(!matches("/a*c", "/abc"));
    CHECK(!matches("/*.json", "/x.json"));
    CHECK(matches("/a*/c", "/abb/c"));
    CHECK(!matches("/**/a*c/**", "/x/abc/y"));
}

TEST(patterns_are_anchored_and_mind_case)
{
    CHECK(matches("/a", "/a"));
    CHECK(!matches("/a", "/a/"));
    CHECK(!matches("/a", "/A"));
    CHECK(!matches("a", "/a"));
    CHECK(!matches("", "/a"));
    CHECK(matches("", ""));
    CHECK(matches("/a.b+c(d)[e]{f}|g^h$", "/a.b+c(d)[e]{f}|g^h$"));
}

TEST(escapes_in_patterns)
{
    CHECK(matches("/a\\*b", "/a*b"));
    CHECK(!matches("/a\\*b", "/axb"));
    CHECK(matches("/a\\\\b", "/a\\b"));
    CHECK(matches("/a\\b", "/a\\b"));
    CHECK(matches("/a\\", "/a\\"));
}

TEST(several_deep_stars)
{
    CHECK(matches("**/a/**/b/**", "/x/a/y/b/z"));
    CHECK(matches("**a**a**a", "aaa"));
    CHECK(!matches("**a**a**a", "aa"));
    CHECK(matches("**/*/x", "/1/2/3/x"));
    CHECK(!matches("/**/x/*", "/1/x/2/3"));
}

TEST(methods)
{
    CHECK(acl_method_matches(slice_str("*"), slice_str("GET")));
    CHECK(acl_method_matches(slice_str("get"), slice_str("GET")));
    CHECK(!acl_method_matches(slice_str("GET"), slice_str("HEAD")));
}

TEST(an_endpoint_covers_another_by_its_pattern_text)
{
    CHECK(acl_covers(slice_str("*"), slice_str("**"), slice_str("GET"), slice_str("/pet/*")));
    CHECK(acl_covers(slice_str("GET"), slice_str("/pet/*"), slice_str("GET"), slice_str("/pet/*")));
    CHECK(
        !acl_covers(slice_str("GET"), slice_str("/pet/1"), slice_str("GET"), slice_str("/pet/*")));
    CHECK(!acl_covers(slice_str("GET"), slice_str("**"), slice_str("POST"), slice_str("/pet")));
}

static const char *normal(const char *raw)
{
    static struct buf b;
    buf_free(&b);
    buf_init(&b, 1000);
    struct diag d = {0};
    int err = acl_normalise(slice_str(raw), &b, &d);
    if (err == 0)
        return buf_cstr(&b);
    return err == ERR_ACCESS_DENIED && strncmp(d.text, "Request is not allowed", 22) == 0 ? "denied"
                                                                                          : "?";
}

TEST(normal_paths)
{
    CHECK_STR(normal(""), "");
    CHECK_STR(normal("/"), "/");
    CHECK_STR(normal("/a/../b"), "/b");
    CHECK_STR(normal("/a/./b"), "/a/b");
    CHECK_STR(normal("/a/"), "/a/");
    CHECK_STR(normal("/%C3%A4"), "/\xC3\xA4");
    CHECK_STR(normal("/a%20b"), "/a b");
    CHECK_STR(normal("/%7Bid%7D"), "/{id}");
}

TEST(paths_with_two_readings_are_denied)
{
    static const char *const bad[] = {"/../b",     "/a%2Fb",  "/a%3Fb", "/a%23b",     "/a..b",
                                      "/%2e%2e/b", "/a%5Cb",  "/%252e", "/a/../../b", "/%C3",
                                      "/%00",      "/..;x/b", "a"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (strcmp(normal(bad[i]), "denied") != 0)
            FAIL("\"%s\" gives \"%s\"", bad[i], normal(bad[i]));
}
