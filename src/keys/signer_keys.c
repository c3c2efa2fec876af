#include "keys/signer_keys.h"
#include "base/err.h"
#include "base/hex.h"
#include "tlog/aggregate.h"
#include "tlog/checkpoint.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 1024

struct signer_keys {
    struct signer_held *held;
    size_t n;
    struct buf scratch; /* a value in DER */
};

struct signer_keys *signer_keys_new(void)
{
    struct signer_keys *s = calloc(1, sizeof *s);
    if (s != NULL)
        buf_init(&s->scratch, VALUE_MAX);
    return s;
}

static void held_fini(struct signer_held *h)
{
    free(h->name);
    free(h->member);
    free(h->origin);
    EVP_PKEY_CTX_free(h->ctx);
    EVP_PKEY_free(h->key);
    cert_free(h->cert);
}

void signer_keys_free(struct signer_keys *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        held_fini(&s->held[i]);
    free(s->held);
    buf_free(&s->scratch);
    free(s);
}

size_t signer_keys_count(const struct signer_keys *s)
{
    return s->n;
}

struct signer_held *signer_keys_at(struct signer_keys *s, size_t i)
{
    return &s->held[i];
}

size_t signer_keys_of_member(const struct signer_keys *s, struct slice member, struct slice cert)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct signer_held *h = &s->held[i];
        if (h->member != NULL && slice_eq_str(member, h->member) &&
            (cert.n == 0 ? h->retired_ms == 0
                         : slice_eq(cert, slice_of(h->cert->sha256, sizeof h->cert->sha256))))
            return i;
    }
    return SIZE_MAX;
}

static struct signer_held *by_name(struct signer_keys *s, struct slice name)
{
    for (size_t i = 0; i < s->n; i++) {
        struct signer_held *h = &s->held[i];
        if ((h->retired_ms == 0 && slice_eq_str(name, h->name)) ||
            (h->cert_hex[0] != 0 && slice_eq_str(name, h->cert_hex)))
            return h;
    }
    return NULL;
}

static bool has_cert(const struct signer_keys *s, const struct signer_held *like)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->held[i].use == like->use && strcmp(s->held[i].cert_hex, like->cert_hex) == 0)
            return true;
    return false;
}

static bool is_over(const struct signer_held *h, int64_t now_ms)
{
    return h->retired_ms != 0 && now_ms - h->retired_ms > SIGNER_RETIRED_MS;
}

void signer_keys_inherit(struct signer_keys *s, struct signer_keys *from, int64_t now_ms)
{
    struct signer_held *more =
        from->n == 0 ? NULL : realloc(s->held, (s->n + from->n) * sizeof *more);
    if (more == NULL)
        return; /* who asks for one of them asks again */
    s->held = more;
    for (size_t i = 0; i < from->n && s->n < SIGNER_KEYS_MAX; i++) {
        struct signer_held *h = &from->held[i];
        if (h->cert_hex[0] == 0 || has_cert(s, h) || is_over(h, now_ms))
            continue;
        if (h->retired_ms == 0)
            h->retired_ms = now_ms;
        s->held[s->n++] = *h;
        *h = (struct signer_held){0};
    }
}

void signer_keys_forget(struct signer_keys *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->n; i++) {
        struct signer_held *h = &s->held[i];
        if (!is_over(h, now_ms))
            continue;
        held_fini(h);
        *h = (struct signer_held){.retired_ms = h->retired_ms};
    }
}

/* --- taking keys in --- */

static bool is_request(enum signer_type type)
{
    switch (type) {
    case SIGNER_MESSAGE:
    case SIGNER_TLS:
    case SIGNER_HEAD:
    case SIGNER_CONF:
    case SIGNER_CERT:
    case SIGNER_OCSP:
    case SIGNER_TSP:
    case SIGNER_COSIGN:
    case SIGNER_AGGREGATE:
        return true;
    case SIGNER_MESSAGE_DONE:
    case SIGNER_VALUE:
    case SIGNER_FAILED:
        return false;
    }
    return false;
}

/* It signs only what says this name. */
static bool has_origin(enum signer_type use)
{
    return use == SIGNER_HEAD || use == SIGNER_AGGREGATE;
}

static int take_cert(struct signer_held *h, struct slice cert, struct diag *d)
{
    h->cert = cert_parse(cert, d);
    if (h->cert == NULL)
        return ERR_INCORRECT_CERTIFICATE;
    hex_print(slice_of(h->cert->sha256, sizeof h->cert->sha256), h->cert_hex);
    if (EVP_PKEY_eq(h->cert->key, h->key) == 1)
        return 0;
    ERR_clear_error();
    return diag_set(d, ERR_INCORRECT_CERTIFICATE, "the certificate is of another key");
}

/* What only a message key has: algorithm, and a context that signs again and again. */
static int prepare_message_key(struct signer_held *h, struct diag *d)
{
    h->alg = sign_alg_for_key(h->key);
    if (h->alg == NULL)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "messages are signed by RSA or EC keys");
    h->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, h->key, NULL);
    if (h->ctx == NULL || EVP_PKEY_sign_init(h->ctx) != 1 ||
        EVP_PKEY_CTX_set_signature_md(h->ctx, digest_md(h->alg->digest)) != 1) {
        ERR_clear_error();
        return diag_set(d, ERR_CRYPTO, "OpenSSL does not sign with this key");
    }
    return 0;
}

