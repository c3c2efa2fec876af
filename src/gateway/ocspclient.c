#include "gateway/ocspclient.h"
#include "base/err.h"
#include "base/hex.h"
#include "net/http_client.h"
#include "proc/fs.h"
#include "proc/report.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 64
#define RESPONSE_MAX (32u << 10)
#define FETCH_MS 20000
#define AHEAD_MAX_MS 60000 /* so far clocks may differ */
#define RETRY_MIN_MS 1000  /* after a failure, then twice as long each time */
#define RETRY_MAX_MS 60000

struct kept {
    uint8_t sha1[20];
    struct buf der;
    int64_t retry_ms, retry_at_ms; /* 0: the last fetch went well */
    bool due;                      /* asked for, whatever its age */
};

struct ocspclient {
    char folder[2048];
    struct kept k[KEPT_MAX];
    size_t n;
};

struct ocspclient *ocspclient_new(const char *folder)
{
    struct ocspclient *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    snprintf(c->folder, sizeof c->folder, "%s", folder);
    return c;
}

void ocspclient_free(struct ocspclient *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n; i++)
        buf_free(&c->k[i].der);
    free(c);
}

static void file_name(const struct ocspclient *c, const struct kept *k, char *out, size_t cap)
{
    char hex[41];
    hex_print(slice_of(k->sha1, 20), hex);
    snprintf(out, cap, "%s/%s.ocsp", c->folder, hex);
}

static struct kept *find(struct ocspclient *c, const struct cert *cert)
{
    for (size_t i = 0; i < c->n; i++)
        if (memcmp(c->k[i].sha1, cert->sha1, 20) == 0)
            return &c->k[i];
    if (c->n == KEPT_MAX)
        return NULL;
    struct kept *k = &c->k[c->n++];
    char path[2200];
    memcpy(k->sha1, cert->sha1, 20);
    buf_init(&k->der, RESPONSE_MAX);
    file_name(c, k, path, sizeof path);
    if (fs_read(path, &k->der, NULL) != 0)
        buf_reset(&k->der);
    return k;
}

static int fetch_one(const char *url, struct slice request, struct buf *out, struct diag *d)
{
    struct http_result r;
    int rc = http_fetch(url, "POST",
                        SLICE_LIT("Content-Type: application/ocsp-request\r\n"
                                  "Accept: application/ocsp-response\r\n"),
                        request, RESPONSE_MAX, FETCH_MS, &r, d);
    if (rc != 0)
        return diag_set(d, ERR_OCSP_CONNECTION, "%s: %s", url, d->text);
    if (r.status == 200)
        buf_slice(out, buf_view(&r.body));
    else
        rc = diag_set(d, ERR_OCSP_FAILED, "%s: status %d", url, r.status);
    http_result_free(&r);
    return rc;
}

/* A good or a bad answer is an answer; what cannot be trusted is none. */
static int check(struct slice der, const struct globalconf *g, const struct globalconf_ca *ca,
                 const struct cert *cert, int64_t now_ms, struct diag *d)
{
    struct ocsp_trust trust;
    struct ocsp_info info;
    globalconf_ocsp_trust(g, ca, &trust);
    int rc = ocsp_verify(der, cert, ca->cert, now_ms, &trust, NULL, NULL, d);
    if (rc == ERR_CERT_VALIDATION && ocsp_parse(der, &info, NULL) == 0 &&
        info.status == OCSP_REVOKED && ocsp_is_for(der, cert, ca->cert))
        return 0;
    return rc;
}

