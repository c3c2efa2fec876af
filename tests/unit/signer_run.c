/*
 * The key process where it belongs: in a group, started by executing this program again, with its
 * sandbox on, its keys from a key store, and a sibling that asks over both kinds of lines.
 */
#include "base/err.h"
#include "base/opt.h"
#include "crypto/sign.h"
#include "keys/keystore.h"
#include "keys/remote.h"
#include "proc/fs.h"
#include "proc/group.h"
#include "test.h"

#include <openssl/x509.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLE "signer-run-test"
#define MEMBER "SILD/GOV/70000001"
#define MESSAGES 20

static const char *dir; /* key store, certificate, report: also the children's "configuration" */

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* --- the children --- */

static int key_main(struct group_self *self, const char *config_path)
{
    struct buf cert;
    struct diag d;
    dir = config_path;
    buf_init(&cert, 8192);
    if (fs_read(in_dir("sign.der"), &cert, &d) != 0)
        return EXIT_COULD_NOT;
    struct signer_key keys[] = {
        {.name = "tls", .use = SIGNER_TLS},
        {.name = "sign", .use = SIGNER_MESSAGE, .member = MEMBER, .cert = buf_view(&cert)},
    };
    int code = signer_run(self, dir, keys, ARRAY_LEN(keys), 8);
    buf_free(&cert);
    return code;
}

struct asker {
    struct group_self *self;
    struct ipc *line;
    EVP_PKEY *pub;
    int answers;
    bool tls_ok, tls_done;
    struct buf report;
};

/* Tells the test what was seen, as one file. */
static void settle(struct asker *a)
{
    struct diag d;
    if (a->answers < MESSAGES || !a->tls_done)
        return;
    buf_printf(&a->report, "tls %s\n", a->tls_ok ? "ok" : "failed");
    if (fs_write(in_dir("report"), buf_view(&a->report), 0600, &d) != 0)
        _exit(9);
}

static void on_frame(void *ctx, struct ipc *c, const struct ipc_frame *f)
{
    struct asker *a = ctx;
    struct signer_result r;
    (void)c;
    if (f->type == SIGNER_MESSAGE_DONE && signer_get_result(f->body, &r) == 0)
        buf_printf(&a->report, "%d batch %u\n", (int)f->id, r.batch);
    a->answers++;
    settle(a);
}

static void on_close(void *ctx, struct ipc *c)
{
    (void)ctx;
    ipc_free(c);
}

static void ask_messages(struct asker *a, int fd)
{
    static const struct ipc_events events = {.on_frame = on_frame, .on_close = on_close};
    struct signer_message m = {.member = SLICE_LIT(MEMBER), .parts = 1};
    struct buf body;
    a->line = ipc_new(group_loop(a->self), fd, 0, &events, a);
    buf_init(&body, 4096);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        digest_of(DIGEST_SHA512, slice_of(&i, sizeof i), &m.part[0]);
        buf_reset(&body);
        signer_put_message(&body, &m);
        if (ipc_send(a->line, SIGNER_MESSAGE, 0, i, buf_view(&body), -1, false) != 0)
            _exit(9);
    }
    buf_free(&body);
}

static void ask_tls(struct asker *a, int fd)
{
    uint8_t sig[512];
    size_t n = sizeof sig;
    EVP_PKEY *key = remote_key_new(fd, SIGNER_TLS, "tls", a->pub, NULL);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    a->tls_ok = EVP_DigestSignInit_ex(c, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
                EVP_DigestSign(c, sig, &n, (const uint8_t *)"hello", 5) == 1 &&
                EVP_MD_CTX_reset(c) == 1 &&
                EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, a->pub, NULL) == 1 &&
                EVP_DigestVerify(c, sig, n, (const uint8_t *)"hello", 5) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    a->tls_done = true;
    settle(a);
}

static void on_peer(void *ctx, const char *name, int fd)
{
    if (strchr(name, '!') != NULL)
        ask_tls(ctx, fd);
    else
        ask_messages(ctx, fd);
}

static void on_stop(void *ctx)
{
    struct asker *a = ctx;
    loop_stop(group_loop(a->self));
}

