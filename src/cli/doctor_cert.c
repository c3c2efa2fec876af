/* The gateways' own certificates: in force, registered, not revoked; their keys. */
#include "base/err.h"
#include "base/hex.h"
#include "base/timeval.h"
#include "cli/doctor_int.h"
#include "keys/keystore.h"
#include "net/http_client.h"
#include "proc/fs.h"
#include "xroad/trust.h"

#include <stdio.h>
#include <string.h>

#define NEAR_MS (30LL * 86400 * 1000) /* so long before its end one is told */
#define RESPONSE_MAX (32u << 10)

/* One key's certificate. */
struct exam {
    struct doctor *d;
    struct doctor_gateway *g;
    const struct serverconf_key *key;
    char subject[160], name[128];
    struct cert *cert;
    const struct globalconf_ca *ca; /* NULL: not by an approved one */
};

static const char *iso(int64_t ms, char out[TIMEVAL_TEXT])
{
    timeval_print_iso(ms, false, out);
    return out;
}

/* --- what to do --- */

static void next_register(struct exam *e, struct doctor_finding *f, const char *file)
{
    const struct id_server *s = &e->g->file.conf.server;
    if (e->d->dir != NULL)
        doctor_find_next(f,
                         "sild authority cert add '%.*s/%.*s/%.*s' '%s' --config "
                         "'%s/authority/authority.conf'",
                         SLICE_ARG(s->member_class), SLICE_ARG(s->member_code),
                         SLICE_ARG(s->server_code), file, e->d->dir);
    else
        doctor_find_next(f, "# have the authority register %s for %.*s/%.*s/%.*s", file,
                         SLICE_ARG(s->member_class), SLICE_ARG(s->member_code),
                         SLICE_ARG(s->server_code));
}

/* A new key with a new certificate takes the place of the old one. */
static void next_renew(struct exam *e, struct doctor_finding *f)
{
    const struct id_server *s = &e->g->file.conf.server;
    struct id_client who = e->g->file.conf.owner;
    char at[DOCTOR_PATH + 200];
    if (e->key->signing)
        who = e->key->member;
    struct slice name = e->g->conf == NULL ? SLICE_NONE : globalconf_client_name(e->g->conf, &who);
    snprintf(at, sizeof at, "%s/certs/%s-new", e->g->dir, e->name);
    doctor_find_next(f, "sild gateway key new %s-new --config '%s' > '%s.csr'", e->name,
                     e->g->config, at);
    if (e->d->dir != NULL)
        doctor_find_next(f,
                         "sild trust issue --kind %s --csr '%s.csr' --instance '%.*s' --class "
                         "'%.*s' --code '%.*s' --name '%.*s' --server '%.*s' --config "
                         "'%s/trust/trust.conf' > '%s.pem'",
                         e->key->signing ? "sign" : "auth", at, SLICE_ARG(who.instance),
                         SLICE_ARG(who.member_class), SLICE_ARG(who.member_code), SLICE_ARG(name),
                         SLICE_ARG(s->server_code), e->d->dir, at);
    else
        doctor_find_next(f, "# have the certification authority certify %s.csr; save it as %s.pem",
                         at, at);
    if (!e->key->signing) {
        snprintf(at, sizeof at, "%s/certs/%s-new.pem", e->g->dir, e->name);
        next_register(e, f, at);
        at[strlen(at) - 4] = 0;
    }
    /* The others are to know it before it is used; its own gateway fetches when it takes it. */
    if (!e->key->signing && e->d->n > 1)
        doctor_find_next(f, "sleep 1 # the authority publishes it meanwhile");
    for (size_t i = 0; !e->key->signing && i < e->d->n; i++)
        if (&e->d->gateway[i] != e->g)
            doctor_find_next(f, "sild gateway refresh --config '%s'", e->d->gateway[i].config);
    doctor_find_next(f, "sild gateway key certificate %s '%s.pem' --config '%s'", e->name, at,
                     e->g->config);
}

