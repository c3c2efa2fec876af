/*
 * The client proxy for one REST request of an information system (transport.md 6.1): consumer.c
 * takes the request, signs, logs and sends it; consumer_reply.c reads, verifies and logs the
 * answer and gives it back.
 */
#ifndef SILD_GATEWAY_CONSUMER_H
#define SILD_GATEWAY_CONSUMER_H

#include "gateway/attest.h"
#include "gateway/peer.h"
#include "gateway/worker.h"
#include "xroad/fault.h"
#include "xroad/message.h"
#include "xroad/rest.h"

struct consumer {
    struct worker *w;
    struct snapshot *snap;
    struct http_exchange *x;
    struct arena *a; /* the exchange's */
    /* request */
    struct rest_request req;
    char request_id[37];
    struct buf part;           /* the REST request part */
    struct digest part_digest; /* SHA-512 */
    struct body body;
    bool body_done, signing, signed_, connected, sending, head_sent, logged;
    int key; /* index of the signing key */
    uint64_t asked_sign, asked_log;
    struct attest_signature signature; /* ours */
    struct http_call *call;
    struct peer_judging *judging;
    struct message_writer writer;
    bool refused_by_us; /* the last refusal of a connection is ours, not the network's */
    struct diag refusal;
    /* response */
    struct message_reader *reader;
    bool plain_fault; /* text/xml instead of multipart */
    struct buf fault_xml;
    struct slice resp_part; /* copies in the arena */
    struct slice resp_result, resp_chain, resp_signature;
    struct digest resp_digest;
    struct rest_response resp;
    struct body resp_body;
    struct fault fault;               /* of the server proxy; code empty: none */
    uint64_t reply_at;                /* bytes of the body given back so far */
    bool replying, call_over, failed; /* failed: a fault was given */
    int64_t began_ms;                 /* monotonic */
};

/* Ends the exchange with a fault of this side: prefix server.clientproxy. */
void consumer_fail(struct consumer *c, const struct diag *d);
/* The same with a further prefix before the base code ("signature_verification"), may be NULL. */
void consumer_fail_as(struct consumer *c, const char *phase, const struct diag *d);
/* Gives back a fault of the provider's server, unchanged. */
void consumer_pass_fault(struct consumer *c, const struct fault *f);
/* Frees everything; the exchange is over or will be. */
void consumer_free(struct consumer *c);

/* The call's events for the answer (consumer_reply.c). */
void consumer_on_head(void *ctx, struct http_call *call, const struct http_head *h);
void consumer_on_body(void *ctx, struct http_call *call, struct slice piece);
void consumer_on_end(void *ctx, struct http_call *call);
/* Goes on giving the body back. */
void consumer_pump_reply(struct consumer *c);
/* The spool of the answer's body is ready. */
void consumer_on_reply_spool(void *ctx);

#endif
