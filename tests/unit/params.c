/* Shared and private parameters, anchors: reading the samples, strictness, printing. */
#include "base/err.h"
#include "crypto/digest.h"
#include "test.h"
#include "xroad/params.h"

static struct arena *arena;
static struct diag why;

static struct arena *fresh(void)
{
    if (arena == NULL)
        arena = arena_new(64u << 20);
    arena_reset(arena);
    memset(&why, 0, sizeof why);
    return arena;
}

static struct slice vector(const char *name)
{
    char path[5000];
    size_t n;
    snprintf(path, sizeof path, "%s/xroad/%s", VECTORS(), name);
    unsigned char *bytes = test_file(path, &n);
    struct slice s = arena_dup(arena, slice_of(bytes, n));
    free(bytes);
    return s;
}

static struct params_shared shared;

static int parse(const char *name, int version)
{
    fresh();
    return params_shared_parse(arena, vector(name), version, &shared, &why);
}

#define CHECK_PARSE(name, version)                                                                 \
    do {                                                                                           \
        if (parse(name, version) != 0)                                                             \
            FAIL("%s: %s: %s", name, why.where, why.text);                                         \
    } while (0)

TEST(samples_of_all_versions)
{
    CHECK_PARSE("globalconf/globalconf_good_v6/foo_v2/shared-params.xml", 2);
    CHECK_PARSE("globalconf/globalconf_good_v6/bar/shared-params.xml", 3);
    CHECK_PARSE("globalconf/globalconf_good_v6/baz_v3/shared-params.xml", 3);
    CHECK_PARSE("globalconf/globalconf_good_v6/qux_v4/shared-params.xml", 4);
    CHECK_PARSE("globalconf/globalconf_good_v6/quux_v5/shared-params.xml", 5);
    CHECK_PARSE("globalconf/globalconf_good_v6/EE/shared-params.xml", 6);
    CHECK_PARSE("globalconf/globalconf_good2_v3/DEV/shared-params.xml", 3);
    CHECK_PARSE("globalconf/globalconf_good_v4/EE/shared-params.xml", 4);
    CHECK_PARSE("signed-globalconf/V4/20240529203822880997000/shared-params.xml", 4);
    CHECK_PARSE("signed-globalconf/V6/20251110170000548026000/shared-params.xml", 6);
    CHECK_PARSE("worked/globalconf/ZZ/shared-params.xml", 6);
}

/* Figures counted with xmllint --xpath. */
TEST(what_the_v6_sample_says)
{
    CHECK_PARSE("globalconf/globalconf_good_v6/EE/shared-params.xml", 6);
    CHECK(slice_eq_str(shared.instance, "EE"));
    CHECK_INT(shared.n_sources, 1);
    CHECK_INT(shared.n_cas, 2);
    CHECK_INT(shared.n_tsas, 1);
    CHECK_INT(shared.n_members, 3);
    CHECK_INT(shared.n_servers, 4);
    CHECK_INT(shared.n_groups, 1);
    CHECK_INT(shared.ocsp_freshness_s, 42);
    CHECK(slice_eq_str(shared.cas[0].name, "pki1"));
    CHECK(slice_eq_str(shared.cas[0].top.ocsp[0].cost_type, "FREE"));
    CHECK(slice_eq_str(shared.cas[0].top.ocsp[1].cost_type, "PAID"));
    CHECK_INT(shared.cas[0].top.ocsp[3].cost_type.n, 0);
    CHECK_INT(shared.cas[0].top.cert.p[0], 0x30);
}

/* The version 2 sample has a MEMBER with a subsystem code in its group of four: X-Road drops it. */
TEST(mistyped_group_members_are_dropped)
{
    CHECK_PARSE("globalconf/globalconf_good_v6/foo_v2/shared-params.xml", 2);
    CHECK_INT(shared.groups[0].n_members, 3);
    CHECK(slice_eq_str(shared.groups[0].members[0].member_code, "member2"));
}

