#include "net/tls_stream.h"

#include "base/err.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX (1u << 20) /* conn.c sends before it lets more records be made */

struct tls_stream {
    SSL *ssl;
    struct tls *tls;
    struct slice in; /* records not read yet */
    struct buf out;
    char peer[160];
    struct slice chain[TLS_CHAIN_MAX]; /* into chain_mem, once asked for */
    size_t n_chain;
    uint8_t *chain_mem;
};

/* --- a BIO over in and out, which spares the copies of BIO_s_mem --- */

static int bio_read(BIO *b, char *to, int n)
{
    struct tls_stream *s = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (s->in.n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = (size_t)n < s->in.n ? (size_t)n : s->in.n;
    memcpy(to, s->in.p, take);
    s->in = slice_from(s->in, take);
    return (int)take;
}

static int bio_write(BIO *b, const char *from, int n)
{
    struct tls_stream *s = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    buf_add(&s->out, from, (size_t)n);
    return s->out.failed ? -1 : n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *m;
    if (m != NULL)
        return m;
    m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sild stream");
    if (m == NULL || BIO_meth_set_read(m, bio_read) != 1 || BIO_meth_set_write(m, bio_write) != 1 ||
        BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
        BIO_meth_free(m);
        m = NULL;
    }
    return m;
}

/* --- sessions of a client --- */

static int new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_stream *s = SSL_get_app_data(ssl);
    if (s == NULL || SSL_get_SSL_CTX(ssl) != tls_ctx(s->tls))
        return 0; /* made with a certificate that has been replaced meanwhile */
    tls_session_put(s->tls, s->peer, session);
    return 1;
}

static void resume(struct tls_stream *s)
{
    SSL_CTX_sess_set_new_cb(tls_ctx(s->tls), new_session);
    SSL_SESSION *session = tls_session_get(s->tls, s->peer);
    if (session == NULL)
        return;
    if (SSL_set_session(s->ssl, session) != 1)
        ERR_clear_error(); /* a full handshake then */
    SSL_SESSION_free(session);
}

struct tls_stream *tls_stream_new(struct tls *t, const char *peer, const char *server_name)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->tls = tls_hold(t);
    buf_init(&s->out, OUT_MAX);
    snprintf(s->peer, sizeof s->peer, "%s", peer);
    s->ssl = SSL_new(tls_ctx(t));
    BIO *bio = bio_method() != NULL ? BIO_new(bio_method()) : NULL;
    if (s->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        ERR_clear_error();
        tls_stream_free(s);
        return NULL;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_app_data(s->ssl, s);
    if (tls_is_server(t)) {
        SSL_set_accept_state(s->ssl);
        return s;
    }
    SSL_set_connect_state(s->ssl);
    if (server_name != NULL && server_name[0] != 0)
        SSL_set_tlsext_host_name(s->ssl, server_name);
    resume(s);
    return s;
}

void tls_stream_free(struct tls_stream *s)
{
    if (s == NULL)
        return;
    if (s->ssl != NULL) {
        /* A connection that is cut keeps its session: what ended it was not the session's fault. */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
    }
    tls_free(s->tls);
    buf_free(&s->out);
    free(s->chain_mem);
    free(s);
}

void tls_stream_feed(struct tls_stream *s, struct slice records)
{
    s->in = records;
}

struct slice tls_stream_left(const struct tls_stream *s)
{
    return s->in;
}

/* What OpenSSL's result means; the error queue was empty before the call. */
static int outcome(struct tls_stream *s, int result, int broken, const char *what, struct diag *d)
{
    int e = SSL_get_error(s->ssl, result);
    if (e == SSL_ERROR_WANT_READ)
        return ERR_AGAIN;
    if (e == SSL_ERROR_ZERO_RETURN)
        return ERR_EOF;
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    diag_set(d, broken, "%s: %s", what, reason != NULL ? reason : "unknown reason");
    ERR_clear_error();
    return broken;
}

int tls_stream_handshake(struct tls_stream *s, struct diag *d)
{
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    if (r == 1)
        return 0;
    int err = outcome(s, r, ERR_SSL_AUTH, "the TLS handshake failed", d);
    if (err == ERR_EOF)
        return diag_set(d, ERR_SSL_AUTH, "the other side ended the TLS handshake");
    return err;
}

int tls_stream_read(struct tls_stream *s, uint8_t *out, size_t cap, size_t *n, struct diag *d)
{
    ERR_clear_error();
    int r = SSL_read_ex(s->ssl, out, cap, n);
    if (r == 1)
        return 0;
    *n = 0;
    return outcome(s, r, ERR_NETWORK, "the TLS connection broke", d);
}

int tls_stream_write(struct tls_stream *s, struct slice plain, struct diag *d)
{
    ERR_clear_error();
    while (plain.n > 0) {
        size_t n = 0;
        int r = SSL_write_ex(s->ssl, plain.p, plain.n, &n);
        if (r != 1) {
            int err = outcome(s, r, ERR_NETWORK, "cannot write to the TLS connection", d);
            if (err == ERR_AGAIN || err == ERR_EOF)
                err =
                    diag_set(d, ERR_NETWORK, "the TLS connection is in no state to be written to");
            return err;
        }
        plain = slice_from(plain, n);
    }
    return 0;
}

void tls_stream_close(struct tls_stream *s)
{
    ERR_clear_error();
    if (SSL_is_init_finished(s->ssl))
        SSL_shutdown(s->ssl);
    ERR_clear_error();
}

struct buf *tls_stream_out(struct tls_stream *s)
{
    return &s->out;
}

/* The i-th certificate of the peer: OpenSSL has the leaf in a server's chain, but not in a client's
 * chain as the server sees it. */
static X509 *peer_cert(SSL *ssl, int i)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    if (i == 0)
        return SSL_get0_peer_certificate(ssl);
    return sk_X509_value(chain, SSL_is_server(ssl) ? i - 1 : i);
}

static void collect_chain(struct tls_stream *s)
{
    size_t total = 0;
    int n = 0;
    for (X509 *cert; (cert = peer_cert(s->ssl, n)) != NULL; n++) {
        int len = i2d_X509(cert, NULL);
        if (n == TLS_CHAIN_MAX || len <= 0)
            return; /* a chain that is too long is none */
        total += (size_t)len;
    }
    s->chain_mem = n > 0 ? malloc(total) : NULL;
    if (s->chain_mem == NULL)
        return;
    unsigned char *p = s->chain_mem;
    for (int i = 0; i < n; i++) {
        const unsigned char *from = p;
        i2d_X509(peer_cert(s->ssl, i), &p);
        s->chain[i] = slice_of(from, (size_t)(p - from));
    }
    s->n_chain = (size_t)n;
}

size_t tls_stream_peer_chain(struct tls_stream *s, struct slice *out, size_t max)
{
    if (s->chain_mem == NULL)
        collect_chain(s);
    size_t n = s->n_chain < max ? s->n_chain : max;
    memcpy(out, s->chain, n * sizeof *out);
    return n;
}

const SSL *tls_stream_ssl(const struct tls_stream *s)
{
    return s->ssl;
}
