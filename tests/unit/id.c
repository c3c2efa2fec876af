/* Identifiers: encoded text, short text, XML. */
#include "base/err.h"
#include "test.h"
#include "xroad/id.h"

static struct arena *arena;

static struct arena *fresh(void)
{
    if (arena == NULL)
        arena = arena_new(1u << 20);
    arena_reset(arena);
    return arena;
}

static struct slice text(const char *s)
{
    return slice_str(s);
}

TEST(client_of_three_or_four_segments)
{
    struct id_client id;
    CHECK_INT(id_client_parse(fresh(), text("EE/GOV/123/sub"), &id, NULL), 0);
    CHECK(slice_eq_str(id.instance, "EE") && slice_eq_str(id.member_class, "GOV"));
    CHECK(slice_eq_str(id.member_code, "123") && slice_eq_str(id.subsystem, "sub"));
    CHECK_INT(id_client_parse(fresh(), text("EE/GOV/123"), &id, NULL), 0);
    CHECK_INT(id.subsystem.n, 0);
    struct diag d = {0};
    CHECK_INT(id_client_parse(fresh(), text("EE/GOV"), &id, &d), ERR_INTERNAL);
    CHECK_STR(d.text, "a client identifier has 3 or 4 segments, not 2");
    CHECK_INT(id_client_parse(fresh(), text("EE/GOV/1/2/3"), &id, NULL), ERR_INTERNAL);
    CHECK_INT(id_client_parse(fresh(), text(""), &id, NULL), ERR_INTERNAL);
}

TEST(segments_are_decoded_one_by_one)
{
    struct id_client id;
    CHECK_INT(id_client_parse(fresh(), text("EE/G%2FV/a+b;c=1/%C3%A4%20x"), &id, NULL), 0);
    CHECK(slice_eq_str(id.member_class, "G/V"));
    CHECK(slice_eq_str(id.member_code, "a+b;c=1"));
    CHECK(slice_eq_str(id.subsystem, "\xC3\xA4 x"));
}

TEST(bad_encodings_are_refused)
{
    static const char *const bad[] = {"EE/GOV/1 2",      "EE/GOV/%2",         "EE/GOV/%zz",
                                      "EE/GOV/\xC3\xA4", "EE/GOV/%C3",        "EE/GOV/\"x\"",
                                      " EE/GOV/1",       "EE/GOV/1/%ED%A0%80"};
    struct id_client id;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (id_client_parse(fresh(), text(bad[i]), &id, NULL) != ERR_INVALID_ENCODED_ID)
            FAIL("\"%s\" is taken", bad[i]);
}

TEST(blank_fields_are_refused)
{
    static const char *const bad[] = {"EE//1",      "/GOV/1",       "EE/GOV/",
                                      "EE/GOV/%20", "EE/GOV/1/%09", "EE/GOV/%E3%80%80"};
    struct id_client id;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (id_client_parse(fresh(), text(bad[i]), &id, NULL) != ERR_INTERNAL)
            FAIL("\"%s\" is taken", bad[i]);
    /* U+00A0 is no white space in Java's eyes */
    CHECK_INT(id_client_parse(fresh(), text("EE/GOV/%C2%A0"), &id, NULL), 0);
}

TEST(service_and_server_have_a_fixed_number_of_segments)
{
    struct id_service service;
    struct id_server server;
    CHECK_INT(id_service_parse(fresh(), text("EE/GOV/1/s/get"), &service, NULL), 0);
    CHECK(slice_eq_str(service.code, "get") && slice_eq_str(service.provider.subsystem, "s"));
    CHECK_INT(id_service_parse(fresh(), text("EE/GOV/1/get"), &service, NULL), ERR_INTERNAL);
    CHECK_INT(id_service_parse(fresh(), text("EE/GOV/1/s/get/v1"), &service, NULL), ERR_INTERNAL);
    CHECK_INT(id_server_parse(fresh(), text("EE/GOV/1/ss1"), &server, NULL), 0);
    CHECK(slice_eq_str(server.server_code, "ss1"));
    CHECK_INT(id_server_parse(fresh(), text("EE/GOV/1"), &server, NULL), ERR_INTERNAL);
}

TEST(encoding_leaves_what_x_road_leaves)
{
    struct id_client id = {text("E/E"), text("a%b"), text("-._~!$'()*,;&=@:+"),
                           text("\xC3\xB5 \"x\"")};
    struct buf b;
    buf_init(&b, 1000);
    id_client_encode(&b, &id);
    CHECK_STR(buf_cstr(&b), "E%2FE/a%25b/-._~!$'()*,;&=@:+/%C3%B5%20%22x%22");
    struct id_client again;
    CHECK_INT(id_client_parse(fresh(), buf_view(&b), &again, NULL), 0);
    CHECK(id_client_eq(&id, &again));
    buf_free(&b);
}

