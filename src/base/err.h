/*
 * One table of all error codes. A function that can fail returns int: 0, or one of these.
 * The names of codes that X-Road knows are X-Road's base fault codes, letter for letter
 * (reference: transport.md 7.5), so that xroad/fault.c only has to compose prefixes.
 */
#ifndef SILD_BASE_ERR_H
#define SILD_BASE_ERR_H

/* X(code, name, text) */
#define ERR_TABLE(X)                                                                               \
    /* our own, seen by X-Road peers as internal_error or io_error */                              \
    X(ERR_NOMEM, "out_of_memory", "out of memory")                                                 \
    X(ERR_TOO_LARGE, "too_large", "larger than allowed")                                           \
    X(ERR_SYNTAX, "syntax", "not well-formed")                                                     \
    X(ERR_EOF, "unexpected_end", "ends too early")                                                 \
    X(ERR_USAGE, "wrong_use", "wrong use")                                                         \
    X(ERR_AGAIN, "again", "not now, try again")                                                    \
    X(ERR_TIMEOUT, "timeout", "took too long")                                                     \
    X(ERR_CORRUPT, "corrupt", "stored data are damaged")                                           \
    X(ERR_EXISTS, "exists", "exists already")                                                      \
    X(ERR_DENIED, "denied", "not allowed")                                                         \
    X(ERR_DISK_FULL, "disk_full", "no space left on the disk")                                     \
    X(ERR_CLOSED, "closed", "the other side closed the connection")                                \
    /* generic */                                                                                  \
    X(ERR_IO, "io_error", "input or output failed")                                                \
    X(ERR_NETWORK, "network_error", "the network failed")                                          \
    X(ERR_INTERNAL, "internal_error", "internal error")                                            \
    X(ERR_BAD_REQUEST, "bad_request", "bad request")                                               \
    X(ERR_NOT_FOUND, "not_found", "not found")                                                     \
    X(ERR_HTTP, "http_error", "unexpected HTTP status")                                            \
    X(ERR_UNKNOWN_HOST, "unknown_host", "unknown host")                                            \
    X(ERR_DATABASE, "database_error", "database error")                                            \
    X(ERR_INVALID_RESPONSE, "invalid_response", "invalid response")                                \
    X(ERR_INVALID_REQUEST, "invalid_request", "invalid request")                                   \
    X(ERR_CRYPTO, "cryptography_error", "cryptographic operation failed")                          \
    /* verification */                                                                             \
    X(ERR_CANNOT_CREATE_SIGNATURE, "cannot_create_signature", "cannot create signature")           \
    X(ERR_CERT_VALIDATION, "cert_validation", "certificate is not valid")                          \
    X(ERR_MISSING_VALIDATION_INFO, "missing_validation_info", "validation information is missing") \
    X(ERR_INCORRECT_VALIDATION_INFO, "incorrect_validation_info",                                  \
      "validation information is incorrect")                                                       \
    X(ERR_CANNOT_CREATE_CERT_PATH, "cannot_create_cert_path", "cannot create certificate path")    \
    X(ERR_CERT_VALIDITY_TIME, "cert_validity_time", "certificate is outside its validity time")    \
    X(ERR_INCORRECT_CERTIFICATE, "incorrect_certificate", "incorrect certificate")                 \
    X(ERR_INVALID_CERTIFICATE, "invalid_certificate", "invalid certificate")                       \
    X(ERR_UNSUPPORTED_ALGORITHM, "unsupported_algorithm", "unsupported algorithm")                 \
    X(ERR_INVALID_SIGNATURE_VALUE, "invalid_signature_value", "signature value is not valid")      \
    X(ERR_MALFORMED_SIGNATURE, "malformed_signature", "malformed signature")                       \
    X(ERR_INVALID_XML, "invalid_xml", "invalid XML")                                               \
    X(ERR_INVALID_REFERENCE, "invalid_reference", "invalid reference")                             \
    X(ERR_INVALID_CERT_PATH, "invalid_cert_path", "invalid certificate path")                      \
    X(ERR_SIGNATURE_VERIFICATION, "signature_verification", "signature verification failed")       \
    X(ERR_INVALID_HASH_CHAIN, "invalid_hash_chain", "hash chain does not fit its result")          \
    X(ERR_MALFORMED_HASH_CHAIN, "malformed_hash_chain", "malformed hash chain")                    \
    X(ERR_HASHCHAIN_UNUSED_INPUTS, "hashchain_unused_inputs",                                      \
      "some inputs are not referenced by the hash chain")                                          \
    X(ERR_INVALID_HASH_CHAIN_REF, "invalid_hash_chain_ref", "invalid hash chain reference")        \
    X(ERR_INVALID_ENCODED_ID, "invalid_encoded_id", "invalid encoded identifier")                  \
    /* message processing */                                                                       \
    X(ERR_SSL_AUTH, "ssl_authentication_failed", "TLS authentication failed")                      \
    X(ERR_LOGGING_FAILED, "logging_failed", "logging failed")                                      \
    X(ERR_TIMESTAMPING_FAILED, "timestamping_failed", "time-stamping failed")                      \
    X(ERR_INVALID_CONTENT_TYPE, "invalid_content_type", "invalid content type")                    \
    X(ERR_INVALID_SOAP_ACTION, "invalid_soap_action", "invalid SOAPAction")                        \
    X(ERR_INVALID_HTTP_METHOD, "invalid_http_method", "invalid HTTP method")                       \
    X(ERR_INVALID_MESSAGE, "invalid_message", "invalid message")                                   \
    X(ERR_INVALID_SECURITY_SERVER, "invalid_security_server", "invalid security server")           \
    X(ERR_MIME_PARSING, "mime_parsing_failed", "MIME parsing failed")                              \
    X(ERR_INCONSISTENT_RESPONSE, "inconsistent_response", "response does not fit the request")     \
    X(ERR_MISSING_BODY, "missing_body", "SOAP message has no body")                                \
    X(ERR_MISSING_SOAP, "missing_soap", "SOAP message is missing")                                 \
    X(ERR_INVALID_SOAP, "invalid_soap", "invalid SOAP message")                                    \
    X(ERR_MISSING_REST, "missing_rest", "REST message is missing")                                 \
    X(ERR_INVALID_REST, "invalid_rest", "invalid REST message")                                    \
    X(ERR_ACCESS_DENIED, "access_denied", "request is not allowed")                                \
    X(ERR_SERVICE_DISABLED, "service_disabled", "service is disabled")                             \
    X(ERR_SERVICE_FAILED, "service_failed", "service failed")                                      \
    X(ERR_MISSING_SIGNATURE, "missing_signature", "signature is missing")                          \
    X(ERR_UNKNOWN_SERVICE, "unknown_service", "unknown service")                                   \
    X(ERR_INVALID_CLIENT_ID, "invalid_client_identifier", "invalid client identifier")             \
    X(ERR_SERVICE_TYPE, "service_type", "wrong type of service")                                   \
    X(ERR_CLIENT_VERSION, "client_proxy_version_not_supported",                                    \
      "client proxy version is not supported")                                                     \
    /* containers */                                                                               \
    X(ERR_ASIC_INVALID_CONTAINER, "asic_invalid_container", "invalid container")                   \
    X(ERR_ASIC_MIME_TYPE_NOT_FOUND, "asic_mime_type_not_found", "mimetype not found")              \
    X(ERR_ASIC_SIGNATURE_NOT_FOUND, "asic_signature_not_found", "signature not found")             \
    X(ERR_ASIC_MESSAGE_NOT_FOUND, "asic_message_not_found", "message not found")                   \
    X(ERR_ASIC_INVALID_MIME_TYPE, "asic_invalid_mime_type", "invalid mimetype")                    \
    X(ERR_ASIC_HASH_CHAIN_RESULT_NOT_FOUND, "asic_hash_chain_result_not_found",                    \
      "hash chain result not found")                                                               \
    X(ERR_ASIC_HASH_CHAIN_NOT_FOUND, "asic_hash_chain_not_found", "hash chain not found")          \
    X(ERR_ASIC_TIMESTAMP_NOT_FOUND, "asic_timestamp_not_found", "time-stamp not found")            \
    X(ERR_ASIC_MANIFEST_NOT_FOUND, "asic_manifest_not_found", "manifest not found")                \
    /* configuration */                                                                            \
    X(ERR_UNKNOWN_MEMBER, "unknown_member", "unknown member")                                      \
    X(ERR_MALFORMED_SERVER_CONF, "malformed_server_conf", "malformed server configuration")        \
    X(ERR_MALFORMED_GLOBAL_CONF, "malformed_global_conf", "malformed global configuration")        \
    X(ERR_SERVICE_MISSING_URL, "service_missing_url", "service has no URL")                        \
    X(ERR_SERVICE_MALFORMED_URL, "service_malformed_url", "malformed URL of a service")            \
    X(ERR_MAINTENANCE_MODE, "maintenance_mode", "server is in maintenance mode")                   \
    X(ERR_MALFORMED_ANCHOR, "malformed_anchor", "malformed configuration anchor")                  \
    X(ERR_ANCHOR_NOT_FOUND, "anchor_file_not_found", "configuration anchor not found")             \
    X(ERR_GC_OUTDATED, "global_conf_outdated", "global configuration is expired")                  \
    X(ERR_GC_CONNECTION, "global_conf_download_url_connection_failure",                            \
      "cannot download the global configuration")                                                  \
    X(ERR_GC_HEADER_MISSING, "global_conf_header_field_missing", "header field is missing")        \
    X(ERR_GC_HEADER_PARAM, "global_conf_header_field_missing_parameter",                           \
      "header field lacks a parameter")                                                            \
    X(ERR_GC_HEADER_VALUE, "global_conf_header_field_wrong_value",                                 \
      "header field has a wrong value")                                                            \
    X(ERR_GC_NO_SIGNED_DATA, "global_conf_missing_signed_data", "signed data are missing")         \
    X(ERR_GC_NO_CERT, "global_conf_missing_verification_cert",                                     \
      "no known certificate has the hash that the directory names")                                \
    X(ERR_GC_SIGNATURE, "global_conf_signature_verification_failure",                              \
      "signature of the directory does not verify")                                                \
    X(ERR_GC_PARSE, "global_conf_parsing_downloaded_conf_directory_failure",                       \
      "the signed directory cannot be parsed")                                                     \
    X(ERR_GC_INSTANCE, "global_conf_part_invalid_instance_identifier",                             \
      "a part is of another instance")                                                             \
    X(ERR_GC_PART_DOWNLOAD, "global_conf_part_download_failure", "a part cannot be downloaded")    \
    X(ERR_GC_PART_INTEGRITY, "global_conf_part_downloaded_file_integrity_failure",                 \
      "a part does not have the hash that the directory names")                                    \
    X(ERR_GC_PART_SAVE, "global_conf_part_file_save_failure", "a part cannot be saved")            \
    X(ERR_GC_UNPROVEN, "global_conf_not_logged",                                                   \
      "no proof that the configuration is in the ledger")                                          \
    /* keys, message log, OCSP */                                                                  \
    X(ERR_KEY_NOT_FOUND, "key_not_found", "key not found")                                         \
    X(ERR_KEY_NOT_AVAILABLE, "key_not_available", "key is not available")                          \
    X(ERR_CERT_NOT_FOUND, "cert_not_found", "certificate not found")                               \
    X(ERR_CANNOT_SIGN, "cannot_sign", "cannot sign")                                               \
    X(ERR_WRONG_CERT_USAGE, "wrong_cert_usage", "certificate is of the wrong kind")                \
    X(ERR_TIMESTAMPER_FAILED, "timestamper_failed", "time-stamper failed")                         \
    X(ERR_MLOG_TS_STATUS, "mlog.timestamping_non_ok_response",                                     \
      "time-stamping authority did not answer with 200")                                           \
    X(ERR_MLOG_NO_TSP, "mlog.no_timestamping_provider_found",                                      \
      "no time-stamping services configured")                                                      \
    X(ERR_MLOG_TSP_CONNECTION, "mlog.timestamp_provider_connection_failed",                        \
      "cannot reach the time-stamping authority")                                                  \
    X(ERR_MLOG_TS_NOT_GRANTED, "mlog.timestamp_non_granted_response",                              \
      "time-stamp was not granted")                                                                \
    X(ERR_MLOG_TS_INVALID, "mlog.timestamp_response_validation_failed",                            \
      "time-stamp response does not fit the request")                                              \
    X(ERR_MLOG_TSP_CERT, "mlog.tsp_certificate_not_found",                                         \
      "time-stamp certificate not found in the global configuration")                              \
    X(ERR_MLOG_TS_SIGNER, "mlog.timestamp_signer_verification_failed",                             \
      "signature of the time-stamp is not valid")                                                  \
    X(ERR_MLOG_RECORD_NOT_FOUND, "mlog.message_log_record_not_found", "no such log record")        \
    X(ERR_OCSP_CONNECTION, "ocsp_connection_error", "cannot reach the OCSP responder")             \
    X(ERR_OCSP_PARSE, "ocsp_response_parsing_failure", "malformed OCSP response")                  \
    X(ERR_OCSP_FAILED, "ocsp_failed", "OCSP responder refused")                                    \
    X(ERR_OCSP_VERIFY, "ocsp_response_verification_failure", "OCSP response does not verify")

enum err {
    ERR_NONE = 0,
#define X(code, name, text) code,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

/* The code's name ("access_denied"); "none" for 0, "internal_error" for a number not in the table.
 */
const char *err_name(int code);

/* A short English text for the code, without what and where: those are in struct diag. */
const char *err_text(int code);

/* The code that fits an errno value (ENOSPC: ERR_DISK_FULL, ENOENT: ERR_NOT_FOUND, else ERR_IO). */
int err_from_errno(int e);

#endif
