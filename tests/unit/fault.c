/* Faults: composition of codes, SOAP between servers, JSON and XML for information systems. */
#include "base/err.h"
#include "test.h"
#include "xroad/fault.h"

#include <jansson.h>

static struct fault f;
static struct buf out;

static void make(int code, const char *prefix, const char *text)
{
    struct diag d = {0};
    diag_set(&d, code, "%s", text);
    fault_make(&f, prefix, &d, "0d6a1a4e-0000-4000-8000-000000000000");
    buf_free(&out);
    buf_init(&out, 10000);
}

TEST(codes_are_composed)
{
    make(ERR_ACCESS_DENIED, "server.serverproxy.", "no");
    CHECK_STR(f.code, "server.serverproxy.access_denied");
    make(ERR_UNKNOWN_MEMBER, "", "no");
    fault_prefix(&f, "service_failed");
    fault_prefix(&f, "server.serverproxy");
    fault_prefix(&f, "server.serverproxy");
    CHECK_STR(f.code, "server.serverproxy.service_failed.unknown_member");
    make(ERR_MLOG_NO_TSP, "timestamping_failed", "no");
    CHECK_STR(f.code, "timestamping_failed.mlog.no_timestamping_provider_found");
}

TEST(codes_of_our_own_get_names_that_peers_know)
{
    static const int internal[] = {ERR_NOMEM,  ERR_TOO_LARGE, ERR_SYNTAX, ERR_USAGE, ERR_CORRUPT,
                                   ERR_EXISTS, ERR_DENIED,    -1,         ERR_COUNT};
    static const int io[] = {ERR_EOF, ERR_AGAIN, ERR_TIMEOUT, ERR_DISK_FULL, ERR_CLOSED};
    for (size_t i = 0; i < ARRAY_LEN(internal); i++) {
        make(internal[i], "", "x");
        CHECK_STR(f.code, "internal_error");
    }
    for (size_t i = 0; i < ARRAY_LEN(io); i++) {
        make(io[i], "", "x");
        CHECK_STR(f.code, "io_error");
    }
}

TEST(soap_fault_is_byte_exact)
{
    make(ERR_UNKNOWN_SERVICE, "server.serverproxy", "Unknown service: <'a\"&b>");
    fault_to_soap(&f, &out);
    CHECK_STR(buf_cstr(&out),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope "
              "xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body>"
              "<SOAP-ENV:Fault><faultcode>server.serverproxy.unknown_service</faultcode>"
              "<faultstring>Unknown service: &lt;&apos;a&quot;&amp;b&gt;</faultstring>"
              "<faultactor></faultactor><detail><faultDetail xmlns=\"\">"
              "0d6a1a4e-0000-4000-8000-000000000000</faultDetail></detail></SOAP-ENV:Fault>"
              "</SOAP-ENV:Body></SOAP-ENV:Envelope>");
}

static int from_soap(const char *xml, struct fault *got)
{
    struct arena *a = arena_new(1u << 20);
    int err = fault_from_soap(a, slice_str(xml), got, NULL);
    arena_free(a);
    return err;
}

TEST(soap_fault_is_read_back)
{
    struct fault got;
    make(ERR_UNKNOWN_SERVICE, "server.serverproxy", "Unknown \xC3\xA4 <'a\"&b>");
    fault_to_soap(&f, &out);
    CHECK_INT(from_soap(buf_cstr(&out), &got), 0);
    CHECK_STR(got.code, f.code);
    CHECK_STR(got.text, f.text);
    CHECK_STR(got.detail, f.detail);
}

TEST(soap_faults_of_others)
{
    struct fault got;
    CHECK_INT(
        from_soap("<Envelope><Header/><Body>\n<x:Fault xmlns:x='u'><faultcode>\n C\n</faultcode>"
                  "<x:faultstring>S</x:faultstring><detail>D</detail></x:Fault></Body>"
                  "</Envelope>",
                  &got),
        0);
    CHECK_STR(got.code, "C");
    CHECK_STR(got.text, "S");
    CHECK_STR(got.detail, "D");
    CHECK_INT(from_soap("<Envelope><Body><Fault><faultcode>C</faultcode></Fault></Body></Envelope>",
                        &got),
              0);
    CHECK_STR(got.text, "");
    CHECK_INT(from_soap("<Envelope><Body><x/></Body></Envelope>", &got), ERR_INVALID_MESSAGE);
    CHECK_INT(from_soap("<Envelope><Body/></Envelope>", &got), ERR_INVALID_MESSAGE);
    CHECK_INT(from_soap("<Envelope><Header/></Envelope>", &got), ERR_MISSING_BODY);
    CHECK_INT(from_soap("<Envelope><Body><Fault/></Body></Envelope>", &got), ERR_INVALID_SOAP);
    CHECK_INT(from_soap("<Fault><faultcode>C</faultcode></Fault>", &got), ERR_INVALID_SOAP);
    CHECK_INT(from_soap("<Envelope>", &got), ERR_INVALID_SOAP);
    CHECK_INT(from_soap("", &got), ERR_INVALID_SOAP);
}

TEST(status_follows_the_code)
{
    make(ERR_IO, "server.clientproxy", "x");
    CHECK_INT(fault_http_status(&f), 500);
    snprintf(f.code, sizeof f.code, "Server.ServerProxy.AccessDenied");
    CHECK_INT(fault_http_status(&f), 500);
    snprintf(f.code, sizeof f.code, "client.missing_header_field");
    CHECK_INT(fault_http_status(&f), 400);
}

TEST(json_for_information_systems)
{
    const char *type;
    make(ERR_UNKNOWN_MEMBER, "server.clientproxy", "a \"b\" \\ c");
    fault_to_rest(&f, SLICE_LIT("application/json, */*"), &out, &type);
    CHECK_STR(type, "application/json");
    CHECK_STR(buf_cstr(&out),
              "{\"type\":\"server.clientproxy.unknown_member\",\"message\":\"a "
              "\\\"b\\\" \\\\ c\",\"detail\":\"0d6a1a4e-0000-4000-8000-000000000000\"}");
}

static const char *type_for(const char *accept)
{
    const char *type;
    make(ERR_IO, "", "x");
    fault_to_rest(&f, slice_str(accept), &out, &type);
    return type;
}

TEST(xml_for_information_systems)
{
    CHECK_STR(type_for(""), "application/json");
    CHECK_STR(type_for("text/html"), "application/json");
    CHECK_STR(type_for("text/html, TEXT/XML;q=0.1"), "text/xml;charset=utf-8");
    CHECK_STR(type_for("text/*"), "text/xml;charset=utf-8");
    CHECK_STR(type_for("application/json,application/xml, text/xml"),
              "application/xml;charset=utf-8");
    CHECK_STR(buf_cstr(&out),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error><type>io_error</type>"
              "<message>x</message><detail>0d6a1a4e-0000-4000-8000-000000000000"
              "</detail></error>");
}

TEST(texts_are_fit_for_xml_and_json)
{
    struct fault got;
    make(ERR_IO, "", "a\x01 b\n\xFF\xC3");
    for (size_t i = 0; f.text[i] != 0; i++)
        CHECK((unsigned char)f.text[i] >= 0x20 && (unsigned char)f.text[i] < 0x7F);
    fault_to_soap(&f, &out);
    CHECK_INT(from_soap(buf_cstr(&out), &got), 0);
}
