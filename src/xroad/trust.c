#include "xroad/trust.h"

#include "base/err.h"

#include <stdio.h>

#define NAME_MAX_TEXT 200

static void name_of(const struct cert *c, char out[NAME_MAX_TEXT])
{
    struct buf b;
    buf_init(&b, 4096);
    cert_name_rfc2253(X509_get_subject_name(c->x509), &b);
    snprintf(out, NAME_MAX_TEXT, "%s", buf_cstr(&b));
    buf_free(&b);
}

static void client_text(const struct id_client *id, char out[NAME_MAX_TEXT])
{
    struct buf b;
    buf_init(&b, 4096);
    id_client_short(&b, id);
    snprintf(out, NAME_MAX_TEXT, "%s", buf_cstr(&b));
    buf_free(&b);
}

/* Paths are judged in what an instance lists. */
struct judge {
    const struct globalconf *g;
    struct slice instance;
    const struct slice *ocsp;
    size_t n_ocsp;
    int64_t at_ms, valid_until_ms;
};

static int not_approved(const struct cert *c, struct diag *d)
{
    char name[NAME_MAX_TEXT];
    name_of(c, name);
    diag_set(d, ERR_INTERNAL,
             "Certificate is not issued by approved certification service provider.");
    return diag_where(d, "certificate %s", name);
}

/* The first response for this certificate must be good. */
static int judge_ocsp(struct judge *j, const struct cert *c, const struct cert *issuer,
                      struct cert **responder, struct diag *d)
{
    char name[NAME_MAX_TEXT];
    struct ocsp_trust trust;
    const struct globalconf_ca *ca = globalconf_ca(j->g, j->instance, issuer->subject);
    globalconf_ocsp_trust(j->g, ca != NULL && slice_eq(ca->cert->der, issuer->der) ? ca : NULL,
                          &trust);
    for (size_t i = 0; i < j->n_ocsp; i++) {
        int64_t until = INT64_MAX;
        if (!ocsp_is_for(j->ocsp[i], c, issuer))
            continue;
        int err = ocsp_verify(j->ocsp[i], c, issuer, j->at_ms, &trust, &until, responder, d);
        if (until < j->valid_until_ms)
            j->valid_until_ms = until;
        if (err != 0) {
            name_of(c, name);
            diag_where(d, "certificate %s", name);
        }
        return err;
    }
    name_of(c, name);
    return diag_set(d, ERR_CERT_VALIDATION, "Unable to find OCSP response for certificate %s",
                    name);
}

/* The path to the anchor, and an OCSP response for each certificate of it. */
static int judge_path(struct judge *j, struct cert *leaf, struct cert *const *extra, size_t n_extra,
                      struct cert *anchor, struct cert **responder, struct diag *d)
{
    struct cert *path[TRUST_CHAIN_MAX + 1];
    size_t n = 0;
    int err = cert_path(leaf, extra, n_extra, anchor, j->at_ms, path, TRUST_CHAIN_MAX, &n, d);
    if (err != 0)
        return err;
    path[n] = anchor;
    for (size_t i = 0; i < n; i++) {
        err = judge_ocsp(j, path[i], path[i + 1], i == 0 ? responder : NULL, d);
        if (err != 0)
            return err;
        if (path[i]->not_after_ms < j->valid_until_ms)
            j->valid_until_ms = path[i]->not_after_ms;
    }
    return 0;
}

static int judge_registration(const struct globalconf *g, const struct cert *leaf,
                              const struct id_client *member, struct diag *d)
{
    char client[NAME_MAX_TEXT], name[NAME_MAX_TEXT];
    struct globalconf_server server;
    if (globalconf_auth_cert_serves(g, leaf, member))
        return 0;
    if (!globalconf_server_of_cert(g, leaf, &server)) {
        name_of(leaf, name);
        return diag_set(d, ERR_SSL_AUTH,
                        "Authentication certificate %s is not associated with any security server",
                        name);
    }
    struct buf b;
    buf_init(&b, 4096);
    id_server_short(&b, &server.id);
    client_text(member, client);
    int err = diag_set(d, ERR_SSL_AUTH, "Client '%s' is not registered at security server %.*s",
                       client, SLICE_ARG(slice_sub(buf_view(&b), 0, NAME_MAX_TEXT)));
    buf_free(&b);
    return err;
}

