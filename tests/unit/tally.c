#include "base/conf.h"
#include "base/err.h"
#include "base/tally.h"
#include "proc/health.h"
#include "test.h"

#include <stdio.h>

TEST(words_count_in_the_page_that_is_used)
{
    static struct tally_page a, b;
    tally_use(&a);
    tally_add(TALLY_OWN, 7);
    tally_add(TALLY_OWN, 1);
    tally_set(TALLY_OWN + 1, 5);
    tally_sub(TALLY_OWN + 1, 2);
    tally_add(TALLY_CONNS_NOW, 3);
    tally_use(&b);
    tally_add(TALLY_OWN, 1);
    CHECK_INT(tally_get(&a, TALLY_OWN), 8);
    CHECK_INT(tally_get(&a, TALLY_OWN + 1), 3);
    CHECK_INT(tally_get(&b, TALLY_OWN), 1);
    tally_use(&a); /* a new process goes on with the counters; what is open now is its own */
    CHECK_INT(tally_get(&a, TALLY_OWN), 8);
    CHECK_INT(tally_get(&a, TALLY_CONNS_NOW), 0);
}

TEST(buckets_take_up_to_a_power_of_two)
{
    static struct tally_page p;
    const uint64_t n[] = {1, 2, 3, 4, 5, 8, 9, 64, 65, 1000};
    const int want[TALLY_BUCKETS] = {1, 1, 2, 2, 1, 0, 3};
    tally_use(&p);
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        tally_bucket(TALLY_BATCH, n[i]);
    for (unsigned i = 0; i < TALLY_BUCKETS; i++)
        CHECK_INT(tally_get(&p, TALLY_BATCH + i), want[i]);
}

TEST(a_text_is_read_whole_or_not_at_all)
{
    static struct tally_page p;
    static char longer[2 * TALLY_TEXT_MAX];
    char out[TALLY_TEXT_MAX];
    tally_use(&p);
    tally_read(&p, 0, out, sizeof out);
    CHECK_STR(out, "");
    tally_text(0, SLICE_LIT("why"));
    tally_read(&p, 0, out, sizeof out);
    CHECK_STR(out, "why");
    tally_read(&p, 0, out, 3);
    CHECK_STR(out, "wh");
    memset(longer, 'x', sizeof longer);
    tally_text(0, slice_of(longer, sizeof longer));
    tally_read(&p, 0, out, sizeof out);
    CHECK_INT(strlen(out), TALLY_TEXT_MAX - 1);
    atomic_store(&p.text[0].turn, 7); /* its writer is at it, or died there */
    tally_read(&p, 0, out, sizeof out);
    CHECK_STR(out, "");
    tally_text(0, SLICE_LIT("again"));
    tally_read(&p, 0, out, sizeof out);
    CHECK_STR(out, "again");
    memset(p.text[0].p, 'y', TALLY_TEXT_MAX); /* a writer that ends nothing */
    tally_read(&p, 0, out, sizeof out);
    CHECK_INT(strlen(out), TALLY_TEXT_MAX - 1);
}

TEST(health_is_served_on_a_loopback_address_unless_told)
{
    const struct {
        const char *configured, *beside, *want; /* want NULL: nowhere */
    } cases[] = {
        {"", "127.0.1.12:8080", "127.0.1.12:4003"},
        {"", "0.0.0.0:80", "127.0.0.1:4003"},
        {"", "192.0.2.1:80", "127.0.0.1:4003"},
        {"", "[::1]:80", "[::1]:4003"},
        {"", "[::]:80", "127.0.0.1:4003"},
        {"192.0.2.7:9", "127.0.0.1:1", "192.0.2.7:9"},
        {"off", "127.0.0.1:1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_addr a;
        char text[NET_ADDR_TEXT];
        bool on;
        CHECK_INT(health_addr(slice_str(cases[i].configured), slice_str(cases[i].beside), 1, &a,
                              &on, NULL),
                  0);
        CHECK_INT(on, cases[i].want != NULL);
        if (!on)
            continue;
        net_addr_print(&a, text, sizeof text);
        CHECK_STR(text, cases[i].want);
    }
    struct net_addr a;
    struct diag d = {0};
    bool on;
    CHECK_INT(health_addr(SLICE_LIT("nonsense"), SLICE_LIT("127.0.0.1:1"), 0, &a, &on, &d),
              ERR_SYNTAX);
}

/* --- errors of a configuration, all of them (base/conf.h) --- */

static char told[4096];

static void tell(void *ctx, const struct diag *d)
{
    (void)ctx;
    size_t n = strlen(told);
    snprintf(told + n, sizeof told - n, "%s|%s\n", d->where, d->text);
}

TEST(every_error_of_a_configuration_is_told_with_its_line)
{
    static const struct conf_rule rules[] = {
        {"gateway", "http", CONF_TEXT, false, NULL, "x"},
        {"gateway", "workers", CONF_NUMBER, false, "2", "x"},
        {"client", "status", CONF_TEXT, false, NULL, "x"},
    };
    static const char text[] = "early = 1\n[gateway]\nhtp = a\nworkers = many\nhttp = b\n"
                               "[clinet x]\nstatus = y\n[client z]\nstatus = q\ncolour = red\n";
    struct conf c;
    struct arena *a = arena_new(65536);
    CHECK(a != NULL);
    told[0] = 0;
    CHECK_INT(conf_parse_all(a, slice_str(text), rules, 3, &c, tell, NULL), ERR_SYNTAX);
    CHECK_STR(told, "line 1|a key before the first [section]: early\n"
                    "line 3|unknown key: htp; did you mean http?\n"
                    "line 4|workers: expected a decimal number, found: many\n"
                    "line 6|unknown section: clinet; did you mean client?\n"
                    "line 10|unknown key: colour\n");
    CHECK(slice_eq_str(conf_text(&c, conf_find(&c, "gateway", ""), "http"), "b"));
    CHECK(slice_eq_str(conf_text(&c, conf_find(&c, "client", "z"), "status"), "q"));
    told[0] = 0;
    CHECK_INT(conf_parse_all(a, SLICE_LIT("[gateway]\nhttp = x\n"), rules, 3, &c, tell, NULL), 0);
    CHECK_STR(told, "");
    arena_free(a);
}
