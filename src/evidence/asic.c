/* Containers, verified offline (asic.md section 2). */
#include "evidence/asic.h"

#include "base/err.h"
#include "crypto/tsp.h"
#include "evidence/soap_peek.h"
#include "evidence/xades_cache.h"
#include "evidence/xades_signer.h"
#include "wire/zip.h"
#include "xroad/rest.h"

#include <stdio.h>
#include <string.h>

#define MIME_TYPE "application/vnd.etsi.asic-e+zip"
#define RESULT_URI "/sig-hashchainresult.xml"

/* Entries that are read as a whole, under exactly these names. */
enum part {
    PART_MIMETYPE,
    PART_MESSAGE,
    PART_SIGNATURE,
    PART_RESULT,
    PART_CHAIN,
    PART_TS_RESULT,
    PART_TS_CHAIN,
    PART_MANIFEST,
    PART_ASIC_MANIFEST,
    PART_TIMESTAMP,
    PARTS,
};

static const char *const part_names[PARTS] = {
    "mimetype",
    "message.xml",
    "META-INF/signatures.xml",
    "sig-hashchainresult.xml",
    "sig-hashchain.xml",
    "ts-hashchainresult.xml",
    "ts-hashchain.xml",
    "META-INF/manifest.xml",
    "META-INF/ASiCManifest.xml",
    "META-INF/timestamp.tst",
};

/* What an attachment entry has: its name and digest. */
struct attached {
    struct slice name;
    struct digest sha512;
};

struct container {
    const struct globalconf *g;
    struct xades_cache *cache;
    struct arena *arena;
    struct diag *d;
    struct asic_report *report;
    struct zip_file zip;
    bool present[PARTS];
    struct slice part[PARTS];
    struct attached attached[HASHCHAIN_PARTS_MAX];
    size_t n_attached;
};

static int no_memory(struct container *c)
{
    return diag_set(c->d, ERR_TOO_LARGE, "the container needs too much memory");
}

/* --- entries --- */

static int digest_piece(void *ctx, struct slice piece)
{
    if (ctx != NULL)
        digest_add(ctx, piece);
    return 0;
}

static int read_attachment(struct container *c, const struct zip_entry *e)
{
    if (c->n_attached == HASHCHAIN_PARTS_MAX)
        return diag_set(c->d, ERR_ASIC_INVALID_CONTAINER, "more than %d attachments",
                        HASHCHAIN_PARTS_MAX);
    struct attached *t = &c->attached[c->n_attached++];
    t->name = e->name;
    struct digest_ctx *ctx = digest_ctx_new();
    if (ctx == NULL)
        return diag_set(c->d, ERR_NOMEM, "out of memory");
    digest_begin(ctx, DIGEST_SHA512);
    int rc = zip_stream(e, digest_piece, ctx, c->d);
    digest_end(ctx, &t->sha512);
    digest_ctx_free(ctx);
    return rc;
}

static int read_entry(struct container *c, const struct zip_entry *e)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (!slice_eq_str(e->name, part_names[i]))
            continue;
        c->present[i] = true;
        return zip_read(c->arena, e, &c->part[i], c->d);
    }
    if (slice_starts(e->name, "attachment"))
        return read_attachment(c, e);
    return zip_stream(e, digest_piece, NULL, c->d); /* ignored, but not damaged */
}

static bool blank(const struct container *c, enum part p)
{
    return slice_trim(c->part[p]).n == 0;
}

/* Both or none, and not blank. */
static int check_pair(struct container *c, enum part chain, enum part result)
{
    if (!c->present[chain] && !c->present[result])
        return 0;
    if (blank(c, chain))
        return diag_set(c->d, ERR_ASIC_HASH_CHAIN_NOT_FOUND, "%s without %s", part_names[result],
                        part_names[chain]);
    if (blank(c, result))
        return diag_set(c->d, ERR_ASIC_HASH_CHAIN_RESULT_NOT_FOUND, "%s without %s",
                        part_names[chain], part_names[result]);
    return 0;
}

static int check_text(struct container *c)
{
    for (size_t i = PART_MESSAGE; i <= PART_TS_CHAIN; i++) {
        if (!slice_is_utf8(c->part[i]))
            return diag_set(c->d, ERR_ASIC_INVALID_CONTAINER, "%s is not UTF-8 text",
                            part_names[i]);
    }
    return 0;
}

