/* A gateway's configuration: what is read, and that each mistake names its line. */
#include "base/err.h"
#include "gateway/conffile.h"
#include "gateway/serverconf.h"
#include "proc/fs.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static const char good[] = "[gateway]\n"
                           "server = ZZ/GOV/100/ss1\n"
                           "[client ZZ/GOV/100/registry]\n"
                           "connection = https\n"
                           "[client ZZ/GOV/100/old]\n"
                           "status = disabled\n"
                           "[service ZZ/GOV/100/registry/persons]\n"
                           "url = http://127.0.0.1:9001/persons\n"
                           "url = https://[::1]:9443/persons\n"
                           "timeout = 5s\n"
                           "endpoint = GET /*\n"
                           "allow = ZZ/COM/200/app\n"
                           "allow = ZZ/COM/200 GET /a/**\n"
                           "allow = global:ZZ/friends POST /births\n"
                           "allow = local:inner * **\n"
                           "[group ZZ/GOV/100/registry inner]\n"
                           "member = ZZ/COM/200/app\n"
                           "[log]\n"
                           "time_stamping = http://tsa.example.zz/\n"
                           "stamp_failure = 2h\n";

static int parse(struct arena *a, const char *text, struct serverconf *c, struct diag *d)
{
    return serverconf_parse(a, slice_str(text), NULL, NULL, c, d);
}

TEST(everything_is_where_it_belongs)
{
    struct arena *a = arena_new(1u << 20);
    struct serverconf c;
    struct diag d = {0};
    CHECK_INT(parse(a, good, &c, &d), 0);
    CHECK(slice_eq_str(c.server.server_code, "ss1"));
    CHECK_INT(c.n_clients, 2);
    CHECK_INT(c.clients[0].connection, SERVERCONF_HTTPS);
    CHECK(c.clients[0].registered && !c.clients[1].registered);
    CHECK_INT(c.n_services, 1);
    const struct serverconf_service *v = &c.services[0];
    CHECK(v->provider == &c.clients[0]);
    CHECK_INT(v->n_urls, 2);
    CHECK(v->parsed[1].tls && v->parsed[1].port == 9443);
    CHECK_INT(v->timeout_ms, 5000);
    CHECK_INT(v->n_rights, 4);
    CHECK(slice_eq_str(v->rights[0].path, "**") && slice_eq_str(v->rights[0].method, "*"));
    CHECK_INT(v->rights[1].client.subsystem.n, 0);
    CHECK_INT(v->rights[2].kind, SERVERCONF_SUBJECT_GLOBAL_GROUP);
    CHECK(slice_eq_str(v->rights[2].group, "friends"));
    CHECK_INT(v->rights[3].kind, SERVERCONF_SUBJECT_LOCAL_GROUP);
    CHECK_INT(c.clients[0].n_groups, 1);
    CHECK_INT(c.clients[0].groups[0].n_members, 1);
    CHECK_INT(c.n_tsas, 1);
    CHECK_INT(c.stamp_failure_ms, 7200000);
    CHECK_INT(c.peer_port, 5500);
    arena_free(a);
}

TEST(mistakes_name_their_line)
{
    static const struct {
        const char *text;
        const char *where;
    } bad[] = {
        {"[gateway]\nserver = ZZ/GOV/100\n", "line 1"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\nnonsense = 1\n", "line 3"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\n[client ZZ/GOV]\n", "line 3"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\n[service ZZ/GOV/100/a/b]\n", "line 3"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\n[log]\ntime_stamping = ftp://x\n", "line 4"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\n[client ZZ/GOV/100/a]\n"
         "[service ZZ/GOV/100/a/b]\nallow = nobody\n",
         "line 5"},
        {"[gateway]\nserver = ZZ/GOV/100/ss1\n[client ZZ/GOV/100/a]\n"
         "[service ZZ/GOV/100/a/b]\nallow = ZZ/COM/1 GET\n",
         "line 5"},
        {"[key k]\nuse = both\n[gateway]\nserver = ZZ/GOV/100/ss1\n", "line 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *a = arena_new(1u << 20);
        struct serverconf c;
        struct diag d = {0};
        int rc = parse(a, bad[i].text, &c, &d);
        if (rc == 0 || strcmp(d.where, bad[i].where) != 0)
            FAIL("case %zu: code %d at \"%s\", not at %s", i, rc, d.where, bad[i].where);
        arena_free(a);
    }
}

TEST(a_group_without_its_client_is_refused)
{
    struct arena *a = arena_new(1u << 20);
    struct serverconf c;
    struct diag d = {0};
    CHECK_INT(parse(a,
                    "[gateway]\nserver = ZZ/GOV/100/ss1\n[group ZZ/GOV/9/x g]\nmember = ZZ/A/1\n",
                    &c, &d),
              ERR_MALFORMED_SERVER_CONF);
    arena_free(a);
}

/* The agent inlines the files for each snapshot, as long as it lives. */
TEST(a_configuration_is_inlined_any_number_of_times)
{
    static uint8_t owner[512 << 10];
    char dir[] = "/tmp/sild-serverconf-XXXXXX", path[64], command[64];
    struct conffile c;
    struct buf text;
    struct diag d = {0};
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/owner.der", dir);
    CHECK_INT(fs_write(path, slice_of(owner, sizeof owner), 0644, &d), 0);
    snprintf(path, sizeof path, "%s/gateway.conf", dir);
    CHECK_INT(fs_write(path,
                       SLICE_LIT("[gateway]\nserver = ZZ/GOV/100/ss1\n"
                                 "[log]\nowner_key = owner.der\n"),
                       0644, &d),
              0);
    CHECK_INT(conffile_read(path, &c, &d), 0);
    buf_init(&text, 4u << 20);
    for (int i = 0; i < 100; i++) {
        buf_reset(&text);
        CHECK_INT(conffile_inline(&c, &text, &d), 0);
        CHECK(text.n > sizeof owner);
    }
    buf_free(&text);
    conffile_free(&c);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
}
