/* Bodies of the metadata services. */
#include "base/err.h"
#include "wire/xml.h"
#include "xroad/metadata.h"
#include "xroad_world.h"

#include <jansson.h>

static struct buf out;
static struct diag why;

static void fresh(void)
{
    buf_free(&out);
    buf_init(&out, 1u << 20);
    memset(&why, 0, sizeof why);
}

TEST(list_of_clients_as_json)
{
    struct world w;
    world_open(&w);
    fresh();
    metadata_list_clients(w.gc, SLICE_LIT("ZZ"), true, &out);
    CHECK_STR(
        buf_cstr(&out),
        "{\"member\":[{\"id\":{\"member_class\":\"GOV\",\"member_code\":\"100\",\"object_type\":"
        "\"MEMBER\",\"xroad_instance\":\"ZZ\"},\"name\":\"Hundred\"},{\"id\":{\"member_class\":"
        "\"GOV\",\"member_code\":\"100\",\"subsystem_code\":\"client\",\"object_type\":"
        "\"SUBSYSTEM\",\"xroad_instance\":\"ZZ\"},\"name\":\"Hundred\",\"subsystem_name\":\"The "
        "client\"},{\"id\":{\"member_class\":\"GOV\",\"member_code\":\"200\",\"object_type\":"
        "\"MEMBER\",\"xroad_instance\":\"ZZ\"},\"name\":\"Two "
        "hundred\"},{\"id\":{\"member_class\":\"GOV\",\"member_code\":\"200\","
        "\"subsystem_code\":\"data\",\"object_type\":\"SUBSYSTEM\",\"xroad_instance\":\"ZZ\"},"
        "\"name\":\"Two hundred\"}]}");
    fresh();
    metadata_list_clients(w.gc, SLICE_LIT("YY"), true, &out);
    CHECK_STR(buf_cstr(&out), "{\"member\":[]}");
    world_close(&w);
}

TEST(list_of_clients_as_xml)
{
    struct world w;
    struct xml_doc doc;
    struct arena *a = arena_new(1u << 20);
    static const char *const ns = "http://x-road.eu/xsd/xroad.xsd";
    world_open(&w);
    fresh();
    metadata_list_clients(w.gc, SLICE_LIT("ZZ"), false, &out);
    CHECK_INT(xml_parse(a, buf_view(&out), &doc, &why), 0);
    CHECK(xml_is(doc.root, ns, "clientList"));
    const struct xml_node *member = xml_next_element(xml_first_element(doc.root));
    CHECK(xml_is(member, ns, "member"));
    struct id_client id;
    CHECK_INT(id_client_from_xml(a, xml_child(member, ns, "id"), &id, &why), 0);
    CHECK(slice_eq_str(id.subsystem, "client"));
    CHECK(slice_eq_str(xml_text(a, xml_child(member, ns, "name")), "Hundred"));
    CHECK(slice_eq_str(xml_text(a, xml_child(member, ns, "subsystemName")), "The client"));
    arena_free(a);
    world_close(&w);
}

TEST(methods)
{
    const struct metadata_endpoint endpoints[] = {{SLICE_LIT("GET"), SLICE_LIT("/pet/*")}};
    struct metadata_service s[2] = {{.openapi = true, .endpoints = endpoints, .n = 1}, {.n = 0}};
    CHECK_INT(id_service_from_short(SLICE_LIT("AA/GOV/1/sub/pets"), &s[0].id), 0);
    CHECK_INT(id_service_from_short(SLICE_LIT("AA/GOV/1/sub/plain"), &s[1].id), 0);
    fresh();
    metadata_methods(s, 2, &out);
    CHECK_STR(
        buf_cstr(&out),
        "{\"service\":[{\"member_class\":\"GOV\",\"member_code\":\"1\",\"object_type\":\"SERVICE\","
        "\"service_code\":\"pets\",\"service_type\":\"OPENAPI\",\"subsystem_code\":\"sub\","
        "\"xroad_instance\":\"AA\",\"endpoint_list\":[{\"method\":\"GET\",\"path\":\"/pet/*\"}]},"
        "{\"member_class\":\"GOV\",\"member_code\":\"1\",\"object_type\":\"SERVICE\","
        "\"service_code\":\"plain\",\"service_type\":\"REST\",\"subsystem_code\":\"sub\","
        "\"xroad_instance\":\"AA\",\"endpoint_list\":[]}]}");
}

static const char *openapi(const char *text, bool json)
{
    fresh();
    int err = metadata_openapi(slice_str(text), json, &out, &why);
    return err == 0 ? buf_cstr(&out) : err_name(err);
}

TEST(openapi_in_json)
{
    CHECK_STR(
        openapi("{\"openapi\": \"3.0.1\", \"servers\": [{\"url\": \"https://inside:8443/v1/x?y\","
                "\"description\": \"d\"}, {\"url\": \"http://inside\"}, {\"url\": \"/rel\"},"
                "{\"url\": \"https://{host}/x\"}], \"paths\": {\"/a\": 1}}",
                true),
        "{\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"/v1/x\",\"description\":\"d\"},"
        "{\"url\":\"\"},{\"url\":\"/rel\"},{\"url\":\"https://{host}/x\"}],\"paths\":{\"/a\":1}}");
    CHECK_STR(openapi("{\"openapi\": \"2.0\"}", true), "invalid_response");
    CHECK_STR(openapi("{\"openapi\": 3.0}", true), "invalid_response");
    CHECK_STR(openapi("{\"a\": [0.1, 1.5, \"\xC3\xA4\"]}", true), "{\"a\":[0.1,1.5,\"\xC3\xA4\"]}");
    CHECK_STR(openapi("no json", true), "invalid_response");
}

TEST(openapi_in_yaml)
{
    CHECK_STR(
        openapi("openapi: '3.0.1'\nservers:\n  - url: https://inside:8443/v1 # here\n"
                "    description: see http://x\n# c\n- url: \"http://inside\"\r\n  - "
                "description: d\n    'url': //inside/v2\n  - url: http://{h}/\npaths:\n  /a:\n"
                "    url: http://kept\n",
                false),
        "openapi: '3.0.1'\nservers:\n  - url: \"/v1\"\n    description: see http://x\n# c\n"
        "- url: \"\"\r\n  - description: d\n    url: \"/v2\"\n  - url: \"http://{h}/\"\npaths:\n"
        "  /a:\n    url: http://kept\n");
    CHECK_STR(openapi("swagger: '2.0'\n", false), "swagger: '2.0'\n");
    CHECK_STR(openapi("openapi: 2.0\n", false), "invalid_response");
    CHECK_STR(openapi("{\"servers\":[{\"url\":\"http://inside/a\"}]}", false),
              "{\"servers\":[{\"url\":\"/a\"}]}");
}

/* What a reader by line does not understand must not leak the address. */
TEST(yaml_in_other_styles_is_refused)
{
    CHECK_STR(openapi("servers: [{url: 'http://inside'}]\n", false), "invalid_response");
    CHECK_STR(openapi("servers:\n  - {url: http://inside}\n", false), "invalid_response");
    CHECK_STR(openapi("servers:\n  - url:\n      http://inside\n", false), "invalid_response");
    CHECK_STR(openapi("servers:\n  - url: >-\n      http://inside\n", false), "invalid_response");
    CHECK_STR(openapi("servers: *s\n", false), "invalid_response");
    CHECK_STR(openapi("servers:\n  - ? url\n    : http://inside\n", false), "invalid_response");
    CHECK_STR(openapi("servers: []\n", false), "servers: []\n");
}
