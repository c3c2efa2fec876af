#include "gateway/peer.h"
#include "base/err.h"
#include "base/hex.h"
#include "gateway/verdict.h"
#include "wire/mime.h"
#include "xroad/message.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_MAX 256
#define CHAIN_MAX MESSAGE_OCSP_MAX
#define PATIENCE_MS 30000
#define STALE_MARGIN_MS 5000 /* a response about to end is fetched anew */

/* --- OCSP responses of peers --- */

/* A peer brings what it likes: its chain may show others' certificates, and its responses are
 * judged later. So an entry serves only connections with the leaf that brought it, whose key the
 * peer has proven to hold. */
struct peer_entry {
    uint8_t leaf[32], sha256[32];
    struct buf der;
    int64_t used_ms;
};

struct peer_cache {
    struct peer_entry e[CACHE_MAX];
    size_t n;
};

struct peer_cache *peer_cache_new(void)
{
    return calloc(1, sizeof(struct peer_cache));
}

void peer_cache_free(struct peer_cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n; i++)
        buf_free(&c->e[i].der);
    free(c);
}

static struct peer_entry *cache_find(struct peer_cache *c, const struct cert *leaf,
                                     const struct cert *cert)
{
    for (size_t i = 0; i < c->n; i++)
        if (memcmp(c->e[i].sha256, cert->sha256, 32) == 0 &&
            memcmp(c->e[i].leaf, leaf->sha256, 32) == 0)
            return &c->e[i];
    return NULL;
}

static struct peer_entry *place(struct peer_cache *c)
{
    if (c->n < CACHE_MAX) {
        struct peer_entry *e = &c->e[c->n++];
        buf_init(&e->der, MESSAGE_OCSP_BYTES);
        return e;
    }
    struct peer_entry *oldest = &c->e[0];
    for (size_t i = 1; i < c->n; i++)
        if (c->e[i].used_ms < oldest->used_ms)
            oldest = &c->e[i];
    return oldest;
}

static void cache_put(struct peer_cache *c, const struct cert *leaf, const struct cert *cert,
                      struct slice der, int64_t now_ms)
{
    struct peer_entry *e = cache_find(c, leaf, cert);
    if (e == NULL)
        e = place(c);
    memcpy(e->leaf, leaf->sha256, 32);
    memcpy(e->sha256, cert->sha256, 32);
    buf_reset(&e->der);
    buf_slice(&e->der, der);
    e->used_ms = now_ms;
}

/* What a connection was refused with is fetched anew for the next one. */
static void cache_forget(struct peer_cache *c, const struct cert *leaf)
{
    for (size_t i = 0; i < c->n; i++)
        if (memcmp(c->e[i].leaf, leaf->sha256, 32) == 0)
            buf_reset(&c->e[i].der);
}

/* The cached response when it will still be fresh in a moment. */
static struct slice cache_get(struct peer_cache *c, const struct snapshot *s,
                              const struct cert *leaf, const struct cert *cert, int64_t now_ms)
{
    struct peer_entry *e = cache_find(c, leaf, cert);
    struct ocsp_info info;
    if (e == NULL || ocsp_parse(buf_view(&e->der), &info, NULL) != 0)
        return SLICE_NONE;
    if (info.this_update_ms + globalconf_ocsp_freshness_ms(s->gc) < now_ms + STALE_MARGIN_MS)
        return SLICE_NONE;
    e->used_ms = now_ms;
    return buf_view(&e->der);
}

/* --- addresses --- */

static void shuffle(struct net_addr *a, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        uint32_t r;
        if (RAND_bytes((unsigned char *)&r, sizeof r) != 1)
            return;
        size_t j = r % i;
        struct net_addr t = a[i - 1];
        a[i - 1] = a[j];
        a[j] = t;
    }
}

static int maintenance(const struct globalconf_server *v, struct diag *d)
{
    struct buf id;
    buf_init(&id, 2048);
    id_server_short(&id, &v->id);
    diag_set(d, ERR_MAINTENANCE_MODE,
             "Security server [\"%s\"] with address \"%.*s\" is in maintenance mode%s%.*s",
             buf_cstr(&id), SLICE_ARG(v->address),
             v->maintenance_message.n > 0 ? ". Message from its administrator: " : "",
             SLICE_ARG(v->maintenance_message));
    buf_free(&id);
    return ERR_MAINTENANCE_MODE;
}

static int no_address(const struct id_client *provider, struct diag *d)
{
    struct buf id;
    buf_init(&id, 2048);
    id_client_short(&id, provider);
    diag_set(d, ERR_UNKNOWN_MEMBER, "Could not find addresses for service provider \"%s\"",
             buf_cstr(&id));
    buf_free(&id);
    return ERR_UNKNOWN_MEMBER;
}

