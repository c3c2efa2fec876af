/*
 * Keys of the provider against a real key process: a forked child that holds the private keys and
 * serves its line. Everything that is signed here is verified by OpenSSL's default provider.
 */
#include "keys/remote.h"
#include "base/err.h"
#include "crypto/cert.h"
#include "crypto/ocsp.h"
#include "crypto/tsp.h"
#include "keys/signer_lines.h"
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind {
    RSA2048,
    RSA3072,
    P256,
    P384,
    KINDS,
};
static const char *const kind_names[KINDS] = {"rsa2048", "rsa3072", "p256", "p384"};

static EVP_PKEY *local[KINDS]; /* the whole keys; used here for their public halves only */
static EVP_PKEY *remote[KINDS];
static X509 *certs[KINDS]; /* self-signed, by the remote keys */
static int line = -1;
static pid_t child = -1;

/* What else the key process holds of each kind, named "cert-p256" and so on. */
static const struct {
    const char *prefix;
    enum signer_type use;
} uses[] = {{"cert", SIGNER_CERT}, {"ocsp", SIGNER_OCSP}, {"tsp", SIGNER_TSP}};

static void hold(struct signer_keys *keys, const char *name, enum signer_type use, EVP_PKEY *key)
{
    struct signer_key k = {.name = name, .use = use};
    if (signer_keys_add(keys, &k, key, NULL) != 0)
        _exit(2);
}

static void child_main(int fd)
{
    struct signer_keys *keys = signer_keys_new();
    for (int i = 0; i < KINDS; i++) {
        hold(keys, kind_names[i], SIGNER_TLS, local[i]);
        for (size_t u = 0; u < ARRAY_LEN(uses); u++) {
            char name[32];
            snprintf(name, sizeof name, "%s-%s", uses[u].prefix, kind_names[i]);
            hold(keys, name, uses[u].use, local[i]);
        }
    }
    struct loop *l = loop_new();
    struct signer_lines *lines = signer_lines_new(l, keys, 1);
    if (signer_lines_add(lines, fd) != 0)
        _exit(2);
    loop_run(l);
    _exit(3);
}

static void stop_child(void)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

static X509 *self_signed(EVP_PKEY *pub, EVP_PKEY *key, const EVP_MD *md)
{
    X509 *x = X509_new();
    CHECK(x != NULL);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    CHECK_INT(X509_set_pubkey(x, pub), 1);
    if (X509_sign(x, key, md) <= 0)
        FAIL("X509_sign: %s", ERR_reason_error_string(ERR_peek_last_error()));
    return x;
}

/* Once: keys, child, remote keys, certificates. */
static void setup(void)
{
    if (line >= 0)
        return;
    local[RSA2048] = EVP_RSA_gen(2048);
    local[RSA3072] = EVP_RSA_gen(3072);
    local[P256] = EVP_EC_gen("P-256");
    local[P384] = EVP_EC_gen("P-384");
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(pair[0]);
        child_main(pair[1]);
    }
    atexit(stop_child);
    close(pair[1]);
    line = pair[0];
    for (int i = 0; i < KINDS; i++) {
        struct diag d = {0};
        remote[i] = remote_key_new(line, SIGNER_TLS, kind_names[i], local[i], &d);
        if (remote[i] == NULL)
            FAIL("%s: %s", kind_names[i], d.text);
        certs[i] = self_signed(remote[i], remote[i], EVP_sha256());
    }
}

TEST(certificates_signed_by_remote_keys_verify)
{
    static const char *const digests[] = {"SHA256", "SHA384", "SHA512"};
    setup();
    for (int i = 0; i < KINDS; i++)
        for (size_t k = 0; k < ARRAY_LEN(digests); k++) {
            X509 *x = self_signed(local[i], remote[i], EVP_get_digestbyname(digests[k]));
            CHECK_INT(X509_verify(x, local[i]), 1);
            CHECK_INT(X509_verify(x, remote[i]), 1);
            CHECK(X509_verify(x, remote[(i + 1) % KINDS]) != 1);
            X509_free(x);
        }
}