/* The digests are those that OpenSSL gives for the certificates taken out of PEM. */
TEST(pem_inside_base64_is_undone)
{
    CHECK_PARSE("signed-globalconf/V6/20251110170000548026000/shared-params.xml", 6);
    CHECK(shared.n_cas > 0 && shared.cas[0].top.cert.n > 0);
    CHECK_INT(shared.cas[0].top.cert.p[0], 0x30);
    struct digest d;
    char want[65] = "dcc8e958730a67e71dad8e5705f6b6c7c261c7f71e8efdf8d20fd0dec17d9fe8";
    digest_of(DIGEST_SHA256, shared.cas[0].top.cert, &d);
    for (size_t i = 0; i < d.n; i++) {
        unsigned byte;
        CHECK(sscanf(want + 2 * i, "%2x", &byte) == 1);
        CHECK_INT(d.b[i], byte);
    }
}

TEST(private_parameters_of_the_samples)
{
    struct params_private p;
    fresh();
    CHECK_INT(params_private_parse(arena,
                                   vector("globalconf/globalconf_good_v6/EE/private-params.xml"), 3,
                                   &p, &why),
              0);
    CHECK(slice_eq_str(p.instance, "EE"));
    CHECK(p.management.member_code.n > 0 && p.timestamping_s > 0);
    CHECK_INT(params_private_parse(
                  arena, vector("signed-globalconf/V6/20251110170000548026000/private-params.xml"),
                  6, &p, &why),
              0);
    CHECK(slice_eq_str(p.instance, "DEV"));
    CHECK_INT(
        params_private_parse(
            arena, vector("globalconf/globalconf_good_v6/foo_v2/private-params.xml"), 2, &p, &why),
        0);
}

TEST(anchor_of_the_samples)
{
    struct params_anchor p;
    fresh();
    CHECK_INT(params_anchor_parse(arena,
                                  vector("signed-globalconf/configuration_anchor_CS_internal.xml"),
                                  &p, &why),
              0);
    CHECK(slice_eq_str(p.instance, "DEV"));
    CHECK(p.n_sources > 0 && p.sources[0].internal_certs.n > 0);
    CHECK(slice_starts(p.sources[0].address, "http"));
    CHECK(p.generated_ms > 0);
}

TEST(no_xml_at_all)
{
    CHECK_INT(parse("globalconf/globalconf_malformed/foo/shared-params.xml", 2),
              ERR_MALFORMED_GLOBAL_CONF);
    struct params_private p;
    CHECK_INT(params_private_parse(arena,
                                   vector("globalconf/globalconf_malformed/foo/private-params.xml"),
                                   2, &p, &why),
              ERR_MALFORMED_GLOBAL_CONF);
}

/* --- own documents --- */

#define NS                                                                                         \
    "<x:conf xmlns:x='http://x-road.eu/xsd/xroad.xsd' "                                            \
    "xmlns:id='http://x-road.eu/xsd/identifiers'>"
#define SOURCE "<source><address>cs</address></source>"
#define MEMBER                                                                                     \
    "<member id='m'><memberClass><code>GOV</code><description/></memberClass><memberCode>1"        \
    "</memberCode><name/><subsystem id='s'><subsystemCode>a</subsystemCode></subsystem></member>"
#define SERVER                                                                                     \
    "<securityServer><owner>m</owner><serverCode>ss</serverCode><client> s </client>"              \
    "</securityServer>"
#define END                                                                                        \
    "<globalSettings><ocspFreshnessSeconds>60</ocspFreshnessSeconds></globalSettings></x:conf>"

static int parse_text(const char *xml, int version)
{
    fresh();
    return params_shared_parse(arena, slice_str(xml), version, &shared, &why);
}