/* The servers to choose from: all that serve the provider, or the one that was asked for. */
static int candidates(const struct snapshot *s, const struct id_client *provider,
                      const struct id_server *wanted, struct globalconf_server *v, size_t *n,
                      struct diag *d)
{
    *n = globalconf_servers_of(s->gc, provider, v, PEER_ADDRS_MAX);
    size_t with_address = 0;
    for (size_t i = 0; i < *n; i++)
        if (v[i].address.n > 0)
            v[with_address++] = v[i];
    *n = with_address;
    if (*n == 0)
        return no_address(provider, d);
    if (wanted == NULL)
        return 0;
    for (size_t i = 0; i < *n; i++) {
        if (!id_server_eq(&v[i].id, wanted))
            continue;
        v[0] = v[i];
        *n = 1;
        return 0;
    }
    return diag_set(d, ERR_INVALID_SECURITY_SERVER,
                    "Invalid security server: the server that X-Road-Security-Server names does "
                    "not serve this provider");
}

int peer_addresses(const struct worker *w, const struct snapshot *s,
                   const struct id_client *provider, const struct id_server *wanted,
                   struct net_addr out[PEER_ADDRS_MAX], size_t *n, struct diag *d)
{
    struct globalconf_server v[PEER_ADDRS_MAX];
    size_t servers;
    bool nameless = false;
    *n = 0;
    if (!globalconf_has_instance(s->gc, provider->instance, loop_wall_ms(w->loop)))
        return diag_set(d, ERR_INTERNAL, "Shared params for instance identifier \"%.*s\" not found",
                        SLICE_ARG(provider->instance));
    int rc = candidates(s, provider, wanted, v, &servers, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < servers; i++) {
        if (v[i].maintenance) {
            rc = nameless ? rc : maintenance(&v[i], d);
            continue;
        }
        size_t got =
            snapshot_resolve(s, v[i].address, s->conf.peer_port, out + *n, PEER_ADDRS_MAX - *n);
        nameless = nameless || got == 0;
        if (got == 0)
            rc = diag_set(d, ERR_NETWORK,
                          "Could not connect to any target host: the name %.*s is not known",
                          SLICE_ARG(v[i].address));
        *n += got;
    }
    if (*n == 0)
        return rc;
    shuffle(out, *n);
    return 0;
}

int64_t peer_patience(const struct snapshot *s)
{
    return s->conf.peer_timeout_ms < PATIENCE_MS ? s->conf.peer_timeout_ms : PATIENCE_MS;
}

void peer_pool_key(const struct net_addr *a, size_t n, struct buf *out)
{
    char text[PEER_ADDRS_MAX][80], *order[PEER_ADDRS_MAX];
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        net_addr_print(&a[i], text[i], sizeof text[i]);
        for (; k > 0 && strcmp(order[k - 1], text[i]) > 0; k--)
            order[k] = order[k - 1];
        order[k] = text[i];
    }
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s ", order[i]);
}

/* --- judging a connection --- */

struct peer_judging {
    struct worker *w;
    struct snapshot *s;
    struct conn *c;
    struct arena *a;
    struct id_client provider;
    peer_done done;
    void *ctx;
    struct cert *chain[CHAIN_MAX];
    size_t n, missing[CHAIN_MAX], n_missing;
    struct http_call *fetch;
    struct mime_reader *reader;
    struct buf part;
    bool in_part;
    size_t got;
};

static void judging_free(struct peer_judging *j)
{
    if (j->fetch != NULL)
        http_call_cancel(j->fetch);
    mime_reader_free(j->reader);
    buf_free(&j->part);
    for (size_t i = 0; i < j->n; i++)
        cert_free(j->chain[i]);
    snapshot_unref(j->s);
    arena_free(j->a);
    free(j);
}

void peer_judge_cancel(struct peer_judging *j)
{
    if (j != NULL)
        judging_free(j);
}

static void finish(struct peer_judging *j, const struct diag *why)
{
    struct diag copy = {0};
    peer_done done = j->done;
    void *ctx = j->ctx;
    if (why != NULL)
        copy = *why;
    judging_free(j);
    done(ctx, why == NULL ? NULL : &copy);
}

