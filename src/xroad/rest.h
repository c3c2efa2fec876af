/*
 * The REST message parts (transport.md 5.6, 5.7; messages.md 2, 3): built from HTTP, parsed from a
 * peer, canonical form, request hash. Both directions here. Pure.
 */
#ifndef SILD_XROAD_REST_H
#define SILD_XROAD_REST_H

#include "crypto/digest.h"
#include "wire/http.h"
#include "xroad/id.h"

struct rest_header {
    struct slice name, value;
};

struct rest_request {
    struct slice verb, path, query;
    bool has_query;
    struct rest_header h[HTTP_HEADERS_MAX + 4];
    size_t n;
    /* decoded */
    struct id_client client;
    struct id_service service;
    struct slice service_path; /* raw: "" or "/…" */
    struct slice id;           /* x-road-id */
    struct slice request_id;   /* x-road-request-id */
    bool has_security_server;
    struct id_server security_server;
};

/*
 * Consumer side: from an information system's request head. request_id: fresh UUID; own_instance
 * and fallback_uuid make the x-road-id when the head has none. Headers of the dropped list are
 * dropped, bytes 0x80 to 0xFF become two bytes of UTF-8. All memory from the arena. Errors:
 * ERR_INVALID_CLIENT_ID (no X-Road-Client), ERR_BAD_REQUEST (shape of the URL, verb, ids; a target
 * that a 7.8 peer cannot read: messages.md 3 and transport.md 5.6), each with a sentence.
 */
int rest_request_from_http(struct arena *a, const struct http_head *head, const char *request_id,
                           struct slice own_instance, const char *fallback_uuid,
                           struct rest_request *out, struct diag *d) MUST_USE;
/* The part's bytes, canonical. */
void rest_request_print(const struct rest_request *r, struct buf *out);
/*
 * Provider side: from the received part. Refuses what is not canonical (printing it again must give
 * the same bytes) and all of transport.md 5.6. ERR_INTERNAL, as X-Road has it, with a sentence.
 * Slices are borrowed from the part.
 */
int rest_request_parse(struct arena *a, struct slice part, struct rest_request *out,
                       struct diag *d) MUST_USE;
/* Header lines for the provider: all of the message's headers, bytes restored to ISO 8859-1; ends
 * with CRLF each. */
int rest_request_http_headers(const struct rest_request *r, struct buf *out) MUST_USE;

struct rest_response {
    int status;
    struct slice reason;
    struct rest_header h[HTTP_HEADERS_MAX + 8];
    size_t n;
    struct slice id, client, service, request_id, request_hash; /* last occurrence, raw text */
};
/* Provider side: from the information system's response. request_hash: base64 text. */
int rest_response_from_http(struct arena *a, const struct http_head *head,
                            const struct rest_request *req, struct slice http_request_id,
                            struct slice request_hash, struct rest_response *out,
                            struct diag *d) MUST_USE;
/* Provider side: a metadata service's answer, 200 with the request's headers (messages.md 7.3). */
int rest_response_echo(struct arena *a, const struct rest_request *req,
                       struct slice http_request_id, struct slice request_hash,
                       struct slice content_type, struct rest_response *out,
                       struct diag *d) MUST_USE;
void rest_response_print(const struct rest_response *r, struct buf *out);
/* Consumer side; as rest_request_parse. */
int rest_response_parse(struct slice part, struct rest_response *out, struct diag *d) MUST_USE;
/* Header lines for the consumer (a Date of the provider is kept), bytes restored. */
int rest_response_http_headers(const struct rest_response *r, struct buf *out) MUST_USE;
/* Consumer side: does the answer fit the request? ERR_INCONSISTENT_RESPONSE says which header. */
int rest_response_check(const struct rest_response *resp, const struct rest_request *req,
                        struct slice request_hash_base64, struct diag *d) MUST_USE;

/* transport.md 5.8: of the request part and, when there is one, the body's SHA-512. Base64 text
 * into out (89 bytes). */
void rest_request_hash(const struct digest *request_part, const struct digest *body, char out[89]);

/* First byte 1 to 9: a response (asic.md 2). */
bool rest_part_is_response(struct slice part);

#endif
