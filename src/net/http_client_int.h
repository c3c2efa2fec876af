/* Inside of the HTTP client: what http_client.c (the pool) and http_call.c (calls) share. Nobody
 * else includes it. */
#ifndef SILD_NET_HTTP_CLIENT_INT_H
#define SILD_NET_HTTP_CLIENT_INT_H

#include "net/http_client.h"

/* A connection: in use by one call, or idle in the pool. */
struct http_pooled {
    struct http_client *client;
    struct conn *conn;
    struct http_call *call;         /* NULL: idle */
    struct http_pooled *next, **at; /* among the idle ones, the newest first */
    uint64_t hash;
    size_t key_n;
    uint8_t key[];
};

struct http_client {
    struct loop *loop;
    size_t idle_max, n_idle, n_spare;
    int64_t idle_ms;
    struct http_pooled *idle;
    struct http_call *calls, *spare;
    size_t refs; /* one, and one for each call */
    bool freed;
};

/* --- http_client.c --- */

void http_client_unref(struct http_client *c);
/* The newest idle connection under the key, which is idle no more; NULL when there is none. */
struct http_pooled *http_client_idle_take(struct http_client *c, struct slice key, bool tls);
void http_client_idle_add(struct http_pooled *k);
void http_client_idle_remove(struct http_pooled *k);
void http_client_idle_drop(struct http_pooled *k); /* lets an idle connection go */

/* --- http_call.c --- */

/* Frees the calls kept for later use. */
void http_call_free_spare(struct http_client *c);

#endif