TEST(order_and_cardinality_are_the_schemas)
{
    CHECK_INT(
        parse_text(NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER SERVER END, 6), 0);
    CHECK_INT(shared.servers[0].clients[0].sub, 0);
    static const struct {
        const char *xml;
        int version;
        const char *where, *says;
    } bad[] = {
        {NS "<instanceIdentifier>Z</instanceIdentifier>" MEMBER SERVER END, 3, "conf/member",
         "source"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER END, 2, "conf/source",
         "globalSettings"},
        {NS SOURCE END, 3, "conf/source", "instanceIdentifier"},
        {NS "<instanceIdentifier> </instanceIdentifier>" SOURCE END, 3, "conf/instanceIdentifier",
         "blank"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE SERVER MEMBER END, 3,
         "conf/securityServer/owner", "no member"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER MEMBER END, 3,
         "conf/member[2]", "twice"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER
            "<securityServer><owner>s</owner><serverCode>ss</serverCode></securityServer>" END,
         3, "conf/securityServer/owner", "cannot own"},
        {NS
         "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER
         "<securityServer><owner>m</owner><serverCode>ss</serverCode><address/><inMaintenanceMode/>"
         "</securityServer>" END,
         4, "conf/securityServer/inMaintenanceMode", "may not be here"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE MEMBER
            "<securityServer><owner>m</owner><serverCode>ss</serverCode>"
            "<authCertHash>***</authCertHash></securityServer>" END,
         3, "conf/securityServer/authCertHash", "base64"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE "</x:conf>", 3, "conf",
         "globalSettings"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>text" SOURCE END, 3, "conf", "text"},
        {NS "<instanceIdentifier><b/></instanceIdentifier>" SOURCE END, 3,
         "conf/instanceIdentifier", "elements"},
        {"<conf xmlns='http://x-road.eu/xsd/xroad.xsd'><instanceIdentifier>Z</instanceIdentifier>"
         "</conf>",
         3, "conf/instanceIdentifier", "must stand here"},
        {"<conf/>", 3, "conf", "root"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE
            "<globalSettings><ocspFreshnessSeconds>-1</ocspFreshnessSeconds></globalSettings></"
            "x:conf>",
         3, "conf/globalSettings/ocspFreshnessSeconds", "number"},
        {NS "<instanceIdentifier>Z</instanceIdentifier>"
            "<globalSettings><ocspFreshnessSeconds>1</ocspFreshnessSeconds></globalSettings><any/>"
            "</x:conf>",
         2, "conf/any", "may not"},
        {NS
         "<instanceIdentifier>Z</instanceIdentifier>" SOURCE
         "<globalGroup><groupCode>g</groupCode><description/><groupMember id:objectType='MEMBER'>"
         "<id:xRoadInstance>Z</id:xRoadInstance></groupMember></globalGroup>" END,
         3, "conf/globalGroup/groupMember", "memberClass"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int err = parse_text(bad[i].xml, bad[i].version);
        if (err != ERR_MALFORMED_GLOBAL_CONF || strcmp(why.where, bad[i].where) != 0 ||
            strstr(why.text, bad[i].says) == NULL)
            FAIL("case %zu gives %s: %s: %s", i, err_name(err), why.where, why.text);
    }
}

TEST(sources_alone)
{
    fresh();
    CHECK_INT(params_shared_sources(arena,
                                    SLICE_LIT(NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE
                                                 "<member/> what comes here is not looked at"),
                                    6, &shared, &why),
              0);
    CHECK(slice_eq_str(shared.instance, "Z") && shared.n_sources == 1 && shared.n_members == 0);
    CHECK_INT(params_shared_sources(arena,
                                    SLICE_LIT(NS "<instanceIdentifier>Z</instanceIdentifier>"
                                                 "<member/></x:conf>"),
                                    6, &shared, &why),
              ERR_MALFORMED_GLOBAL_CONF);
}

TEST(elements_beyond_the_schema_are_ignored_from_version_3)
{
    CHECK_INT(parse_text(NS "<instanceIdentifier>Z</instanceIdentifier>" SOURCE
                            "<centralService><serviceCode>x</serviceCode></centralService>"
                            "<globalSettings><ocspFreshnessSeconds> 5 </ocspFreshnessSeconds>"
                            "</globalSettings><any><b/></any></x:conf>",
                         3),
              0);
    CHECK_INT(shared.ocsp_freshness_s, 5);
}

TEST(versions_that_do_not_exist)
{
    CHECK_INT(parse_text(NS END, 1), ERR_MALFORMED_GLOBAL_CONF);
    CHECK_INT(parse_text(NS END, 7), ERR_MALFORMED_GLOBAL_CONF);
}

/* --- printing --- */

static uint8_t hash32[32] = {1, 2, 3};
static struct slice hashes[] = {{hash32, 32}};

static struct params_shared full(void)
{
    static struct slice certs[] = {{(const uint8_t *)"\x30\x03\x02\x01\x01", 5}};
    static struct params_source sources[] = {
        {{(const uint8_t *)"cs.example", 10}, {certs, 1}, {certs, 1}}};
    static struct params_ocsp ocsp[2];
    static struct params_ca intermediate[1];
    static struct params_approved_ca cas[1];
    static struct params_tsa tsas[1];
    static struct params_subsystem subs[2];
    static struct params_member members[2];
    static struct params_client_ref clients[] = {{0, 1}, {1, -1}};
    static struct params_server servers[1];
    static struct id_client group_members[2];
    static struct params_group groups[1];
    static struct params_class classes[1];
    ocsp[0] = (struct params_ocsp){SLICE_LIT("http://o?a&b"), certs[0], SLICE_LIT("FREE")};
    ocsp[1] = (struct params_ocsp){SLICE_LIT("http://p"), SLICE_NONE, SLICE_NONE};
    intermediate[0] = (struct params_ca){certs[0], NULL, 0};
    cas[0] = (struct params_approved_ca){SLICE_LIT("CA <&>"),
                                         SLICE_LIT("ee.Profile"),
                                         SLICE_LIT("DER"),
                                         true,
                                         {certs[0], ocsp, 2},
                                         intermediate,
                                         1};
    tsas[0] =
        (struct params_tsa){SLICE_LIT("T"), SLICE_LIT("http://t"), certs[0], SLICE_LIT("PAID")};
    subs[0] = (struct params_subsystem){SLICE_LIT("a"), SLICE_LIT("A \"name\"")};
    subs[1] = (struct params_subsystem){SLICE_LIT("b"), SLICE_NONE};
    members[0] = (struct params_member){
        SLICE_LIT("GOV"), SLICE_LIT("Government"), SLICE_LIT("1"), SLICE_LIT("One"), subs, 2};
    members[1] = (struct params_member){SLICE_LIT("COM"),      SLICE_LIT(""), SLICE_LIT("2"),
                                        SLICE_LIT("\xC3\x84"), NULL,          0};
    servers[0] = (struct params_server){
        0,    SLICE_LIT("ss1"),         SLICE_LIT("127.0.0.1"), {hashes, 1}, clients, 2,
        true, SLICE_LIT("back at noon")};
    group_members[0] =
        (struct id_client){SLICE_LIT("Z"), SLICE_LIT("GOV"), SLICE_LIT("1"), SLICE_NONE};
    group_members[1] =
        (struct id_client){SLICE_LIT("Z"), SLICE_LIT("GOV"), SLICE_LIT("1"), SLICE_LIT("a")};
    groups[0] = (struct params_group){SLICE_LIT("g"), SLICE_LIT("d"), group_members, 2};
    classes[0] = (struct params_class){SLICE_LIT("GOV"), SLICE_LIT("Government")};
    return (struct params_shared){
        6, SLICE_LIT("Z"), sources, 1,      cas, 1,       tsas, 1,   members,
        2, servers,        1,       groups, 1,   classes, 1,    3600};
}

TEST(every_version_is_printed_and_read_back)
{
    for (int version = 2; version <= 6; version++) {
        struct params_shared p = full();
        struct buf out;
        hashes[0].n = version < 3 ? 20 : 32;
        buf_init(&out, 1u << 20);
        fresh();
        CHECK_INT(params_shared_print(&p, version, &out, &why), 0);
        int err = params_shared_parse(arena, buf_view(&out), version, &shared, &why);
        buf_free(&out);
        if (err != 0)
            FAIL("version %d: %s: %s", version, why.where, why.text);
        CHECK(slice_eq_str(shared.cas[0].name, "CA <&>") && shared.cas[0].authentication_only);
        CHECK(slice_eq_str(shared.cas[0].top.ocsp[0].url, "http://o?a&b"));
        CHECK_INT(shared.cas[0].n_intermediate, 1);
        CHECK(slice_eq(shared.tsas[0].cert, p.tsas[0].cert));
        CHECK(slice_eq_str(shared.members[1].name, "\xC3\x84"));
        CHECK_INT(shared.servers[0].owner, 0);
        CHECK(slice_eq(shared.servers[0].auth_hashes.v[0], hashes[0]));
        CHECK_INT(shared.groups[0].n_members, 2);
        CHECK(id_client_eq(&shared.groups[0].members[1], &p.groups[0].members[1]));
        CHECK_INT(shared.ocsp_freshness_s, 3600);
        CHECK_INT(shared.n_sources, version < 3 ? 0 : 1);
        CHECK(version < 6 || slice_eq_str(shared.cas[0].csr_format, "DER"));
        CHECK(version < 5 || slice_eq_str(shared.members[0].sub[0].name, "A \"name\""));
        CHECK(shared.servers[0].maintenance == (version >= 5));
        /* before version 5 a server in maintenance has its member clients alone */
        CHECK_INT(shared.servers[0].n_clients, version < 5 ? 1 : 2);
        CHECK_INT(shared.servers[0].clients[version < 5 ? 0 : 1].member, 1);
        CHECK_INT(shared.servers[0].clients[version < 5 ? 0 : 1].sub, -1);
    }
}

TEST(what_cannot_be_printed)
{
    struct params_shared p = full();
    struct buf out;
    buf_init(&out, 1u << 20);
    hashes[0].n = 20;
    CHECK_INT(params_shared_print(&p, 3, &out, &why), ERR_MALFORMED_GLOBAL_CONF);
    hashes[0].n = 32;
    CHECK_INT(params_shared_print(&p, 2, &out, &why), ERR_MALFORMED_GLOBAL_CONF);
    p.members[0].name = SLICE_LIT("a\x01");
    CHECK_INT(params_shared_print(&p, 3, &out, &why), ERR_MALFORMED_GLOBAL_CONF);
    p = full();
    p.servers[0].owner = 2;
    CHECK_INT(params_shared_print(&p, 3, &out, &why), ERR_MALFORMED_GLOBAL_CONF);
    p = full();
    p.n_sources = 0;
    CHECK_INT(params_shared_print(&p, 3, &out, &why), ERR_MALFORMED_GLOBAL_CONF);
    buf_free(&out);
}

TEST(anchor_and_private_parameters_are_read_back)
{
    struct params_shared s = full();
    struct params_source source = {
        SLICE_LIT("http://cs/internalconf?a&b"), s.sources[0].internal_certs, {NULL, 0}};
    struct params_anchor anchor = {1767607200000, SLICE_LIT("Z"), &source, 1}, got;
    struct params_private p = {SLICE_LIT("Z"),
                               &anchor,
                               1,
                               SLICE_LIT("https://cs:4001/"),
                               s.tsas[0].cert,
                               s.groups[0].members[1],
                               60},
                          again;
    struct buf out;
    buf_init(&out, 1u << 20);
    fresh();
    params_anchor_print(&anchor, &out);
    CHECK(strstr(buf_cstr(&out), "<generatedAt>2026-01-05T10:00:00Z</generatedAt>") != NULL);
    CHECK_INT(params_anchor_parse(arena, buf_view(&out), &got, &why), 0);
    CHECK(slice_eq(got.sources[0].address, source.address) && got.generated_ms == 1767607200000);
    buf_reset(&out);
    params_private_print(&p, 6, &out);
    CHECK_INT(params_private_parse(arena, buf_view(&out), 6, &again, &why), 0);
    CHECK(id_client_eq(&again.management, &p.management) && again.timestamping_s == 60);
    CHECK_INT(again.n_anchors, 1);
    CHECK(slice_eq(again.reg_cert, p.reg_cert));
    buf_free(&out);
}

TEST(optional_parts)
{
#define CONF "<x:conf xmlns:x='http://x-road.eu/xsd/xroad.xsd'>"
    fresh();
    CHECK(!params_next_update(
        arena, SLICE_LIT(CONF "<verifyNextUpdate>false</verifyNextUpdate></x:conf>")));
    CHECK(params_next_update(arena,
                             SLICE_LIT(CONF "<verifyNextUpdate>true</verifyNextUpdate></x:conf>")));
    CHECK(params_next_update(arena,
                             SLICE_LIT(CONF "<verifyNextUpdate>no</verifyNextUpdate></x:conf>")));
    CHECK(params_next_update(arena, SLICE_LIT("")));
    CHECK_INT(params_fetch_interval(
                  arena, SLICE_LIT(CONF "<ocspFetchInterval>90</ocspFetchInterval></x:conf>")),
              90);
    CHECK_INT(params_fetch_interval(
                  arena, SLICE_LIT(CONF "<ocspFetchInterval>59</ocspFetchInterval></x:conf>")),
              1200);
    CHECK_INT(params_fetch_interval(arena, SLICE_LIT("x")), 1200);
}