TEST(the_public_half_is_that_of_the_key)
{
    setup();
    for (int i = 0; i < KINDS; i++) {
        CHECK_INT(X509_check_private_key(certs[i], remote[i]), 1);
        CHECK_INT(EVP_PKEY_eq(local[i], remote[i]), 1);
        CHECK_INT(EVP_PKEY_eq(remote[i], local[i]), 1);
        CHECK(EVP_PKEY_eq(remote[i], local[(i + 1) % KINDS]) != 1);
        CHECK_INT(EVP_PKEY_get_bits(remote[i]), EVP_PKEY_get_bits(local[i]));
        CHECK_INT(EVP_PKEY_get_size(remote[i]), EVP_PKEY_get_size(local[i]));
        CHECK_INT(EVP_PKEY_get_id(remote[i]), EVP_PKEY_get_id(local[i]));
        uint8_t *a = NULL, *b = NULL;
        int n = i2d_PUBKEY(remote[i], &a);
        CHECK_INT(i2d_PUBKEY(local[i], &b), n);
        CHECK(n > 0 && memcmp(a, b, (size_t)n) == 0);
        OPENSSL_free(a);
        OPENSSL_free(b);
        CHECK_INT(i2d_PrivateKey(remote[i], NULL), -1);
        ERR_clear_error();
    }
}

static void verify_digest_with(EVP_PKEY *key, const EVP_MD *md, int padding, struct slice sig)
{
    uint8_t digest[64];
    size_t size = (size_t)EVP_MD_get_size(md);
    memset(digest, 0x5a, sizeof digest);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    CHECK_INT(EVP_PKEY_verify_init(c), 1);
    CHECK_INT(EVP_PKEY_CTX_set_signature_md(c, md), 1);
    if (padding != 0)
        CHECK_INT(EVP_PKEY_CTX_set_rsa_padding(c, padding), 1);
    if (padding == RSA_PKCS1_PSS_PADDING)
        CHECK_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST), 1);
    CHECK_INT(EVP_PKEY_verify(c, sig.p, sig.n, digest, size), 1);
    digest[0] ^= 1;
    CHECK(EVP_PKEY_verify(c, sig.p, sig.n, digest, size) != 1);
    EVP_PKEY_CTX_free(c);
    ERR_clear_error();
}

/* Signs a digest with the remote key; both keys must verify it. */
static bool sign_and_verify(int kind, const EVP_MD *md, int padding)
{
    uint8_t digest[64], sig[512];
    memset(digest, 0x5a, sizeof digest);
    size_t n = sizeof sig, size = (size_t)EVP_MD_get_size(md);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, remote[kind], NULL);
    CHECK_INT(EVP_PKEY_sign_init(c), 1);
    CHECK_INT(EVP_PKEY_CTX_set_signature_md(c, md), 1);
    if (padding != 0)
        CHECK_INT(EVP_PKEY_CTX_set_rsa_padding(c, padding), 1);
    if (padding == RSA_PKCS1_PSS_PADDING)
        CHECK_INT(EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST), 1);
    bool ok = EVP_PKEY_sign(c, sig, &n, digest, size) == 1;
    EVP_PKEY_CTX_free(c);
    if (!ok)
        return false;
    verify_digest_with(local[kind], md, padding, slice_of(sig, n));
    verify_digest_with(remote[kind], md, padding, slice_of(sig, n));
    return true;
}

TEST(digests_are_signed_with_each_padding)
{
    const EVP_MD *mds[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    setup();
    for (size_t m = 0; m < ARRAY_LEN(mds); m++) {
        CHECK(sign_and_verify(RSA2048, mds[m], RSA_PKCS1_PADDING));
        CHECK(sign_and_verify(RSA2048, mds[m], RSA_PKCS1_PSS_PADDING));
        CHECK(sign_and_verify(RSA3072, mds[m], RSA_PKCS1_PSS_PADDING));
        CHECK(sign_and_verify(P256, mds[m], 0));
        CHECK(sign_and_verify(P384, mds[m], 0));
    }
}

TEST(weak_digests_are_refused_with_a_reason)
{
    setup();
    ERR_clear_error();
    CHECK(!sign_and_verify(RSA2048, EVP_sha1(), RSA_PKCS1_PADDING));
    const char *text = NULL;
    int flags = 0;
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, &flags);
    CHECK((flags & ERR_TXT_STRING) != 0 && strstr(text, "too weak") != NULL);
    ERR_clear_error();
    CHECK(!sign_and_verify(P256, EVP_sha1(), 0));
    ERR_clear_error();
}