static struct doctor_finding *bad(struct exam *e, int64_t since_ms, const char *what)
{
    struct doctor_finding *f = doctor_find_add(e->d, DOCTOR_CERTIFICATE, e->subject, DOCTOR_FAIL,
                                               "the certificate %s %s", e->subject, what);
    doctor_find_since(f, since_ms);
    return f;
}

/* --- the certificate --- */

static bool is_registered(struct exam *e)
{
    struct globalconf_server v;
    if (!e->key->signing)
        return globalconf_server_of_cert(e->g->conf, e->cert, &v) &&
               id_server_eq(&v.id, &e->g->file.conf.server);
    return globalconf_client_known(e->g->conf, &e->key->member);
}

/* Does the signing certificate name the member it is to sign for? */
static bool is_of_member(struct exam *e, struct diag *why)
{
    struct id_client named;
    struct arena *a = arena_new(1u << 20);
    bool ok = a != NULL &&
              trust_profile_member(e->ca->profile, e->cert, &e->key->member, a, &named, why) == 0 &&
              id_member_eq(&named, &e->key->member);
    arena_free(a);
    return ok;
}

/* In force, approved, registered? Tells what is wrong; false then. */
static bool judge_cert(struct exam *e)
{
    char text[DOCTOR_PATH + 200], when[TIMEVAL_TEXT];
    struct diag why = {0};
    int64_t now = doctor_find_now(e->d);
    if (e->cert->not_after_ms < now) {
        snprintf(text, sizeof text, "expired at %s", iso(e->cert->not_after_ms, when));
        next_renew(e, bad(e, e->cert->not_after_ms, text));
        return false;
    }
    if (e->cert->not_before_ms > now) {
        snprintf(text, sizeof text, "is not valid before %s", iso(e->cert->not_before_ms, when));
        next_renew(e, bad(e, 0, text));
        return false;
    }
    if (e->ca == NULL) {
        next_renew(e,
                   bad(e, 0, "is by no certification authority that the configuration approves"));
        return false;
    }
    if (!is_registered(e)) {
        struct doctor_finding *f =
            bad(e, 0,
                e->key->signing ? "is of a member that the global configuration does not have"
                                : "is not registered for this server in the global configuration");
        snprintf(text, sizeof text, "%s/certs/%s.der", e->g->dir, e->name);
        if (!e->key->signing)
            next_register(e, f, text);
        doctor_find_next(f, "sild gateway refresh --config '%s'", e->g->config);
        return false;
    }
    if (e->key->signing && !is_of_member(e, &why)) {
        next_renew(e, bad(e, 0, "names another member than the one it is to sign for"));
        return false;
    }
    return true;
}

/* --- OCSP --- */

static int ask_responder(struct exam *e, struct buf *answer, struct diag *why)
{
    struct buf request, aia;
    char url[1024];
    buf_init(&request, 4096);
    buf_init(&aia, 1000);
    bool has_aia = cert_ocsp_url(e->cert, &aia);
    int rc = ocsp_request_make(e->cert, e->ca->cert, &request);
    int got = diag_set(why, ERR_OCSP_CONNECTION, "no responder is known for it");
    for (size_t i = 0; rc == 0 && got != 0 && i < e->ca->n_ocsp_urls + has_aia; i++) {
        struct slice u = i < e->ca->n_ocsp_urls ? e->ca->ocsp_urls[i] : buf_view(&aia);
        struct http_result r;
        if (!slice_cstr(u, url, sizeof url))
            continue;
        got = http_fetch(url, "POST", SLICE_LIT("Content-Type: application/ocsp-request\r\n"),
                         buf_view(&request), RESPONSE_MAX, DOCTOR_CALL_MS, &r, why);
        if (got != 0)
            continue;
        if (r.status == 200)
            buf_slice(answer, buf_view(&r.body));
        else
            got = diag_set(why, ERR_OCSP_FAILED, "%s: status %d", url, r.status);
        http_result_free(&r);
    }
    buf_free(&request);
    buf_free(&aia);
    return rc != 0 ? rc : got;
}

