/* The image of a global configuration: samples from disk, look-ups, damage, size and speed. */
#include "base/cursor.h"
#include "base/err.h"
#include "xroad_world.h"

#include <dirent.h>
#include <time.h>

/* --- a configuration directory --- */

#define FILES_MAX 64

static struct globalconf_file files[FILES_MAX];
static size_t n_files;
static struct diag why;
static struct buf image;
static struct globalconf *gc;

static void add_file(const char *folder, const char *name)
{
    char path[6000], key[600];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unsigned char *bytes = test_file(path, &n);
    snprintf(key, sizeof key, "%s", name);
    files[n_files++] = (struct globalconf_file){strdup(key), slice_of(bytes, n)};
}

static void forget_files(void)
{
    for (size_t i = 0; i < n_files; i++) {
        free((void *)(uintptr_t)files[i].path);
        free((void *)(uintptr_t)files[i].bytes.p);
    }
    n_files = 0;
    globalconf_close(gc);
    gc = NULL;
    buf_free(&image);
    buf_init(&image, 64u << 20);
    memset(&why, 0, sizeof why);
}

/* Reads all files of a sample; 0 or the compiler's error. */
static int load(const char *name)
{
    char root[5000], folder[5600], file[600];
    struct dirent *e, *f;
    forget_files();
    snprintf(root, sizeof root, "%s/xroad/%s", VECTORS(), name);
    DIR *dir = opendir(root);
    CHECK(dir != NULL);
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, "instance-identifier") == 0)
            add_file(root, e->d_name);
        snprintf(folder, sizeof folder, "%s/%s", root, e->d_name);
        DIR *sub = e->d_name[0] == '.' ? NULL : opendir(folder);
        while (sub != NULL && (f = readdir(sub)) != NULL) {
            if (f->d_name[0] == '.')
                continue;
            snprintf(file, sizeof file, "%.200s/%.200s", e->d_name, f->d_name);
            add_file(root, file);
        }
        if (sub != NULL)
            closedir(sub);
    }
    closedir(dir);
    int err = globalconf_from_files(files, n_files, &image, &why);
    return err == 0 ? globalconf_open(buf_view(&image), &gc, &why) : err;
}

static struct id_client client(const char *text)
{
    struct id_client id;
    CHECK_INT(id_client_from_short(slice_str(text), &id), 0);
    return id;
}

static bool known(const char *text)
{
    struct id_client id = client(text);
    return globalconf_client_known(gc, &id);
}

static size_t servers(const char *text, struct globalconf_server *out)
{
    struct id_client id = client(text);
    return globalconf_servers_of(gc, &id, out, 8);
}

#define CHECK_LOAD(name)                                                                           \
    do {                                                                                           \
        if (load(name) != 0)                                                                       \
            FAIL("%s: %s: %s", name, why.where, why.text);                                         \
    } while (0)

TEST(samples_load)
{
    CHECK_LOAD("globalconf/globalconf_good2_v3");
    CHECK(slice_eq_str(globalconf_instance(gc), "DEV"));
    CHECK_LOAD("globalconf/globalconf_good_v4");
    CHECK_LOAD("worked/globalconf");
    CHECK(slice_eq_str(globalconf_instance(gc), "ZZ"));
    CHECK_INT(globalconf_ocsp_freshness_ms(gc), 3600000);
    CHECK_INT(globalconf_expires(gc), INT64_MAX);
    CHECK_LOAD("globalconf/globalconf_good_v6");
    CHECK(slice_eq_str(globalconf_instance(gc), "EE"));
    forget_files();
}

TEST(bad_samples_do_not)
{
    CHECK_INT(load("globalconf/globalconf_malformed"), ERR_MALFORMED_GLOBAL_CONF);
    CHECK_INT(load("globalconf/globalconf_missing_identifier"), ERR_MALFORMED_GLOBAL_CONF);
    CHECK(strstr(why.text, "instance-identifier") != NULL);
    forget_files();
}

