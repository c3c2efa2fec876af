/*
 * What both proxies do with a message of theirs: have it signed by the key process, make the
 * signature document, have it logged.
 */
#ifndef SILD_GATEWAY_ATTEST_H
#define SILD_GATEWAY_ATTEST_H

#include "gateway/ask.h"
#include "gateway/body.h"
#include "gateway/snapshot.h"

/* Asks for a signature in the name of the client's member, with the key of this certificate, over
 * head and body (when present). */
uint64_t attest_sign(struct ask *ask, const struct id_client *client, const struct cert *cert,
                     const struct digest *head, const struct body *body, ask_signed cb, void *ctx,
                     struct diag *d);

/* A signature document with the chains that belong to it, in an arena; empty chains: single form.
 */
struct attest_signature {
    struct slice document, result, chain;
    struct digest hash; /* SHA-512 of the document */
};
/* Makes it of the key process's answer. key: index of the signing key in the snapshot. */
int attest_document(const struct snapshot *s, int key, const struct digest *head,
                    const struct signer_result *r, struct arena *a, struct attest_signature *out,
                    struct diag *d) MUST_USE;

/* One message for the log. The signature's hash is made here when it has none. */
struct attest_record {
    enum record_side side;
    bool response;
    bool keep; /* the service keeps bodies */
    int64_t time_ms;
    const struct id_client *party; /* the own side's */
    struct slice id, request_id, head;
    struct attest_signature signature;
    struct body *body;
};
uint64_t attest_log(struct ask *ask, const struct snapshot *s, const struct attest_record *r,
                    ask_logged cb, void *ctx, struct diag *d);

#endif