TEST(streamed_data_and_copied_contexts)
{
    setup();
    for (int i = 0; i < KINDS; i++) {
        EVP_MD_CTX *c = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new();
        uint8_t sig[512], other[512];
        size_t n = 0, m = sizeof other;
        CHECK_INT(EVP_DigestSignInit_ex(c, NULL, "SHA512", NULL, NULL, remote[i], NULL), 1);
        CHECK_INT(EVP_DigestSignUpdate(c, "one ", 4), 1);
        CHECK_INT(EVP_MD_CTX_copy_ex(copy, c), 1);
        CHECK_INT(EVP_DigestSignUpdate(c, "two", 3), 1);
        CHECK_INT(EVP_DigestSignUpdate(copy, "six", 3), 1);
        CHECK_INT(EVP_DigestSignFinal(c, NULL, &n), 1);
        CHECK(n <= sizeof sig);
        CHECK_INT(EVP_DigestSignFinal(c, sig, &n), 1);
        CHECK_INT(EVP_DigestSignFinal(copy, other, &m), 1);
        EVP_MD_CTX_reset(c);
        CHECK_INT(EVP_DigestVerifyInit(c, NULL, EVP_sha512(), NULL, local[i]), 1);
        CHECK_INT(EVP_DigestVerify(c, sig, n, (const uint8_t *)"one two", 7), 1);
        EVP_MD_CTX_reset(c);
        CHECK_INT(EVP_DigestVerifyInit(c, NULL, EVP_sha512(), NULL, local[i]), 1);
        CHECK_INT(EVP_DigestVerify(c, other, m, (const uint8_t *)"one six", 7), 1);
        EVP_MD_CTX_free(c);
        EVP_MD_CTX_free(copy);
    }
}

/* --- what an authority and its services sign --- */

static EVP_PKEY *remote_for(size_t use, int kind)
{
    char name[32];
    struct diag d = {0};
    snprintf(name, sizeof name, "%s-%s", uses[use].prefix, kind_names[kind]);
    EVP_PKEY *key = remote_key_new(line, uses[use].use, name, local[kind], &d);
    if (key == NULL)
        FAIL("%s", d.text);
    return key;
}

static const struct cert_rdn ca_name[] = {{"2.5.4.3", "CA"}}, leaf_name[] = {{"2.5.4.3", "leaf"}};
#define DAY_MS 86400000LL

static struct cert *issue(enum cert_purpose purpose, const struct cert_rdn *rdn, EVP_PKEY *key,
                          const struct cert *issuer, EVP_PKEY *issuer_key)
{
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    struct cert_spec spec = {.purpose = purpose,
                             .rdns = rdn,
                             .rdn_count = 1,
                             .serial = {1, 2, 3},
                             .not_before_ms = now_ms - DAY_MS,
                             .not_after_ms = now_ms + DAY_MS};
    struct buf der;
    struct diag d = {0};
    buf_init(&der, 8192);
    if (cert_issue(&spec, key, issuer, issuer_key, &der, &d) != 0)
        FAIL("%s", d.text);
    struct cert *c = cert_parse(buf_view(&der), &d);
    buf_free(&der);
    if (c == NULL)
        FAIL("%s", d.text);
    return c;
}

TEST(an_authority_issues_certificates_by_a_remote_key)
{
    setup();
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY *key = remote_for(0, i);
        struct cert *ca = issue(CERT_CA, ca_name, key, NULL, key);
        struct cert *leaf = issue(CERT_SIGN, leaf_name, local[P256], ca, key);
        CHECK_INT(X509_verify(ca->x509, local[i]), 1);
        CHECK_INT(X509_verify(leaf->x509, local[i]), 1);
        CHECK(cert_issued_by(leaf, ca));
        cert_free(leaf);
        cert_free(ca);
        EVP_PKEY_free(key);
    }
}

TEST(a_responder_answers_by_a_remote_key)
{
    setup();
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    struct cert *ca = issue(CERT_CA, ca_name, local[P384], NULL, local[P384]);
    struct cert *leaf = issue(CERT_SIGN, leaf_name, local[P256], ca, local[P384]);
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY *key = remote_for(1, i);
        struct cert *responder = issue(CERT_OCSP, leaf_name, local[i], ca, local[P384]);
        struct buf asked, out;
        struct ocsp_request req;
        struct ocsp_answer good = {.status = OCSP_GOOD, .revocation_reason = -1};
        struct diag d = {0};
        buf_init(&asked, 8192);
        buf_init(&out, 32768);
        CHECK_INT(ocsp_request_make(leaf, ca, &asked), 0);
        CHECK_INT(ocsp_request_parse(buf_view(&asked), &req, &d), 0);
        if (ocsp_response_make(&req, &good, responder, key, now_ms, 0, &out, &d) != 0)
            FAIL("%s", d.text);

        const uint8_t *p = out.p;
        OCSP_RESPONSE *resp = d2i_OCSP_RESPONSE(NULL, &p, (long)out.n);
        OCSP_BASICRESP *basic = OCSP_response_get1_basic(resp);
        STACK_OF(X509) *certs_of = sk_X509_new_null();
        X509_STORE *store = X509_STORE_new();
        sk_X509_push(certs_of, responder->x509);
        X509_STORE_add_cert(store, ca->x509);
        CHECK_INT(OCSP_basic_verify(basic, certs_of, store, 0), 1);
        X509_STORE_free(store);
        sk_X509_free(certs_of);
        OCSP_BASICRESP_free(basic);
        OCSP_RESPONSE_free(resp);
        ocsp_request_free(&req);
        buf_free(&asked);
        buf_free(&out);
        cert_free(responder);
        EVP_PKEY_free(key);
    }
    cert_free(leaf);
    cert_free(ca);
}

