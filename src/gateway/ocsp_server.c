/* The certificate-hash OCSP responder for peers (transport.md 3.1). */
#include "gateway/worker.h"
#include "base/hex.h"
#include "xroad/message.h"

#include <openssl/rand.h>
#include <string.h>

#define ASKED_MAX MESSAGE_OCSP_MAX

/* SHA-1 (20 bytes) or SHA-256 (32 bytes) of a certificate. */
static bool has_hash(const struct cert *c, struct slice hash)
{
    return hash.n == 20 ? memcmp(c->sha1, hash.p, 20) == 0 : memcmp(c->sha256, hash.p, 32) == 0;
}

/* The response for one of the server's own certificates; empty when there is none. */
static struct slice find_response(const struct snapshot *s, struct slice hash)
{
    for (size_t i = 0; i < s->conf.n_keys; i++)
        if (s->cert[i] != NULL && has_hash(s->cert[i], hash))
            return s->ocsp[i];
    for (size_t i = 0; i < s->n_chain; i++) {
        struct cert *c = cert_parse(s->chain[i], NULL);
        bool mine = c != NULL && has_hash(c, hash);
        cert_free(c);
        if (mine)
            return s->chain_ocsp[i];
    }
    return SLICE_NONE;
}

static void plain(struct http_exchange *x, int status, const char *text)
{
    http_reply(x, status, "text/plain; charset=UTF-8", SLICE_NONE, slice_str(text));
}

/* Values of one parameter, decoded from hex; returns how many, SIZE_MAX when one is malformed. */
static size_t hashes(struct slice query, const char *name, size_t bytes, uint8_t out[][32])
{
    struct slice item;
    size_t n = 0;
    while (slice_next(&query, '&', &item)) {
        size_t eq = slice_find(item, '=');
        if (eq == SIZE_MAX || !slice_eq_str(slice_sub(item, 0, eq), name))
            continue;
        if (n == ASKED_MAX || !hex_parse(slice_from(item, eq + 1), out[n], bytes))
            return SIZE_MAX;
        n++;
    }
    return n;
}

static void answer(const struct snapshot *s, struct http_exchange *x, uint8_t asked[][32], size_t n,
                   size_t bytes)
{
    struct message_writer w = {.begun = false};
    struct buf out;
    uint8_t random[30];
    char type[160];
    if (RAND_bytes(random, sizeof random) != 1) {
        plain(x, 500, "No random bytes");
        return;
    }
    message_boundary(random, w.boundary);
    buf_init(&out, ASKED_MAX * MESSAGE_OCSP_BYTES + 4096);
    for (size_t i = 0; i < n; i++) {
        struct slice der = find_response(s, slice_of(asked[i], bytes));
        if (der.n == 0) {
            buf_free(&out);
            plain(x, 500, "Could not find OCSP response for a certificate that was asked for");
            return;
        }
        message_part(&w, "application/ocsp-response", der, &out);
    }
    message_finish(&w, &out);
    snprintf(type, sizeof type,
             "multipart/related; type=\"application/ocsp-response\"; charset=UTF-8; boundary=%s",
             w.boundary);
    http_reply(x, 200, type, SLICE_NONE, buf_view(&out));
    buf_free(&out);
}

static void on_request(void *server_ctx, struct http_exchange *x)
{
    struct worker *w = server_ctx;
    const struct http_head *h = http_exchange_head(x);
    struct slice path, query;
    uint8_t asked[ASKED_MAX][32];
    bool has_query;
    if (slice_eq_str(h->method, "HEAD")) {
        http_reply(x, 200, NULL, SLICE_NONE, SLICE_NONE);
        return;
    }
    if (!slice_eq_str(h->method, "GET") || w->snap == NULL) {
        plain(x, 500, "Only GET is served here");
        return;
    }
    http_target_split(h->target, &path, &query, &has_query);
    size_t bytes = 20, n = hashes(query, "cert", bytes, asked);
    if (n == 0) {
        bytes = 32;
        n = hashes(query, "cert_hash", bytes, asked);
    }
    if (n == 0 || n == SIZE_MAX)
        plain(x, 500, "Expected parameters cert (SHA-1) or cert_hash (SHA-256), hexadecimal");
    else
        answer(w->snap, x, asked, n, bytes);
}

const struct http_handler ocsp_server_handler = {.on_request = on_request};
