/* The authority's state: words that fit change it, words that do not are refused and change
 * nothing. */
#include "authority/state_params.h"
#include "base/err.h"
#include "test.h"

static int say(struct state *s, const char *json, struct diag *d)
{
    return state_apply(s, slice_str(json), d);
}

/* The printed state, to be freed. */
static char *shown(const struct state *s)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    state_print(s, &b);
    char *text = strdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

static struct state *small(void)
{
    static const char *const words[] = {
        "[\"class\",\"add\",\"GOV\",\"Government\"]",
        "[\"member\",\"add\",\"GOV\",\"1\",\"One\"]",
        "[\"subsystem\",\"add\",\"GOV/1\",\"reg\",\"Register\"]",
        "[\"server\",\"add\",\"GOV/1\",\"ss\",\"127.0.0.1\"]",
        "[\"client\",\"add\",\"GOV/1/ss\",\"GOV/1/reg\"]",
        "[\"group\",\"add\",\"g\",\"Group\"]",
        "[\"group\",\"join\",\"g\",\"GOV/1/reg\"]",
        "[\"setting\",\"set\",\"management\",\"GOV/1\"]",
        "[\"setting\",\"set\",\"registration_address\",\"https://cs.example.zz:4001/\"]",
    };
    struct state *s = state_new("ZZ");
    struct diag d = {0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (say(s, words[i], &d) != 0)
            FAIL("%s: %s", words[i], d.text);
    return s;
}

TEST(parameters_follow_from_the_words)
{
    struct state *s = small();
    struct arena *a = arena_new(1u << 20);
    struct params_shared p;
    struct params_private q;
    struct diag d = {0};
    CHECK_INT(state_params(s, a, &p, &q, &d), 0);
    CHECK_INT(p.n_members, 1);
    CHECK(slice_eq_str(p.members[0].sub[0].name, "Register"));
    CHECK_INT(p.n_servers, 1);
    CHECK_INT(p.servers[0].owner, 0);
    CHECK_INT(p.servers[0].clients[0].sub, 0);
    CHECK_INT(p.groups[0].n_members, 1);
    CHECK(slice_eq_str(p.groups[0].members[0].subsystem, "reg"));
    CHECK(slice_eq_str(q.management.member_code, "1"));
    CHECK_INT(p.ocsp_freshness_s, 3600);
    arena_free(a);
    state_free(s);
}

TEST(what_does_not_fit_is_refused_and_changes_nothing)
{
    static const struct {
        const char *words;
        int code;
    } bad[] = {
        {"[\"member\",\"add\",\"GOV\",\"1\",\"Again\"]", ERR_EXISTS},
        {"[\"member\",\"add\",\"COM\",\"2\",\"No class\"]", ERR_NOT_FOUND},
        {"[\"member\",\"add\",\"GOV\",\"a/b\",\"Slash\"]", ERR_USAGE},
        {"[\"member\",\"add\",\"GOV\"]", ERR_USAGE},
        {"[\"member\",\"remove\",\"GOV/1\"]", ERR_EXISTS},
        {"[\"subsystem\",\"remove\",\"GOV/1\",\"reg\"]", ERR_EXISTS},
        {"[\"client\",\"add\",\"GOV/1/ss\",\"GOV/1/none\"]", ERR_NOT_FOUND},
        {"[\"client\",\"add\",\"GOV/1/ss\",\"GOV/1/reg\"]", ERR_EXISTS},
        {"[\"cert\",\"add\",\"GOV/1/ss\",\"AQID\"]", ERR_USAGE},
        {"[\"group\",\"join\",\"none\",\"GOV/1\"]", ERR_NOT_FOUND},
        {"[\"maintenance\",\"off\",\"GOV/1/ss\"]", ERR_NOT_FOUND},
        {"[\"setting\",\"set\",\"ocsp_freshness\",\"soon\"]", ERR_USAGE},
        {"[\"setting\",\"set\",\"management\",\"GOV/9\"]", ERR_NOT_FOUND},
        {"[\"setting\",\"set\",\"registration_address\",\"http://cs.example.zz/\"]", ERR_USAGE},
        {"[\"setting\",\"set\",\"no_such\",\"1\"]", ERR_USAGE},
        {"[\"member\",\"add\",\"GOV\",\"2\",\"Bell \\u0007\"]", ERR_USAGE},
        {"[\"member\",\"add\",\"GOV\",\"2\",\"Two\\nlines\"]", ERR_USAGE},
        {"[\"member\",\"add\",\"GOV\",\"2\",\"\\uffff\"]", ERR_USAGE},
        {"[\"member\",\"add\",\"GOV\",\"2\",\"\"]", ERR_USAGE},
        {"[\"class\",\"add\",\"NEW\",\"\\u0001\"]", ERR_USAGE},
        {"[\"subsystem\",\"add\",\"GOV/1\",\"new\",\"\\u0001\"]", ERR_USAGE},
        {"[\"group\",\"add\",\"new\",\"\\u0001\"]", ERR_USAGE},
        {"[\"maintenance\",\"on\",\"GOV/1/ss\",\"\\u0001\"]", ERR_USAGE},
        {"[\"server\",\"add\",\"GOV/1\",\"s2\",\"http://127.0.0.1/\"]", ERR_USAGE},
        {"[\"server\",\"address\",\"GOV/1/ss\",\"\"]", ERR_USAGE},
        {"[\"client\",\"add\",\"GOV/1/ss\",\"GOV/1\"]", ERR_EXISTS},
        {"[\"tsa\",\"add\",\"T\",\"AQID\",\"http://tsa.example.zz\"]", ERR_USAGE},
        {"[\"ca\",\"remove\",\"none\"]", ERR_NOT_FOUND},
        {"[\"member\",\"add\",\"GOV\",\"2\",3]", ERR_USAGE},
        {"[1,2]", ERR_USAGE},
        {"{}", ERR_USAGE},
        {"[\"no\",\"such\"]", ERR_USAGE},
        {"not json", ERR_USAGE},
    };
    struct state *s = small();
    char *before = shown(s);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct diag d = {0};
        int rc = say(s, bad[i].words, &d);
        char *after = shown(s);
        if (rc != bad[i].code || d.text[0] == 0 || strcmp(before, after) != 0)
            FAIL("%s: %s", bad[i].words, err_name(rc));
        free(after);
    }
    free(before);
    state_free(s);
}