/* What the gateway keeps for it: the response's time; 0: none. */
static int64_t kept_since(const struct exam *e, enum ocsp_status *status)
{
    char hex[41], path[DOCTOR_PATH + 64];
    struct buf der;
    struct ocsp_info info = {.this_update_ms = 0};
    buf_init(&der, RESPONSE_MAX);
    hex_print(slice_of(e->cert->sha1, 20), hex);
    snprintf(path, sizeof path, "%s/ocsp/%s.ocsp", e->g->dir, hex);
    bool there = fs_read(path, &der, NULL) == 0 && ocsp_parse(buf_view(&der), &info, NULL) == 0;
    buf_free(&der);
    *status = info.status;
    return there ? info.this_update_ms : 0;
}

static void next_responder(struct exam *e, struct doctor_finding *f)
{
    if (e->d->dir != NULL) {
        doctor_find_next(f, "sild down --role trust --dir '%s'", e->d->dir);
        doctor_find_next(f, "sild up --role trust --dir '%s'", e->d->dir);
    } else if (e->ca->n_ocsp_urls > 0) {
        doctor_find_next(f, "curl -sS --max-time 10 -o /dev/null '%.*s'",
                         SLICE_ARG(e->ca->ocsp_urls[0]));
    }
}

/* The responder is away or wrong: bad at once when the gateway has nothing fresh in hand. */
static void no_answer(struct exam *e, const struct diag *why)
{
    enum ocsp_status status;
    char when[TIMEVAL_TEXT];
    int64_t kept = kept_since(e, &status), now = doctor_find_now(e->d);
    int64_t until = kept + globalconf_ocsp_freshness_ms(e->g->conf);
    bool fresh = kept > 0 && until > now;
    struct doctor_finding *f;
    if (fresh) {
        f = doctor_find_add(e->d, DOCTOR_OCSP, e->subject, DOCTOR_WARN,
                            "the responder gives no good answer for %s (%s); the gateway's own "
                            "holds until %s",
                            e->subject, why->text, iso(until, when));
    } else {
        f = doctor_find_add(e->d, DOCTOR_OCSP, e->subject, DOCTOR_FAIL,
                            "the responder gives no good answer for %s: %s", e->subject, why->text);
        if (kept > 0)
            doctor_find_since(f, until);
    }
    next_responder(e, f);
}

static void judge_kept(struct exam *e)
{
    enum ocsp_status status;
    char when[TIMEVAL_TEXT];
    int64_t kept = kept_since(e, &status), now = doctor_find_now(e->d);
    int64_t until = kept + globalconf_ocsp_freshness_ms(e->g->conf);
    if (kept > 0 && until > now && status == OCSP_GOOD) {
        doctor_find_add(e->d, DOCTOR_OCSP, e->subject, DOCTOR_OK,
                        "the responder says good; the gateway's own answer holds until %s",
                        iso(until, when));
        return;
    }
    struct doctor_finding *f =
        doctor_find_add(e->d, DOCTOR_OCSP, e->subject, DOCTOR_FAIL,
                        "the responder says good for %s, but the gateway %s", e->subject,
                        kept == 0 ? "has no answer of it" : "keeps an old answer");
    if (kept > 0)
        doctor_find_since(f, until);
    doctor_find_next(f, "sild gateway refresh --config '%s'", e->g->config);
}

static void revoked(struct exam *e, const struct ocsp_info *info)
{
    enum ocsp_status status;
    char text[200], when[TIMEVAL_TEXT];
    bool known = kept_since(e, &status) > 0 && status == OCSP_REVOKED;
    snprintf(text, sizeof text, "was revoked at %s%s", iso(info->revoked_ms, when),
             known ? "" : "; the gateway does not know it yet");
    next_renew(e, bad(e, info->revoked_ms, text));
}

