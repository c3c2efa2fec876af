/*
 * A worker: connections in and out, TLS, all hostile bytes. It opens no files, holds no private
 * keys, and knows the world from snapshots. What it needs signed, logged or spooled it asks for
 * (ask.h). consumer.c serves information systems, provider.c other security servers.
 */
#ifndef SILD_GATEWAY_WORKER_H
#define SILD_GATEWAY_WORKER_H

#include "evidence/xades.h"
#include "gateway/reach.h"
#include "gateway/snapshot.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "proc/group.h"

struct ask;
struct peer_cache;
struct verdict_chains;

struct worker {
    struct group_self *self;
    struct loop *loop;
    struct snapshot *snap; /* NULL until the agent sent the first */
    struct ask *ask;
    struct ipc *agent;
    int tls_line;           /* blocking line to the key process, -1: none yet */
    struct slice auth_cert; /* DER that the TLS contexts show now; owned */
    struct tls *peer_server, *peer_client, *edge_server, *edge_client;
    struct http_server *http, *https, *peer, *ocsp;
    struct http_client *peers, *providers;
    struct peer_cache *peer_ocsp;
    struct verdict_chains *chains;
    struct xades_cache *verdicts;
    struct reach far, near; /* who could not be reached: other servers, own information systems */
    size_t stopping; /* servers that still have exchanges in hand, once a stop was asked for */
};

int worker_run(struct group_self *self, const char *config_path);

/* Random bytes, at most 256, from a supply that is drawn in bulk. */
void worker_random(uint8_t *out, size_t n);
/* An empty buffer of at most `max` bytes for what one function puts together and hands on before it
 * returns: the memory is kept for the next one. */
struct buf *worker_scratch(size_t max);
/* A fresh UUID. */
void worker_uuid(char out[37]);

/* The handlers of the four listeners. */
extern const struct http_handler consumer_handler;
extern const struct http_handler provider_handler;
extern const struct http_handler ocsp_server_handler;

#endif