TEST(what_was_added_can_be_taken_out_in_order)
{
    static const char *const words[] = {
        "[\"member\",\"add\",\"GOV\",\"2\",\"Two\"]",
        "[\"setting\",\"set\",\"management\",\"GOV/2\"]",
        "[\"group\",\"leave\",\"g\",\"GOV/1/reg\"]",
        "[\"client\",\"remove\",\"GOV/1/ss\",\"GOV/1/reg\"]",
        "[\"maintenance\",\"on\",\"GOV/1/ss\",\"back soon\"]",
        "[\"maintenance\",\"off\",\"GOV/1/ss\"]",
        "[\"server\",\"remove\",\"GOV/1/ss\"]",
        "[\"subsystem\",\"remove\",\"GOV/1\",\"reg\"]",
        "[\"member\",\"remove\",\"GOV/1\"]",
    };
    struct state *s = small();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct diag d = {0};
        if (say(s, words[i], &d) != 0)
            FAIL("%s: %s", words[i], d.text);
    }
    state_free(s);
}

/* The provider of the management services stays for as long as the setting names it. */
TEST(who_is_still_needed_is_not_taken_out)
{
    static const struct {
        const char *words;
        int code;
    } rows[] = {
        {"[\"member\",\"add\",\"GOV\",\"2\",\"Two\"]", 0},
        {"[\"subsystem\",\"add\",\"GOV/2\",\"manage\"]", 0},
        {"[\"setting\",\"set\",\"management\",\"GOV/2/manage\"]", 0},
        {"[\"subsystem\",\"remove\",\"GOV/2\",\"manage\"]", ERR_EXISTS},
        {"[\"member\",\"remove\",\"GOV/2\"]", ERR_EXISTS},
        {"[\"setting\",\"set\",\"management\",\"GOV/2\"]", 0},
        {"[\"subsystem\",\"remove\",\"GOV/2\",\"manage\"]", 0},
        {"[\"member\",\"remove\",\"GOV/2\"]", ERR_EXISTS},
        {"[\"setting\",\"set\",\"management\",\"GOV/1\"]", 0},
        {"[\"member\",\"remove\",\"GOV/2\"]", 0},
    };
    struct state *s = small();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct diag d = {0};
        int rc = say(s, rows[i].words, &d);
        if (rc != rows[i].code)
            FAIL("%s: %s", rows[i].words, err_name(rc));
    }
    state_free(s);
}
