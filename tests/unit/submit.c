/* The section [ledger] of the roles with a journal, and the frames between log child and agent. */
#include "base/err.h"
#include "journal/heads.h"
#include "submit/submit_conf.h"
#include "submit/submit_facts.h"
#include "submit/submit_frames.h"
#include "test.h"

static const struct conf_rule rules[] = {SUBMIT_RULES};

/* Reads a text; its code. */
static int reads(const char *text, const char *fallback, struct submit_conf *out, struct arena *a,
                 struct diag *d)
{
    struct conf k;
    int rc = conf_parse(a, slice_str(text), rules, ARRAY_LEN(rules), &k, d);
    return rc != 0 ? rc : submit_conf_read(&k, slice_str(fallback), out, d);
}

TEST(a_ledger_is_configured_or_not)
{
    struct arena *a = arena_new(1u << 20);
    struct submit_conf c;
    struct diag d = {0};
    CHECK_INT(reads("", "T/s/j", &c, a, &d), 0);
    CHECK(c.url.n == 0);
    CHECK_INT(reads("[ledger]\nurl = http://127.0.0.1:2025\n", "T/s/j", &c, a, &d), 0);
    CHECK(slice_eq_str(c.origin, "T/s/j") && c.interval_ms == 1000 && c.policy.n == 0);
    CHECK_INT(reads("[ledger]\nurl = https://l.example/x\njournal = T/other\npolicy = p\n"
                    "interval = 250ms\n",
                    "T/s/j", &c, a, &d),
              0);
    CHECK(slice_eq_str(c.origin, "T/other") && c.interval_ms == 250 && slice_eq_str(c.policy, "p"));
    /* A role that knows no name asks for one only when heads are to be sent. */
    CHECK_INT(reads("[ledger]\ninterval = 2s\n", "", &c, a, &d), 0);
    CHECK_INT(reads("[ledger]\nurl = http://l.example\n", "", &c, a, &d), ERR_SYNTAX);
    CHECK(strstr(d.text, "journal") != NULL && strstr(d.where, "line 1") != NULL);
    arena_free(a);
}

TEST(a_wrong_ledger)
{
    static const char *const bad[] = {
        "[ledger]\nurl = ledger.example\n",
        "[ledger]\nurl = ftp://ledger.example\n",
        "[ledger]\nurl = http://ledger.example/?a=b\n",
        "[ledger]\nurl = http://ledger.example\njournal = a b\n",
        "[ledger]\nurl = http://ledger.example\njournal = a+b\n",
        "[ledger]\nurl = http://ledger.example\njournal = T\xc3\xb5/x\n",
        "[ledger]\nurl = http://ledger.example\ninterval = 10ms\n",
        "[ledger]\nurl = http://ledger.example\nquorum = 2\n",
    };
    struct arena *a = arena_new(1u << 20);
    struct submit_conf c;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct diag d = {0};
        CHECK_INT(reads(bad[i], "T/s/j", &c, a, &d), ERR_SYNTAX);
        CHECK(strstr(d.where, "line ") != NULL && d.text[0] != 0);
    }
    arena_free(a);
}

TEST(names_of_journals)
{
    char longest[SUBMIT_ORIGIN_MAX + 2];
    memset(longest, 'x', sizeof longest);
    CHECK(submit_conf_is_origin(slice_of(longest, SUBMIT_ORIGIN_MAX)));
    CHECK(!submit_conf_is_origin(slice_of(longest, SUBMIT_ORIGIN_MAX + 1)));
    CHECK(!submit_conf_is_origin(SLICE_NONE));
    CHECK(!submit_conf_is_origin(SLICE_LIT("a\tb")));
    CHECK(!submit_conf_is_origin(SLICE_LIT("a\x7f")));
    CHECK(submit_conf_is_origin(SLICE_LIT("SILD/GOV/70000001/state/messages")));
}

TEST(frames)
{
    struct submit_answer a = {.status = 409, .text = SLICE_LIT("17\n")}, got;
    struct buf b;
    buf_init(&b, 4096);
    submit_frames_put(&b, &a);
    CHECK_INT(submit_frames_get(buf_view(&b), &got), 0);
    CHECK(got.status == 409 && slice_eq(got.text, a.text));
    for (size_t n = 0; n < b.n; n++)
        CHECK_INT(submit_frames_get(slice_sub(buf_view(&b), 0, n), &got), ERR_SYNTAX);
    buf_byte(&b, 0);
    CHECK_INT(submit_frames_get(buf_view(&b), &got), ERR_SYNTAX);
    buf_free(&b);
}

TEST(trouble_begins_and_ends)
{
    submit_facts_begin(40);
    CHECK_INT(tally_own(SUBMIT_FACTS_SIZE), 40);
    CHECK(submit_facts_failed(SUBMIT_WAITS, 1000, SLICE_LIT("away")));
    CHECK(!submit_facts_failed(SUBMIT_WAITS, 2000, SLICE_LIT("away")));
    CHECK(submit_facts_failed(SUBMIT_REFUSED, 3000, SLICE_LIT("no")));
    CHECK_INT(tally_own(SUBMIT_FACTS_SINCE), 1000); /* heads wait since then */
    CHECK(submit_facts_accepted(50, 4000));
    CHECK(!submit_facts_accepted(60, 5000));
    CHECK_INT(tally_own(SUBMIT_FACTS_SINCE), 0);
    CHECK_INT(tally_own(SUBMIT_FACTS_SIZE), 60);
    CHECK_INT(tally_own(SUBMIT_FACTS_ACCEPTED), 2);
    CHECK_INT(tally_own(SUBMIT_FACTS_FAILURES), 3);
}