static int fill(struct signer_held *h, const struct signer_key *k, EVP_PKEY *key, struct diag *d)
{
    h->use = k->use;
    h->name = strdup(k->name);
    h->member = k->use == SIGNER_MESSAGE ? strdup(k->member) : NULL;
    h->origin = has_origin(k->use) ? strdup(k->origin) : NULL;
    if (h->name == NULL || (k->use == SIGNER_MESSAGE && h->member == NULL) ||
        (has_origin(k->use) && h->origin == NULL))
        return diag_set(d, ERR_NOMEM, "no memory for a key");
    EVP_PKEY_up_ref(key);
    h->key = key;
    int err = k->use == SIGNER_MESSAGE || k->cert.n > 0 ? take_cert(h, k->cert, d) : 0;
    return err == 0 && k->use == SIGNER_MESSAGE ? prepare_message_key(h, d) : err;
}

static int check(struct signer_keys *s, const struct signer_key *k, const EVP_PKEY *key,
                 struct diag *d)
{
    if (!is_request(k->use) || (k->use == SIGNER_MESSAGE) != (k->member != NULL))
        return diag_set(d, ERR_USAGE,
                        "a key has one use, and a member if and only if it signs messages");
    if (has_origin(k->use) != (k->origin != NULL))
        return diag_set(d, ERR_USAGE,
                        "a key has an origin if and only if it signs what is of that origin");
    if ((has_origin(k->use) || k->use == SIGNER_COSIGN) && !EVP_PKEY_is_a(key, "ED25519"))
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "tree heads are signed by Ed25519 keys");
    if (s->n >= SIGNER_KEYS_MAX)
        return diag_set(d, ERR_TOO_LARGE, "more than %d keys", SIGNER_KEYS_MAX);
    if (by_name(s, slice_str(k->name)) != NULL)
        return diag_set(d, ERR_EXISTS, "named twice");
    if (k->member != NULL) {
        struct digest cert;
        digest_of(DIGEST_SHA256, k->cert, &cert);
        if (signer_keys_of_member(s, slice_str(k->member), digest_slice(&cert)) != SIZE_MAX)
            return diag_set(d, ERR_EXISTS, "%s has another key with the same certificate",
                            k->member);
    }
    return 0;
}

int signer_keys_add(struct signer_keys *s, const struct signer_key *k, EVP_PKEY *key,
                    struct diag *d)
{
    int err = check(s, k, key, d);
    if (err == 0) {
        struct signer_held *more = realloc(s->held, (s->n + 1) * sizeof *more);
        if (more == NULL)
            return diag_set(d, ERR_NOMEM, "no memory for a key");
        s->held = more;
        s->held[s->n] = (struct signer_held){0};
        err = fill(&s->held[s->n], k, key, d);
        if (err != 0)
            held_fini(&s->held[s->n]);
    }
    if (err != 0) {
        diag_where(d, "key %s", k->name);
        return err;
    }
    s->n++;
    return 0;
}

/* --- signing --- */

int signer_held_sign(struct signer_held *h, struct slice signed_info, struct buf *value,
                     struct diag *d)
{
    struct digest digest;
    digest_of(h->alg->digest, signed_info, &digest);
    uint8_t der[VALUE_MAX];
    size_t n = sizeof der;
    if (EVP_PKEY_sign(h->ctx, der, &n, digest.b, digest.n) != 1) {
        ERR_clear_error();
        return diag_set(d, ERR_CANNOT_SIGN, "the key %s does not sign", h->name);
    }
    if (h->alg->key == SIGN_RSA)
        buf_add(value, der, n);
    else if (sign_raw_from_der(h->key, slice_of(der, n), value) != 0)
        return diag_set(d, ERR_CANNOT_SIGN, "the key %s made no ECDSA value", h->name);
    return value->failed ? diag_set(d, ERR_NOMEM, "no memory for a signature") : 0;
}

/* The algorithm that a request asks for, made of its URI, or of digest and padding, or the key's
 * own. */
static int choose(const struct signer_held *h, const struct signer_raw *r, struct sign_alg *out,
                  struct diag *d)
{
    if (r->alg_uri.n > 0) {
        const struct sign_alg *row = sign_alg_from_uri(r->alg_uri);
        if (row == NULL || (r->digest != DIGEST_NONE && r->digest != row->digest))
            return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "no such signature algorithm");
        *out = *row;
    } else if (EVP_PKEY_is_a(h->key, "ED25519")) {
        *out = (struct sign_alg){NULL, SIGN_ED25519, r->digest, SIGN_NO_PADDING};
    } else if (EVP_PKEY_is_a(h->key, "EC")) {
        *out = (struct sign_alg){NULL, SIGN_EC, r->digest, SIGN_NO_PADDING};
    } else {
        *out = (struct sign_alg){NULL, SIGN_RSA, r->digest, r->pss ? SIGN_PSS : SIGN_PKCS1};
    }
    if (out->key == SIGN_ED25519)
        return out->digest == DIGEST_NONE && !r->digested && !r->pss
                   ? 0
                   : diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "Ed25519 signs whole data");
    if (out->digest == DIGEST_NONE)
        out->digest = DIGEST_SHA512;
    if (digest_len(out->digest) < 32)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "%s is too weak to sign with",
                        digest_name(out->digest));
    if (r->pss && out->padding != SIGN_PSS)
        return diag_set(d, ERR_UNSUPPORTED_ALGORITHM, "PSS is for RSA keys");
    return 0;
}

