/*
 * Messages as workers hand them to the log, made once: requests and answers of both sides, single
 * signatures and batches that share a document, documents of two signers whose OCSP responses
 * change, bodies that are not kept, kept in the frame and kept in a file.
 */
#ifndef SILD_TESTS_FAULT_LOG_MESSAGES_H
#define SILD_TESTS_FAULT_LOG_MESSAGES_H

#include "pki.h"

#include "base/arena.h"
#include "crypto/sign.h"
#include "evidence/xades.h"
#include "gateway/record.h"

#include <openssl/x509.h>
#include <time.h>

#define LOG_MESSAGES 144
#define LOG_SIGNERS 2
#define LOG_SHARED_MAX 64
#define LOG_GROUP 3      /* messages of one slot in a row; every other group is a batch */
#define LOG_OCSP_EACH 36 /* after so many messages there are new OCSP responses */
#define LOG_OCSP_BYTES 700
#define LOG_LARGE 70000 /* more than a worker holds in memory */

struct log_message {
    struct record_message record; /* with the whole document, the body plain where it is kept */
    struct slice body;
    bool spooled; /* its body goes to the log in a file */
};

static struct log_message log_all[LOG_MESSAGES];
static struct arena *log_memory; /* of all of them, for as long as the program runs */
static struct digest log_shared[LOG_SHARED_MAX];
static size_t log_n_shared;
static EVP_PKEY *log_owner;

enum log_use { LOG_OCSP, LOG_VALUE, LOG_HEAD, LOG_BODY };

/* Bytes that no two uses have alike. */
static struct slice log_bytes(enum log_use use, size_t i, size_t n)
{
    uint8_t *p = arena_alloc(log_memory, n);
    CHECK(p != NULL);
    uint64_t x = (uint64_t)use * 1000003u + i + 1;
    for (size_t k = 0; k < n; k++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        p[k] = (uint8_t)(x >> 56);
    }
    return slice_of(p, n);
}

static struct slice log_text(const char *fmt, size_t i)
{
    char text[200];
    int n = snprintf(text, sizeof text, fmt, i);
    return arena_dup(log_memory, slice_of(text, (size_t)n));
}

/* The signature document over what has this number. */
static struct slice log_document(const struct cert *cert, size_t number, bool batch,
                                 int64_t time_ms)
{
    struct xades_spec spec = {.batch = batch,
                              .signing_time_ms = time_ms,
                              .cert = cert,
                              .alg = sign_alg_for_key(cert->key)};
    struct slice ocsp = log_bytes(LOG_OCSP, number / LOG_OCSP_EACH, LOG_OCSP_BYTES);
    struct buf out;
    buf_init(&out, 1u << 20);
    digest_of(DIGEST_SHA512, log_bytes(LOG_HEAD, number, 64), &spec.data);
    CHECK_INT(xades_print(&spec, log_bytes(LOG_VALUE, number, 64), NULL, 0, &ocsp, 1, &out), 0);
    struct slice document = arena_dup(log_memory, buf_view(&out));
    buf_free(&out);
    return document;
}

/* Is it something that their documents share? */
static bool log_messages_share(struct slice bytes)
{
    struct digest dg;
    digest_of(DIGEST_SHA256, bytes, &dg);
    for (size_t i = 0; i < log_n_shared; i++)
        if (digest_eq(&log_shared[i], &dg))
            return true;
    return false;
}

static void log_note_shared(struct slice document)
{
    struct record_piece piece[RECORD_PIECES_MAX];
    size_t n = record_split(document, piece);
    for (size_t i = 0; i < n; i++) {
        if (!piece[i].blob || log_messages_share(piece[i].bytes))
            continue;
        CHECK(log_n_shared < LOG_SHARED_MAX);
        digest_of(DIGEST_SHA256, piece[i].bytes, &log_shared[log_n_shared++]);
    }
}