static int asker_main(struct group_self *self, const char *config_path)
{
    static const struct group_events events = {.on_peer = on_peer, .on_stop = on_stop};
    struct asker a = {.self = self};
    struct buf der;
    struct diag d;
    dir = config_path;
    buf_init(&a.report, 4096);
    buf_init(&der, 8192);
    if (fs_read(in_dir("tls.der"), &der, &d) != 0)
        return EXIT_COULD_NOT;
    const uint8_t *p = der.p;
    a.pub = d2i_PUBKEY(NULL, &p, (long)der.n);
    group_begin(self, &events, &a);
    group_ready(self);
    loop_run(group_loop(self));
    ipc_free(a.line);
    EVP_PKEY_free(a.pub);
    buf_free(&a.report);
    buf_free(&der);
    return EXIT_DONE;
}

static const struct group_child children[] = {
    {.name = "key", .count = 1, .run = key_main},
    {.name = "asker", .count = 1, .peers = {"key", "key!"}, .run = asker_main},
};

static struct group_spec spec(void)
{
    return (struct group_spec){.role = ROLE,
                               .children = children,
                               .n = ARRAY_LEN(children),
                               .dir = dir,
                               .config_path = dir};
}

/* Executed again as a child: `<role> --child <name> --config FILE`. */
__attribute__((constructor)) static void be_a_child(int argc, char **argv)
{
    const char *child = NULL;
    if (argc < 2 || strcmp(argv[1], ROLE) != 0)
        return;
    for (int i = 2; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--child") == 0)
            child = argv[i + 1];
        if (strcmp(argv[i], "--config") == 0)
            dir = argv[i + 1];
    }
    struct group_spec s = spec();
    exit(child != NULL ? group_run_child(&s, child) : EXIT_USE);
}

/* --- the test --- */

static void write_der(const char *name, uint8_t *der, int n)
{
    struct diag d;
    CHECK(n > 0);
    CHECK_INT(fs_write(in_dir(name), slice_of(der, (size_t)n), 0600, &d), 0);
    OPENSSL_free(der);
}

static void make_store(void)
{
    struct keystore *store;
    struct diag d = {0};
    EVP_PKEY *tls, *sign;
    uint8_t *der = NULL;
    if (keystore_open(dir, true, &store, &d) != 0)
        FAIL("%s", d.text);
    CHECK_INT(keystore_generate(store, "tls", "rsa2048", &tls, &d), 0);
    CHECK_INT(keystore_generate(store, "sign", "p256", &sign, &d), 0);
    keystore_close(store);
    int n = i2d_PUBKEY(tls, &der);
    write_der("tls.der", der, n);

    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"signer", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, sign);
    CHECK(X509_sign(x, sign, EVP_sha256()) > 0);
    der = NULL;
    n = i2d_X509(x, &der);
    write_der("sign.der", der, n);
    X509_free(x);
    EVP_PKEY_free(tls);
    EVP_PKEY_free(sign);
}

TEST(a_group_signs_over_both_kinds_of_lines)
{
    static char base[] = "/tmp/sild-signer-XXXXXX";
    CHECK(mkdtemp(base) != NULL);
    dir = base;
    make_store();
    pid_t parent = fork();
    CHECK(parent >= 0);
    if (parent == 0) {
        struct group_spec s = spec();
        _exit(group_run(&s));
    }
    int status = 0;
    bool alive = true;
    for (int i = 0; i < 200 && alive && !fs_exists(in_dir("report")); i++) {
        usleep(50000);
        alive = waitpid(parent, &status, WNOHANG) == 0;
    }
    if (alive) {
        kill(parent, SIGTERM);
        waitpid(parent, &status, 0);
    }
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), EXIT_DONE);

    size_t n;
    char *report = (char *)test_file(in_dir("report"), &n);
    int lines = 0;
    for (char *at = strtok(report, "\n"); at != NULL; at = strtok(NULL, "\n"), lines++) {
        int id, batch;
        if (lines == MESSAGES) {
            CHECK_STR(at, "tls ok");
        } else {
            CHECK_INT(sscanf(at, "%d batch %d", &id, &batch), 2);
            CHECK_INT(id, lines);
            CHECK(batch >= 1 && batch <= 8);
        }
    }
    CHECK_INT(lines, MESSAGES + 1);
    free(report);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    CHECK_INT(system(command), 0);
}
