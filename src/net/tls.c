#include "net/tls.h"

#include "base/err.h"
#include "base/map.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 256         /* a client's, one a peer */
#define SERVER_SESSIONS_MAX 2000 /* about 6 KiB each with the peer's chain */

/* Between security servers, transport.md 2.1. */
#define PEER_SUITES "ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA256:ECDHE-ECDSA-AES256-SHA384"
/* Towards information systems: X-Road's client-tls-ciphers, and the same for EC certificates. */
#define EDGE_SUITES                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:"                                         \
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:"                   \
    "DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256"

static const struct {
    bool server;
    int verify;
    const char *suites;
} kinds[] = {
    [TLS_PEER_SERVER] = {true, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, PEER_SUITES},
    [TLS_PEER_CLIENT] = {false, SSL_VERIFY_PEER, PEER_SUITES},
    [TLS_EDGE_SERVER] = {true, SSL_VERIFY_PEER, EDGE_SUITES},
    [TLS_EDGE_CLIENT] = {false, SSL_VERIFY_PEER, EDGE_SUITES},
};

struct session {
    uint64_t name; /* hash of the peer's name */
    SSL_SESSION *s;
};

struct tls {
    enum tls_kind kind;
    unsigned refs;
    SSL_CTX *ctx;
    struct session *sessions; /* of a client */
    size_t n_sessions, next_out;
};

/* The caller judges the peer after the handshake, with the global configuration. */
static int accept_any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int fail(struct diag *d, const char *what)
{
    unsigned long e = ERR_get_error();
    char reason[160] = "unknown reason";
    if (e != 0)
        ERR_error_string_n(e, reason, sizeof reason);
    ERR_clear_error();
    return diag_set(d, ERR_CRYPTO, "%s: %s", what, reason);
}

static int set_chain(SSL_CTX *ctx, const struct slice *chain, size_t n, EVP_PKEY *key,
                     struct diag *d)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = chain[i].p;
        X509 *cert = d2i_X509(NULL, &p, (long)chain[i].n);
        if (cert == NULL || p != chain[i].p + chain[i].n) {
            X509_free(cert);
            ERR_clear_error();
            return diag_set(d, ERR_INVALID_CERTIFICATE,
                            "certificate %zu of the TLS chain is not one DER certificate", i + 1);
        }
        int ok = i == 0 ? SSL_CTX_use_certificate(ctx, cert) : SSL_CTX_add1_chain_cert(ctx, cert);
        X509_free(cert);
        if (ok != 1)
            return fail(d, "a certificate cannot be used for TLS");
    }
    if (n > 0 && SSL_CTX_use_PrivateKey(ctx, key) != 1)
        return fail(d, "the private key cannot be used for TLS with this certificate");
    return 0;
}

static void set_sessions(SSL_CTX *ctx, bool server)
{
    static const unsigned char context[] = "sild";
    SSL_CTX_set_timeout(ctx, TLS_SESSION_SECONDS);
    if (!server) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        return;
    }
    /* No tickets: a ticket carries the peer's leaf only, a session kept here its whole chain. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, SERVER_SESSIONS_MAX);
    SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
}

static SSL_CTX *make_ctx(enum tls_kind kind, const struct slice *chain, size_t n, EVP_PKEY *key,
                         struct diag *d)
{
    bool server = kinds[kind].server;
    if (n > TLS_CHAIN_MAX || (n == 0 && kind != TLS_EDGE_CLIENT)) {
        diag_set(d, ERR_USAGE, "a TLS chain has 1 to %d certificates, not %zu", TLS_CHAIN_MAX, n);
        return NULL;
    }
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ctx == NULL) {
        fail(d, "no TLS context");
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_max_cert_list(ctx, TLS_CHAIN_BYTES);
    SSL_CTX_set_verify(ctx, kinds[kind].verify, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    set_sessions(ctx, server);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, kinds[kind].suites) != 1) {
        fail(d, "the TLS parameters are not supported");
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (set_chain(ctx, chain, n, key, d) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

struct tls *tls_new(enum tls_kind kind, const struct slice *chain, size_t n, EVP_PKEY *key,
                    struct diag *d)
{
    struct tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        diag_set(d, ERR_NOMEM, "no memory for a TLS context");
        return NULL;
    }
    t->kind = kind;
    t->refs = 1;
    t->ctx = make_ctx(kind, chain, n, key, d);
    if (t->ctx == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

static void drop_sessions(struct tls *t)
{
    for (size_t i = 0; i < t->n_sessions; i++) {
        SSL_SESSION_free(t->sessions[i].s);
        t->sessions[i].s = NULL; /* the place is used again */
    }
    t->n_sessions = t->next_out = 0;
}

void tls_free(struct tls *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    drop_sessions(t);
    free(t->sessions);
    SSL_CTX_free(t->ctx);
    free(t);
}

struct tls *tls_hold(struct tls *t)
{
    t->refs++;
    return t;
}

int tls_replace(struct tls *t, const struct slice *chain, size_t n, EVP_PKEY *key, struct diag *d)
{
    struct diag own;
    if (d == NULL)
        d = &own;
    SSL_CTX *ctx = make_ctx(t->kind, chain, n, key, d);
    if (ctx == NULL)
        return d->code;
    drop_sessions(t);
    SSL_CTX_free(t->ctx);
    t->ctx = ctx;
    return 0;
}

SSL_CTX *tls_ctx(struct tls *t)
{
    return t->ctx;
}

bool tls_is_server(const struct tls *t)
{
    return kinds[t->kind].server;
}

static struct session *find(struct tls *t, uint64_t name)
{
    for (size_t i = 0; i < t->n_sessions; i++)
        if (t->sessions[i].name == name)
            return &t->sessions[i];
    return NULL;
}

SSL_SESSION *tls_session_get(struct tls *t, const char *peer)
{
    struct session *e = find(t, map_hash(slice_str(peer), 0));
    if (e == NULL || !SSL_SESSION_is_resumable(e->s))
        return NULL;
    SSL_SESSION_up_ref(e->s);
    return e->s;
}

void tls_session_put(struct tls *t, const char *peer, SSL_SESSION *session)
{
    uint64_t name = map_hash(slice_str(peer), 0);
    struct session *e = find(t, name);
    if (t->sessions == NULL)
        t->sessions = calloc(SESSIONS_MAX, sizeof *t->sessions);
    if (t->sessions == NULL) {
        SSL_SESSION_free(session);
        return;
    }
    if (e == NULL && t->n_sessions < SESSIONS_MAX)
        e = &t->sessions[t->n_sessions++];
    if (e == NULL) /* full: the oldest place makes room */
        e = &t->sessions[t->next_out++ % SESSIONS_MAX];
    SSL_SESSION_free(e->s);
    *e = (struct session){name, session};
}