int trust_auth_chain(const struct globalconf *g, struct slice instance, struct cert *const *chain,
                     size_t n, const struct slice *ocsp, size_t n_ocsp,
                     const struct id_client *member, int64_t at_ms, int64_t *valid_until_ms,
                     struct diag *d)
{
    struct judge j = {g, instance, ocsp, n_ocsp, at_ms, INT64_MAX};
    bool is_auth = false;
    *valid_until_ms = 0;
    if (n == 0)
        return diag_set(d, ERR_SSL_AUTH, "The peer has sent no certificate");
    if (n > TRUST_CHAIN_MAX)
        return diag_set(d, ERR_SSL_AUTH, "The peer has sent more than %d certificates",
                        TRUST_CHAIN_MAX);
    const struct globalconf_ca *anchor = globalconf_ca(g, instance, chain[0]->issuer);
    if (anchor == NULL)
        anchor = globalconf_ca(g, instance, chain[n - 1]->issuer);
    if (anchor == NULL)
        return not_approved(chain[0], d);
    int err = cert_is_authentication(chain[0], &is_auth, d);
    if (err != 0)
        return err;
    if (!is_auth)
        return diag_set(d, ERR_SSL_AUTH, "Peer certificate is not an authentication certificate");
    err = judge_path(&j, chain[0], chain + 1, n - 1, anchor->cert, NULL, d);
    if (err == 0)
        err = judge_registration(g, chain[0], member, d);
    if (err == 0)
        *valid_until_ms = j.valid_until_ms;
    return err;
}

static int judge_usage(const struct cert *cert, struct diag *d)
{
    bool is_signing = false;
    if (cert_is_signing(cert, &is_signing, d) != 0) {
        if (d != NULL)
            d->code = ERR_INTERNAL; /* as X-Road has it */
        return ERR_INTERNAL;
    }
    if (!is_signing)
        return diag_set(d, ERR_MALFORMED_SIGNATURE, "Certificate is not a signing certificate");
    return 0;
}

static int judge_member(const struct globalconf_ca *ca, const struct cert *cert,
                        const struct id_client *sender, struct diag *d)
{
    struct id_client named;
    char in_cert[NAME_MAX_TEXT], in_message[NAME_MAX_TEXT];
    struct arena *a = arena_new(64u << 10);
    if (a == NULL)
        return diag_set(d, ERR_NOMEM, "no memory for a certificate's names");
    int err = trust_profile_member(ca->profile, cert, sender, a, &named, d);
    if (err == 0 && !id_member_eq(&named, sender)) {
        const struct id_client member = {sender->instance, sender->member_class,
                                         sender->member_code, SLICE_NONE};
        client_text(&named, in_cert);
        client_text(&member, in_message);
        err = diag_set(d, ERR_INCORRECT_CERTIFICATE,
                       "Name in certificate (%s) does not match name in message (%s)", in_cert,
                       in_message);
    }
    arena_free(a);
    return err;
}

int trust_sign_cert(const struct globalconf *g, const struct id_client *sender, struct cert *cert,
                    struct cert *const *extra, size_t n_extra, const struct slice *ocsp,
                    size_t n_ocsp, int64_t at_ms, int64_t *valid_until_ms, struct cert **responder,
                    struct diag *d)
{
    struct judge j = {g, sender->instance, ocsp, n_ocsp, at_ms, INT64_MAX};
    *valid_until_ms = 0;
    if (responder != NULL)
        *responder = NULL;
    int err = judge_usage(cert, d);
    if (err != 0)
        return err;
    const struct globalconf_ca *anchor = globalconf_ca(g, sender->instance, cert->issuer);
    if (anchor == NULL)
        return not_approved(cert, d);
    err = judge_member(anchor, cert, sender, d);
    if (err == 0)
        err = judge_path(&j, cert, extra, n_extra, anchor->cert, responder, d);
    if (err == 0) {
        *valid_until_ms = j.valid_until_ms;
        return 0;
    }
    if (responder != NULL) {
        cert_free(*responder);
        *responder = NULL;
    }
    return err;
}

const char *trust_code_prefix(int code)
{
    switch (code) {
    case ERR_CERT_VALIDATION:
    case ERR_INCORRECT_VALIDATION_INFO:
    case ERR_CERT_VALIDITY_TIME:
    case ERR_INVALID_CERT_PATH:
        return "invalid_cert_path";
    default:
        return "";
    }
}