/* By what is in the cache. */
static int judge(struct peer_judging *j, struct diag *d)
{
    struct slice ocsp[CHAIN_MAX];
    int64_t until = 0;
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++) {
        struct peer_entry *e = cache_find(j->w->peer_ocsp, j->chain[0], j->chain[i]);
        if (e != NULL)
            ocsp[n++] = buf_view(&e->der);
    }
    int rc =
        verdict_auth_chain(j->w->chains, j->s->generation, j->s->gc, j->provider.instance, j->chain,
                           j->n, ocsp, n, &j->provider, loop_wall_ms(j->w->loop), &until, d);
    if (rc == 0) {
        struct digest key;
        verdict_key(&j->provider, NULL, 0, &key);
        verdict_remember(j->c, j->s->generation, &key, until);
    } else {
        cache_forget(j->w->peer_ocsp, j->chain[0]);
    }
    return rc;
}

static void decide(struct peer_judging *j)
{
    struct diag d = {0};
    finish(j, judge(j, &d) == 0 ? NULL : &d);
}

static void fetch_failed(struct peer_judging *j, const char *what)
{
    struct diag d = {0};
    diag_set(&d, ERR_SSL_AUTH,
             "Cannot verify the peer's TLS certificate: its OCSP response could not be fetched "
             "from the peer (%s)",
             what);
    finish(j, &d);
}

static void on_fetch_head(void *ctx, struct http_call *c, const struct http_head *h)
{
    struct peer_judging *j = ctx;
    struct mime_type t;
    (void)c;
    if (h->status < 200 || h->status > 208)
        return; /* without a reader the end reports it */
    if (mime_type_parse(http_get(h, "content-type"), &t) != 0 || t.boundary.n == 0)
        return;
    j->reader = mime_reader_new(t.boundary);
}

/* One event of the multipart answer. Returns false when there is nothing more to do now. */
static bool fetch_step(struct peer_judging *j, struct slice *in, bool *broken)
{
    enum mime_event e;
    struct slice piece;
    if (mime_read(j->reader, in, &e, &piece, NULL) != 0) {
        *broken = true;
        return false;
    }
    if (e == MIME_PART) {
        struct mime_type t;
        j->in_part = mime_type_parse(mime_header(j->reader, "content-type"), &t) == 0 &&
                     slice_ieq_str(t.base, "application/ocsp-response");
        buf_reset(&j->part);
    } else if (e == MIME_DATA && j->in_part) {
        buf_slice(&j->part, piece);
    } else if (e == MIME_PART_END && j->in_part) {
        if (j->got < j->n_missing && !j->part.failed)
            cache_put(j->w->peer_ocsp, j->chain[0], j->chain[j->missing[j->got]],
                      buf_view(&j->part), loop_wall_ms(j->w->loop));
        j->got++;
    }
    return e != MIME_MORE && e != MIME_END;
}

static void on_fetch_body(void *ctx, struct http_call *c, struct slice piece)
{
    struct peer_judging *j = ctx;
    bool broken = false;
    (void)c;
    while (j->reader != NULL && piece.n > 0 && fetch_step(j, &piece, &broken))
        ;
    if (broken) {
        mime_reader_free(j->reader);
        j->reader = NULL;
    }
}

static void on_fetch_end(void *ctx, struct http_call *c)
{
    struct peer_judging *j = ctx;
    (void)c;
    j->fetch = NULL;
    if (j->reader == NULL)
        fetch_failed(j, "its answer is no multipart document of OCSP responses");
    else if (j->got != j->n_missing)
        fetch_failed(j, "its answer has not one response for each certificate");
    else
        decide(j);
}

static void on_fetch_error(void *ctx, struct http_call *c, const struct diag *why)
{
    struct peer_judging *j = ctx;
    char text[256];
    (void)c;
    j->fetch = NULL;
    snprintf(text, sizeof text, "%.200s", why->text);
    fetch_failed(j, text);
}

static void set_port(struct net_addr *a, uint16_t port)
{
    if (a->sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&a->sa)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&a->sa)->sin_port = htons(port);
}

/* transport.md 3.1: SHA-1 values first, then SHA-256 in the same order. False: j is gone. */
static bool fetch(struct peer_judging *j)
{
    static const struct http_call_events ev = {.on_head = on_fetch_head,
                                               .on_body = on_fetch_body,
                                               .on_end = on_fetch_end,
                                               .on_error = on_fetch_error};
    struct buf head;
    struct net_addr addr;
    char host[80];
    buf_init(&head, HTTP_HEAD_MAX);
    buf_str(&head, "GET /");
    for (size_t i = 0; i < 2 * j->n_missing; i++) {
        const struct cert *c = j->chain[j->missing[i % j->n_missing]];
        bool sha1 = i < j->n_missing;
        buf_printf(&head, "%c%s=", i == 0 ? '?' : '&', sha1 ? "cert" : "cert_hash");
        hex_append(&head, sha1 ? slice_of(c->sha1, 20) : slice_of(c->sha256, 32));
    }
    conn_peer_addr(j->c, &addr);
    set_port(&addr, j->s->conf.ocsp_port);
    net_addr_print(&addr, host, sizeof host);
    buf_printf(&head, " HTTP/1.1\r\nHost: %s\r\nAccept: multipart/related\r\n", host);
    struct http_target t = {.addrs = &addr,
                            .n = 1,
                            .connect_timeout_ms = peer_patience(j->s),
                            .response_timeout_ms = peer_patience(j->s)};
    j->fetch = http_call_start(j->w->providers, &t, buf_view(&head), &ev, j);
    buf_free(&head);
    if (j->fetch == NULL) {
        fetch_failed(j, "out of memory");
        return false;
    }
    http_call_end(j->fetch);
    return true;
}

