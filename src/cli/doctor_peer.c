/* What a gateway meets: its own clients' door, the other gateways, the information systems. */
#include "base/err.h"
#include "base/hex.h"
#include "base/timeval.h"
#include "cli/country.h"
#include "cli/doctor_int.h"
#include "net/http_client.h"
#include "net/net.h"
#include "net/tls.h"
#include "proc/fs.h"
#include "wire/mime.h"
#include "xroad/trust.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PEERS_MAX 64
#define ANSWER_MAX (256u << 10)
#define ADDRESSES_MAX 4

/* --- a connection --- */

/* Blocking, with a limit on each step; -1 with why filled. */
static int connect_to(struct slice host, uint16_t port, struct diag *why)
{
    const struct timeval limit = {.tv_sec = DOCTOR_CALL_MS / 1000};
    struct net_addr addr[ADDRESSES_MAX];
    char name[256];
    size_t n = 0;
    if (!slice_cstr(host, name, sizeof name) || name[0] == 0) {
        diag_set(why, ERR_UNKNOWN_HOST, "it has no address");
        return -1;
    }
    if (net_addr_resolve(name, port, addr, ADDRESSES_MAX, &n, why) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int fd = socket(addr[i].sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(fd, (struct sockaddr *)&addr[i].sa, addr[i].len) == 0)
            return fd;
        close(fd);
    }
    diag_set(why, ERR_NETWORK, "nobody answers at %s:%u", name, port);
    return -1;
}

/* The certificate that the server shows; without one of our own the handshake may fail after it. */
static struct cert *shown_cert(int fd, struct diag *why)
{
    struct tls *t = tls_new(TLS_EDGE_CLIENT, NULL, 0, NULL, why);
    SSL *ssl = t == NULL ? NULL : SSL_new(tls_ctx(t));
    struct cert *c = NULL;
    unsigned char *der = NULL;
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1) {
        (void)SSL_connect(ssl);
        X509 *x = SSL_get0_peer_certificate(ssl);
        int n = x == NULL ? -1 : i2d_X509(x, &der);
        if (n > 0)
            c = cert_parse(slice_of(der, (size_t)n), why);
        else
            diag_set(why, ERR_SSL_AUTH, "it shows no TLS certificate");
        OPENSSL_free(der);
    }
    ERR_clear_error();
    SSL_free(ssl);
    tls_free(t);
    return c;
}

/* --- a peer's OCSP response, from its own port --- */

static int first_part(const struct http_result *r, struct buf *out, struct diag *why)
{
    struct http_head head;
    struct mime_type t;
    size_t used;
    enum mime_event e = MIME_MORE;
    struct slice in = buf_view(&r->body), piece;
    if (http_parse_response(buf_view(&r->head), HTTP_CLIENT_HEAD_MAX, false, &head, &used, why) !=
            0 ||
        mime_type_parse(http_get(&head, "content-type"), &t) != 0)
        return diag_set(why, ERR_MIME_PARSING, "its answer is no multipart document");
    struct mime_reader *m = mime_reader_new(t.boundary);
    int rc = m == NULL ? diag_set(why, ERR_MIME_PARSING, "its answer has no boundary") : 0;
    while (rc == 0 && e != MIME_PART_END && in.n > 0) {
        rc = mime_read(m, &in, &e, &piece, why);
        if (rc == 0 && e == MIME_DATA)
            buf_slice(out, piece);
        if (e == MIME_MORE || e == MIME_END)
            break;
    }
    mime_reader_free(m);
    return rc;
}

static int fetch_ocsp(struct slice host, uint16_t port, const struct cert *c, struct buf *out,
                      struct diag *why)
{
    char url[512], hex[65];
    struct http_result r;
    bool v6 = slice_find(host, ':') != SIZE_MAX;
    hex_print(slice_of(c->sha256, 32), hex);
    snprintf(url, sizeof url, "http://%s%.*s%s:%u/?cert_hash=%s", v6 ? "[" : "", SLICE_ARG(host),
             v6 ? "]" : "", port, hex);
    int rc = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, ANSWER_MAX, DOCTOR_CALL_MS, &r, why);
    if (rc != 0)
        return rc;
    rc = r.status == 200 ? first_part(&r, out, why)
                         : diag_set(why, ERR_OCSP_FAILED, "it has no OCSP response to give");
    http_result_free(&r);
    return rc;
}

