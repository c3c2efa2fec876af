#include "gateway/worker.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/opt.h"
#include "base/uuid.h"
#include "gateway/ask.h"
#include "gateway/facts.h"
#include "gateway/peer.h"
#include "gateway/verdict.h"
#include "keys/remote.h"
#include "proc/report.h"
#include "proc/sandbox.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_PEERS 256
#define IDLE_PROVIDERS 256
#define IDLE_MS 60000
#define HEAD_MS 10000     /* for a handshake, and for a head */
#define KNOWN_MS 3600000  /* who was served stays known so long */
#define IDLE_OUT_MS 30000 /* shorter than a peer of ours waits: the two must not meet */
#define VERDICT_CACHE 4096
#define STOP_MS 4000
#define SCRATCH_KEPT (128u << 10) /* bytes */

/* A call of OpenSSL's a message would be felt. */
void worker_random(uint8_t *out, size_t n)
{
    static uint8_t pool[4096];
    static size_t left;
    if (n > 256)
        abort();
    if (left < n) {
        if (RAND_bytes(pool, sizeof pool) != 1)
            abort();
        left = sizeof pool;
    }
    left -= n;
    memcpy(out, pool + left, n);
    explicit_bzero(pool + left, n);
}

struct buf *worker_scratch(size_t max)
{
    static struct buf scratch;
    if (scratch.cap > SCRATCH_KEPT)
        buf_free(&scratch);
    scratch.max = max;
    buf_reset(&scratch);
    return &scratch;
}

void worker_uuid(char out[37])
{
    uint8_t random[16];
    worker_random(random, sizeof random);
    uuid_print(random, out);
}

/* --- TLS contexts, made anew when the authentication certificate changes --- */

static int set_tls(struct tls **t, enum tls_kind kind, const struct slice *chain, size_t n,
                   EVP_PKEY *key, struct diag *d)
{
    if (*t != NULL)
        return tls_replace(*t, chain, n, key, d);
    *t = tls_new(kind, chain, n, key, d);
    return *t == NULL ? d->code : 0;
}

static int refresh_tls(struct worker *w, struct diag *d)
{
    struct snapshot *s = w->snap;
    int i = snapshot_auth_key(s);
    struct slice chain[9];
    char name[65];
    if (i < 0 || w->tls_line < 0)
        return 0;
    if (slice_eq(s->conf.keys[i].cert, w->auth_cert))
        return 0;
    /* By its certificate: under the name there may soon be another key. */
    hex_print(slice_of(s->cert[i]->sha256, sizeof s->cert[i]->sha256), name);
    EVP_PKEY *key = remote_key_new(w->tls_line, SIGNER_TLS, name, s->cert[i]->key, d);
    if (key == NULL)
        return d->code;
    size_t n = 0;
    chain[n++] = s->conf.keys[i].cert;
    for (size_t k = 0; k < s->n_chain; k++)
        chain[n++] = s->chain[k];
    int rc = set_tls(&w->peer_server, TLS_PEER_SERVER, chain, n, key, d);
    rc = rc != 0 ? rc : set_tls(&w->peer_client, TLS_PEER_CLIENT, chain, n, key, d);
    rc = rc != 0 ? rc : set_tls(&w->edge_server, TLS_EDGE_SERVER, chain, n, key, d);
    rc = rc != 0 ? rc : set_tls(&w->edge_client, TLS_EDGE_CLIENT, chain, n, key, d);
    EVP_PKEY_free(key);
    if (rc != 0)
        return rc;
    uint8_t *copy = malloc(chain[0].n);
    if (copy == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a certificate");
    memcpy(copy, chain[0].p, chain[0].n);
    free((void *)w->auth_cert.p);
    w->auth_cert = slice_of(copy, chain[0].n);
    return 0;
}

/* --- listeners --- */

/*
 * What each worker leaves to strangers, at each listener: connections at once, of one address;
 * tokens a second of one address, and at most; the same of all. A handshake costs about what an
 * exchange costs, so strangers get few; a plain connection costs a tenth of that.
 */
static const struct admission_limits at_edge = {1024, 512, 50, 1000, 200, 4000, KNOWN_MS},
                                     at_edge_tls = {512, 384, 10, 384, 50, 512, KNOWN_MS},
                                     at_peers = {512, 384, 10, 384, 50, 512, KNOWN_MS};

static struct http_server *serve(struct worker *w, const char *name, struct tls *tls,
                                 const struct admission_limits *strangers,
                                 const struct http_handler *h)
{
    const struct http_limits limits = {
        .head_timeout_ms = HEAD_MS, .idle_timeout_ms = IDLE_MS, .admission = strangers};
    int fd = group_listen_fd(w->self, name);
    if (fd < 0)
        return NULL;
    return http_server_new(w->loop, fd, tls, &limits, h, w);
}

/* A listener opens as soon as what it needs is known: plain ones at once, TLS with the first
 * certificate. */
static void open_listeners(struct worker *w)
{
    if (w->http == NULL)
        w->http = serve(w, "http", NULL, &at_edge, &consumer_handler);
    if (w->ocsp == NULL)
        w->ocsp = serve(w, "ocsp", NULL, &at_edge, &ocsp_server_handler);
    if (w->peer == NULL && w->peer_server != NULL)
        w->peer = serve(w, "peer", w->peer_server, &at_peers, &provider_handler);
    if (w->https == NULL && w->edge_server != NULL)
        w->https = serve(w, "https", w->edge_server, &at_edge_tls, &consumer_handler);
}

/* Servers of the global configuration are no strangers, whatever they do first. */
static void name_servers(struct worker *w)
{
    struct http_server *server[] = {w->peer, w->ocsp};
    size_t n = snapshot_servers(w->snap, NULL, 0);
    struct net_addr *all = malloc((n + 1) * sizeof *all);
    if (all == NULL)
        return; /* those of before stay */
    n = snapshot_servers(w->snap, all, n);
    for (size_t i = 0; i < ARRAY_LEN(server); i++)
        if (server[i] != NULL && admission_name(http_server_admission(server[i]), all, n) != 0)
            report(REPORT_WARN, "strangers", "no memory for the addresses of known servers");
    free(all);
}

/* --- snapshots --- */

static void settle(struct worker *w)
{
    struct diag d = {0};
    if (w->snap == NULL || w->tls_line < 0 || !ask_connected(w->ask))
        return;
    if (refresh_tls(w, &d) != 0)
        report_diag(REPORT_ERROR, "tls", NULL, &d);
    open_listeners(w);
    if (w->snap->gc != NULL)
        name_servers(w);
    if (w->snap->gc != NULL && w->peer_client != NULL &&
        globalconf_check_valid(w->snap->gc, loop_wall_ms(w->loop), &d) == 0)
        group_ready(w->self);
}

static void on_agent_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct worker *w = ctx;
    struct snapshot *s;
    struct diag d = {0};
    (void)c;
    if (f->type != FRAME_SNAPSHOT || f->fd < 0) {
        if (f->fd >= 0)
            close(f->fd);
        return;
    }
    if (snapshot_open(f->fd, &s, &d) != 0) {
        report_diag(REPORT_ERROR, "snapshot", NULL, &d);
        return;
    }
    snapshot_unref(w->snap);
    w->snap = s;
    tally_set(FACTS_SNAPSHOT, (uint64_t)loop_wall_ms(w->loop));
    xades_cache_clear(w->verdicts);
    settle(w);
}

