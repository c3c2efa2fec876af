#include "gateway/stampclient.h"
#include "base/err.h"
#include "crypto/tsp.h"
#include "evidence/asic.h"
#include "net/http_client.h"

#include <stdlib.h>

#define TOKEN_MAX (64u << 10)
#define FETCH_MS 60000
#define RESULT_MAX (64u << 10)

static int ask(const char *url, struct slice request, const struct digest *imprint,
               const struct globalconf *g, struct buf *token, struct diag *d)
{
    struct http_result r;
    struct cert **tsas, *signer = NULL;
    struct slice raw;
    int rc = http_fetch(url, "POST", SLICE_LIT("Content-Type: application/timestamp-query\r\n"),
                        request, TOKEN_MAX, FETCH_MS, &r, d);
    if (rc != 0)
        return diag_set(d, ERR_MLOG_TSP_CONNECTION, "%s: %s", url, d->text);
    if (r.status != 200)
        rc = diag_set(d, ERR_MLOG_TS_STATUS, "%s: status %d", url, r.status);
    rc = rc != 0 ? rc : tsp_response_token(buf_view(&r.body), imprint, &raw, d);
    size_t n = globalconf_all_tsas(g, &tsas);
    rc = rc != 0 ? rc : tsp_token_verify(raw, tsas, n, &signer, d);
    rc = rc != 0 ? rc : tsp_token_add_cert(raw, signer, token);
    http_result_free(&r);
    return rc;
}

static int ask_all(const struct serverconf *conf, const struct globalconf *g, struct slice result,
                   struct buf *token, struct diag *d)
{
    struct digest imprint;
    struct buf request;
    digest_of(DIGEST_SHA512, result, &imprint);
    buf_init(&request, 1024);
    int rc = tsp_request_make(&imprint, &request);
    if (rc == 0)
        rc = diag_set(d, ERR_MLOG_NO_TSP, "no time-stamping authority is configured");
    for (size_t i = 0; rc != 0 && i < conf->n_tsas; i++) {
        char url[1024];
        buf_reset(token);
        if (slice_cstr(conf->tsa[i], url, sizeof url))
            rc = ask(url, buf_view(&request), &imprint, g, token, d);
    }
    buf_free(&request);
    return rc;
}

static int put_record(const struct frames_stamp *req, struct slice token, struct buf *record,
                      struct diag *d)
{
    struct record_stamp_entry *entry = calloc(req->n, sizeof *entry);
    if (entry == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a stamp");
    for (uint32_t i = 0; i < req->n; i++)
        entry[i] = (struct record_stamp_entry){req->seq[i], req->digest[i]};
    const struct record_stamp s = {token, entry, req->n};
    record_stamp_put(record, &s);
    free(entry);
    return record->failed ? diag_set(d, ERR_TOO_LARGE, "a time-stamp record is too large") : 0;
}

int stampclient_stamp(const struct serverconf *conf, const struct globalconf *g,
                      const struct frames_stamp *req, struct buf *record, struct diag *d)
{
    struct buf result, token;
    buf_init(&result, RESULT_MAX);
    buf_init(&token, TOKEN_MAX);
    int rc = asic_timestamp_tree(req->digest, req->n, 0, &result, NULL);
    if (rc != 0)
        diag_set(d, rc, "a stamp's tree cannot be made");
    rc = rc != 0 ? rc : ask_all(conf, g, buf_view(&result), &token, d);
    rc = rc != 0 ? rc : put_record(req, buf_view(&token), record, d);
    buf_free(&result);
    buf_free(&token);
    return rc;
}