/* --- a peer --- */

struct meeting {
    struct doctor *d;
    struct doctor_gateway *g;
    const struct globalconf_server *peer;
    char name[64], subject[160];
};

static struct doctor_finding *bad(struct meeting *m, const char *what, const struct diag *why)
{
    return doctor_find_add(m->d, DOCTOR_PEER, m->subject, DOCTOR_FAIL, "the gateway %s %s: %s",
                           m->name, what, why->text);
}

static void next_peer(struct meeting *m, struct doctor_finding *f)
{
    if (m->d->dir != NULL)
        doctor_find_next(f, "sild doctor --dir '%s' %s", m->d->dir, m->name);
    else
        doctor_find_next(f, "# tell the operator of %s, whose sild doctor says more", m->name);
}

static void judge_ocsp(struct meeting *m, const struct cert *c, const struct globalconf_ca *ca)
{
    struct ocsp_trust trust;
    struct ocsp_info info = {.revoked_ms = 0};
    struct diag why = {0};
    struct buf der;
    struct doctor_finding *f;
    const struct globalconf *gc = m->g->conf;
    buf_init(&der, ANSWER_MAX);
    globalconf_ocsp_trust(gc, ca, &trust);
    int rc = fetch_ocsp(m->peer->address, m->g->file.conf.ocsp_port, c, &der, &why);
    bool read = rc == 0 && ocsp_parse(buf_view(&der), &info, NULL) == 0;
    if (rc == 0)
        rc = ocsp_verify(buf_view(&der), c, ca->cert, doctor_find_now(m->d), &trust, NULL, NULL,
                         &why);
    buf_free(&der);
    if (rc == 0) {
        doctor_find_add(m->d, DOCTOR_PEER, m->subject, DOCTOR_OK,
                        "%s answers; its certificate is registered and good", m->name);
        return;
    }
    f = bad(m, "gives no good OCSP response of its certificate", &why);
    if (read && info.status == OCSP_REVOKED)
        doctor_find_since(f, info.revoked_ms);
    next_peer(m, f);
}

static void meet(struct meeting *m)
{
    struct diag why = {0};
    struct globalconf_server v;
    int fd = connect_to(m->peer->address, m->g->file.conf.peer_port, &why);
    if (fd < 0) {
        next_peer(m, bad(m, "cannot be reached", &why));
        return;
    }
    struct cert *c = shown_cert(fd, &why);
    close(fd);
    const struct globalconf_ca *ca =
        c == NULL ? NULL : globalconf_ca(m->g->conf, m->peer->id.instance, c->issuer);
    if (c == NULL)
        next_peer(m, bad(m, "cannot be spoken to", &why));
    else if (!globalconf_server_of_cert(m->g->conf, c, &v) || !id_server_eq(&v.id, &m->peer->id))
        next_peer(m, bad(m, "is not what it should be",
                         &(struct diag){.text = "its certificate is not registered for it"}));
    else if (ca == NULL)
        next_peer(m, bad(m, "is not to be trusted",
                         &(struct diag){.text = "no approved authority issued its certificate"}));
    else
        judge_ocsp(m, c, ca);
    cert_free(c);
}

static void meet_all(struct doctor *d, struct doctor_gateway *g)
{
    struct globalconf_server v;
    size_t at = 0, n = 0;
    while (n < PEERS_MAX &&
           globalconf_each_server(g->conf, g->file.conf.server.instance, &at, &v)) {
        struct meeting m = {.d = d, .g = g, .peer = &v};
        if (id_server_eq(&v.id, &g->file.conf.server))
            continue;
        n++;
        snprintf(m.name, sizeof m.name, "%.*s", SLICE_ARG(v.id.server_code));
        snprintf(m.subject, sizeof m.subject, "%s/%s", g->name, m.name);
        meet(&m);
    }
    if (n == PEERS_MAX)
        doctor_find_add(d, DOCTOR_PEER, g->name, DOCTOR_WARN,
                        "only the first %d gateways of the configuration were asked", PEERS_MAX);
}

/* --- its own door --- */