static int check_entries(struct container *c)
{
    if (blank(c, PART_MIMETYPE))
        return diag_set(c->d, ERR_ASIC_MIME_TYPE_NOT_FOUND, "the container has no mimetype");
    if (!slice_ieq_str(c->part[PART_MIMETYPE], MIME_TYPE))
        return diag_set(c->d, ERR_ASIC_INVALID_MIME_TYPE, "mimetype is not " MIME_TYPE);
    if (blank(c, PART_MESSAGE))
        return diag_set(c->d, ERR_ASIC_MESSAGE_NOT_FOUND, "the container has no message.xml");
    if (blank(c, PART_SIGNATURE))
        return diag_set(c->d, ERR_ASIC_SIGNATURE_NOT_FOUND,
                        "the container has no META-INF/signatures.xml");
    int rc = check_pair(c, PART_CHAIN, PART_RESULT);
    if (rc == 0)
        rc = check_pair(c, PART_TS_CHAIN, PART_TS_RESULT);
    if (rc != 0)
        return rc;
    if (c->present[PART_TIMESTAMP] && c->part[PART_TIMESTAMP].n == 0)
        return diag_set(c->d, ERR_ASIC_TIMESTAMP_NOT_FOUND, "META-INF/timestamp.tst is empty");
    if ((c->present[PART_MANIFEST] && blank(c, PART_MANIFEST)) ||
        (c->present[PART_ASIC_MANIFEST] && blank(c, PART_ASIC_MANIFEST)))
        return diag_set(c->d, ERR_ASIC_MANIFEST_NOT_FOUND, "a manifest is blank");
    return check_text(c);
}

static int read_container(struct container *c, struct slice file)
{
    int rc = zip_parse(file, &c->zip, c->d);
    if (rc == ERR_SYNTAX)
        return diag_set(c->d, ERR_ASIC_MIME_TYPE_NOT_FOUND, "the file is not a zip container");
    for (size_t i = 0; i < c->zip.n && rc == 0; i++)
        rc = read_entry(c, &c->zip.e[i]);
    return rc != 0 ? rc : check_entries(c);
}

/* --- message --- */

static int read_rest_request(struct container *c)
{
    struct rest_request *r = arena_zalloc(c->arena, sizeof *r);
    if (r == NULL)
        return no_memory(c);
    int rc = rest_request_parse(c->arena, c->part[PART_MESSAGE], r, c->d);
    if (rc != 0)
        return rc;
    c->report->client = r->client;
    c->report->service = r->service;
    c->report->message_id = r->id;
    return 0;
}

static int read_rest_response(struct container *c)
{
    struct rest_response *r = arena_zalloc(c->arena, sizeof *r);
    if (r == NULL)
        return no_memory(c);
    int rc = rest_response_parse(c->part[PART_MESSAGE], r, c->d);
    if (rc == 0)
        rc = id_client_parse(c->arena, r->client, &c->report->client, c->d);
    if (rc == 0)
        rc = id_service_parse(c->arena, r->service, &c->report->service, c->d);
    c->report->message_id = r->id;
    c->report->response = true;
    return rc;
}

/* Who had to sign: a request its client, a response its provider. */
static int read_message(struct container *c)
{
    struct asic_report *r = c->report;
    struct slice text = c->part[PART_MESSAGE];
    struct soap_peek soap;
    /* A verb or a status: what begins so is no XML. */
    bool rest = (text.p[0] >= 'A' && text.p[0] <= 'Z') || (text.p[0] >= '1' && text.p[0] <= '9');
    int rc = rest ? ERR_INVALID_SOAP : soap_peek(c->arena, text, &soap, c->d);
    if (rc == 0) {
        r->response = soap.response;
        r->client = soap.client;
        r->service = soap.service;
        r->message_id = soap.id;
    } else if (rc == ERR_INVALID_SOAP && text.p[0] != '<') {
        rc = rest_part_is_response(text) ? read_rest_response(c) : read_rest_request(c);
    }
    if (rc == 0)
        r->signer = r->response ? r->service.provider : r->client;
    return rc;
}

/* --- references --- */