TEST(short_text_is_plain)
{
    struct id_client client;
    struct id_service service;
    struct id_server server;
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(id_client_from_short(text("EE/GOV/12 3/s"), &client), 0);
    id_client_short(&b, &client);
    CHECK_STR(buf_cstr(&b), "EE/GOV/12 3/s");
    buf_reset(&b);
    CHECK_INT(id_service_from_short(text("EE/GOV/1/s/get/v1"), &service), 0);
    id_service_short(&b, &service);
    CHECK_STR(buf_cstr(&b), "EE/GOV/1/s/get/v1");
    buf_reset(&b);
    CHECK_INT(id_server_from_short(text("EE/GOV/1/ss"), &server), 0);
    id_server_short(&b, &server);
    CHECK_STR(buf_cstr(&b), "EE/GOV/1/ss");
    CHECK_INT(id_client_from_short(text("EE/GOV/ /s"), &client), ERR_SYNTAX);
    CHECK_INT(id_client_from_short(text("EE/GOV"), &client), ERR_SYNTAX);
    CHECK_INT(id_service_from_short(text("EE/GOV/1/get"), &service), ERR_SYNTAX);
    CHECK_INT(id_server_from_short(text("EE/GOV/1/ss/"), &server), ERR_SYNTAX);
    buf_free(&b);
}

TEST(comparison_minds_case_and_subsystem)
{
    struct id_client a, b, c;
    CHECK_INT(id_client_from_short(text("EE/GOV/1/s"), &a), 0);
    CHECK_INT(id_client_from_short(text("EE/GOV/1"), &b), 0);
    CHECK_INT(id_client_from_short(text("EE/gov/1/s"), &c), 0);
    CHECK(!id_client_eq(&a, &b) && id_member_eq(&a, &b));
    CHECK(!id_client_eq(&a, &c) && !id_member_eq(&a, &c));
}

TEST(parts_for_registration)
{
    static const char *const clean[] = {"registry", "70000001", "\xC3\xB5", "a b", "a..b"};
    static const char *const dirty[] = {
        "",      " ",        "a/b",  "a:b",           "a;b",          "a%b", "a\\b", "a\tb",
        "a\x7F", "\xC2\x85", "\xC3", "a\xE2\x80\x8B", "\xEF\xBB\xBF", ".",   ".."};
    for (size_t i = 0; i < ARRAY_LEN(clean); i++)
        CHECK(id_part_is_clean(text(clean[i])));
    for (size_t i = 0; i < ARRAY_LEN(dirty); i++)
        if (id_part_is_clean(text(dirty[i])))
            FAIL("part %zu is clean", i);
}

static int from_file(const char *name, struct id_client *client, struct id_service *service,
                     struct id_server *server)
{
    char path[5000];
    size_t n;
    snprintf(path, sizeof path, "%s/xroad/identifiers/%s", VECTORS(), name);
    unsigned char *bytes = test_file(path, &n);
    struct arena *a = fresh();
    struct slice xml = arena_dup(a, slice_of(bytes, n));
    free(bytes);
    struct xml_doc doc;
    CHECK_INT(xml_parse(a, xml, &doc, NULL), 0);
    if (client != NULL)
        return id_client_from_xml(a, doc.root, client, NULL);
    if (service != NULL)
        return id_service_from_xml(a, doc.root, service, NULL);
    return id_server_from_xml(a, doc.root, server, NULL);
}

TEST(identifiers_in_xml)
{
    struct id_client client;
    struct id_service service;
    struct id_server server;
    CHECK_INT(from_file("clientid.xml", &client, NULL, NULL), 0);
    CHECK(slice_eq_str(client.member_code, "FOOBAR") && client.subsystem.n == 0);
    CHECK_INT(from_file("clientid-subsystem.xml", &client, NULL, NULL), 0);
    CHECK(slice_eq_str(client.subsystem, "SUBSYSTEM"));
    CHECK_INT(from_file("serviceid.xml", NULL, &service, NULL), 0);
    CHECK(slice_eq_str(service.code, "getState") && service.version.n == 0);
    CHECK_INT(from_file("serviceid-version.xml", NULL, &service, NULL), 0);
    CHECK(slice_eq_str(service.version, "v1"));
    CHECK_INT(from_file("securityserverid.xml", NULL, NULL, &server), 0);
    CHECK(slice_eq_str(server.server_code, "bambi"));
}

TEST(wrong_identifiers_in_xml)
{
    struct id_client client;
    CHECK_INT(from_file("invalid-clientid-member.xml", &client, NULL, NULL), ERR_INVALID_XML);
    CHECK_INT(from_file("invalid-clientid-subsystem.xml", &client, NULL, NULL), ERR_INVALID_XML);
    CHECK_INT(from_file("globalgroupid.xml", &client, NULL, NULL), ERR_INVALID_XML);
    CHECK_INT(from_file("securityserverid.xml", &client, NULL, NULL), ERR_INVALID_XML);
}
