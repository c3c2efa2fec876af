#include "trust/responder.h"
#include "base/base64.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/map.h"
#include "base/opt.h"
#include "crypto/ocsp.h"
#include "crypto/tsp.h"
#include "keys/remote.h"
#include "net/http_server.h"
#include "proc/certfile.h"
#include "proc/report.h"
#include "proc/sandbox.h"
#include "trust/ca.h"
#include "trust/trust_conf.h"
#include "trust/trust_facts.h"
#include "wire/uri.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX 16384
#define ANSWER_MAX 65536
#define CERTS_MAX (1u << 22)

struct status {
    uint8_t serial[CA_SERIAL_MAX];
    size_t n;
    bool revoked;
    int64_t revoked_ms;
    int reason;
};

struct responder {
    struct group_self *self;
    struct loop *loop;
    struct trust_conf conf;
    struct cert *ca, *ocsp_cert, *tsa_cert;
    EVP_PKEY *ocsp_key, *tsa_key;
    int key_line;
    struct ipc *log;
    struct map *by_serial;
    bool complete; /* the state of the start is here: only now "unknown" may be said */
    struct http_server *ocsp, *tsa;
};

/* One request's body. */
struct asked {
    struct responder *r;
    struct buf body;
    bool tsa;
};

/* --- the state, from the CA --- */

