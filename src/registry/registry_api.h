/*
 * The register's services over REST, without the transport: a request in, a reply out. The routes
 * are one table; country/population.openapi.json describes them.
 */
#ifndef SILD_REGISTRY_REGISTRY_API_H
#define SILD_REGISTRY_REGISTRY_API_H

#include "base/buf.h"
#include "registry/people.h"

#define REGISTRY_API_BODY_MAX 16384

struct registry_request {
    struct slice method, target;
    struct slice content_type; /* empty when absent */
    struct slice body;
};

/* The buffers are kept from reply to reply. */
struct registry_reply {
    int status;
    const char *content_type;
    struct buf headers; /* complete lines */
    struct buf body;    /* also for HEAD, where only its length is sent */
};
void registry_reply_init(struct registry_reply *r);
void registry_reply_free(struct registry_reply *r);

struct registry_api;
/* Takes p over, also when it fails. NULL with d filled. */
struct registry_api *registry_api_new(struct people *p, struct diag *d);
void registry_api_free(struct registry_api *a);

/*
 * Answers, whatever the request. now_ms: the time of the request. Returns 0, or the error behind a
 * status of 500 and more, with d filled (no personal data in it), for the log.
 */
int registry_api_answer(struct registry_api *a, const struct registry_request *q, int64_t now_ms,
                        struct registry_reply *r, struct diag *d) MUST_USE;

/* A problem document (RFC 9457) as the reply. */
void registry_api_problem(struct registry_reply *r, int status, const char *error,
                          const char *detail);

#endif