static void knock(struct doctor *d, struct doctor_gateway *g)
{
    char url[512];
    struct http_result r;
    struct diag why = {0};
    struct doctor_finding *f;
    snprintf(url, sizeof url, "http://%.*s/listClients", SLICE_ARG(g->file.conf.http));
    int rc = http_fetch(url, "GET", SLICE_NONE, SLICE_NONE, 32u << 20, DOCTOR_CALL_MS, &r, &why);
    if (rc == 0 && r.status != 200) {
        struct slice said = slice_sub(slice_trim(buf_view(&r.body)), 0, 200);
        rc = diag_set(&why, ERR_NETWORK, "it answers with status %d: %.*s", r.status,
                      SLICE_ARG(said));
    }
    http_result_free(&r);
    if (rc == 0 && g->is_ready) {
        doctor_find_add(d, DOCTOR_READY, g->name, DOCTOR_OK,
                        "%s is ready and answers its clients at %.*s", g->name,
                        SLICE_ARG(g->file.conf.http));
        return;
    }
    f = doctor_find_add(d, DOCTOR_READY, g->name, DOCTOR_FAIL, "%s does not serve its clients: %s",
                        g->name, rc != 0 ? why.text : "it says that it is not ready");
    doctor_find_next(f, "sild gateway refresh --config '%s'", g->config);
}

/* --- information systems --- */

/* The role of the country that listens there; the address itself when none does. */
static void who_listens(const struct doctor *d, const char *address, char *out, size_t cap)
{
    snprintf(out, cap, "%.140s", address);
    for (int i = 0; d->dir != NULL && i < COUNTRY_ROLES; i++) {
        char path[DOCTOR_PATH], want[200];
        struct buf text;
        if (strcmp(country_roles[i].role, "registry") != 0)
            continue;
        buf_init(&text, 1u << 20);
        snprintf(path, sizeof path, "%s/%s/%s.conf", d->dir, country_roles[i].name,
                 country_roles[i].name);
        snprintf(want, sizeof want, "listen = %s\n", address);
        if (fs_read(path, &text, NULL) == 0 &&
            slice_find_slice(buf_view(&text), slice_str(want)) != SIZE_MAX)
            snprintf(out, cap, "%s", country_roles[i].name);
        buf_free(&text);
    }
}

static bool is_told(const struct doctor *d, const char *subject)
{
    for (size_t i = 0; i < d->n_found; i++)
        if (d->found[i].link == DOCTOR_REGISTRY && strcmp(d->found[i].subject, subject) == 0)
            return true;
    return false;
}

static void visit(struct doctor *d, struct doctor_gateway *g, const struct http_url *u,
                  const struct serverconf_service *s)
{
    char address[160], subject[300], who[200];
    struct diag why = {0};
    snprintf(address, sizeof address, "%.*s:%u", SLICE_ARG(u->host), u->port);
    who_listens(d, address, who, sizeof who);
    snprintf(subject, sizeof subject, "%s/%s", g->name, who);
    if (is_told(d, subject))
        return;
    int fd = connect_to(u->host, u->port, &why);
    if (fd >= 0) {
        close(fd);
        doctor_find_add(d, DOCTOR_REGISTRY, subject, DOCTOR_OK, "%s takes connections at %s", who,
                        address);
        return;
    }
    /* With other addresses of the service it goes on. */
    struct doctor_finding *f =
        doctor_find_add(d, DOCTOR_REGISTRY, subject, s->n_urls > 1 ? DOCTOR_WARN : DOCTOR_FAIL,
                        "the information system of the service %.*s cannot be reached: %s",
                        SLICE_ARG(s->id.code), why.text);
    if (d->dir != NULL && strcmp(who, address) != 0)
        doctor_find_next(f, "sild up --role %s --dir '%s'", who, d->dir);
    else
        doctor_find_next(f, "curl -sS --max-time 10 -o /dev/null 'http://%s/'", address);
}

void doctor_peer(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        const struct serverconf *c = &g->file.conf;
        if (g->is_up)
            knock(d, g);
        if (g->conf != NULL)
            meet_all(d, g);
        for (size_t k = 0; k < c->n_services; k++)
            for (size_t n = 0; n < c->services[k].n_urls; n++)
                visit(d, g, &c->services[k].parsed[n], &c->services[k]);
    }
}