static void log_set_body(struct log_message *m, size_t i)
{
    struct record_message *r = &m->record;
    r->has_body = i % 3 != 0;
    if (!r->has_body)
        return;
    m->spooled = i % 29 == 5;
    m->body = log_bytes(LOG_BODY, i, m->spooled ? LOG_LARGE : 40 + i * 37 % 2500);
    r->body_size = m->body.n;
    r->body_kept = m->spooled || i % 5 == 1;
    if (r->body_kept && !m->spooled)
        r->sealed_body = m->body;
    digest_of(DIGEST_SHA512, m->body, &r->body_hash);
}

/* The i-th: two of an exchange, its request and its answer, in turn as consumer and as provider. */
static void log_make(const struct pki signer[LOG_SIGNERS], size_t i, int64_t now_ms)
{
    struct log_message *m = &log_all[i];
    struct record_message *r = &m->record;
    size_t in_slot = i / RECORD_SLOTS, group = in_slot / LOG_GROUP;
    bool batch = group % 2 == 1;
    r->response = i % 2 == 1;
    r->side = i / 2 % 2 == 0 ? RECORD_CONSUMER : RECORD_PROVIDER;
    r->time_ms = now_ms;
    r->id = log_text("ZZ-exchange-%zu", i / 2);
    r->request_id = log_text("request-%zu", i / 2);
    r->party = log_text("ZZ/GOV/100/registry%zu", i % LOG_SIGNERS);
    r->head = log_text(i % 2 == 0 ? "GET /r1/people/%zu HTTP/1.1\r\n" : "200\r\nOK %zu\r\n", i);
    if (batch) {
        r->result = log_text("<hash-chain-result number=\"%zu\"/>", group * RECORD_SLOTS + i % 4);
        r->chain = log_text("<hash-chain number=\"%zu\"/>", i);
    }
    if (batch && in_slot % LOG_GROUP > 0)
        r->signature = log_all[i - RECORD_SLOTS].record.signature;
    else
        r->signature = log_document(signer[i % LOG_SIGNERS].cert, i, batch, now_ms);
    digest_of(DIGEST_SHA512, r->signature, &r->signature_hash);
    log_set_body(m, i);
    log_note_shared(r->signature);
}

/* LOG_MESSAGES of them, distinct by id, side and direction. */
static const struct log_message *log_messages(void)
{
    struct pki ca, signer[LOG_SIGNERS];
    if (log_memory != NULL)
        return log_all;
    log_memory = arena_new(64u << 20);
    log_owner = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    CHECK(log_memory != NULL && log_owner != NULL);
    pki_make(&ca, CERT_CA, "p256", "CA", NULL, 1);
    pki_make(&signer[0], CERT_SIGN, "p256", "Registry", &ca, 2);
    pki_make(&signer[1], CERT_SIGN, "p256", "Insurer", &ca, 3);
    for (size_t i = 0; i < LOG_MESSAGES; i++)
        log_make(signer, i, (int64_t)time(NULL) * 1000);
    for (size_t i = 0; i < LOG_SIGNERS; i++)
        pki_free(&signer[i]);
    pki_free(&ca);
    CHECK(log_n_shared >= 8 && !arena_failed(log_memory));
    return log_all;
}

/* Which one this is; NULL: none of them. */
static const struct log_message *log_messages_find(const struct record_message *r)
{
    for (size_t i = 0; i < LOG_MESSAGES; i++) {
        const struct record_message *k = &log_all[i].record;
        if (k->side == r->side && k->response == r->response && slice_eq(k->id, r->id))
            return &log_all[i];
    }
    return NULL;
}

/* What kept bodies are sealed to: the pair, and its public half in DER. */
static EVP_PKEY *log_messages_owner(void)
{
    return log_owner;
}

static struct slice log_messages_owner_der(void)
{
    unsigned char *p = NULL;
    int n = i2d_PUBKEY(log_owner, &p);
    struct slice der = n > 0 ? arena_dup(log_memory, slice_of(p, (size_t)n)) : SLICE_NONE;
    OPENSSL_free(p);
    return der;
}

#endif
