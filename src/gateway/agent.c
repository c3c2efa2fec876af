#include "gateway/agent.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/opt.h"
#include "gateway/advice.h"
#include "gateway/conffile.h"
#include "gateway/confclient.h"
#include "gateway/facts.h"
#include "gateway/frames.h"
#include "gateway/ocspclient.h"
#include "gateway/snapshot.h"
#include "gateway/stampclient.h"
#include "proc/fs.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "submit/courier.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 17
#define FIRST_RETRY_MS 500 /* until a valid configuration is there */
#define IMAGE_MAX (256u << 20)
#define ADDRESSES_MAX (4u << 20)
#define PARTS_MAX 100

struct agent {
    struct group_self *self;
    struct loop *loop;
    char dir[2048];
    struct conffile file; /* with the files that it names, as they were when it was read */
    struct confclient *conf;
    struct ocspclient *ocsp;
    struct ipc *peer[PEERS_MAX]; /* workers 0…15, log */
    struct buf image;
    struct globalconf *gc;
    uint64_t generation;
    int snapshot_fd;
    struct digest published; /* of what the snapshot holds */
    struct loop_timer *timer;
    int64_t retry_ms; /* while there is no valid configuration; doubled each time */
    bool fetched;
    struct frames_stamp *stamp;
    struct buf record;
    struct courier *courier; /* carries the log's heads to the ledger */
};

/* --- names to addresses --- */

static void add_host(struct buf *out, struct slice host)
{
    struct net_addr addr[8];
    char text[256];
    size_t n;
    if (host.n == 0 || !slice_cstr(host, text, sizeof text) ||
        net_addr_parse(text, 1, &addr[0]) == 0 || net_addr_resolve(text, 1, addr, 8, &n, NULL) != 0)
        return; /* a number needs no entry; an unknown name has none */
    wr_var(out, host);
    wr_u16(out, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        bool v6 = addr[i].sa.ss_family == AF_INET6;
        wr_u8(out, v6 ? 6 : 4);
        if (v6)
            buf_add(out, &((struct sockaddr_in6 *)&addr[i].sa)->sin6_addr, 16);
        else
            buf_add(out, &((struct sockaddr_in *)&addr[i].sa)->sin_addr, 4);
    }
}

static void resolve_all(struct agent *a, struct buf *out)
{
    const struct serverconf *c = &a->file.conf;
    struct globalconf_server v;
    struct http_url u;
    for (size_t at = 0; globalconf_each_server(a->gc, globalconf_instance(a->gc), &at, &v);)
        add_host(out, v.address);
    for (size_t i = 0; i < c->n_services; i++) {
        for (size_t k = 0; k < c->services[i].n_urls; k++)
            add_host(out, c->services[i].parsed[k].host);
        if (c->services[i].description.n > 0 && http_url_parse(c->services[i].description, &u) == 0)
            add_host(out, u.host);
    }
}

/* --- snapshots --- */

static void send_snapshot(struct agent *a, struct ipc *c)
{
    if (c != NULL && a->snapshot_fd >= 0 &&
        ipc_send(c, FRAME_SNAPSHOT, 0, a->generation, SLICE_NONE, a->snapshot_fd, false) != 0)
        report(REPORT_ERROR, "snapshot", "a snapshot could not be sent");
}

/* OCSP responses of all keys; how many parts were added. The responses are copied into the arena.
 */
static size_t add_ocsp(struct agent *a, struct arena *mem, struct snapshot_part *part)
{
    const struct serverconf *c = &a->file.conf;
    size_t n = 0;
    for (size_t i = 0; i < c->n_keys; i++) {
        struct diag d = {0};
        struct cert *cert = c->keys[i].cert.n == 0 ? NULL : cert_parse(c->keys[i].cert, &d);
        if (cert == NULL) {
            facts_key(i, c, NULL, SLICE_NONE, a->gc, loop_wall_ms(a->loop), &d);
            continue;
        }
        struct slice der = ocspclient_get(a->ocsp, a->gc, globalconf_instance(a->gc), cert,
                                          loop_wall_ms(a->loop), &d);
        if (der.n > 0)
            part[n++] = (struct snapshot_part){SNAPSHOT_OCSP, (uint16_t)i, arena_dup(mem, der)};
        facts_key(i, c, cert, der, a->gc, loop_wall_ms(a->loop), &d);
        cert_free(cert);
    }
    return n;
}

