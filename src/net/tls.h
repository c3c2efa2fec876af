/*
 * TLS contexts by OpenSSL: between security servers (X-Road's suites, TLS 1.3 where both can,
 * mutual), towards information systems, and as a client of providers. Certificates of peers are
 * judged by the caller after the handshake, never by OpenSSL's store.
 */
#ifndef SILD_NET_TLS_H
#define SILD_NET_TLS_H

#include "base/attr.h"
#include "base/diag.h"
#include "base/slice.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define TLS_CHAIN_MAX 8             /* certificates of a chain */
#define TLS_CHAIN_BYTES (64u << 10) /* and their bytes */
#define TLS_SESSION_SECONDS 600     /* X-Road's own */

struct tls;

enum tls_kind {
    TLS_PEER_SERVER, /* 5500: client certificate required; X-Road's three suites in 1.2, 1.3 */
    TLS_PEER_CLIENT,
    TLS_EDGE_SERVER, /* 8443: client certificate asked for, optional */
    TLS_EDGE_CLIENT, /* to a provider's information system */
};

/*
 * chain: DER certificates, leaf first, no root (may be empty for TLS_EDGE_CLIENT). key: the private
 * key, or one that lives in the key process (keys/remote.h); the context takes its own
 * reference. NULL with d filled. Any peer certificate passes the handshake; resumed sessions keep
 * the peer's whole chain.
 */
struct tls *tls_new(enum tls_kind kind, const struct slice *chain, size_t n, EVP_PKEY *key,
                    struct diag *d);
void tls_free(struct tls *t); /* gives back one reference; running connections have their own */
struct tls *tls_hold(struct tls *t); /* one more reference */
/* Makes the next handshakes use another chain and key (renewal); running connections go on, old
 * sessions are not resumed. */
int tls_replace(struct tls *t, const struct slice *chain, size_t n, EVP_PKEY *key,
                struct diag *d) MUST_USE;
SSL_CTX *tls_ctx(struct tls *t);
bool tls_is_server(const struct tls *t);

/*
 * A client's sessions, by a name of the peer (its address): kept whole in memory, so that the
 * peer's chain comes back with a resumed one. tls_session_get gives a reference or NULL.
 */
SSL_SESSION *tls_session_get(struct tls *t, const char *peer);
/* Takes the reference over. */
void tls_session_put(struct tls *t, const char *peer, SSL_SESSION *session);

#endif
