/*
 * The bodies of requests and answers, little-endian; `var` is a u32 length and that many bytes.
 *
 *   SIGNER_MESSAGE       var member, var certificate (SHA-256, or empty), u8 parts (1 to 16), 64
 *                        bytes SHA-512 a part
 *   SIGNER_MESSAGE_DONE  u64 signing time (ms), u32 batch, var value, var result, var chain
 *   raw requests         u8 bits (1 digested, 2 pss), u8 digest, var key, var URI, var data
 *   SIGNER_VALUE         the value, nothing around it
 *   SIGNER_FAILED        u16 code of base/err.h, var text (UTF-8)
 */
#include "keys/signer.h"
#include "base/cursor.h"
#include "base/err.h"

#define MEMBER_MAX 1024 /* three identifiers of 255 bytes, and room */
#define KEY_NAME_MAX 64
#define URI_MAX 128
#define VALUE_MAX 1024 /* RSA-8192 */
#define DOCUMENT_MAX (64u << 10)
#define TEXT_MAX 1024
#define SHA256_LEN 32
#define SHA512_LEN 64
#define CALL_TIMEOUT_MS 10000
#define REPLY_MAX 2048

enum raw_bits {
    RAW_DIGESTED = 1,
    RAW_PSS = 2,
};

void signer_put_message(struct buf *b, const struct signer_message *m)
{
    wr_var(b, m->member);
    wr_var(b, m->cert);
    wr_u8(b, (uint8_t)m->parts);
    if (m->parts == 0 || m->parts > SIGNER_PARTS_MAX)
        b->failed = true;
    for (size_t i = 0; i < m->parts && !b->failed; i++) {
        if (m->part[i].alg != DIGEST_SHA512 || m->part[i].n != SHA512_LEN)
            b->failed = true;
        buf_slice(b, digest_slice(&m->part[i]));
    }
}

int signer_get_message(struct slice body, struct signer_message *out)
{
    struct rd r = rd_of(body);
    out->member = rd_var(&r, MEMBER_MAX);
    out->cert = rd_var(&r, SHA256_LEN);
    out->parts = rd_u8(&r);
    if (r.bad || (out->cert.n != 0 && out->cert.n != SHA256_LEN) || out->parts == 0 ||
        out->parts > SIGNER_PARTS_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < out->parts; i++) {
        struct slice s = rd_bytes(&r, SHA512_LEN);
        if (r.bad)
            return ERR_SYNTAX;
        out->part[i].alg = DIGEST_SHA512;
        out->part[i].n = SHA512_LEN;
        for (size_t k = 0; k < SHA512_LEN; k++)
            out->part[i].b[k] = s.p[k];
    }
    return rd_done(&r) ? 0 : ERR_SYNTAX;
}

void signer_put_result(struct buf *b, const struct signer_result *r)
{
    wr_u64(b, (uint64_t)r->signing_time_ms);
    wr_u32(b, r->batch);
    wr_var(b, r->value);
    wr_var(b, r->result);
    wr_var(b, r->chain);
}

int signer_get_result(struct slice body, struct signer_result *out)
{
    struct rd r = rd_of(body);
    out->signing_time_ms = (int64_t)rd_u64(&r);
    out->batch = rd_u32(&r);
    out->value = rd_var(&r, VALUE_MAX);
    out->result = rd_var(&r, DOCUMENT_MAX);
    out->chain = rd_var(&r, DOCUMENT_MAX);
    if (!rd_done(&r) || out->batch == 0 || out->value.n == 0)
        return ERR_SYNTAX;
    /* Both documents or none, and no batch of several without them. */
    bool single = out->result.n == 0;
    if (single != (out->chain.n == 0) || (single && out->batch != 1))
        return ERR_SYNTAX;
    return 0;
}

void signer_put_failure(struct buf *b, int code, struct slice text)
{
    wr_u16(b, (uint16_t)code);
    wr_var(b, slice_sub(text, 0, TEXT_MAX));
}

int signer_get_failure(struct slice body, int *code, struct slice *text)
{
    struct rd r = rd_of(body);
    *code = rd_u16(&r);
    *text = rd_var(&r, TEXT_MAX);
    if (!rd_done(&r) || *code == ERR_NONE || *code >= ERR_COUNT)
        return ERR_SYNTAX;
    return 0;
}

void signer_put_raw(struct buf *b, const struct signer_raw *r)
{
    wr_u8(b, (uint8_t)((r->digested ? RAW_DIGESTED : 0) | (r->pss ? RAW_PSS : 0)));
    wr_u8(b, (uint8_t)r->digest);
    wr_var(b, r->key);
    wr_var(b, r->alg_uri);
    wr_var(b, r->data);
}

int signer_get_raw(struct slice body, struct signer_raw *out)
{
    struct rd r = rd_of(body);
    uint8_t bits = rd_u8(&r);
    uint8_t digest = rd_u8(&r);
    out->digested = (bits & RAW_DIGESTED) != 0;
    out->pss = (bits & RAW_PSS) != 0;
    out->key = rd_var(&r, KEY_NAME_MAX);
    out->alg_uri = rd_var(&r, URI_MAX);
    out->data = rd_var(&r, IPC_BODY_MAX);
    if (!rd_done(&r) || bits > (RAW_DIGESTED | RAW_PSS) || digest > DIGEST_SHA512)
        return ERR_SYNTAX;
    out->digest = (enum digest_alg)digest;
    return 0;
}

static int refused(struct slice body, struct diag *d)
{
    int code;
    struct slice text;
    if (signer_get_failure(body, &code, &text) != 0)
        return diag_set(d, ERR_KEY_NOT_AVAILABLE, "the key process answered what is no refusal");
    return diag_set(d, code, "%.*s", SLICE_ARG(text));
}

int signer_call(int fd, enum signer_type type, const struct signer_raw *r, struct buf *value,
                struct diag *d)
{
    static uint64_t last_id;
    struct buf body;
    buf_init(&body, IPC_INLINE_MAX);
    signer_put_raw(&body, r);
    if (body.failed) {
        buf_free(&body);
        return diag_set(d, ERR_TOO_LARGE, "too much to sign at once");
    }
    uint8_t reply[REPLY_MAX];
    uint16_t reply_type = 0;
    size_t n = 0;
    int err = ipc_call(fd, (uint16_t)type, ++last_id, buf_view(&body), &reply_type, reply,
                       sizeof reply, &n, CALL_TIMEOUT_MS);
    buf_free(&body);
    if (err != 0)
        return diag_set(d, ERR_KEY_NOT_AVAILABLE, "no answer from the key process: %s",
                        err_text(err));
    struct slice answer = slice_of(reply, n);
    if (reply_type == SIGNER_FAILED)
        return refused(answer, d);
    if (reply_type != SIGNER_VALUE || n == 0 || n > VALUE_MAX)
        return diag_set(d, ERR_KEY_NOT_AVAILABLE, "the key process answered something else");
    buf_slice(value, answer);
    return value->failed ? diag_set(d, ERR_TOO_LARGE, "the signature does not fit") : 0;
}