TEST(a_time_stamp_is_given_by_a_remote_key)
{
    setup();
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    struct cert *ca = issue(CERT_CA, ca_name, local[P384], NULL, local[P384]);
    struct digest imprint;
    digest_of(DIGEST_SHA512, SLICE_LIT("data"), &imprint);
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY *key = remote_for(2, i);
        struct cert *tsa = issue(CERT_TSA, leaf_name, local[i], ca, local[P384]);
        static const uint8_t serial[16] = {7};
        struct buf asked, out;
        struct slice token;
        struct cert *signer = NULL;
        struct diag d = {0};
        buf_init(&asked, 8192);
        buf_init(&out, 32768);
        CHECK_INT(tsp_request_make(&imprint, &asked), 0);
        if (tsp_respond(buf_view(&asked), tsa, key, serial, now_ms, &out, &d) != 0 ||
            tsp_response_token(buf_view(&out), &imprint, &token, &d) != 0 ||
            tsp_token_verify(token, &tsa, 1, &signer, &d) != 0)
            FAIL("%s: %s", kind_names[i], d.text);
        CHECK(signer == tsa);
        buf_free(&asked);
        buf_free(&out);
        cert_free(tsa);
        EVP_PKEY_free(key);
    }
    cert_free(ca);
}

static int sign_code(enum signer_type type, const char *name)
{
    struct diag d = {0};
    EVP_PKEY *key = remote_key_new(line, type, name, local[P256], &d);
    CHECK(key != NULL);
    uint8_t sig[128];
    size_t n = sizeof sig;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK_INT(EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL), 1);
    int ok = EVP_DigestSign(c, sig, &n, (const uint8_t *)"x", 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

TEST(a_key_serves_its_own_use_only)
{
    setup();
    CHECK_INT(sign_code(SIGNER_TLS, "p256"), 1);
    CHECK_INT(sign_code(SIGNER_CERT, "cert-p256"), 1);
    CHECK(sign_code(SIGNER_CERT, "p256") != 1);
    CHECK(sign_code(SIGNER_TLS, "cert-p256") != 1);
    CHECK(sign_code(SIGNER_OCSP, "cert-p256") != 1);
    CHECK(sign_code(SIGNER_TLS, "none") != 1);
    CHECK(sign_code(SIGNER_MESSAGE, "p256") != 1);
}

TEST(other_keys_stay_with_the_default_provider)
{
    setup();
    EVP_PKEY *key = EVP_RSA_gen(2048);
    CHECK(key != NULL);
    CHECK_STR(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "default");
    CHECK_STR(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(remote[P256])), "sild");
    X509 *x = self_signed(key, key, EVP_sha256());
    CHECK_INT(X509_verify(x, key), 1);
    CHECK_STR(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(X509_get0_pubkey(x))), "default");
    X509_free(x);
    EVP_PKEY_free(key);
    CHECK(remote_key_new(line, SIGNER_TLS, "", local[P256], NULL) == NULL);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CHECK(remote_key_new(line, SIGNER_TLS, "p256", key, NULL) == NULL);
    EVP_PKEY_free(key);
}

/* --- handshakes --- */

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 1;
}

static SSL_CTX *tls_context(bool server, int kind, EVP_PKEY *key, int version, const char *suite,
                            const char *sigalgs)
{
    SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    CHECK(c != NULL);
    CHECK_INT(SSL_CTX_set_min_proto_version(c, version), 1);
    CHECK_INT(SSL_CTX_set_max_proto_version(c, version), 1);
    if (version == TLS1_2_VERSION)
        CHECK_INT(SSL_CTX_set_cipher_list(c, suite), 1);
    if (sigalgs != NULL)
        CHECK_INT(SSL_CTX_set1_sigalgs_list(c, sigalgs), 1);
    SSL_CTX_set_dh_auto(c, 1);
    CHECK_INT(SSL_CTX_use_certificate(c, certs[kind]), 1);
    CHECK_INT(SSL_CTX_use_PrivateKey(c, key), 1);
    CHECK_INT(SSL_CTX_check_private_key(c), 1);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    return c;
}