/* What is known of the keys without asking anybody. */
static void note_keys(const struct agent *a)
{
    const struct serverconf *c = &a->file.conf;
    struct diag none = {0};
    facts_keys(c);
    for (size_t i = 0; a->gc == NULL && i < c->n_keys; i++) { /* else the next round knows more */
        struct cert *cert = c->keys[i].cert.n == 0 ? NULL : cert_parse(c->keys[i].cert, NULL);
        facts_key(i, c, cert, SLICE_NONE, a->gc, loop_wall_ms(a->loop), &none);
        cert_free(cert);
    }
}

/* The chain sent in TLS: CAs above the leaf without the last one found (transport.md 2.2). */
static size_t add_chain(struct agent *a, struct arena *mem, struct snapshot_part *part)
{
    const struct serverconf_key *k = serverconf_auth_key(&a->file.conf);
    struct slice instance = globalconf_instance(a->gc);
    struct diag d = {0};
    struct cert *leaf = k == NULL ? NULL : cert_parse(k->cert, &d);
    const struct globalconf_ca *ca =
        leaf == NULL ? NULL : globalconf_ca(a->gc, instance, leaf->issuer);
    size_t n = 0;
    for (uint16_t i = 0; ca != NULL && i < 8; i++) {
        const struct cert *c = ca->cert;
        const struct globalconf_ca *up =
            slice_eq(c->subject, c->issuer) ? NULL : globalconf_ca(a->gc, instance, c->issuer);
        if (up == NULL)
            break;
        part[n++] = (struct snapshot_part){SNAPSHOT_CHAIN_CERT, i, arena_dup(mem, c->der)};
        struct slice der = ocspclient_get(a->ocsp, a->gc, instance, c, loop_wall_ms(a->loop), &d);
        if (der.n > 0)
            part[n++] = (struct snapshot_part){SNAPSHOT_CHAIN_OCSP, i, arena_dup(mem, der)};
        ca = up;
    }
    cert_free(leaf);
    return n;
}

/* False when the last snapshot holds the same: it stays, with all that was judged under it. */
static bool is_news(struct agent *a, const struct snapshot_part *part, size_t n)
{
    struct digest_ctx *c = digest_ctx_new();
    struct digest now;
    if (c == NULL)
        return true;
    digest_begin(c, DIGEST_SHA256);
    for (size_t i = 0; i < n; i++) {
        uint64_t head[3] = {part[i].type, part[i].index, part[i].bytes.n};
        digest_add(c, slice_of(head, sizeof head));
        digest_add(c, part[i].bytes);
    }
    digest_end(c, &now);
    digest_ctx_free(c);
    bool news = a->snapshot_fd < 0 || !digest_eq(&now, &a->published);
    a->published = now;
    return news;
}

static void publish(struct agent *a)
{
    struct snapshot_part part[PARTS_MAX];
    struct buf addresses;
    struct diag d = {0};
    struct arena *mem = arena_new(4u << 20);
    size_t n = 0;
    bool news = false;
    int fd = -1;
    buf_init(&addresses, ADDRESSES_MAX);
    int rc = mem == NULL ? diag_set(&d, ERR_NOMEM, "no memory for a snapshot") : 0;
    if (rc == 0) {
        resolve_all(a, &addresses);
        part[n++] = (struct snapshot_part){SNAPSHOT_SERVERCONF, 0, buf_view(&a->file.text)};
        part[n++] = (struct snapshot_part){SNAPSHOT_GLOBALCONF, 0, buf_view(&a->image)};
        part[n++] = (struct snapshot_part){SNAPSHOT_ADDRESSES, 0, buf_view(&addresses)};
        facts_clients(&a->file.conf, a->gc, loop_wall_ms(a->loop));
        n += add_ocsp(a, mem, part + n);
        n += add_chain(a, mem, part + n);
        news = is_news(a, part, n);
        if (news)
            rc = snapshot_write(a->generation + 1, globalconf_expires(a->gc), part, n, &fd, &d);
    }
    if (rc == 0 && news) {
        if (a->snapshot_fd >= 0)
            close(a->snapshot_fd);
        a->snapshot_fd = fd;
        a->generation++;
        for (size_t i = 0; i < PEERS_MAX; i++)
            send_snapshot(a, a->peer[i]);
    } else if (rc != 0) {
        a->published.n = 0; /* tried again in the next round */
        report_diag(REPORT_ERROR, "snapshot", NULL, &d);
    }
    buf_free(&addresses);
    arena_free(mem);
}

/* --- rounds --- */