/* --- texts that a key may sign --- */

static int check_head(const struct signer_held *h, struct slice text, struct diag *d)
{
    struct checkpoint cp;
    if (checkpoint_parse(text, &cp, NULL) != 0 || cp.extensions.n > 0)
        return diag_set(d, ERR_DENIED, "the key %s signs checkpoints alone", h->name);
    if (!slice_eq_str(cp.origin, h->origin))
        return diag_set(d, ERR_DENIED, "the key %s signs checkpoints of %s, not of %.*s", h->name,
                        h->origin, SLICE_ARG(slice_sub(cp.origin, 0, CHECKPOINT_ORIGIN_MAX)));
    return 0;
}

static int check_aggregate(const struct signer_held *h, struct slice text, struct diag *d)
{
    struct aggregate a;
    if (aggregate_parse(text, &a, NULL) == 0 && slice_eq_str(a.name, h->origin))
        return 0;
    return diag_set(d, ERR_DENIED, "the key %s signs aggregates of %s alone", h->name, h->origin);
}

static int check_cosignature(const struct signer_held *h, struct slice text, struct diag *d)
{
    struct checkpoint cp;
    struct slice time = SLICE_NONE;
    uint64_t seconds;
    if (slice_skip(&text, SLICE_LIT("cosignature/v1\ntime ")) && slice_until(&text, '\n', &time) &&
        slice_u64(time, &seconds) && time.p[0] != '0' &&
        checkpoint_parse(slice_from(text, 1), &cp, NULL) == 0)
        return 0;
    return diag_set(d, ERR_DENIED, "the key %s signs cosignatures of checkpoints alone", h->name);
}

/* The key process is the last to see what is signed: a key of a tree signs nothing else, whoever
 * asks. */
static int check_text(const struct signer_held *h, const struct signer_raw *r, struct diag *d)
{
    switch (h->use) {
    case SIGNER_HEAD:
        return check_head(h, r->data, d);
    case SIGNER_COSIGN:
        return check_cosignature(h, r->data, d);
    case SIGNER_AGGREGATE:
        return check_aggregate(h, r->data, d);
    default:
        return 0;
    }
}

static int sign_request(const struct signer_held *h, const struct signer_raw *r, struct buf *value,
                        struct diag *d)
{
    struct sign_alg alg;
    int err = choose(h, r, &alg, d);
    err = err != 0 ? err : check_text(h, r, d);
    if (err != 0)
        return err;
    if (!r->digested) {
        err = sign_data(h->key, &alg, r->data, value);
    } else {
        struct digest digest = {.alg = alg.digest, .n = (uint8_t)digest_len(alg.digest)};
        if (r->data.n != digest.n)
            return diag_set(d, ERR_BAD_REQUEST, "a %s digest has %u bytes, not %zu",
                            digest_name(alg.digest), digest.n, r->data.n);
        memcpy(digest.b, r->data.p, digest.n);
        err = sign_digest(h->key, &alg, &digest, value);
    }
    return err == 0 ? 0
                    : diag_set(d, err, "the key %s does not sign so: %s", h->name, err_text(err));
}

static int serve(struct signer_keys *s, uint16_t type, struct slice body, struct diag *d)
{
    if (!is_request((enum signer_type)type) || type == SIGNER_MESSAGE)
        return diag_set(d, ERR_BAD_REQUEST, "the key process knows no request of type %u", type);
    struct signer_raw r;
    if (signer_get_raw(body, &r) != 0)
        return diag_set(d, ERR_BAD_REQUEST, "malformed request");
    struct signer_held *h = by_name(s, r.key);
    if (h == NULL)
        return diag_set(d, ERR_KEY_NOT_FOUND, "no key named %.*s", SLICE_ARG(r.key));
    if (h->use != type)
        return diag_set(d, ERR_DENIED, "the key %s is not for this use", h->name);
    return sign_request(h, &r, &s->scratch, d);
}

uint16_t signer_keys_serve(struct signer_keys *s, uint16_t type, struct slice body,
                           struct buf *answer)
{
    struct diag d = {0};
    buf_reset(&s->scratch);
    int err = serve(s, type, body, &d);
    if (err == 0) {
        buf_slice(answer, buf_view(&s->scratch));
        return SIGNER_VALUE;
    }
    signer_put_failure(answer, err, slice_str(d.text));
    return SIGNER_FAILED;
}
