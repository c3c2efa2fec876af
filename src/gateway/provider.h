/*
 * The server proxy for one REST request of another security server (transport.md 6.2): provider.c
 * receives, judges and logs it; provider_call.c asks the information system and answers.
 */
#ifndef SILD_GATEWAY_PROVIDER_H
#define SILD_GATEWAY_PROVIDER_H

#include "gateway/attest.h"
#include "gateway/metadata_service.h"
#include "gateway/worker.h"
#include "xroad/fault.h"
#include "xroad/message.h"
#include "xroad/rest.h"

struct provider {
    struct worker *w;
    struct snapshot *snap;
    struct http_exchange *x;
    struct arena *a;
    /* request */
    struct message_reader *reader;
    struct slice ocsp[MESSAGE_OCSP_MAX];
    size_t n_ocsp;
    struct slice part, result, chain, signature;
    struct digest part_digest;
    struct rest_request req;
    struct slice http_request_id;
    struct body body;
    enum metadata_kind metadata;
    const struct serverconf_service *service;
    struct slice path; /* below the service's URL, as the provider is asked for it */
    int key;           /* of the provider's member */
    uint64_t asked_sign, asked_log;
    bool request_read, over; /* over: an answer or fault was given */
    bool failed;             /* it was a fault */
    int64_t began_ms;        /* monotonic */
    /* calling the information system */
    struct http_call *call;
    size_t url;
    bool call_sent;
    uint64_t call_at;
    struct buf fetched; /* an OpenAPI description */
    bool fetched_json;
    /* response */
    struct message_writer writer;
    bool begun; /* the multipart answer has begun to flow */
    struct rest_response resp;
    struct buf resp_part;
    struct digest resp_digest;
    struct body resp_body;
    struct attest_signature out;
};

/* A fault of this side: prefix server.serverproxy, and phase before the base code when not NULL. */
void provider_fail(struct provider *p, const char *phase, const struct diag *d);
void provider_free(struct provider *p);

/* The request is judged and logged: ask the information system, or answer a metadata service. */
void provider_call_start(struct provider *p);
/* The answer flows on / the spool of its body is ready / the peer took what was queued. */
void provider_call_on_spool(void *ctx);
void provider_call_pump(struct provider *p);

#endif