static int load_image(struct agent *a, struct diag *d)
{
    struct globalconf *g;
    struct buf image;
    buf_init(&image, IMAGE_MAX);
    int rc = confclient_image(a->conf, &image, d);
    rc = rc != 0 ? rc : globalconf_open(buf_view(&image), &g, d);
    if (rc != 0) {
        buf_free(&image);
        return rc;
    }
    globalconf_close(a->gc);
    buf_free(&a->image);
    a->image = image;
    a->gc = g;
    facts_conf_loaded(g);
    return 0;
}

static void round_now(void *ctx)
{
    struct agent *a = ctx;
    struct diag d = {0};
    a->timer = NULL;
    int rc = confclient_round(a->conf, a->file.anchor, loop_wall_ms(a->loop), &d);
    if (rc != 0) {
        advice_to_diag(&d);
        report_diag(a->fetched ? REPORT_WARN : REPORT_INFO, "globalconf", NULL, &d);
    }
    if (rc == 0)
        a->fetched = true;
    facts_conf_round(rc == 0, loop_wall_ms(a->loop), &d);
    if ((a->gc != NULL && !confclient_changed(a->conf)) || load_image(a, &d) == 0)
        publish(a);
    int64_t interval = a->file.conf.config_interval_ms, wait = interval;
    if (a->gc != NULL && globalconf_check_valid(a->gc, loop_wall_ms(a->loop), &d) == 0) {
        group_ready(a->self);
        a->retry_ms = FIRST_RETRY_MS;
    } else {
        wait = a->retry_ms < interval ? a->retry_ms : interval;
        a->retry_ms = 2 * wait;
    }
    int64_t ocsp = ocspclient_wait(a->ocsp, loop_wall_ms(a->loop));
    a->timer = loop_timer_start(a->loop, ocsp < wait ? ocsp : wait, round_now, a);
}

/* --- lines --- */

static void stamp(struct agent *a, struct ipc *c, const struct ipc_frame *f)
{
    struct diag d = {0};
    int rc = frames_get_stamp(f->body, a->stamp);
    buf_reset(&a->record);
    if (rc != 0)
        diag_set(&d, rc, "a malformed request to stamp");
    else if (a->gc == NULL)
        rc = diag_set(&d, ERR_GC_OUTDATED, "the global configuration has not been read yet");
    else
        rc = globalconf_check_valid(a->gc, loop_wall_ms(a->loop), &d);
    rc = rc != 0 ? rc : stampclient_stamp(&a->file.conf, a->gc, a->stamp, &a->record, &d);
    if (rc != 0) {
        buf_reset(&a->record);
        frames_put_refused(&a->record, &d);
    }
    if (ipc_send(c, rc == 0 ? FRAME_STAMPED : FRAME_REFUSED, 0, f->id, buf_view(&a->record), -1,
                 false) != 0)
        report(REPORT_ERROR, "stamping", "an answer to the log could not be sent");
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct agent *a = ctx;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type == FRAME_STAMP)
        stamp(a, c, f);
    else
        courier_frame(a->courier, c, f);
}

static void on_close(void *ctx, struct ipc *c)
{
    struct agent *a = ctx;
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (a->peer[i] == c)
            a->peer[i] = NULL;
    courier_forget(a->courier, c);
    ipc_free(c);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_frame, .on_close = on_close};
    struct agent *a = ctx;
    int i = strncmp(name, "log", 3) == 0       ? PEERS_MAX - 1
            : strncmp(name, "worker:", 7) == 0 ? atoi(name + 7)
            : strncmp(name, "worker", 6) == 0  ? 0
                                               : -1;
    if (i < 0 || i >= PEERS_MAX) {
        close(fd);
        return;
    }
    if (a->peer[i] != NULL)
        on_close(a, a->peer[i]);
    a->peer[i] = ipc_new(a->loop, fd, 0, &ev, a);
    send_snapshot(a, a->peer[i]);
}

static void take_ledger(struct agent *a)
{
    struct diag d = {0};
    const struct serverconf *c = &a->file.conf;
    if (courier_configure(a->courier, c->ledger.url, c->ledger_policy, &d) != 0 ||
        confclient_demand(a->conf, c->require_logged ? c->ledger_policy : SLICE_NONE, &d) != 0)
        report_diag(REPORT_ERROR, "ledger", NULL, &d);
}

static void take_config(struct agent *a, const struct conffile *next)
{
    conffile_free(&a->file);
    a->file = *next;
    note_keys(a);
    take_ledger(a);
}

/* "reload" with a configuration that the parent has read and checked, since this process may not;
 * "watched" with another anchor; "refresh": a round now, with OCSP responses fetched anew. */