TEST(servers_and_clients_of_the_v6_sample)
{
    struct globalconf_server s[8];
    CHECK_LOAD("globalconf/globalconf_good_v6");
    CHECK(known("EE/BUSINESS/producer") && known("EE/BUSINESS/foo/foosubsystem"));
    CHECK(!known("EE/BUSINESS/foo/nosubsystem") && !known("EE/business/producer"));
    CHECK(known("quux_v5/BUSINESS/producer") && !known("XX/BUSINESS/producer"));
    /* owner and client count; subsystems only where they are listed */
    CHECK_INT(servers("EE/BUSINESS/foo", s), 3);
    CHECK(slice_eq_str(s[0].id.server_code, "producerServerCode"));
    CHECK(slice_eq_str(s[0].id.member_code, "producer"));
    CHECK(slice_eq_str(s[1].id.server_code, "fooServerCode") && s[1].address.n == 0);
    CHECK(slice_eq_str(s[2].id.server_code, "FooBarServerCode"));
    CHECK(s[2].maintenance && slice_eq_str(s[2].maintenance_message, "Test maintenance mode"));
    CHECK(slice_eq_str(s[2].address, "https://foo.bar.baz"));
    CHECK_INT(servers("EE/BUSINESS/foo/foosubsystem", s), 1);
    CHECK_INT(servers("EE/BUSINESS/foo/barsubsystemId", s), 0);
    CHECK_INT(servers("EE/BUSINESS/producer", s), 2);
    struct id_client producer = client("EE/BUSINESS/producer");
    CHECK_INT(globalconf_servers_of(gc, &producer, s, 1), 1);
    struct id_server id;
    CHECK_INT(id_server_from_short(SLICE_LIT("EE/BUSINESS/foo/fooServerCode"), &id), 0);
    CHECK(globalconf_server(gc, &id, &s[0]) && id_server_eq(&s[0].id, &id));
    CHECK_INT(id_server_from_short(SLICE_LIT("EE/BUSINESS/producer/fooServerCode"), &id), 0);
    CHECK(!globalconf_server(gc, &id, &s[0]));
    size_t at = 0, n = 0;
    while (globalconf_each_server(gc, SLICE_LIT("EE"), &at, &s[0]))
        n++;
    CHECK_INT(n, 4);
    CHECK(slice_eq_str(s[0].id.server_code, "FooBarServerCode"));
    forget_files();
}

TEST(names_in_document_order)
{
    static const char *const want[] = {"producer", "consumer", "foo", "foosubsystem",
                                       "barsubsystemId"};
    struct id_client id;
    struct slice member, subsystem;
    size_t at = 0;
    CHECK_LOAD("globalconf/globalconf_good_v6");
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK(globalconf_each_client(gc, SLICE_LIT("EE"), &at, &id, &member, &subsystem));
        CHECK(slice_eq_str(i < 3 ? id.member_code : id.subsystem, want[i]));
        CHECK(slice_eq_str(subsystem, i == 3 ? "FOO Subsystem" : ""));
        CHECK(i < 2 || slice_eq_str(member, "Org with no address"));
    }
    CHECK(!globalconf_each_client(gc, SLICE_LIT("EE"), &at, &id, &member, &subsystem));
    id = client("EE/BUSINESS/foo/foosubsystem");
    CHECK(slice_eq_str(globalconf_client_name(gc, &id), "FOO Subsystem"));
    id = client("EE/BUSINESS/consumer");
    CHECK(slice_eq_str(globalconf_client_name(gc, &id), "Experimental consumer"));
    forget_files();
}

TEST(groups_of_the_v6_sample)
{
    CHECK_LOAD("globalconf/globalconf_good_v6");
    struct id_client in = client("EE/BUSINESS/member1/subsys"), out = client("EE/BUSINESS/member1");
    CHECK(globalconf_in_group(gc, SLICE_LIT("EE"), SLICE_LIT("Test group"), &in));
    CHECK(!globalconf_in_group(gc, SLICE_LIT("EE"), SLICE_LIT("Test group"), &out));
    CHECK(!globalconf_in_group(gc, SLICE_LIT("EE"), SLICE_LIT("test group"), &in));
    CHECK(!globalconf_in_group(gc, SLICE_LIT("XX"), SLICE_LIT("Test group"), &in));
    in = client("EE/BUSINESS/member4");
    CHECK(globalconf_in_group(gc, SLICE_LIT("EE"), SLICE_LIT("Test group"), &in));
    forget_files();
}

