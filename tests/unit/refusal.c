/* The codes of faults that a gateway raises, against the examples of transport.md 7.2 and 3.2. */
#include "gateway/refusal.h"
#include "base/err.h"
#include "test.h"

#include <string.h>

static void check(const char *side, const char *phase, int code, const char *rule, const char *want)
{
    struct diag d = {0};
    struct fault f;
    diag_set(&d, code, "a sentence");
    if (rule != NULL)
        diag_rule(&d, rule);
    refusal_make(side, phase, &d, &f);
    CHECK_STR(f.code, want);
    CHECK(strstr(f.text, "a sentence") != NULL);
    CHECK_INT(strlen(f.detail), 36);
}

TEST(side_and_phase_stand_before_the_code)
{
    check(REFUSAL_PROVIDER, NULL, ERR_ACCESS_DENIED, NULL, "server.serverproxy.access_denied");
    check(REFUSAL_PROVIDER, "service_failed", ERR_UNKNOWN_MEMBER, NULL,
          "server.serverproxy.service_failed.unknown_member");
    check(REFUSAL_CONSUMER, NULL, ERR_UNKNOWN_MEMBER, NULL, "server.clientproxy.unknown_member");
    check(REFUSAL_CONSUMER, "service_failed", ERR_INVALID_CONTENT_TYPE, NULL,
          "server.clientproxy.service_failed.invalid_content_type");
    check(REFUSAL_CONSUMER, "logging_failed", ERR_LOGGING_FAILED, NULL,
          "server.clientproxy.logging_failed");
    check(REFUSAL_CONSUMER, "logging_failed", ERR_MLOG_NO_TSP, NULL,
          "server.clientproxy.logging_failed.mlog.no_timestamping_provider_found");
}

TEST(a_peers_certificate_says_whether_its_path_is_at_fault)
{
    check(REFUSAL_CONSUMER, REFUSAL_TLS, ERR_SSL_AUTH, NULL,
          "server.clientproxy.ssl_authentication_failed");
    check(REFUSAL_CONSUMER, REFUSAL_TLS, ERR_CERT_VALIDATION, NULL,
          "server.clientproxy.ssl_authentication_failed.invalid_cert_path.cert_validation");
    check(REFUSAL_CONSUMER, REFUSAL_TLS, ERR_CANNOT_CREATE_CERT_PATH, NULL,
          "server.clientproxy.ssl_authentication_failed.cannot_create_cert_path");
    check(REFUSAL_PROVIDER, REFUSAL_SIGNATURE, ERR_CERT_VALIDATION, NULL,
          "server.serverproxy.signature_verification.invalid_cert_path.cert_validation");
    check(REFUSAL_PROVIDER, "cannot_create_signature", ERR_CERT_VALIDITY_TIME, NULL,
          "server.serverproxy.cannot_create_signature.cert_validity_time");
}

TEST(a_hash_chain_makes_a_malformed_signature)
{
    check(REFUSAL_PROVIDER, REFUSAL_SIGNATURE, ERR_HASHCHAIN_UNUSED_INPUTS, "malformed_signature",
          "server.serverproxy.signature_verification.malformed_signature.hashchain_unused_inputs");
    check(REFUSAL_PROVIDER, REFUSAL_SIGNATURE, ERR_MALFORMED_SIGNATURE, NULL,
          "server.serverproxy.signature_verification.malformed_signature");
    check(REFUSAL_PROVIDER, REFUSAL_SIGNATURE, ERR_INVALID_SIGNATURE_VALUE, "RFC 1",
          "server.serverproxy.signature_verification.invalid_signature_value");
}

TEST(what_is_missed_only_at_the_end_is_no_failed_parse)
{
    CHECK_STR(refusal_reading(ERR_INVALID_CONTENT_TYPE), "service_failed");
    CHECK_STR(refusal_reading(ERR_UNKNOWN_MEMBER), "service_failed");
    CHECK(refusal_reading(ERR_MIME_PARSING) == NULL);
    CHECK(refusal_reading(ERR_MISSING_SIGNATURE) == NULL);
    CHECK(refusal_reading(ERR_MISSING_REST) == NULL);
}