static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct agent *a = ctx;
    struct conffile next;
    struct diag d = {0};
    struct slice word, packed = command;
    slice_next(&packed, '\n', &word);
    if (slice_eq_str(word, "reload") && packed.p != NULL) {
        if (conffile_unpack(packed, &next, &d) != 0) {
            conffile_free(&next);
            report_diag(REPORT_ERROR, "reload", NULL, &d);
            group_answer(a->self, id, EXIT_NO, slice_str(d.text));
            return;
        }
        take_config(a, &next);
    } else if (slice_eq_str(word, "watched") && packed.p != NULL) {
        a->file.anchor = arena_dup(a->file.a, packed); /* for the next round */
        return;
    } else if (slice_eq_str(command, "refresh")) {
        ocspclient_refresh(a->ocsp);
    } else {
        group_answer(a->self, id, EXIT_USE, SLICE_LIT("refresh\n"));
        return;
    }
    loop_timer_cancel(a->timer);
    round_now(a);
    group_answer(a->self, id, EXIT_DONE, SLICE_NONE);
}

static void on_stop(void *ctx)
{
    struct agent *a = ctx;
    loop_stop(a->loop);
}

static int read_config(struct agent *a, const char *config_path, struct diag *d)
{
    struct conffile at;
    struct buf packed;
    buf_init(&packed, IPC_BODY_MAX);
    int rc = conffile_read(config_path, &at, d);
    snprintf(a->dir, sizeof a->dir, "%.*s", SLICE_ARG(at.conf.dir));
    conffile_free(&at);
    rc = rc != 0 ? rc : conffile_pack(config_path, &packed, d);
    rc = rc != 0 ? rc : conffile_unpack(buf_view(&packed), &a->file, d);
    buf_free(&packed);
    return rc;
}

/* All that needs other files than its own two folders; then the process narrows itself. */
static int prepare(struct agent *a, const char *config_path, struct diag *d)
{
    char folder[2200], ocsp[2200], federations[1024];
    const char *dirs[] = {folder, ocsp, NULL};
    int rc = read_config(a, config_path, d);
    if (rc != 0)
        return rc;
    snprintf(folder, sizeof folder, "%s/globalconf", a->dir);
    snprintf(ocsp, sizeof ocsp, "%s/ocsp", a->dir);
    snprintf(federations, sizeof federations, "%.*s", SLICE_ARG(a->file.conf.federations));
    note_keys(a);
    rc = fs_mkdirs(folder, 0755, d);
    rc = rc != 0 ? rc : fs_mkdirs(ocsp, 0755, d);
    a->conf = confclient_new(folder, federations);
    a->ocsp = ocspclient_new(ocsp);
    a->stamp = malloc(sizeof *a->stamp);
    a->courier = courier_new(a->loop);
    if (rc == 0 && (a->conf == NULL || a->ocsp == NULL || a->stamp == NULL || a->courier == NULL))
        rc = diag_set(d, ERR_NOMEM, "no memory for the agent");
    if (rc == 0)
        take_ledger(a);
    /* Here: from now on configuration and OCSP responses, TCP outwards. */
    return rc != 0 ? rc : sandbox_enter(SANDBOX_AGENT, dirs, d);
}

int agent_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct agent a = {.self = self, .loop = group_loop(self)};
    struct diag d = {0};
    a.snapshot_fd = -1;
    a.retry_ms = FIRST_RETRY_MS;
    /* Workers outlive an agent, and keep verdicts by generation: no number may come twice. */
    a.generation = (uint64_t)loop_mono_ms(a.loop);
    buf_init(&a.image, IMAGE_MAX);
    buf_init(&a.record, IPC_BODY_MAX);
    if (prepare(&a, config_path, &d) != 0) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    /* What an earlier run stored serves until the first round is through. */
    if (load_image(&a, &d) == 0)
        publish(&a);
    group_begin(self, &events, &a);
    a.timer = loop_timer_start(a.loop, 0, round_now, &a);
    loop_run(a.loop);
    loop_timer_cancel(a.timer);
    for (size_t i = 0; i < PEERS_MAX; i++)
        ipc_free(a.peer[i]);
    courier_free(a.courier);
    globalconf_close(a.gc);
    buf_free(&a.image);
    buf_free(&a.record);
    confclient_free(a.conf);
    ocspclient_free(a.ocsp);
    conffile_free(&a.file);
    free(a.stamp);
    if (a.snapshot_fd >= 0)
        close(a.snapshot_fd);
    return EXIT_DONE;
}