static int take_chain(struct peer_judging *j, struct diag *d)
{
    struct slice der[CHAIN_MAX];
    size_t n = conn_peer_chain(j->c, der, CHAIN_MAX);
    if (n == 0)
        return diag_set(d, ERR_SSL_AUTH, "the peer showed no TLS certificate");
    for (size_t i = 0; i < n; i++) {
        j->chain[i] = cert_parse(der[i], d);
        if (j->chain[i] == NULL)
            return diag_set(d, ERR_SSL_AUTH, "the peer's TLS certificate cannot be read");
        j->n++;
    }
    return 0;
}

static struct peer_judging *judging_new(struct worker *w, struct snapshot *s, struct conn *c,
                                        const struct id_client *provider)
{
    struct peer_judging *j = calloc(1, sizeof *j);
    if (j != NULL)
        j->a = arena_new(64u << 10);
    if (j == NULL || j->a == NULL) {
        free(j);
        return NULL;
    }
    j->w = w;
    j->s = snapshot_ref(s);
    j->c = c;
    j->provider = (struct id_client){
        arena_dup(j->a, provider->instance), arena_dup(j->a, provider->member_class),
        arena_dup(j->a, provider->member_code), arena_dup(j->a, provider->subsystem)};
    buf_init(&j->part, MESSAGE_OCSP_BYTES);
    return j;
}

/* The chain, and which of its certificates have no response in the cache. */
static int gather(struct peer_judging *j, struct diag *d)
{
    int rc = take_chain(j, d);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < j->n; i++)
        if (cache_get(j->w->peer_ocsp, j->s, j->chain[0], j->chain[i], loop_wall_ms(j->w->loop))
                .n == 0)
            j->missing[j->n_missing++] = i;
    return 0;
}

struct peer_judging *peer_judge(struct worker *w, struct snapshot *s, struct conn *c,
                                const struct id_client *provider, peer_done done, void *ctx)
{
    struct peer_judging *j = judging_new(w, s, c, provider);
    struct diag d = {0};
    if (j == NULL) {
        diag_set(&d, ERR_NOMEM, "no memory to judge a peer");
        done(ctx, &d);
        return NULL;
    }
    j->done = done;
    j->ctx = ctx;
    if (gather(j, &d) != 0) {
        finish(j, &d);
        return NULL;
    }
    if (j->n_missing == 0) {
        decide(j);
        return NULL;
    }
    return fetch(j) ? j : NULL;
}

bool peer_was_shown(const struct worker *w, const struct snapshot *s, const struct conn *c)
{
    const SSL *ssl = conn_ssl(c);
    X509 *own = ssl == NULL ? NULL : SSL_get_certificate(ssl);
    int i = snapshot_auth_key(s);
    unsigned char *der = NULL;
    if (own == NULL || i < 0)
        return false;
    /* Nearly always the one that the context shows now: then nothing is encoded. */
    if (own == SSL_CTX_get0_certificate(tls_ctx(w->peer_client)))
        return slice_eq(w->auth_cert, s->conf.keys[i].cert);
    int n = i2d_X509(own, &der);
    bool same = n > 0 && slice_eq(slice_of(der, (size_t)n), s->conf.keys[i].cert);
    OPENSSL_free(der);
    return same;
}

bool peer_judge_again(struct worker *w, struct snapshot *s, struct conn *c,
                      const struct id_client *provider)
{
    struct digest key;
    struct diag d = {0};
    if (!peer_was_shown(w, s, c))
        return false;
    verdict_key(provider, NULL, 0, &key);
    if (verdict_good(c, s->generation, &key, loop_wall_ms(w->loop)))
        return true;
    struct peer_judging *j = judging_new(w, s, c, provider);
    if (j == NULL)
        return false;
    bool good = gather(j, &d) == 0 && j->n_missing == 0 && judge(j, &d) == 0;
    judging_free(j);
    return good;
}
