/* Bodies of requests and answers of the key process. The first byte chooses what the rest is. */
#include "base/err.h"
#include "keys/signer_batch.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct signer_keys *keys;
static struct signer_batch *batch;

static void add(const char *name, enum signer_type use, EVP_PKEY *key)
{
    struct signer_key k = {.name = name, .use = use};
    if (signer_keys_add(keys, &k, key, NULL) != 0)
        abort();
    EVP_PKEY_free(key);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    keys = signer_keys_new();
    add("tls", SIGNER_TLS, key_generate("p256", NULL));
    add("head", SIGNER_HEAD, key_generate("ed25519", NULL));
    batch = signer_batch_new(keys, 4);
    if (batch == NULL)
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
    if (signer_batch_add(batch, body, &b, 1, NULL) == 0)
        abort(); /* there is no member */
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
    if (data[0] == 0)
        read_answers(body);
    else if (data[0] == SIGNER_MESSAGE)
        read_requests(body);
    else
        serve(data[0], body);
    return 0;
}
