#include "gateway/blobs.h"
#include "base/err.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define KNOWN_MAX 512
#define BLOB_MAX (1u << 20)

/* A blob that the segment beginning at `segment` has. */
struct known {
    uint64_t hash; /* of the content, for a quick look */
    uint64_t segment, used;
    struct buf bytes;
    uint8_t sha256[32];
};

struct blobs {
    struct known k[KNOWN_MAX];
    size_t n;
    uint64_t clock;
};

struct blobs *blobs_new(void)
{
    return calloc(1, sizeof(struct blobs));
}

void blobs_free(struct blobs *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->n; i++)
        buf_free(&b->k[i].bytes);
    free(b);
}

static struct known *find(struct blobs *b, struct slice bytes, uint64_t hash)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->k[i].hash == hash && slice_eq(buf_view(&b->k[i].bytes), bytes))
            return &b->k[i];
    return NULL;
}

/* A place for another one: a new one, or the one that was not used for longest. */
static struct known *place(struct blobs *b)
{
    if (b->n < KNOWN_MAX) {
        struct known *k = &b->k[b->n++];
        buf_init(&k->bytes, BLOB_MAX);
        return k;
    }
    struct known *oldest = &b->k[0];
    for (size_t i = 1; i < b->n; i++)
        if (b->k[i].used < oldest->used)
            oldest = &b->k[i];
    return oldest;
}

static struct known *remember(struct blobs *b, struct slice bytes, uint64_t hash)
{
    struct known *k = place(b);
    struct digest dg;
    buf_reset(&k->bytes);
    buf_slice(&k->bytes, bytes);
    digest_of(DIGEST_SHA256, bytes, &dg);
    memcpy(k->sha256, dg.b, 32);
    k->hash = hash;
    k->segment = UINT64_MAX;
    return k;
}

#define KEY 33

/* The journal's key of a blob: a zero byte, which no message id has, and the hash. */
static struct slice key_of(const uint8_t sha256[32], uint8_t out[KEY])
{
    out[0] = 0;
    memcpy(out + 1, sha256, 32);
    return slice_of(out, KEY);
}

/* Appends the blob unless the open segment has it. */
static int put(struct known *k, struct journal *j, int64_t now_ms, struct diag *d)
{
    uint8_t key[KEY];
    uint64_t seq;
    if (k->segment == journal_segment(j))
        return 0;
    int rc = journal_append(j, RECORD_BLOB, 0, now_ms, key_of(k->sha256, key), buf_view(&k->bytes),
                            &seq, d);
    if (rc == 0)
        k->segment = journal_segment(j);
    return rc;
}

static int store_one(struct blobs *b, struct journal *j, struct record_piece *p, int64_t now_ms,
                     struct diag *d)
{
    uint64_t hash = map_hash(p->bytes, 0);
    struct known *k = find(b, p->bytes, hash);
    if (k == NULL)
        k = remember(b, p->bytes, hash);
    k->used = ++b->clock;
    int rc = put(k, j, now_ms, d);
    p->bytes = slice_of(k->sha256, 32);
    return rc;
}

int blobs_store(struct blobs *b, struct journal *j, struct record_piece *piece, size_t n,
                int64_t now_ms, struct diag *d)
{
    for (size_t i = 0; i < n; i++) {
        if (!piece[i].blob)
            continue;
        if (piece[i].bytes.n > BLOB_MAX)
            return diag_set(d, ERR_TOO_LARGE, "a certificate or OCSP response over 1 MiB");
        int rc = store_one(b, j, &piece[i], now_ms, d);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int blobs_read(struct journal *j, struct slice sha256, struct buf *out, struct diag *d)
{
    uint8_t key[KEY];
    uint64_t seq[8];
    size_t n;
    struct buf payload;
    int rc = journal_find(j, key_of(sha256.p, key), seq, ARRAY_LEN(seq), &n, d);
    buf_init(&payload, JOURNAL_RECORD_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct journal_record r;
        struct digest dg;
        if (journal_read(j, seq[i], &r, &payload, d) != 0 || r.type != RECORD_BLOB)
            continue;
        digest_of(DIGEST_SHA256, r.payload, &dg);
        if (memcmp(dg.b, sha256.p, 32) != 0)
            continue;
        buf_slice(out, r.payload);
        buf_free(&payload);
        return 0;
    }
    buf_free(&payload);
    return rc != 0 ? rc
                   : diag_set(d, ERR_NOT_FOUND, "a shared part of a signature is not in the log");
}
