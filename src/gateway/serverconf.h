/*
 * What a gateway serves: clients, services, endpoints, access rights, local groups, keys. Read from
 * one configuration file (base/conf.h; the table of keys is in serverconf.c and makes the manual).
 * Parsed by the parent and the agent from the file, by workers from the text inside a snapshot.
 */
#ifndef SILD_GATEWAY_SERVERCONF_H
#define SILD_GATEWAY_SERVERCONF_H

#include "base/arena.h"
#include "base/conf.h"
#include "base/diag.h"
#include "submit/submit_conf.h"
#include "wire/http.h"
#include "xroad/id.h"

enum serverconf_connection {
    SERVERCONF_HTTP,   /* NOSSL: anything goes */
    SERVERCONF_HTTPS,  /* SSLNOAUTH: no plain connection */
    SERVERCONF_MUTUAL, /* SSLAUTH: with one of the client's certificates */
};

struct serverconf_right {
    enum {
        SERVERCONF_SUBJECT_CLIENT,
        SERVERCONF_SUBJECT_GLOBAL_GROUP,
        SERVERCONF_SUBJECT_LOCAL_GROUP,
    } kind;
    struct id_client client;   /* CLIENT; GLOBAL_GROUP: instance only */
    struct slice group;        /* code of a group */
    struct slice method, path; /* "*", "**": the base endpoint */
};

struct serverconf_endpoint {
    struct slice method, path;
};

#define SERVERCONF_URLS_MAX 8

struct serverconf_client;

struct serverconf_service {
    struct id_service id;
    const struct serverconf_client *provider;
    bool openapi;
    struct slice url[SERVERCONF_URLS_MAX]; /* base addresses, tried in this order */
    struct http_url parsed[SERVERCONF_URLS_MAX];
    size_t n_urls;
    struct slice description; /* URL of the OpenAPI description; may be empty */
    int64_t timeout_ms;
    bool verify_tls;         /* the provider's certificate must be one of tls_certificate */
    struct slice *tls_certs; /* DER */
    size_t n_tls_certs;
    bool keep_bodies;
    bool disabled;
    struct slice disabled_notice;
    struct serverconf_endpoint *endpoints;
    size_t n_endpoints;
    struct serverconf_right *rights;
    size_t n_rights;
};

struct serverconf_local_group {
    struct slice code;
    struct id_client *members;
    size_t n_members;
};

struct serverconf_client {
    struct id_client id;
    bool registered;
    enum serverconf_connection connection;
    struct slice *certs; /* DER, of its information systems */
    size_t n_certs;
    struct serverconf_local_group *groups;
    size_t n_groups;
};

struct serverconf_key {
    struct slice name;       /* in the key store; its certificate is <dir>/certs/<name>.der */
    bool signing;            /* else authentication */
    struct id_client member; /* owner of a signing key */
    struct slice cert;       /* DER, filled by whoever may read files */
};

#define SERVERCONF_TSAS_MAX 8
#define SERVERCONF_KEYS_MAX 32

struct serverconf {
    struct id_server server;
    struct id_client owner;
    struct slice user; /* empty: none */
    struct slice dir, anchor;
    struct slice http, https, peer, ocsp; /* host:port; https may be empty */
    struct slice health;                  /* the same, "off", or empty: proc/health.h */
    uint16_t peer_port, ocsp_port;        /* where other servers listen */
    int workers;
    int64_t peer_timeout_ms;       /* longest wait for another server's next bytes */
    int64_t config_interval_ms;    /* how often the global configuration is fetched */
    struct slice min_peer_version; /* empty: any */
    struct slice federations;      /* "none", "all", or instances with commas between */
    struct serverconf_key keys[SERVERCONF_KEYS_MAX];
    size_t n_keys;
    /* message log */
    struct slice tsa[SERVERCONF_TSAS_MAX];
    size_t n_tsas;
    int64_t stamp_interval_ms; /* 0: as the global configuration says */
    int64_t stamp_failure_ms;  /* 0: for ever */
    uint64_t min_free;         /* bytes of the log's disk; with less, no new message is taken */
    uint64_t body_max;         /* largest body that is kept; larger ones fail the message */
    struct slice log_owner;    /* public key (DER) that kept bodies are sealed to; empty: none */
    struct submit_conf ledger;
    struct slice ledger_policy; /* the file's bytes; empty: none is named */
    bool require_logged;        /* a global configuration is taken only with its proof */
    struct serverconf_client *clients;
    size_t n_clients;
    struct serverconf_service *services;
    size_t n_services;
};

/*
 * Reads the text; everything is in the arena. Relative paths are kept as they stand (dir is the
 * base). load: reads a file (certificates, keys) into the arena; NULL in a worker, whose text comes
 * with files inlined as base64 ("base64:…"), see serverconf_inline. ERR_MALFORMED_SERVER_CONF with
 * line.
 */
typedef int (*serverconf_load)(void *ctx, const char *path, struct slice *bytes, struct diag *d);
int serverconf_parse(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                     struct serverconf *out, struct diag *d) MUST_USE;
/* The same, but every section that is wrong is told, and the reading goes on with the next one. */
int serverconf_check(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                     struct serverconf *out, conf_tell tell, void *tell_ctx) MUST_USE;
/* The text with every file name replaced by its content, for snapshots. */
int serverconf_inline(struct arena *a, struct slice text, serverconf_load load, void *ctx,
                      struct buf *out, struct diag *d) MUST_USE;
extern const struct conf_rule serverconf_rules[];
extern const size_t serverconf_rule_count;

const struct serverconf_client *serverconf_client(const struct serverconf *c,
                                                  const struct id_client *id);
const struct serverconf_service *serverconf_service(const struct serverconf *c,
                                                    const struct id_service *id);
const struct serverconf_key *serverconf_auth_key(const struct serverconf *c);

#endif