static void on_agent_closed(void *ctx, struct ipc *c)
{
    struct worker *w = ctx;
    if (w->agent == c)
        w->agent = NULL;
    ipc_free(c);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events agent_events = {.on_frame = on_agent_frame,
                                                   .on_close = on_agent_closed};
    struct worker *w = ctx;
    if (strcmp(name, "key!") == 0 || strcmp(name, "key:0!") == 0) {
        if (w->tls_line >= 0)
            close(w->tls_line);
        w->tls_line = fd;
    } else if (strncmp(name, "key", 3) == 0) {
        ask_connect_key(w->ask, fd);
    } else if (strncmp(name, "log", 3) == 0) {
        ask_connect_log(w->ask, fd);
    } else if (strncmp(name, "agent", 5) == 0) {
        ipc_free(w->agent);
        w->agent = ipc_new(w->loop, fd, 0, &agent_events, w);
    } else {
        close(fd);
    }
    settle(w);
}

/* --- life --- */

static void on_deadline(void *ctx)
{
    struct worker *w = ctx;
    loop_stop(w->loop);
}

static void on_stopped(void *ctx)
{
    struct worker *w = ctx;
    if (--w->stopping == 0)
        loop_stop(w->loop);
}

/* Exchanges in hand end first; the group kills what takes longer. */
static void on_stop(void *ctx)
{
    struct worker *w = ctx;
    struct http_server *server[] = {w->peer, w->ocsp, w->https, w->http};
    if (w->stopping > 0)
        return;
    w->stopping = ARRAY_LEN(server);
    for (size_t i = 0; i < ARRAY_LEN(server); i++) {
        if (server[i] != NULL)
            http_server_stop(server[i], on_stopped, w);
        else
            on_stopped(w);
    }
    loop_timer_start(w->loop, STOP_MS, on_deadline, w);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct worker *w = ctx;
    (void)command;
    group_answer(w->self, id, EXIT_DONE, SLICE_NONE); /* the agent brings what changed */
}

static void release(struct worker *w)
{
    http_server_free(w->http);
    http_server_free(w->https);
    http_server_free(w->peer);
    http_server_free(w->ocsp);
    http_client_free(w->peers);
    http_client_free(w->providers);
    ipc_free(w->agent);
    ask_free(w->ask);
    peer_cache_free(w->peer_ocsp);
    verdict_chains_free(w->chains);
    xades_cache_free(w->verdicts);
    tls_free(w->peer_server);
    tls_free(w->peer_client);
    tls_free(w->edge_server);
    tls_free(w->edge_client);
    free((void *)w->auth_cert.p);
    snapshot_unref(w->snap);
}

int worker_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct worker w = {.self = self, .loop = group_loop(self), .tls_line = -1};
    struct diag d = {0};
    (void)config_path; /* a worker opens no files: its configuration is in the snapshots */
    w.far.word = FACTS_FAR;
    w.far.text = FACTS_TEXT_FAR;
    w.near.word = FACTS_NEAR;
    w.near.text = FACTS_TEXT_NEAR;
    facts_worker_begin();
    w.ask = ask_new(w.loop);
    w.peers = http_client_new(w.loop, IDLE_PEERS, IDLE_OUT_MS);
    w.providers = http_client_new(w.loop, IDLE_PROVIDERS, IDLE_OUT_MS);
    w.peer_ocsp = peer_cache_new();
    w.chains = verdict_chains_new();
    w.verdicts = xades_cache_new(VERDICT_CACHE);
    if (w.ask == NULL || w.peers == NULL || w.providers == NULL || w.peer_ocsp == NULL ||
        w.chains == NULL || w.verdicts == NULL)
        return EXIT_COULD_NOT;
    /* Here the process narrows itself: from now on no files, only TCP. */
    if (sandbox_enter(SANDBOX_WORKER, NULL, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &w);
    loop_run(w.loop);
    release(&w);
    return EXIT_DONE;
}
