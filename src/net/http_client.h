/*
 * HTTP/1.1 client over conn: pooled keep-alive connections, several addresses tried in turn, a hook
 * between the TLS handshake and the first byte where the caller judges the peer (perhaps after
 * asking others), bodies streamed both ways. No redirects, no cookies, no retries of its own
 * except on another address before anything was sent (and once on a fresh connection when a pooled
 * one turns out closed before any byte of the response and `repeatable`).
 */
#ifndef SILD_NET_HTTP_CLIENT_H
#define SILD_NET_HTTP_CLIENT_H

#include "net/http_call.h"
#include "net/http_fetch.h"

struct http_client;

/* idle_max: connections kept open; idle_ms: for how long (0: 60 s). NULL without memory. */
struct http_client *http_client_new(struct loop *l, size_t idle_max, int64_t idle_ms);
/* Calls that still run are cancelled. */
void http_client_free(struct http_client *c);
/* Closes idle connections whose pool key has this prefix, or all (empty): after a configuration
 * change. */
void http_client_drop_idle(struct http_client *c, struct slice key_prefix);

#endif