/* Both ends in turn until done, or until one fails. */
static bool shake(SSL *server, SSL *client)
{
    for (int i = 0; i < 20; i++) {
        int c = SSL_do_handshake(client), s = SSL_do_handshake(server);
        if (c == 1 && s == 1)
            return true;
        if ((c != 1 && SSL_get_error(client, c) != SSL_ERROR_WANT_READ) ||
            (s != 1 && SSL_get_error(server, s) != SSL_ERROR_WANT_READ))
            return false;
    }
    return false;
}

struct pair {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
};

static struct pair pair_new(int server, int client, int version, const char *suite,
                            const char *sigalgs)
{
    struct pair p;
    BIO *a, *b;
    p.server_ctx = tls_context(true, server, remote[server], version, suite, sigalgs);
    p.client_ctx = tls_context(false, client, remote[client], version, suite, sigalgs);
    p.server = SSL_new(p.server_ctx);
    p.client = SSL_new(p.client_ctx);
    CHECK_INT(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(p.server, a, a);
    SSL_set_bio(p.client, b, b);
    SSL_set_accept_state(p.server);
    SSL_set_connect_state(p.client);
    return p;
}

static void pair_free(struct pair *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
    SSL_CTX_free(p->server_ctx);
    SSL_CTX_free(p->client_ctx);
    ERR_clear_error();
}

static void handshake(int server, int client, int version, const char *suite, const char *sigalgs)
{
    struct pair p = pair_new(server, client, version, suite, sigalgs);
    if (!shake(p.server, p.client))
        FAIL("%s with %s, %s: %s", kind_names[server], kind_names[client],
             suite != NULL ? suite : "TLS 1.3", ERR_reason_error_string(ERR_peek_last_error()));
    CHECK_INT(SSL_version(p.client), version);
    if (suite != NULL)
        CHECK_STR(SSL_get_cipher_name(p.client), suite);
    CHECK_INT(X509_cmp(SSL_get0_peer_certificate(p.client), certs[server]), 0);
    CHECK_INT(X509_cmp(SSL_get0_peer_certificate(p.server), certs[client]), 0);
    char text[8] = {0};
    CHECK_INT(SSL_write(p.client, "query", 5), 5);
    CHECK_INT(SSL_read(p.server, text, sizeof text), 5);
    CHECK_STR(text, "query");
    pair_free(&p);
}

TEST(tls_1_2_with_the_suites_of_x_road)
{
    setup();
    for (int client = 0; client < KINDS; client++) {
        handshake(RSA2048, client, TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384", NULL);
        handshake(RSA3072, client, TLS1_2_VERSION, "DHE-RSA-AES256-SHA256", NULL);
        handshake(P256, client, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", NULL);
        handshake(P384, client, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", NULL);
    }
}

TEST(tls_1_2_with_the_older_rsa_padding)
{
    setup();
    handshake(RSA2048, RSA3072, TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384",
              "RSA+SHA256:RSA+SHA384:RSA+SHA512");
    handshake(RSA3072, RSA2048, TLS1_2_VERSION, "DHE-RSA-AES256-SHA256", "RSA+SHA512");
}

TEST(tls_1_3_between_all_kinds_of_keys)
{
    setup();
    for (int server = 0; server < KINDS; server++)
        for (int client = 0; client < KINDS; client++)
            handshake(server, client, TLS1_3_VERSION, NULL, NULL);
}

TEST(a_context_refuses_a_remote_key_of_another_certificate)
{
    setup();
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    CHECK_INT(SSL_CTX_use_certificate(c, certs[RSA2048]), 1);
    CHECK(SSL_CTX_use_PrivateKey(c, remote[RSA3072]) != 1);
    SSL_CTX_free(c);
    ERR_clear_error();
}

/* Last: ends the key process. */
TEST(without_the_key_process_a_handshake_fails)
{
    setup();
    stop_child();
    child = -1;
    struct pair p = pair_new(RSA2048, P256, TLS1_3_VERSION, NULL, NULL);
    CHECK(!shake(p.server, p.client));
    pair_free(&p);
    CHECK_INT(sign_code(SIGNER_TLS, "p256") == 1, 0);
}