TEST(times_of_the_v6_sample)
{
    int64_t expires;
    CHECK_LOAD("globalconf/globalconf_good_v6");
    CHECK(timeval_parse_iso(SLICE_LIT("2124-05-20T17:42:55Z"), &expires));
    CHECK_INT(globalconf_expires(gc), expires);
    CHECK_INT(globalconf_check_valid(gc, expires, &why), 0);
    CHECK_INT(globalconf_check_valid(gc, expires + 1, &why), ERR_GC_OUTDATED);
    CHECK_STR(why.text, "Global configuration is expired");
    CHECK(globalconf_has_instance(gc, SLICE_LIT("bar"), expires));
    CHECK(!globalconf_has_instance(gc, SLICE_LIT("bar"), expires + 1));
    CHECK(!globalconf_has_instance(gc, SLICE_LIT("XX"), 0));
    CHECK_INT(globalconf_ocsp_freshness_ms(gc), 42000);
    CHECK_INT(globalconf_ocsp_fetch_ms(gc), 1200000);
    CHECK(globalconf_verify_next_update(gc));
    CHECK(globalconf_timestamping_ms(gc) >= 60000);
    forget_files();
}

TEST(optional_parts_and_metadata_count)
{
#define X "<x:conf xmlns:x='http://x-road.eu/xsd/xroad.xsd'>"
    CHECK_LOAD("globalconf/globalconf_good_v6");
    files[n_files++] = (struct globalconf_file){
        strdup("EE/nextupdate-params.xml"),
        slice_str(strdup(X "<verifyNextUpdate>false</verifyNextUpdate></x:conf>"))};
    files[n_files++] = (struct globalconf_file){
        strdup("EE/fetchinterval-params.xml"),
        slice_str(strdup(X "<ocspFetchInterval>77</ocspFetchInterval></x:conf>"))};
    globalconf_close(gc);
    gc = NULL;
    buf_reset(&image);
    CHECK_INT(globalconf_from_files(files, n_files, &image, &why), 0);
    CHECK_INT(globalconf_open(buf_view(&image), &gc, &why), 0);
    CHECK(!globalconf_verify_next_update(gc));
    CHECK_INT(globalconf_ocsp_fetch_ms(gc), 77000);
    /* without its metadata a version 6 file is read as version 2, and is wrong as that */
    for (size_t i = 0; i < n_files; i++)
        if (strcmp(files[i].path, "EE/shared-params.xml.metadata") == 0)
            files[i].bytes.n = 0;
    CHECK_INT(globalconf_from_files(files, n_files, &image, &why), ERR_MALFORMED_GLOBAL_CONF);
    CHECK(strstr(why.where, "EE/shared-params.xml") != NULL);
    forget_files();
}

TEST(a_folder_must_have_its_instances_name)
{
    CHECK_LOAD("globalconf/globalconf_good_v6");
    for (size_t i = 0; i < n_files; i++)
        if (strncmp(files[i].path, "bar/", 4) == 0)
            memcpy((char *)(uintptr_t)files[i].path, "baz", 3);
    CHECK_INT(globalconf_from_files(files, n_files, &image, &why), ERR_GC_INSTANCE);
    forget_files();
}

/* --- the made one --- */

TEST(certificates_of_a_made_configuration)
{
    struct world w;
    struct cert **list;
    world_open(&w);
    CHECK_INT(globalconf_all_cas(w.gc, &list), 2);
    CHECK_INT(globalconf_all_ocsp(w.gc, &list), 1);
    CHECK_INT(globalconf_all_tsas(w.gc, &list), 1);
    CHECK(slice_eq(list[0]->der, w.tsa.cert->der));
    const struct globalconf_ca *ca = globalconf_ca(w.gc, SLICE_LIT("ZZ"), w.auth.cert->issuer);
    CHECK(ca != NULL && slice_eq(ca->cert->der, w.ca.cert->der));
    CHECK(slice_eq_str(ca->profile, WORLD_PROFILE));
    CHECK(ca->n_ocsp == 1 && ca->n_ocsp_urls == 1 && slice_eq_str(ca->ocsp_urls[0], "http://ocsp"));
    ca = globalconf_ca(w.gc, SLICE_LIT("ZZ"), w.inter.cert->subject);
    CHECK(ca != NULL && ca->n_ocsp == 0 && slice_eq_str(ca->profile, WORLD_PROFILE));
    CHECK(globalconf_ca(w.gc, SLICE_LIT("YY"), w.auth.cert->issuer) == NULL);
    CHECK(globalconf_ca(w.gc, SLICE_LIT("ZZ"), w.auth.cert->subject) == NULL);
    struct slice name, url, der;
    size_t at = 0;
    CHECK(globalconf_each_tsa(w.gc, &at, &name, &url, &der));
    CHECK(slice_eq_str(url, "http://tsa") && slice_eq(der, w.tsa.cert->der));
    CHECK(!globalconf_each_tsa(w.gc, &at, &name, &url, &der));
    world_close(&w);
}