static int fetch(struct ocspclient *c, struct kept *k, const struct globalconf *g,
                 const struct globalconf_ca *ca, const struct cert *cert, int64_t now_ms,
                 struct diag *d)
{
    struct buf request, answer, aia;
    char path[2200], url[1024];
    buf_init(&request, 4096);
    buf_init(&answer, RESPONSE_MAX);
    buf_init(&aia, 1000);
    bool has_aia = cert_ocsp_url(cert, &aia);
    int rc = ocsp_request_make(cert, ca->cert, &request);
    if (rc == 0 && ca->n_ocsp_urls == 0 && !has_aia)
        rc = diag_set(d, ERR_OCSP_CONNECTION, "no OCSP responder is known for the certificate");
    for (size_t i = 0; rc == 0 && i < ca->n_ocsp_urls + has_aia; i++) {
        struct slice u = i < ca->n_ocsp_urls ? ca->ocsp_urls[i] : buf_view(&aia);
        buf_reset(&answer);
        int one = slice_cstr(u, url, sizeof url) ? fetch_one(url, buf_view(&request), &answer, d)
                                                 : ERR_OCSP_CONNECTION;
        one = one != 0 ? one : check(buf_view(&answer), g, ca, cert, now_ms, d);
        if (one == 0)
            break;
        if (i + 1 == ca->n_ocsp_urls + has_aia)
            rc = one;
    }
    if (rc == 0) {
        buf_reset(&k->der);
        buf_slice(&k->der, buf_view(&answer));
        file_name(c, k, path, sizeof path);
        if (fs_write(path, buf_view(&k->der), 0644, d) != 0)
            report_diag(REPORT_WARN, "ocsp", NULL, d);
    }
    buf_free(&request);
    buf_free(&answer);
    buf_free(&aia);
    return rc;
}

/* Age of the kept response in milliseconds; a very large one when there is none, or when it is of a
 * time to come: the clock went back, and what is left of its life cannot be told. */
static int64_t age(const struct kept *k, int64_t now_ms)
{
    struct ocsp_info info;
    if (k->der.n == 0 || ocsp_parse(buf_view(&k->der), &info, NULL) != 0)
        return INT64_MAX;
    int64_t ms = now_ms - info.this_update_ms;
    return ms < -AHEAD_MAX_MS ? INT64_MAX : ms;
}

/* How long a certificate whose fetch failed has to wait still. */
static int64_t left(const struct kept *k, int64_t now_ms)
{
    int64_t ms = k->retry_at_ms - now_ms;
    return k->retry_ms == 0 || ms < 0 || ms > k->retry_ms ? 0
                                                          : ms; /* also where the clock jumped */
}

static void plan(struct kept *k, bool went_well, int64_t now_ms)
{
    int64_t ms = k->retry_ms == 0 ? RETRY_MIN_MS : 2 * k->retry_ms;
    k->retry_ms = went_well ? 0 : ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
    k->retry_at_ms = now_ms + k->retry_ms;
}

int64_t ocspclient_wait(const struct ocspclient *c, int64_t now_ms)
{
    int64_t least = RETRY_MAX_MS;
    for (size_t i = 0; i < c->n; i++)
        if (left(&c->k[i], now_ms) > 0 && left(&c->k[i], now_ms) < least)
            least = left(&c->k[i], now_ms); /* what is due and was not fetched nobody asks for */
    return least;
}

void ocspclient_refresh(struct ocspclient *c)
{
    for (size_t i = 0; i < c->n; i++)
        c->k[i].due = true;
}

struct slice ocspclient_get(struct ocspclient *c, const struct globalconf *g, struct slice instance,
                            const struct cert *cert, int64_t now_ms, struct diag *d)
{
    const struct globalconf_ca *ca = globalconf_ca(g, instance, cert->issuer);
    struct kept *k = find(c, cert);
    if (ca == NULL || k == NULL) {
        diag_set(d, ERR_CANNOT_CREATE_CERT_PATH,
                 "Certificate is not issued by approved certification service provider.");
        return SLICE_NONE;
    }
    int64_t fresh = globalconf_ocsp_freshness_ms(g), every = globalconf_ocsp_fetch_ms(g);
    int64_t limit = every > 0 && every < fresh / 2 ? every : fresh / 2;
    int64_t old = age(k, now_ms);
    if (!k->due && old <= limit)
        k->retry_ms = 0;
    else if (k->due || left(k, now_ms) == 0) {
        int rc = fetch(c, k, g, ca, cert, now_ms, d);
        k->due = false;
        plan(k, rc == 0, now_ms);
        if (rc != 0)
            report_diag(REPORT_WARN, "ocsp", NULL, d);
    }
    return age(k, now_ms) <= fresh ? buf_view(&k->der) : SLICE_NONE;
}
