/*
 * Bodies of requests and answers of the key process. The first byte chooses what the rest is. Where
 * messages to sign come, each in front of it a u8 of its length, a batch is made of them; each
 * answer must be read, and hold a signature of its message's key.
 */
#include "base/cursor.h"
#include "base/err.h"
#include "keys/signer_batch.h"
#include "own_cert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MEMBER "ZZ/GOV/1"

static struct signer_keys *keys;
static struct signer_batch *batch;
static struct cert *cert;
static size_t asked, answered;

static void add(const char *name, enum signer_type use, EVP_PKEY *key)
{
    struct signer_key k = {.name = name, .use = use, .origin = use == SIGNER_HEAD ? "a/b/c" : NULL};
    if (signer_keys_add(keys, &k, key, NULL) != 0)
        abort();
    EVP_PKEY_free(key);
}

static void end(void)
{
    signer_batch_free(batch);
    signer_keys_free(keys);
    cert_free(cert);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    keys = signer_keys_new();
    add("tls", SIGNER_TLS, key_generate("p256", NULL));
    add("head", SIGNER_HEAD, key_generate("ed25519", NULL));
    add("cosigner", SIGNER_COSIGN, key_generate("ed25519", NULL));
    add("rsa", SIGNER_CERT, key_generate("rsa2048", NULL));
    EVP_PKEY *key = key_generate("p256", NULL);
    cert = own_cert(CERT_SIGN, "member", key);
    struct signer_key k = {
        .name = "sign", .use = SIGNER_MESSAGE, .member = MEMBER, .cert = cert->der};
    if (signer_keys_add(keys, &k, key, NULL) != 0 || signer_keys_add(keys, &k, key, NULL) == 0)
        abort();
    EVP_PKEY_free(key);
    batch = signer_batch_new(keys, 4);
    if (batch == NULL || atexit(end) != 0)
        abort();
    return 0;
}

/* What was read, written again, must be the same bytes. */
static void same(struct buf *b, struct slice body)
{
    if (b->failed || !slice_eq(buf_view(b), body))
        abort();
}

static void read_answers(struct slice body)
{
    struct buf b;
    struct signer_result r;
    int code;
    struct slice text;
    buf_init(&b, IPC_BODY_MAX);
    if (signer_get_result(body, &r) == 0) {
        signer_put_result(&b, &r);
        same(&b, body);
    }
    buf_reset(&b);
    if (signer_get_failure(body, &code, &text) == 0) {
        signer_put_failure(&b, code, text);
        same(&b, body);
    }
    buf_free(&b);
}

/* What a process that asks makes of it, whole or not. */
static void read_call(struct slice body)
{
    static uint64_t id; /* of the call, which counts */
    static uint8_t frame[16 + 4096];
    int pair[2];
    struct buf value;
    struct diag d = {0};
    struct signer_raw raw = {.key = SLICE_LIT("tls"), .data = SLICE_LIT("data")};
    if (body.n > 4096)
        return;
    uint16_t type = body.n % 3 == 0 ? SIGNER_FAILED : SIGNER_VALUE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        abort();
    put_u32(frame, (uint32_t)body.n);
    put_u16(frame + 4, type);
    put_u64(frame + 8, ++id);
    if (body.n > 0)
        memcpy(frame + 16, body.p, body.n);
    if (send(pair[1], frame, 16 + body.n, 0) < 0)
        abort();
    shutdown(pair[1], SHUT_WR);
    buf_init(&value, 4096);
    int rc = signer_call(pair[0], SIGNER_TLS, &raw, &value, &d);
    if (rc == 0 ? type != SIGNER_VALUE || !slice_eq(buf_view(&value), body) : d.code != rc)
        abort();
    buf_free(&value);
    close(pair[0]);
    close(pair[1]);
}

static void read_requests(struct slice body)
{
    struct buf b;
    struct signer_message m;
    struct signer_raw raw;
    buf_init(&b, IPC_BODY_MAX);
    if (signer_get_message(body, &m) == 0) {
        signer_put_message(&b, &m);
        same(&b, body);
    }
    buf_reset(&b);
    if (signer_get_raw(body, &raw) == 0) {
        signer_put_raw(&b, &raw);
        same(&b, body);
    }
    buf_free(&b);
}

static void answer_of_batch(void *ctx, void *line, uint64_t id, uint16_t type, struct slice body)
{
    struct signer_result r;
    if (ctx != &answered || line != &asked || id >= asked || type != SIGNER_MESSAGE_DONE ||
        signer_get_result(body, &r) != 0 || r.value.n != 64 || r.batch == 0 || r.batch > 4)
        abort();
    answered++;
}

static void sign_batch(struct slice rest)
{
    static char gone;
    size_t forgotten = 0;
    asked = answered = 0;
    while (rest.n > 1) {
        size_t n = rest.p[0];
        struct slice body = slice_sub(rest, 1, n);
        bool leaves = n % 8 == 7; /* its asker is gone before the answer */
        struct diag d = {0};
        if (signer_batch_add(batch, body, leaves ? (void *)&gone : &asked, asked, &d) == 0) {
            forgotten += leaves;
            asked++;
        } else if (d.text[0] == 0) {
            abort();
        }
        rest = slice_from(rest, 1 + body.n);
    }
    signer_batch_forget(batch, &gone);
    signer_batch_sign(batch, 1000, answer_of_batch, &answered);
    if (answered != asked - forgotten)
        abort();
}

static void serve(uint16_t type, struct slice body)
{
    struct buf answer;
    int code;
    struct slice text;
    buf_init(&answer, 4096);
    uint16_t reply = signer_keys_serve(keys, type, body, &answer);
    if (answer.failed ||
        (reply == SIGNER_FAILED) != (signer_get_failure(buf_view(&answer), &code, &text) == 0))
        abort();
    buf_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    struct slice body = slice_of(data + 1, n - 1);
    if (data[0] == 0) {

        read_answers(body);
        read_call(body);
    } else if (data[0] == SIGNER_MESSAGE)
        read_requests(body);
    else if (data[0] == SIGNER_MESSAGE_DONE)
        sign_batch(body);
    else
        serve(data[0], body);
    return 0;
}