TEST(authentication_certificates)
{
    struct world w;
    struct globalconf_server s;
    world_open(&w);
    struct id_client owner = client("ZZ/GOV/100"), listed = client("ZZ/GOV/100/client");
    struct id_client other = client("ZZ/GOV/200/data");
    CHECK(globalconf_auth_cert_known(w.gc, w.auth.cert));
    CHECK(!globalconf_auth_cert_known(w.gc, w.sign.cert));
    CHECK(globalconf_auth_cert_serves(w.gc, w.auth.cert, &owner));
    CHECK(globalconf_auth_cert_serves(w.gc, w.auth.cert, &listed));
    CHECK(!globalconf_auth_cert_serves(w.gc, w.auth.cert, &other));
    CHECK(!globalconf_auth_cert_serves(w.gc, w.sign.cert, &owner));
    CHECK(globalconf_server_of_cert(w.gc, w.auth.cert, &s));
    CHECK(slice_eq_str(s.id.server_code, "ss1") && slice_eq_str(s.id.member_code, "100"));
    CHECK(!globalconf_server_of_cert(w.gc, w.sign.cert, &s));
    world_close(&w);
}

/* The own instance's version chooses the hash, also for other instances' servers. */
TEST(own_version_chooses_the_hash)
{
    struct world w;
    world_open(&w);
    struct slice sha1 = slice_of(w.auth.cert->sha1, 20), sha256 = slice_of(w.auth.cert->sha256, 32);
    struct params_member m = {SLICE_LIT("G"), SLICE_NONE, SLICE_LIT("1"), SLICE_NONE, NULL, 0};
    struct params_server old = {0, SLICE_LIT("s"), SLICE_NONE, {&sha1, 1}, NULL,
                                0, false,          SLICE_NONE};
    struct params_server young = old;
    young.auth_hashes.v = &sha256;
    struct params_shared a = {.version = 2,
                              .instance = SLICE_LIT("A"),
                              .members = &m,
                              .n_members = 1,
                              .servers = &old,
                              .n_servers = 1};
    struct params_shared b = {.version = 3,
                              .instance = SLICE_LIT("B"),
                              .members = &m,
                              .n_members = 1,
                              .servers = &young,
                              .n_servers = 1};
    const struct globalconf_input in[] = {{&a, INT64_MAX, NULL, 0, true, 60},
                                          {&b, INT64_MAX, NULL, 0, true, 60}};
    for (size_t own = 0; own < 2; own++) {
        struct globalconf_server s;
        forget_files();
        CHECK_INT(globalconf_compile(in, 2, own, &image, &why), 0);
        CHECK_INT(globalconf_open(buf_view(&image), &gc, &why), 0);
        CHECK(globalconf_server_of_cert(gc, w.auth.cert, &s));
        CHECK(slice_eq_str(s.id.instance, own == 0 ? "A" : "B"));
        struct id_client of_a = client("A/G/1"), of_b = client("B/G/1");
        CHECK(globalconf_auth_cert_serves(gc, w.auth.cert, &of_a) == (own == 0));
        CHECK(globalconf_auth_cert_serves(gc, w.auth.cert, &of_b) == (own == 1));
    }
    const struct globalconf_input twice[] = {in[0], in[0]};
    CHECK_INT(globalconf_compile(twice, 2, 0, &image, &why), ERR_MALFORMED_GLOBAL_CONF);
    CHECK_INT(globalconf_compile(in, 2, 2, &image, &why), ERR_USAGE);
    forget_files();
    world_close(&w);
}

/* A hash that was computed again does not save an image whose offsets are wrong. */
TEST(damaged_images_are_refused)
{
    struct world w;
    struct globalconf *g;
    size_t refused = 0, opened = 0;
    world_open(&w);
    struct slice whole = buf_view(&w.image);
    uint8_t *copy = malloc(whole.n);
    for (size_t cut = 0; cut < whole.n; cut += 37)
        CHECK_INT(globalconf_open(slice_sub(whole, 0, cut), &g, &why), ERR_CORRUPT);
    for (size_t i = 0; i < whole.n; i += 3) {
        memcpy(copy, whole.p, whole.n);
        copy[i] ^= 0x80;
        if (i < 16 || i >= 48)
            CHECK_INT(globalconf_open(slice_of(copy, whole.n), &g, &why), ERR_CORRUPT);
        struct digest h;
        digest_of(DIGEST_SHA256, slice_from(slice_of(copy, whole.n), 48), &h);
        memcpy(copy + 16, h.b, 32);
        if (globalconf_open(slice_of(copy, whole.n), &g, &why) != 0) {
            refused++;
            continue;
        }
        opened++;
        struct id_client id = client("ZZ/GOV/100/client");
        struct globalconf_server s[8];
        globalconf_servers_of(g, &id, s, 8);
        globalconf_auth_cert_serves(g, w.auth.cert, &id);
        globalconf_in_group(g, SLICE_LIT("ZZ"), SLICE_LIT("g"), &id);
        globalconf_close(g);
    }
    free(copy);
    CHECK(refused > 50 && opened > 50);
    world_close(&w);
}