static struct status *status_of(struct responder *r, struct slice serial)
{
    struct status *s = map_get(r->by_serial, serial);
    if (s != NULL || serial.n == 0 || serial.n > CA_SERIAL_MAX)
        return s;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    memcpy(s->serial, serial.p, serial.n);
    s->n = serial.n;
    if (map_put(r->by_serial, slice_of(s->serial, s->n), s) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

static void serve(struct responder *r);

static void on_log_frame(void *ctx, struct ipc *line, const struct ipc_frame *f)
{
    struct responder *r = ctx;
    struct rd rd = rd_of(f->body);
    (void)line;
    if (f->fd >= 0)
        close(f->fd);
    if (f->type == CA_FRAME_ALL_SENT) {
        r->complete = true;
        serve(r);
        return;
    }
    struct status *s = status_of(r, rd_var(&rd, CA_SERIAL_MAX));
    if (s == NULL || f->type != CA_FRAME_REVOKED)
        return;
    s->revoked_ms = (int64_t)rd_u64(&rd);
    s->reason = rd_u8(&rd);
    s->revoked = true;
}

static void on_log_closed(void *ctx, struct ipc *line)
{
    struct responder *r = ctx;
    if (r->log == line)
        r->log = NULL;
    ipc_free(line);
}

/* --- answering --- */

static void answer_ocsp(struct responder *r, struct slice der, struct buf *out)
{
    struct ocsp_request req;
    struct ocsp_answer ans[OCSP_QUERY_MAX];
    struct diag d = {0};
    if (ocsp_request_parse(der, &req, &d) != 0) {
        if (ocsp_response_error(1, out) != 0)
            report(REPORT_ERROR, "ocsp", "an error response could not be made");
        return;
    }
    for (size_t i = 0; i < req.n; i++) {
        const struct ocsp_query *q = &req.q[i];
        const struct status *s = ocsp_query_is_of(q, r->ca)
                                     ? map_get(r->by_serial, slice_of(q->serial, q->serial_len))
                                     : NULL;
        ans[i] = (struct ocsp_answer){.status = OCSP_UNKNOWN, .revocation_reason = -1};
        if (s == NULL)
            continue;
        ans[i].status = s->revoked ? OCSP_REVOKED : OCSP_GOOD;
        ans[i].revoked_ms = s->revoked_ms;
        ans[i].revocation_reason = s->revoked ? s->reason : -1;
    }
    int64_t now = loop_wall_ms(r->loop);
    int rc = ocsp_response_make(&req, ans, r->ocsp_cert, r->ocsp_key, now,
                                now + r->conf.ocsp_next_ms, out, &d);
    ocsp_request_free(&req);
    tally_add(rc == 0 ? TRUST_FACTS_OCSP : TRUST_FACTS_OCSP_FAILED, 1);
    if (rc == 0)
        return;
    report_diag(REPORT_ERROR, "ocsp", NULL, &d);
    buf_reset(out);
    if (ocsp_response_error(2, out) != 0)
        report(REPORT_ERROR, "ocsp", "an error response could not be made");
}

static void answer(struct asked *a, struct http_exchange *x)
{
    struct responder *r = a->r;
    struct buf out;
    struct diag d = {0};
    uint8_t serial[16];
    buf_init(&out, ANSWER_MAX);
    if (!a->tsa) {
        answer_ocsp(r, buf_view(&a->body), &out);
        http_reply(x, 200, "application/ocsp-response", SLICE_NONE, buf_view(&out));
    } else if (RAND_bytes(serial, sizeof serial) == 1 &&
               tsp_respond(buf_view(&a->body), r->tsa_cert, r->tsa_key, serial,
                           loop_wall_ms(r->loop), &out, &d) == 0) {
        tally_add(TRUST_FACTS_TSA, 1);
        http_reply(x, 200, "application/timestamp-reply", SLICE_NONE, buf_view(&out));
    } else {
        tally_add(TRUST_FACTS_TSA_FAILED, 1);
        report_diag(REPORT_ERROR, "tsa", NULL, &d);
        http_reply(x, 500, "text/plain", SLICE_NONE, SLICE_LIT("no time-stamp can be made now\n"));
    }
    buf_free(&out);
}

/* The path that requests are below: that of the responder's URL, with a slash at its end. */
static struct slice base_path(const struct responder *r)
{
    const char *host = r->conf.ocsp_url == NULL ? NULL : strstr(r->conf.ocsp_url, "://");
    const char *path = host == NULL ? NULL : strchr(host + 3, '/');
    return path == NULL ? SLICE_LIT("/") : slice_str(path);
}

/* What stands behind the base path; empty when nothing does. */
static struct slice below(const struct responder *r, struct slice target)
{
    struct slice base = base_path(r);
    size_t n = base.n > 0 && base.p[base.n - 1] == '/' ? base.n - 1 : base.n;
    if (target.n <= n || !slice_eq(slice_sub(target, 0, n), slice_sub(base, 0, n)) ||
        target.p[n] != '/')
        return slice_from(target, 1);
    return slice_from(target, n + 1);
}

/* RFC 6960 A.1: the request, base64 and percent-encoded, is the path. Many clients leave the
 * slashes that base64 has as they are. */
static bool take_path(struct asked *a, struct slice path)
{
    struct slice piece;
    struct buf text;
    int rc = 0;
    buf_init(&text, REQUEST_MAX);
    for (bool first = true; rc == 0 && slice_next(&path, '/', &piece); first = false) {
        if (!first)
            buf_byte(&text, '/');
        rc = piece.n == 0 ? 0 : uri_segment_decode(piece, &text);
    }
    bool ok = rc == 0 && !text.failed && base64_decode(&a->body, buf_view(&text), false) == 0;
    buf_free(&text);
    return ok;
}

static void answer_get(struct asked *a, struct http_exchange *x)
{
    struct slice path = below(a->r, http_exchange_head(x)->target);
    if (path.n == 0) {
        http_reply(x, 405, "text/plain", SLICE_LIT("Allow: POST\r\n"),
                   SLICE_LIT("POST an OCSP request here, or GET it as the path\n"));
        return;
    }
    if (!take_path(a, path))
        buf_reset(&a->body); /* an empty request: answered as malformed */
    answer(a, x);
}

static void on_request_of(struct responder *r, struct http_exchange *x, bool tsa)
{
    const struct http_head *h = http_exchange_head(x);
    struct asked *a = calloc(1, sizeof *a);
    if (a == NULL) {
        http_reply(x, 503, "text/plain", SLICE_NONE, SLICE_LIT("no memory\n"));
        return;
    }
    a->r = r;
    a->tsa = tsa;
    buf_init(&a->body, REQUEST_MAX);
    http_exchange_set(x, a);
    if (slice_eq_str(h->method, "POST"))
        return;
    if (!tsa && slice_eq_str(h->method, "GET"))
        answer_get(a, x);
    else
        http_reply(x, 405, "text/plain", SLICE_LIT("Allow: POST\r\n"),
                   SLICE_LIT("POST a request here\n"));
}

static void on_ocsp_request(void *ctx, struct http_exchange *x)
{
    on_request_of(ctx, x, false);
}

static void on_tsa_request(void *ctx, struct http_exchange *x)
{
    on_request_of(ctx, x, true);
}

static void on_body(void *ctx, struct http_exchange *x, struct slice piece)
{
    struct asked *a = ctx;
    (void)x;
    if (a != NULL)
        buf_slice(&a->body, piece);
}

static void on_body_end(void *ctx, struct http_exchange *x)
{
    struct asked *a = ctx;
    if (a == NULL || !slice_eq_str(http_exchange_head(x)->method, "POST"))
        return;
    if (a->body.failed)
        http_reply(x, 413, "text/plain", SLICE_NONE, SLICE_LIT("the request is too large\n"));
    else
        answer(a, x);
}

static void on_done(void *ctx, struct http_exchange *x, bool aborted)
{
    struct asked *a = ctx;
    (void)x;
    (void)aborted;
    if (a == NULL)
        return;
    buf_free(&a->body);
    free(a);
}

static void serve(struct responder *r)
{
    static const struct http_handler ocsp = {.on_request = on_ocsp_request,
                                             .on_body = on_body,
                                             .on_body_end = on_body_end,
                                             .on_done = on_done};
    static const struct http_handler tsa = {.on_request = on_tsa_request,
                                            .on_body = on_body,
                                            .on_body_end = on_body_end,
                                            .on_done = on_done};
    static const struct http_limits limits = {.body_max = REQUEST_MAX};
    if (!r->complete || r->ocsp_key == NULL || r->tsa_key == NULL || r->ocsp != NULL)
        return;
    r->ocsp = http_server_new(r->loop, group_listen_fd(r->self, "ocsp"), NULL, &limits, &ocsp, r);
    r->tsa = http_server_new(r->loop, group_listen_fd(r->self, "tsa"), NULL, &limits, &tsa, r);
    group_ready(r->self);
}

/* --- life --- */

static void on_peer(void *ctx, const char *name, int fd)
{
    static const struct ipc_events ev = {.on_frame = on_log_frame, .on_close = on_log_closed};
    struct responder *r = ctx;
    struct diag d = {0};
    if (strchr(name, '!') != NULL) {
        EVP_PKEY_free(r->ocsp_key);
        EVP_PKEY_free(r->tsa_key);
        if (r->key_line >= 0)
            close(r->key_line);
        r->key_line = fd;
        r->ocsp_key = remote_key_new(fd, SIGNER_OCSP, "ocsp", r->ocsp_cert->key, &d);
        r->tsa_key = remote_key_new(fd, SIGNER_TSP, "tsa", r->tsa_cert->key, &d);
        if (r->ocsp_key == NULL || r->tsa_key == NULL)
            report_diag(REPORT_ERROR, "responder", NULL, &d);
        serve(r);
    } else if (strncmp(name, "log", 3) == 0) {
        ipc_free(r->log);
        r->log = ipc_new(r->loop, fd, 0, &ev, r);
    } else {
        close(fd);
    }
}

static void on_stop(void *ctx)
{
    struct responder *r = ctx;
    loop_stop(r->loop);
}

static void on_command(void *ctx, uint64_t id, struct slice command)
{
    struct responder *r = ctx;
    (void)command;
    group_answer(r->self, id, EXIT_DONE, SLICE_NONE);
}

int responder_run(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {
        .on_peer = on_peer, .on_command = on_command, .on_stop = on_stop};
    struct responder r = {.self = self, .loop = group_loop(self), .key_line = -1};
    struct diag d = {0};
    int rc = trust_conf_read(config_path, &r.conf, &d);
    r.by_serial = map_new(CERTS_MAX, 0);
    r.ca = rc == 0 ? certfile_read(r.conf.dir, "ca", &d) : NULL;
    r.ocsp_cert = rc == 0 ? certfile_read(r.conf.dir, "ocsp", &d) : NULL;
    r.tsa_cert = rc == 0 ? certfile_read(r.conf.dir, "tsa", &d) : NULL;
    if (rc != 0 || r.by_serial == NULL || r.ca == NULL || r.ocsp_cert == NULL ||
        r.tsa_cert == NULL) {
        report_diag(REPORT_ERROR, "start", NULL, &d);
        return EXIT_COULD_NOT;
    }
    tally_set(TRUST_FACTS_EXPIRY, (uint64_t)r.ca->not_after_ms);
    tally_set(TRUST_FACTS_EXPIRY + 1, (uint64_t)r.ocsp_cert->not_after_ms);
    tally_set(TRUST_FACTS_EXPIRY + 2, (uint64_t)r.tsa_cert->not_after_ms);
    /* Here the process narrows itself: from now on no files, only what was bound for it. */
    if (sandbox_enter(SANDBOX_SERVER, NULL, &d) != 0) {
        report_diag(REPORT_ERROR, "sandbox", NULL, &d);
        return EXIT_COULD_NOT;
    }
    group_begin(self, &events, &r);
    loop_run(r.loop);
    http_server_free(r.ocsp);
    http_server_free(r.tsa);
    ipc_free(r.log);
    EVP_PKEY_free(r.ocsp_key);
    EVP_PKEY_free(r.tsa_key);
    cert_free(r.ca);
    cert_free(r.ocsp_cert);
    cert_free(r.tsa_cert);
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(r.by_serial, &at, &key, &value);)
        free(value);
    map_free(r.by_serial);
    trust_conf_free(&r.conf);
    return EXIT_DONE;
}