static int attached_digest(const struct container *c, struct slice name, struct digest *out)
{
    for (size_t i = 0; i < c->n_attached; i++) {
        if (slice_eq(c->attached[i].name, name)) {
            *out = c->attached[i].sha512;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

/* A hash chain's file; attachments never count as such. */
static int find_file(void *ctx, struct slice uri, struct slice *bytes)
{
    const struct container *c = ctx;
    struct slice name = slice_starts(uri, "/") ? slice_from(uri, 1) : uri;
    for (size_t i = 0; i < PARTS; i++) {
        if (c->present[i] && slice_eq_str(name, part_names[i])) {
            *bytes = c->part[i];
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

static int resolve(void *ctx, struct slice uri, enum digest_alg alg, struct digest *out)
{
    const struct container *c = ctx;
    if (slice_starts(uri, "/attachment")) {
        if (alg != DIGEST_SHA512 || attached_digest(c, slice_from(uri, 1), out) != 0)
            return ERR_INVALID_REFERENCE;
        return 0;
    }
    struct slice bytes;
    if (!slice_starts(uri, "/") || find_file(ctx, uri, &bytes) != 0)
        return ERR_INVALID_REFERENCE;
    digest_of(alg, bytes, out);
    return 0;
}

/* --- attachments of the report --- */

static void report_attachment(struct container *c, struct slice name, const struct digest *digest,
                              bool verified)
{
    struct asic_report *r = c->report;
    if (r->n_att < ASIC_ATTACHMENTS_MAX)
        r->att[r->n_att++] = (struct asic_attachment){name, *digest, verified};
}

/* Data references of the chain that no entry answers: verified when the attachment is here. */
static void report_open(struct container *c, const struct hashchain_outcome *out)
{
    for (size_t i = 0; i < out->n_open; i++) {
        const struct hashchain_open *o = &out->open[i];
        struct digest have;
        bool verified = slice_starts(o->name, "/") &&
                        attached_digest(c, slice_from(o->name, 1), &have) == 0 &&
                        digest_eq(&have, &o->digest);
        report_attachment(c, o->name, &o->digest, verified);
    }
}

/* Attachments that are here: signed by a reference of their own, or not signed at all. */
static void report_attached(struct container *c, const struct xades *x)
{
    for (size_t i = 0; i < c->n_attached; i++) {
        const struct attached *t = &c->attached[i];
        char *uri = arena_printf(c->arena, "/%.*s", SLICE_ARG(t->name));
        if (uri == NULL)
            return;
        bool known = false;
        for (size_t k = 0; k < c->report->n_att; k++)
            known = known || slice_eq_str(c->report->att[k].name, uri);
        if (known)
            continue;
        bool referenced = xades_references(x, uri);
        struct digest none = {.alg = DIGEST_NONE};
        report_attachment(c, slice_str(uri), referenced ? &t->sha512 : &none, referenced);
    }
}

/* --- hash chains --- */

/* The file `covered`, which stands below "/", leads by the chain to the result. */
static int verify_over(struct container *c, enum part covered, enum part result, enum part chain,
                       struct hashchain_outcome *out, struct diag *d)
{
    char name[64];
    snprintf(name, sizeof name, "/%s", part_names[covered]);
    struct hashchain_input in = {.name = slice_str(name), .has_digest = true, .of_file = true};
    digest_of(DIGEST_SHA512, c->part[covered], &in.digest);
    return hashchain_verify(c->arena, c->part[result], c->part[chain], slice_str(part_names[chain]),
                            &in, 1, find_file, c, out, d);
}

/* --- time-stamp --- */

static int verify_ts_chain(struct container *c)
{
    struct hashchain_outcome out;
    struct diag why = {0};
    int rc = verify_over(c, PART_SIGNATURE, PART_TS_RESULT, PART_TS_CHAIN, &out, &why);
    if (rc == 0)
        return 0;
    return diag_set(c->d, ERR_MALFORMED_SIGNATURE, "Failed to verify time-stamp hash chain: %s: %s",
                    err_name(rc), why.text);
}

/* Content and signer of the token, remembered by its bytes. */
static int read_token(struct container *c, struct slice token, struct tsp_info *info,
                      struct cert **tsa)
{
    struct xades_verdict v = {.until_ms = INT64_MAX};
    if (c->cache != NULL) {
        xades_cache_key(c->cache, XADES_VERDICT_TOKEN, &token, 1, v.key);
        const struct xades_verdict *known = xades_cache_get(c->cache, c->g, v.key, 0);
        if (known != NULL) {
            *info = (struct tsp_info){known->time_ms, known->imprint};
            *tsa = known->a;
            return 0;
        }
    }
    int rc = tsp_token_parse(token, info, c->d);
    if (rc != 0)
        return rc;
    struct cert **tsas;
    size_t n = globalconf_all_tsas(c->g, &tsas);
    rc = tsp_token_verify(token, tsas, n, tsa, c->d);
    if (rc != 0 || c->cache == NULL)
        return rc;
    v.a = *tsa;
    v.time_ms = info->time_ms;
    v.imprint = info->imprint;
    xades_cache_put(c->cache, c->g, &v);
    return 0;
}

static int verify_timestamp(struct container *c, const struct xades *x)
{
    struct slice token = c->present[PART_TIMESTAMP] ? c->part[PART_TIMESTAMP] : xades_timestamp(x);
    if (token.n == 0)
        return diag_set(c->d, ERR_MALFORMED_SIGNATURE,
                        "Could not find element \"EncapsulatedTimeStamp\"");
    struct slice data = xades_value(x);
    if (c->present[PART_TS_RESULT]) {
        int rc = verify_ts_chain(c);
        if (rc != 0)
            return rc;
        data = c->part[PART_TS_RESULT];
    }
    struct tsp_info info;
    struct cert *tsa;
    int rc = read_token(c, token, &info, &tsa);
    if (rc != 0)
        return rc;
    struct digest imprint;
    digest_of(info.imprint.alg, data, &imprint);
    if (!digest_eq(&imprint, &info.imprint))
        return diag_set(c->d, ERR_MALFORMED_SIGNATURE, "Timestamp hashes do not match");
    c->report->timestamp_ms = info.time_ms;
    c->report->tsa = cert_ref(tsa);
    return 0;
}

/* --- signature --- */

static int verify_chain(struct container *c)
{
    struct hashchain_outcome out;
    int rc = verify_over(c, PART_MESSAGE, PART_RESULT, PART_CHAIN, &out, c->d);
    if (rc != 0) {
        diag_rule(c->d, "malformed_signature");
        return rc;
    }
    report_open(c, &out);
    return 0;
}

static int verify_signature(struct container *c, struct xades *x)
{
    struct xades_signer signer;
    int rc = xades_signer_verify(c->g, c->cache, x, &c->report->signer, c->report->timestamp_ms,
                                 resolve, c, true, &signer, c->d);
    if (rc != 0)
        return rc;
    c->report->cert = cert_ref(xades_cert(x));
    c->report->ocsp_responder = signer.responder;
    c->report->ocsp_produced_ms = signer.ocsp_produced_ms;
    return 0;
}

/* Names the part before the place that an error may have already. */
static int at_part(struct container *c, int rc, const char *part)
{
    if (rc != 0)
        diag_where(c->d, "%s", part);
    return rc;
}

static int verify_parts(struct container *c, struct xades *x)
{
    if (!xades_references(x, "/message.xml") && !xades_references(x, RESULT_URI))
        return at_part(c,
                       diag_set(c->d, ERR_MALFORMED_SIGNATURE,
                                "the signature references neither /message.xml nor " RESULT_URI),
                       "signature");
    int rc = at_part(c, verify_timestamp(c, x), "time-stamp");
    if (rc == 0 && c->present[PART_CHAIN] && xades_references(x, RESULT_URI))
        rc = at_part(c, verify_chain(c), "hash chain");
    return rc;
}

static int verify(struct container *c, struct slice file)
{
    int rc = at_part(c, read_container(c, file), "container");
    if (rc != 0)
        return rc;
    /* A message that cannot be read has no signer; what is wrong with the signature itself and its
     * time-stamp is said first. */
    int message_rc = read_message(c);
    struct diag message_why = {0};
    if (message_rc != 0 && c->d != NULL)
        message_why = *c->d;
    struct xades *x = NULL;
    rc = at_part(c, xades_parse(c->arena, c->part[PART_SIGNATURE], false, &x, c->d), "signature");
    if (rc != 0)
        return rc;
    rc = verify_parts(c, x);
    if (rc == 0 && message_rc != 0) {
        if (c->d != NULL)
            *c->d = message_why;
        rc = at_part(c, message_rc, "message");
    } else if (rc == 0) {
        rc = at_part(c, verify_signature(c, x), "signature");
    }
    if (rc == 0)
        report_attached(c, x);
    xades_free(x);
    return rc;
}

int asic_verify_cached(const struct globalconf *g, struct xades_cache *cache, struct arena *a,
                       struct slice file, struct asic_report *out, struct diag *d)
{
    memset(out, 0, sizeof *out);
    struct container *c = arena_zalloc(a, sizeof *c);
    if (c == NULL)
        return diag_set(d, ERR_TOO_LARGE, "the container needs too much memory");
    c->g = g;
    c->cache = cache;
    c->arena = a;
    c->d = d;
    c->report = out;
    int rc = verify(c, file);
    if (rc != 0)
        asic_report_free(out);
    return rc;
}

int asic_verify(const struct globalconf *g, struct arena *a, struct slice file,
                struct asic_report *out, struct diag *d)
{
    return asic_verify_cached(g, NULL, a, file, out, d);
}