/* --- 5,000 servers and 20,000 subsystems --- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define MEMBERS 5000
#define SUBS 4

TEST(a_large_country)
{
    struct arena *a = arena_new(256u << 20);
    struct params_member *m = arena_zalloc(a, MEMBERS * sizeof *m);
    struct params_server *s = arena_zalloc(a, MEMBERS * sizeof *s);
    for (int32_t i = 0; i < MEMBERS; i++) {
        m[i] = (struct params_member){SLICE_LIT("COM"),
                                      SLICE_LIT("Company"),
                                      slice_str(arena_printf(a, "%08d", 10000000 + i)),
                                      slice_str(arena_printf(a, "Company number %d", i)),
                                      arena_zalloc(a, SUBS * sizeof *m->sub),
                                      SUBS};
        uint8_t *hash = arena_zalloc(a, 32);
        put_u32(hash + 3, (uint32_t)i * 2654435761u);
        struct slice *hashes = arena_alloc(a, sizeof *hashes);
        *hashes = slice_of(hash, 32);
        struct params_client_ref *clients = arena_alloc(a, 2 * SUBS * sizeof *clients);
        for (int32_t k = 0; k < SUBS; k++) {
            m[i].sub[k].code = slice_str(arena_printf(a, "subsystem%d", k));
            clients[2 * k] = (struct params_client_ref){i, k};
            clients[2 * k + 1] = (struct params_client_ref){(i + 1) % MEMBERS, k};
        }
        s[i] = (struct params_server){
            i,           SLICE_LIT("ss1"), slice_str(arena_printf(a, "ss%d.example", i)),
            {hashes, 1}, clients,          2 * SUBS,
            false,       SLICE_NONE};
    }
    struct params_shared p = {.version = 6,
                              .instance = SLICE_LIT("BIG"),
                              .members = m,
                              .n_members = MEMBERS,
                              .servers = s,
                              .n_servers = MEMBERS};
    struct params_source source = {SLICE_LIT("cs"), {NULL, 0}, {NULL, 0}};
    p.sources = &source;
    p.n_sources = 1;
    const struct globalconf_input in = {&p, INT64_MAX, NULL, 0, true, 60};
    forget_files();
    CHECK_INT(globalconf_compile(&in, 1, 0, &image, &why), 0);
    CHECK_INT(globalconf_open(buf_view(&image), &gc, &why), 0);
    printf("# image: %zu bytes\n", image.n);
    CHECK(image.n < (8u << 20));
    double start = seconds();
    for (int32_t i = 0; i < MEMBERS; i++) {
        struct id_client id = {SLICE_LIT("BIG"), SLICE_LIT("COM"), m[i].code,
                               m[i].sub[i % SUBS].code};
        struct globalconf_server out[4];
        CHECK_INT(globalconf_servers_of(gc, &id, out, 4), 2);
        CHECK(slice_eq(out[i == 0 ? 0 : 1].address, s[i].address));
    }
    double each = (seconds() - start) / MEMBERS;
    printf("# one look-up of a provider's servers: %.2f us\n", each * 1e6);
    CHECK(each < 100e-6);
    struct buf xml;
    buf_init(&xml, 32u << 20);
    CHECK_INT(params_shared_print(&p, 6, &xml, &why), 0);
    struct arena *b = arena_new(512u << 20);
    struct params_shared again;
    start = seconds();
    CHECK_INT(params_shared_parse(b, buf_view(&xml), 6, &again, &why), 0);
    printf("# reading %zu bytes of XML: %.2f s\n", xml.n, seconds() - start);
    CHECK_INT(again.n_members, MEMBERS);
    CHECK_INT(again.servers[7].n_clients, 2 * SUBS);
    buf_free(&xml);
    arena_free(b);
    arena_free(a);
    forget_files();
}