static void judge_revocation(struct exam *e, bool ok)
{
    struct buf answer;
    struct diag why = {0};
    struct ocsp_info info;
    struct ocsp_trust trust;
    char when[TIMEVAL_TEXT];
    buf_init(&answer, RESPONSE_MAX);
    globalconf_ocsp_trust(e->g->conf, e->ca, &trust);
    int rc = ask_responder(e, &answer, &why);
    bool read = rc == 0 && ocsp_parse(buf_view(&answer), &info, &why) == 0 &&
                ocsp_is_for(buf_view(&answer), e->cert, e->ca->cert);
    if (rc == 0)
        rc = ocsp_verify(buf_view(&answer), e->cert, e->ca->cert, doctor_find_now(e->d), &trust,
                         NULL, NULL, &why);
    if (rc == ERR_CERT_VALIDATION && read && info.status == OCSP_REVOKED) {
        if (ok)
            revoked(e, &info);
    } else if (rc != 0) {
        no_answer(e, &why);
    } else {
        bool near_end = e->cert->not_after_ms - doctor_find_now(e->d) < NEAR_MS;
        if (ok && near_end)
            next_renew(e, doctor_find_add(e->d, DOCTOR_CERTIFICATE, e->subject, DOCTOR_WARN,
                                          "the certificate %s ends soon, at %s", e->subject,
                                          iso(e->cert->not_after_ms, when)));
        judge_kept(e);
    }
    buf_free(&answer);
}

static void judge_key(struct exam *e)
{
    struct diag why = {0};
    if (keystore_check(e->g->dir, e->name, e->cert->key, &why) == 0) {
        doctor_find_add(e->d, DOCTOR_KEY, e->subject, DOCTOR_OK, "the key is the certificate's");
        return;
    }
    struct doctor_finding *f = doctor_find_add(e->d, DOCTOR_KEY, e->subject, DOCTOR_FAIL,
                                               "the key %s does not fit: %s", e->subject, why.text);
    next_renew(e, f);
}

static void examine(struct exam *e)
{
    char when[TIMEVAL_TEXT];
    struct diag why = {0};
    if (e->key->cert.n == 0) {
        struct doctor_finding *f = bad(e, 0, "is not there: the key waits for it");
        next_renew(e, f);
        return;
    }
    e->cert = cert_parse(e->key->cert, &why);
    if (e->cert == NULL) {
        next_renew(e, bad(e, 0, why.text));
        return;
    }
    e->ca = globalconf_ca(e->g->conf, globalconf_instance(e->g->conf), e->cert->issuer);
    size_t before = e->d->n_found;
    bool ok = judge_cert(e);
    if (e->ca != NULL)
        judge_revocation(e, ok);
    for (size_t i = before; ok && i < e->d->n_found; i++)
        ok = e->d->found[i].link != DOCTOR_CERTIFICATE;
    if (ok)
        doctor_find_add(e->d, DOCTOR_CERTIFICATE, e->subject, DOCTOR_OK,
                        "the certificate is registered and in force until %s",
                        iso(e->cert->not_after_ms, when));
    cert_free(e->cert);
}

/* Also of a gateway that does not run, and has no configuration yet. */
static void examine_key(struct exam *e)
{
    e->cert = e->key->cert.n == 0 ? NULL : cert_parse(e->key->cert, NULL);
    if (e->cert != NULL)
        judge_key(e);
    cert_free(e->cert);
    e->cert = NULL;
}

void doctor_cert(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct doctor_gateway *g = &d->gateway[i];
        for (size_t k = 0; k < g->file.conf.n_keys; k++) {
            struct exam e = {.d = d, .g = g, .key = &g->file.conf.keys[k]};
            snprintf(e.name, sizeof e.name, "%.*s", SLICE_ARG(e.key->name));
            snprintf(e.subject, sizeof e.subject, "%s/%.80s", g->name, e.name);
            examine_key(&e);
            if (g->conf != NULL)
                examine(&e);
        }
    }
}
