/*
 * One TLS connection as a converter of bytes: records in, plain bytes out, and back. It touches no
 * socket: net/conn.c feeds it and sends what it makes.
 */
#ifndef SILD_NET_TLS_STREAM_H
#define SILD_NET_TLS_STREAM_H

#include "base/buf.h"
#include "net/tls.h"

#define TLS_STREAM_RECORD (16u << 10) /* the most plain bytes that one read gives */

struct tls_stream;

/* peer: under this name a client's session is kept and resumed; ignored by servers. server_name:
 * for SNI, NULL or empty: none. NULL without memory. */
struct tls_stream *tls_stream_new(struct tls *t, const char *peer, const char *server_name);
void tls_stream_free(struct tls_stream *s);

/* Gives received bytes: borrowed until tls_stream_left says that they are used up. */
void tls_stream_feed(struct tls_stream *s, struct slice records);
struct slice tls_stream_left(const struct tls_stream *s);

/* 0: done. ERR_AGAIN: feed more (and send what is in out). ERR_SSL_AUTH: failed. */
int tls_stream_handshake(struct tls_stream *s, struct diag *d) MUST_USE;
/* 0 and *n > 0: bytes. ERR_AGAIN: feed more. ERR_EOF: close_notify. Else broken. cap: at least
 * TLS_STREAM_RECORD. */
int tls_stream_read(struct tls_stream *s, uint8_t *out, size_t cap, size_t *n,
                    struct diag *d) MUST_USE;
/* Makes records of all of it in out. */
int tls_stream_write(struct tls_stream *s, struct slice plain, struct diag *d) MUST_USE;
void tls_stream_close(struct tls_stream *s); /* close_notify, into out */

/* Records to be sent; whoever sends them drops them. */
struct buf *tls_stream_out(struct tls_stream *s);

/* The peer's certificates as DER, leaf first, at most max; valid as long as the stream. */
size_t tls_stream_peer_chain(struct tls_stream *s, struct slice *out, size_t max);
const SSL *tls_stream_ssl(const struct tls_stream *s);

#endif
